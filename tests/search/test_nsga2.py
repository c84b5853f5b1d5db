"""search=pareto: domination by hand and by the library, engines alike, and whole jobs."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from jobs import run_recorded
from objectives import ANY_OF_1, DIGITS, PRIOR, WEIGHTS, Foreign, equal, objective_of

import fooling
from fooling.commands import dispatch
from fooling.errors import Interrupted, UserError, guarded
from fooling.kernels.numba.selection import nsga2_selection
from fooling.kernels.reference.annealing import shuffle_levels
from fooling.kernels.tables import draw_table, exact_counts
from fooling.records.record import read_image, read_images, read_run
from fooling.run import prepare, run_job
from fooling.search.genetic import GeneticParams
from fooling.search.job import Job
from fooling.search.nsga2 import NumbaPareto, ReferencePareto, mating_pool, select
from fooling.search.objective import Objective
from fooling.search.pareto_front import hypervolume, nondominated
from fooling.settings import load
from fooling.settings.schema import RunSettings

RUNS = np.array([0, 7], dtype=np.uint32)
QUICK = ("search=pareto", "population=12", "runs=3", "generations=20", "digit=2")


def make(shape: tuple[int, int, int], classifier: Any = None, **varied: Any) -> tuple[Objective, GeneticParams]:
    statistics = random_statistics(shape)
    terms = {name: varied.pop(name) for name in PRIOR if name in varied}
    wanted = {"digit": 1, **{name: varied.pop(name) for name in DIGITS if name in varied}}
    network = random_network(shape, seed=varied.pop("network", 0))
    objective = objective_of(classifier or network, statistics, weights=WEIGHTS, **wanted, **terms)
    levels = statistics.exemplar_levels[1].astype(float) if terms.get("exemplar") else statistics.levels[None, 1]
    rates = {"mutate_factor": 1.0, "min_rate": 0.001, "swap": 2**16, "elitism": True, "seed": 3, "mixing": True, **varied}
    return objective, GeneticParams(shape=shape, population=13, selected=4, tables=draw_table(levels), **rates)


def dominated(points: np.ndarray) -> np.ndarray:
    """Which points another one dominates, by the definition."""
    worse = (points[:, None] >= points).all(axis=2) & (points[:, None] > points).any(axis=2)
    return worse.any(axis=1)


def some_points(number: int, seed: int = 0, levels: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels, (number, 2)).astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_a_front_is_what_no_other_dominates(seed: int) -> None:
    points = some_points(40, seed)
    front = nondominated(points)
    assert not dominated(points)[front].any()
    assert {tuple(point) for point in points[~dominated(points)]} == {tuple(point) for point in points[front]}
    assert len({tuple(point) for point in points[front]}) == len(front)
    assert (np.diff(points[front], axis=0) * [1, -1] > 0).all()  # one way up, the other down


@pytest.mark.parametrize("seed", range(4))
def test_hypervolume_is_the_number_of_cells_that_are_dominated(seed: int) -> None:
    points = some_points(9, seed)
    cells = np.argwhere(np.ones((10, 8)))
    covered = (cells[:, None] >= points).all(axis=2).any(axis=1)
    assert covered.any()
    assert hypervolume(points, (10.0, 8.0)) == covered.sum()


def test_hypervolume_by_hand() -> None:
    points = np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0], [3.0, 0.0], [9.0, 9.0]])
    assert hypervolume(points, (4.0, 3.0)) == 1 * 1 + 2 * 2 + 1 * 3
    assert hypervolume(points, (0.0, 0.0)) == 0


@pytest.mark.parametrize(("number", "kept", "levels"), [(40, 20, 12), (30, 30, 4), (26, 13, 1000), (16, 4, 1), (40, 9, 6)])
def test_the_compiled_selection_is_that_of_the_library(number: int, kept: int, levels: int) -> None:
    objectives = np.stack([some_points(number, seed, levels) for seed in range(6)])
    which, crowding = nsga2_selection(objectives, kept)
    for r, points in enumerate(objectives):
        expected, distances = select(points, kept)
        chosen = points[which[r]]
        assert which[r].tolist() == expected.tolist()
        assert crowding[r] == pytest.approx(distances)
        assert len(set(which[r].tolist())) == kept
        left_out = np.delete(points, which[r], axis=0)
        worse = (chosen[:, None] >= left_out).all(axis=2) & (chosen[:, None] > left_out).any(axis=2)
        assert not worse.any()  # nothing that stays is dominated by what goes


def test_tournaments_prefer_what_dominates_and_leave_the_generator_alone() -> None:
    import random

    points = np.array([[float(i), float(i)] for i in range(40)])
    random.seed(1)
    before = random.getstate()
    pool = mating_pool(points, np.arange(40), np.zeros(40), 5)
    assert random.getstate() == before
    assert len(pool) == 40
    assert points[pool, 0].mean() < 16  # of 0 … 39; the winners of pairs
    assert np.array_equal(pool, mating_pool(points, np.arange(40), np.zeros(40), 5))
    assert not np.array_equal(pool, mating_pool(points, np.arange(40), np.zeros(40), 6))


@pytest.mark.parametrize(
    "varied",
    [
        {},
        {"exemplar": True, "lag_weights": "spread"},
        {"quirk_lag1": True},
        {"target_free": 0.9},
        ANY_OF_1,
        {"seed": 2**64 - 1},
    ],
    ids=str,
)
def test_numba_steps_as_the_reference(shape: tuple[int, int, int], varied: dict) -> None:
    slow, fast = ReferencePareto(*make(shape, **varied)), NumbaPareto(*make(shape, **varied), threads=2)
    one, other = slow.init(RUNS), fast.init(RUNS)
    assert equal(one, other)
    for _ in range(2):
        one, other = slow.step(one), fast.step(other)
        assert equal(one, other)
        assert (np.diff(one.costs, axis=1) >= 0).all()
        assert equal(fast.step(replace(one, statistics={})), fast.step(one))  # as from a checkpoint


def test_foreign_classifiers_are_asked_alike() -> None:
    of = make((8, 8, 1), classifier=Foreign((8, 8, 1)))
    slow, fast = ReferencePareto(*of), NumbaPareto(*of)
    assert equal(slow.step(slow.init(RUNS)), fast.step(fast.init(RUNS)))


def test_runs_depend_on_nothing_else() -> None:
    one, three = NumbaPareto(*make((8, 8, 1)), threads=1), NumbaPareto(*make((8, 8, 1)), threads=3)
    many = np.arange(9, dtype=np.uint32)
    whole, part = one.step(one.init(many)), three.step(three.init(many[4:6]))
    assert np.array_equal(whole.images[4:6], part.images)


# --- whole jobs -------------------------------------------------------------------------------------------------------


def corner_of(job: Job) -> tuple[float, float]:
    """Sure of another class; and as far from the prior as noise of the class's grey levels, in the mean over all targets."""
    objective, (height, width, channels) = job.objective, job.objective.classifier.input_shape
    counts = exact_counts(job.statistics.levels[None, job.prior_digit], height * width)
    noise = shuffle_levels(counts, 0, np.zeros(1, dtype=np.uint32), (height, width, channels))
    _, terms, _ = objective.value(np.repeat(noise, objective.targets, axis=0))
    return 2.0, np.mean(sum(objective.weights[name] * terms[name].astype(float) for name in objective.penalties))


