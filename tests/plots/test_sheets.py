"""Text on sheets: wrapped or cut to its width, names of rows and columns."""

import io

import numpy as np
import pytest
from builders import random_images
from PIL import Image, ImageFont

from fooling.plots.ladder import captions, heading_of
from fooling.plots.sheets import LARGE, SMALL, animation, contact_sheet, cut, length, wrap

LONG = "tights for gymnastics, a one-piece leotard, or a sport jersey"


@pytest.mark.parametrize("text", ["espresso", LONG, "W" * 99, "a" + "W" * 99 + " b"])
@pytest.mark.parametrize("width", [20, 72, 300])
def test_text_fits(text: str, width: int) -> None:
    font = ImageFont.load_default(SMALL)
    assert all(font.getlength(line) <= width for line in [*wrap(text, width), cut(text, width)])
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "")  # nothing is lost
    assert cut(text, width) in (text, cut(text, width).rstrip("…") + "…")
    heading, _, size = heading_of(text, width)
    assert all(ImageFont.load_default(size).getlength(line) <= width for line in heading.split("\n"))
    assert heading_of("7", width)[2] == LARGE


def test_captions_of_the_ladder_keep_the_confidence() -> None:
    cell = {"prior": 0, "digit": 1, "confidence": 1.0, "read": None}
    name, confidence = captions(cell, ["7", LONG])
    assert (name[-1], confidence) == ("…", "> 99.99 %")
    assert captions(cell, ["7", "1"]) == ["1: > 99.99 %"]


def test_rows_and_columns_are_named() -> None:
    images = np.full((4, 28, 28, 1), 255, np.uint8)
    plain = np.asarray(contact_sheet(images, [""] * 4, columns=2))
    named = contact_sheet(images, [""] * 4, "note " * 40, columns=2, row_names=["a", LONG], column_names=["b", LONG])
    pixels = np.asarray(named)
    tiles = np.flatnonzero((pixels == 255).sum(axis=0) >= 2 * 84)
    assert len(tiles) == 2 * 84  # columns of two images each, none covered by a name
    assert (pixels[:, : tiles[0]] > 40).any()  # names of rows
    assert (pixels[: np.flatnonzero((pixels == 255).sum(axis=1) >= 84)[0], tiles[0] :] > 40).any()  # names of columns
    assert plain.shape[1] < named.width


def test_an_animation_whose_title_takes_another_line() -> None:
    frames = random_images((8, 8, 1), 0)[:2, None]
    with Image.open(io.BytesIO(animation(frames, [0, 2_000_000]))) as found:
        assert found.n_frames == 2


@pytest.mark.parametrize("caption", ["0000 · 2: > 99.99 %", "ein größerer Hund"])
def test_tiles_are_as_wide_as_their_captions_whatever_the_letters(caption: str) -> None:
    images = np.zeros((2, 8, 8, 1), np.uint8)
    sheet = contact_sheet(images, [caption] * 2, columns=2)
    assert sheet.width >= 2 * length(caption)
    assert length(cut(caption, 40)) <= 40
