"""Files of somebody's record that are too large, nested too deeply, of another format, or have no end."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fooling.errors import UserError
from fooling.plots.searches import draw_front
from fooling.records.files import read_json
from fooling.records.record import read_image
from fooling.settings.files import CEILINGS

DAMAGED = [b"[" * 20_000, b'{"a":' * 20_000, b"\xff", b"{", b"[]", b'{"a": ' + b"9" * 5000 + b"}"]


@pytest.mark.parametrize("content", DAMAGED, ids=len)
def test_a_status_file_that_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=r"run.json: a damaged file"):
        read_json(tmp_path / "run.json")


def test_a_status_file_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CEILINGS, "JSON", 7)
    (tmp_path / "run.json").write_text('{"a":1} ')
    with pytest.raises(UserError, match=r"expected at most 7 bytes \(JSON\), got 8"):
        read_json(tmp_path / "run.json")
    (tmp_path / "run.json").write_text('{"a":1}')
    assert read_json(tmp_path / "run.json") == {"a": 1}


def test_a_status_file_without_an_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UserError, match="expected a file, got a named pipe"):
        read_json(tmp_path / "run.json")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "EPS"])
def test_an_image_of_a_record_is_a_png(tmp_path: Path, kind: str) -> None:
    image = Image.fromarray(np.zeros((5, 4), np.uint8))
    image.save(tmp_path / "0000.png", format="PNG")
    assert read_image(tmp_path / "0000.png").shape == (5, 4, 1)
    image.save(tmp_path / "0000.png", format=kind)
    with pytest.raises(UserError, match=r"0000.png: an image of the record cannot be read"):
        read_image(tmp_path / "0000.png")


def test_a_front_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CEILINGS, "table", 9)
    (tmp_path / "front.csv").write_text("run,target")
    with pytest.raises(UserError, match=r"front.csv: expected at most 9 bytes \(table\), got 10"):
        draw_front(tmp_path)


def test_an_image_of_a_record_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "0000.png")
    monkeypatch.setitem(CEILINGS, "picture", 39_999)
    with pytest.raises(UserError, match=r"100×100 pixels: expected at most 39,999 bytes \(picture\), got 40,000"):
        read_image(tmp_path / "0000.png")
