"""Pictures of unequal sizes become images of one size by three rules: crop, fit and stretch."""

from pathlib import Path

import numpy as np
import pytest
from builders import random_images
from PIL import Image

from fooling.data import load_data
from fooling.data.drawings import read_photo
from fooling.data.images import ImageFile, resize
from fooling.data.matching import RESIZED, in_shape, rule_in
from fooling.errors import UserError

WIDE = np.full((10, 40, 3), 200, np.uint8)  # the whole of it is light
TALL = np.ascontiguousarray(WIDE.swapaxes(0, 1))


def sized(pixels: np.ndarray, shape: tuple[int, int, int], rule: str) -> np.ndarray:
    return in_shape(ImageFile(pixels, "", ()), shape, rule)[0]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Coloured pictures of two classes, wide and tall ones."""
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i, image in enumerate(random_images((30, 30, 3), 2)):
            Image.fromarray(image[:20] if i % 2 else image[:, :25]).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"


@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 14, 3), (14, 9, 1), (60, 50, 3)])
@pytest.mark.parametrize("pixels", [WIDE, TALL], ids=["wide", "tall"])
def test_fit_keeps_the_whole_picture_and_its_sides_ratio(pixels: np.ndarray, shape: tuple[int, int, int]) -> None:
    found = sized(pixels, shape, "fit")
    assert found.shape == shape
    rows, columns = (found.max(axis=axis).max(axis=1) > 0 for axis in (1, 0))
    light = np.array([rows.sum(), columns.sum()])
    factor = min(shape[0] / pixels.shape[0], shape[1] / pixels.shape[1])
    assert np.abs(light - np.array(pixels.shape[:2]) * factor).max() <= 0.5
    inside = found[rows][:, columns]
    assert inside.min() == inside.max() == 200  # the rest is black, on both sides alike
    for lit in (rows, columns):
        places = np.flatnonzero(lit)
        assert abs(places[0] - (len(lit) - 1 - places[-1])) <= 1


@pytest.mark.parametrize("shape", [(8, 8, 3), (60, 50, 3)])
def test_stretch_scales_height_and_width_apart(shape: tuple[int, int, int]) -> None:
    pixels = random_images((10, 40, 3), 1)[0]
    assert np.array_equal(sized(pixels, shape, "stretch"), resize(pixels, shape[:2]))


def test_crop_is_the_default_and_leaves_no_bars() -> None:
    pixels = random_images((10, 40, 3), 1)[0]
    assert np.array_equal(sized(pixels, (5, 5, 3), "crop"), in_shape(ImageFile(pixels, "", ()), (5, 5, 3))[0])
    assert np.array_equal(sized(pixels, (5, 5, 3), "crop"), resize(pixels, (5, 20))[:, 7:12])
    assert sized(WIDE, (8, 6, 3), "crop").min() == 200


@pytest.mark.parametrize("rule", RESIZED)
def test_an_image_of_the_size_is_left_alone(rule: str) -> None:
    pixels = random_images((10, 40, 3), 1)[0]
    found, notes = in_shape(ImageFile(pixels, "", ()), (10, 40, 3), rule)
    assert np.array_equal(found, pixels)
    assert notes == ()


@pytest.mark.parametrize("rule", RESIZED)
def test_sets_of_every_kind_and_single_photographs_are_resized_alike(pictures: Path, tmp_path: Path, rule: str) -> None:
    data = load_data(str(pictures), split="all", size=16, resize=rule)
    assert data.notes[0].startswith(f"data: {RESIZED[rule]} 16×16, ")
    assert rule_in(data.notes) == rule
    photo = read_photo(pictures / "cat" / "0.png", (16, 16, 3), rule)
    assert np.array_equal(photo.plain, data.images[0])
    assert photo.done_plain == (f"{RESIZED[rule]} 16×16",)
    arrays = random_images((30, 20, 3), 8)
    np.savez(tmp_path / "a.npz", images=arrays, labels=np.arange(len(arrays)) % 2)
    found = load_data(str(tmp_path / "a.npz"), split="all", size=16, resize=rule)
    assert np.array_equal(found.images, [sized(image, (16, 16, 3), rule) for image in arrays])
    assert rule_in(load_data(str(tmp_path / "a.npz"), split="all", resize=rule).notes) == ""


@pytest.mark.parametrize("rule", ["pad", 3, ""])
def test_another_rule_is_refused_in_one_line(pictures: Path, rule: object) -> None:
    if not rule:
        assert load_data(str(pictures), size=16, resize=rule).notes == load_data(str(pictures), size=16).notes
        return
    with pytest.raises(UserError, match=f"data.resize: expected one of crop, fit, stretch, got {rule!r}"):
        load_data(str(pictures), size=16, resize=rule)
