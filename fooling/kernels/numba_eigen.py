"""The eigen term, compiled by numba: same names and results as in `reference.py`, and its update by difference."""

import numpy as np
import numpy.typing as npt

from fooling.kernels.jit import jit, jit_inline, jit_part
from fooling.kernels.numba_children import Changes
from fooling.kernels.numba_words import U
from fooling.kernels.reference import ENERGY_UNIT, PROJECTION_UNIT, Bytes, Doubles, Floats, Ints

Weights = npt.NDArray[np.int32]
LANES = 16  # weights are padded to a multiple of so many eigen-images


def eigen_term(
    images: Bytes, weights: Weights, centre: Ints, mean: Weights, variance: Doubles, residual: float, hinge: bool
) -> Floats:
    """Mahalanobis distance² from the class's mean ÷ M, plus the energy outside of the M eigen-images ÷ its mean. → [N]."""
    return eigen_distance(eigen_parts(images, weights, centre, mean), variance, residual, hinge)


@jit
def eigen_parts(images: Bytes, weights: Weights, centre: Ints, mean: Weights) -> Ints:
    """Projections and energy: [N, H, W, C] → [N, M + 1]."""
    n, pixels, components = len(images), len(mean), weights.shape[1]
    flat, parts = images.reshape(n, pixels), np.empty((n, components + 1), dtype=np.int64)
    padded, sums = pad_eigen(weights), np.empty(-(-components // LANES) * LANES, dtype=np.int32)
    for q in range(n):
        sums[:] = 0
        energy = np.int64(0)
        for pixel in range(pixels):
            level = np.int32(flat[q, pixel])
            energy += (256 * np.int64(level) - mean[pixel]) ** 2
            if level:
                add_eigen(sums, padded, U(pixel), level)
        for k in range(components):
            parts[q, k] = 256 * np.int64(sums[k]) - centre[k]
        parts[q, components] = energy
    return parts


@jit
def pad_eigen(weights: Weights) -> Weights:
    """Weights [P, M] → [P, a multiple of LANES], the rest 0."""
    padded = np.zeros((len(weights), -(-weights.shape[1] // LANES) * LANES), dtype=np.int32)
    for pixel in range(len(weights)):
        for k in range(weights.shape[1]):
            padded[pixel, k] = weights[pixel, k]
    return padded


@jit_inline
def add_eigen(sums: Weights, weights: Weights, pixel: U, rise: np.int32) -> None:
    """Adds rise·weights; |Σ weights·levels| ≤ 2¹²·255·√P, so 32 bits hold it up to millions of pixels."""
    for step in range(0, len(sums), LANES):
        for i in range(LANES):
            at = U(step + i)
            sums[at] = np.int32(sums[at] + np.int32(rise * weights[pixel, at]))


@jit
def eigen_update(parts: Ints, changes: Changes, padded: Weights, mean: Weights) -> Ints:
    """Projections and energy [Q, M + 1] of the parents → of the children."""
    result, sums = np.empty((len(changes.rows), parts.shape[1]), dtype=np.int64), np.empty(padded.shape[1], dtype=np.int32)
    update_eigen(result, parts, changes, padded, mean, sums)
    return result


@jit_part
def update_eigen(result: Ints, parts: Ints, changes: Changes, padded: Weights, mean: Weights, sums: Weights) -> None:
    """Fills in the children's; `sums` is scratch."""
    components = parts.shape[1] - 1
    for j in range(len(changes.rows)):
        row, energy = changes.rows[j], np.int64(0)
        sums[:] = 0
        for e in range(changes.ends[j], changes.ends[j + 1]):
            pixel = U(changes.pixels[e])
            old, new = np.int64(changes.parents[row, pixel]), np.int64(changes.levels[e])
            energy += (256 * new - mean[pixel]) ** 2 - (256 * old - mean[pixel]) ** 2
            add_eigen(sums, padded, pixel, np.int32(new - old))
        for k in range(components):
            result[j, k] = parts[row, k] + 256 * np.int64(sums[k])
        result[j, components] = parts[row, components] + energy


@jit
def eigen_distance(parts: Ints, variance: Doubles, residual: float, hinge: bool) -> Floats:
    """The eigen term of projections and energy [N, M + 1]."""
    values = np.empty(len(parts), dtype=np.float32)
    eigen_distance_into(values, parts, variance, residual, hinge)
    return values


@jit_part
def eigen_distance_into(values: Floats, parts: Ints, variance: Doubles, residual: float, hinge: bool) -> None:
    """Fills in the term of each."""
    components = len(variance)
    for q in range(len(values)):
        near: float = 0.0
        outside: float = parts[q, components] * ENERGY_UNIT
        for k in range(components):
            p = parts[q, k] * PROJECTION_UNIT
            near, outside = near + p * p / variance[k], outside - p * p
        near, outside = near / max(1, components), max(outside, 0.0) / residual
        if hinge:
            near, outside = max(near - 1, 0.0), max(outside - 1, 0.0)
        values[q] = near + outside
