"""Engines against the reference, the loop's counting and stopping, and that a search improves."""

from dataclasses import replace

import numpy as np
import pytest
from builders import SHAPES
from objectives import ALL, ANY, ANY_OF_1, PLAN, Foreign, equal, run_loop
from objectives import small_search as make
from pairwise import pairwise

from fooling.errors import UserError
from fooling.kernels.reference import penalties as reference
from fooling.search import DEFAULTS, SEARCHES, load_search, part_of
from fooling.search.genetic import ReferenceEngine
from fooling.search.genetic.numba import NumbaEngine
from fooling.search.state import History, State
from fooling.search.stopping import converged, success
from fooling.settings import load
from fooling.settings.schema import RunSettings


@pytest.mark.parametrize("search", SEARCHES)
def test_every_row_is_a_search(search: str) -> None:
    settings = load([f"search={search}"], RunSettings, "run")
    for engine in SEARCHES[search]:
        cls = load_search(search, engine)
        schedule = cls.schedule(settings)
        assert 0 < schedule.first <= schedule.minimum_budget
        assert schedule.last > 0
        assert all(callable(getattr(cls, name)) for name in ("from_settings", "init", "step"))
        assert all(part_of(cls, name) is not None for name in DEFAULTS)


def test_a_missing_search_or_engine_names_those_that_are_there() -> None:
    with pytest.raises(UserError, match=r"engine=deap has no search=anneal: it has ga; .*engine=reference, numba"):
        load_search("anneal", "deap")
    with pytest.raises(UserError, match="search=walk: expected one of ga, anneal"):
        load_search("walk", "numba")


@pytest.mark.parametrize(
    ("shape", "varied"),
    pairwise(
        SHAPES,
        [
            {},
            {"weights": {"target": 1.0, "histogram": 0.0, "variogram": 0.0}},
            {"weights": {"target": 0.0, "histogram": 0.3, "variogram": 2.0}},
            {"weights": ALL, "mutate_factor": 0.1},
            {"weights": ALL, "mutate_factor": 0.1, "hinge": ("eigen",)},
            {"weights": ALL, "mutate_factor": 0.1, "hinge": ("histogram", "variogram", "regional", "eigen")},
            {"exemplar": True, "lag_weights": "spread", "mutate_factor": 5.0},
            {"exemplar": True, "weights": ALL, "mutate_factor": 0.1},
            {"exemplar": True, "scoring": "dense"},
            {"lag_weights": "spread", "quirk_axes": True},
            {"target_free": 0.9},
            {"weights": {"target": 2.0, "histogram": 0.0, "variogram": 0.5}},
            {"quirk_lag1": True},
            {"quirk_axes": True},
            {"lags": 2, "bins": 3},
            {"elitism": False},
            {"mixing": False},
            {"mutate_factor": 0.0, "min_rate": 0.0},
            {"mutate_factor": 100.0},
            {"swap": 0},
            {"selected": 1},
            {"selected": 12, "population": 12},
            {"population": 2, "selected": 2},
            {"seed": 2**64 - 1},
            ANY,
            {**ANY_OF_1, "weights": ALL, "mutate_factor": 0.1, "target_free": 0.9},
        ],
        name=str,
    ),
)
def test_numba_steps_as_the_reference(shape: tuple[int, int, int], varied: dict) -> None:
    scoring = varied.get("scoring", "difference")
    objective, breeding = make(shape, **{name: value for name, value in varied.items() if name != "scoring"})
    engine = NumbaEngine(objective, breeding, threads=2, scoring=scoring)
    reference = ReferenceEngine(objective, breeding)
    state = reference.init(np.array([0, 7], dtype=np.uint32))
    assert equal(engine.init(np.array([0, 7], dtype=np.uint32)), state)
    for _ in range(3):
        following = reference.step(state)
        assert equal(engine.step(state), following)
        state = following


def test_foreign_classifiers_are_scored_alike() -> None:
    shape = (9, 13, 1)
    objective, breeding = make(shape)
    objective = replace(objective, classifier=Foreign(shape))
    reference = ReferenceEngine(objective, breeding)
    state = reference.init(np.arange(2, dtype=np.uint32))
    assert equal(NumbaEngine(objective, breeding).step(state), reference.step(state))


def test_a_run_depends_neither_on_threads_nor_on_other_runs() -> None:
    objective, breeding = make((9, 13, 1), population=40)
    plan = replace(PLAN, runs=5, population=40)
    all_runs = run_loop(NumbaEngine(objective, breeding, threads=2), plan)
    one_thread = run_loop(NumbaEngine(objective, breeding, threads=1), plan)
    few = run_loop(NumbaEngine(objective, breeding, threads=2), replace(plan, runs=2))
    assert np.array_equal(all_runs.images, one_thread.images)
    assert np.array_equal(all_runs.images[:2], few.images)
    assert not np.array_equal(all_runs.images[0], all_runs.images[1])


def test_runs_that_stop_early_do_not_change_the_others() -> None:
    objective, breeding = make((9, 13, 1), population=40)
    plan = replace(PLAN, runs=6, population=40, last=40)
    through = run_loop(NumbaEngine(objective, breeding), plan)
    tol = float(np.sort(through.costs)[2])
    stopped = run_loop(NumbaEngine(objective, breeding), replace(plan, stop="tol", tol=tol))
    early = stopped.evaluations < through.evaluations
    assert 0 < early.sum() < 6
    assert np.all(stopped.costs[early] < tol)
    assert np.array_equal(stopped.images[~early], through.images[~early])


