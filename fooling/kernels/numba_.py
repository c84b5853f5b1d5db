"""Scoring, compiled by numba: same names and results as `reference.py`, on any slice of images.

Every kernel is a scalar loop that LLVM can vectorise, for one thread.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels import reference
from fooling.kernels.jit import jit, jit_inline, jit_views
from fooling.kernels.numba_words import U
from fooling.kernels.reference import EXP, LN2_HIGH, LN2_LOW, LOG2E, ROUND, Bytes, Doubles, Floats, Ints

EXP0, EXP1, EXP2, EXP3, EXP4, EXP5 = EXP
HALF_RANGE, UNIT = np.float32(87.0), np.float32(1.0)
PASS = 1 << 20  # pixels whose differences 32 bits hold for certain
BATCH = 512  # images a product of matrices: their float32 pixels (1.6 MB) stay near the core
LANES = 64  # images whose outputs are computed together: their 100 hidden units (26 kB) fit the nearest cache

# --- scoring: integer parts -----------------------------------------------------------------------------------------


@jit
def histogram_counts(images: Bytes, bins: Bytes) -> Ints:
    """Pixels per bin and channel, [N, H, W, C] → [N, C, B]."""
    n, height, width, channels = images.shape
    size, places = np.int64(bins.max()) + 1, height * width
    counts = np.zeros((n, channels, size), dtype=np.int64)
    flat = images.reshape(n, places, channels)
    # four tallies in turn: neighbours often fall in one bin, and adding to the same place again must wait (1.7 → 0.6 µs)
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

    In 32 bits, so that LLVM takes the instruction for it: 64 bytes at a time, 1.4 → 0.4 µs an image of 28×28.
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

    Rows follow one another in an image, columns in its transpose: with one transposition both directions are contiguous.
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


@jit
def variogram_sums_lag1(images: Bytes, lags: int) -> Ints:
    """Quirk 1 of the 2015 program: for every k the lag-1 differences over the first cols − k columns (rows − k rows)."""
    n, height, width, channels = images.shape
    sums = np.empty((n, channels, 2, lags), dtype=np.int64)
    flat, plane = images.reshape(n, height * width * channels), np.empty(height * width, dtype=np.uint8)
    across, down = np.empty(width, dtype=np.int32), np.empty(height, dtype=np.int32)
    for q in range(n):
        lag1_sums(flat[q], plane, across, down, sums[q])
    return sums


@jit_views
def lag1_sums(image: Bytes, plane: Bytes, across: Any, down: Any, sums: Ints) -> None:
    """Writes the sums [C, 2, L] of one image [P]: of each column's and each line's pairs, then from the first on.

    `plane` [H·W], `across` [W] and `down` [H] are scratch.
    """
    channels, height, width = len(sums), len(down), len(across)
    for channel in range(channels):
        for place in range(height * width):
            plane[place] = image[U(place * channels + channel)]
        across[:] = 0
        for y in range(height):
            for x in range(width - 1):
                at = y * width + x
                across[U(x)] = np.int32(across[U(x)] + distance_of(plane[U(at)], plane[U(at + 1)]))
        for y in range(height - 1):
            total = np.int32(0)
            for at in range(y * width, (y + 1) * width):
                total = np.int32(total + distance_of(plane[U(at)], plane[U(at + width)]))
            down[y] = total
        running_sums(across, sums[channel, 0])
        running_sums(down, sums[channel, 1])


@jit_views
def running_sums(pairs: Any, sums: Ints) -> None:
    """sums[k − 1] = the sum of the first side − k of `pairs` [side], for k = 1…lags."""
    total = np.int64(0)
    for at in range(len(pairs) - 1):
        total += pairs[at]
        k = len(pairs) - 1 - at
        if k <= len(sums):
            sums[k - 1] = total


# --- scoring: terms -------------------------------------------------------------------------------------------------


@jit
def distance(parts: Ints, divisors: Doubles, target: Doubles, scale: np.float32) -> Floats:
    """Σ|parts/divisors − target| in order, mean over channels, ÷ scale: [N, C, M] × [M] × [C, M] → [N]."""
    n, channels, size = parts.shape
    values = np.empty(n, dtype=np.float32)
    for q in range(n):
        total = 0.0
        for channel in range(channels):
            for part in range(size):
                total += abs(np.float64(parts[q, channel, part]) / divisors[part] - target[channel, part])
        values[q] = np.float32(total / channels) / scale
    return values


def histogram_term(images: Bytes, bins: Bytes, target: Doubles) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels. → [N]."""
    return histogram_distance(histogram_counts(images, bins), images.shape[1:], target)


def histogram_distance(counts: Ints, shape: tuple[int, ...], target: Doubles) -> Floats:
    """Histogram term of counts [N, C, B] of images of this shape (H, W, C)."""
    size = target.shape[1]
    return distance(counts, np.full(size, float(shape[0] * shape[1])), target, np.float32(size))


