"""engine=deap: the reference with our operators, DEAP's own in their place, logbook and hall of fame, and what it refuses."""

import csv
import random
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import ROOT
from deap import tools
from objectives import ALL, ANY, ANY_OF_1, PLAN, equal, run_loop
from objectives import small_search as make

from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.kernels.reference.operators import OperatorRates
from fooling.kernels.tables import gaussian_perturbations, polynomial_perturbations
from fooling.records.record import read_run
from fooling.search.genetic import ReferenceEngine
from fooling.search.genetic.deap import DeapEngine, Individual

SHAPE = (8, 8, 1)
RUNS = np.array([0, 7], dtype=np.uint32)
QUICK = ("run", "engine=deap", "digit=2", "runs=2", "population=6", "selected=3", "generations=4", "quiet=true", "out=r")


@pytest.mark.parametrize(
    "varied",
    [
        {},
        {"elitism": False},
        {"mixing": False, "selected": 1},
        ANY,
        {**ANY_OF_1, "target_free": 0.1},
        {"exemplar": True, "weights": ALL, "mutate_factor": 0.1, "seed": 2**64 - 1},
        {"rates": OperatorRates(rectangle=2**23, gaussian=2**20, gaussian_table=gaussian_perturbations(20.0), blur=2**18)},
        {"shape": (6, 7, 3), "rates": OperatorRates(polynomial=2**20, polynomial_table=polynomial_perturbations(20))},
    ],
    ids=lambda varied: ",".join(varied) or "plain",
)
def test_our_operators_are_the_reference(varied: dict) -> None:
    objective, breeding = make(**{"shape": SHAPE, **varied})
    engine, wanted = DeapEngine(objective, breeding), ReferenceEngine(objective, breeding)
    state = wanted.init(RUNS)
    assert equal(engine.init(RUNS), state)
    for _ in range(3):
        following = wanted.step(state)
        assert equal(engine.step(state), following)
        state = following


def replace_all(toolbox: object) -> None:
    """DEAP's own operators, as docs/guides/engines.md has them."""
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutGaussian, mu=0, sigma=60, indpb=0.05)
    toolbox.register("select", tools.selTournament, tournsize=3)


def test_operators_of_deap_take_the_place_of_ours() -> None:
    objective, breeding = make(SHAPE, population=30, selected=6)
    plan = PLAN.__class__(**{**PLAN.__dict__, "population": 30, "first": 30, "last": 8, "runs": 2})
    engine = DeapEngine(objective, breeding, toolbox="test_deap:replace_all")
    assert engine.notes == ("engine.toolbox: operators by test_deap:replace_all",)
    before = random.getstate()
    found = run_loop(engine, plan)
    assert random.getstate() == before
    again = run_loop(DeapEngine(objective, breeding, toolbox="test_deap:replace_all"), plan)
    ours = run_loop(DeapEngine(objective, breeding), plan)
    assert np.array_equal(found.images, again.images)
    assert not np.array_equal(found.images, ours.images)
    first = [book[0]["min"] for book in engine.logbooks.values()]
    assert (found.costs < first).all()


def test_what_an_operator_leaves_becomes_grey_levels() -> None:
    one = Individual(np.zeros((1, 5, 1), dtype=np.uint8), run=0)
    one[:] = [-3, 0.4, 0.6, 254.7, 900]
    assert one.image.reshape(-1).tolist() == [0, 0, 1, 255, 255]


def test_logbook_and_hall_of_fame_know_every_generation(home: Path) -> None:
    assert guarded(dispatch, [*QUICK, "elitism=false"]) == 0
    rows = list(csv.DictReader((home / "r/logbook.csv").read_text().splitlines()))
    assert [(row["run"], row["gen"]) for row in rows] == [(str(run), str(gen)) for run in range(2) for gen in range(5)]
    assert {row["nevals"] for row in rows} == {"6"}
    for run in range(2):
        lowest = [float(row["min"]) for row in rows if row["run"] == str(run)]
        assert [float(row["best_ever"]) for row in rows if row["run"] == str(run)] == np.minimum.accumulate(lowest).tolist()
    objective, breeding = make(SHAPE)
    engine = DeapEngine(objective, breeding)
    state = engine.step(engine.init(RUNS))
    halls = [[one.cost for one in engine.halls[int(run)]] for run in RUNS]
    assert halls[0] == sorted(halls[0])
    assert [hall[0] for hall in halls] == pytest.approx(state.costs[:, 0])


