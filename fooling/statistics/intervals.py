"""Proportions and areas under ROC curves with their 95 % confidence intervals, and the spread of a set of images."""

from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

import numpy as np

from fooling.kernels.tables import Bytes, Doubles, Floats, Ints

Z = 1.96  # standard normal deviate of a 95 % interval
Z_EXACT = 1.959963984540054  # the same of intervals of proportions


def wilson_interval(part: int, whole: int) -> tuple[float, float]:
    """95 % interval of the proportion part / whole (Wilson 1927). Raises ValueError unless 0 ≤ part ≤ whole and whole ≥ 1."""
    if not 0 <= part <= whole or whole < 1:
        raise ValueError(f"expected 0 ≤ part ≤ whole and whole ≥ 1, got {part} of {whole}")
    share = part / whole  # as scipy.stats.binomtest, whose import takes half a second
    middle = (share + Z_EXACT**2 / (2 * whole)) / (1 + Z_EXACT**2 / whole)
    half = Z_EXACT / (1 + Z_EXACT**2 / whole) * (share * (1 - share) / whole + Z_EXACT**2 / (4 * whole**2)) ** 0.5
    return 0.0 if part == 0 else middle - half, 1.0 if part == whole else middle + half


def proportion_with_ci(part: int, whole: int) -> dict[str, Any]:
    """A proportion with its Wilson interval, as JSON has it."""
    low, high = wilson_interval(part, whole)
    return {"part": part, "of": whole, "share": part / whole, "low": low, "high": high}


def difference_interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """95 % interval of `other` − `one`, each a value with its interval: (value, low, high).

    Of two independent proportions with Wilson intervals it is method 10 of Newcombe 1998 (Statist. Med. 17, 873); of other
    measures Zou & Donner 2008.
    """
    (p, low, high), (q, other_low, other_high) = one, other
    return q - p - hypot(q - other_low, high - p), q - p + hypot(other_high - q, p - low)


def difference_of_proportions(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """95 % interval of the share of `other` − that of `one`, each as `proportion_with_ci` gives it.

    It is that of independent images: for the same images in both it is too wide, not too narrow.
    """
    p, q = ((float(found["share"]), float(found["low"]), float(found["high"])) for found in (one, other))
    return difference_interval(p, q)


def accuracy(scores: Floats | Doubles, labels: Ints) -> dict[str, Any]:
    """The proportion of scores [N, K] whose largest is that of the label [N], with its Wilson interval."""
    return proportion_with_ci(int((scores.argmax(axis=1) == labels).sum()), len(labels))


def mean_pairwise_distance(images: Bytes) -> float:
    """Mean Euclidean distance between two of the images [N, H, W, C], N ≥ 2, of pixels scaled to [0, 1]."""
    from scipy.spatial.distance import pdist

    return float(pdist(images.reshape(len(images), -1) / 255).mean())


def auroc(evolved: Doubles, real: Doubles) -> float:
    """Area under the ROC curve of scores [N] and [M]: P(evolved > real) + P(equal)/2 over all pairs (Mann & Whitney 1947)."""
    from sklearn.metrics import roc_auc_score

    is_evolved = np.arange(len(evolved) + len(real)) < len(evolved)
    return float(roc_auc_score(is_evolved, np.concatenate([evolved, real])))


def auroc_ci(area: float, evolved: int, real: int) -> tuple[float, float]:
    """95 % interval of an AUROC of so many evolved and real images (Hanley & McNeil 1982, eq. 1)."""
    both_above, both_below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (evolved - 1) * (both_above - area**2) + (real - 1) * (both_below - area**2)
    half = Z * (max(0.0, variance) / (evolved * real)) ** 0.5
    return max(0.0, area - half), min(1.0, area + half)


def auroc_score_interval(area: float, evolved: int, real: int) -> tuple[float, float]:
    """95 % interval of an AUROC that has a width at 0 and 1, too (Newcombe 2006, method 5).

    It holds every area θ with |area − θ| ≤ z·√V(θ), with the variance of Hanley & McNeil (1982) at θ instead of at the area:
    V(θ) = θ(1 − θ) (1 + n ((1 − θ)/(2 − θ) + θ/(1 + θ))) / (evolved · real), n = (evolved + real)/2 − 1.
    """
    from scipy.optimize import brentq

    more = (evolved + real) / 2 - 1

    def beyond(theta: float) -> float:
        variance = theta * (1 - theta) * (1 + more * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (evolved * real)
        return float((area - theta) ** 2 - Z**2 * variance)

    inside = min(max(area, 1e-9), 1 - 1e-9)  # where the variance is not 0
    low, high = (0.0 if area <= 0 else brentq(beyond, 0, inside)), (1.0 if area >= 1 else brentq(beyond, inside, 1))
    return float(low), float(high)
