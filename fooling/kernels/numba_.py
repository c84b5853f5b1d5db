"""What happens to pixels, compiled by numba: same names and results as `reference.py`, on slices of children.

Every kernel is a scalar loop that LLVM can vectorise, and works on the children lo…hi − 1 of all runs together (child q is
child q mod N of run q ÷ N), so that threads share the work without sharing an output.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fooling.kernels import reference
from fooling.kernels.jit import jit
from fooling.kernels.numba_words import ONE, SHIFT, U, Words, gap, level_of, philox
from fooling.kernels.reference import EXP, LN2_HIGH, LN2_LOW, LOG2E, ROUND, Bytes, Doubles, Floats, Ints
from fooling.kernels.tables import PURPOSES

START, PARENTS, CROSSOVER, REDRAW, SWAP = (
    U(PURPOSES[name] << 28) for name in ("start", "parents", "crossover", "redraw", "swap")
)
EXP0, EXP1, EXP2, EXP3, EXP4, EXP5 = EXP
HALF_RANGE, UNIT = np.float32(87.0), np.float32(1.0)

# --- breeding -------------------------------------------------------------------------------------------------------


@jit
def start_slice(images: Bytes, table: Words, seed: U, runs: npt.NDArray[np.uint32], lo: int, hi: int) -> None:
    """Draws the first population, images [R, N, P], for children lo…hi − 1."""
    population, pixels = images.shape[1:]
    channels = table.shape[0]
    for q in range(lo, hi):
        r, child = q // population, q % population
        for block in range((pixels + 3) // 4):
            words = philox(U(block), START + U(child), U(0), U(runs[r]), seed)
            at = 4 * block
            for word in words:
                if at < pixels:
                    images[r, child, at] = level_of(word, table[at % channels])
                at += 1


@jit
def breed_slice(
    children: Bytes,
    parents: Bytes,
    table: Words,
    redraw: Words,
    swap: U,
    mixing: bool,
    seed: U,
    generation: int,
    runs: npt.NDArray[np.uint32],
    lo: int,
    hi: int,
) -> None:
    """Breeds children [R, N, P] lo…hi − 1 from parents [R, S, P]; `redraw` [R] and `swap` are divisors of gaps."""
    population = children.shape[1]
    channels = table.shape[0]
    for q in range(lo, hi):
        r, child = q // population, q % population
        pixels = children[r, child]
        crossover(pixels, parents[r], mixing, U(child), U(generation), U(runs[r]), seed)
        if redraw[r]:
            redraw_pixels(pixels, table, redraw[r], U(child), U(generation), U(runs[r]), seed)
        if swap:
            swap_places(pixels, channels, swap, U(child), U(generation), U(runs[r]), seed)


@jit
def crossover(pixels: Bytes, parents: Bytes, mixing: bool, child: U, generation: U, run: U, seed: U) -> None:
    """Uniform crossover of two different parents."""
    selected = U(parents.shape[0])
    words = philox(U(0), PARENTS + child, generation, run, seed)
    first = (words[0] * selected) >> SHIFT
    a = parents[first]
    if not mixing or selected == ONE:
        pixels[:] = a
        return
    second = (words[1] * (selected - ONE)) >> SHIFT
    if second >= first:
        second += ONE
    b = parents[second]
    for block in range((len(pixels) + 127) // 128):
        at = 128 * block
        for word in philox(U(block), CROSSOVER + child, generation, run, seed):
            end = min(at + 32, len(pixels))
            if at < end:
                mix(pixels[at:end], a[at:end], b[at:end], np.uint32(word))
            at += 32


@jit
def mix(pixels: Bytes, a: Bytes, b: Bytes, bits: np.uint32) -> None:
    """At most 32 pixels, of b where the bit is 1; without branches, which random bits would mispredict (2.6 → 0.4 µs)."""
    for i in range(len(pixels)):
        mask = np.uint8(np.int32(0) - np.int32((bits >> np.uint32(i)) & np.uint32(1)))
        pixels[i] = a[i] ^ ((a[i] ^ b[i]) & mask)


@jit
def redraw_pixels(pixels: Bytes, table: Words, divisor: U, child: U, generation: U, run: U, seed: U) -> None:
    """Redraws pixels from the grey levels of their channel."""
    channels = table.shape[0]
    at, block = np.int64(-1), U(0)
    while True:
        w0, w1, w2, w3 = philox(block, REDRAW + child, generation, run, seed)
        at += 1 + gap(w0, divisor)
        if at >= len(pixels):
            return
        pixels[at] = level_of(w1, table[at % channels])
        at += 1 + gap(w2, divisor)
        if at >= len(pixels):
            return
        pixels[at] = level_of(w3, table[at % channels])
        block += ONE


@jit
def swap_places(pixels: Bytes, channels: int, divisor: U, child: U, generation: U, run: U, seed: U) -> None:
    """Swaps places with the first of three random places that differs."""
    places = len(pixels) // channels
    at, block = np.int64(-1), U(0)
    while True:
        w0, w1, w2, w3 = philox(block, SWAP + child, generation, run, seed)
        at += 1 + gap(w0, divisor)
        if at >= places:
            return
        partner = np.int64(0)
        for word in (w1, w2, w3):
            partner = np.int64((word * U(places)) >> SHIFT)
            if differs(pixels, at, partner, channels):
                break
        for channel in range(channels):
            i, j = at * channels + channel, partner * channels + channel
            pixels[i], pixels[j] = pixels[j], pixels[i]
        block += ONE


@jit
def differs(pixels: Bytes, one: np.int64, other: np.int64, channels: int) -> bool:
    """Whether two places differ in any channel."""
    for channel in range(channels):  # noqa: SIM110 (numba compiles no generators)
        if pixels[one * channels + channel] != pixels[other * channels + channel]:
            return True
    return False


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


@jit
def lagged_sum(plane: Bytes, offset: int, count: int) -> np.int64:
    """Σ |plane[i + offset] − plane[i]| for i < count: one contiguous pass, 32–64 bytes at a time."""
    total = np.int64(0)
    a, b = plane[offset : offset + count], plane[:count]
    for i in range(count):
        total += abs(np.int64(a[i]) - np.int64(b[i]))
    return total


@jit
def difference_sums(images: Bytes, lags: int, quirk_lag1: bool) -> Ints:
    """`variogram_sums`, or with the quirk `variogram_sums_lag1`: [N, H, W, C] → [N, C, 2, lags].

    Rows follow one another in an image, columns in its transpose: with one transposition (3.6 → 1.9 µs an image of 28×28)
    both directions are contiguous.
    """
    n, height, width, channels = images.shape
    sums = np.empty((n, channels, 2, lags), dtype=np.int64)
    rows, columns = np.empty(height * width, dtype=np.uint8), np.empty(height * width, dtype=np.uint8)
    for q in range(n):
        for channel in range(channels):
            for y in range(height):
                for x in range(width):
                    rows[y * width + x] = images[q, y, x, channel]
                    columns[x * height + y] = images[q, y, x, channel]
            for k in range(1, lags + 1):
                offset = 1 if quirk_lag1 else k
                sums[q, channel, 0, k - 1] = lagged_sum(columns, offset * height, (width - k) * height)
                sums[q, channel, 1, k - 1] = lagged_sum(rows, offset * width, (height - k) * width)
    return sums


def variogram_sums(images: Bytes, lags: int) -> Ints:
    """Sums of |I(p) − I(p + k)| for k = 1…lags, [N, H, W, C] → [N, C, 2, lags]."""
    return difference_sums(images, lags, False)


def variogram_sums_lag1(images: Bytes, lags: int) -> Ints:
    """Quirk 1 of the 2015 program: lag-1 differences for every lag."""
    return difference_sums(images, lags, True)


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
    size = target.shape[1]
    divisors = np.full(size, float(images.shape[1] * images.shape[2]))
    return distance(histogram_counts(images, bins), divisors, target, np.float32(size))


def variogram_term(images: Bytes, target: Doubles, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels. → [N]."""
    channels, _, lags = target.shape
    sums = difference_sums(images, lags, quirk_lag1).reshape(len(images), channels, -1)
    divisors = reference.pair_counts(images.shape[1:], lags).reshape(-1)
    return distance(sums, divisors, target.reshape(channels, -1), np.float32(lags))


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


PENALTIES: dict[str, Callable[..., Floats]] = {"histogram": histogram_term, "variogram": variogram_term}

# --- the built-in network -------------------------------------------------------------------------------------------


@jit
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
    """The rest of the sigmoid network: lattice sums [N, M], weights [M, K], bias [K] → scores [N, K]."""
    units, classes = weights.shape
    scores = np.empty((len(sums), classes), dtype=np.float32)
    hidden = np.empty(units, dtype=np.float32)
    n = np.empty(max(units, classes), dtype=np.int32)
    power = n.view(np.float32)
    for q in range(len(sums)):
        for unit in range(units):
            hidden[unit] = sums[q, unit] * scale
        sigmoid_into(hidden, n, power)
        output = scores[q]
        output[:] = bias
        for unit in range(units):
            for k in range(classes):
                output[k] += hidden[unit] * weights[unit, k]
        sigmoid_into(output, n, power)
    return scores


network_sums = reference.network_sums
