"""The operators of search=ga: equal in every engine, and what each of them does."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from builders import ROOT, SHAPES
from generations import LEVELS, make_breeding, numbers_of, rebuild
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives import PLAN, equal, run_loop
from objectives import small_search as make
from pairwise import pairwise

from fooling.kernels import numba, tables
from fooling.kernels.numba import delta_operators
from fooling.kernels.reference import OPERATORS, operators
from fooling.kernels.reference.operators import ORIGINAL, OperatorRates, breed
from fooling.kernels.tables import gaussian_perturbations, polynomial_perturbations
from fooling.run import prepare
from fooling.search.genetic import ReferenceEngine, operator_rates
from fooling.search.genetic.numba import NumbaEngine
from fooling.settings import load
from fooling.settings.names import leaves
from fooling.settings.schema import RunSettings

ONE = tables.RATE_ONE
GOLDEN = json.loads((ROOT / "tests" / "golden" / "breeding.json").read_text())
PERTURBATIONS = {"gaussian_table": gaussian_perturbations(30.0), "polynomial_table": polynomial_perturbations(5)}
ALL = OperatorRates(ONE // 2, ONE // 200, ONE // 150, ONE // 300, **PERTURBATIONS)
LESS = {"redraw": 0.003, "swap": 0.003, "population": 6}
CASES = [
    {"rates": OperatorRates(rectangle=ONE)},
    {"rates": OperatorRates(rectangle=ONE // 3)},
    {"rates": OperatorRates(gaussian=ONE // 100, **PERTURBATIONS)},
    {"rates": OperatorRates(gaussian=ONE // 6, gaussian_table=gaussian_perturbations(0.8))},
    {"rates": OperatorRates(polynomial=ONE // 100, **PERTURBATIONS)},
    {"rates": OperatorRates(polynomial=ONE // 6, polynomial_table=polynomial_perturbations(100))},
    {"rates": OperatorRates(blur=ONE // 100)},
    {"rates": OperatorRates(blur=ONE // 2)},
    {"rates": ALL},
    {"rates": ALL, "has_crossover": False},
    {"rates": ALL, "selected": 1},
    {"rates": ALL, "selected": 20, "population": 30},
    {"rates": ALL, "seed": 2**64 - 1, "generation": 123_456, "runs": (999, 2, 2**31)},
    {"rates": ALL._replace(rectangle=ONE), "redraw": 0.0, "swap": 0.0},
]


def case_name(varied: object) -> str:
    """A case in a few words: its tables are long."""
    if not isinstance(varied, dict):
        return str(varied)
    rates = [f"{name}={rate}" for name, rate in varied["rates"]._asdict().items() if isinstance(rate, int) and rate]
    return " ".join([*rates, *(f"{name}={value}" for name, value in varied.items() if name != "rates")])


def breed_thrice(shape: tuple[int, int, int], limit: int, **varied: object) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The reference's children, numba's, whole and by difference, and the share of these that were changes."""
    recipe, parents, expected = make_breeding(shape, **varied)
    before, numbers = parents.copy(), numbers_of(recipe)
    whole, fresh = numba.breed(recipe, numbers)
    found = delta_operators.changed_children(recipe, limit, numbers)
    images = rebuild(recipe, found, len(numbers))
    images[found.whole], found.is_new[found.whole] = whole[found.whole], fresh[found.whole]
    assert np.array_equal(found.is_new, fresh)
    assert np.array_equal(parents, before)
    return expected, whole.reshape(expected.shape), images.reshape(expected.shape), 1 - len(found.whole) / len(numbers)


