"""search=map_elites: the archive by hand, lineages, engines alike, and whole jobs."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network, random_statistics
from objectives import WEIGHTS, objective_of
from scipy.special import ndtr

import fooling
from fooling.commands import dispatch
from fooling.data.npz import read_arrays
from fooling.errors import UserError, guarded
from fooling.kernels.reference.penalties import confidence
from fooling.records.ownership import GENOMES, class_image_names, is_image_name
from fooling.records.record import read_image, read_run
from fooling.search.archive import ANCESTORS, ARCHIVE, CURVE, LONGEST, MARKS, PATH, SWITCHES, VALUE, first_lineage, take_over
from fooling.search.genomes import make_genome
from fooling.search.map_elites import MapElitesParams, NumbaElites, ReferenceElites
from fooling.search.objective import Objective, logarithmic_losses
from fooling.search.offspring import MATES, OffspringParams, breed, polynomial
from fooling.search.state import GENOME, State

SHAPE = (9, 13, 1)
CLASSES = (2, 0, 3)
OFFSPRING = OffspringParams(
    10, 10, 0.5, 0.5, 0.5, "gaussian", mutation_rate=1.0, mutation_halved=0, mutation_sd=0.5, mutation_eta=15
)
PARAMS = MapElitesParams(SHAPE, "dct", 4, first=15, patch=0, offspring=OFFSPRING, seed=3)
QUICK = ["search=map_elites", "detail=4", "generations=6", "population=10", "first=12", "stop=end", "quiet=true"]


def make(weights: Any = None, shape: tuple[int, int, int] = SHAPE, **varied: Any) -> tuple[Objective, MapElitesParams]:
    network, statistics = random_network(shape), random_statistics(shape)
    given = {} if weights is None else {"weights": weights, "prior_digit": 1}
    objective = objective_of(network, statistics, digit="any", **{"weights": {"target": 1.0}, **given})
    bred = {name: varied.pop(name) for name in list(varied) if hasattr(OFFSPRING, name)}
    return replace(objective, classes=CLASSES), replace(PARAMS, shape=shape, offspring=replace(OFFSPRING, **bred), **varied)


def runs() -> np.ndarray:
    return np.arange(len(CLASSES), dtype=np.uint32)


def walk(search: ReferenceElites, generations: int = 5) -> list[State]:
    states = [search.init(runs())]
    for _ in range(generations):
        states.append(search.step(states[-1]))
    return states


def offered(search: ReferenceElites, monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is offered to the archive from now on: genomes and parents of each generation."""
    found, offer = [], search.offer

    def noting(state: State, genomes: np.ndarray, parents: np.ndarray) -> None:
        found.append((genomes, parents))
        offer(state, genomes, parents)

    monkeypatch.setattr(search, "offer", noting)
    return found


def test_each_cell_has_the_best_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, params = make()
    search = ReferenceElites(objective, params)
    found = offered(search, monkeypatch)
    last = walk(search)[-1]
    genomes = np.concatenate([genomes for genomes, _ in found])
    images = make_genome("dct", SHAPE, 4).decode(genomes)
    losses = logarithmic_losses(objective.classifier(images))[:, list(CLASSES)]
    best = losses.argmin(axis=0)
    assert len(images) == 15 + 5 * 10
    assert np.array_equal(last.images[:, 0], images[best])
    assert np.array_equal(last.aux[GENOME], genomes[best])
    assert last.aux[VALUE] == pytest.approx(losses.min(axis=0))
    assert last.scores[:, 0] == pytest.approx(objective.classifier(images[best]))
    assert last.costs[:, 0] == pytest.approx(objective.value(images[best], runs())[0], abs=1e-6)


