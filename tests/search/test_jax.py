"""engine=jax against the reference: words, breeding, scoring, steps, several devices, and what it refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from builders import ROOT, random_images, random_network, random_statistics
from objectives import ALL, ANY, ANY_OF_1, LIGHT, PLAN, Foreign, alike, run_loop
from objectives import small_search as make
from pairwise import pairwise, rare

from fooling.classifiers import load_classifier
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.kernels import tables
from fooling.kernels.jax import PENALTIES as JAX_PENALTIES
from fooling.kernels.jax import operators as jax_breeding
from fooling.kernels.jax import penalties as jax_
from fooling.kernels.jax import philox as jax_words
from fooling.kernels.reference import PENALTIES as REFERENCE_PENALTIES
from fooling.kernels.reference import penalties as reference
from fooling.kernels.reference.operators import OperatorRates, breed, is_changed, philox, start
from fooling.kernels.reference.penalties import eigen_parts, regional_parts
from fooling.kernels.tables import gaussian_perturbations, polynomial_perturbations
from fooling.search.genetic import ReferenceEngine, memory
from fooling.search.genetic import jax as engine_file
from fooling.search.genetic.jax import JaxEngine
from fooling.search.prior import TermTargets, arguments

SMALL = (9, 13, 1)
COLOUR = (6, 7, 3)
RUNS = np.array([0, 7], dtype=np.uint32)


# --- kernels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [rare(0), 12345678901234567, rare(2**64 - 1)])
def test_words_are_those_of_the_reference(seed: int) -> None:
    random = np.random.default_rng(0)
    block, generation, run = (random.integers(0, 2**32, 50, dtype=np.uint32) for _ in range(3))
    child = random.integers(0, 2**28, 50, dtype=np.uint32)
    for purpose in tables.PURPOSES:
        mine = jax_words.philox(block, child, generation, run, seed, purpose)
        assert np.array_equal(mine, philox(block, child, generation, run, seed, purpose)), purpose


def test_gaps_are_those_of_the_table() -> None:
    random = np.random.default_rng(1)
    edges = [0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
    words = np.concatenate([edges, random.integers(0, 2**32, 500)]).astype(np.uint32)
    found = jax.jit(lambda words, threshold: jax_words.geometric_skip(words, jax_words.log_survival(threshold)))
    for threshold in [1, 2, 100, 2**16, 2**20, 2**23 - 1, 2**23, 2**24 - 1, *random.integers(1, 2**24, 20).tolist()]:
        divisor = tables.log_survival(threshold)
        wanted = [min(tables.geometric_skip(int(word), divisor), jax_words.FAR) for word in words]
        assert np.array_equal(found(words, np.uint32(threshold)), wanted), threshold
    assert (np.asarray(found(words, np.uint32(0))) == jax_words.FAR).all()


@pytest.mark.parametrize(
    "varied",
    [
        rare({}, name=lambda _: "plain"),
        rare({"swap": 0, "mixing": False, "seed": 2**64 - 1, "redraw": [0, 2**23]}, name=",".join),
        rare({"rates": OperatorRates(rectangle=2**23, blur=2**20), "shape": COLOUR}, name=",".join),
        rare(
            {"rates": OperatorRates(rectangle=2**24, gaussian=2**20, gaussian_table=gaussian_perturbations(20.0))},
            name=",".join,
        ),
        {"rates": OperatorRates(polynomial=2**20, polynomial_table=polynomial_perturbations(20)), "shape": COLOUR},
        rare({"population": 1, "selected": 1}, name=",".join),
    ],
    ids=lambda varied: ",".join(varied) or "plain",
)
def test_children_are_those_of_the_reference(varied: dict) -> None:
    shape, population, selected = varied.get("shape", SMALL), varied.get("population", 9), varied.get("selected", 5)
    levels = tables.draw_table(random_statistics(shape).exemplar_levels[1])[:2]
    parents = random_images(shape, 2 * selected)[: 2 * selected].reshape(2, selected, *shape)
    redraw = np.array(varied.get("redraw", [2**12, 2**20]), dtype=np.uint32)
    rest = varied.get("swap", 2**18), varied.get("mixing", True), varied.get("seed", 4)
    rates = varied.get("rates", OperatorRates())
    children = breed(parents, levels, redraw, *rest, 3, RUNS, population, rates)

    def breed_in_jax(parents: Any, shares: Any, top: Any, redraw: Any, run: Any) -> Any:
        table = jax_breeding.DrawTable(shares, top)
        return jax_breeding.breed(parents, table, redraw, *rest, 3, run, population, rates)

    found, fresh = jax.jit(jax.vmap(breed_in_jax))(parents, *jax_breeding.as_table(levels), redraw, RUNS)
    assert np.array_equal(found, children)
    assert np.array_equal(fresh, is_changed(children, parents, *rest[1:], 3, RUNS))


@pytest.mark.parametrize("shape", [rare(SMALL), COLOUR], ids=str)
def test_first_populations_are_those_of_the_reference(shape: tuple[int, int, int]) -> None:
    levels = tables.draw_table(random_statistics(shape).levels[1:2])
    mine = [jax_breeding.start(jax_breeding.as_table(levels[0]), 9, run, 6, shape) for run in RUNS]
    assert np.array_equal(np.stack(mine), start(levels[[0, 0]], 9, RUNS, 6, shape))


def test_levels_at_the_ends_of_a_table() -> None:
    shares = np.full(256, 2**32, dtype=np.uint64)
    shares[:3] = [0, 5, 2**32 - 1]  # level 0 never, 1 for words below 5, 3 for the last word alone
    words = np.array([0, 4, 5, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    assert jax_breeding.draw_levels(jax_breeding.as_table(shares[None]), np.zeros(5, int), words).tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("shape", [rare(SMALL), COLOUR, rare((40, 5, 1))], ids=str)
def test_whole_numbers_are_equal(shape: tuple[int, int, int]) -> None:
    images, lags = random_images(shape, 6), min(shape[:2]) - 1
    for bins in (1, 10, 256):
        levels = tables.bin_of_level(bins)
        counts = jax.jit(lambda images, levels=levels: jax_.histogram_counts(images, levels))(images)
        assert np.array_equal(counts, reference.histogram_counts(images, levels))
    for name in ("variogram_sums", "variogram_sums_lag1"):
        sums = jax.jit(getattr(jax_, name), static_argnums=1)(images, lags)
        assert np.array_equal(sums, getattr(reference, name)(images, lags))
    for grid, reach in ((4, 4), (1, 0), (20, 9)) if shape == SMALL else ((3, 2),):
        parts = jax.jit(jax_.regional_parts, static_argnums=(1, 2))(images, grid, reach)
        assert np.array_equal(parts, regional_parts(images, grid, reach))
    weights = np.random.default_rng(0).integers(-4096, 4097, (images[0].size, 3), dtype=np.int32)
    none = np.zeros(images[0].size, dtype=np.int32)
    projections = eigen_parts(images, weights, np.zeros(3, dtype=np.int64), none)[:, :3] // 256
    assert np.array_equal(jax.jit(lambda images: jax_.projections(images, weights))(images), projections)


@pytest.mark.parametrize(
    ("shape", "varied"),
    pairwise(
        [SMALL, COLOUR],
        [
            {},
            {"lags": 2, "bins": 3},
            {"bins": 256},
            {"exemplar": True, "lag_weights": "spread"},
            {"quirk_lag1": True, "quirk_axes": True},
            {"hinge": ("histogram", "variogram", "regional", "eigen")},
        ],
    ),
)
def test_terms_are_those_of_the_reference(shape: tuple[int, int, int], varied: dict) -> None:
    images = random_images(shape, 20)
    which = np.arange(len(images)) % 3
    wanted = arguments(random_statistics(shape), TermTargets(1, **{"lags": 5, **varied}))
    for name, penalty in REFERENCE_PENALTIES.items():
        mine = jax.jit(lambda images, which, name=name: JAX_PENALTIES[name](images, which, *wanted[name]))(images, which)
        assert np.asarray(mine) == pytest.approx(penalty(images, which, *wanted[name]), rel=1e-4, abs=1e-6), name


def test_projections_of_large_images_are_whole() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 300, 300, 1), dtype=np.uint8)
    weights = random.integers(-60, 61, (90_000, 2), dtype=np.int32)  # of length 4096, about
    assert np.array_equal(jax_.projections(images, weights), images.reshape(2, -1).astype(np.int64) @ weights)


def test_sums_of_large_images_do_not_overflow() -> None:
    images = np.zeros((1, 300, 300, 1), dtype=np.uint8)
    images[0, ::2] = 255  # every second line white: neighbouring lines differ by 255 everywhere
    assert np.array_equal(jax_.variogram_sums(images, 2), reference.variogram_sums(images, 2))
    levels = tables.bin_of_level(2)
    assert np.array_equal(jax_.histogram_counts(images, levels), reference.histogram_counts(images, levels))


def test_scores_are_those_of_the_network() -> None:
    network, images = random_network(SMALL, classes=3, hidden=200), random_images(SMALL, 20)
    scores = network(images)
    assert np.abs(np.asarray(jax.jit(network.jax_fn)(images)) - scores).max() < 1e-6
    for free in (0.0, 0.3):
        mine = jax_.target_term(scores, 2, free)
        assert np.asarray(mine) == pytest.approx(reference.target_term(scores, 2, free), abs=1e-6)


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "varied",
    [
        rare({}, name=lambda _: "plain"),
        rare({"weights": ALL, "mutate_factor": 0.1, "hinge": ("eigen", "regional"), "lag_weights": "spread"}, name=",".join),
        rare({"exemplar": True, "quirk_lag1": True, "mixing": False, "selected": 1, "target_free": 0.9}, name=",".join),
        rare({"weights": {"target": 0.0, "histogram": 0.3, "variogram": 2.0}, "elitism": False, **ANY_OF_1}, name=",".join),
        rare({**ANY, "mutate_factor": 100.0, "min_rate": 0.01, "seed": 2**64 - 1}, name=",".join),
        {
            "shape": COLOUR,
            "classes": 2,
            "rates": OperatorRates(rectangle=2**23, gaussian=2**20, gaussian_table=gaussian_perturbations(20.0)),
        },
    ],
    ids=lambda varied: ",".join(varied) or "plain",
)
def test_it_steps_as_the_reference(varied: dict) -> None:
    shape, network = varied.get("shape", SMALL), varied.get("network", 0)
    terms = {name: value for name, value in varied.items() if name not in ("shape", "classes")}
    objective, breeding = make(shape, random_network(shape, varied.get("classes", 4), seed=network), **terms)
    mine, wanted = JaxEngine(objective, breeding, block=1), ReferenceEngine(objective, breeding)
    state = wanted.init(RUNS)
    assert alike(mine.init(RUNS), state)
    for _ in range(3):
        following = wanted.step(state)
        assert alike(mine.step(state), following)
        state = following


@pytest.mark.exhaustive
def test_convolutional_networks_are_scored_within() -> None:
    network, images = load_classifier("mnist_cnn"), random_images((28, 28, 1), 6)
    assert np.asarray(jax.jit(network.jax_fn)(images)) == pytest.approx(network(images), abs=1e-5)
    objective, breeding = make((28, 28, 1), network, population=6, weights=LIGHT)
    mine, wanted = JaxEngine(objective, breeding, block=1), ReferenceEngine(objective, breeding)
    assert alike(mine.step(wanted.init(RUNS)), wanted.step(wanted.init(RUNS)))


@pytest.mark.exhaustive
def test_a_run_depends_neither_on_blocks_nor_on_other_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, breeding = make(SMALL, population=20, weights=LIGHT)
    plan = replace(PLAN, runs=5, population=20, last=7)
    all_runs = run_loop(JaxEngine(objective, breeding, block=3), plan)
    monkeypatch.setattr(memory, "BATCH", {"cpu": 40})
    batches = JaxEngine(objective, breeding, block=3)
    assert batches.plan(5).batches == 3
    in_batches = run_loop(batches, plan)
    assert np.array_equal(all_runs.images, in_batches.images)
    assert np.array_equal(all_runs.costs, in_batches.costs)
    assert np.array_equal(all_runs.changed, in_batches.changed)
    assert not np.array_equal(all_runs.images[0], all_runs.images[1])


@pytest.mark.exhaustive
def test_runs_that_end_make_blocks_smaller_and_change_no_others() -> None:
    objective, breeding = make(SMALL, population=20, weights=LIGHT)
    some, every = JaxEngine(objective, breeding, block=2), JaxEngine(objective, breeding, block=2)
    state, whole = some.init(np.arange(9, dtype=np.uint32)), every.init(np.arange(9, dtype=np.uint32))
    going = np.isin(np.arange(9), [3, 8])
    for generation in range(1, 7):
        state, whole = some.step(state), every.step(whole)
        state = state.select_runs(going) if generation == 3 else state
    assert state.runs.tolist() == [3, 8]
    assert np.array_equal(state.images, whole.images[going])
    assert np.array_equal(state.costs, whole.costs[going])
    assert some.block is not None
    assert every.block is not None
    assert (some.block.size.all_runs, every.block.size.all_runs) == (2, 9)


@pytest.mark.exhaustive
def test_a_search_improves(home: Any) -> None:
    words = [
        "run",
        "digit=2",
        "engine=jax",
        "prior=none",
        "runs=2",
        "population=30",
        "generations=40",
        "quiet=true",
        "out=r",
        "engine.threads=2",
    ]
    assert guarded(dispatch, words) == 0
    rows = [json.loads(line) for line in (home / "r/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["best_cost"] < 0.7 * rows[0]["best_cost"]
    run = (home / "r/run.json").read_text()
    assert "engine=jax runs on cpu" in run
    assert "engine.threads applies only to engine=numba" in run
    assert '"reproducible": "exact"' in run


TWO = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from fooling.search.genetic.jax import JaxEngine
from objectives import LIGHT, small_search
objective, breeding = small_search((9, 13, 1), population=8, weights=LIGHT)
engine = JaxEngine(objective, breeding, block=2)
state = engine.step(engine.init(np.arange(3, dtype=np.uint32)))
print(len(engine.devices), engine.plan(3).batches, state.images.astype(int).sum(axis=(1, 2, 3, 4)).tolist(), engine.notes[0])
"""


