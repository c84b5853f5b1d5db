"""The principal-component (eigen) term, compiled by numba, equal to the reference, and its delta evaluation."""

import numpy as np

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.delta_images import Changes
from fooling.kernels.numba.philox import U
from fooling.kernels.reference.penalties import ENERGY_UNIT, PROJECTION_UNIT, Weights
from fooling.kernels.tables import EIGEN_LANES as LANES
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints


def eigen_term(
    images: Bytes,
    target_index: Ints,
    weights: Weights,
    centre: Ints,
    mean: Weights,
    variance: Doubles,
    residual: float,
    margin: float,
) -> Floats:
    """Mahalanobis distance² from the class mean ÷ M plus relative energy outside the M components. → [N]; see the reference."""
    del target_index
    return eigen_distance(eigen_parts(images, weights, centre, mean), variance, residual, margin)


@jit
def eigen_parts(images: Bytes, weights: Weights, centre: Ints, mean: Weights) -> Ints:
    """Projections and energy: [N, H, W, C] → [N, M + 1]; weights are padded to a multiple of LANES components."""
    n, pixels, components = len(images), len(mean), len(centre)
    flat, parts = images.reshape(n, pixels), np.empty((n, components + 1), dtype=np.int64)
    sums = np.empty(weights.shape[1], dtype=np.int32)
    for q in range(n):
        sums[:] = 0
        energy = np.int64(0)
        for pixel in range(pixels):
            level = np.int32(flat[q, pixel])
            energy += (256 * np.int64(level) - mean[pixel]) ** 2
            if level:
                add_eigen(sums, weights, U(pixel), level)
        for k in range(components):
            parts[q, k] = 256 * np.int64(sums[k]) - centre[k]
        parts[q, components] = energy
    return parts


@jit_inline
def add_eigen(sums: Weights, weights: Weights, pixel: U, increase: np.int32) -> None:
    """Adds rise·weights; |Σ weights·levels| ≤ 2¹²·255·√P, so 32 bits hold it up to millions of pixels."""
    for step in range(0, len(sums), LANES):
        for i in range(LANES):
            at = U(step + i)
            sums[at] = np.int32(sums[at] + np.int32(increase * weights[pixel, at]))


@jit
def eigen_update(parts: Ints, changes: Changes, weights: Weights, mean: Weights) -> Ints:
    """Projections and energy [Q, M + 1] of the parents → of the children."""
    result, sums = np.empty((len(changes.rows), parts.shape[1]), dtype=np.int64), np.empty(weights.shape[1], dtype=np.int32)
    update_eigen(result, parts, changes, weights, mean, sums)
    return result


@jit_part
def update_eigen(result: Ints, parts: Ints, changes: Changes, weights: Weights, mean: Weights, sums: Weights) -> None:
    """Fills in the children's; `sums` is workspace."""
    components = parts.shape[1] - 1
    for j in range(len(changes.rows)):
        row, energy = changes.rows[j], np.int64(0)
        sums[:] = 0
        for e in range(changes.ends[j], changes.ends[j + 1]):
            pixel = U(changes.pixels[e])
            old, new = np.int64(changes.parents[row, pixel]), np.int64(changes.levels[e])
            energy += (256 * new - mean[pixel]) ** 2 - (256 * old - mean[pixel]) ** 2
            add_eigen(sums, weights, pixel, np.int32(new - old))
        for k in range(components):
            result[j, k] = parts[row, k] + 256 * np.int64(sums[k])
        result[j, components] = parts[row, components] + energy


@jit
def eigen_distance(parts: Ints, variance: Doubles, residual: float, margin: float) -> Floats:
    """The eigen term of projections and energy [N, M + 1]."""
    values = np.empty(len(parts), dtype=np.float32)
    eigen_distance_into(values, parts, variance, residual, margin)
    return values


@jit_part
def eigen_distance_into(values: Floats, parts: Ints, variance: Doubles, residual: float, margin: float) -> None:
    """Fills in the term of each."""
    components = len(variance)
    for q in range(len(values)):
        near: float = 0.0
        outside: float = parts[q, components] * ENERGY_UNIT
        for k in range(components):
            p = parts[q, k] * PROJECTION_UNIT
            near, outside = near + p * p / variance[k], outside - p * p
        near, outside = near / max(1, components), max(outside, 0.0) / residual
        values[q] = max(near - margin, 0.0) + max(outside - margin, 0.0)
