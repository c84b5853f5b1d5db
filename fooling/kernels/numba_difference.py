"""Scoring by difference: a candidate's sufficient statistics from its parent's and its list of changed pixels.

All of them are integers, so they are what counting anew would give, bit for bit, after any number of generations.
A term joins by a row in `STATISTICS`; one without a row is scored in full.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fooling.kernels.jit import jit
from fooling.kernels.numba_ import (
    histogram_counts,
    histogram_distance,
    network_sums,
    variogram_distance,
    variogram_sums,
    variogram_sums_lag1,
)
from fooling.kernels.numba_children import Changes, copy_row
from fooling.kernels.numba_windows import variogram_update, variogram_update_lag1
from fooling.kernels.reference import Bytes, Floats, Ints


class Statistic(NamedTuple):
    """How a term is scored by difference; `arguments` are those of its kernel in `PENALTIES`, `shape` is (H, W, C)."""

    measure: Callable[..., Any]  # (images [N, H, W, C], *arguments) → [N, …], integers
    update: Callable[..., Any]  # (parents' statistics [Q, …], changes, shape, *arguments) → the children's [N, …]
    value: Callable[..., Floats]  # (statistics [N, …], shape, *arguments) → the term [N]


# --- histogram --------------------------------------------------------------------------------------------------------


@jit
def histogram_update(counts: Ints, changes: Changes, bins: Bytes) -> Ints:
    """Counts [Q, C, B] of the parents → of the children: one pixel out of a bin, one into another."""
    channels, size = counts.shape[1:]
    result = np.empty((len(changes.rows), channels, size), dtype=np.int64)
    before, after = counts.reshape(len(counts), channels * size), result.reshape(len(result), channels * size)
    for j in range(len(changes.rows)):
        row = changes.rows[j]
        copy_row(after[j], before[row])
        for e in range(changes.ends[j], changes.ends[j + 1]):
            pixel = changes.pixels[e]
            result[j, pixel % channels, bins[changes.parents[row, pixel]]] -= 1
            result[j, pixel % channels, bins[changes.levels[e]]] += 1
    return result


# --- the built-in network ---------------------------------------------------------------------------------------------


@jit
def network_update(sums: Floats, changes: Changes, weights: Floats) -> Floats:
    """First-layer sums [Q, M] of the parents → of the children: a row of the weights [P, M] for each changed pixel."""
    units = weights.shape[1]
    result = np.empty((len(changes.rows), units), dtype=np.float32)
    for j in range(len(changes.rows)):
        row, child = changes.rows[j], result[j]
        copy_row(child, sums[row])
        first, last = changes.ends[j], changes.ends[j + 1]
        for e in range(first, last - 3, 4):
            add_rows(child, weights, changes, row, e)
        for e in range(last - (last - first) % 4, last):
            pixel = changes.pixels[e]
            add_row(child, weights[pixel], np.float32(changes.levels[e]) - np.float32(changes.parents[row, pixel]))
    return result


@jit
def add_row(sums: Floats, weights: Floats, difference: np.float32) -> None:
    """Adds difference·weights."""
    for unit in range(len(sums)):
        sums[unit] += difference * weights[unit]


@jit
def add_rows(sums: Floats, weights: Floats, changes: Changes, row: int, e: int) -> None:
    """The same for four changes at once: the sums are loaded and stored once."""
    pixels, levels, parent = changes.pixels, changes.levels, changes.parents[row]
    d0 = np.float32(levels[e]) - np.float32(parent[pixels[e]])
    d1 = np.float32(levels[e + 1]) - np.float32(parent[pixels[e + 1]])
    d2 = np.float32(levels[e + 2]) - np.float32(parent[pixels[e + 2]])
    d3 = np.float32(levels[e + 3]) - np.float32(parent[pixels[e + 3]])
    w0, w1, w2, w3 = weights[pixels[e]], weights[pixels[e + 1]], weights[pixels[e + 2]], weights[pixels[e + 3]]
    for unit in range(len(sums)):
        sums[unit] = sums[unit] + d0 * w0[unit] + d1 * w1[unit] + d2 * w2[unit] + d3 * w3[unit]


# The built-in network's scores; arguments: first-layer weights and bias, and what makes scores of sums.
network_statistic = Statistic(
    lambda images, weights, bias, scores: network_sums(images, weights, bias),
    lambda sums, changes, shape, weights, bias, scores: network_update(sums, changes, weights),
    lambda sums, shape, weights, bias, scores: scores(sums),
)

# What is scored by difference; engines, tests and errors walk this table.
STATISTICS = {
    "histogram": Statistic(
        lambda images, bins, target: histogram_counts(images, bins),
        lambda counts, changes, shape, bins, target: histogram_update(counts, changes, bins),
        lambda counts, shape, bins, target: histogram_distance(counts, shape, target),
    ),
    "variogram": Statistic(
        lambda images, target, quirk_lag1: (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, target.shape[2]),
        lambda sums, changes, shape, target, quirk_lag1: (variogram_update_lag1 if quirk_lag1 else variogram_update)(
            sums, changes, shape[0], shape[1]
        ),
        lambda sums, shape, target, quirk_lag1: variogram_distance(sums, shape, target),
    ),
}
