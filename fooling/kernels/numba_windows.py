"""The variogram by difference: a changed pixel against the windows of its row and its column."""

import numpy as np

from fooling.kernels.jit import jit, jit_inline
from fooling.kernels.numba_ import lag1_sums, running_sums
from fooling.kernels.numba_children import Changes, coordinates, copy_row, split
from fooling.kernels.numba_words import U, Whole
from fooling.kernels.reference import Bytes, Floats, Ints

LANES = 32  # windows are padded to a multiple of so many places
FEW = 10  # changed pixels up to which lag-1 sums are updated: counting them anew is as fast as 10 (28×28)
HELD = 16  # parents at hand while their children are scored


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
