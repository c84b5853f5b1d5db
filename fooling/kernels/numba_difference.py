"""Scoring by difference: a candidate's sufficient statistics from its parent's and its list of changed pixels.

All of them are integers, so they are what counting anew would give, bit for bit, after any number of generations.
A term joins by a row in `STATISTICS`; one without a row is scored in full.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.jit import jit, jit_inline
from fooling.kernels.numba_ import (
    histogram_counts,
    histogram_distance,
    lag1_sums,
    network_sums,
    running_sums,
    variogram_distance,
    variogram_sums,
    variogram_sums_lag1,
)
from fooling.kernels.numba_words import U, Whole
from fooling.kernels.reference import Bytes, Floats, Ints

LANES = 32  # windows are padded to a multiple of so many places
FEW = 10  # changed pixels up to which lag-1 sums are updated: counting them anew is as fast as 10 (28×28)
HELD = 16  # parents at hand while their children are scored


class Changes(NamedTuple):
    """Children as lists of changed pixels: child j is parent rows[j] but for pixels ends[j] … ends[j + 1] − 1."""

    parents: Bytes  # [Q, P], pixels in the order H, W, C
    transposed: Bytes  # [Q, P], the same in the order W, H, C
    rows: Ints  # [N]
    ends: Ints  # [N + 1]
    pixels: npt.NDArray[np.int32]  # [changes], each pixel of a child once
    levels: Bytes  # [changes], their new grey levels


class Statistic(NamedTuple):
    """How a term is scored by difference; `arguments` are those of its kernel in `PENALTIES`, `shape` is (H, W, C)."""

    measure: Callable[..., Any]  # (images [N, H, W, C], *arguments) → [N, …], integers
    update: Callable[..., Any]  # (parents' statistics [Q, …], changes, shape, *arguments) → the children's [N, …]
    value: Callable[..., Floats]  # (statistics [N, …], shape, *arguments) → the term [N]


@jit
def apply_changes(images: Bytes, children: Ints, changes: Changes) -> None:
    """Changes the pixels of images[children[j]], copies of their parents, in place."""
    for j in range(len(children)):
        for e in range(changes.ends[j], changes.ends[j + 1]):
            images[children[j], changes.pixels[e]] = changes.levels[e]


@jit
def transpose(images: Bytes) -> Bytes:
    """Images [N, H, W, C] → [N, P] in the order W, H, C."""
    n, height, width, channels = images.shape
    result = np.empty((n, height * width * channels), dtype=np.uint8)
    flat = images.reshape(n, height * width * channels)
    for q in range(n):
        for x in range(width):
            for y in range(height):
                to, source = (x * height + y) * channels, (y * width + x) * channels
                for channel in range(channels):
                    result[q, U(to + channel)] = flat[q, U(source + channel)]
    return result


@jit
def split(pixel: Whole, channels: int) -> tuple[Whole, Whole]:
    """Channel and place of a pixel."""
    if channels == 1:
        return np.int64(0), np.int64(pixel)
    return np.int64(pixel) % channels, np.int64(pixel) // channels


@jit
def transposed_update(transposed: Bytes, changes: Changes, height: int, width: int) -> Bytes:
    """Transposed images [Q, P] of the parents → of the children."""
    channels = transposed.shape[1] // (height * width)
    result = np.empty((len(changes.rows), transposed.shape[1]), dtype=np.uint8)
    for j in range(len(changes.rows)):
        image, parent = result[j], transposed[changes.rows[j]]
        copy_row(image, parent)
        for e in range(changes.ends[j], changes.ends[j + 1]):
            channel, place = split(changes.pixels[e], channels)
            image[(place % width * height + place // width) * channels + channel] = changes.levels[e]
    return result


@jit
def spread(result: Any, parents: Any, rows: Ints, children: Ints, values: Any) -> None:
    """Fills `result` [n, …] from the parents [Q, …], but for `children` (in order), which have values of their own."""
    j = 0
    for q in range(len(rows)):
        if j < len(children) and children[j] == q:
            copy_row(result[q], values[j])
            j += 1
        else:
            copy_row(result[q], parents[rows[q]])


@jit_inline
def copy_row(to: Any, source: Any) -> None:
    """A loop, which LLVM turns into a block copy; numba's own assignment of slices looks for overlaps first (0.3 µs)."""
    for i in range(len(to)):
        to[i] = source[i]


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


