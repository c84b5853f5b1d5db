"""The integer tables: exact values, and the distributions that they stand for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fooling.kernels import tables


def test_log_table_is_log2() -> None:
    table = tables.log2_table()
    expected = [math.log2(1 + i / tables.LOG_NODES) for i in range(tables.LOG_NODES + 1)]
    assert np.abs(table / tables.LOG_ONE - expected).max() < 2e-12


@given(st.integers(1, 2**32))
@settings(max_examples=300, deadline=None)
def test_log2_fixed(x: int) -> None:
    assert tables.log2_fixed(x) / tables.LOG_ONE == pytest.approx(math.log2(x), abs=2e-7)


@pytest.mark.parametrize("threshold", [1, 1000, 21_400, 2**20, 2**23])
def test_gaps_are_geometric(threshold: int) -> None:
    rate = threshold / tables.RATE_ONE
    words = np.random.default_rng(threshold).integers(0, 2**32, 20_000)
    gaps = np.array([tables.geometric_skip(int(word), tables.log_survival(threshold)) for word in words])
    assert gaps.mean() == pytest.approx((1 - rate) / rate, rel=0.04)
    assert (gaps == 0).mean() == pytest.approx(rate, abs=4 * math.sqrt(rate / len(words)))


def test_no_rate_no_event() -> None:
    assert tables.log_survival(0) == 0


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_rate_out_of_range(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"expected in \[0, 1\), got {rate}"):
        tables.rate_threshold(rate)


@pytest.mark.parametrize("bins", [1, 2, 10, 64, 255, 256])
def test_bins_follow_the_formula(bins: int) -> None:
    expected = [max(0, math.ceil(bins * v / 255 - 1e-12) - 1) for v in range(256)]
    assert tables.bin_of_level(bins).tolist() == expected


@pytest.mark.parametrize("bins", [0, 257])
def test_bins_out_of_range(bins: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 256, got {bins}"):
        tables.bin_of_level(bins)


def test_levels_within_bins_keep_each_bins_share() -> None:
    histogram = np.random.default_rng(0).dirichlet(np.ones(10), 3)
    levels = tables.levels_within_bins(histogram)
    for channel in range(3):
        shares = np.bincount(tables.bin_of_level(10), levels[channel], minlength=10)
        assert shares == pytest.approx(histogram[channel])
    assert np.ptp(levels[0, :26]) == 0  # the first bin, 0 … 25, evenly


def test_draw_table_never_draws_a_level_without_share() -> None:
    levels = np.zeros((1, 256))
    levels[0, [3, 200]] = 0.25, 0.75
    table = tables.draw_table(levels)[0, :-1]
    drawn = np.searchsorted(table, [0, 2**30 - 1, 2**30, 2**32 - 1], side="right")
    assert drawn.tolist() == [3, 3, 200, 200]


@pytest.mark.parametrize("bad", [np.nan, -0.5, 0.0])
def test_draw_table_refuses(bad: float) -> None:
    levels = np.full((1, 256), bad)
    with pytest.raises(ValueError, match="finite, not negative and not all 0"):
        tables.draw_table(levels)
