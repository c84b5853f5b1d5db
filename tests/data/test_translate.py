"""The tables of moves: the distributions that they stand for, to the last unit or nearly."""

import math

import numpy as np
import pytest

from fooling.kernels.tables import gaussian_perturbations, normal_cdf, polynomial_perturbations


def is_table(table: np.ndarray) -> bool:
    """Cumulative shares, [256, 256]."""
    rising = np.all(table[:, 1:] >= table[:, :-1])
    return table.shape == (256, 256) and table.dtype == np.uint64 and bool(rising) and bool(np.all(table[:, -1] == 2**32))


def normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


@pytest.mark.parametrize("x", [0.0, 0.5, 1.0, 3.0, 6.2, 7.0, 9.0, 1000.0])
def test_normal_cdf(x: float) -> None:
    assert normal_cdf(int(x * 2**128)) == pytest.approx(2**32 * normal(x), abs=1.01)


@pytest.mark.parametrize("sd", [1e-3, 0.3, 1.0, 20.0, 255.0])
def test_gaussian_moves(sd: float) -> None:
    table = gaussian_perturbations(sd)
    assert is_table(table)
    for level in (0, 1, 100, 254, 255):
        expected = [normal((new - level + 0.5) / sd) for new in range(255)]
        assert np.abs(table[level, :-1] / 2**32 - expected).max() < 2 / 2**32


@pytest.mark.parametrize("eta", [0, 1, 20, 300])
@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_polynomial_moves_follow_the_formula(eta: int, level: int) -> None:
    """The formula as NSGA-II has it, over a fine grid of its uniform number u."""
    table, x, n = polynomial_perturbations(eta), level / 255, 200_000
    u = (np.arange(n) + 0.5) / n
    low, high = u[u <= 0.5], u[u > 0.5]
    down = (2 * low + (1 - 2 * low) * (1 - x) ** (eta + 1)) ** (1 / (eta + 1)) - 1
    up = 1 - (2 * (1 - high) + 2 * (high - 0.5) * x ** (eta + 1)) ** (1 / (eta + 1))
    new = np.floor((x + np.concatenate([down, up])) * 255 + 0.5 + 1e-9).astype(int)
    shares = np.cumsum(np.bincount(new, minlength=256)) / n
    assert is_table(table)
    assert np.abs(table[level] / 2**32 - shares).max() < 1e-4


def test_polynomial_moves_are_smaller_the_larger_eta() -> None:
    shares = [np.diff(polynomial_perturbations(eta)[128] / 2**32, prepend=0) for eta in (0, 5, 20, 100)]
    spread = [(share * np.abs(np.arange(256) - 128)).sum() for share in shares]
    assert np.all(np.diff(spread) < 0)
    assert spread[2] == pytest.approx(255 / 22, rel=0.05)  # E|δ| = 1/(η + 2)
