"""Fast kernels against the reference, every parameter varied; operators by what they do."""

import hashlib
import json
import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from builders import ROOT, SHAPES, random_images, random_network, random_wanted
from generations import LEVELS, breed_both, in_turn, make_start, two_tables
from numba import njit
from pairwise import pairwise

from fooling.kernels import COMMON, jax, numba, reference, tables
from fooling.kernels.numba import philox
from fooling.kernels.reference import penalties
from fooling.kernels.reference.network import network_sums, sigmoid
from fooling.kernels.reference.operators import breed, philox_rounds, start, truncation_selection
from fooling.kernels.reference.penalties import pair_counts, region_count, regional_counts, regional_target, regions
from fooling.kernels.tables import ANY, TermTarget

GOLDEN = json.loads((ROOT / "tests" / "golden" / "breeding.json").read_text())


# --- random words ---------------------------------------------------------------------------------------------------

KNOWN = [  # from the authors' file of known answers
    ([0, 0, 0, 0], (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        (0xA4093822, 0x299F31D0),
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_known_answers(counter: list[int], key: tuple[int, int], expected: list[int]) -> None:
    assert philox_rounds(np.array(counter, dtype=np.uint64), *key).tolist() == expected
    words = one_philox(*(np.uint32(word) for word in counter), np.uint64(key[0] | key[1] << 32))
    assert [int(word) for word in words] == expected


@njit
def one_philox(block: int, child: int, generation: int, run: int, seed: int) -> tuple[Any, ...]:
    """Parts of kernels are called by kernels only."""
    return philox.philox(block, child, generation, run, seed)


def test_gap_equals_the_table() -> None:
    words = [
        0,
        1,
        2,
        3,
        0xFFFF,
        0x10000,
        2**31,
        2**32 - 2,
        2**32 - 1,
        *np.random.default_rng(1).integers(0, 2**32, 500),
    ]
    for threshold in (1, 17, 9999, 2**23):
        divisor = tables.log_survival(threshold)
        assert philox.log_survivals(np.array([threshold], np.uint32))[0] == divisor
        for word in words:
            assert philox.geometric_skip(np.uint32(word), np.uint64(divisor)) == tables.geometric_skip(int(word), divisor)


# --- breeding: equal in every engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
def test_start_equals_the_reference(shape: tuple[int, int, int], seed: int) -> None:
    runs = np.array([0, 3, 2**31], dtype=np.uint32)
    expected = start(two_tables(shape[2])[in_turn(runs)], seed, runs, 3, shape)
    assert np.array_equal(make_start(shape, seed, runs, 3, cuts=(2, 7)), expected)


CASES = [
    {},
    {"redraw": 0.0},
    {"redraw": 0.5},
    {"redraw": 1e-4},
    {"swap": 0.0},
    {"swap": 0.5},
    {"has_crossover": False},
    {"seed": 2**64 - 1},
    {"generation": 0},
    {"generation": 123_456},
    {"runs": (0,)},
    {"runs": (999, 2, 2**31)},
    {"population": 1},
    {"population": 17, "cuts": (1, 20)},
    {"selected": 1},
    {"selected": 2},
    {"selected": 9},
]


@pytest.mark.parametrize(("shape", "varied"), pairwise(SHAPES, CASES))
def test_children_equal_the_reference(shape: tuple[int, int, int], varied: dict) -> None:
    parents, expected, children = breed_both(shape, **varied)
    assert np.array_equal(children, expected)
    again, _, _ = breed_both(shape, **varied)
    assert np.array_equal(parents, again)  # untouched


@pytest.mark.parametrize("kernel", ["reference", "numba"])
def test_golden_children(kernel: str) -> None:
    _, expected, children = breed_both((28, 28, 1), redraw=0.05, swap=0.02)
    found = hashlib.sha256((expected if kernel == "reference" else children).tobytes()).hexdigest()
    assert found == GOLDEN["children"]


# --- breeding: what operators do --------------------------------------------------------------------------------------


def test_start_draws_the_wanted_distribution() -> None:
    images = make_start((28, 28, 1), 3, np.arange(8, dtype=np.uint32), 50)[::2]  # of the first table
    shares = np.bincount(images.reshape(-1), minlength=256) / images.size
    spread = np.sqrt(LEVELS[0] * (1 - LEVELS[0]) / images.size)
    assert np.all(np.abs(shares - LEVELS[0]) <= 5 * spread + 1e-9)


def test_crossover_takes_half_from_each_of_two_parents() -> None:
    parents = np.stack([np.full((28, 28, 1), value, np.uint8) for value in (10, 20, 30)])[None]
    table = tables.draw_table(LEVELS[None, :1])
    none = np.zeros(1, dtype=np.uint32)
    children = breed(parents, table, none, 0, True, 1, 1, np.zeros(1, np.uint32), 200)[0]
    pairs = [tuple(np.unique(child)) for child in children]
    assert {len(pair) for pair in pairs} == {2}
    for pair in [(10, 20), (10, 30), (20, 30)]:
        assert pairs.count(pair) == pytest.approx(200 / 3, abs=4 * math.sqrt(200 * 2 / 9))
    low = np.array([child == child.min() for child in children])
    assert low.mean() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(low.size))
    assert np.all(np.abs(low.mean(axis=0) - 0.5) < 5 * 0.5 / math.sqrt(len(low)))  # at every pixel


@pytest.mark.parametrize("rate", [0.002, 0.1, 0.5])
def test_redraw_changes_its_share_and_draws_its_distribution(rate: float) -> None:
    levels = np.zeros((1, 1, 256))
    levels[0, 0, [50, 100]] = 0.25, 0.75
    parents = np.full((1, 1, 28, 28, 1), 7, np.uint8)
    threshold = np.array([tables.rate_threshold(rate)], dtype=np.uint32)
    children = breed(parents, tables.draw_table(levels), threshold, 0, True, 1, 1, np.zeros(1, np.uint32), 150)
    redrawn = children != 7
    assert redrawn.mean() == pytest.approx(rate, abs=5 * math.sqrt(rate / redrawn.size))
    assert (children[redrawn] == 50).mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.19 / redrawn.sum()))
    assert np.all(np.abs(redrawn.mean(axis=(0, 1)) - rate) < 6 * math.sqrt(rate / 150))  # no place is favoured


