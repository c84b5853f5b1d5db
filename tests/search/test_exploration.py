"""How search=es explores: what is kept, what children are made of, when the strategy begins, restarts, resuming."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network
from objectives import objective_of, strategy_of

import fooling
from fooling.records.record import read_run
from fooling.search import exploration
from fooling.search.evolution_strategy import ReferenceStrategy, StrategyParams
from fooling.search.exploration import BEST, STONE_VALUES, STONES, TOP, TOP_VALUES
from fooling.search.state import GENOME
from fooling.settings import load

RATES: dict[str, Any] = {"sigma": 0.3, "mean_rate": 1.0, "sigma_rate": 1.0, "antithetic": True}
PARAMS = StrategyParams((9, 8, 1), "cppn", 5, population=6, explore=5, restart=3, patch=0, **RATES, seed=2)


def make(**varied: Any) -> ReferenceStrategy:
    return strategy_of(replace(PARAMS, **varied))


def test_what_is_kept_is_the_best_of_all() -> None:
    random = np.random.default_rng(1)
    genomes = random.standard_normal((5, 2, 6, 3)).astype(np.float32)
    losses, values = random.random((5, 2, 6, 4)), random.random((5, 2, 6))
    finds = exploration.no_finds(2, 4, 3)
    for each in range(5):
        before = {name: array.copy() for name, array in finds.items()}
        after = exploration.offer(finds, genomes[each], losses[each], values[each])
        assert all(np.array_equal(finds[name], before[name]) for name in finds), "a state does not change"
        finds = after
    for run in range(2):
        every = genomes[:, run].reshape(-1, 3)
        assert np.array_equal(finds[STONES][run], every[losses[:, run].reshape(-1, 4).argmin(axis=0)])
        assert np.array_equal(finds[STONE_VALUES][run], losses[:, run].min(axis=(0, 1)))
        order = np.argsort(values[:, run].ravel(), kind="stable")[:BEST]
        assert np.array_equal(finds[TOP][run], every[order])
        assert np.array_equal(finds[TOP_VALUES][run], values[:, run].ravel()[order])


def test_children_are_made_of_what_was_found() -> None:
    finds = exploration.no_finds(1, 3, 50)
    finds[TOP][0, :2] = [[1], [2]]
    finds[TOP_VALUES][0, :2] = 0
    finds[STONES][0] = [[10], [20], [30]]
    params = replace(exploration.offspring_params(400), mutation_rate=0.0, line_sd=0.0)
    made = exploration.children(finds, 0, np.random.default_rng(0), params)
    assert set(np.unique(made)) == {1, 2, 10, 20, 30}, "none of the places of the target that are still empty"
    uncrossed = made[(made == made[:, :1]).all(axis=1), 0]
    assert (uncrossed < 10).mean() == pytest.approx(exploration.OWN, abs=0.08)


def test_the_strategy_begins_at_the_best() -> None:
    search = make()
    state = search.init(np.arange(2, dtype=np.uint32))
    for generation in range(1, 5):
        assert STONES in state.aux
        assert state.generation == generation - 1
        state = search.step(state)
    assert not set(exploration.ARRAYS) & set(state.aux), "what was found is not carried on"
    assert np.array_equal(state.aux["mean"], state.aux[GENOME])
    assert (state.aux["sigma"] == 0.3).all()
    following = search.step(state)
    assert not np.array_equal(following.aux["mean"], state.aux["mean"])


def test_waves_begin_with_the_strategy() -> None:
    search = make(genome="mixed")
    state = search.init(np.arange(2, dtype=np.uint32))
    for _ in range(4):
        state = search.step(state)
    explored = search.genome.explored
    assert not state.aux["mean"][:, explored:].any()
    assert state.aux["mean"][:, :explored].any()
    assert search.step(state).aux["mean"][:, explored:].all()


def test_exploring_finds_more_than_random_images_do() -> None:
    def found(share: float, monkeypatch: pytest.MonkeyPatch) -> float:
        monkeypatch.setattr(exploration, "RANDOM", share)
        search = make(explore=40)
        state = search.init(np.arange(8, dtype=np.uint32))
        for _ in range(39):
            state = search.step(state)
        return float(np.median(state.aux["value"]))

    with pytest.MonkeyPatch.context() as patch:
        assert found(0.4, patch) < found(1.0, patch)


def test_deviations_widen_where_nothing_improves() -> None:
    search = make(explore=0)
    state = search.init(np.arange(3, dtype=np.uint32))
    state.aux["value"][:2] = -1  # nothing is better
    sigma = state.aux["sigma"].copy()
    for _ in range(3):
        state = search.step(state)
    assert np.array_equal(state.aux["mean"][:2], state.aux[GENOME][:2])
    assert (state.aux["sigma"][:2] == 0.15).all()
    assert (state.aux["still"][:2] == 0).all()
    assert not (state.aux["sigma"][2] == 0.15).any()
    assert not np.array_equal(sigma[2], state.aux["sigma"][2])


@pytest.mark.parametrize("generations", [3, 8, 20])
def test_a_longer_job_begins_as_a_shorter_one(tmp_path: Path, generations: int) -> None:
    common = {"digit": 3, "search": "es", "genome": "cppn", "explore": 160, "restart": 2, "stop": "end", "detail": 4, "runs": 2}
    network = random_network((8, 8, 1), classes=7)
    whole = fooling.evolve(**common, classifier=network, generations=25)
    fooling.evolve(**common, classifier=network, generations=generations, out=str(tmp_path / "r"))
    again = fooling.evolve(**common, classifier=network, generations=25, out=str(tmp_path / "r"), resume=True)
    assert np.array_equal(again.images, whole.images)
    assert np.array_equal(again.evaluations_to, whole.evaluations_to)


@pytest.mark.parametrize(
    ("classes", "words", "explore", "restart"), [(20, {}, 0, 0), (21, {}, 25, 15), (21, {"genome": "dct"}, 0, 0)]
)
def test_defaults_follow_the_number_of_classes(classes: int, words: dict, explore: int, restart: int) -> None:
    objective = objective_of(random_network((9, 8, 1), classes=classes), None, weights={"target": 1.0})
    params = StrategyParams.from_settings(load(["search=es", *(f"{k}={v}" for k, v in words.items())]), objective)
    assert (params.explore, params.restart, params.sigma) == (explore, restart, 0.3 if explore else 1.0)
    assert (params.genome, params.detail) == ("mixed", 16) if explore else ("dct", 8)


def test_a_budget_within_exploration(tmp_path: Path) -> None:
    network = random_network((8, 8, 1), classes=30)
    fooling.evolve(digit=3, classifier=network, search="es", budget=60, threshold=1.0, runs=1, out=str(tmp_path / "r"))
    assert read_run(tmp_path / "r")["images"][0]["evaluations"] == 60
