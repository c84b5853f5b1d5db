"""Shares and areas under curves with their confidence intervals."""

from typing import Any

import numpy as np

from fooling.kernels.tables import Bytes, Doubles


def wilson_interval(part: int, whole: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not 0 <= part <= whole or whole < 1:
        raise ValueError(f"a share is expected of at least one, got {part} of {whole}")
    z, p = 1.96, part / whole
    middle, half = p + z * z / (2 * whole), z * ((p * (1 - p) + z * z / (4 * whole)) / whole) ** 0.5
    return max(0.0, (middle - half) / (1 + z * z / whole)), min(1.0, (middle + half) / (1 + z * z / whole))


def proportion_with_ci(part: int, whole: int) -> dict[str, Any]:
    """A share with its interval."""
    low, high = wilson_interval(part, whole)
    return {"part": part, "of": whole, "share": part / whole, "low": low, "high": high}


def mean_pairwise_distance(images: Bytes) -> float:
    """Mean distance between two of the images [N, H, W, C], N ≥ 2: root of the summed squares, pixels scaled to [0, 1]."""
    flat = images.reshape(len(images), -1) / 255
    squares = (flat**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0))
    return float(distances.sum() / (len(flat) * (len(flat) - 1)))


def auroc(evolved: Doubles, real: Doubles) -> float:
    """P(evolved > real) + P(equal)/2 over all pairs: the area under the ROC curve, U/(N·M) (Mann & Whitney 1947)."""
    ordered = np.sort(real)
    below, upto = np.searchsorted(ordered, evolved, "left"), np.searchsorted(ordered, evolved, "right")
    return float((below + upto).sum() / (2 * len(evolved) * len(real)))


def auroc_ci(area: float, evolved: int, real: int) -> tuple[float, float]:
    """95 % interval of an AUROC of so many images (Hanley & McNeil 1982, eq. 1)."""
    both_above, both_below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (evolved - 1) * (both_above - area**2) + (real - 1) * (both_below - area**2)
    half = 1.96 * (max(0.0, variance) / (evolved * real)) ** 0.5
    return max(0.0, area - half), min(1.0, area + half)