def test_swaps_keep_the_histogram_and_change_places(shape: tuple[int, int, int]) -> None:
    parents, _, children = breed_both(shape, redraw=0.0, swap=0.05, selected=1, population=40)
    places = math.prod(shape[:2])
    changed = (children != parents[:, :1]).any(axis=4).sum(axis=(2, 3))
    for child in children.reshape(-1, places, shape[2]):
        original = (
            parents[0, 0]
            if np.array_equal(np.sort(child, axis=0), np.sort(parents[0, 0].reshape(places, -1), axis=0))
            else parents[1, 0]
        )
        assert sorted(map(tuple, child)) == sorted(map(tuple, original.reshape(places, -1)))
    assert 0 < changed.mean() < 2 * 0.05 * places * 1.3


def test_selection_breaks_ties_by_the_lower_index_and_puts_nan_last() -> None:
    costs = np.array([[3, 1, np.nan, 1, 0], [np.nan, np.nan, 2, 2, np.inf]], dtype=np.float32)
    assert truncation_selection(costs, 4).tolist() == [[4, 1, 3, 0], [2, 3, 0, 1]]
    for parents in range(5):  # the last of them stand for parents
        halves = np.split(costs, [5 - parents], axis=1)
        assert numba.truncation_selection(*halves, 4).tolist() == [[4, 1, 3, 0], [2, 3, 0, 1]]


@pytest.mark.parametrize("selected", [1, 7, 40])
def test_select_equals_the_reference(selected: int) -> None:
    costs = np.random.default_rng(selected).integers(0, 9, (30, 40)).astype(np.float32)
    assert np.array_equal(
        numba.truncation_selection(costs[:, :25], costs[:, 25:], selected), truncation_selection(costs, selected)
    )


