"""Scoring by difference against scoring in full: lists of changes, updates of statistics, and what they add up to."""

import math
from dataclasses import replace

import numpy as np
import pytest
from builders import SHAPES, random_eigen, random_images, random_network, random_statistics, random_wanted
from generations import make_breeding, numbers_of, rebuild
from objectives import ALL, Foreign, equal, objective_of
from objectives import small_search as make
from pairwise import pairwise

from fooling.classifiers.base import WHOLE_IMAGES
from fooling.kernels import numba, reference, tables
from fooling.kernels.numba import DELTA_PENALTIES, delta_operators, delta_penalties
from fooling.kernels.numba.delta_penalties import DELTA_SCORES, Changes, padded_weights
from fooling.kernels.numba.delta_variogram import variogram_update
from fooling.kernels.reference.network import network_sums
from fooling.kernels.reference.operators import is_changed
from fooling.kernels.reference.penalties import region_count
from fooling.search.genetic import ReferenceEngine
from fooling.search.genetic import delta as scoring
from fooling.search.genetic.numba import NumbaEngine

CASES = [
    {},
    {"alike": 0.98},
    {"alike": 0.98, "redraw": 0.0, "swap": 0.0},
    {"alike": 0.98, "redraw": 0.5},
    {"alike": 0.98, "swap": 0.5},
    {"alike": 0.9, "has_crossover": False},
    {"alike": 1.0, "redraw": 0.002, "swap": 0.0},
    {"alike": 0.98, "selected": 1},
    {"alike": 0.98, "selected": 2},
    {"alike": 0.98, "selected": 20, "population": 40},
    {"alike": 0.98, "generation": 123_456, "seed": 2**64 - 1},
    {"alike": 0.98, "runs": (999, 2, 2**31)},
]


@pytest.mark.parametrize(("shape", "varied", "limit"), pairwise(SHAPES, CASES, [-1, 0, 5, 1000]))
def test_changes_make_the_children(shape: tuple[int, int, int], varied: dict, limit: int) -> None:
    recipe, parents, expected = make_breeding(shape, **varied)
    limit = min(limit, math.prod(shape))
    numbers = numbers_of(recipe)
    found = delta_operators.changed_children(recipe, limit, numbers)
    whole, fresh = numba.breed(recipe, numbers[found.whole])
    images = rebuild(recipe, found, len(numbers))
    images[found.whole], found.is_new[found.whole] = whole, fresh
    assert np.array_equal(images.reshape(expected.shape), expected)
    assert np.all(np.diff(found.ends) <= max(limit, 0))
    mixing, seed = varied.get("has_crossover", True), varied.get("seed", 7)
    expected_new = is_changed(expected, parents, mixing, seed, recipe.generation, recipe.runs)
    assert np.array_equal(found.is_new, expected_new.reshape(-1))
    if limit < 0:
        assert len(found.whole) == len(numbers)


def test_late_children_are_few_changes() -> None:
    recipe, _, expected = make_breeding((28, 28, 1), alike=0.998, redraw=0.0005, swap=0.0, population=200, selected=5)
    found = delta_operators.changed_children(recipe, 98, numbers_of(recipe))
    assert len(found.whole) == 0
    assert len(found.pixels) < 3 * expected[..., 0, 0, 0].size
    assert 0.2 < len(found.changed) / 400 < 1


def test_parents_are_candidates_without_changes() -> None:
    recipe, _, _ = make_breeding((8, 8, 1), selected=4, population=9)
    numbers = np.array([recipe.stride + 9 + 2, 9])  # the third parent of the second run, the first of the first
    found = delta_operators.changed_children(recipe, 5, numbers)
    assert found.rows.tolist() == [4 + 2, 0]
    assert len(found.changed) == len(found.whole) == 0
    assert not found.is_new.any()


