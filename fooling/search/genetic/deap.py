"""engine=deap: the same search through a toolbox of DEAP, so that any of its operators can be put in place of ours.

Fortin et al. 2012, "DEAP: Evolutionary Algorithms Made Easy". Slow: one child after the other. With our operators it is the
reference, bit for bit; `engine.toolbox=module:function` names a function that takes the toolbox and registers others.
"""

import contextlib
import csv
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from deap import base, tools

from fooling.classifiers.base import Classifier, predict_batch
from fooling.errors import UserError
from fooling.kernels.reference import operators
from fooling.kernels.reference.operators import crossover, is_changed, start, truncation_selection
from fooling.kernels.tables import Bytes, Floats
from fooling.records.record import Record
from fooling.search.genetic import GeneticParams, empty_state, schedule
from fooling.search.nsga2 import seeded
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.code import call_named
from fooling.settings.files import read_whole
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

NONE: Floats = np.zeros(0, dtype=np.float32)  # scores before the evaluation
LOGBOOK = "logbook.csv"  # in the record
COLUMNS = ("gen", "nevals", "min", "avg", "max", "std", "best_ever")  # of a logbook: of the costs of the children


class Cost(base.Fitness):  # type: ignore[misc]
    """A cost, to be minimised."""

    weights = (-1.0,)


class Individual(list[int]):
    """An image as a list of its pixels 0…255, line by line: DEAP's own crossovers would corrupt an array."""

    def __init__(self, image: Bytes, run: int) -> None:
        super().__init__(image.reshape(-1).tolist())
        self.shape, self.run, self.fitness = image.shape, run, Cost()
        self.scores = NONE
        self.address, self.redraw = (0, 0, 0, 0), 0  # of a child: where its random words are, and its redraw threshold

    @property
    def cost(self) -> float:
        """The value of its fitness."""
        return float(self.fitness.values[0])

    @property
    def image(self) -> Bytes:
        """uint8 [H, W, C]; what an operator left beside the grey levels is rounded, and clipped to 0…255."""
        try:
            levels = np.array(self, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"engine=deap: an operator left a pixel that is no number ({error})") from error
        if np.isnan(levels).any():
            raise UserError("engine=deap: an operator left a pixel that is not a number (nan)")
        return np.clip(np.rint(levels), 0, 255).astype(np.uint8).reshape(self.shape)

    def become(self, image: Bytes) -> None:
        """Takes the pixels of an image."""
        self[:] = image.reshape(-1).tolist()


def make_toolbox(objective: Objective, params: GeneticParams) -> base.Toolbox:
    """Our operators under DEAP's names, with DEAP's faces.

    mate(one, other) → two children, of which the first is taken; mutate(one) → (one,); select(individuals, k) → k of them;
    evaluate(individuals) → (cost,) of each, all at once; clone(one).
    """
    toolbox = base.Toolbox()

    def mate(one: Individual, other: Individual) -> tuple[Individual, Individual]:
        pixels = one.image.reshape(-1), other.image.reshape(-1)
        one.become(crossover(*pixels, params.shape, params.rates.rectangle, one.address))
        return one, other

    def mutate(one: Individual) -> tuple[Individual]:
        p, pixels = params, one.image.reshape(-1)
        table = p.tables[objective.which(np.array([one.run], dtype=np.uint32))[0]]
        operators.mutate(pixels, p.shape, table, one.redraw, p.swap, p.rates, one.address)
        one.become(pixels)
        return (one,)

    def evaluate(individuals: Sequence[Individual]) -> list[tuple[float]]:
        runs = np.array([one.run for one in individuals], dtype=np.uint32)
        costs, scores = objective.cost(np.stack([one.image for one in individuals]), objective.which(runs))
        for one, own in zip(individuals, scores, strict=True):
            one.scores = own
        return [(float(cost),) for cost in costs]

    for operator in (mate, mutate, select, evaluate):
        toolbox.register(operator.__name__, operator)
    return toolbox


def select(individuals: Sequence[Individual], k: int) -> list[Individual]:
    """The k of lowest cost, best first, ties by their order."""
    costs = np.array([[one.cost for one in individuals]], dtype=np.float32)
    return [individuals[place] for place in truncation_selection(costs, k)[0]]