# --- scoring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bins", [1, 2, 10, 256])
def test_histogram_counts(shape: tuple[int, int, int], bins: int) -> None:
    images, table = random_images(shape, 5), tables.bin_of_level(bins)
    counts = reference.histogram_counts(images, table)
    assert counts.shape == (len(images), shape[2], bins)
    assert np.array_equal(numba.histogram_counts(images, table), counts)
    expected = [np.bincount(table[images[0, :, :, channel].reshape(-1)], minlength=bins) for channel in range(shape[2])]
    assert np.array_equal(counts[0], expected)


@pytest.mark.parametrize("lags", [1, 3, 7])
@pytest.mark.parametrize("name", ["variogram_sums", "variogram_sums_lag1"])
def test_difference_sums(shape: tuple[int, int, int], lags: int, name: str) -> None:
    images = random_images(shape, 5)
    sums = getattr(reference, name)(images, lags)
    assert sums.shape == (len(images), shape[2], 2, lags)
    assert np.array_equal(getattr(numba, name)(images, lags), sums)


def test_difference_sums_by_hand() -> None:
    image = np.array([[0, 10, 30], [5, 5, 5]], dtype=np.uint8)[None, :, :, None]
    assert reference.variogram_sums(image, 1)[0, 0].tolist() == [[30], [35]]
    tall = np.repeat(image, 2, axis=1)  # four rows
    assert reference.variogram_sums(tall, 2)[0, 0].tolist() == [[60, 60], [35, 70]]
    assert reference.variogram_sums_lag1(tall, 2)[0, 0].tolist() == [[60, 20], [35, 35]]


def test_variogram_of_known_images() -> None:
    shape = (28, 28, 1)
    constant, checkerboard = np.full((1, *shape), 77, np.uint8), random_images(shape, 1)[3:4]
    pairs = pair_counts(shape, 4)
    assert not reference.variogram_sums(constant, 4).any()
    assert (reference.variogram_sums(checkerboard, 4)[0, 0] / pairs).tolist() == [[1, 0, 1, 0]] * 2
    noise = np.random.default_rng(0).integers(0, 256, (200, *shape), dtype=np.uint8)
    g = (reference.variogram_sums(noise, 4)[:, 0] / pairs).mean(axis=0)
    expected = (256**2 - 1) / (3 * 256 * 255)  # E|U − V| of two independent levels, ÷ 255
    assert g == pytest.approx(np.full((2, 4), expected), rel=0.003)


@pytest.mark.parametrize("quirk", [False, True])
@pytest.mark.parametrize(("lags", "targets", "free"), [(1, 1, 0.0), (5, 1, 0.5), (5, 3, 0.0)])
def test_variogram_term(shape: tuple[int, int, int], lags: int, targets: int, free: float, quirk: bool) -> None:
    images, wanted = random_images(shape, 6), random_wanted(shape[2], 2 * lags, targets, free, scale=0.3)
    target_index = np.arange(len(images)) % targets
    term = reference.variogram_term(images, target_index, wanted, quirk)
    assert np.array_equal(numba.variogram_term(images, target_index, wanted, quirk), term)
    sums = (reference.variogram_sums_lag1 if quirk else reference.variogram_sums)(images, lags)
    g = (sums / pair_counts(shape, lags)).reshape(len(images), shape[2], -1)
    apart = (np.abs(g - wanted.targets[target_index]) * wanted.weights).sum(axis=2).mean(axis=1) / lags
    assert term == pytest.approx(np.maximum(apart - free, 0), abs=1e-6)


@pytest.mark.parametrize(("bins", "targets", "free"), [(1, 1, 0.0), (10, 1, 0.01), (10, 3, 0.0), (256, 2, 0.001)])
def test_histogram_term(shape: tuple[int, int, int], bins: int, targets: int, free: float) -> None:
    images, table = random_images(shape, 6), tables.bin_of_level(bins)
    wanted, target_index = random_wanted(shape[2], bins, targets, free), np.arange(len(images)) % targets
    term = reference.histogram_term(images, target_index, table, wanted)
    assert np.array_equal(numba.histogram_term(images, target_index, table, wanted), term)
    shares = reference.histogram_counts(images, table) / math.prod(shape[:2])
    apart = (np.abs(shares - wanted.targets[target_index]) * wanted.weights).sum(axis=2).mean(axis=1) / bins
    assert term == pytest.approx(np.maximum(apart - free, 0), abs=1e-6)


