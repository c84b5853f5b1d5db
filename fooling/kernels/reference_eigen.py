"""The eigen term: the definition, in NumPy."""

import numpy as np
import numpy.typing as npt

from fooling.kernels.arrays import Bytes, Doubles, Floats, Ints

Weights = npt.NDArray[np.int32]
PROJECTION_UNIT, ENERGY_UNIT = 1 / (256 * 4096 * 255), 1 / (256 * 255) ** 2  # of the parts, pixels scaled to [0, 1]


def eigen_parts(images: Bytes, weights: Weights, centre: Ints, mean: Weights) -> Ints:
    """Projections on the eigen-images and energy about the mean: [N, H, W, C] → [N, M + 1], integers.

    `weights` [P, ≥ M] in units of 2⁻¹², `mean` [P] in units of 1/256 grey level, `centre` [M] = meanᵀ·weights.
    """
    grey = images.reshape(len(images), -1).astype(np.int64)
    sums = grey.astype(np.float64) @ weights[:, : len(centre)].astype(np.float64)  # whole numbers below 2⁵³: exact in any order
    energy = ((256 * grey - mean) ** 2).sum(axis=1)
    return np.concatenate([256 * sums.astype(np.int64) - centre, energy[:, None]], axis=1)


def eigen_term(
    images: Bytes,
    which: Ints,
    weights: Weights,
    centre: Ints,
    mean: Weights,
    variance: Doubles,
    residual: float,
    free: float,
) -> Floats:
    """Eigen term: (1/M)·Σ p²/variance, plus the energy outside of the M eigen-images ÷ its mean `residual`. → [N].

    The first is the squared Mahalanobis distance from the class's mean, ÷ M; both are about 1 for the class's images, and of
    both only what is above `free` counts. There is one target for all images.
    """
    del which
    near, outside = eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual)
    return np.asarray(np.maximum(near - free, 0) + np.maximum(outside - free, 0), dtype=np.float32)


def eigen_distances(parts: Ints, variance: Doubles, residual: float) -> tuple[Doubles, Doubles]:
    """Both parts of the term, of projections and energy [N, M + 1]; one after the other, pixels scaled to [0, 1]."""
    near, outside = np.zeros(len(parts)), parts[:, -1] * ENERGY_UNIT
    for k in range(len(variance)):
        square = (parts[:, k] * PROJECTION_UNIT) ** 2
        near, outside = near + square / variance[k], outside - square
    return near / max(1, len(variance)), np.maximum(outside, 0) / residual
