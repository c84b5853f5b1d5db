"""`fooling eigen`: explained variance, reconstruction, accuracies beside the networks'."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import random_images

import fooling
from fooling.commands import dispatch
from fooling.commands.eigen import explained, rebuild, root_mean_square, stretched
from fooling.data import load_data
from fooling.errors import guarded
from fooling.statistics.pca import fit_components


def run(*words: str) -> dict:
    assert guarded(dispatch, ["eigen", "data.kind=sklearn", "out=e", "quiet=true", *words]) == 0
    return json.loads(Path("e/eigen.json").read_text())


def test_explained_variance_by_hand() -> None:
    images = np.zeros((5, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = [0, 50, 100, 150, 200]  # one direction, all of the variance
    images[:, 1, 1, 0] = [0, 10, 0, 10, 0]  # another, a little, not along the first
    of = fit_components(images, 2)
    a, b = np.var([0, 50, 100, 150, 200]), np.var([0, 10, 0, 10, 0])
    assert explained(of) == pytest.approx([a / (a + b), 1.0], abs=1e-3)  # the residual is never less than a grey level's


def test_all_components_rebuild_an_image_and_none_the_mean() -> None:
    images = random_images((6, 5, 1), 40)
    of = fit_components(images, 30)
    assert root_mean_square(images, rebuild(images, of, 30)) < 1
    nothing = rebuild(images, of, 0)
    assert np.ptp(nothing, axis=0).max() == 0
    assert np.abs(nothing[0].ravel() - images.reshape(len(images), -1).mean(axis=0)).max() <= 0.51
    errors = [root_mean_square(images, rebuild(images, of, k)) for k in (0, 1, 5, 20, 30)]
    assert errors == sorted(errors, reverse=True)


def test_eigen_images_are_stretched_to_their_whole_range() -> None:
    of = fit_components(random_images((6, 5, 1), 40), 3)
    for m in range(3):
        assert (stretched(of, m).min(), stretched(of, m).max()) == (0, 255)


def test_what_it_writes(home: Path, pca_file: Path) -> None:
    found = run("components=6", "steps=1,6,900", "judges=[]", "digit=2,3", "classifier=pca", f"classifier.path={pca_file}")
    assert (found["data"], found["test_images"], found["components"]) == ("scikit-learn's digits", 296, 6)
    assert [step["k"] for step in found["steps"]] == [1, 6]  # 900 there are not
    assert list(found["explained_of_class"]) == ["2", "3"]
    assert found["explained"] == sorted(found["explained"])
    assert found["explained"][-1] == pytest.approx(1, abs=0.02)
    test = load_data(None, "sklearn", "test")
    for entry in found["pca"]:
        network = fooling.load_classifier("pca", f"e/pca_{entry['method']}.safetensors")
        right = int((network(test.images).argmax(axis=1) == test.labels).sum())
        assert (entry["accuracy"]["part"], entry["components"]) == (right, 6)
        assert next(step for step in found["steps"] if step["k"] == 6)[entry["method"]]["part"] == right
        assert "right of 296 test images" in network.made
    (network,) = found["networks"]
    assert (network["name"], network["accuracy"]["of"]) == ("pca", 296)


def test_networks_of_other_images_are_left_out_and_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["eigen", "data.kind=sklearn", "steps=2", "components=2", "judges=mnist_cnn", "out=e"]) == 0
    said = capsys.readouterr().out
    assert said.count("is left out: the classifier takes images (28, 28, 1), the data's are (8, 8, 1)") == 2
    assert json.loads(Path("e/eigen.json").read_text())["networks"] == []


def test_classes_of_fewer_images_than_components(home: Path) -> None:
    images = random_images((8, 8, 1), 56)
    np.savez("few.npz", images=images, labels=np.arange(len(images)) % 10)
    assert (
        guarded(dispatch, ["eigen", "data.path=few.npz", "data.kind=npz", "steps=2,20", "out=e", "quiet=true", "judges=[]"])
        == 0
    )
    small, large = json.loads(Path("e/eigen.json").read_text())["steps"]
    assert small["residual"]
    assert large["residual"] is None
    assert large["means"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("steps=[]", "steps: expected at least one entry, got []"),
        ("components=0", "components: expected 1 or more, got 0"),
        ("shown=21", "shown: expected 20 or less, got 21"),
        ("digit=x", "digit=x: expected an index from 0 to 9"),
        ("judges=vgg", "judges: expected one of mnist_mlp"),
    ],
)
def test_refusals(home: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["eigen", "data.kind=sklearn", word]) == 2
    assert message in capsys.readouterr().err
