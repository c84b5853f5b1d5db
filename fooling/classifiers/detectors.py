"""Out-of-distribution detectors: do known ones tell evolved images from real ones?

Positives are the real images, as in the literature (Hendrycks & Gimpel 2017; Liu et al. 2020): `fpr95` is the share of the
evolved images that are accepted at the threshold that accepts 95 % of the real ones. 0 is best, and .95 is what a detector
that knows nothing has. (`detection`, of `fooling plausibility`, has it the other way round: the share of the real images that
are flagged where 95 % of the evolved ones are.) The AUROC does not depend on which are the positives: it is the share of pairs
in which the evolved image looks less real, ties half.

Detectors by scores depend on where the search stopped: images that were evolved until the target's score is .9999, and no
further, have scores of about .9999.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import entr

from fooling.classifiers.base import Classifier, common_sum, predict, predict_logits
from fooling.classifiers.detection import (
    FOLDS,
    MIN_IMAGES,
    TRUE_POSITIVE_RATE,
    cross_validated_scores,
    energy,
    false_positives,
    features,
)
from fooling.kernels.tables import Bytes, Doubles, Floats
from fooling.statistics.intervals import auroc, auroc_score_interval, proportion_with_ci

FEWEST_AT_95 = 100 // (100 - TRUE_POSITIVE_RATE)  # real images; the threshold that accepts 95 % of fewer accepts all of them
Needs = Literal["scores", "shares", "logits", "pixels"]  # shares: scores that sum to 1


class Evidence(NamedTuple):
    """What detectors see of N images."""

    images: Bytes  # [N, H, W, C]
    scores: Floats  # [N, K]
    logits: Doubles | None = None  # [N, K], of a classifier that has them


@dataclass(frozen=True)
class Detector:
    """A number for each image that is higher the less it looks like a real one."""

    title: str
    source: str
    needs: Needs
    value: Callable[[Any, Any], tuple[Doubles, Doubles]]  # what it needs of the evolved, of the real images → [N], [M]


def evidence(classifier: Classifier, images: Bytes) -> Evidence:
    """What detectors see of images uint8 [N, H, W, C]. The scores and the logits take N evaluations each."""
    return Evidence(images, predict(classifier, images), predict_logits(classifier, images))


def detector_rows(
    evolved: Evidence, real: Evidence, against: str = "none"
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A row for each detector that applies, and for the others the part and why it is left out.

    `against` names what the evolved images resembled: a rung of the ladder of priors, or none. Images of one run resemble each
    other, and intervals are as for independent images.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    for name in DETECTORS:
        row, why = compare(name, evolved, real, against)
        if row is None:
            left_out.append({"part": f"detectors: {name} against prior={against}", "why": why})
        else:
            rows.append(row)
    return rows, left_out


def compare(name: str, evolved: Evidence, real: Evidence, against: str) -> tuple[dict[str, Any] | None, str]:
    """The row of a detector; or None, and why."""
    detector, sizes = DETECTORS[name], (len(evolved.images), len(real.images))
    if min(sizes) < MIN_IMAGES:
        return None, f"expected at least {MIN_IMAGES} images on either side, got {sizes[0]} evolved and {sizes[1]} real ones"
    if detector.needs == "logits" and (evolved.logits is None or real.logits is None):
        return None, "the classifier has no logits"
    if detector.needs == "shares" and not (common_sum(evolved.scores) == common_sum(real.scores) == 1):
        return None, "the scores do not sum to 1"
    x, y = detector.value(*(seen(detector.needs, one) for one in (evolved, real)))
    if np.ptp(np.concatenate([x, y])) == 0:
        return None, "its value is the same for all images"
    area = auroc(x, y)
    low, high = auroc_score_interval(area, *sizes)
    accepted = proportion_with_ci(false_positives(-y, -x), sizes[0]) if sizes[1] >= FEWEST_AT_95 else None
    at_95 = {f"fpr95{end}": accepted and accepted[key] for end, key in (("", "share"), ("_low", "low"), ("_high", "high"))}
    row = {"name": name, "against": against, "auroc": area, "low": low, "high": high, **at_95}
    return {**row, "evolved": sizes[0], "real": sizes[1]}, ""


def seen(needs: Needs, one: Evidence) -> Any:
    """What a detector needs of some images."""
    return {"scores": one.scores, "shares": one.scores, "logits": one.logits, "pixels": one.images}[needs]


# --- values: high for what looks unlike real images ---------------------------------------------------------------------
def largest(numbers: Floats | Doubles) -> Doubles:
    """−max of scores or logits [N, K]."""
    return np.asarray(-numbers.max(axis=1).astype(np.float64))


def entropy(scores: Floats) -> Doubles:
    """−Σ p log p of scores [N, K] that sum to 1."""
    return np.asarray(entr(scores.astype(np.float64)).sum(axis=1))


def simple_statistics(evolved: Bytes, real: Bytes) -> tuple[Doubles, Doubles]:
    """Decision values of a logistic regression on simple features of the pixels, each of an image left out of the fit.

    Grey levels, variogram, diagonals, connected components and directions of edges, as of `detection`, without the components
    of a single class. It has seen evolved images, unlike the other detectors: what it tells apart is there to be seen.
    """
    tables = [features(images, None).values() for images in (evolved, real)]
    x, y = (np.stack([values for group in table for values in group.values()], axis=1) for table in tables)
    return cross_validated_scores(x, y)


def each(function: Callable[[Any], Doubles]) -> Callable[[Any, Any], tuple[Doubles, Doubles]]:
    """A number that an image has by itself, of the evolved and of the real images."""
    return lambda evolved, real: (function(evolved), function(real))


# The keys are names of rows and of figures: auroc_NAME, fpr95_NAME.
DETECTORS: dict[str, Detector] = {
    "largest_score": Detector("maximum softmax", "Hendrycks & Gimpel 2017", "scores", each(largest)),
    "entropy": Detector("entropy of the scores", "Hendrycks & Gimpel 2017", "shares", each(entropy)),
    "energy": Detector("energy", "Liu et al. 2020", "logits", each(energy)),
    "largest_logit": Detector("maximum logit", "Hendrycks et al. 2022", "logits", each(largest)),
    "simple_statistics": Detector(
        "simple statistics", f"logistic regression, {FOLDS}-fold cross-validation", "pixels", simple_statistics
    ),
}
