"""The matrix of mismatched pairs."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import random_network
from PIL import Image

from fooling.cli import dispatch
from fooling.errors import UserError, guarded
from fooling.judges import wilson
from fooling.matrix import SURE, split_judges
from fooling.record import read_image, read_run

SMALL = ("digit=3,4,5", "runs=3", "generations=4", "proposals=500", "quiet=true", "out=m")


def matrix(*words: str) -> dict:
    assert guarded(dispatch, ["matrix", *SMALL, *words]) == 0
    return json.loads(Path("m/matrix.json").read_text())


def test_pairs_are_counted_from_what_the_records_say(home: Path) -> None:
    found = matrix("weights.target=3")
    assert [(entry["prior"], entry["digit"]) for entry in found["pairs"]] == [(3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4)]
    assert (found["judges"], found["transfer"], found["threshold"]) == (["mnist_cnn", "mnist_cnn2"], ["mnist_mlp2"], 0.99)
    for entry in found["pairs"]:
        run = read_run(home / "m" / entry["folder"])
        images = run["images"]
        assert {image["digit"] for image in images} == {entry["digit"]}
        fools = [
            image["confidence"] >= 0.99
            and image["predicted"] == entry["digit"]
            and all(image["judges"][name]["predicted"] == entry["prior"] for name in found["judges"])
            and all(image["judges"][name]["score"] >= SURE for name in found["judges"])
            for image in images
        ]
        also = [image["judges"]["mnist_mlp2"]["predicted"] == entry["digit"] for image in images]
        assert entry["fooled"] == sum(fools)
        assert entry["transferred"] == sum(a and b for a, b in zip(fools, also, strict=True))
        assert not any(fools) or fools[entry["shown"]]
    fooled = sum(entry["fooled"] for entry in found["pairs"])
    assert (found["images_fooled"]["part"], found["images_fooled"]["of"]) == (fooled, 18)
    assert found["pairs_fooled"]["part"] == sum(entry["fooled"] > 0 for entry in found["pairs"])
    low, high = wilson(fooled, 18)
    assert (found["images_fooled"]["low"], found["images_fooled"]["high"]) == (low, high)


def test_picture_has_a_cell_a_pair(home: Path) -> None:
    found = matrix()
    sheet = np.asarray(Image.open(home / "m" / "matrix.png"))
    entry = found["pairs"][0]  # prior of 3, sure of 4: first row, second column
    image = read_image(home / "m" / entry["folder"] / "images" / f"{entry['shown']:04d}.png")
    tile = np.kron(image[:, :, 0], np.ones((3, 3), np.uint8))
    assert np.array_equal(sheet[6 : 6 + 84, 6 + 90 : 6 + 90 + 84], tile)
    assert (sheet[6 : 6 + 84, 6 : 6 + 84] == 40).all()


def test_a_finished_matrix_is_not_run_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix()
    assert guarded(dispatch, ["matrix", *SMALL, "resume=true"]) == 0
    assert "nothing to resume" in capsys.readouterr().out or Path("m/matrix.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit=3"], "expected two classes or more"),
        (["prior.digit=3"], "the matrix takes every class's prior"),
        (["judges=mnist_mlp2"], "needs at least one that is not a perceptron"),
        (["resume=true", "out=null"], "resume=true needs out=FOLDER here"),
        (["digit=3,12"], "digit=12: expected a class from 0 to 9"),
    ],
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {word.partition("=")[0] for word in words}
    small = [word for word in SMALL if word.partition("=")[0] not in given]
    assert guarded(dispatch, ["matrix", *small, *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("m").exists()


def test_perceptrons_are_for_transfer() -> None:
    network = random_network((8, 8, 1))
    with pytest.raises(UserError, match="at least one that is not a perceptron"):
        split_judges({"a": network})


def test_wilson() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.278), abs=1e-3)
    assert wilson(45, 90) == pytest.approx((0.399, 0.601), abs=1e-3)