def test_children_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, params = make(mutation_sd=0.0)
    search = ReferenceElites(objective, params)
    found = offered(search, monkeypatch)
    state = search.init(runs())
    search.step(state)
    (_, none), (children, parents) = found
    assert (none == -1).all()
    elites = state.aux[GENOME]
    for row, (child, parent) in enumerate(zip(children, parents, strict=True)):
        if row % 2:  # each number of the parent or of one other
            own = np.isclose(child, elites[parent])
            assert any(np.isclose(child, np.where(own, elites[parent], other)).all() for other in elites)
            continue
        lines, step = elites - elites[parent], child - elites[parent]
        shares = [step @ line / (line @ line) if line.any() else 0 for line in lines]
        assert any(np.allclose(step, share * line, atol=1e-5) for share, line in zip(shares, lines, strict=True))


@pytest.mark.parametrize("batch", [1, 3, 7, 20])
def test_the_share_of_crossovers_does_not_depend_on_the_batch(batch: int) -> None:
    elites = np.eye(3, 40, dtype=np.float32)
    plain = replace(OFFSPRING, crossovers=0.4, mutation_rate=0.0)
    crossed = 0
    for lo in range(0, 300, batch):
        children, parents = breed(
            elites, np.eye(3), np.arange(3), np.random.default_rng(lo), plain, 1, range(lo, min(300, lo + batch))
        )
        is_whole = np.isin(children, (0, 1)).all(axis=1)
        crossed += int((is_whole & (parents >= 0)).sum())
    alike = 0.6 * 300 / 3  # steps along no line: both parents are the same
    assert crossed == pytest.approx(0.4 * 300 + alike, abs=25)


def test_mates_are_the_best_for_the_class_of_the_parent() -> None:
    elites = np.arange(40, dtype=np.float32)[:, None].repeat(2, axis=1) * [[1, 1000]]
    scores, classes = np.random.default_rng(2).random((40, 50)), np.random.default_rng(3).permutation(50)[:40]
    plain = replace(OFFSPRING, mates=0.7, crossovers=1.0, mutation_rate=0.0)
    children, parents = breed(elites, scores, classes, np.random.default_rng(1), plain, 1, range(4000))
    others = np.where(children[:, 0] == parents, children[:, 1] / 1000, children[:, 0]).astype(int)
    crossed = (children[:, 0] == parents) != (children[:, 1] == parents * 1000)
    best = np.argsort(-scores[:, classes], axis=0)[:MATES]
    among = np.array([other in best[:, parent] for other, parent in zip(others, parents, strict=True)])[crossed]
    assert among.mean() == pytest.approx(0.7 + 0.3 * MATES / 40, abs=0.03)
    assert len(np.unique(others[crossed])) == 40


def test_what_is_free_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, params = make(weights={"target": 1.0, "histogram": 1.0})
    objective = replace(objective, free=2.7)
    search = ReferenceElites(objective, params)
    found = offered(search, monkeypatch)
    last = walk(search)[-1]
    images = make_genome("dct", SHAPE, 4).decode(np.concatenate([genomes for genomes, _ in found]))
    for cell, k in enumerate(CLASSES):
        costs, terms, scores = replace(objective, digit=k, classes=()).value(images)
        losses = np.where(terms["target"] > 0, logarithmic_losses(scores)[:, k], 0)
        assert last.aux[VALUE][cell] == pytest.approx((costs - terms["target"] + losses).min(), abs=1e-5)
    assert (terms["target"] == 0).any()


def test_mutation_by_hand() -> None:
    elites = np.random.default_rng(0).normal(size=(3, 2000)).astype(np.float32)
    plain = replace(OFFSPRING, crossovers=0.0, line_sd=0.0, mutation_rate=0.1, mutation_halved=100)
    for generation, share in ((1, 0.1), (99, 0.1), (100, 0.05), (250, 0.025)):
        children, parents = breed(elites, np.eye(3), np.arange(3), np.random.default_rng(1), plain, generation, range(10))
        changed = children != elites[parents]
        assert changed.mean() == pytest.approx(share, rel=0.1)
        assert (children - elites[parents])[changed].std() == pytest.approx(0.5, rel=0.05)


