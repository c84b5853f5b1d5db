"""Delta evaluation of the variogram: a changed pixel against the windows of its row and its column."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.delta_penalties import Changes, coordinates, copy_row, split
from fooling.kernels.numba.penalties import lag1_sums, make_workspace, running_sums
from fooling.kernels.numba.philox import U, Whole
from fooling.kernels.tables import Bytes, Floats, Ints

LANES = 32  # windows are padded to a multiple of so many places
FEW = 16  # changed pixels up to which lag-1 sums are updated: a recount is as fast as 16 updates (28×28)
SLOTS = 16  # cached parents while their children are scored
Places = npt.NDArray[np.int32]


class Planes(NamedTuple):
    """Cached parents: each channel plain and transposed, with margins, so that a window never leaves the array."""

    pixels: Bytes  # [slots, C, 2, margin + H·W + margin]
    rows: Ints  # [slots], the parent in each slot; −1: empty
    margin: int
    column: Places  # [H·W]
    line: Places  # [H·W]


@jit
def variogram_update(sums: Ints, changes: Changes, height: int, width: int) -> Ints:
    """Sums of differences [Q, C, 2, L] of the parents → of the children.

    A pixel that changes from a to b adds |b − v| − |a − v| for each neighbour v. Its neighbours at lags −L…L are a window of a
    row, or for direction y of a row of the transposed image; float32 holds these sums exactly.
    """
    channels, _, lags = sums.shape[1:]
    size = -(-(2 * lags + 1) // LANES) * LANES
    planes = make_planes(SLOTS, channels, height, width, size)
    result = np.empty((len(changes.rows), channels, 2, lags), dtype=np.int64)
    added = np.empty((channels, 2, size), dtype=np.float32)
    add_windows(result, sums, changes, planes, window_mask(width, lags, size), window_mask(height, lags, size), added)
    return result


@jit
def make_planes(slots: int, channels: int, height: int, width: int, margin: int) -> Planes:
    """A cache for `slots` parents."""
    column, line = coordinates(height, width)
    memory = np.zeros((slots, channels, 2, height * width + 2 * margin), dtype=np.uint8)
    return Planes(memory, np.full(slots, -1, dtype=np.int64), margin, column, line)


@jit_part
def add_windows(
    result: Ints, sums: Ints, changes: Changes, planes: Planes, inside_x: Floats, inside_y: Floats, added: Floats
) -> None:
    """Fills in the children's sums; `added` is workspace."""
    (channels, _, lags), size = sums.shape[1:], added.shape[2]
    height = len(inside_y) // size
    for j in range(len(changes.rows)):
        row, first, last = changes.rows[j], changes.ends[j], changes.ends[j + 1]
        load_parent(planes, changes, row)
        pixels = planes.pixels[row % len(planes.rows)]
        added[:] = 0
        for e in range(first, last):
            channel, place = split(changes.pixels[e], channels)
            x, y = np.int64(planes.column[place]), np.int64(planes.line[place])
            plane, turned, sums_x, sums_y = pixels[channel, 0], pixels[channel, 1], added[channel, 0], added[channel, 1]
            across, down, new = planes.margin + place, planes.margin + x * height + y, changes.levels[e]
            old = plane[across]
            add_window(sums_x, plane, across - lags, old, new, inside_x, x * size)
            add_window(sums_y, turned, down - lags, old, new, inside_y, y * size)
            plane[across] = turned[down] = new
        for e in range(first, last):
            channel, place = split(changes.pixels[e], channels)
            down = np.int64(planes.column[place]) * height + np.int64(planes.line[place])
            level = changes.parents[row, changes.pixels[e]]
            pixels[channel, 0, planes.margin + place] = pixels[channel, 1, planes.margin + down] = level
        for channel in range(channels):
            for axis in range(2):
                window = added[channel, axis]
                for k in range(1, lags + 1):
                    both = window[U(lags + k)] + window[U(lags - k)]
                    result[j, channel, axis, k - 1] = sums[row, channel, axis, k - 1] + np.int64(np.int32(both))


@jit_part
def load_parent(planes: Planes, changes: Changes, row: Whole) -> None:
    """Loads a parent into its slot if it is not there."""
    pixels = planes.pixels[row % len(planes.rows)]
    if planes.rows[row % len(planes.rows)] != row:
        planes.rows[row % len(planes.rows)] = row
        for channel in range(len(pixels)):
            fill_plane(pixels[channel, 0], planes.margin, changes.parents[row], channel, len(pixels))
            fill_plane(pixels[channel, 1], planes.margin, changes.transposed[row], channel, len(pixels))


@jit_part
def fill_plane(plane: Bytes, margin: int, image: Bytes, channel: int, channels: int) -> None:
    """Copies a channel of an image [P]."""
    if channels == 1:  # a plain copy
        for place in range(len(image)):
            plane[U(margin + place)] = image[place]
    else:
        for place in range(len(image) // channels):
            plane[margin + place] = image[place * channels + channel]


@jit_inline
def add_window(added: Floats, plane: Bytes, at: Whole, old: Whole, new: Whole, weights: Floats, where: Whole) -> None:
    """Adds weight·(|new − v| − |old − v|) for each v of a window of a plane.

    In steps of constant length and without negative indices LLVM vectorises it: 15 ns a pixel instead of 80.
    """
    a, b = np.float32(old), np.float32(new)
    for step in range(0, len(added), LANES):
        for i in range(LANES):
            v = np.float32(plane[U(at + step + i)])
            added[U(step + i)] += weights[U(where + step + i)] * (abs(b - v) - abs(a - v))


@jit
def window_mask(side: int, lags: int, size: int) -> Floats:
    """1 where a window around a place of a row has neighbours at lags −L…−1 and 1…L inside the image, else 0: [side·size]."""
    weights = np.zeros(side * size, dtype=np.float32)
    for at in range(side):
        for lag in range(-lags, lags + 1):
            if lag != 0 and 0 <= at + lag < side:
                weights[at * size + lag + lags] = 1
    return weights


@jit
def variogram_update_lag1(sums: Ints, changes: Changes, height: int, width: int) -> Ints:
    """The same for `variogram_sums_lag1`: only pairs of a pixel and its four nearest neighbours change."""
    channels, _, lags = sums.shape[1:]
    result = np.empty((len(changes.rows), channels, 2, lags), dtype=np.int64)
    column, line = coordinates(height, width)
    image, current = np.empty(changes.parents.shape[1], dtype=np.uint8), np.int64(-1)
    workspace = make_workspace(height, width)
    pairs = np.zeros(channels * (width + height), dtype=np.int64)  # per channel: sums of the columns' pairs, then of the lines'
    for j in range(len(changes.rows)):
        row = changes.rows[j]
        if row != current:
            current = row
            copy_row(image, changes.parents[row])
        if changes.ends[j + 1] - changes.ends[j] > FEW:
            for e in range(changes.ends[j], changes.ends[j + 1]):
                image[changes.pixels[e]] = changes.levels[e]
            lag1_sums(image, workspace, width, result[j])
            current = np.int64(-1)
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