@pytest.mark.exhaustive
def test_two_devices_share_the_runs() -> None:
    code = TWO.format(tests=str(ROOT / "tests"))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    objective, breeding = make(SMALL, population=8, weights=LIGHT)
    engine = JaxEngine(objective, breeding, block=2)
    state = engine.step(engine.init(np.arange(3, dtype=np.uint32)))
    sums = state.images.astype(int).sum(axis=(1, 2, 3, 4)).tolist()
    assert said.strip() == f"2 2 {sums} engine=jax runs on 2 × cpu"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_job_larger_than_the_memory_is_refused_with_the_number_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, breeding = make(SMALL, weights=LIGHT)
    engine = JaxEngine(objective, breeding, block=2)
    monkeypatch.setattr(engine_file, "device_memory", lambda device, devices: 8_000_000)
    assert 10_000 < engine.need(engine.plan(2)) < 8_000_000
    monkeypatch.setattr(JaxEngine, "need", lambda self, size: 2_000_000 + 10_000 * size.all_runs)  # 17 compilations otherwise
    with pytest.raises(UserError, match=r"runs=100000 with population=12 need .* GiB, cpu has 0.0 GiB; runs=(\d+) fit") as told:
        engine.init(np.arange(100_000, dtype=np.uint32))
    fits = int(str(told.value).split("runs=")[-1].split()[0])
    assert 0 < fits < 100_000
    assert engine.need(engine.plan(fits)) <= 8_000_000
    monkeypatch.setattr(engine_file, "device_memory", lambda device, devices: 100)
    state = ReferenceEngine(objective, breeding).init(RUNS)
    for begin in (lambda engine: engine.init(RUNS), lambda engine: engine.step(state)):  # as resuming does
        with pytest.raises(UserError, match="not even one run fits"):
            begin(JaxEngine(objective, breeding, block=2))


def test_this_machine_says_how_much_it_has() -> None:
    (device,) = jax.devices("cpu")
    one, two = (memory.device_memory(device, devices) for devices in (1, 2))
    assert one is None or (2**26 < one < 2**46 and abs(two - one // 2) < one // 10)


def test_no_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError

    monkeypatch.setattr(jax, "devices", fail)
    objective, breeding = make(SMALL)
    with pytest.raises(UserError, match=r"JAX finds no device \(JAX_PLATFORMS=.*AssertionError"):
        JaxEngine(objective, breeding)


def test_classifiers_without_a_function_in_jax_are_refused() -> None:
    objective, breeding = make(SMALL)
    with pytest.raises(UserError, match=r"the classifier \(Foreign\) has no jax_fn, .* engine=numba takes any"):
        JaxEngine(replace(objective, classifier=Foreign(SMALL)), breeding)


def test_searches_that_it_lacks_are_refused(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["run", "engine=jax", "prior=eigen", "out=r"]) == 2
    assert (
        "engine=jax has no search=anneal: it has ga, ascent, dream; search=anneal needs one of engine=reference, numba"
        in capsys.readouterr().err
    )
    assert not (home / "r").exists()