def test_the_nearer_parent_is_the_base() -> None:
    recipe, _, expected = make_breeding((28, 28, 1), alike=0.95, redraw=0.0, swap=0.0, population=100, selected=2)
    found = delta_operators.changed_children(recipe, 784, numbers_of(recipe))
    flat, children = recipe.parents.reshape(-1, 784), expected.reshape(-1, 784)
    for q, row in enumerate(found.rows):
        both = flat[row // 2 * 2 : row // 2 * 2 + 2]
        distance = (children[q] != both).sum(axis=1)
        assert distance[row % 2] == distance.min()


def some_changes(shape: tuple[int, int, int], each: int, seed: int = 0) -> tuple[Changes, np.ndarray]:
    """Children of a few images, `each` changes a child, and these children as images."""
    random = np.random.default_rng(seed)
    images = random_images(shape, 6)
    flat = images.reshape(len(images), -1)
    rows = random.integers(0, len(images), 30)
    pixels = np.concatenate([random.choice(flat.shape[1], each, replace=False) for _ in rows]).astype(np.int32)
    levels = random.integers(0, 256, len(pixels), dtype=np.uint8)
    children = flat[rows].copy()
    for j in range(len(rows)):
        part = slice(j * each, (j + 1) * each)
        children[j, pixels[part]] = levels[part]
    changes = Changes(flat, delta_penalties.transpose(images), rows, np.arange(len(rows) + 1) * each, pixels, levels)
    return changes, children.reshape(-1, *shape)


def arguments_of(name: str, shape: tuple[int, int, int], lags: int, bins: int, quirk: bool) -> tuple:
    free = 0.1 * quirk
    return {
        "histogram": lambda: (tables.bin_of_level(bins), random_wanted(shape[2], bins, 3, free)),
        "variogram": lambda: (random_wanted(shape[2], 2 * lags, 3, free), quirk),
        "regional": lambda: (lags, random_wanted(shape[2], region_count(shape, lags) * (1 + 2 * lags), 3, free)),
        "eigen": lambda: random_eigen(shape, lags, float(quirk)),
    }[name]()


SIZES = [(7, 10, False), (7, 10, True), (1, 1, False), (3, 256, True)]  # lags, bins, quirk


@pytest.mark.parametrize(("shape", "name", "sizes", "each"), pairwise(SHAPES, list(DELTA_PENALTIES), SIZES, [0, 1, 2, 7, 60]))
def test_updates_equal_counting_anew(shape: tuple[int, int, int], name: str, sizes: tuple[int, int, bool], each: int) -> None:
    lags, bins, quirk = sizes
    changes, children = some_changes(shape, each)
    arguments, statistic = arguments_of(name, shape, lags, bins, quirk), DELTA_PENALTIES[name]
    before = statistic.measure(changes.parents.reshape(-1, *shape), *arguments)
    after = statistic.update(before, changes, shape, *arguments)
    assert np.array_equal(after, statistic.measure(children, *arguments))
    which = np.arange(len(children)) % 3
    term = reference.PENALTIES[name](children, which, *arguments)
    assert np.array_equal(statistic.value(after, shape, which, *arguments), term)


@pytest.mark.parametrize("lags", [14, 16, 27])
def test_long_windows(lags: int) -> None:
    shape = (28, 28, 1)
    changes, children = some_changes(shape, 20)
    before = numba.variogram_sums(changes.parents.reshape(-1, *shape), lags)
    after = variogram_update(before, changes, 28, 28)
    assert np.array_equal(after, reference.variogram_sums(children, lags))


@pytest.mark.parametrize("each", [0, 1, 5, 60])
@pytest.mark.parametrize("hidden", [1, 12, 100])
def test_network_sums_follow_the_changes(shape: tuple[int, int, int], hidden: int, each: int) -> None:
    changes, children = some_changes(shape, each)
    network = random_network(shape, hidden=hidden)
    weights, bias = network.linear_head
    arguments = (weights, bias, padded_weights(weights), network.scores_of_sums(numba))
    before = DELTA_SCORES.measure(changes.parents.reshape(-1, *shape), *arguments)
    after = DELTA_SCORES.update(before, changes, shape, *arguments)
    assert np.array_equal(after, network_sums(children, *network.linear_head))
    assert np.array_equal(DELTA_SCORES.value(after, shape, np.zeros(30, np.int64), *arguments), network(children))


def test_transposed_images_follow_the_changes(shape: tuple[int, int, int]) -> None:
    changes, children = some_changes(shape, 9)
    found = delta_penalties.transposed_update(changes.transposed, changes, *shape[:2])
    assert np.array_equal(found, children.transpose(0, 2, 1, 3).reshape(len(children), -1))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "varied", [{"weights": ALL, "swap": 2**19}, {"quirk_lag1": True, "elitism": False, "swap": 0}], ids=str
)
def test_nothing_drifts_in_ten_thousand_generations(varied: dict) -> None:
    objective, breeding = make((8, 8, 1), min_rate=0.01, **varied)
    engine = NumbaEngine(objective, breeding, threads=1)
    state = engine.init(np.arange(2, dtype=np.uint32))
    for _ in range(10_000):
        state = engine.step(state)
    images = state.images.reshape(-1, 8, 8, 1)
    for name, counted in scoring.measure(engine.terms, images).items():
        assert np.array_equal(state.statistics[name].reshape(counted.shape), counted), name
    cost, _, scores = objective.value(images)
    assert np.array_equal(cost, state.costs.reshape(-1))
    assert np.array_equal(scores, state.scores.reshape(len(cost), -1))
    assert equal(engine.step(state), ReferenceEngine(objective, breeding).step(state))