def test_polynomial_mutation_is_of_shares() -> None:
    numbers = np.zeros((1, 100_000), dtype=np.float32)  # the share below each is a half
    shares = ndtr(polynomial(numbers, np.random.default_rng(0), 15).astype(np.float64))[0] - 0.5
    draws = np.random.default_rng(0).random(100_000)
    assert np.abs(shares).mean() == pytest.approx(1 / 17, rel=0.02)  # of 1 − v^(1/16), v uniform
    assert shares[draws < 0.5].max() <= 1e-6
    assert (np.argsort(shares[:50]) == np.argsort(draws[:50])).all()
    edge = polynomial(np.full((1, 1000), 9, np.float32), np.random.default_rng(0), 15)
    assert np.isfinite(edge).all()


def test_a_batch_is_made_of_what_the_one_before_found(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, params = make(batch=4)
    search = ReferenceElites(objective, params)
    found = offered(search, monkeypatch)
    first = search.init(runs())
    before = {name: array.copy() for name, array in first.arrays().items()}
    last = search.step(first)
    assert [len(genomes) for genomes, _ in found] == [15, 4, 4, 2]
    assert all(np.array_equal(before[name], array) for name, array in first.arrays().items())  # a step changes no state
    genomes = np.concatenate([genomes for genomes, _ in found])
    losses = logarithmic_losses(objective.classifier(make_genome("dct", SHAPE, 4).decode(genomes)))[:, list(CLASSES)]
    assert last.aux[VALUE] == pytest.approx(losses.min(axis=0))


def test_lineages_are_those_of_the_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, params = make(mutation_sd=1.5, line_sd=2.0)
    search = ReferenceElites(objective, params)
    found = offered(search, monkeypatch)
    states = walk(search, 12)
    paths: list[list[tuple[int, bytes]]] = [[] for _ in CLASSES]
    switches = [0] * len(CLASSES)
    for (before, after), (genomes, parents) in zip(itertools.pairwise(states), found[1:], strict=True):
        old = [list(path) for path in paths]
        for cell in range(len(CLASSES)):
            if np.array_equal(before.aux[GENOME][cell], after.aux[GENOME][cell]):
                continue
            (row,) = np.flatnonzero((genomes == after.aux[GENOME][cell]).all(axis=1))
            parent = int(parents[row])
            if parent != cell:
                paths[cell] = [*old[parent], (parent, before.aux[GENOME][parent].tobytes())]
                switches[cell] += 1
    last = states[-1].aux
    assert last[SWITCHES].tolist() == switches
    assert sum(switches) > 0
    for cell, path in enumerate(paths):
        kept = path[-LONGEST:]
        assert last[PATH][cell].tolist() == [-1] * (LONGEST - len(kept)) + [parent for parent, _ in kept]
        for place, (_, genome) in enumerate(reversed(kept), 1):
            assert last[ANCESTORS][cell, -place].tobytes() == genome


def test_long_genomes_have_no_ancestors() -> None:
    assert first_lineage(3, 5000)[ANCESTORS].shape == (3, 0, 0)
    arrays = {**first_lineage(3, 5000), GENOME: np.zeros((3, 5000))}
    take_over(arrays, np.array([0]), np.array([2]))
    assert arrays[PATH][0].tolist() == [-1] * (LONGEST - 1) + [2]


def test_confidences_are_kept_at_the_marks() -> None:
    objective, params = make()
    states = walk(ReferenceElites(objective, params), 21)
    curve = states[-1].aux[CURVE]
    reached = MARKS[MARKS <= 22]
    assert (curve[:, len(reached) :] == -1).all()
    for place, mark in enumerate(reached):
        assert np.array_equal(curve[:, place], confidence(states[mark - 1].scores[:, 0], np.array(CLASSES)))


@pytest.mark.parametrize(
    "varied",
    [
        {},
        {"genome": "grid", "population": 1},
        {"batch": 4},
        {"genome": "cppn", "shape": (8, 8, 3)},
        {"genome": "pixels", "first": 1},
        {"shape": (8, 8, 3), "weights": WEIGHTS},
        {"line_sd": 0.0, "crossovers": 0.0},
        {"genome": "levels", "mutation": "polynomial", "mutation_rate": 0.1},
        {"weights": {"target": 0.0, "histogram": 1.0, "variogram": 1.0}},
    ],
    ids=str,
)
def test_engines_step_alike_and_no_cell_gets_worse(varied: dict) -> None:
    objective, params = make(**varied)
    slow, fast = walk(ReferenceElites(objective, params)), walk(NumbaElites(objective, params))
    for one, other in zip(slow, fast, strict=True):
        assert np.array_equal(one.images, other.images)
        assert one.costs == pytest.approx(other.costs, abs=1e-5)
    for before, after in itertools.pairwise(slow):
        assert (after.aux[VALUE] <= before.aux[VALUE]).all()
    assert slow[-1].costs[:, 0] == pytest.approx(objective.value(slow[-1].images[:, 0], runs())[0], abs=1e-5)


# --- whole jobs ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def network(home: Path) -> Any:
    found = random_network((12, 12, 3), classes=5)
    found.save(Path("n.safetensors"))
    return found


ON = ["classifier=mnist_mlp", "classifier.path=n.safetensors"]


def words_for(*words: str) -> list[str]:
    """A small job; words replace its own."""
    given = {word.partition("=")[0] for word in words}
    return [*ON, *(word for word in QUICK if word.partition("=")[0] not in given), *words]


def call(*words: str) -> int:
    return guarded(dispatch, ["run", *words_for(*words)])


def test_a_record_of_all_classes(network: Any) -> None:
    assert call("out=r") == 0
    run, archive = read_run(Path("r")), read_arrays(Path("r") / ARCHIVE)
    assert (run["digit"], run["label"], run["runs"]) == ("all", "5 classes", 5)
    assert run["evaluations"] == run["changed_evaluations"] == 12 + 6 * 10
    assert [entry["digit"] for entry in run["images"]] == [0, 1, 2, 3, 4]
    assert [entry["file"] for entry in run["images"]] == [f"images/class_{k}.png" for k in range(5)]
    assert all(map(is_image_name, (entry["file"] for entry in run["images"])))
    images = np.stack([read_image(Path("r") / entry["file"]) for entry in run["images"]])
    scores = network(images)
    assert [entry["confidence"] for entry in run["images"]] == pytest.approx(scores[np.arange(5), np.arange(5)].tolist())
    assert run["qd_score"] == pytest.approx(scores[np.arange(5), np.arange(5)].sum())
    assert run["coverage"] == (scores.argmax(axis=1) == np.arange(5)).sum()
    assert run["goal_switches"] == archive["goal_switches"].sum()
    assert archive["evaluations"].tolist() == [12, 22, 32, 42, 52, 62][: archive["confidence"].shape[1]]
    assert archive["labels"].tolist() == list(network.labels)
    genomes = read_arrays(Path("r") / GENOMES)["genomes"]
    assert np.array_equal(make_genome("dct", (12, 12, 3), 4).decode(genomes), images)
    assert {"mosaic.png", "family.png", "curves.png", "images/class_0.png"} <= set(run["files"])
    assert all((Path("r") / name).exists() for name in ("mosaic.png", "family.png", "curves.png", "contact_sheet.png"))
    assert guarded(dispatch, ["render", "r", "size=60", "quiet=true"]) == 0
    assert read_image(Path("r/rendered/class_3.png")).shape == (60, 60, 3)


@pytest.mark.parametrize(("classes", "genome"), [(20, "dct"), (21, "cppn")])
def test_the_genome_suits_the_number_of_classes(home: Path, classes: int, genome: str) -> None:
    few = ["population=4", "batch=4", "first=4", "generations=1", "detail=4", "quiet=true", "out=r"]
    fooling.evolve("search=map_elites", *few, classifier=random_network((8, 8, 1), classes=classes))
    assert read_arrays(Path("r") / GENOMES)["genome"] == genome


def test_every_image_is_counted_once(network: Any) -> None:
    shown = []

    class Counting:
        input_shape, num_classes, labels, fingerprint = network.input_shape, 5, network.labels, "counting"

        def __call__(self, images: np.ndarray) -> np.ndarray:
            shown.append(len(images))
            return np.asarray(network(images))

    result = fooling.evolve(*QUICK, classifier=Counting(), out="r")
    run = read_run(Path("r"))
    assert sum(shown) == run["evaluations"] + run["examination_evaluations"] + run["valuation_evaluations"]
    assert result.total_evaluations == 72
    assert run["valuation_evaluations"] == 5
    assert result.classes.tolist() == [0, 1, 2, 3, 4]
    assert repr(result).startswith("Result(5 classes: 5 images 12×12×3, ")


def test_some_classes_a_control_and_judges(network: Any) -> None:
    random_network((12, 12, 3), classes=5, seed=9).save(Path("m.safetensors"))
    assert call("digit=class 3,1", "judges=[{name: mnist_mlp, path: m.safetensors, title: other}]", "out=r") == 0
    run = read_run(Path("r"))
    assert [entry["digit"] for entry in run["images"]] == [3, 1]
    assert run["judges"]["other"] == np.mean(
        [entry["judges"]["other"]["predicted"] == entry["digit"] for entry in run["images"]]
    )
    assert call("control=true", "out=c") == 0
    control = read_run(Path("c"))
    assert control["control"] is True
    assert any("all classes have the same image" in note for note in control["notes"])
    assert len({read_image(Path("c") / entry["file"]).tobytes() for entry in control["images"]}) == 1


def test_it_stops_once_every_class_is_reached(home: Path) -> None:
    words: dict[str, Any] = {"search": "map_elites", "digit": [1, 2, 5], "population": 40, "threshold": 0.9, "quiet": True}
    result = fooling.evolve(generations=500, out="r", **words)
    assert (result.converged.all(), result.generations < 500) == (True, True)
    reached = result.evaluations_to[:, 0]
    assert result.total_evaluations == reached.max() > reached.min() >= 400
    run, archive = read_run(Path("r")), read_arrays(Path("r") / ARCHIVE)
    assert (run["status"], run["stopped_by"], archive["path"].shape) == ("done", "threshold", (3, LONGEST))
    assert run["goal_switches"] == archive["goal_switches"].sum()
    again = ["run", "search=map_elites", "digit=1,2,5", "population=40", "threshold=0.9", "quiet=true", "out=r", "resume=true"]
    assert guarded(dispatch, [*again, "generations=500"]) == 0
    assert guarded(dispatch, [*again, "generations=600"]) == 0
    assert read_run(Path("r"))["images"] == run["images"]


def test_an_interrupted_job_goes_on_as_if_nothing_had_been(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fooling.evolve(*ON, *QUICK, out="whole")
    step, steps = NumbaElites.step, []

    def fails(search: NumbaElites, state: State) -> State:
        steps.append(state.generation)
        if len(steps) == 4:
            raise UserError("stop here")
        return step(search, state)

    monkeypatch.setattr(NumbaElites, "step", fails)
    assert call("out=r") == 2
    assert read_run(Path("r"))["status"] == "failed"
    monkeypatch.setattr(NumbaElites, "step", step)
    assert call("out=r", "resume=true") == 0
    one, other = read_run(Path("whole")), read_run(Path("r"))
    assert one["images"] == other["images"]
    assert one["goal_switches"] == other["goal_switches"]
    for name in (ARCHIVE, GENOMES):
        first, second = read_arrays(Path("whole") / name), read_arrays(Path("r") / name)
        assert all(np.array_equal(first[key], second[key]) for key in first), name
    files = [entry["file"] for entry in other["images"]]
    assert np.array_equal(np.stack([read_image(Path("r") / file) for file in files]), whole.images)


def test_an_archive_of_another_model_is_refused(network: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("out=r") == 0
    random_network((12, 12, 3), classes=5, seed=9).save(Path("n.safetensors"))
    assert call("out=r", "resume=true", "generations=9") == 2
    assert "another classifier" in capsys.readouterr().err


def test_the_images_of_an_archive_go_when_it_is_overwritten(network: Any) -> None:
    assert call("out=r") == 0
    Path("r/images/holiday.png").write_bytes(b"mine")
    assert call("out=r", "overwrite=true", "digit=0,4") == 0
    assert sorted(path.name for path in Path("r/images").iterdir()) == ["class_0.png", "class_4.png", "holiday.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit=any"], "digit: expected all or several classes with search=map_elites, got any"),
        (["digit=3"], "digit: expected all or several classes with search=map_elites, got 3; search=es is for one class"),
        (["runs=5"], "runs: expected 1 with search=map_elites, got 5; it has one archive"),
        (["budget=11"], "budget: expected at least 12, got 11"),
        (["detail=13"], "search.detail: expected at most the 12 pixels of the shorter side, got 13"),
        (["digit=clas 3,0"], "did you mean"),
        (["digit=0,7"], "expected a class from 0 to 4"),
        (["prior=histogram"], "prior.digit: expected the class of the statistics for search=map_elites with prior=histogram"),
        (["prior=exemplar", "prior.digit=1"], "prior.exemplar: expected false with search=map_elites"),
        (["engine=jax"], "engine=jax has no search=map_elites"),
        (["search.sigma=1"], "search.sigma: expected search=es, got search=map_elites"),
        (["genome=trees"], "search.genome: expected"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else "",
)
def test_bad_input_is_one_line(network: Any, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert call(*words, "out=r") == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert message in said
    assert not Path("r").exists()


@pytest.mark.parametrize("command", ["ladder", "matrix", "gallery"])
def test_commands_with_a_job_for_each_class_refuse_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert guarded(dispatch, [command, "search=map_elites"]) == 2
    assert "search: expected a search for one class at a time, got search=map_elites" in capsys.readouterr().err


def test_a_small_model_of_many_classes_has_as_much_detail_as_pixels() -> None:
    network = random_network((5, 9, 1), classes=30)
    assert fooling.evolve(digit=1, classifier=network, runs=1, budget=100, quiet=True).images.shape == (1, 5, 9, 1)


def test_scores_that_never_change_are_counted_by_classes(home: Path) -> None:
    class Constant:
        input_shape, num_classes, labels, fingerprint = (8, 8, 1), 3, ("a", "b", "c"), "constant"

        def __call__(self, images: np.ndarray) -> np.ndarray:
            return np.tile(np.float32([0.2, 0.3, 0.5]), (len(images), 1))

    result = fooling.evolve(*QUICK, classifier=Constant())
    assert any("of 3 of 3 classes the score never changed" in note for note in result.notes)
    assert not result.converged.any()


def test_many_jobs_are_pointed_to_it() -> None:
    network = random_network((8, 8, 1), classes=51)
    result = fooling.evolve(digit="all", classifier=network, runs=1, generations=1, population=4, search="es", detail=4)
    assert "search=map_elites searches for all classes at once" in json.dumps(result[0].notes)


def test_images_are_named_by_their_classes() -> None:
    labels = ["tench, Tinca", "Tench/tinca", "鯉", "tench, tinca", "x" * 99, "..", "3", "Löwe", "Con"]
    names = class_image_names(range(9), labels)
    assert names[:4] == [f"images/{name}.png" for name in ("tench_Tinca", "Tench_tinca_1", "class_2", "tench_tinca_3")]
    assert names[5:] == [f"images/{name}.png" for name in ("class_5", "3", "Lowe", "Con_8")]
    assert len({name.lower() for name in names}) == 9
    assert all(map(is_image_name, names))
