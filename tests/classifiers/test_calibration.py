"""Calibration: bins and error by hand and by the definition of Guo et al.'s code, intervals, temperatures that are known."""

import json
from itertools import pairwise

import numpy as np
import pytest
from builders import DATA, needs_mnist
from scipy.special import log_softmax, softmax

from fooling.classifiers import load_classifier
from fooling.classifiers.base import predict, predict_logits
from fooling.classifiers.calibration import (
    BINS,
    calibration,
    calibration_bins,
    calibration_error,
    expected_calibration_error,
    fit_temperature,
    halves,
)
from fooling.data import load_data


def sample(number: int, sharpness: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, 10] and labels that are drawn from softmax(logits / sharpness)."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(number, 10)) * 3
    steps = softmax(logits, axis=1).cumsum(axis=1)
    labels = (random.random(number)[:, None] > steps).sum(axis=1).clip(0, 9)
    return logits * sharpness, labels


def two(largest: list[float]) -> np.ndarray:
    """Scores of two classes, the first the largest."""
    return np.array([[p, 1 - p] for p in largest])


def loop_error(scores: np.ndarray, labels: np.ndarray) -> float:
    """As temperature_scaling.py of Guo et al. computes it: a loop over (lower, upper]."""
    confidence, right, error = scores.max(axis=1), scores.argmax(axis=1) == labels, 0.0
    edges = np.linspace(0, 1, BINS + 1).astype(scores.dtype)
    for lower, upper in pairwise(edges):
        inside = (confidence > lower) & (confidence <= upper)
        if inside.any():
            error += abs(confidence[inside].mean(dtype=float) - right[inside].mean()) * inside.mean()
    return float(error)


def test_the_error_by_hand() -> None:
    scores, labels = two([0.9, 0.9, 0.6, 0.6, 0.6]), np.array([0, 1, 0, 0, 0])
    # .9 lies in (.867, .933], right in 1 of 2; .6 in (.533, .6], right in all of 3
    assert expected_calibration_error(scores, labels) == pytest.approx(2 / 5 * 0.4 + 3 / 5 * 0.4)
    rows = {row.high: row for row in calibration_bins(scores, labels) if row.images}
    assert [row.images for row in rows.values()] == [3, 2]
    assert [row.accuracy for row in rows.values()] == [1, 0.5]
    assert [row.confidence for row in rows.values()] == pytest.approx([0.6, 0.9])
    assert [row.low for row in rows.values()] == pytest.approx([8 / 15, 13 / 15])


def test_every_image_is_in_one_bin_whose_upper_edge_belongs_to_it() -> None:
    edges = np.linspace(0, 1, BINS + 1).astype(np.float32)
    scores = np.stack([edges, np.zeros_like(edges)], axis=1)
    rows = calibration_bins(scores, np.zeros(len(edges), int))
    assert [row.images for row in rows] == [2, *[1] * (BINS - 1)]  # 0 is in the first
    assert len(rows) == BINS
    assert calibration_bins(two([0.99]), np.array([0]))[0].accuracy is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sharpness", [1.0, 2.5])
def test_the_error_is_that_of_the_loop(sharpness: float, dtype: type) -> None:
    logits, labels = sample(700, sharpness)
    scores = softmax(logits, axis=1).astype(dtype)
    assert expected_calibration_error(scores, labels) == pytest.approx(loop_error(scores, labels), abs=1e-9)


def test_the_interval_of_a_calibrated_classifier_holds_0_and_of_another_does_not() -> None:
    logits, labels = sample(1000)
    calibrated = calibration_error(softmax(logits, axis=1), labels)
    assert calibrated.low == 0 < calibrated.value < calibrated.chance
    sure = calibration_error(softmax(logits * 3, axis=1), labels)
    assert 0.15 < sure.low < sure.value < sure.high < 0.3
    assert sure == calibration_error(softmax(logits * 3, axis=1), labels)
    assert sure != calibration_error(softmax(logits * 3, axis=1), labels, seed=1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_was_done(sharpness: float) -> None:
    logits, labels = sample(4000, sharpness)
    scores = softmax(logits, axis=1).astype(np.float32)
    by_logits, by_scores = calibration(scores, labels, logits), calibration(scores, labels)
    assert by_logits.temperature == pytest.approx(sharpness, rel=0.05)
    assert by_scores.temperature == pytest.approx(by_logits.temperature, rel=1e-3)
    assert by_logits.ece_scaled is not None
    assert by_logits.ece_scaled < 0.03
    assert sharpness == 1 or by_logits.ece_scaled < (by_logits.ece_unscaled or 0) / 2
    assert by_logits.notes == ()
    assert set(json.loads(json.dumps(by_logits.to_dict()))["ece"]) == {"value", "low", "high", "chance", "images"}


def test_the_temperature_has_the_least_loss() -> None:
    logits, labels = sample(500, 2.0)
    best, _ = fit_temperature(logits, labels)
    assert best is not None
    losses = [-log_softmax(logits / t, axis=1)[np.arange(500), labels].mean() for t in (best * 0.99, best, best * 1.01)]
    assert losses[1] == min(losses)


def test_logits_that_are_not_those_of_the_scores_are_not_used() -> None:
    logits, labels = sample(2000, 3.0)
    scores = softmax(logits, axis=1).astype(np.float32)
    assert calibration(scores, labels, logits / 3).temperature == calibration(scores, labels).temperature


def test_halves_are_of_each_class_alike() -> None:
    labels = np.repeat([0, 1, 2], [10, 7, 3])
    one, other = halves(labels)
    assert sorted([*one, *other]) == list(range(20))
    difference = np.bincount(labels[one], minlength=3) - np.bincount(labels[other], minlength=3)
    assert abs(difference).max() <= 1
    assert one.tolist() != halves(labels, seed=1)[0].tolist()


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (two([0.9] * 50 + [0.8] * 49), "99"),
        (np.eye(2)[np.arange(200) % 2], "0 and 1"),
        (two([0.7] * 200), "same"),
    ],
)
def test_what_would_mislead_is_left_out(scores: np.ndarray, reason: str) -> None:
    found = calibration(scores.astype(np.float32), np.zeros(len(scores), int))
    assert (found.ece, found.bins, found.temperature) == (None, (), None)
    assert reason in found.notes[0]


def test_scores_that_do_not_sum_to_1_have_an_error_but_no_temperature() -> None:
    logits, labels = sample(300)
    found = calibration((1 / (1 + np.exp(-logits))).astype(np.float32), labels, logits)
    assert found.ece is not None
    assert found.temperature is None
    assert all("sum to 1" in note for note in found.notes)


def test_images_that_are_all_read_correctly_have_no_temperature() -> None:
    logits, _ = sample(200)
    found = calibration(softmax(logits, axis=1).astype(np.float32), logits.argmax(axis=1))
    assert found.temperature is None
    assert "100" in found.notes[0]


@pytest.mark.parametrize("labels", [[0, 1, 5], [0, -1, 1], [0, 1]])
def test_labels_that_are_no_classes_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        calibration(two([0.5, 0.6, 0.7]), np.array(labels))


@needs_mnist
def test_a_bundled_network_on_mnist() -> None:
    data, network = load_data(DATA, split="test"), load_classifier("mnist_cnn")
    images, labels = data.images[:2000], data.labels[:2000]
    found = calibration(predict(network, images), labels, predict_logits(network, images))
    assert found.ece is not None
    assert found.ece.value < 0.01
    assert found.temperature == pytest.approx(1, abs=0.5)