def test_dense_scoring_is_the_same_search() -> None:
    objective, breeding = make((9, 13, 1), population=60, swap=0, mutate_factor=0.2)
    runs = np.arange(3, dtype=np.uint32)
    fast, dense = NumbaEngine(objective, breeding), NumbaEngine(objective, breeding, scoring="dense")
    one, other = fast.init(runs), dense.init(runs)
    for _ in range(30):
        one, other = fast.step(one), dense.step(other)
        assert equal(one, other)
    assert 0 < one.changed.min() <= one.changed.max() < 60
    assert not other.statistics


@pytest.mark.parametrize("missing", DELTA_PENALTIES)
def test_a_term_without_a_statistic_is_scored_in_full(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, breeding = make((9, 13, 1), weights=ALL, swap=0, mutate_factor=0.2)
    monkeypatch.delitem(DELTA_PENALTIES, missing)
    engine, reference_engine = NumbaEngine(objective, breeding, threads=2), ReferenceEngine(objective, breeding)
    assert engine.notes == (f"the term {missing} has no delta evaluation: it is scored in full",)
    state = reference_engine.init(np.arange(2, dtype=np.uint32))
    for _ in range(3):
        following = reference_engine.step(state)
        assert equal(engine.step(state), following)
        state = following


def test_a_foreign_classifier_is_asked_about_every_child_and_priors_follow_the_changes() -> None:
    shape = (9, 13, 1)
    objective, breeding = make(shape, weights=ALL, swap=0, mutate_factor=0.2)
    foreign = Foreign(shape)
    objective = replace(objective, classifier=foreign)
    engine = NumbaEngine(objective, breeding, threads=2)
    assert engine.notes == (WHOLE_IMAGES,)
    state = engine.init(np.arange(3, dtype=np.uint32))
    for _ in range(4):
        state = engine.step(state)
    assert foreign.asked == 5 * 36
    assert set(state.statistics) == {"transposed", *DELTA_PENALTIES}
    cost, _, _ = objective.value(state.images.reshape(-1, *shape))
    assert np.array_equal(cost, state.costs.reshape(-1))


@pytest.mark.parametrize(
    "weights", [{"target": 1, "histogram": 0, "variogram": 0}, {"target": 1, "histogram": 1, "variogram": 0}]
)
def test_terms_of_weight_0_cost_nothing(weights: dict) -> None:
    shape = (8, 8, 1)
    objective = objective_of(random_network(shape), random_statistics(shape), digit=1, weights=weights)
    parts = [part.name for part in scoring.make_delta_terms(objective)]
    assert parts == ["scores", *(name for name in DELTA_PENALTIES if weights.get(name))]
