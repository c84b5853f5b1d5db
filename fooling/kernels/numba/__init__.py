"""Kernels compiled by numba for the CPU, with the names of the reference, and delta (incremental) evaluation."""

from collections.abc import Callable

from fooling.kernels.numba.delta_penalties import Statistic, histogram_update
from fooling.kernels.numba.delta_variogram import variogram_update, variogram_update_lag1
from fooling.kernels.numba.linear_penalties import (
    eigen_distance,
    eigen_parts,
    eigen_term,
    eigen_update,
    reach_of,
    regional_distance,
    regional_parts,
    regional_term,
    regional_update,
)
from fooling.kernels.numba.network import dense_scores, network_sums
from fooling.kernels.numba.operators import breed, start
from fooling.kernels.numba.penalties import (
    histogram_counts,
    histogram_distance,
    histogram_term,
    target_term,
    variogram_distance,
    variogram_sums,
    variogram_sums_lag1,
    variogram_term,
    weighted_sum,
)
from fooling.kernels.numba.selection import truncation_selection
from fooling.kernels.tables import Floats

__all__ = [
    "DELTA_PENALTIES",
    "PENALTIES",
    "breed",
    "dense_scores",
    "histogram_counts",
    "network_sums",
    "regional_parts",
    "start",
    "target_term",
    "truncation_selection",
    "variogram_sums",
    "variogram_sums_lag1",
    "weighted_sum",
]

PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}

# Penalties with delta evaluation; one without a row is scored in full. Engines, tests and errors walk this table.
DELTA_PENALTIES: dict[str, Statistic] = {
    "histogram": Statistic(
        lambda images, bins, target: histogram_counts(images, bins),
        lambda counts, changes, shape, bins, target: histogram_update(counts, changes, bins),
        lambda counts, shape, target_index, bins, target: histogram_distance(counts, shape, target_index, target),
    ),
    "variogram": Statistic(
        lambda images, target, quirk_lag1: (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(
            images, target.targets.shape[2] // 2
        ),
        lambda sums, changes, shape, target, quirk_lag1: (variogram_update_lag1 if quirk_lag1 else variogram_update)(
            sums, changes, shape[0], shape[1]
        ),
        lambda sums, shape, target_index, target, quirk_lag1: variogram_distance(sums, shape, target_index, target),
    ),
    "regional": Statistic(
        lambda images, grid, target: regional_parts(images, grid, reach_of(images.shape[1:], grid, target)),
        regional_update,
        regional_distance,
    ),
    "eigen": Statistic(
        lambda images, weights, centre, mean, variance, residual, margin: eigen_parts(images, weights, centre, mean),
        lambda parts, changes, shape, weights, centre, mean, variance, residual, margin: eigen_update(
            parts, changes, weights, mean
        ),
        lambda parts, shape, target_index, weights, centre, mean, variance, residual, margin: eigen_distance(
            parts, variance, residual, margin
        ),
    ),
}