# --- equal in every engine --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "varied", "alike"), pairwise(SHAPES, CASES, [0.0, 0.98], name=case_name))
def test_children_equal_the_reference(shape: tuple[int, int, int], varied: dict, alike: float) -> None:
    expected, whole, changed, _ = breed_thrice(shape, math.prod(shape), alike=alike, **{**LESS, **varied})
    assert np.array_equal(whole, expected)
    assert np.array_equal(changed, expected)
    plain = make_breeding(shape, alike=alike, **{**LESS, **varied, "rates": ORIGINAL})[2]
    assert not np.array_equal(expected, plain)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(1, 1, 1), (1, 7, 2), (5, 1, 1), (8, 8, 1), (6, 11, 3)]),
    rates=st.tuples(st.integers(0, ONE), *[st.sampled_from([0, 1000, ONE // 90, ONE // 9, ONE // 2])] * 3),
    sd=st.floats(0.01, 255),
    eta=st.integers(0, 60),
    swap=st.sampled_from([0.0, 0.02]),
    redraw=st.sampled_from([0.0, 0.02]),
    limit=st.integers(-1, 200),
    alike=st.sampled_from([0.0, 0.9]),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_rates_give_equal_children(
    shape: tuple[int, int, int], rates: tuple, sd: float, eta: int, limit: int, **varied: object
) -> None:
    drawn = OperatorRates(*rates, gaussian_perturbations(sd), polynomial_perturbations(eta))
    expected, whole, changed, _ = breed_thrice(shape, min(limit, math.prod(shape)), rates=drawn, population=5, **varied)
    assert np.array_equal(whole, expected)
    assert np.array_equal(changed, expected)


@pytest.mark.parametrize("rates", [case["rates"] for case in CASES[:9:2]], ids=lambda rates: case_name({"rates": rates}))
def test_few_changes_stay_changes(rates: OperatorRates) -> None:
    few = rates._replace(gaussian=rates.gaussian // 9, polynomial=rates.polynomial // 9, blur=rates.blur // 9)
    assert breed_thrice((28, 28, 1), 98, alike=0.99, rates=few, **{**LESS, "population": 50})[3] > 0.9


@pytest.mark.parametrize("kernel", ["reference", "numba", "changes"])
def test_golden_children_of_all_operators(kernel: str) -> None:
    children = breed_thrice((28, 28, 1), 784, rates=ALL)[("reference", "numba", "changes").index(kernel)]
    assert hashlib.sha256(children.tobytes()).hexdigest() == GOLDEN["operators"]


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_golden_perturbations(name: str) -> None:
    """The tables are the same on every machine."""
    assert hashlib.sha256(PERTURBATIONS[name].astype("<u8").tobytes()).hexdigest() == GOLDEN[name.replace("table", "moves")]


@pytest.mark.parametrize("scoring", ["difference", "dense"])
def test_engines_step_alike(shape: tuple[int, int, int], scoring: str) -> None:
    objective, breeding = make(shape, rates=ALL, mutate_factor=0.1)
    one, two = (NumbaEngine(objective, breeding, threads=threads, scoring=scoring) for threads in (1, 2))
    engine = ReferenceEngine(objective, breeding)
    state = engine.init(np.array([0, 7], dtype=np.uint32))
    for _ in range(3):
        following = engine.step(state)
        assert equal(one.step(state), following)
        assert equal(two.step(state), following)
        state = following


def test_whole_runs_are_equal_by_difference_and_in_full() -> None:
    objective, breeding = make((9, 13, 1), rates=ALL._replace(gaussian=ONE // 900, polynomial=ONE // 900), population=40)
    plan = replace(PLAN, runs=4, population=40, last=40)
    fast, dense = (run_loop(NumbaEngine(objective, breeding, scoring=way), plan) for way in ("difference", "dense"))
    assert np.array_equal(fast.images, dense.images)
    assert np.array_equal(fast.costs, dense.costs)
    plain = run_loop(NumbaEngine(objective, replace(breeding, rates=ORIGINAL)), plan)
    assert not np.array_equal(fast.images, plain.images)


# --- what operators do ------------------------------------------------------------------------------------------------


def children_of(parents: np.ndarray, rates: OperatorRates, population: int) -> np.ndarray:
    """Children of one run's parents [S, H, W, C] by these operators alone, [N, H, W, C]."""
    table, none = tables.draw_table(LEVELS[None, : parents.shape[3]]), np.zeros(1, dtype=np.uint32)
    return breed(parents[None], table, none, 0, True, 1, 1, none, population, rates)[0]


def flat_parents(*levels: int) -> np.ndarray:
    """Images of one grey each."""
    return np.stack([np.full((20, 30, 1), level, np.uint8) for level in levels])


def test_rectangles_are_rectangles_of_random_corners() -> None:
    n = 3000
    parents = np.arange(2 * 20 * 30).reshape(2, 20, 30, 1) % 2**8
    parents[1] = 255 - parents[0]  # they differ everywhere
    parents = parents.astype(np.uint8)
    children, areas = children_of(parents, OperatorRates(rectangle=ONE), n), []
    for child in children:
        swapped = [(child == parent).all(axis=2) for parent in parents[::-1]]  # if the first parent is 0, or 1
        assert np.array_equal(swapped[0], ~swapped[1])
        inside = min(swapped, key=is_no_rectangle)
        assert not is_no_rectangle(inside)
        areas.append(inside.mean())
    sides = [((side**2 - 1) / (3 * side) + 1) / side for side in (20, 30)]  # E(|a − b| + 1) of two places on a side
    assert np.mean(areas) == pytest.approx(sides[0] * sides[1], abs=4 * np.std(areas) / math.sqrt(n) + 0.01)
    assert min(areas) < 0.01
    assert max(areas) > 0.8


def is_no_rectangle(inside: np.ndarray) -> bool:
    """Whether flags [H, W] are set elsewhere than in one rectangle."""
    return bool(inside.sum() != inside.any(axis=0).sum() * inside.any(axis=1).sum())


def test_a_share_of_the_children_takes_rectangles() -> None:
    children = children_of(flat_parents(10, 20), OperatorRates(rectangle=ONE // 4), 1000)
    halves = np.abs((children == 20).mean(axis=(1, 2, 3)) - 0.5) < 0.1  # uniform crossover: half, ±0.02
    assert halves.mean() == pytest.approx(0.75 + 0.25 * 0.09, abs=0.07)


@pytest.mark.parametrize("level", [0, 128, 250])
def test_gaussian_noise_has_its_spread_and_stays_in_bounds(level: int) -> None:
    rate, sd, n = 0.1, 12.0, 200
    children = children_of(
        flat_parents(level), OperatorRates(gaussian=int(rate * ONE), gaussian_table=gaussian_perturbations(sd)), n
    )
    noise = children.astype(int) - level
    stays = math.erf(0.5 / sd / math.sqrt(2)) if level else 0.5 + math.erf(0.5 / sd / math.sqrt(2)) / 2
    expected = rate * (1 - stays)
    assert (noise != 0).mean() == pytest.approx(expected, abs=5 * math.sqrt(expected / noise.size))
    assert np.abs((noise != 0).mean(axis=0) - expected).max() < 6 * math.sqrt(expected / n)  # no place is favoured
    spread = math.sqrt((noise[noise < 0] ** 2).sum() / (rate / 2 * noise.size)) if level else 0
    assert spread == pytest.approx(sd if level else 0, rel=0.04)  # downwards nothing is in the way, but for black
    above = noise[noise > 0]
    assert above.max() <= 255 - level
    assert above.sum() / (rate * noise.size) == pytest.approx(sd / math.sqrt(2 * math.pi) if level < 200 else 2.09, rel=0.05)


@pytest.mark.parametrize(("level", "eta"), [(128, 20), (5, 3)])
def test_polynomial_mutation_draws_its_distribution(level: int, eta: int) -> None:
    rate, table = 0.25, polynomial_perturbations(eta)
    children = children_of(flat_parents(level), OperatorRates(polynomial=int(rate * ONE), polynomial_table=table), 100)
    shares = rate * np.diff(table[level] / 2**32, prepend=0)
    shares[level] += 1 - rate
    found = np.bincount(children.reshape(-1), minlength=256) / children.size
    assert np.all(np.abs(found - shares) <= 5 * np.sqrt(shares * (1 - shares) / children.size) + 1e-5)
    assert np.count_nonzero(found) > 40


def test_blur_by_hand() -> None:
    image = np.zeros((3, 4, 2), np.uint8)
    image[0, 0] = 160, 80
    operators.smoothing_mutation(image, ONE - 1, (0, 0, 0, 0))  # every place, one after the other
    assert image[0, 0].tolist() == [90, 45]  # 9/16: what lies outside is as the corner
    assert image[0, 1].tolist() == [17, 8]  # 3/16 of what the corner is now: 16.9, 8.4
    assert image[1, 0].tolist() == [18, 9]  # 3/16 of the corner and 1/16 of its neighbour: 17.9, 8.9
    assert image[1, 1].tolist() == [10, 5]  # 1/16, 2/16 and 2/16 of what is above and to the left: 10.0, 4.9


def test_blur_brings_neighbours_nearer_within_their_range(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(1).integers(40, 200, (1, *shape), dtype=np.uint8)
    children = children_of(noise, OperatorRates(blur=ONE // 10), 20)
    before, after = (np.abs(np.diff(images.astype(int), axis=2)).mean() for images in (noise, children))
    assert after < 0.97 * before
    assert 40 <= children.min() <= children.max() < 200
    share = (children != noise).any(axis=3).mean()
    assert share == pytest.approx(0.1, abs=5 * math.sqrt(0.1 / (20 * math.prod(shape[:2]))) + 0.002)
    assert np.all(children_of(np.full((1, *shape), 77, np.uint8), OperatorRates(blur=ONE // 2), 3) == 77)


# --- table and settings -----------------------------------------------------------------------------------------------


def rates_of(**changed: object) -> OperatorRates:
    chosen = {"rectangles": 0, "gaussians": 0, "polynomials": 0, "blurs": 0, **changed}
    (job,) = prepare(load([f"{name}={value}" for name, value in chosen.items()], RunSettings, "run"))
    return operator_rates(job.settings.search, (28, 28, 1))


@pytest.mark.parametrize("name", OPERATORS)
def test_the_table_names_what_is_there(name: str) -> None:
    operator = OPERATORS[name]
    assert getattr(operators, operator.function.__name__) is operator.function
    assert f"search.{operator.setting}" in leaves(RunSettings)
    off = load(operator.off, RunSettings, "run").search
    assert getattr(off, operator.setting) in (0, "none")
    assert all(load([word], RunSettings, "run").search != off for word in operator.on)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_documentation_has_every_operator(name: str) -> None:
    page = (ROOT / "docs" / "guides" / "searches.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    assert any(f"`{OPERATORS[name].setting}" in row[2] for row in rows)  # the column of settings


def test_rates_follow_the_settings() -> None:
    assert rates_of() == ORIGINAL
    rates = rates_of(rectangles=0.25, gaussians=1, gaussian_sd=3, polynomials=2, polynomial_eta=7, blurs=4)
    assert rates[:4] == (ONE // 4, round(ONE / 784), round(2 * ONE / 784), round(4 * ONE / 784))
    assert rates.gaussian_table is gaussian_perturbations(3.0)
    assert rates.polynomial_table is polynomial_perturbations(7)
    assert rates_of(gaussians=1e9).gaussian == ONE // 2
    assert rates_of(crossover="rectangle").rectangle == ONE
    assert rates_of(crossover="none", rectangles=0.5).rectangle == 0