@pytest.mark.parametrize("words", [[], ["prior=exemplar"], ["prior.digit=7"]], ids=str)
def test_the_front_is_recorded_as_scored(home: Path, words: list[str]) -> None:
    result = fooling.evolve(*QUICK, *words, out="r")
    run, rows = read_run(home / "r"), list(csv.DictReader((home / "r" / "front.csv").read_text().splitlines()))
    assert run["front_images"] == len(rows) == len(result.front.images)
    (job,) = prepare(load([*QUICK, *words], RunSettings, "run"))
    images = read_images(home / "r", [row["file"] for row in rows])
    _, terms, scores = job.objective.value(images, np.array([int(row["run"]) for row in rows], dtype=np.uint32))
    weights = job.objective.weights
    prior = sum(weights[name] * terms[name].astype(float) for name in job.objective.penalties)
    assert [float(row["target"]) for row in rows] == pytest.approx(terms["target"])
    assert [float(row["prior"]) for row in rows] == pytest.approx(prior, rel=1e-5)
    assert [float(row["confidence"]) for row in rows] == pytest.approx(scores[:, 2])
    corner = corner_of(job)
    assert run["hypervolume_reference"] == pytest.approx({"target": corner[0], "prior": corner[1]}, rel=1e-5)
    for number, volume in enumerate(run["hypervolume"]):
        own = [row for row in rows if int(row["run"]) == number]
        points = np.array([[float(row["target"]), float(row["prior"])] for row in own])
        assert not dominated(points).any()
        assert [int(row["rank"]) for row in own] == list(range(len(own)))
        assert volume == pytest.approx(hypervolume(points, corner), rel=1e-5)
    best = read_image(home / "r" / run["images"][0]["file"])
    assert np.array_equal(best, result.images[0])
    assert (home / "r" / "front.png").stat().st_size > 10_000
    fooling.evolve("runs=2", "generations=2", out="r", overwrite=True)
    assert not (home / "r" / "front").exists()


def test_fronts_cover_more_as_generations_pass() -> None:
    short, long = (fooling.evolve(*QUICK[:3], f"generations={n}").front.hypervolumes for n in (2, 60))
    assert (long > short).all()


def test_an_interruption_changes_nothing(home: Path) -> None:
    settings = load(list(QUICK), RunSettings, "run")
    (job,) = prepare(settings)
    whole = run_job(job)
    asked = iter([False] * 7 + [True] * 100)
    with pytest.raises(Interrupted):
        run_recorded(job, home / "r", lambda: next(asked))
    resumed = run_recorded(job, home / "r")
    assert np.array_equal(resumed.images, whole.images)
    assert np.array_equal(resumed.front.images, whole.front.images)
    assert json.loads((home / "r" / "run.json").read_text())["status"] == "done"


def test_budget_is_kept() -> None:
    assert fooling.evolve(*QUICK, "budget=100").evaluations.tolist() == [96] * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prior=none"], "got prior=none; choose one of prior=eigen, exemplar, histogram"),
        (["control=true"], "got control=true, which disables it"),
        (["weights.target=0"], "got prior.weights.target=0, which disables it"),
        (["population=3"], "search.population: expected 4 or more, got 3"),
        (["returns=worst"], "search.returns: expected search=ga, got search=pareto"),
    ],
    ids=str,
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {word.partition("=")[0] for word in words}
    quick = [word for word in QUICK if word.partition("=")[0] not in given]
    with pytest.raises(UserError, match=message):
        fooling.evolve(*quick, *words)
    assert guarded(dispatch, ["run", *quick, *words]) == 2
    assert message in capsys.readouterr().err
