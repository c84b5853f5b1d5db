"""`fooling stats`: sets that turn out to be broken, what it says, and its statistics in a job."""

import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import random_images, random_network
from datasets import mixed, write_fortran, write_fractions, write_gz, write_idx, write_npz, write_pictures
from PIL import Image
from rich.console import Console

from fooling.commands import dispatch
from fooling.commands import progress as module
from fooling.commands.progress import progress
from fooling.data import readers
from fooling.data.images import ImageFile, open_image, read_image
from fooling.errors import guarded
from fooling.settings import files
from fooling.statistics import Statistics, fit
from fooling.statistics import pca as eigen


def call(*words: str) -> int:
    """The command in this process."""
    return guarded(dispatch, words)


# --- broken sets ------------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    """The file ends in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """A byte in the middle is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def cut_inside(path: Path) -> None:
    """The gzip file is whole, what is in it is not."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-9]))


def forge(path: Path) -> None:
    """The checksum that a zip file's directory has of its first array is wrong."""
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 16] ^= 255
    path.write_bytes(content)


def shrink(path: Path) -> None:
    """A picture is smaller than the others."""
    Image.new("L", (8, 7)).save(path)


def deepen(path: Path) -> None:
    """An image is of real numbers."""
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(path, format="TIFF")


GZ, PICTURE = "train-images-idx3-ubyte", "2/00030.png"
BROKEN = [
    (write_gz, cut, GZ, "truncated or damaged gzip file (Compressed file ended before the end-of-stream marker was reached)"),
    (write_gz, cut_inside, GZ, "truncated: its header promises 3,648 bytes of data, got 3,639"),
    (write_gz, cut, "train-labels-idx1-ubyte", "truncated or damaged gzip file (Compressed file ended"),
    (write_idx, cut, GZ, "truncated: its header promises 3,648 bytes of data, got 1,816"),
    (write_npz, cut, "", "not an .npz file of plain arrays (File is not a zip file)"),
    (write_npz, flip, "", "not an .npz file of plain arrays (Bad CRC-32 for file 'images.npy')"),
    (write_npz, forge, "", "not an .npz file of plain arrays (Bad CRC-32 for file 'images.npy')"),
    (write_fractions, forge, "", "not an .npz file of plain arrays (Bad CRC-32 for file 'x_train.npy')"),
    (write_fortran, flip, "", "not an .npz file of plain arrays (Bad CRC-32 for file 'images.npy')"),
    (write_pictures, cut, PICTURE, "is not a picture that can be read"),
    (write_pictures, shrink, PICTURE, "expected 8×8 pixels as in the first picture, got 7×8 (height × width)"),
    (write_pictures, deepen, PICTURE, "expected 8 or 16 bits a channel, got TIFF 8×8, grey of real numbers"),
]


@pytest.mark.parametrize(("write", "harm", "name", "message"), BROKEN, ids=lambda part: getattr(part, "__name__", None))
def test_a_broken_set_is_told_in_a_line_and_nothing_is_written(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., Path],
    harm: Callable[[Path], None],
    name: str,
    message: str,
) -> None:
    monkeypatch.setattr(readers, "PIECE", 10)
    images, labels = mixed((8, 8, 1))
    path = write(home / "set", images, labels)
    assert call("stats", f"data.path={path}", "out=whole.npz", "quiet=true") == 0
    harm(path / name if name else path)
    assert call("stats", f"data.path={path}", "out=s.npz") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fooling: {path / name if name else path}: {message}")
    assert said.count("\n") == 1
    assert sorted(p.name for p in home.iterdir()) == sorted(["whole.npz", path.name])