# --- variogram --------------------------------------------------------------------------------------------------------


@jit
def variogram_update(sums: Ints, changes: Changes, height: int, width: int) -> Ints:
    """Sums of differences [Q, C, 2, L] of the parents → of the children.

    A pixel that changes from a to b adds |b − v| − |a − v| for each neighbour v. Its neighbours at lags −L…L are a window of a
    row, or for direction y of a row of the transposed image; float32 holds these sums exactly.
    """
    children, (channels, _, lags) = len(changes.rows), sums.shape[1:]
    size = -(-(2 * lags + 1) // LANES) * LANES
    inside_x, inside_y = inside(width, lags, size), inside(height, lags, size)
    column, line = coordinates(height, width)
    span = height * width + 2 * size
    planes, held = np.zeros(HELD * 2 * channels * span, dtype=np.uint8), np.full(HELD, -1, dtype=np.int64)
    added = np.empty(2 * channels * size, dtype=np.float32)
    result = np.empty((children, channels, 2, lags), dtype=np.int64)
    old_sums, new_sums = sums.reshape(len(sums), 2 * channels * lags), result.reshape(children, 2 * channels * lags)
    for j in range(children):
        row = changes.rows[j]
        home = row % HELD * 2 * channels * span
        if held[row % HELD] != row:
            held[row % HELD] = row
            fill_planes(planes, home, span, size, channels, changes, row)
        added[:] = 0
        for e in range(changes.ends[j], changes.ends[j + 1]):
            channel, place = split(changes.pixels[e], channels)
            x, y = np.int64(column[place]), np.int64(line[place])
            at_x = home + 2 * channel * span + size + place
            at_y = home + (2 * channel + 1) * span + size + x * height + y
            old, new, to = planes[at_x], changes.levels[e], 2 * channel * size
            add_window(added, to, planes, at_x - lags, old, new, inside_x, x * size, size)
            add_window(added, to + size, planes, at_y - lags, old, new, inside_y, y * size, size)
            planes[at_x] = planes[at_y] = new
        for e in range(changes.ends[j], changes.ends[j + 1]):
            channel, place = split(changes.pixels[e], channels)
            at = np.int64(column[place]) * height + np.int64(line[place])
            level = changes.parents[row, changes.pixels[e]]
            planes[home + 2 * channel * span + size + place] = planes[home + (2 * channel + 1) * span + size + at] = level
        for direction in range(2 * channels):
            middle, first = direction * size + lags, direction * lags - 1
            for k in range(1, lags + 1):
                both = added[np.uint64(middle + k)] + added[np.uint64(middle - k)]
                new_sums[j, first + k] = old_sums[row, first + k] + np.int64(np.int32(both))
    return result


@jit
def add_window(
    added: Floats, to: Whole, plane: Bytes, at: Whole, old: Whole, new: Whole, weights: Floats, where: Whole, size: Whole
) -> None:
    """Adds weight·(|new − v| − |old − v|) for each v of a window of a plane.

    In steps of a constant length, without a test for negative indices, LLVM makes vectors of it: 15 ns a pixel, else 80.
    """
    a, b = np.float32(old), np.float32(new)
    for step in range(0, size, LANES):
        for i in range(LANES):
            v = np.float32(plane[U(at + step + i)])
            added[U(to + step + i)] += weights[U(where + step + i)] * (abs(b - v) - abs(a - v))


@jit
def inside(side: int, lags: int, size: int) -> Floats:
    """1 where a window around a place of a row has neighbours at lags −L…−1 and 1…L inside the image, else 0: [side·size]."""
    weights = np.zeros(side * size, dtype=np.float32)
    for at in range(side):
        for lag in range(-lags, lags + 1):
            if lag != 0 and 0 <= at + lag < side:
                weights[at * size + lag + lags] = 1
    return weights


@jit
def coordinates(height: int, width: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Column and line of each place: int32 [H·W] each."""
    column, line = np.empty(height * width, dtype=np.int32), np.empty(height * width, dtype=np.int32)
    for place in range(height * width):
        column[place], line[place] = place % width, place // width
    return column, line


@jit
def fill_planes(planes: Bytes, home: int, span: int, margin: int, channels: int, changes: Changes, row: int) -> None:
    """Copies a parent's channels, each as it is and transposed, to planes with margins."""
    image, transposed = changes.parents[row], changes.transposed[row]
    places = len(image) // channels
    for channel in range(channels):
        to = home + 2 * channel * span + margin
        if channels == 1:  # a plain copy
            for place in range(places):
                planes[U(to + place)] = image[place]
            for place in range(places):
                planes[U(to + span + place)] = transposed[place]
        else:
            for place in range(places):
                planes[to + place] = image[place * channels + channel]
                planes[to + span + place] = transposed[place * channels + channel]


@jit
def variogram_update_lag1(sums: Ints, changes: Changes, height: int, width: int) -> Ints:
    """The same for `variogram_sums_lag1`: only a pixel's pairs with its four nearest neighbours count."""
    channels, _, lags = sums.shape[1:]
    result = np.empty((len(changes.rows), channels, 2, lags), dtype=np.int64)
    column, line = coordinates(height, width)
    image, held = np.empty(changes.parents.shape[1], dtype=np.uint8), np.int64(-1)
    plane = np.empty(height * width, dtype=np.uint8)
    pairs = np.zeros(channels * (width + height), dtype=np.int64)  # of each channel: of the columns, of the lines
    for j in range(len(changes.rows)):
        row = changes.rows[j]
        if row != held:
            held = row
            copy_row(image, changes.parents[row])
        if changes.ends[j + 1] - changes.ends[j] > FEW:
            for e in range(changes.ends[j], changes.ends[j + 1]):
                image[changes.pixels[e]] = changes.levels[e]
            lag1_sums(image, plane, height, width, result[j])
            held = np.int64(-1)
            continue
        for e in range(changes.ends[j], changes.ends[j + 1]):
            pixel, level = np.int64(changes.pixels[e]), changes.levels[e]
            channel, place = split(pixel, channels)
            x, y, first = np.int64(column[U(place)]), np.int64(line[U(place)]), channel * (width + height)
            add_pairs(pairs, first + x, image, pixel, channels, x, width, level)
            add_pairs(pairs, first + width + y, image, pixel, channels * width, y, height, level)
            image[U(pixel)] = level
        for e in range(changes.ends[j], changes.ends[j + 1]):
            image[changes.pixels[e]] = changes.parents[row, changes.pixels[e]]
        for channel in range(channels):
            first = channel * (width + height)
            running_sums(pairs[first : first + width], result[j, channel, 0])
            running_sums(pairs[first + width : first + width + height], result[j, channel, 1])
            for axis in range(2):
                for k in range(lags):
                    result[j, channel, axis, k] += sums[row, channel, axis, k]
        for at in range(len(pairs)):
            pairs[at] = 0
    return result


@jit_inline
def add_pairs(pairs: Ints, at: Whole, image: Bytes, pixel: Whole, stride: int, place: Whole, side: int, new: Whole) -> None:
    """Adds the change of a pixel's pairs with the next and the one before, `stride` away."""
    a, b = np.int64(image[U(pixel)]), np.int64(new)
    if place + 1 < side:
        v = np.int64(image[U(pixel + stride)])
        pairs[U(at)] += abs(b - v) - abs(a - v)
    if place > 0:
        v = np.int64(image[U(pixel - stride)])
        pairs[U(at - 1)] += abs(b - v) - abs(a - v)


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
