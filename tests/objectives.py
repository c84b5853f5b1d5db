"""Small searches: an objective with the parameters of the genetic algorithm, and when two states are equal."""

from dataclasses import replace
from typing import Any

import numpy as np
from builders import random_network, random_statistics

from fooling.kernels.tables import draw_table
from fooling.search.evolution_strategy import ReferenceStrategy, StrategyParams
from fooling.search.genetic import GeneticParams
from fooling.search.loop import stages
from fooling.search.objective import Objective, make_objective
from fooling.search.prior import TermTargets
from fooling.search.state import History, State
from fooling.search.stopping import StoppingCriteria

WEIGHTS = {"target": 1.0, "histogram": 1.0, "variogram": 1.0}
ALL = {**WEIGHTS, "regional": 0.5, "eigen": 0.001}  # of random images it is large, and mutation rates follow the cost
LIGHT = {"target": 1.0}  # terms that are not scored need not be compiled
PRIOR = ("exemplar", "lag_weights", "quirk_lag1", "quirk_axes", "lags", "bins", "hinge", "target_free")
DIGITS = ("digit", "prior_digit")
ANY = {"digit": "any", "weights": {"target": 1.0}, "network": 3}  # no class's statistics; this one's largest scores differ
ANY_OF_1 = {"digit": "any", "prior_digit": 1, "network": 3}
PLAN = StoppingCriteria(runs=3, first=12, population=12, last=6, stop="end", threshold=0.999, tol=None, returns="best", digit=1)


def objective_of(
    classifier: Any, statistics: Any, *, digit: Any = 1, prior_digit: int | None = None, weights: dict = WEIGHTS, **varied: Any
) -> Objective:
    """An objective; `varied` are target_free, seed and fields of TermTargets."""
    of_class = digit if prior_digit is None else prior_digit
    given = {name: varied.pop(name) for name in ("target_free", "seed") if name in varied}
    targets = None if of_class == "any" else TermTargets(digit=of_class, **varied)
    return make_objective(classifier, statistics, targets, digit=digit, weights=weights, **given)


def strategy_of(params: StrategyParams) -> ReferenceStrategy:
    """search=es against random weights of seven classes, without a prior; digit 2 is the target."""
    network = random_network(params.shape, classes=7)
    objective = objective_of(network, random_statistics(params.shape), weights={"target": 1.0}, digit=2)
    return ReferenceStrategy(objective, params)


def run_loop(search: Any, criteria: StoppingCriteria) -> History:
    """Evolves all runs side by side until each has ended."""
    *_, last = stages(search, criteria)
    return last.history


def small_search(
    shape: tuple[int, int, int], classifier: Any = None, weights: dict = WEIGHTS, **varied: Any
) -> tuple[Objective, GeneticParams]:
    statistics = random_statistics(shape)
    quirks = {name: varied.pop(name) for name in PRIOR if name in varied}
    wanted = {"digit": 1, **{name: varied.pop(name) for name in DIGITS if name in varied}}
    network = random_network(shape, seed=varied.pop("network", 0))
    objective = objective_of(classifier or network, statistics, weights=weights, **wanted, **quirks)
    breeding = GeneticParams(
        shape=shape,
        population=12,
        selected=4,
        tables=draw_table(statistics.exemplar_levels[1] if quirks.get("exemplar") else statistics.levels[None, 1]),
        mixing=True,
        mutate_factor=1.0,
        min_rate=0.001,
        swap=2**16,
        elitism=True,
        seed=3,
    )
    return objective, replace(breeding, **varied)


def equal(one: State, other: State) -> bool:
    return all(np.array_equal(one.arrays()[name], other.arrays()[name]) for name in one.arrays())


def alike(mine: State, wanted: State) -> bool:
    """Costs and scores to 1e-5, and the same images except among costs within 2e-5."""
    close = np.abs(np.diff(wanted.costs, axis=1)) < 2e-5
    tied = np.pad(close, ((0, 0), (1, 0))) | np.pad(close, ((0, 0), (0, 1)))
    tied[:, -1] = True  # its rival is not among the selected
    same = (mine.images == wanted.images).all(axis=(2, 3, 4))
    return (
        np.allclose(mine.costs, wanted.costs, rtol=1e-5, atol=1e-5)
        and np.allclose(mine.scores[same], wanted.scores[same], atol=1e-5)
        and np.array_equal(mine.changed, wanted.changed)
        and bool((same | tied).all())
        and same.mean() > 0.7
        and (mine.generation, mine.runs.tolist()) == (wanted.generation, wanted.runs.tolist())
    )


class Foreign:
    """A classifier that is not built in: brightness of the upper half against the lower half."""

    num_classes, labels, fingerprint = 2, ("up", "down"), "none"

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.input_shape = shape
        self.asked = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.asked += len(images)
        half = self.input_shape[0] // 2
        up = images[:, :half].mean(axis=(1, 2, 3)) - images[:, half:].mean(axis=(1, 2, 3))
        score = 1 / (1 + np.exp(-up.astype(np.float32) / 20))
        return np.stack([score, 1 - score], axis=1).astype(np.float32)


def combined(usual: dict[str, str], words: tuple[str, ...]) -> list[str]:
    """The usual words, replaced by those that are given."""
    return [f"{key}={value}" for key, value in {**usual, **dict(word.split("=", 1) for word in words)}.items()]