def test_a_picture_that_is_gone_when_its_turn_comes(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = mixed((8, 8, 3), 40)
    path = write_pictures(home / "set", images, labels)
    first = min((path / "3").iterdir())

    def reading(place: Path) -> ImageFile:
        shutil.rmtree(path / "3", ignore_errors=True)
        return open_image(place)

    monkeypatch.setattr("fooling.data.readers.open_image", reading)
    assert call("stats", f"data.path={path}") == 2
    assert f"{first}: is not a picture that can be read ([Errno 2] No such file" in capsys.readouterr().err
    assert [p.name for p in home.iterdir()] == ["set"]


# --- what it says -----------------------------------------------------------------------------------------------------


def test_it_says_what_is_less_than_was_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = mixed((8, 8, 1))
    path = write_npz(home / "set", images, labels)
    words = ("stats", f"data.path={path}", "overwrite=true")
    assert call(*words) == 0
    said = capsys.readouterr().out
    assert "components=6, not 40: the smallest class has 7 images" in said
    assert "exemplars=7, not 300: the smallest class has 7 images" in said
    assert "principal components" not in said
    monkeypatch.setattr(eigen, "ROOM", 4 * 64 * 5)
    monkeypatch.setattr(fit, "ROOM", 4 * 64 * 5)
    assert call(*words) == 0
    said = capsys.readouterr().out
    assert "principal components: of at most 5 images a class, evenly spaced (64 pixels an image, 4 classes)" in said
    assert "components=3, not 40: 64 pixels an image, 4 classes" in said  # every second of 7 images: 4
    assert "exemplars=5, not 300: 64 pixels an image, 4 classes" in said
    found = Statistics.load(home / "stats.npz")
    assert (found.eigen.shape[1], found.exemplars) == (3, 5)


def test_a_file_too_large_to_be_read_is_refused_before_it_is_fitted(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_npz(home / "set", *mixed((16, 16, 3)))
    monkeypatch.setitem(files.CEILINGS, "arrays", 4 * 768 * 9)
    assert call("stats", f"data.path={path}", "quiet=true") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "components=6: 4 classes of 768 pixels take 49,152 bytes, at most 27,648 are read; give components=2" in line
    assert not (home / "stats.npz").exists()
    monkeypatch.setitem(files.CEILINGS, "arrays", 4 * 768 * 3)
    assert call("stats", f"data.path={path}", "components=0") == 2
    assert "give smaller images, as data.size=64" in capsys.readouterr().err


def watched(monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool, seconds: float) -> str:
    """What is shown of steps that take so long each."""
    clock = iter(np.arange(100) * seconds)
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    screen = io.StringIO()
    with progress(Console(file=screen, force_terminal=terminal, width=100), quiet) as watch:
        for done in (10, 20, 3000):
            watch("images", done, 3000)
        watch("eigen-images of classes", 1, 7)
    return screen.getvalue()


def test_progress_without_a_terminal_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "images: 20 of 3,000, about 13 min left\neigen-images of classes: 1 of 7\n"
    assert watched(monkeypatch, False, False, 2.6) == said
    assert watched(monkeypatch, False, False, 0.3) == ""


def test_progress_on_a_terminal_is_a_bar_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watched(monkeypatch, True, False, 0.6)
    assert "20/3000" in shown
    assert "eigen-images of classes" in shown
    assert "10/3000" not in shown  # too soon
    assert watched(monkeypatch, True, False, 0.1) == ""
    assert watched(monkeypatch, True, True, 0.6) == watched(monkeypatch, False, True, 9.0) == ""


# --- in a job ---------------------------------------------------------------------------------------------------------


def test_coloured_pictures_by_class_from_statistics_to_images(home: Path) -> None:
    base = random_images((32, 32, 3), 56)
    labels = np.arange(60) % 3
    images = (base // 4 + (labels * 60)[:, None, None, None]).astype(np.uint8)
    path = write_pictures(home / "set", images, labels)
    assert call("stats", f"data.path={path}", "out=s.npz", "quiet=true") == 0
    random_network((32, 32, 3), classes=3).save(home / "m.safetensors")
    search = ("runs=2", "population=20", "generations=10", "quiet=true")
    job = ("prior.statistics=s.npz", "prior=variogram", "digit=1", "out=a")
    assert call("run", "classifier.path=m.safetensors", *job, *search) == 0
    run = json.loads((home / "a" / "run.json").read_text())
    assert run["statistics_fingerprint"] == Statistics.load(home / "s.npz").fingerprint
    assert run["images"][0]["terms"].keys() >= {"variogram"}
    assert read_image(home / "a" / run["images"][0]["file"]).shape == (32, 32, 3)


def test_images_that_are_held_out_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i, image in enumerate(random_images((8, 8, 1), 20)[:20]):
            Image.fromarray(image[..., 0]).save(tmp_path / "set" / name / f"{i:02d}.png")
    words = ["stats", f"data.path={tmp_path / 'set'}", "components=2", "exemplars=2", "bins=4", "lags=2"]
    assert call(*words, f"out={tmp_path / 's.npz'}") == 0
    out = capsys.readouterr().out
    assert out.count("6 of 40 images held out as the test set") == 1
    assert out.count(" 17 ") == 2