def variogram_term(images: Bytes, target: Doubles, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels. → [N]."""
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, target.shape[2])
    return variogram_distance(sums, images.shape[1:], target)


def variogram_distance(sums: Ints, shape: tuple[int, ...], target: Doubles) -> Floats:
    """Variogram term of sums [N, C, 2, L] of images of this shape (H, W, C)."""
    channels, _, lags = target.shape
    divisors = reference.pair_counts(shape, lags).reshape(-1)
    return distance(sums.reshape(len(sums), channels, 2 * lags), divisors, target.reshape(channels, 2 * lags), np.float32(lags))


@jit
def target_term(scores: Floats, wanted: int) -> Floats:
    """The 2015 target term, Σ|output − wanted output|: scores [N, K] → [N]."""
    values = np.empty(len(scores), dtype=np.float32)
    for q in range(len(scores)):
        total = 0.0
        for k in range(scores.shape[1]):
            total += abs(np.float64(scores[q, k]) - (1.0 if k == wanted else 0.0))
        values[q] = total
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


PENALTIES: dict[str, Callable[..., Floats]] = {"histogram": histogram_term, "variogram": variogram_term}

# --- the built-in network -------------------------------------------------------------------------------------------


@jit_views
def sigmoid_into(z: Floats, n: npt.NDArray[np.int32], power: Floats) -> None:
    """1/(1 + e⁻ᶻ) in place; `n` and `power` are one scratch memory, seen as the bits and as the value of 2ⁿ."""
    for i in range(len(z)):
        x = min(max(-z[i], -HALF_RANGE), HALF_RANGE)
        whole = (x * LOG2E + ROUND) - ROUND
        n[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        r = (x - whole * LN2_HIGH) - whole * LN2_LOW
        p = ((((EXP0 * r + EXP1) * r + EXP2) * r + EXP3) * r + EXP4) * r + EXP5
        z[i] = (p * r) * r + r + UNIT
    for i in range(len(z)):
        z[i] = UNIT / (UNIT + z[i] * power[i])


@jit
def network_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """The rest of the sigmoid network: lattice sums [N, M], weights [M, K], bias [K] → scores [N, K].

    Images lie side by side in memory, so that the sums over units, whose order is fixed, are vectors over images: 110 ns an
    image of 100 units and 10 classes, 480 with images one after the other.
    """
    units, classes = weights.shape
    padded = np.zeros((-(-units // 4) * 4, -(-classes // 2) * 2), dtype=np.float32)
    padded[:units, :classes] = weights
    hidden, output = np.zeros((len(padded), LANES), dtype=np.float32), np.empty((padded.shape[1], LANES), dtype=np.float32)
    n = np.empty(max(hidden.size, output.size), dtype=np.int32)
    scores = np.empty((len(sums), classes), dtype=np.float32)
    scores_into(scores, sums, scale, padded, bias, hidden, output, n, n.view(np.float32))
    return scores


@jit_views
def scores_into(
    scores: Floats,
    sums: Floats,
    scale: np.float32,
    weights: Floats,
    bias: Floats,
    hidden: Floats,
    output: Floats,
    n: npt.NDArray[np.int32],
    power: Floats,
) -> None:
    """Fills in the scores; the weights are padded, the rest is scratch."""
    units, classes = sums.shape[1], len(bias)
    for lo in range(0, len(sums), LANES):
        size = min(LANES, len(sums) - lo)
        for lane in range(size):
            for unit in range(units):
                hidden[unit, lane] = sums[lo + lane, unit] * scale
        sigmoid_into(hidden.reshape(-1), n, power)
        for k in range(0, len(output), 2):
            output[k], output[k + 1] = bias[k], bias[min(k + 1, classes - 1)]
            for unit in range(0, len(hidden), 4):
                add_four(output[k], output[k + 1], hidden[unit : unit + 4], weights[unit : unit + 4, k : k + 2])
        sigmoid_into(output.reshape(-1), n, power)
        for lane in range(size):
            for k in range(classes):
                scores[lo + lane, k] = output[k, lane]


@jit_inline
def add_four(one: Floats, two: Floats, hidden: Floats, weights: Floats) -> None:
    """Adds four units' shares, one after the other, of two classes: what is loaded is used twice or four times."""
    a0, a1, a2, a3 = weights[0, 0], weights[1, 0], weights[2, 0], weights[3, 0]
    b0, b1, b2, b3 = weights[0, 1], weights[1, 1], weights[2, 1], weights[3, 1]
    for i in range(LANES):
        h0, h1, h2, h3 = hidden[0, i], hidden[1, i], hidden[2, i], hidden[3, i]
        one[i] = (((one[i] + h0 * a0) + h1 * a1) + h2 * a2) + h3 * a3
        two[i] = (((two[i] + h0 * b0) + h1 * b1) + h2 * b2) + h3 * b3


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the lattice, [N, H, W, C] × [P, M] + [M] → [N, M], by BLAS, a batch at a time."""
    pixels, units = weights.shape
    flat, sums = images.reshape(len(images), pixels), np.empty((len(images), units), dtype=np.float32)
    batch = np.empty((min(BATCH, len(images)), pixels), dtype=np.float32)
    for lo in range(0, len(images), BATCH):
        hi = min(lo + BATCH, len(images))
        np.copyto(batch[: hi - lo], flat[lo:hi])
        np.matmul(batch[: hi - lo], weights, out=sums[lo:hi])
    sums += bias
    return sums