def fails(toolbox: object) -> None:
    raise KeyError("no")


def raises(one: Individual) -> None:
    raise RuntimeError("no such pixel")


def leaves(pixel: object) -> Callable[[Individual], tuple[Individual]]:
    def mutate(one: Individual) -> tuple[Individual]:
        one[0] = pixel
        return (one,)

    return mutate


@pytest.mark.parametrize(
    ("name", "operator", "message"),
    [
        ("mutate", raises, "the toolbox's mutate raised RuntimeError: no such pixel"),
        ("mutate", lambda one: None, "the toolbox's mutate must return 1 in a tuple or list, got NoneType"),
        ("mutate", leaves("white"), "an operator left a pixel that is no number"),
        ("mutate", leaves(float("nan")), r"an operator left a pixel that is not a number \(nan\)"),
        ("mate", lambda one, other: (one[:3], other), "mate must return individuals of 64 pixels, got tuple of 2"),
        ("select", lambda individuals, k: individuals[:1], "select must return 4 in a tuple or list, got list of 1"),
        ("select", lambda individuals, k: [0] * k, "select must return individuals of 64 pixels"),
        ("evaluate", lambda individuals: [1.0] * len(individuals), "evaluate must return a tuple of one cost for each"),
        ("clone", list, "the toolbox's clone must return an individual, got list of 64"),
    ],
)
def test_operators_that_fail_are_told(name: str, operator: Callable[..., object], message: str) -> None:
    objective, breeding = make(SHAPE)
    engine = DeapEngine(objective, breeding)
    engine.toolbox.register(name, operator)
    with pytest.raises(UserError, match=message):
        engine.step(engine.init(RUNS))


def test_the_cost_may_be_the_users() -> None:
    objective, breeding = make(SHAPE)
    engine = DeapEngine(objective, breeding)
    engine.toolbox.register("evaluate", lambda individuals: [(float(sum(one)),) for one in individuals])
    state = engine.step(engine.init(RUNS))
    assert state.costs.tolist() == state.images.sum(axis=(2, 3, 4)).tolist()
    assert np.array_equal(state.scores[0], objective.classifier(state.images[0]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["engine.toolbox=nowhere:f"], "engine.toolbox=nowhere:f: expected module:function"),
        (["engine.toolbox=math"], "engine.toolbox=math: expected module:function"),
        (["engine.toolbox=math:pi"], "a function that takes a toolbox; TypeError: 'float' object is not callable"),
        (["engine.toolbox=math:floor"], "engine.toolbox=math:floor: expected module:function"),
        (["engine.toolbox=test_deap:fails"], "a function that takes a toolbox; KeyError: 'no'"),
        (["engine=numba", "engine.toolbox=math:floor"], "engine.toolbox: expected engine=deap, got engine=numba"),
    ],
    ids=str,
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {word.partition("=")[0] for word in words}
    assert guarded(dispatch, [*(word for word in QUICK if word.partition("=")[0] not in given), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (home / "r").exists()


def test_a_module_beside_the_command_is_announced(home: Path) -> None:
    Path("beside_the_command.py").write_text("def ours(toolbox):\n    toolbox.register('mutate', lambda one: (one,))\n")
    assert guarded(dispatch, [*QUICK, "engine.toolbox=beside_the_command:ours"]) == 0
    run = read_run(home / "r")
    assert run["notes"] == ["engine.toolbox: operators by beside_the_command:ours"]
    assert run["reproducible"] == "approximate"


def test_the_documented_example_runs(home: Path) -> None:
    page = (ROOT / "docs" / "guides" / "engines.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    command = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)[-1]
    Path("my_operators.py").write_text(code)
    words = shlex.split(command)[1:]
    assert guarded(dispatch, [*words, "population=10", "quiet=true", "out=r"]) == 0
    assert read_run(home / "r")["notes"] == ["engine.toolbox: operators by my_operators:change"]
    rows = list(csv.DictReader((home / "r/logbook.csv").read_text().splitlines()))
    assert float(rows[30]["best_ever"]) < float(rows[0]["min"])