@pytest.mark.parametrize(("grid", "reach", "free"), [(1, 2, 0.0), (4, 4, 0.0), (3, 0, 0.2), (9, 1, 0.0), (50, 12, 0.1)])
def test_regional_term(shape: tuple[int, int, int], grid: int, reach: int, free: float) -> None:
    images, target_index = random_images(shape, 4), np.zeros(8, dtype=np.int64)
    regions = region_count(shape, grid)
    wanted = random_wanted(shape[2], regions * (1 + 2 * reach), 1, free)
    term = reference.regional_term(images, target_index, grid, wanted)
    assert np.array_equal(numba.PENALTIES["regional"](images, target_index, grid, wanted), term)
    parts, counts = reference.regional_parts(images, grid, reach), regional_counts(shape, grid, reach)
    assert parts.shape == (len(images), shape[2], len(counts))
    apart = (np.abs(parts / counts - wanted.targets[0]) * wanted.weights).sum(axis=2).mean(axis=1) / regions
    assert term == pytest.approx(np.maximum(apart - free, 0), rel=1e-5, abs=1e-6)
    of_all = parts.reshape(*parts.shape[:2], regions, -1).sum(axis=2)  # regions make up the whole
    assert np.array_equal(of_all[:, :, 0], images.sum(axis=(1, 2), dtype=np.int64))
    within = min(reach, min(shape[:2]) - 1)
    sums = reference.variogram_sums(images, within) if within else np.zeros((len(images), shape[2], 2, 0))
    assert np.array_equal(of_all[:, :, 1 : 1 + within], sums[:, :, 0])
    assert np.array_equal(of_all[:, :, 1 + reach : 1 + reach + within], sums[:, :, 1])


def test_regions_by_hand() -> None:
    assert regions(5, 3, 2).reshape(5, 3).tolist() == [[0, 0, 1]] * 3 + [[2, 2, 3]] * 2
    image = np.array([[0, 10, 30], [5, 5, 5]], dtype=np.uint8)[None, :, :, None]
    parts = reference.regional_parts(image, 2, 1)[0, 0].reshape(4, 3)
    assert parts.tolist() == [[10, 10 + 20, 5 + 5], [30, 0, 25], [10, 0, 0], [5, 0, 0]]
    assert (regional_counts((2, 3, 1), 2, 1) / 255).tolist() == [2, 2, 2, 1, 1, 1, 2, 2, 1, 1, 1, 1]


def test_terms_are_0_at_their_own_statistics(shape: tuple[int, int, int]) -> None:
    image = random_images(shape, 1)[:1]
    bins = tables.bin_of_level(10)
    target_index, shares = np.zeros(1, dtype=np.int64), reference.histogram_counts(image, bins) / math.prod(shape[:2])
    g = (reference.variogram_sums(image, 6) / pair_counts(shape, 6)).reshape(1, shape[2], -1)
    assert reference.histogram_term(image, target_index, bins, TermTarget(shares, np.ones_like(shares[0]), 0.0))[0] == 0
    assert reference.variogram_term(image, target_index, TermTarget(g, np.ones_like(g[0]), 0.0), False)[0] == 0
    means = reference.regional_parts(image, 4, 4) / regional_counts(shape, 4, 4)
    own = regional_target(means.reshape(shape[2], region_count(shape, 4), -1))
    assert reference.regional_term(image, target_index, 4, own)[0] == 0


def tied_scores() -> np.ndarray:
    """Random scores of three classes, and such as have several largest ones, none, or more than 1."""
    ties = [[0, 0, 0], [1, 1, 1], [0.5, 0.7, 0.7], [0, 1.00001, 1], [1, 0, 1]]
    return np.concatenate([np.random.default_rng(4).random((40, 3)), ties]).astype(np.float32)


