"""`fooling mean`: means, how like the real one they are, and which statistics they are evolved with."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images, random_network

import fooling
from fooling.commands import dispatch
from fooling.commands.jobs import fit_statistics, is_of
from fooling.commands.mean import correlation, correlation_curve, numbers, quartiles, whole_mean
from fooling.data import ImageSet, load_data
from fooling.errors import guarded
from fooling.plots.sheets import mean
from fooling.records.record import read_image
from fooling.statistics import BUNDLED, Statistics


def test_correlation_by_hand() -> None:
    one = np.array([[1.0, 2], [3, 4]])
    assert correlation(one, 5 * one + 7) == pytest.approx(1)
    assert correlation(one, -one) == pytest.approx(-1)
    assert correlation(one, np.array([[1.0, -1], [-1, 1]])) == pytest.approx(0)
    assert correlation(one, np.full((2, 2), 3.0)) == 0
    other = np.random.default_rng(0).random((2, 2))
    assert correlation(one, other) == pytest.approx(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_numbers() -> None:
    assert numbers(2) == [1, 2]
    assert numbers(7) == [1, 2, 5, 7]
    assert numbers(100) == [1, 2, 5, 10, 20, 50, 100]
    assert numbers(1000)[-2:] == [500, 1000]


def test_sharpening_takes_every_group() -> None:
    random = np.random.default_rng(0)
    real = random.random((6, 6, 1)) * 255
    images = np.clip(real + random.normal(0, 90, (10, 6, 6, 1)), 0, 255).astype(np.uint8)
    found = correlation_curve(images, real)
    assert len(found) == len(numbers(10))
    assert found[0] == pytest.approx(np.mean([correlation(image, real) for image in images]))
    fives = [correlation(images[:5].mean(axis=0), real), correlation(images[5:].mean(axis=0), real)]
    assert found[2] == pytest.approx(np.mean(fives))
    assert found[-1] == pytest.approx(correlation(whole_mean(images), real))
    assert found == sorted(found)
    assert quartiles([[0.0, 1], [1, 1], [2, 1]]) == ([0.5, 1], [1, 1], [1.5, 1])


def test_which_statistics() -> None:
    assert fit_statistics(None) is None
    data = load_data(None, "sklearn")
    fitted = fit_statistics(data)
    assert fitted is not None
    assert fitted.fingerprint == Statistics.fit(data).fingerprint
    assert is_of(fitted, data)
    changed = ImageSet(data.images.copy(), data.labels, data.classes, "made")
    changed.images[0, :4] = 255 - changed.images[0, :4]
    assert not is_of(fitted, changed)
    assert not is_of(Statistics.load(BUNDLED), data)


@needs_mnist
def test_the_bundled_statistics_are_those_of_mnist() -> None:
    assert is_of(Statistics.load(BUNDLED), load_data(DATA))


def test_without_data_the_bundled_means_are_the_real_ones(home: Path) -> None:
    words = ["mean", "runs=4", "digit=3,5", "priors=[none,variogram]", "generations=15", "out=m", "quiet=true"]
    assert guarded(dispatch, words) == 0
    found = json.loads(Path("m/mean.json").read_text())
    assert (found["labels"], found["numbers"], found["real"]) == (["3", "5"], [1, 2, 4], None)
    assert found["real_means"] == "the bundled statistics of MNIST"
    evolved = fooling.evolve(digit=5, runs=4, prior="none", generations=15)
    entry = found["priors"][0]["classes"][1]
    assert (entry["digit"], entry["confidence"]) == (5, pytest.approx(float(np.median(evolved.confidence))))
    real = Statistics.load(BUNDLED).mean[5].reshape(28, 28, 1) / 256
    assert entry["correlation"] == pytest.approx(correlation_curve(evolved.images, real))
    assert np.array_equal(read_image(Path("m/means/none-digit=5.png")), mean(evolved.images))
    assert len(list(Path("m/means").iterdir())) == 4


def test_with_data_real_images_have_a_curve(home: Path, pca_file: Path) -> None:
    words = ["mean", "data.kind=sklearn", "classifier=pca", f"classifier.path={pca_file}", "digit=3,5"]
    assert guarded(dispatch, [*words, "runs=5", "priors=variogram", "generations=60", "out=m", "quiet=true"]) == 0
    found = json.loads(Path("m/mean.json").read_text())
    assert [len(one) for one in found["real"]] == [3 + 0, 3]
    assert all(one[-1] > one[0] for one in found["real"])
    assert found["real"][0][-1] > 0.9
    assert all(one["correlation"][-1] > 0.2 for one in found["priors"][0]["classes"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("runs=1", "runs: expected 2 or more, got 1"),
        ("priors=[]", "priors: expected all, or a list of eigen, exemplar, histogram, none, regional, variogram, got []"),
        ("priors=[all,none]", "priors: expected all, or a list of eigen"),
        ("priors=foo", "got foo"),
        ("generations=0", "generations: expected 1 or more, got 0"),
        ("classifier.path=n.safetensors", "no real means of 4 classes of images (9, 13, 1) are bundled; give data.path=FOLDER"),
    ],
)
def test_refusals(home: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    random_network((9, 13, 1)).save(Path("n.safetensors"))
    assert guarded(dispatch, ["mean", word]) == 2
    assert message in capsys.readouterr().err


def test_random_images_have_no_mean_in_common() -> None:
    images = random_images((8, 8, 1), 60)
    assert abs(correlation_curve(images, whole_mean(random_images((8, 8, 1), 60, seed=3)))[0]) < 0.3
