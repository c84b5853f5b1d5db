"""Penalties and costs, compiled by numba: same names and bits as in the reference, on any slice of images.

Every kernel is a single-threaded scalar loop that LLVM can vectorise.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.philox import U
from fooling.kernels.reference.penalties import pair_counts
from fooling.kernels.tables import ANY, Bytes, Doubles, Floats, Ints, TermTarget

PASS = 1 << 20  # pixels whose summed differences surely fit 32 bits
STEP = 32  # pixels of a line that are read at a time


@jit
def weighted_l1(parts: Ints, denominators: Doubles, target_index: Ints, target: TermTarget, scale: int) -> Floats:
    """Weighted L1 distance from the target above its margin, [N, C, M] → [N]; see `reference.penalties.weighted_l1`."""
    values = np.empty(len(parts), dtype=np.float32)
    weighted_l1_into(values, parts, denominators, target_index, target, scale)
    return values


@jit_part
def weighted_l1_into(
    values: Floats, parts: Ints, denominators: Doubles, target_index: Ints, target: TermTarget, scale: int
) -> None:
    """Fills in the distances."""
    _, channels, size = parts.shape
    single = len(target.targets) == 1
    for q in range(len(values)):
        expected, total = target.targets[0 if single else target_index[q]], 0.0
        for channel in range(channels):
            for part in range(size):
                deviation = abs(np.float64(parts[q, channel, part]) / denominators[part] - expected[channel, part])
                total += deviation * target.weights[channel, part]
        term = np.float32(total / channels) / np.float32(scale)
        values[q] = max(np.float64(term) - target.margin, 0.0)


@jit_part
def one_hot_distance(scores: Floats, target: int) -> float:
    """L1 distance of one image's scores [K] from the one-hot target; with ANY from the class of its largest score."""
    target_class = target
    if target == ANY:
        target_class = 0
        for k in range(1, len(scores)):
            if scores[k] > scores[target_class]:
                target_class = k
    total = 0.0
    for k in range(len(scores)):
        total += abs(np.float64(scores[k]) - (1.0 if k == target_class else 0.0))
    return total


# --- scoring: integer parts -----------------------------------------------------------------------------------------
@jit
def histogram_counts(images: Bytes, bins: Bytes) -> Ints:
    """Pixels per bin and channel, [N, H, W, C] → [N, C, B]."""
    n, height, width, channels = images.shape
    size, places = np.int64(bins.max()) + 1, height * width
    counts = np.zeros((n, channels, size), dtype=np.int64)
    flat = images.reshape(n, places, channels)
    # four tallies in turn: neighbours often share a bin, and a second addition to one address must wait (1.7 → 0.6 µs)
    t0, t1, t2, t3 = (np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.int32))
    for q in range(n):
        for channel in range(channels):
            for tally in (t0, t1, t2, t3):
                tally[:size] = 0
            for place in range(0, places - 3, 4):
                t0[bins[flat[q, place, channel]]] += 1
                t1[bins[flat[q, place + 1, channel]]] += 1
                t2[bins[flat[q, place + 2, channel]]] += 1
                t3[bins[flat[q, place + 3, channel]]] += 1
            for place in range(places - places % 4, places):
                t0[bins[flat[q, place, channel]]] += 1
            for k in range(size):
                counts[q, channel, k] = t0[k] + t1[k] + t2[k] + t3[k]
    return counts


@jit_inline
def distance_of(a: np.uint8, b: np.uint8) -> np.int32:
    """|a − b|, in 32 bits all through."""
    return np.int32(abs(np.int32(np.int32(a) - np.int32(b))))


@jit
def lagged_sum(plane: Bytes, offset: int, count: int) -> np.int64:
    """Σ |plane[i + offset] − plane[i]| for i < count: one contiguous pass.

    In 32 bits LLVM uses vectors of 64 bytes: 1.4 → 0.4 µs an image of 28×28.
    """
    total = np.int64(0)
    for lo in range(0, count, PASS):
        a, b = plane[lo + offset : min(lo + PASS, count) + offset], plane[lo : min(lo + PASS, count)]
        part = np.int32(0)
        for i in range(len(a)):
            part = np.int32(part + distance_of(a[i], b[i]))
        total += part
    return total


@jit
def variogram_sums(images: Bytes, lags: int) -> Ints:
    """Sums of |I(p) − I(p + k)| for k = 1…lags, [N, H, W, C] → [N, C, 2, lags].

    Rows are contiguous in an image, columns in its transpose: one transposition makes both directions contiguous.
    """
    n, height, width, channels = images.shape
    sums = np.empty((n, channels, 2, lags), dtype=np.int64)
    flat = images.reshape(n, height * width * channels)
    rows, columns = np.empty(height * width, dtype=np.uint8), np.empty(height * width, dtype=np.uint8)
    for q in range(n):
        for channel in range(channels):
            for place in range(height * width):
                rows[place] = flat[q, U(place * channels + channel)]
            for x in range(width):
                for y in range(height):
                    columns[U(x * height + y)] = rows[U(y * width + x)]
            for k in range(1, lags + 1):
                sums[q, channel, 0, k - 1] = lagged_sum(columns, k * height, (width - k) * height)
                sums[q, channel, 1, k - 1] = lagged_sum(rows, k * width, (height - k) * width)
    return sums


