"""search=feedback: the rule by hand, what it leaves, which classifiers it takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_dense
from objectives import combined
from PIL import Image

import fooling
from fooling.commands import dispatch
from fooling.data.npz import read_arrays
from fooling.errors import UserError, guarded
from fooling.records.record import read_run
from fooling.run import prepare
from fooling.search.job import make_search
from fooling.search.weight_feedback import directions, weight_correlation
from fooling.settings import load
from fooling.settings.schema import RunSettings

SHAPE = (8, 8, 1)
LAYER = random_dense(SHAPE, ())


def engine_of(*words: str, classifier: Any = LAYER) -> Any:
    (job,) = prepare(load(combined({"search": "feedback", "digit": "1"}, words), RunSettings, "run"), classifier)
    return make_search(job)


def test_directions_by_hand() -> None:
    weights = np.array([[1.0, 0.0, 0.0, 2.0], [0.0, 3.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    found = directions(weights, 0.5)
    by_hand = weights[0] - 0.5 * (weights[1] + weights[2])
    assert found[0] == pytest.approx(by_hand / np.sqrt((by_hand**2).mean()), rel=1e-6)
    assert (found**2).mean(axis=1) == pytest.approx(1)
    assert directions(np.zeros((2, 4)), 0.1).tolist() == np.zeros((2, 4)).tolist()


def test_a_step_adds_the_winners_weights() -> None:
    engine = engine_of("rate=3", "decay=0.1", "ground=100", "losers=0.2")
    state = engine.init(np.arange(2, dtype=np.uint32))
    start = state.aux["pixels"]
    assert start.mean() == pytest.approx(128, abs=1)  # normal(128, 1), as the source has it
    assert start.std() == pytest.approx(1, rel=0.3)
    own = LAYER.weights1.T.astype(float)
    direction = own[1] - 0.2 * (own.sum(axis=0) - own[1])
    moved = start + 3 * (direction / np.sqrt((direction**2).mean())).reshape(SHAPE)
    expected = np.clip(moved + 0.1 * (100 - moved), 0, 255)
    assert engine.step(state).aux["pixels"] == pytest.approx(expected, abs=1e-3)


def test_with_any_the_winner_is_the_largest_output() -> None:
    engine = engine_of("digit=any")
    state = engine.init(np.arange(5, dtype=np.uint32))
    winners = state.scores[:, 0].argmax(axis=1)
    after = engine.step(state).aux["pixels"] - state.aux["pixels"]
    for winner, change in zip(winners, after, strict=True):
        assert np.corrcoef(change.reshape(-1), LAYER.weights1[:, winner])[0, 1] > 0.9


def test_correlation_by_hand() -> None:
    weights = LAYER.weights1.T.astype(float)
    images = np.clip(128 + weights[[2, 0]] * 100 / np.abs(weights).max(), 0, 255).reshape(2, *SHAPE)
    images = np.rint(images).astype(np.uint8)
    found = weight_correlation(images, np.array([2, 2]), LAYER)
    assert found[0] > 0.999
    assert found[1] == pytest.approx(np.corrcoef(images[1].reshape(-1), weights[2])[0, 1])
    assert weight_correlation(np.full((1, *SHAPE), 7, np.uint8), np.array([0]), LAYER).tolist() == [0.0]


def test_the_bundled_perceptron_just_works(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["run", "digit=4", "search=feedback", "out=r"]) == 0
    run = read_run(Path("r"))
    assert (run["classifier"], run["stop"], run["converged"]) == ("digits_perceptron", "settled", 20)
    assert run["generations"] < 1000  # it settled
    assert run["weight_correlation"] > 0.95
    assert all(entry["weight_correlation"] > 0.95 for entry in run["images"])
    assert "correlation of the image with the weights of its class: 0.9" in capsys.readouterr().out
    found = read_arrays(Path("r/feedback.npz"))
    assert found["weights"].shape == (10, 8, 8, 1)
    assert len(found["frames"]) == len(found["scores"]) == len(found["generations"])
    assert found["scores"][-1].argmax() == 4
    with Image.open("r/feedback.png") as picture, Image.open("r/feedback.webp") as film:
        assert picture.width > 800
        assert film.n_frames > 10
    raw = fooling.evolve("search=feedback", digit=4, decay=0)
    assert raw.own["weight_correlation"].mean() < run["weight_correlation"]  # black and white, not the weights' greys


def test_the_bundled_perceptron_is_right() -> None:
    from fooling.classifiers.training import confusion_matrix
    from fooling.data import load_data

    counts = confusion_matrix(fooling.load_classifier("digits_perceptron"), load_data(None, "sklearn", "test"))
    assert np.trace(counts) / counts.sum() > 0.97


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_networks_of_several_layers_are_refused(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert guarded(dispatch, ["run", "search=feedback", f"classifier={name}", "out=r"]) == 2
    assert "it takes classifier=digits_perceptron, perceptron or softmax" in capsys.readouterr().err
    assert not Path("r").exists()


def test_hidden_layers_and_controls_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(DenseNetwork\) is none"):
        engine_of(classifier=random_dense(SHAPE, (5,)))
    with pytest.raises(UserError, match="control: expected control=false, got true"):
        load(["search=feedback", "control=true"], RunSettings, "run")
    with pytest.raises(UserError, match=r"search\.blur_sd: expected search=ascent or dream, got search=feedback"):
        load(["search=feedback", "blur_sd=1"], RunSettings, "run")
