"""How many evaluations it takes to reach a level, where some runs end before they reach it: survival curves and medians.

A run that ends without the level is censored: that it takes more evaluations than it had is all that is known of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Doubles, Flags
from fooling.statistics.intervals import Z

FEWEST = 6  # values of which an interval for their median exists: 1 − 2·½ⁿ ≥ .95
COVERAGE = 0.95


class Median(NamedTuple):
    """A median of evaluations with its 95 % interval; None is more than was tried."""

    value: float | None
    low: float | None
    high: float | None

    def within(self, budget: float) -> dict[str, float | None]:
        """The keys of a figure: what was not reached is above the budget, so that `low` is never null."""
        found = {"value": self.value, "low": budget if self.low is None else self.low, "high": self.high}
        return found if self.value is not None else {**found, "above": budget}


@dataclass(frozen=True)
class SurvivalCurve:
    """The share of the runs that have not reached a level, over the evaluations (Kaplan & Meier 1958).

    Equal to S(t) = Π (1 − dᵢ/nᵢ) over the times tᵢ ≤ t at which dᵢ of the nᵢ runs that were still searching reached it.
    """

    times: Doubles  # [T], at which at least one run reached the level, in order
    share: Doubles  # [T], S after each of them
    spread: Doubles  # [T], Greenwood's Σ dᵢ / (nᵢ (nᵢ − dᵢ)): the variance of log S; infinite where S is 0
    last: float  # the most evaluations of any run

    def steps(self) -> list[list[float]]:
        """[evaluations, share not yet reached] from [0, 1] on, at each step and at the end; the share holds up to the next."""
        points = [[0.0, 1.0], *([float(t), float(s)] for t, s in zip(self.times, self.share, strict=True))]
        return points if points[-1][0] >= self.last else [*points, [self.last, points[-1][1]]]

    def band(self) -> tuple[Doubles, Doubles]:
        """Pointwise 95 % limits [T], [T] of the share, from log(−log S), so that they stay in [0, 1].

        Kalbfleisch & Prentice 1980; Klein & Moeschberger 2003, eq. 4.3.2. Where nobody is left, 0 and 1.
        """
        low, high = np.zeros(len(self.times)), np.ones(len(self.times))
        inside = self.share > 0
        log = np.log(self.share[inside])
        half = Z * np.sqrt(self.spread[inside]) / np.abs(log)
        low[inside], high[inside] = np.exp(log * np.exp(half)), np.exp(log * np.exp(-half))
        return low, high

    @property
    def median(self) -> Median:
        """The fewest evaluations after which at most half of the runs have not reached the level, with its interval.

        The interval holds every time whose share does not differ from ½ (Brookmeyer & Crowley 1982, with log(−log S) as in
        Klein & Moeschberger 2003, § 4.5): it lies between the places where both limits of the band fall to ½.
        """
        low, high = self.band()
        return Median(*(self.first_below(limit) for limit in (self.share, low, high)))

    def first_below(self, limit: Doubles) -> float | None:
        """The first time at which a curve [T] is at most ½; None where it never is."""
        places = np.flatnonzero(limit <= 0.5 + 1e-12)  # products of shares may miss ½ by rounding
        return float(self.times[places[0]]) if len(places) else None


def survival_curve(evaluations: npt.ArrayLike, reached: npt.ArrayLike) -> SurvivalCurve:
    """The curve of runs with so many evaluations [N] each, to the level where `reached` [N], else to their end.

    A run that ends at the moment at which another reaches the level was still searching then. Raises ValueError for no run,
    for negative or infinite evaluations, and for lists of unequal lengths.
    """
    times, flags = np.asarray(evaluations, dtype=np.float64), np.asarray(reached, dtype=np.bool_)
    check(times, flags)
    steps = np.unique(times[flags])
    searching = np.array([(times >= t).sum() for t in steps], dtype=np.float64)
    arrived = np.array([(times[flags] == t).sum() for t in steps], dtype=np.float64)
    left = searching - arrived
    terms = np.divide(arrived, searching * left, out=np.full(len(steps), np.inf), where=left > 0)
    return SurvivalCurve(steps, np.asarray(np.cumprod(left / searching)), np.asarray(np.cumsum(terms)), float(times.max()))


def check(times: Doubles, flags: Flags) -> None:
    """Raises ValueError for what is no list of runs."""
    if times.ndim != 1 or times.shape != flags.shape or not len(times):
        raise ValueError(f"expected evaluations [N] and flags [N], N ≥ 1, got {list(times.shape)} and {list(flags.shape)}")
    if not (np.isfinite(times).all() and times.min() >= 0):
        raise ValueError(f"expected evaluations of 0 or more, got {times.min():g} … {times.max():g}")


def median_over(values: Sequence[float | None]) -> Median:
    """The median of values of which None is larger than all others, such as the medians of classes, with its 95 % interval.

    The smallest value that at least half of them do not exceed. The interval goes from the j-th smallest value to the j-th
    largest, with the largest j that leaves Binomial(n, ½) < j at most 2.5 % (distribution-free: Conover 1999, § 3.2; David &
    Nagaraja 2003, § 7.1). It is one for values drawn from many, such as classes; of fewer than six there is none: 0 and None.
    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("expected at least one value, got none")
    order: list[Any] = sorted(value for value in values if value is not None)
    order += [None] * (len(values) - len(order))
    middle = order[(len(order) - 1) // 2]
    if len(order) < FEWEST:
        return Median(middle, 0.0, None)
    rank = interval_rank(len(order))
    return Median(middle, order[rank - 1], order[len(order) - rank])


def interval_rank(number: int) -> int:
    """The largest j for which the j-th smallest and j-th largest of so many values enclose their median in 95 % of samples."""
    rank, below = 0, 1
    while 2 * below <= (1 - COVERAGE) * 2**number:  # below: 2ⁿ P(Binomial(n, ½) ≤ rank)
        rank += 1
        below += comb(number, rank)
    return rank
