"""Array types and the integer tables of every engine's operators, made once by integer arithmetic where bits matter.

A per-pixel event of rate p is drawn as the geometric skip to the next event, ⌊log u / log(1 − p)⌋, so that rare mutations
cost nothing for unchanged pixels. `log`, `exp`, `erf` and powers of floats differ between machines in their last bits; these
tables, made of Python's integers, do not.
"""

from functools import lru_cache
from math import isqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
ANY = -1  # as the target class: the class of each image's largest score


class TermTarget(NamedTuple):
    """Target values of a term's parts: one for all images (T = 1), or T of which each image has one."""

    targets: Doubles  # [T, C, M]
    weights: Doubles  # [C, M], of each part's absolute difference
    margin: float  # of the hinge: the term is 0 up to this value


LEVELS = 256  # a pixel is one of 256 grey levels
RATE_ONE = 1 << 24  # a mutation rate is an integer threshold in units of 2⁻²⁴
LOG_ONE = 1 << 40  # logarithms are fixed-point, in units of 2⁻⁴⁰
LOG_NODES = 1 << 10  # nodes of the table on [1, 2); linear in between: error < 2e-7
EIGEN_LANES = 16  # weights of principal components are padded to a multiple of this
GUIDE = 1 << 12  # entries of the guide to a table of grey levels: most buckets hold a single level

# The purpose is part of a random word's address, so that no two uses share a word.
PURPOSES = {
    "start": 0,
    "parents": 1,
    "crossover": 2,
    "redraw": 3,
    "swap": 4,
    "propose": 5,
    "rectangle": 6,
    "gaussian": 7,
    "polynomial": 8,
    "blur": 9,
    "exemplar": 15,
}


@lru_cache(maxsize=1)
def log2_table() -> npt.NDArray[np.uint64]:
    """log₂(1 + i/1024) for i = 0…1024, in units of 2⁻⁴⁰: uint64 [1025]. Bit by bit, by repeated squaring of integers."""
    table = np.empty(LOG_NODES + 1, dtype=np.uint64)
    for node in range(LOG_NODES):
        x, log = (LOG_NODES + node) << 54, 0  # x in [1, 2), in units of 2⁻⁶⁴
        for bit in range(39, -1, -1):
            x = (x * x) >> 64
            if x >> 65:
                x >>= 1
                log |= 1 << bit
        table[node] = log
    table[LOG_NODES] = LOG_ONE
    table.setflags(write=False)
    return table


def log2_fixed(x: int) -> int:
    """log₂ x of an integer 1 ≤ x ≤ 2³², in units of 2⁻⁴⁰; linear between the nodes of `log2_table`."""
    exponent = x.bit_length() - 1
    mantissa = (x << (32 - exponent)) - (1 << 32)  # [0, 2³²)
    node, rest = mantissa >> 22, mantissa & ((1 << 22) - 1)
    low, high = int(log2_table()[node]), int(log2_table()[node + 1])
    return exponent * LOG_ONE + low + (((high - low) * rest) >> 22)


def rate_threshold(rate: float) -> int:
    """The rate of an event, 0 ≤ rate < 1, rounded to 2⁻²⁴, as an integer 0…2²⁴ − 1."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate: expected in [0, 1), got {rate}")
    return min(round(rate * RATE_ONE), RATE_ONE - 1)


@lru_cache(maxsize=4096)
def log_survival(threshold: int) -> int:
    """−log₂(1 − threshold/2²⁴) in units of 2⁻⁴⁰, the divisor of −log₂ u in `geometric_skip`; 0: the event never happens."""
    return 24 * LOG_ONE - log2_fixed(RATE_ONE - threshold)


def geometric_skip(word: int, survival: int) -> int:
    """Pixels to skip before the next event, from one random word (32 bits): geometric, P(skip ≥ g) = (1 − p)^g."""
    return (32 * LOG_ONE - log2_fixed(word + 1)) // survival


def draw_table(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Cumulative shares of the grey levels, in units of 2⁻³²: float [..., 256] → uint64 [..., 256].

    A random word w (32 bits) draws the number of entries ≤ w; a level of share 0 is never drawn.
    """
    cumulative = np.cumsum(levels, axis=-1, dtype=np.float64)
    if not np.all(np.isfinite(cumulative)) or np.any(levels < 0) or np.any(cumulative[..., -1] <= 0):
        raise ValueError("shares of grey levels: expected finite, not negative and not all 0")
    return np.rint(cumulative / cumulative[..., -1:] * 2.0**32).astype(np.uint64)


def exact_counts(levels: npt.NDArray[np.float64], pixels: int) -> npt.NDArray[np.int64]:
    """Shares [..., 256] as counts of `pixels` pixels a channel, by the largest-remainder method.

    Ties are broken in bit-reversed order of the levels (0, 128, 64, 192, 32, …), so that few pixels of equal shares are
    spread over all levels.
    """
    bit_reversed = np.array([int(f"{level:08b}"[::-1], 2) for level in range(LEVELS)])
    ideal = (levels / levels.sum(axis=-1, keepdims=True) * pixels).reshape(-1, LEVELS)
    counts: npt.NDArray[np.int64] = np.floor(ideal + 1e-9).astype(np.int64)  # integers stay
    for row in range(len(counts)):
        order = np.lexsort((bit_reversed, counts[row] - ideal[row]))
        counts[row, order[: pixels - counts[row].sum()]] += 1
    return counts.reshape(levels.shape)


