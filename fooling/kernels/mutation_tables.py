"""Tables of perturbation mutations: cumulative shares of the new grey level, made by integer arithmetic alone.

A table is uint64 [256, 256]: row v says, in units of 2⁻³², how often the new level of a pixel of level v is at most 0, 1 … 255.
A random word w (32 bits) draws the number of entries ≤ w. `exp`, `erf` and powers of floats differ between machines in their
last bits; Python's integers of any length do not.
"""

from functools import lru_cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import LEVELS

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
