"""Detectors of evolved images: values and rates by hand, intervals, and what is left out."""

import json

import numpy as np
import pytest
from models import Toy
from scipy.special import logsumexp, softmax

from fooling.classifiers.base import predict_logits
from fooling.classifiers.detection import energy, features
from fooling.classifiers.detectors import compare, detector_rows, entropy, largest
from fooling.classifiers.features import Evidence, evidence
from fooling.errors import UserError
from fooling.settings.detectors import AUDITED
from fooling.statistics.intervals import auroc_ci, auroc_score_interval, wilson_interval

SHAPE = (8, 8, 1)


def seen(number: int, sharpness: float, seed: int, noise: bool = False) -> Evidence:
    """Images, either noise or smooth, and logits of three classes."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (number, *SHAPE), dtype=np.uint8)
    if not noise:
        images = np.sort(images, axis=1)
    logits = random.normal(size=(number, 3)) * sharpness
    return Evidence(images, softmax(logits, axis=1).astype(np.float32), logits)


def test_values_by_hand() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    scores = softmax(logits, axis=1).astype(np.float32)
    assert largest(logits).tolist() == [-3, 0]
    assert largest(scores) == pytest.approx([-0.66524, -1 / 3], abs=1e-5)
    assert entropy(scores) == pytest.approx([0.83240, np.log(3)], abs=1e-5)
    assert entropy(np.array([[1, 0]], np.float32)).tolist() == [0]
    assert energy(logits) == pytest.approx(-logsumexp(logits, axis=1))
    assert energy(logits)[0] == pytest.approx(-3.40761, abs=1e-5)


def test_each_detector_has_a_row_with_the_keys_of_a_record() -> None:
    rows, left_out = detector_rows(seen(60, 0.5, 0, noise=True), seen(80, 5, 1), "variogram")
    assert [row["name"] for row in rows] == list(AUDITED)
    assert left_out == []
    for row in rows:
        assert set(row) == {*("name", "against", "auroc", "low", "high", "fpr95", "fpr95_low", "fpr95_high", "evolved", "real")}
        assert (row["evolved"], row["real"], row["against"]) == (60, 80, "variogram")
        assert 0.5 < row["low"] <= row["auroc"] <= row["high"] <= 1
    assert next(row for row in rows if row["name"] == "simple_statistics")["auroc"] == 1
    assert json.loads(json.dumps(rows)) == rows


def test_the_rate_is_the_share_of_evolved_images_accepted_with_95_per_cent_of_the_real_ones() -> None:
    def of(confidences: np.ndarray) -> Evidence:
        scores = np.stack([confidences, 1 - confidences], axis=1).astype(np.float32)
        return Evidence(np.zeros((len(scores), *SHAPE), np.uint8), scores)

    real = of(np.linspace(0.6, 0.99, 20))  # 95 %: all but the lowest, so that .6205 and more are accepted
    evolved = of(np.array([0.55] * 6 + [0.61] * 2 + [0.63] * 2))
    row, _ = compare("largest_score", evolved, real, "none")
    assert row is not None
    assert row["fpr95"] == 0.2
    assert (row["fpr95_low"], row["fpr95_high"]) == wilson_interval(2, 10)
    assert row["auroc"] == pytest.approx((6 * 20 + 2 * 19 + 2 * 18) / 200)
    surer, _ = compare("largest_score", of(np.full(10, 0.999)), real, "none")
    assert surer is not None
    assert (surer["auroc"], surer["fpr95"]) == (0, 1)  # fooled: evolved images look more real
    few, _ = compare("largest_score", evolved, of(np.linspace(0.6, 0.99, 19)), "none")
    assert few is not None
    assert few["fpr95"] is few["fpr95_low"] is few["fpr95_high"] is None


def reasons(evolved: Evidence, real: Evidence) -> dict[str, str]:
    return {
        one["part"].removeprefix("detectors: ").removesuffix(" against prior=none"): one["why"]
        for one in detector_rows(evolved, real)[1]
    }


def test_what_would_mislead_is_left_out() -> None:
    one, other = seen(30, 1, 0), seen(30, 1, 1)
    without = reasons(one._replace(logits=None), other._replace(logits=None))
    assert set(without) == {"energy", "largest_logit"}
    sigmoids = reasons(one._replace(scores=one.scores / 2), other._replace(scores=other.scores / 2))
    assert set(sigmoids) == {"entropy"}
    assert "sum to 1" in sigmoids["entropy"]
    few = reasons(seen(9, 1, 0), other)
    assert set(few) == set(AUDITED)
    assert "9 evolved" in few["energy"]
    constant = np.full((30, 3), 1 / 3, np.float32)
    same = reasons(one._replace(scores=constant), other._replace(scores=constant))
    assert {"largest_score", "entropy"} == set(same)
    assert "same" in same["largest_score"]


def test_evidence_of_a_classifier() -> None:
    images = seen(5, 1, 0).images
    assert evidence(Toy(), images).logits is None
    assert evidence(Toy(logits=lambda x: np.ones((len(x), 2), np.float32)), images).logits.dtype == np.float64
    for broken in (np.ones((5, 3)), np.full((5, 2), np.nan)):
        with pytest.raises(UserError, match="finite logits"):
            predict_logits(Toy(logits=lambda x, broken=broken: broken), images)


def test_features_without_a_class_lack_its_components() -> None:
    images = seen(4, 1, 0).images
    names = {name for group in features(images, None).values() for name in group}
    assert "pca_residual" not in names
    assert {"mean_grey", "variogram_x_1", "components"} <= names


@pytest.mark.parametrize(("area", "evolved", "real"), [(0.6, 300, 500), (0.893, 1000, 1000), (0.5, 200, 200)])
def test_intervals_of_many_images_agree(area: float, evolved: int, real: int) -> None:
    assert auroc_score_interval(area, evolved, real) == pytest.approx(auroc_ci(area, evolved, real), abs=0.005)


def test_intervals_have_a_width_at_both_ends() -> None:
    low, high = auroc_score_interval(1.0, 20, 20)
    assert (low, high) == (pytest.approx(0.8987, abs=1e-3), 1)
    assert auroc_score_interval(0.0, 20, 20) == (0, pytest.approx(1 - low))
    assert auroc_score_interval(1.0, 200, 2000)[0] > low
    both = [auroc_score_interval(area, 30, 70) for area in (0.2, 0.8)]
    assert both[0] == pytest.approx([1 - end for end in both[1][::-1]])  # which side is which does not matter


def test_intervals_hold_the_area_as_often_as_they_say() -> None:
    from scipy.stats import norm

    random, held = np.random.default_rng(0), 0
    area = norm.cdf(2 / 2**0.5)
    for _ in range(300):
        x, y = random.normal(2, 1, 30), random.normal(0, 1, 50)
        low, high = auroc_score_interval(float((x[:, None] > y).mean()), 30, 50)
        held += low <= area <= high
    assert 0.92 < held / 300 < 0.99
