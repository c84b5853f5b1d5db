"""Survival curves: the figures of textbooks, SciPy's curves, medians by hand, and how often intervals hold the truth."""

import warnings

import numpy as np
import pytest
from scipy.stats import CensoredData, binom, ecdf

from fooling.statistics.survival import Median, interval_rank, median_over, survival_curve

# Weeks in remission of 21 patients with 6-MP, + where they end without a relapse, and of 21 without (Freireich et al. 1963), as
# in Klein & Moeschberger 2003, table 1.1.
DRUG = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def of(times: str) -> tuple[list[float], list[bool]]:
    words = times.split()
    return [float(word.rstrip("+")) for word in words], [not word.endswith("+") for word in words]


def test_the_curve_of_a_textbook() -> None:
    curve = survival_curve(*of(DRUG))
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.share == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    errors = curve.share * np.sqrt(curve.spread)
    assert errors == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)
    assert curve.steps()[0] == [0, 1]
    assert curve.steps()[-1] == [35, pytest.approx(0.448, abs=5e-4)]


def test_medians_of_a_textbook() -> None:  # as PROC LIFETEST and stci print them, whose default is log(−log S)
    assert survival_curve(*of(DRUG)).median == (23, 13, None)
    assert survival_curve(*of(PLACEBO)).median == (8, 4, 11)


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_and_its_band_are_those_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    times, limit = random.integers(1, 40, 60), random.integers(5, 40, 60)
    reached, seen = times <= limit, np.minimum(times, limit)
    ours = survival_curve(seen, reached)
    theirs = ecdf(CensoredData(uncensored=seen[reached], right=seen[~reached])).sf
    at = np.searchsorted(theirs.quantiles, ours.times)
    assert ours.share == pytest.approx(theirs.probabilities[at])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # undefined where the share is 0 or 1
        band = theirs.confidence_interval(method="log-log")
    defined = (ours.share > 0) & (ours.share < 1)
    for mine, other in zip(ours.band(), (band.low, band.high), strict=True):
        assert mine[defined] == pytest.approx(other.probabilities[at][defined], abs=1e-4)  # z = 1.96


def test_without_censoring_the_curve_is_the_share_of_larger_values() -> None:
    curve = survival_curve([30, 10, 20, 40], [True] * 4)
    assert curve.steps() == [[0, 1], [10, 0.75], [20, 0.5], [30, 0.25], [40, 0]]
    assert curve.median.value == 20


def test_what_few_reach_has_no_median() -> None:
    curve = survival_curve([100, 500, 500, 500, 500], [True, False, False, False, False])
    assert curve.steps() == [[0, 1], [100, 0.8], [500, 0.8]]
    assert curve.median.value is None
    assert curve.median.within(500) == {"value": None, "low": curve.median.low or 500, "high": None, "above": 500}
    assert survival_curve([500] * 3, [False] * 3).median == (None, None, None)
    assert survival_curve([500] * 3, [False] * 3).median.within(500)["low"] == 500


def test_half_is_enough() -> None:
    assert survival_curve([7, 100], [True, False]).median.value == 7
    assert survival_curve([3, 5, 9, 9, 9, 9], [True, True, True, False, False, False]).median.value == 9


def test_one_run_says_little() -> None:
    assert survival_curve([7], [True]).median == (7, 7, None)


def test_a_run_that_ends_as_another_arrives_was_still_searching() -> None:
    assert survival_curve([5, 5], [True, False]).share.tolist() == [0.5]
    assert survival_curve([4, 5], [False, True]).share.tolist() == [0]


@pytest.mark.parametrize("runs", [([], []), ([1, 2], [True]), ([[1]], [[True]]), ([-1], [True]), ([np.inf], [False])])
def test_what_is_no_list_of_runs_is_refused(runs: tuple) -> None:
    with pytest.raises(ValueError, match="expected evaluations"):
        survival_curve(*runs)


def test_the_median_over_classes() -> None:
    assert median_over([30, None, 10]) == (30, 0, None)
    assert median_over([4, 1, 3, 2]).value == 2  # as of a curve: the smallest that half do not exceed
    assert median_over([1, None, None]).value is None
    assert median_over([5, 1, 6, 3, 2, 4]) == (3, 1, 6)
    assert median_over(list(range(1, 11))) == (5, 2, 9)  # Conover: ranks 2 and 9 of ten values
    assert median_over([1, 2, 3, None, None, None, None]) == (None, 1, None)
    assert median_over([None] * 8).within(1000) == {"value": None, "low": 1000, "high": None, "above": 1000}
    with pytest.raises(ValueError, match="at least one"):
        median_over([])


def test_figures_have_their_keys() -> None:
    assert Median(3.0, 1.0, None).within(9) == {"value": 3, "low": 1, "high": None}


@pytest.mark.parametrize("number", [6, 7, 10, 11, 25, 100, 1000])
def test_ranks_are_those_of_the_binomial_distribution(number: int) -> None:
    rank = interval_rank(number)
    assert binom.cdf(rank - 1, number, 0.5) <= 0.025 < binom.cdf(rank, number, 0.5)


def test_intervals_hold_the_median_as_often_as_they_say() -> None:
    random, held = np.random.default_rng(0), 0
    for _ in range(400):
        times = random.exponential(100, 40)
        _, low, high = survival_curve(np.minimum(times, 150), times <= 150).median
        held += low <= 100 * np.log(2) <= (np.inf if high is None else high)
    assert 0.92 < held / 400 < 0.98
