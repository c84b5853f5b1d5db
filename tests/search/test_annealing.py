"""search=anneal: its compiled chains against the reference, what proposals and acceptance do, and whole jobs."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from builders import SHAPES, convolutional, random_dense, random_images, random_network, random_statistics
from objectives import ALL, ANY, ANY_OF_1, DIGITS, LIGHT, PRIOR, WEIGHTS, Foreign, objective_of
from pairwise import pairwise

import fooling
from fooling.classifiers.base import WHOLE_IMAGES
from fooling.errors import UserError
from fooling.kernels.numba.delta_convolution import measure_values, update_values
from fooling.kernels.numba.delta_penalties import Changes
from fooling.kernels.reference import annealing as reference_anneal
from fooling.kernels.tables import RATE_ONE, draw_table, exact_counts, levels_within_bins
from fooling.run import prepare
from fooling.search.annealing import AnnealingParams, NumbaAnneal, ReferenceAnneal, compile_objective
from fooling.search.genetic import delta as scoring
from fooling.search.job import make_search
from fooling.search.objective import Objective
from fooling.search.state import State
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics

RUNS = np.arange(5, dtype=np.uint32)
HIDDEN: list[tuple[int, ...]] = [(), (1,), (12,), (33, 5), (6, 70, 3)]  # widths of the hidden layers
DENSE: list[dict[str, Any]] = [{"hidden": ()}, {}, {"hidden": (9, 21), "activation": "sigmoid", "classes": 7}]


@cache
def fitted(shape: tuple[int, int, int]) -> Statistics:
    return random_statistics(shape)


def make(
    shape: tuple[int, int, int], classifier: Any = None, weights: dict = ALL, **varied: Any
) -> tuple[Objective, AnnealingParams]:
    statistics = fitted(shape)
    terms = {name: varied.pop(name) for name in PRIOR if name in varied}
    network = random_network(shape, varied.pop("classes", 4), varied.pop("hidden", 12), varied.pop("network", 0))
    wanted = {"digit": 1, **{name: varied.pop(name) for name in DIGITS if name in varied}}
    objective = objective_of(classifier or network, statistics, weights=weights, **wanted, **terms)
    levels = statistics.exemplar_levels[1].astype(float) if terms.get("exemplar") else statistics.levels[None, 1]
    annealing = AnnealingParams(
        shape=shape,
        proposals=20,
        last=4,
        tables=draw_table(levels),
        counts=exact_counts(levels, shape[0] * shape[1]),
        swap=RATE_ONE // 2,
        temperature=0.05,
        cooling=2.0,
        seed=3,
    )
    return objective, replace(annealing, **varied)


def same(one: State, other: State) -> bool:
    return all(np.array_equal(one.arrays()[name], other.arrays()[name]) for name in one.arrays())


@pytest.mark.parametrize(
    ("shape", "varied"),
    pairwise(
        SHAPES,
        [
            {},
            {"weights": WEIGHTS},
            {"weights": {"target": 1.0}},
            {"weights": {"target": 0.0, "variogram": 1.0}},
            {"weights": {"target": 1.0, "eigen": 0.1}, "hinge": ("eigen",)},
            {"weights": {"target": 1.0, "regional": 1.0}},
            {"hinge": ("histogram", "variogram", "regional", "eigen")},
            {"exemplar": True, "lag_weights": "spread"},
            {"exemplar": True, "weights": WEIGHTS, "swap": 0},
            {"weights": {"target": 2.0, "histogram": 0.5}, "bins": 256},
            {"lags": 1, "bins": 1},
            {"target_free": 0.9},
            {"swap": RATE_ONE},
            {"swap": 0},
            {"temperature": 0.0},
            {"cooling": 0.0, "last": 100},
            {"seed": 2**64 - 1},
            {"quirk_lag1": True},
            ANY,
            {**ANY_OF_1, "classes": 11, "hidden": 16},
            {**ANY_OF_1, "target_free": 0.9, "scoring": "dense"},
            {"classes": 2, "hidden": 1},
            {"classes": 11, "hidden": 16},
            {"classes": 17, "hidden": 35},
            {"scoring": "dense"},
            {"scoring": "dense", "exemplar": True, "classes": 7, "hidden": 5},
        ],
        name=str,
    ),
)
def test_compiled_chains_equal_the_reference(shape: tuple[int, int, int], varied: dict) -> None:
    how = varied.get("scoring", "difference")
    objective, annealing = make(shape, **{name: value for name, value in varied.items() if name != "scoring"})
    slow, fast = ReferenceAnneal(objective, annealing), NumbaAnneal(objective, annealing, threads=2, scoring=how)
    assert (fast.compiled is None) == (how == "dense" or "quirk_lag1" in varied)
    assert bool(fast.notes) == ("quirk_lag1" in varied)
    walk_alike(slow, fast)


@pytest.mark.parametrize(
    ("of_shape", "hidden", "activation", "classes", "temperature", "weights"),
    pairwise([SHAPES[0], SHAPES[1], SHAPES[3]], HIDDEN, ("relu", "sigmoid"), (2, 4, 10, 17), (1.0, 33.3), (ALL, LIGHT)),
)
def test_compiled_chains_take_every_dense_network(
    of_shape: tuple[int, int, int],
    hidden: tuple[int, ...],
    activation: str,
    classes: int,
    temperature: float,
    weights: dict[str, float],
) -> None:
    network = random_dense(of_shape, hidden, activation, classes, temperature)
    objective, annealing = make(of_shape, classifier=network, weights=weights)
    slow, fast = ReferenceAnneal(objective, annealing), NumbaAnneal(objective, annealing, threads=2)
    assert fast.compiled is not None
    assert not fast.notes
    walk_alike(slow, fast)


@pytest.mark.parametrize(
    ("of_shape", "kernel", "channels", "hidden", "classes", "weights"),
    pairwise(SHAPES, range(1, 8), [(3, 5), (1, 17), (20, 33)], (1, 20), (2, 10), (ALL, LIGHT)),
)
def test_compiled_chains_take_every_convolutional_network(
    of_shape: tuple[int, int, int],
    kernel: int,
    channels: tuple[int, int],
    hidden: int,
    classes: int,
    weights: dict[str, float],
) -> None:
    network = convolutional(of_shape, classes, kernel, channels, hidden)
    objective, annealing = make(of_shape, classifier=network, weights=weights)
    slow, fast = ReferenceAnneal(objective, annealing), NumbaAnneal(objective, annealing, threads=2)
    assert fast.compiled is not None
    assert not fast.notes
    walk_alike(slow, fast)


def test_values_of_a_proposal_are_those_of_its_image() -> None:
    shape, random = (13, 10, 3), np.random.default_rng(0)
    packed = convolutional(shape, kernel=5, channels=(6, 20), hidden=9).packed
    images = random_images(shape, 56).reshape(60, -1)
    pixels = np.concatenate([np.sort(random.choice(images.shape[1], 2, replace=False)) for _ in images]).astype(np.int32)
    levels = random.integers(0, 256, len(pixels)).astype(np.uint8)
    changes = Changes(images, images, np.arange(60), 2 * np.arange(61), pixels, levels)
    parents = measure_values(images, packed)
    children, found = images.copy(), np.empty_like(parents)
    update_values(parents, changes, found, packed)
    children[np.repeat(np.arange(60), 2), pixels] = levels
    expected = measure_values(children, packed)
    kept = np.r_[0 : packed.one.maxima, packed.two.maxima : packed.size] + packed.four.outputs  # without the row between
    assert np.array_equal(found[:, : packed.four.outputs], expected[:, : packed.four.outputs])
    assert np.array_equal(found[:, kept], expected[:, kept])
    assert (found[:, : packed.four.outputs] != parents[:, : packed.four.outputs]).any(axis=1).mean() > 0.5


def walk_alike(slow: ReferenceAnneal, fast: NumbaAnneal) -> None:
    """Two generations: the same states, and statistics as counted in full."""
    one, other = slow.init(RUNS), fast.init(RUNS)
    for _ in range(2):
        one, other = slow.step(one), fast.step(other)
        assert same(one, other)
        for name, array in other.statistics.items():
            counted = scoring.measure(fast.terms, np.ascontiguousarray(other.images[:, 0]))
            assert name not in counted or np.array_equal(array[:, 0], counted[name]), name


def test_networks_of_all_kinds_share_one_compilation() -> None:
    shape = (8, 8, 1)
    networks = [random_dense(shape, hidden, activation) for hidden in HIDDEN for activation in ("relu", "sigmoid")]
    networks += [convolutional(shape, kernel=kernel) for kernel in (1, 4)]
    objectives = [make(shape, classifier=network)[0] for network in (random_network(shape), *networks)]
    assert len({numba.typeof(compile_objective(one, shape)) for one in objectives}) == 1


@pytest.mark.parametrize("words", DENSE, ids=str)
def test_proposals_that_change_nothing_leave_the_chain_as_it_is(words: dict[str, Any]) -> None:
    shape = (8, 8, 1)
    grey = np.zeros((1, 1, 256))
    grey[..., 128] = 1
    levels = {"tables": draw_table(grey), "counts": exact_counts(grey, 64)}
    engine = NumbaAnneal(*make(shape, classifier=random_dense(shape, **words), **levels))
    first = engine.init(RUNS)
    after = engine.step(first)
    assert not after.changed.any()
    assert np.array_equal(after.images, first.images)
    assert np.array_equal(after.scores, first.scores)


def test_proposals_without_a_finite_score_are_never_accepted() -> None:
    shape = (8, 8, 1)
    dense = random_dense(shape)
    ((weights, bias),) = dense.later_layers
    undefined = replace(dense, later_layers=((weights, bias + np.float32(np.nan)),))
    first = ReferenceAnneal(*make(shape, classifier=dense)).init(RUNS)
    convolutions = convolutional(shape)
    lost = replace(convolutions, layers={**convolutions.layers, "bias4": np.full(4, np.nan, np.float32)})
    for network in (undefined, lost):
        after = NumbaAnneal(*make(shape, classifier=network)).step(first)
        assert after.changed.all()
        assert np.array_equal(after.images, first.images)
        assert np.array_equal(after.costs, first.costs)


def test_foreign_classifiers_walk_alike_and_the_run_says_so() -> None:
    objective, annealing = make((9, 13, 1), classifier=Foreign((9, 13, 1)))
    slow, fast = ReferenceAnneal(objective, annealing), NumbaAnneal(objective, annealing)
    slow_because = "each proposal is scored in full, which is slow; fewer proposals or search=ga take less time"
    assert fast.notes == (f"{WHOLE_IMAGES}: {slow_because}",)
    assert same(slow.step(slow.init(RUNS)), fast.step(fast.init(RUNS)))


@pytest.mark.parametrize("words", [None, *DENSE, {"kernel": 4}], ids=str)
def test_chains_depend_neither_on_threads_nor_on_other_chains(words: dict[str, Any] | None) -> None:
    of_words = convolutional if words and "kernel" in words else random_dense
    objective, annealing = make((8, 8, 1), classifier=None if words is None else of_words((8, 8, 1), **words))
    many = np.arange(70, dtype=np.uint32)
    one, three = NumbaAnneal(objective, annealing, threads=1), NumbaAnneal(objective, annealing, threads=3)
    all_of_them, some = one.step(one.init(many)), three.step(three.init(many[60:65]))
    assert same(all_of_them, three.step(three.init(many)))
    assert np.array_equal(all_of_them.images[60:65], some.images)
    assert np.array_equal(all_of_them.costs[60:65], some.costs)


def test_a_chain_goes_on_without_its_statistics() -> None:
    objective, annealing = make((8, 8, 1))
    engine = NumbaAnneal(objective, annealing)
    state = engine.step(engine.init(RUNS))
    assert same(engine.step(state), engine.step(replace(state, statistics={})))


def test_first_images_have_exactly_the_wanted_levels(shape: tuple[int, int, int]) -> None:
    levels = random_statistics(shape).levels[:3]
    counts = exact_counts(levels, shape[0] * shape[1])[[0, 1, 1, 2, 0]]
    levels = levels[[0, 1, 1, 2, 0]]
    assert (counts.sum(axis=2) == shape[0] * shape[1]).all()
    assert np.abs(counts - levels * shape[0] * shape[1]).max() < 1
    images = reference_anneal.shuffle_levels(counts, 7, RUNS, shape)
    for image, of_run in zip(images, counts, strict=True):
        for channel in range(shape[2]):
            assert np.array_equal(np.bincount(image[..., channel].reshape(-1), minlength=256), of_run[channel])
    assert not np.array_equal(images[1], images[2])


def test_swaps_keep_the_histogram_and_redraws_change_one_pixel() -> None:
    shape, images = (8, 8, 3), random_images((8, 8, 3), 200)
    runs = np.arange(len(images), dtype=np.uint32)
    table = draw_table(np.full((len(runs), 3, 256), 1 / 256))
    swapped = reference_anneal.propose(images, table, RATE_ONE, 1, 2, 3, runs)
    apart = (swapped != images).any(axis=3).sum(axis=(1, 2))
    assert set(apart.tolist()) <= {0, 2}
    assert (apart == 2).mean() > 0.9
    before, after = (np.sort(some.reshape(len(images), -1, 3), axis=1) for some in (images, swapped))
    assert np.array_equal(before, after)
    redrawn = reference_anneal.propose(images, table, 0, 1, 2, 3, runs)
    assert ((redrawn != images).sum(axis=(1, 2, 3)) <= 1).all()
    assert np.unique(np.argwhere(redrawn != images)[:, 1:], axis=0).shape[0] > np.prod(shape) / 2


def test_acceptance_is_that_of_metropolis() -> None:
    runs = np.arange(20_000, dtype=np.uint32)
    old = np.zeros(len(runs), dtype=np.float32)
    for rise, temperature in ((0.01, 0.01), (0.02, 0.01), (0.001, 0.01)):
        new = np.full(len(runs), rise, dtype=np.float32)
        taken = reference_anneal.metropolis_accept(new, old, temperature, 5, 1, 2, runs)
        assert taken.mean() == pytest.approx(np.exp(-rise / temperature), abs=0.015)
    assert reference_anneal.metropolis_accept(old, old, 0.0, 5, 1, 2, runs).all()
    assert not reference_anneal.metropolis_accept(old + np.float32(1e-6), old, 0.0, 5, 1, 2, runs).any()


def test_temperatures_fall_to_nothing() -> None:
    all_of_them = np.concatenate([reference_anneal.temperatures(0.5, 2.0, g, 4, 10) for g in (1, 2, 3, 4)])
    assert all_of_them == pytest.approx(0.5 * (1 - np.arange(40) / 40) ** 2)


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ([], lambda statistics: statistics.levels[None, 3]),
        (["prior.digit=5"], lambda statistics: statistics.levels[None, 5]),
        (["prior.exemplar=true"], lambda statistics: statistics.exemplar_levels[3].astype(float)),
        (["draw=bins", "bins=6"], lambda statistics: levels_within_bins(statistics.bins(3, 6)[None])),
    ],
    ids=["class", "other class", "exemplars", "bins"],
)
def test_settings_reach_the_chains(words: list[str], levels: Callable[[Statistics], np.ndarray]) -> None:
    chosen = ("temperature=0.07", "cooling=0.5", "proposals=37", "swap_share=0.25", "generations=9", "seed=11")
    (job,) = prepare(load(["search=anneal", "digit=3", *chosen, *words], RunSettings, "run"))
    way, wanted = make_search(job).params, levels(Statistics.load(BUNDLED))
    assert (way.temperature, way.cooling, way.proposals, way.last, way.seed) == (0.07, 0.5, 37, 9, 11)
    assert (way.swap, way.shape) == (RATE_ONE // 4, (28, 28, 1))
    assert np.array_equal(way.tables, draw_table(wanted))
    assert np.array_equal(way.counts, exact_counts(wanted, 784))
    walk = make_search(job).proposal_params(4)
    assert walk.temperatures == pytest.approx(0.07 * (1 - (3 * 37 + np.arange(37)) / (9 * 37)) ** 0.5)
    assert (walk.swap, walk.seed, walk.generation) == (RATE_ONE // 4, 11, 4)
    assert np.array_equal(walk.tables, way.tables)


@pytest.mark.parametrize("how", ["difference", "dense"])
def test_scoring_is_that_of_the_settings(how: str) -> None:
    (job,) = prepare(load(["search=anneal", f"scoring={how}"], RunSettings, "run"))
    assert (make_search(job).compiled is None) == (how == "dense")


def test_each_setting_acts() -> None:
    def evolve(**other: Any) -> np.ndarray:
        words = {"search": "anneal", "runs": 2, "proposals": 60, "generations": 3, "temperature": 0.05, **other}
        return fooling.evolve(**words).images

    before = evolve()
    for name, value in {"temperature": 0, "cooling": 0, "proposals": 61, "swap_share": 0.5, "seed": 1}.items():
        assert not np.array_equal(evolve(**{name: value}), before), name
    assert np.array_equal(evolve(scoring="dense"), before)


def test_a_job_end_to_end(home: Path) -> None:
    words = {"search": "anneal", "runs": 3, "proposals": 500, "generations": 6, "digit": 2}
    whole = fooling.evolve(**words, out="whole")
    assert whole.evaluations.tolist() == [3001] * 3
    assert 0 < whole.changed.max() < 3001
    assert whole.history["median_cost"][-1] < whole.history["median_cost"][0] / 2
    assert (np.sort(whole.images.reshape(3, -1), axis=1) == np.sort(whole.images[0].reshape(-1))).all()
    assert np.array_equal(fooling.evolve(**words, threads=1).images, whole.images)
    slow = fooling.evolve(**{**words, "proposals": 20}, engine="reference")
    assert np.array_equal(slow.images, fooling.evolve(**{**words, "proposals": 20}).images)


def test_budget_is_never_exceeded() -> None:
    words = {"search": "anneal", "runs": 2, "proposals": 100, "generations": 50}
    assert fooling.evolve(**words, budget=450).evaluations.tolist() == [401, 401]
    with pytest.raises(UserError, match=r"budget: expected at least 1 \+ search.proposals \(101\), got 100"):
        fooling.evolve(**words, budget=100)


def test_there_is_no_worst_of_a_chain() -> None:
    with pytest.raises(UserError, match=r"search\.returns: .*search=anneal"):
        fooling.evolve(search="anneal", returns="worst")


def test_a_term_that_chains_do_not_know_is_scored_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fooling.search.annealing.COMPILED", {"histogram": "counts", "variogram": "sums"})
    objective, annealing = make((8, 8, 1))
    slow, fast = ReferenceAnneal(objective, annealing), NumbaAnneal(objective, annealing)
    assert [note.partition(":")[0] for note in fast.notes] == [
        f"the term {name} is not compiled for chains" for name in ("regional", "eigen")
    ]
    assert same(slow.step(slow.init(RUNS)), fast.step(fast.init(RUNS)))
