"""The eigen and regional terms, linear in the pixels, compiled by numba: equal to the reference, and their delta evaluation."""

from functools import lru_cache
from typing import Any

import numpy as np

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.delta_penalties import Changes
from fooling.kernels.numba.penalties import distance_of, weighted_l1
from fooling.kernels.numba.philox import U, Whole
from fooling.kernels.reference.penalties import ENERGY_UNIT, PROJECTION_UNIT, Weights, region_count, regional_counts, regions
from fooling.kernels.tables import EIGEN_LANES as LANES
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints, TermTarget

BLOCK = 1024  # pixels whose weights stay in the second-level cache


# --- eigen ------------------------------------------------------------------------------------------------------------
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
    """Projections and energy: [N, H, W, C] → [N, M + 1]; weights are padded to a multiple of LANES components.

    The weights of large images exceed every cache: they are read once for all images, a block of pixels at a time.
    """
    n, pixels, components = len(images), len(mean), len(centre)
    flat, parts = images.reshape(n, pixels), np.zeros((n, components + 1), dtype=np.int64)
    sums = np.zeros((n, weights.shape[1]), dtype=np.int32)
    for first in range(0, pixels, BLOCK):
        last = min(first + BLOCK, pixels)
        for q in range(n):
            parts[q, components] += energy_about(flat[q, first:last], mean[first:last])
            for pixel in range(first, last):
                level = np.int32(flat[q, pixel])
                if level:
                    add_row(sums[q], weights[pixel], level)
    for q in range(n):
        for k in range(components):
            parts[q, k] = 256 * np.int64(sums[q, k]) - centre[k]
    return parts


@jit_inline
def add_row(sums: Weights, row: Weights, level: np.int32) -> None:
    """Adds level·row; 2.7 → 0.9 ms an image of 224×224×3 and 40 components, but a few pixels are faster by `add_eigen`."""
    for k in range(len(sums)):
        sums[k] = np.int32(sums[k] + np.int32(level * row[k]))


@jit_inline
def energy_about(levels: Bytes, mean: Weights) -> np.int64:
    """Σ (256·level − mean)²; products of 32-bit numbers become vectors."""
    energy = np.int64(0)
    for i in range(len(levels)):
        distance = np.int64(np.int32(256 * np.int32(levels[i]) - mean[i]))
        energy += distance * distance
    return energy


@jit_inline
def add_eigen(sums: Weights, weights: Weights, pixel: U, increase: np.int32) -> None:
    """Adds increase·weights; |Σ weights·levels| ≤ 2¹²·255·√P, so 32 bits hold it up to millions of pixels."""
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


# --- regional ---------------------------------------------------------------------------------------------------------
# Of images of 224×224 they take 2 ms, ten times as long as the sums of one image.
known_regions, known_counts = lru_cache(maxsize=8)(regions), lru_cache(maxsize=8)(regional_counts)


def regional_term(images: Bytes, target_index: Ints, grid: int, target: TermTarget) -> Floats:
    """Mean over regions of |mean − target mean| + (1/L)·Σ|g − ĝ|, mean over channels. → [N]; see the reference."""
    shape = images.shape[1:]
    return regional_distance(regional_parts(images, grid, reach_of(shape, grid, target)), shape, target_index, grid, target)


def regional_parts(images: Bytes, grid: int, reach: int) -> Ints:
    """Sums of each region, see `reference.penalties.regional_parts`."""
    return count_regional_parts(images, known_regions(images.shape[1], images.shape[2], grid), reach)


def regional_update(parts: Ints, changes: Changes, shape: tuple[int, ...], grid: int, target: TermTarget) -> Ints:
    """Sums [Q, C, regions·(1 + 2·L)] of the parents → of the children."""
    return update_regional_parts(
        parts, changes, known_regions(shape[0], shape[1], grid), shape[1], reach_of(shape, grid, target)
    )


def regional_distance(parts: Ints, shape: tuple[int, ...], target_index: Ints, grid: int, target: TermTarget) -> Floats:
    """The term of sums [N, C, regions·(1 + 2·L)] of images of this shape (H, W, C)."""
    denominators = known_counts(shape, grid, reach_of(shape, grid, target))
    return weighted_l1(parts, denominators, target_index, target, region_count(shape, grid))