def draw_guide(tables: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """The levels that the words b·2³²/GUIDE draw, b = 0…GUIDE (last: 2³² − 1): brackets of every draw.

    [T, C, 256] → [T, C, GUIDE + 1].
    """
    words = np.minimum(np.arange(GUIDE + 1, dtype=np.uint64) * np.uint64(2**32 // GUIDE), np.uint64(2**32 - 1))
    rows = [np.searchsorted(row[:-1], words, side="right") for row in tables.reshape(-1, LEVELS)]
    return np.stack(rows).astype(np.uint8).reshape(*tables.shape[:2], GUIDE + 1)


def bin_of_level(bins: int) -> npt.NDArray[np.uint8]:
    """The histogram bin of each grey level, max(0, ⌈B·v/255⌉ − 1): uint8 [256]; the upper edge belongs to a bin."""
    if not 1 <= bins <= LEVELS:
        raise ValueError(f"bins: expected from 1 to {LEVELS}, got {bins}")
    level = np.arange(LEVELS)
    return np.maximum(0, -(-bins * level // 255) - 1).astype(np.uint8)


def levels_within_bins(histogram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shares of bins, spread evenly over the grey levels of each bin: [..., B] → [..., 256]. `draw=bins`, as in 2015."""
    bins = bin_of_level(histogram.shape[-1])
    size = np.bincount(bins, minlength=histogram.shape[-1])
    return np.asarray(histogram[..., bins] / size[bins], dtype=np.float64)


Words = npt.NDArray[np.uint64]
NO_PERTURBATIONS: Words = np.zeros((0, LEVELS), dtype=np.uint64)  # of a rate of 0
NO_PERTURBATIONS.setflags(write=False)  # like the tables, so that kernels are compiled once for both
FINE = 128  # bits after the point
PI = 0x3243F6A8885A308D313198A2E03707344  # in units of 2⁻¹²⁸
FARTHEST = 7 << FINE  # standard deviations beyond which less than 2⁻³² lies


@lru_cache(maxsize=8)
def gaussian_perturbations(sd: float) -> Words:
    """Normal noise of `sd` grey levels, rounded to integers and clipped to 0…255. → [256, 256].

    P(new ≤ y | v) = Φ((y − v + ½)/sd); Φ(−x) = 1 − Φ(x).
    """
    numerator, denominator = sd.as_integer_ratio()  # a float is a fraction exactly
    above = [normal_cdf(((2 * k + 1) * denominator << FINE) // (2 * numerator)) for k in range(LEVELS)]
    below = [(1 << 32) - share for share in reversed(above)]
    shares = np.array(below + above, dtype=np.uint64)  # P(noise ≤ −256), P(noise ≤ −255), … P(noise ≤ 255)
    return close_table(np.stack([shares[LEVELS - v : 2 * LEVELS - v] for v in range(LEVELS)]))


def normal_cdf(x: int) -> int:
    """Φ of x ≥ 0 in units of 2⁻¹²⁸, in units of 2⁻³²: ½ + Σ (−1)ⁿ·x²ⁿ⁺¹ / (2ⁿ·n!·(2n + 1)) ÷ √(2π).

    The largest term is below 2³⁶ (x ≤ 7), so of 128 bits after the point more than 64 are right.
    """
    if x > FARTHEST:
        return 1 << 32
    square, power, total, n = x * x >> FINE, x, 0, 0
    while power:
        total += (-power if n % 2 else power) // (2 * n + 1)
        n += 1
        power = (power * square >> FINE) // (2 * n)
    share = (total << FINE) // isqrt(2 * PI << FINE)
    return (1 << 31) + (share >> (FINE - 32))


@lru_cache(maxsize=8)
def polynomial_perturbations(eta: int) -> Words:
    """Polynomial mutation of distribution index `eta`, bounded to 0…255, rounded to integers. → [256, 256].

    Deb and Agrawal 1995, as in NSGA-II: half of the pixels go down, the others up by the mirrored distribution, with
    P(new ≤ v − t | v) = ((1 − t/255)^(η+1) − a) / (2·(1 − a)), a = (1 − v/255)^(η+1). η is an integer, so the
    powers are of integers.
    """
    powers = [j ** (eta + 1) for j in range(2 * LEVELS - 1)]  # of j/510: half levels are integers
    down = [[share_below(powers, v, y) for y in range(v)] for v in range(LEVELS)]
    rows = [down[v] + [(1 << 32) - share for share in reversed(down[LEVELS - 1 - v])] + [1 << 32] for v in range(LEVELS)]
    return close_table(np.array(rows, dtype=np.uint64))


def share_below(powers: list[int], v: int, y: int) -> int:
    """P(new < y + ½ | v) for y < v, in units of 2⁻³²."""
    rest = powers[510 - 2 * v]
    return (powers[510 - 2 * v + 2 * y + 1] - rest << 32) // (2 * (powers[510] - rest))


def close_table(table: Words) -> Words:
    """The table with its last column set to 2³², read-only."""
    table[:, -1] = 1 << 32
    table.setflags(write=False)
    return table