def test_a_search_improves() -> None:
    objective, breeding = make((8, 8, 1), population=40)
    engine = NumbaEngine(objective, breeding)
    first = engine.init(np.arange(4, dtype=np.uint32))
    track = run_loop(engine, replace(PLAN, runs=4, population=40, last=60))
    assert np.all(track.costs < first.costs[:, 0])
    assert np.median(track.costs) < 0.6 * np.median(first.costs[:, 0])


def test_elitism_never_loses_the_best() -> None:
    objective, breeding = make((8, 8, 1))
    engine = NumbaEngine(objective, breeding)
    state = engine.init(np.arange(4, dtype=np.uint32))
    for _ in range(20):
        following = engine.step(state)
        assert np.all(following.costs[:, 0] <= state.costs[:, 0])
        assert np.all(np.diff(following.costs, axis=1) >= 0)
        state = following


def test_what_is_kept_is_what_was_scored() -> None:
    objective, breeding = make((9, 13, 1))
    state = NumbaEngine(objective, breeding).init(np.arange(2, dtype=np.uint32))
    cost, _, scores = objective.value(state.images.reshape(-1, 9, 13, 1))
    assert np.array_equal(cost, state.costs.reshape(-1))
    assert np.array_equal(scores, state.scores.reshape(len(cost), -1))


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_evaluations_are_counted() -> None:
    shape = (9, 13, 1)
    objective, breeding = make(shape)
    foreign = Foreign(shape)
    track = run_loop(NumbaEngine(replace(objective, classifier=foreign), breeding), PLAN)
    assert track.evaluations.tolist() == [12 * 7] * 3
    assert foreign.asked == 3 * 12 * 7


def test_worst_of_the_last_selection_is_returned_as_in_2015() -> None:
    objective, breeding = make((8, 8, 1), elitism=False)
    engine = NumbaEngine(objective, breeding)
    state = engine.init(np.arange(3, dtype=np.uint32))
    for _ in range(PLAN.last - 1):
        state = engine.step(state)
    track = run_loop(engine, replace(PLAN, returns="worst"))
    assert np.array_equal(track.images, state.images[:, -1])  # the last children are never looked at
    assert track.evaluations.tolist() == [12 * 7] * 3  # but scored


def test_milestones_are_noted_once() -> None:
    state = State(0, np.array([0, 1], np.uint32), *np_state([[0.95, 0.05], [0.2, 0.8]]))
    track = History.start(2, state)
    track.observe(state, 0, 100, 0)
    track.observe(state, 0, 200, 0)
    assert track.reached.tolist() == [[100, -1, -1, -1], [-1, -1, -1, -1]]


def np_state(scores: list) -> tuple:
    n = len(scores)
    images, costs = np.zeros((n, 1, 2, 2, 1), np.uint8), np.zeros((n, 1), np.float32)
    return images, costs, np.array(scores, np.float32)[:, None], np.zeros(n, np.int64)


def test_success_needs_the_largest_score_too() -> None:
    scores = np.array([[0.999, 1.0], [0.9995, 0.5], [0.9, 0.1]], dtype=np.float32)
    assert success(scores, 0, 0.999).tolist() == [False, True, False]
    plan, images = replace(PLAN, digit=0), np.zeros((3, 2, 2, 1), np.uint8)
    assert converged(plan, np.zeros(3, np.float32), scores, images).tolist() == [False, True, False]
    costs = np.array([0.4, 0.5, 0.6], np.float32)
    assert converged(replace(plan, tol=0.5), costs, scores, images).tolist() == [True, False, False]


def test_any_class_is_whichever_is_largest() -> None:
    scores = np.array([[0.9995, 1.0], [0.9995, 0.5], [0.9, 0.1]], dtype=np.float32)
    assert success(scores, reference.ANY, 0.999).tolist() == [True, True, False]
    state = State(0, np.array([0, 1, 2], np.uint32), *np_state(scores.tolist()))
    track = History.start(3, state)
    track.observe(state, 0, 100, reference.ANY)
    assert track.reached.tolist() == [[100] * 4, [100, 100, 100, -1], [100, -1, -1, -1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_told(bad: float) -> None:
    class Broken(Foreign):
        def __call__(self, images: np.ndarray) -> np.ndarray:
            scores = super().__call__(images)
            scores[0, 0] = bad
            return scores

    objective, breeding = make((8, 8, 1))
    with pytest.raises(UserError, match="1 of 36 images"):
        run_loop(NumbaEngine(replace(objective, classifier=Broken((8, 8, 1))), breeding), PLAN)


def test_history_counts_up() -> None:
    objective, breeding = make((8, 8, 1))
    rows = run_loop(NumbaEngine(objective, breeding), PLAN).rows()
    assert [row["generation"] for row in rows] == list(range(7))
    assert [row["evaluations"] for row in rows] == [36 * (g + 1) for g in range(7)]
    assert rows[-1]["running"] == 0
