"""`fooling border`: moving and scaling by hand, and what is made of answers that are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images

from fooling.commands import dispatch
from fooling.commands.border import WAYS, first_below, first_misread, ink_kept, is_clear, spread_out, ways
from fooling.data import ImageSet
from fooling.data.images import resampling, rescale, translate
from fooling.errors import guarded


def test_moved_by_hand() -> None:
    image = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3, 1)
    assert translate(image, 0, 1)[0, :, :, 0].tolist() == [[0, 1, 2], [0, 4, 5]]
    assert translate(image, 0, -2)[0, :, :, 0].tolist() == [[3, 0, 0], [6, 0, 0]]
    assert translate(image, 1, 0)[0, :, :, 0].tolist() == [[0, 0, 0], [1, 2, 3]]
    assert translate(image, -1, 1)[0, :, :, 0].tolist() == [[0, 4, 5], [0, 0, 0]]
    assert not translate(image, 2, 0).any()
    assert not translate(image, 0, -9).any()
    assert np.array_equal(translate(image, 0, 0), image)


def test_moved_keeps_all_ink_that_stays_inside(shape: tuple[int, int, int]) -> None:
    images = np.zeros((1, *shape), np.uint8)
    images[0, 3:5, 3:5] = 200
    for down, right in ((2, -1), (-3, 1), (1, 2)):
        there = translate(images, down, right)
        assert there.sum() == images.sum()
        assert np.array_equal(translate(there, -down, -right), images)


def test_scaled_by_hand() -> None:
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, 1:3, 1:3] = 80
    half = rescale(image, 0.5)[0, :, :, 0]
    assert half[1:3, 1:3].tolist() == [[80 // 4] * 2] * 2  # weights 1/8, 3/8, 3/8, 1/8: half of it, down and across
    assert half[0].tolist() == [0, 0, 0, 0]
    twice = rescale(image, 2)[0, :, :, 0]
    assert twice.tolist() == [[45, 60, 60, 45], [60, 80, 80, 60], [60, 80, 80, 60], [45, 60, 60, 45]]
    assert rescale(image, 1) is image


@pytest.mark.parametrize("factor", [0.1, 0.4, 0.7, 1, 1.3, 2, 4])
def test_resampling_gives_every_pixel_a_whole(factor: float) -> None:
    weights = resampling(28, factor)
    assert weights.min() >= 0
    assert weights[14].sum() == pytest.approx(1, abs=0.01)  # at 0.1 a pixel reaches a little beyond the frame
    assert weights == pytest.approx(weights[::-1, ::-1])  # about the middle
    if factor < 1:
        assert weights[0].sum() == pytest.approx(0) if factor < 0.6 else True


def test_scaled_images_keep_their_light(shape: tuple[int, int, int]) -> None:
    images = np.zeros((2, *shape), np.uint8)
    height, width = shape[:2]
    images[:, height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1] = 200
    for factor in (0.5, 1.5):
        there = rescale(images, factor)
        assert there.shape == images.shape
        assert there.sum(dtype=np.int64) == pytest.approx(images.sum(dtype=np.int64) * factor**2, rel=0.1)


def answers(wrong_from: dict[str, int]) -> tuple[dict, ImageSet]:
    """Two images of class 1, classified correctly up to some distance in each direction; the second one pixel farther."""
    at = {}
    for name, (down, right) in WAYS.items():
        for d in (0, 1, 2, 4):
            scores = np.tile(np.array([[0.1, 0.8, 0.1]], np.float32), (2, 1))
            for i in range(2):
                if d >= wrong_from[name] + i:
                    scores[i] = 0.9, 0.05, 0.05
            at[down * d, right * d] = scores
    return at, ImageSet(np.zeros((2, 5, 5, 1), np.uint8), np.array([1, 1]), ("a", "b", "c"), "made")


def test_first_misread_by_hand() -> None:
    at, data = answers({"left": 1, "right": 2, "up": 4, "down": 9})
    clear = is_clear(at[0, 0], data, 0.75)
    assert clear.tolist() == [True, True]
    assert is_clear(at[0, 0], data, 0.85).tolist() == [False, False]
    found = first_misread(at, data, clear, [0, 1, 2, 4])
    assert {d: one["part"] for d, one in found["by_distance"].items()} == {"0": 0, "1": 1, "2": 3, "4": 5}  # of 2 × 4
    assert found["quantiles"] == {"0.1": 1.0, "0.5": 4.0, "0.9": None}
    curves = ways(at, data, [0, 1, 2, 4])
    assert [row["accuracy"]["share"] for row in curves["left"]] == [1, 0.5, 0, 0]
    assert first_below(curves, 0.9) == {"left": 1, "right": 2, "up": 4, "down": None}
    assert first_below(curves, 0.5) == {"left": 2, "right": 4, "up": None, "down": None}
    assert curves["left"][1]["confidence"] == pytest.approx((0.05 + 0.8) / 2)


def test_directions_that_were_not_tried_do_not_count() -> None:
    at, data = answers({"left": 1, "right": 2, "up": 4, "down": 9})
    for place in [place for place in at if place[0] < 0 or place[1] < 0]:
        del at[place]
    found = first_misread(at, data, np.array([True, True]), [0, 1, 2, 4])
    assert (found["by_distance"]["4"]["part"], found["by_distance"]["4"]["of"]) == (2, 4)


def test_ink_and_directions() -> None:
    images = np.zeros((4, 4, 4, 1), np.uint8)
    images[:, 1:3, 1:3] = 100
    assert ink_kept(images, 0) == ink_kept(images, 1) == 1
    assert ink_kept(images, 2) == 0.5
    spread = spread_out(images, np.arange(4), 1)
    for i, (down, right) in enumerate(WAYS.values()):
        assert np.array_equal(spread[i : i + 1], translate(images[:1], down, right))


def test_the_command(home: Path, pca_file: Path) -> None:
    words = ["border", "data.kind=sklearn", "classifier=pca", f"classifier.path={pca_file}", "out=b", "quiet=true"]
    more = ["offsets=-1,2", "scales=0.5,2", "images=60", "digit=3,4", "threshold=0.5"]
    assert guarded(dispatch, [*words, *more]) == 0
    found = json.loads(Path("b/border.json").read_text())
    assert (found["offsets"], found["scales"], found["distances"]) == ([-1, 0, 2], [0.5, 1.0, 2.0], [0, 1, 2])
    assert (len(found["places"]), len(found["scaled"]), found["images"]) == (9, 9, 60)
    still = next(place for place in found["places"] if (place["down"], place["right"]) == (0, 0))
    same = next(cell for cell in found["scaled"] if (cell["scale"], cell["distance"]) == (1.0, 0))
    assert still["accuracy"] == same["accuracy"]
    assert still["accuracy"]["share"] > 0.8
    assert {row["distance"] for row in found["ways"]["left"]} == {0, 1}
    assert {row["distance"] for row in found["ways"]["right"]} == {0, 2}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("offsets=65", "offsets: expected whole numbers from -64 to 64, got 65"),
        ("scales=5", "scales: expected numbers from 0.1 to 4, got 5"),
        ("offsets=1.5", "offsets: expected a whole number, got 1.5"),
        ("images=3", "images: expected 10 or more, got 3"),
        ("threshold=1", "no image is classified correctly at 1 or more"),
    ],
)
def test_refusals(home: Path, pca_file: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data.kind=sklearn", "classifier=pca", f"classifier.path={pca_file}", "out=b", "images=10"]
    kept = [one for one in words if one.partition("=")[0] != word.partition("=")[0]]
    assert guarded(dispatch, ["border", *kept, "seed=1", word]) == 2
    assert message in capsys.readouterr().err
    assert not Path("b/border.json").exists()


@needs_mnist
def test_off_the_centre_digits_are_misread(home: Path) -> None:
    words = ["border", f"data.path={DATA}", "out=b", "quiet=true", "offsets=-4,0,4", "scales=1", "images=500"]
    assert guarded(dispatch, words) == 0
    found = json.loads(Path("b/border.json").read_text())
    assert found["ink_kept"]["4"] > 0.98
    assert all(rows[0]["accuracy"]["share"] > 0.95 and rows[-1]["accuracy"]["share"] < 0.6 for rows in found["ways"].values())


def test_noise_of_every_shape_can_be_moved(shape: tuple[int, int, int]) -> None:
    images = random_images(shape, 3)
    assert rescale(images, 0.7).dtype == translate(images, 1, 1).dtype == np.uint8