class Workspace(NamedTuple):
    """Buffers for the lag-1 sums of an image; rows are read in steps, past their ends."""

    plane: Bytes  # [H·W + W + a row in steps + 1], a channel
    mask: Bytes  # [a row in steps], 255 in a row, 0 past its end
    across: npt.NDArray[np.int32]  # [a row in steps], sums of the columns' pairs
    down: npt.NDArray[np.int32]  # [H], sums of the lines' pairs


@jit
def variogram_sums_lag1(images: Bytes, lags: int) -> Ints:
    """Quirk 1 of the 2015 program: for every k the lag-1 differences over the first cols − k columns (rows − k rows)."""
    n, height, width, channels = images.shape
    sums, workspace = np.empty((n, channels, 2, lags), dtype=np.int64), make_workspace(height, width)
    flat = images.reshape(n, height * width * channels)
    for q in range(n):
        lag1_sums(flat[q], workspace, width, sums[q])
    return sums


@jit
def make_workspace(height: int, width: int) -> Workspace:
    """A workspace for images of this size."""
    padded = -(-width // STEP) * STEP
    plane, mask = np.zeros(height * width + width + padded + 1, dtype=np.uint8), np.zeros(padded, dtype=np.uint8)
    mask[:width] = 255
    return Workspace(plane, mask, np.empty(padded, dtype=np.int32), np.empty(height, dtype=np.int32))


@jit_part
def lag1_sums(image: Bytes, workspace: Workspace, width: int, sums: Ints) -> None:
    """Writes the sums [C, 2, L] of one image [P]: pairs per column and per line, then running sums of these."""
    channels, (plane, mask, across, down) = len(sums), workspace
    for channel in range(channels):
        for place in range(len(down) * width):
            plane[place] = image[U(place * channels + channel)]
        across[:] = 0
        for y in range(len(down)):
            add_columns(across, plane, y * width)
        for y in range(len(down) - 1):
            down[y] = line_sum(plane, mask, y * width, width)
        running_sums(across[:width], sums[channel, 0])
        running_sums(down, sums[channel, 1])


@jit_inline
def add_columns(across: npt.NDArray[np.int32], plane: Bytes, first: int) -> None:
    """Adds the differences between neighbours in a line; in steps of constant length: 318 → 197 ns an image."""
    for step in range(0, len(across), STEP):
        for i in range(STEP):
            at = U(first + step + i)
            across[U(step + i)] = np.int32(across[U(step + i)] + distance_of(plane[at], plane[at + U(1)]))


@jit_inline
def line_sum(plane: Bytes, mask: Bytes, first: int, width: int) -> np.int32:
    """Σ of the differences between a line and the next."""
    total = np.int32(0)
    for step in range(0, len(mask), STEP):
        for i in range(STEP):
            at, inside = U(first + step + i), mask[U(step + i)]
            distance = distance_of(np.uint8(plane[at] & inside), np.uint8(plane[at + U(width)] & inside))
            total = np.int32(total + distance)
    return total


@jit_part
def running_sums(pairs: Any, sums: Ints) -> None:
    """sums[k − 1] = the sum of the first side − k of `pairs` [side], for k = 1…lags."""
    total = np.int64(0)
    for at in range(len(pairs) - 1):
        total += pairs[at]
        k = len(pairs) - 1 - at
        if k <= len(sums):
            sums[k - 1] = total


# --- scoring: terms -------------------------------------------------------------------------------------------------
def histogram_term(images: Bytes, target_index: Ints, bins: Bytes, target: TermTarget) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels. → [N]."""
    return histogram_distance(histogram_counts(images, bins), images.shape[1:], target_index, target)


def histogram_distance(counts: Ints, shape: tuple[int, ...], target_index: Ints, target: TermTarget) -> Floats:
    """Histogram term of counts [N, C, B] of images of this shape (H, W, C)."""
    size = counts.shape[2]
    return weighted_l1(counts, np.full(size, float(shape[0] * shape[1])), target_index, target, size)


def variogram_term(images: Bytes, target_index: Ints, target: TermTarget, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels. → [N]."""
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, target.targets.shape[2] // 2)
    return variogram_distance(sums, images.shape[1:], target_index, target)


def variogram_distance(sums: Ints, shape: tuple[int, ...], target_index: Ints, target: TermTarget) -> Floats:
    """Variogram term of sums [N, C, 2, L] of images of this shape (H, W, C)."""
    lags = sums.shape[3]
    parts = sums.reshape(*sums.shape[:2], 2 * lags)
    return weighted_l1(parts, pair_counts(shape, lags).reshape(-1), target_index, target, lags)


@jit
def target_term(scores: Floats, target: int, margin: float = 0.0) -> Floats:
    """L1 distance of scores [N, K] from the one-hot target, above `margin`: → [N]; see the reference."""
    values = np.empty(len(scores), dtype=np.float32)
    for q in range(len(scores)):
        values[q] = max(one_hot_distance(scores[q], target) - margin, 0.0)
    return values


@jit
def weighted_sum(terms: Floats, weights: Doubles) -> Floats:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    costs = np.empty(len(terms), dtype=np.float32)
    for q in range(len(terms)):
        total = 0.0
        for t in range(len(weights)):
            total += weights[t] * np.float64(terms[q, t])
        costs[q] = total
    return costs
