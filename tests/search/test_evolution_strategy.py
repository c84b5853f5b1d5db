"""search=es: the step by hand, runs that do not depend on each other, engines alike, and whole jobs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from objectives import ANY, WEIGHTS, objective_of

import fooling
from fooling.commands import dispatch
from fooling.data.npz import read_arrays
from fooling.errors import UserError, guarded
from fooling.records.ownership import GENOMES
from fooling.records.record import read_image, read_run
from fooling.search import evolution_strategy
from fooling.search.evolution_strategy import (
    NumbaStrategy,
    ReferenceStrategy,
    StrategyParams,
    utilities,
)
from fooling.search.genomes import make_genome
from fooling.search.objective import logarithmic_losses
from fooling.search.state import GENOME
from fooling.settings import load

RUNS = np.array([0, 5, 2], dtype=np.uint32)
SHAPE = (9, 13, 1)
RATES: dict[str, Any] = {"sigma": 1.0, "mean_rate": 1.0, "sigma_rate": 1.0}
PARAMS = StrategyParams(SHAPE, "dct", 4, population=12, explore=0, restart=0, patch=0, **RATES, antithetic=True, seed=3)


def make(shape: tuple[int, int, int] = SHAPE, weights: Any = None, digit: Any = 1, **varied: Any) -> tuple:
    network = random_network(shape)
    objective = objective_of(network, random_statistics(shape), weights=weights or {"target": 1.0}, digit=digit)
    return objective, replace(PARAMS, shape=shape, **varied)


def test_utilities() -> None:
    assert utilities(20).sum() == pytest.approx(0)
    assert (np.diff(utilities(20)) <= 0).all()
    assert utilities(4) == pytest.approx([0.4804, 0.0196, -0.25, -0.25], abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "loss"),
    [
        ([0.9, 0.1, 0.0], -np.log(0.9)),
        ([0.2, 0.5, 0.3], -np.log(0.2)),
        ([0.6, 0.9, 0.3], -np.log(0.6) + np.log(0.6 / 0.5) / 2),
        ([0.9, 0.95, 0.1], -np.log(0.9) + np.log(0.95 / 0.9)),
        ([1.0, 0.0, 0.0], 0.0),
    ],
)
def test_the_loss_by_hand(scores: list[float], loss: float) -> None:
    assert logarithmic_losses(np.array([scores], dtype=np.float32))[:, 0] == pytest.approx([loss], abs=1e-6)


def test_the_loss_has_a_slope_where_the_score_has_none() -> None:
    scores = np.array([[1e-30, 1], [1e-20, 1], [1e-10, 1]], dtype=np.float32)
    assert np.diff(logarithmic_losses(scores)[:, 0]).max() < -20
    assert np.isfinite(logarithmic_losses(np.array([[0, 1]], dtype=np.float32))).all()


def test_a_step_by_hand() -> None:
    objective, params = make(population=4)
    search = ReferenceStrategy(objective, params)
    state = search.init(RUNS[:1])
    mean, sigma = state.aux["mean"][0], state.aux["sigma"][0]
    steps = search.draw(0, 1)
    assert np.array_equal(steps[:2], -steps[2:])
    images = make_genome("dct", SHAPE, 4).decode((mean + sigma * steps).astype(np.float32))
    scores = objective.classifier(images)
    order = np.argsort(logarithmic_losses(scores)[:, 1], kind="stable")
    weights = np.zeros(4)
    weights[order] = utilities(4)
    size = len(mean)
    following = search.step(state)
    assert following.aux["mean"][0] == pytest.approx(mean + sigma * (weights @ steps))
    rate = (3 + np.log(size)) / (5 * size**0.5)
    assert following.aux["sigma"][0] == pytest.approx(sigma * np.exp(rate / 2 * (weights @ (steps**2 - 1))))
    assert following.generation == 1


@pytest.mark.parametrize(
    "varied",
    [
        {},
        {"genome": "grid"},
        {"genome": "cppn"},
        {"genome": "pixels", "antithetic": False, "population": 7},
        {"population": 7},
        {"genome": "cppn", "explore": 4, "restart": 1},
        {"genome": "cppn", "explore": 3, "weights": {"target": 0.0, "histogram": 1.0, "variogram": 1.0}},
        {"explore": 2, "digit": "any"},
        {"shape": (8, 8, 3), "weights": WEIGHTS},
        {"digit": "any", "sigma": 3.0},
        {"weights": {"target": 0.0, "histogram": 1.0, "variogram": 1.0}},
    ],
    ids=str,
)
def test_engines_step_alike_and_runs_depend_on_no_others(monkeypatch: pytest.MonkeyPatch, varied: dict) -> None:
    objective, params = make(**varied)
    slow, fast = ReferenceStrategy(objective, params), NumbaStrategy(objective, params)
    one, other = slow.init(RUNS), fast.init(RUNS)
    for _ in range(3):
        one, other = slow.step(one), fast.step(other)
    assert np.array_equal(one.images, other.images)
    assert one.costs == pytest.approx(other.costs, abs=1e-5)
    monkeypatch.setattr(evolution_strategy, "BLOCK", params.population)  # a run at a time
    alone = fast.init(RUNS[1:2])
    for _ in range(3):
        alone = fast.step(alone)
    assert set(alone.aux) == set(one.aux) == set(other.aux)
    for name, array in alone.aux.items():
        assert np.array_equal(array[0], other.aux[name][1]), name
    assert np.array_equal(make_genome(params.genome, params.shape, 4).decode(other.aux[GENOME]), other.images[:, 0])


def test_the_best_image_stays() -> None:
    objective, params = make(mean_rate=5.0)
    search = NumbaStrategy(objective, params)
    state, before = search.init(RUNS), np.full(3, np.inf)
    for _ in range(20):
        state = search.step(state)
        assert (state.aux["value"] <= before).all()
        before = state.aux["value"]
    loss = logarithmic_losses(objective.classifier(state.images[:, 0]))[:, 1]
    assert loss == pytest.approx(before, abs=1e-5)


def test_with_any_class_each_image_is_ranked_by_its_largest_score() -> None:
    objective, params = make(**{key: value for key, value in ANY.items() if key != "network"})
    search = NumbaStrategy(objective, params)
    state = search.init(RUNS)
    first = state.scores[:, 0].max(axis=1)
    for _ in range(15):
        state = search.step(state)
    assert (state.scores[:, 0].max(axis=1) >= first).all()


# --- whole jobs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("genome", ["cppn", "dct", "grid", "pixels"])
def test_a_job_succeeds_and_keeps_its_genomes(tmp_path: Path, genome: str) -> None:
    network = random_network((16, 16, 3), classes=5)
    result = fooling.evolve(digit=4, search="es", genome=genome, detail=6, classifier=network, runs=3, out=str(tmp_path / "r"))
    assert result.converged.all()
    assert (result.evaluations < 1000).all()
    saved = read_arrays(tmp_path / "r" / GENOMES)
    assert (str(saved["genome"]), int(saved["detail"]), saved["shape"].tolist()) == (genome, 6, [16, 16, 3])
    images = make_genome(genome, (16, 16, 3), 6).decode(saved["genomes"])
    assert np.array_equal(images, result.images)
    assert "genomes.npz" in read_run(tmp_path / "r")["files"]


def test_a_prior_has_a_part_in_the_rank() -> None:
    network = random_network((8, 8, 1), classes=10)
    common = {"digit": 3, "search": "es", "classifier": network, "runs": 4, "generations": 60, "stop": "end", "detail": 4}
    free = fooling.evolve(**common)
    kept = fooling.evolve(**common, prior="histogram", data={"kind": "sklearn"})
    assert np.median(kept.terms["histogram"]) < 0.06
    assert "histogram" not in free.terms


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"detail": 40}, "search.detail: expected at most the 28 pixels of the shorter side, got 40"),
        ({"population": 3}, "search.population: expected 4 or more, got 3"),
        ({"genome": "cppm"}, "search.genome: expected"),
        ({"budget": 10}, "budget: expected at least 20, got 10"),
        ({"engine": "jax"}, "engine=jax has no search=es"),
        ({"swaps": 2}, "search.swaps: expected search=ga"),
        ({"draw": "bins"}, "search.draw: expected search=ga"),
    ],
    ids=str,
)
def test_refusals(words: dict, message: str) -> None:
    with pytest.raises(UserError) as told:
        fooling.evolve(digit=2, search="es", **words)
    assert message in str(told.value)


# --- when it is the default -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "classes", "words", "search", "why"),
    [
        ((65, 20, 1), 4, {}, "es", "search=es for images of 65×20 pixels; search=ga varies single pixels"),
        ((20, 66, 3), 4, {}, "es", "images of 20×66 pixels"),
        ((8, 8, 1), 21, {}, "es", "search=es for 21 classes"),
        ((8, 8, 1), 20, {"prior": "none"}, "ga", ""),
        ((65, 20, 1), 4, {"search": "ga", "prior": "none"}, "ga", ""),
        ((65, 20, 1), 4, {"population": 10}, "es", ""),
        ((65, 20, 1), 4, {"budget": 40}, "es", "search=es"),  # below the population of search=ga
        ((65, 20, 1), 4, {"swaps": 1.0, "prior": "none"}, "ga", ""),
    ],
    ids=str,
)
def test_the_default_suits_the_classifier(
    tmp_path: Path, shape: tuple[int, int, int], classes: int, words: dict, search: str, why: str
) -> None:
    network = random_network(shape, classes=classes)
    fooling.evolve(digit=1, classifier=network, runs=2, generations=2, out=str(tmp_path / "r"), **words)
    run = read_run(tmp_path / "r")
    assert run["search"] == search
    assert any(why in note for note in run["notes"]) or not why
    assert (run["prior"], run["threshold"]) == ("none", 0.9999)
    repeated = fooling.evolve(str(tmp_path / "r/config.yaml"), classifier=network)
    assert np.array_equal(repeated.images[0], read_image(tmp_path / "r/images/0000.png"))


def test_a_sweep_says_so_in_its_settings(home: Path) -> None:
    network = random_network((8, 8, 1), classes=30)
    network.save(Path("net.safetensors"))
    words = ["run", "classifier=mlp", "classifier.path=net.safetensors", "digit=3,4", "runs=2", "generations=2", "quiet=true"]
    assert guarded(dispatch, [*words, "out=s"]) == 0
    assert load(["s/config.yaml"]).search.name == "es"
    assert guarded(dispatch, ["run", "s/config.yaml", "out=t"]) == 0
    for name in ("digit=3", "digit=4"):
        assert (Path("s") / name / "images/0001.png").read_bytes() == (Path("t") / name / "images/0001.png").read_bytes()
    assert guarded(dispatch, [*words, "out=s", "resume=true"]) == 0