@pytest.mark.parametrize("wanted", [0, 2, ANY])
@pytest.mark.parametrize("kernels", [numba, jax], ids=["numba", "jax"])
def test_target_terms_are_those_of_the_reference(kernels: ModuleType, wanted: int) -> None:
    for scores in (tied_scores(), np.random.default_rng(1).random((9, 17), dtype=np.float32)):
        for free in (0.0, 0.8):
            found, term = kernels.target_term(scores, wanted, free), reference.target_term(scores, wanted, free)
            assert np.asarray(found) == pytest.approx(term, abs=1e-5)
            assert kernels is jax or np.array_equal(found, term)


def test_any_class_is_the_one_that_costs_least() -> None:
    scores = tied_scores()
    terms = np.stack([reference.target_term(scores, k) for k in range(3)])
    assert reference.target_term(scores, ANY) == pytest.approx(terms.min(axis=0), abs=1e-6)
    assert reference.target_term(np.eye(3, dtype=np.float32), ANY).tolist() == [0, 0, 0]
    own = penalties.target_classes(scores, ANY)
    assert np.array_equal(own, scores.argmax(axis=1))
    assert np.array_equal(penalties.confidence(scores, ANY), scores.max(axis=1))
    assert np.array_equal(penalties.confidence(scores, 1), scores[:, 1])


@pytest.mark.parametrize("wanted", [0, 2])
def test_target_term(wanted: int) -> None:
    scores = np.random.default_rng(4).random((7, 3), dtype=np.float32)
    term = reference.target_term(scores, wanted)
    free = reference.target_term(scores, wanted, 0.8)
    assert free == pytest.approx(np.maximum(term - 0.8, 0), abs=1e-6)
    assert term == pytest.approx(np.abs(scores - np.eye(3)[wanted]).sum(axis=1), abs=1e-6)
    assert reference.target_term(np.eye(3, dtype=np.float32), 1).tolist() == [2, 0, 2]


@pytest.mark.parametrize("kernels", [reference, numba, jax])
def test_weighted_sum(kernels: ModuleType) -> None:
    terms = np.array([[1, 2], [3, 4]], dtype=np.float32)
    assert np.asarray(kernels.weighted_sum(terms, np.array([10.0, 0.5]))).tolist() == [11, 32]


def test_sigmoid_is_the_sigmoid() -> None:
    z = np.concatenate([np.linspace(-100, 100, 20_001), [0, -0.0, 1e-30]]).astype(np.float32)
    expected = 1 / (1 + np.exp(-z.astype(np.float64)))
    assert np.abs(sigmoid(z) - expected).max() < 4e-7


@pytest.mark.parametrize(("hidden", "classes"), [(1, 2), (12, 4), (100, 10), (33, 17)])
def test_network_equals_the_reference_bit_for_bit(shape: tuple[int, int, int], hidden: int, classes: int) -> None:
    network = random_network(shape, classes, hidden)
    images = random_images(shape, 20)
    scores = network(images)
    sums = numba.network_sums(images, *network.linear_head)
    assert np.array_equal(network.scores_of_sums(numba)(sums), scores)
    alone = np.concatenate([network(images[i : i + 1]) for i in range(len(images))])
    assert np.array_equal(alone, scores)


def test_network_sums_are_exact() -> None:
    network = random_network((28, 28, 1), hidden=40)
    images = random_images((28, 28, 1), 30)
    weights = network.weights1.astype(np.int64)
    expected = images.reshape(len(images), -1).astype(np.int64) @ weights + network.bias1
    assert np.array_equal(network_sums(images, *network.linear_head), expected)
    many = np.repeat(images, 20, axis=0)
    assert np.array_equal(numba.network_sums(many, *network.linear_head), np.repeat(expected, 20, axis=0))
    assert np.abs(expected).max() < 2**24


@pytest.mark.parametrize("kernels", [reference, numba, jax], ids=["reference", "numba", "jax"])
def test_every_engine_has_the_same_names(kernels: ModuleType) -> None:
    assert set(COMMON) <= set(kernels.__all__)
    assert set(kernels.__all__) - set(COMMON) <= {"OPERATORS", "Operator", "DELTA_PENALTIES"}
    assert list(kernels.PENALTIES) == list(reference.PENALTIES)
    assert all(callable(getattr(kernels, name)) for name in COMMON if name != "PENALTIES")
