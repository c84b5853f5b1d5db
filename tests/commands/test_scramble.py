"""`fooling scramble`: which pixels are replaced, by what, and what is made of the answers."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images

from fooling.commands import dispatch
from fooling.commands.scramble import (
    histogram,
    is_background,
    most_read,
    other,
    ranked,
    replaced,
    uniform,
)
from fooling.data import ImageSet
from fooling.errors import guarded
from fooling.search.result import median_confidence_index


class Labels:
    labels = ("a", "b", "c")


def sets() -> tuple[ImageSet, ImageSet]:
    """Images of three classes, each of one grey level: 10, 20, 30; and some of them."""
    labels = np.repeat([0, 1, 2], 20)
    images = np.broadcast_to((10 * (labels + 1)).astype(np.uint8)[:, None, None, None], (60, 6, 5, 1)).copy()
    every = ImageSet(images, labels, ("a", "b", "c"), "made")
    return ImageSet(images[::4], labels[::4], every.classes, "made"), every


def test_background_is_what_is_dark_in_every_channel() -> None:
    image = np.array([[[[0, 0, 0], [5, 5, 5]], [[6, 0, 0], [0, 0, 255]]]], dtype=np.uint8)
    assert is_background(image, 0)[0].tolist() == [[True, False], [False, False]]
    assert is_background(image, 5)[0].tolist() == [[True, True], [False, False]]
    assert is_background(image, 6)[0].tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize("part", [0, 1, 10, 33.3, 50, 99, 100])
def test_so_many_background_pixels_are_replaced_and_no_ink(shape: tuple[int, int, int], part: float) -> None:
    images = random_images(shape, 8)
    background = is_background(images, 0)
    ranks, numbers = ranked(background, np.random.default_rng(0))
    noise = np.full_like(images, 77)
    there = replaced(images, noise, ranks, numbers, part)
    changed = (there == 77).all(axis=3) & background
    assert changed.sum(axis=(1, 2)).tolist() == np.rint(part / 100 * numbers).tolist()
    assert np.array_equal(there[~background], images[~background])
    assert numbers.tolist() == background.sum(axis=(1, 2)).tolist()


def test_more_holds_all_of_less() -> None:
    images = np.zeros((3, 9, 9, 1), np.uint8)
    ranks, numbers = ranked(is_background(images, 0), np.random.default_rng(1))
    noise = np.full_like(images, 1)
    found = [replaced(images, noise, ranks, numbers, part) for part in (10, 40, 90)]
    assert all((less <= more).all() for less, more in pairwise(found))
    assert not np.array_equal(found[0][0], found[0][1])  # each image has an order of its own


def test_uniform_noise_has_every_level() -> None:
    images, every = sets()
    levels = uniform(images, every, np.random.default_rng(0))
    assert levels.shape == images.images.shape
    wide = ImageSet(np.zeros((200, 20, 20, 1), np.uint8), np.zeros(200, int), ("a", "b"), "made")
    counts = np.bincount(uniform(wide, wide, np.random.default_rng(0)).ravel(), minlength=256)
    assert counts.min() > 200
    assert counts.max() < 430


def test_histogram_noise_has_the_levels_of_the_class() -> None:
    images, every = sets()
    levels = histogram(images, every, np.random.default_rng(0))
    assert all((levels[images.labels == k] == 10 * (k + 1)).all() for k in range(3))
    mixed = np.zeros((40, 10, 10, 3), np.uint8)
    mixed[..., :3, 1] = 200  # a third of the rows, in the second channel
    mixed[:, :3, :, 2] = 50
    data = ImageSet(mixed, np.zeros(40, int), ("a", "b"), "made")
    levels = histogram(data, data, np.random.default_rng(0))
    assert (levels[..., 0] == 0).all()
    assert set(np.unique(levels[..., 1])) == {0, 200}
    assert (levels[..., 1] == 200).mean() == pytest.approx(0.3, abs=0.03)
    assert (levels[..., 2] == 50).mean() == pytest.approx(0.3, abs=0.03)


def test_other_noise_is_of_another_class() -> None:
    images, every = sets()
    levels = other(images, every, np.random.default_rng(0))
    assert (np.ptp(levels, axis=(1, 2, 3)) == 0).all()
    classes = levels[:, 0, 0, 0] // 10 - 1
    assert (classes != images.labels).all()
    assert set(classes) == {0, 1, 2}


def test_what_is_read_most_and_what_is_typical() -> None:
    scores = np.array([[0.1, 0.7, 0], [0.2, 0.9, 0], [0.8, 0.1, 0]], dtype=np.float32)
    found = most_read(scores, Labels())  # type: ignore[arg-type]
    assert (found["most_read"], found["most_read_share"]["part"], found["largest_score"]) == ("b", 2, pytest.approx(0.8))
    assert median_confidence_index(scores[:, 1]) == 0


def test_the_command(home: Path, pca_file: Path) -> None:
    words = ["scramble", "data.kind=sklearn", "classifier=pca", f"classifier.path={pca_file}", "quiet=true", "images=80"]
    assert guarded(dispatch, [*words, "out=a", "shares=50,100", "noises=[uniform,other]", "background=16", "digit=1,2"]) == 0
    found = json.loads(Path("a/scramble.json").read_text())
    assert list(found["curves"]) == ["uniform", "other"]
    assert [row["share"] for row in found["curves"]["uniform"]] == [0, 50, 100]
    first, last = found["curves"]["uniform"][0], found["curves"]["uniform"][-1]
    assert first["accuracy"]["share"] > 0.8 > last["accuracy"]["share"]
    assert first == {**found["curves"]["other"][0]}
    assert guarded(dispatch, [*words, "out=b", "shares=100", "seed=1"]) == 0
    other_seed = json.loads(Path("b/scramble.json").read_text())
    assert guarded(dispatch, [*words, "out=c", "shares=100", "seed=2"]) == 0
    assert json.loads(Path("c/scramble.json").read_text())["curves"] != other_seed["curves"]
    assert found["background_share"] > other_seed["background_share"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("shares=101", "shares: expected percentages from 0 to 100, got 101"),
        ("noises=[]", "noises: expected at least one entry, got []"),
        ("noises=pink", "noises: expected one of 'uniform', 'histogram' or 'other', got pink"),
        ("background=255", "background: expected 254 or less, got 255"),
    ],
)
def test_refusals(home: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["scramble", "data.kind=sklearn", word]) == 2
    assert message in capsys.readouterr().err


def test_images_without_background(home: Path, pca_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(30, 256, (80, 8, 8, 1), dtype=np.uint8)
    np.savez("light.npz", images=images, labels=np.arange(80) % 10)
    words = ["scramble", "data.path=light.npz", "classifier=pca", f"classifier.path={pca_file}"]
    assert guarded(dispatch, words) == 2
    assert "background=0: no pixel is background, the darkest are 3" in capsys.readouterr().err


@needs_mnist
def test_a_scrambled_background_collapses_the_output(home: Path) -> None:
    assert guarded(dispatch, ["scramble", f"data.path={DATA}", "out=s", "quiet=true", "shares=100", "images=500"]) == 0
    curves = json.loads(Path("s/scramble.json").read_text())["curves"]
    assert curves["uniform"][0]["quartiles"][1] > 0.99
    assert curves["uniform"][-1]["quartiles"][1] < 0.05
    assert curves["histogram"][-1]["accuracy"]["share"] > 0.7