class DeapEngine:
    """One run after the other, each with DEAP's Statistics, a Logbook and a HallOfFame."""

    schedule = staticmethod(schedule)
    files = (LOGBOOK,)

    def __init__(
        self, objective: Objective, params: GeneticParams, threads: int | None = None, toolbox: str | None = None
    ) -> None:
        self.objective, self.params = objective, params
        self.toolbox = make_toolbox(objective, params)
        self.notes: tuple[str, ...] = ()
        if threads is not None:
            self.notes += ("engine.threads applies only to engine=numba; engine=deap uses one thread",)
        if toolbox:
            call_named("engine.toolbox", toolbox, "a function that takes a toolbox", self.toolbox)
            self.notes += (f"engine.toolbox: operators by {toolbox}",)
        self.statistics = tools.Statistics(key=lambda one: one.cost)
        for name, function in (("min", np.min), ("avg", np.mean), ("max", np.max), ("std", np.std)):
            self.statistics.register(name, function)
        self.logbooks: dict[int, tools.Logbook] = {}  # by run; of the generations since it began or was resumed
        self.halls: dict[int, tools.HallOfFame] = {}  # by run: the best images ever, as many as parents are kept

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The engine with the parameters in the settings, and the operators of `engine.toolbox`."""
        del start_image
        params = GeneticParams.from_settings(settings, objective, statistics)
        return cls(objective, params, settings.engine.threads, settings.engine.toolbox)

    def init(self, runs: Runs) -> State:
        """Draws, scores and selects the first populations."""
        p = self.params
        children = start(p.tables[self.objective.which(runs)], p.seed, runs, p.population, p.shape)
        state = empty_state(p, runs, self.objective.classifier.num_classes)
        populations = [[Individual(image, int(run)) for image in images] for run, images in zip(runs, children, strict=True)]
        return self.select(state, populations, np.full(len(runs), p.population))

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        redraw = self.params.redraw_thresholds(state.costs)
        populations = [self.offspring(state, row, int(redraw[row])) for row in range(len(state.runs))]
        images = np.stack([[one.image for one in population] for population in populations])
        p, generation = self.params, state.generation + 1
        fresh = is_changed(images, state.images, p.mixing, p.seed, generation, state.runs)
        return self.select(state, populations, fresh.sum(axis=1))

    def offspring(self, state: State, row: int, redraw: int) -> list[Individual]:
        """The next children of one run."""
        p, run, generation = self.params, int(state.runs[row]), state.generation + 1
        parents, children = self.parents(state, row), []
        with seeded(repr((p.seed, run, generation))):
            for number in range(p.population):
                address = (number, generation, run, p.seed)
                places = operators.pair(p.selected, p.mixing, address)
                one, other = (self.call("clone", parents[place]) for place in places)
                one.address, one.redraw = address, redraw
                child, _ = self.call("mate", one, other)
                (child,) = self.call("mutate", child)
                del child.fitness.values
                child.scores = NONE
                children.append(child)
        return children

    def parents(self, state: State, row: int) -> list[Individual]:
        """The selected images of one run, with their costs and scores."""
        found = [Individual(image, int(state.runs[row])) for image in state.images[row]]
        for one, cost, scores in zip(found, state.costs[row], state.scores[row], strict=True):
            one.fitness.values, one.scores = (float(cost),), scores
        return found

    def select(self, state: State, populations: list[list[Individual]], changed: npt.NDArray[np.int64]) -> State:
        """Scores the children of each run and selects the best, with elitism of them and their parents."""
        generation, selection = state.generation + 1, []
        everyone = [one for population in populations for one in population]
        for one, values in zip(everyone, self.call("evaluate", everyone), strict=True):
            one.fitness.values = values
        if any(not len(one.scores) for one in everyone):  # of an evaluate that is not ours
            for one, scores in zip(
                everyone, predict_batch(self.objective.classifier, np.stack([one.image for one in everyone])), strict=True
            ):
                one.scores = scores
        for row, population in enumerate(populations):
            self.log(population, generation)
            rivals = self.parents(state, row) if self.params.elitism else []
            with seeded(repr((self.params.seed, population[0].run, generation, "select"))):
                chosen = self.call("select", [*population, *rivals], self.params.selected)
            selection.append(sorted(chosen, key=lambda one: one.cost))
        images, costs, scores = (
            np.stack([[of(one) for one in chosen] for chosen in selection])
            for of in (lambda one: one.image, lambda one: np.float32(one.cost), lambda one: one.scores)
        )
        return State(generation, state.runs, images, costs, scores, changed)

    def call(self, name: str, *individuals: Any) -> Any:
        """Calls an operator, which may be the user's. Raises UserError where it fails or returns a wrong type."""
        try:
            found = getattr(self.toolbox, name)(*individuals)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"engine=deap: the toolbox's {name} raised {type(error).__name__}: {error}") from error
        problem = self.problem(name, found, len(individuals[0]))
        if problem:
            raise UserError(f"engine=deap: the toolbox's {name} must return {problem}, got {brief(found)}")
        return found

    def problem(self, name: str, found: Any, number_given: int) -> str:
        """What an operator should have returned, "" if it did; `number_given` is how many individuals it received."""
        pixels = math.prod(self.params.shape)
        if name == "clone":
            return "" if isinstance(found, Individual) else "an individual"
        number = {"mate": 2, "mutate": 1, "select": self.params.selected, "evaluate": number_given}[name]
        if not isinstance(found, tuple | list) or len(found) != number:
            return f"{number} in a tuple or list"
        if name == "evaluate":
            fine = all(isinstance(values, tuple | list) and len(values) == 1 for values in found)
            return "" if fine else "a tuple of one cost for each"
        fine = all(isinstance(one, Individual) and len(one) == pixels for one in found[: number if name == "select" else 1])
        return "" if fine else f"individuals of {pixels} pixels"

    def log(self, population: list[Individual], generation: int) -> None:
        """Writes a generation of one run into its logbook and its hall of fame."""
        run = population[0].run
        hall = self.halls.setdefault(run, tools.HallOfFame(self.params.selected))
        hall.update(population)
        logbook = self.logbooks.setdefault(run, tools.Logbook())
        logbook.record(gen=generation, nevals=len(population), **self.statistics.compile(population), best_ever=hall[0].cost)

    def save_extras(self, record: Record, classifier: Classifier) -> None:
        """Writes logbook.csv; lines of a shorter job that this one continues stay."""
        del classifier
        lines: list[Sequence[Any]] = []
        lines += [(run, *(line[name] for name in COLUMNS)) for run, book in sorted(self.logbooks.items()) for line in book]
        path, new = record.folder / LOGBOOK, {(line[0], line[1]) for line in lines}
        with contextlib.suppress(OSError, ValueError, IndexError):
            there = list(csv.reader(read_whole(path, "table").decode().splitlines()))[1:]
            lines += [line for line in there if (int(line[0]), int(line[1])) not in new]
        record.write_table(LOGBOOK, [("run", *COLUMNS), *sorted(lines, key=lambda line: (int(line[0]), int(line[1])))])


def brief(found: Any) -> str:
    """What an operator returned, in a few words."""
    size = f" of {len(found)}" if hasattr(found, "__len__") else ""
    return f"{type(found).__name__}{size}"