def reach_of(shape: tuple[int, ...], grid: int, target: TermTarget) -> int:
    """L, the largest lag of the targets."""
    return int(target.targets.shape[2] // region_count(shape, grid) - 1) // 2


@jit
def count_regional_parts(images: Bytes, region: Ints, reach: int) -> Ints:
    """The sums of images [N, H, W, C], `region` [H·W]: of each column down a row of regions, then of the columns of each."""
    n, height, width, channels = images.shape
    size, places = 1 + 2 * reach, height * width
    parts = np.zeros((n, channels, (region[-1] + 1) * size), dtype=np.int64)
    flat = images.reshape(n, places * channels)
    plane, down = np.empty(places, dtype=np.uint8), np.empty((size, width), dtype=np.int32)
    for q in range(n):
        for channel in range(channels):
            for place in range(places):
                plane[place] = flat[q, U(place * channels + channel)]
            down[:] = 0
            for y in range(height):
                add_line(down, plane, y, height, reach)
                if y == height - 1 or region[(y + 1) * width] != region[y * width]:
                    for k in range(size):
                        for x in range(width):
                            parts[q, channel, region[y * width + x] * size + k] += down[k, x]
                    down[:] = 0
    return parts


@jit_part
def add_line(down: Weights, plane: Bytes, y: int, height: int, reach: int) -> None:
    """Adds the levels of a line to down[0], its differences along the line to those of lags 1…L, then those to lines below."""
    width = down.shape[1]
    line = plane[y * width : (y + 1) * width]
    for x in range(width):
        down[0, x] = np.int32(down[0, x] + np.int32(line[x]))
    for k in range(1, min(reach, width - 1) + 1):
        add_differences(down[k, : width - k], line[: width - k], line[k:])
    for k in range(1, min(reach, height - 1 - y) + 1):
        add_differences(down[reach + k], line, plane[(y + k) * width : (y + k + 1) * width])


@jit_inline
def add_differences(sums: Weights, a: Bytes, b: Bytes) -> None:
    """sums += |a − b|."""
    for i in range(len(sums)):
        sums[i] = np.int32(sums[i] + distance_of(a[i], b[i]))


@jit
def update_regional_parts(parts: Ints, changes: Changes, region: Ints, width: int, reach: int) -> Ints:
    """The sums of the children."""
    result = np.empty((len(changes.rows), parts.shape[1], parts.shape[2]), dtype=np.int64)
    update_regional(result, parts, changes, np.empty(changes.parents.shape[1], dtype=np.uint8), region, width, reach)
    return result


@jit_part
def update_regional(result: Ints, parts: Ints, changes: Changes, image: Bytes, region: Ints, width: int, reach: int) -> None:
    """Fills in the children's sums; `image` [P] is workspace.

    A pixel that changes from a to b adds b − a to its region and |b − v| − |a − v| for each neighbour v up to `reach` away: to
    the pixel's region for neighbours after it, to the neighbours' regions for those before it.
    """
    channels, size, current = parts.shape[1], 1 + 2 * reach, np.int64(-1)
    height = len(region) // width
    for j in range(len(changes.rows)):
        row = changes.rows[j]
        if row != current:
            current = row
            for i in range(len(image)):
                image[i] = changes.parents[row, i]
        for channel in range(channels):
            for i in range(parts.shape[2]):
                result[j, channel, i] = parts[row, channel, i]
        for e in range(changes.ends[j], changes.ends[j + 1]):
            pixel, new = np.int64(changes.pixels[e]), np.int64(changes.levels[e])
            old, channel, place = np.int64(image[pixel]), pixel % channels, pixel // channels
            x, y, sums = place % width, place // width, result[j, channel]
            base = region[place] * size
            sums[base] += new - old
            for k in range(1, reach + 1):
                if x + k < width:
                    sums[base + k] += change_of_difference(image, pixel + k * channels, old, new)
                if y + k < height:
                    sums[base + reach + k] += change_of_difference(image, pixel + k * width * channels, old, new)
                if x >= k:
                    sums[region[place - k] * size + k] += change_of_difference(image, pixel - k * channels, old, new)
                if y >= k:
                    sums[region[place - k * width] * size + reach + k] += change_of_difference(
                        image, pixel - k * width * channels, old, new
                    )
            image[pixel] = changes.levels[e]
        for e in range(changes.ends[j], changes.ends[j + 1]):
            image[changes.pixels[e]] = changes.parents[row, changes.pixels[e]]


@jit_inline
def change_of_difference(image: Bytes, at: Whole, old: Whole, new: Whole) -> Any:
    """|new − v| − |old − v| for the neighbour v at `at`."""
    v = np.int64(image[U(at)])
    return abs(new - v) - abs(old - v)
