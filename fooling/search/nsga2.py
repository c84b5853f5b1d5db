"""search=pareto: each run is a population of NSGA-II that trades the target term off against the distance from the prior.

NSGA-II (Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II") is DEAP's: its selection, of which
engine=numba has a compiled twin, and its tournaments.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import numpy as np
from deap import base, tools

from fooling.classifiers.base import predict_batch
from fooling.kernels import numba, reference
from fooling.kernels.numba.selection import nsga2_selection
from fooling.kernels.reference.operators import breed, is_changed, start
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints
from fooling.search import Schedule
from fooling.search.genetic import GeneticParams, empty_state, schedule
from fooling.search.genetic.delta import SCORES
from fooling.search.genetic.numba import EXTERNAL_BATCH, NumbaEngine, all_children
from fooling.search.objective import Objective
from fooling.search.pareto_front import FILES
from fooling.search.state import Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

OBJECTIVES = "objectives"  # target term and distance from the prior, beside a state's images


@contextmanager
def seeded(seed: int | str) -> Iterator[None]:
    """The global generator starts from a seed; afterwards its state is restored."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


class Fitness(base.Fitness):  # type: ignore[misc]
    """Two objectives, both to be minimised."""

    weights = (-1.0, -1.0)

    def __init__(self, objectives: list[float]) -> None:  # omits the checks of `Fitness`, which take half of the time
        self.wvalues = (-objectives[0], -objectives[1])


class Candidate:
    """An image as DEAP sees it: its number and its objectives."""

    __slots__ = ("fitness", "index")

    def __init__(self, index: int, objectives: list[float]) -> None:
        self.index, self.fitness = index, Fitness(objectives)


def select(objectives: Floats, number: int) -> tuple[Ints, Doubles]:
    """Which of objectives [M, 2] stay, whole fronts and of the last the least crowded; → they and their crowding distances."""
    candidates = [Candidate(index, values) for index, values in enumerate(objectives.tolist())]
    chosen = tools.selNSGA2(candidates, number, nd="log")  # of 200: 0.5 ms; nd="standard" takes 13
    return np.array([one.index for one in chosen]), np.array([one.fitness.crowding_dist for one in chosen])


def mating_pool(objectives: Floats, which: Ints, crowding: Doubles, number: int) -> Ints:
    """The winners of tournaments among objectives [N, 2], listed by `which` [N]; `number` is the seed.

    Each takes part in two; the dominating one wins, else the less crowded one. → [N, or less so that 4 divides it].
    """
    candidates = [Candidate(index, values) for index, values in zip(which.tolist(), objectives[which].tolist(), strict=True)]
    for candidate, distance in zip(candidates, crowding.tolist(), strict=True):
        candidate.fitness.crowding_dist = distance
    with seeded(number):
        chosen = tools.selTournamentDCD(candidates, len(candidates) // 4 * 4)
    return np.array([candidate.index for candidate in chosen])


class ReferencePareto:
    """engine=reference: children and terms by the reference kernels."""

    notes: tuple[str, ...] = ()
    files = FILES
    kernels: Any = reference

    def __init__(self, objective: Objective, params: GeneticParams) -> None:
        self.objective, self.params, self.shown_together = objective, params, params.population
        self.weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters of the genetic algorithm in the settings."""
        del start_image
        return cls(objective, GeneticParams.from_settings(settings, objective, statistics))

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """Every generation is a population; a run returns all of its last one."""
        return replace(schedule(settings), whole=True)

    def init(self, runs: Runs) -> State:
        """Draws and scores the first populations."""
        return by_cost(self.children(empty_state(self.params, runs, self.objective.classifier.num_classes)))

    def step(self, state: State) -> State:
        """Breeds from the winners of the tournaments; the best of children and parents stay, listed by cost."""
        if OBJECTIVES not in state.statistics:  # they are in no checkpoint
            state = self.restore_objectives(state)
        objectives, number = state.statistics[OBJECTIVES], state.generation + 1
        seeds = [self.params.seed << 64 | number << 32 | int(run) for run in state.runs]
        ranked = self.select(objectives, self.params.population)
        pool = np.stack([mating_pool(*one) for one in zip(objectives, *ranked, seeds, strict=True)])
        union = concatenate(self.children(replace(state, images=state.images[rows_of(pool), pool])), state)
        best, _ = self.select(union.statistics[OBJECTIVES], self.params.population)
        return by_cost(select_images(union, best))

    def children(self, parents: State) -> State:
        """The next children of parents [R, S, …], scored; of no parents (generation −1) the first populations."""
        images, changed = self.breed(parents, parents.generation + 1)
        return self.evaluate(parents.generation + 1, parents.runs, images, changed)

    def evaluate(self, generation: int, runs: Runs, images: Bytes, changed: Ints) -> State:
        """A state of images [R, N, H, W, C] with their costs, scores and objectives."""
        size = images.shape[:2]
        which = np.repeat(self.objective.which(runs), size[1])
        terms, scores = self.value(images.reshape(-1, *self.params.shape), which)
        costs = reference.weighted_sum(terms, self.weights).reshape(size)
        objectives = self.objectives(terms).reshape(*size, 2)
        return State(generation, runs, images, costs, scores.reshape(*size, -1), changed, {OBJECTIVES: objectives})

    def restore_objectives(self, state: State) -> State:
        """A state of a checkpoint with its objectives; it holds the scores, so no image is evaluated twice."""
        size = state.images.shape[:2]
        which = np.repeat(self.objective.which(state.runs), size[1])
        terms = self.terms(state.images.reshape(-1, *self.params.shape), which, state.scores.reshape(len(which), -1))
        return replace(state, statistics={OBJECTIVES: self.objectives(terms).reshape(*size, 2)})

    def objectives(self, terms: Floats) -> Floats:
        """Target term and distance from the prior: terms [N, T] → [N, 2]."""
        return np.stack([terms[:, 0], reference.weighted_sum(terms[:, 1:], self.weights[1:])], axis=1)

    def terms(self, images: Bytes, which: Ints, scores: Floats) -> Floats:
        """Terms [N, T] of images [N, H, W, C] with the targets `which` [N] and the scores [N, K]."""
        objective = self.objective
        terms = [self.kernels.target_term(scores, objective.digit, objective.free)]
        terms += [self.kernels.PENALTIES[name](images, which, *objective.arguments[name]) for name in objective.penalties]
        return np.stack(terms, axis=1)

    def select(self, objectives: Floats, number: int) -> tuple[Ints, Doubles]:
        """NSGA-II's selection of each run: objectives [R, M, 2] → which, and their crowding distances, [R, number] each."""
        which, crowding = zip(*(select(values, number) for values in objectives), strict=True)
        return np.stack(which), np.stack(crowding)

    def breed(self, parents: State, generation: int) -> tuple[Bytes, Ints]:
        """Children [R, N, H, W, C], and how many of each run equal neither of their parents [R]."""
        p, runs = self.params, parents.runs
        tables = p.tables[self.objective.which(runs)]
        if generation == 0:
            return start(tables, p.seed, runs, p.population, p.shape), np.full(len(runs), p.population)
        redraw = p.redraw_thresholds(parents.costs)
        images = breed(parents.images, tables, redraw, p.swap, p.mixing, p.seed, generation, runs, p.population, p.rates)
        fresh = is_changed(images, parents.images, p.mixing, p.seed, generation, runs)
        return images, fresh.sum(axis=1)

    def value(self, images: Bytes, which: Ints) -> tuple[Floats, Floats]:
        """Terms [N, T] and scores [N, K] of images [N, H, W, C] with the targets `which` [N]."""
        scores = predict_batch(self.objective.classifier, images)
        return self.terms(images, which, scores), scores


class NumbaPareto(ReferencePareto):
    """engine=numba: the same, compiled, bred and scored on all cores; the tournaments are DEAP's."""

    kernels = numba

    def __init__(self, objective: Objective, params: GeneticParams, threads: int | None = None) -> None:
        super().__init__(objective, params)
        self.engine = NumbaEngine(objective, params, threads, "dense")  # children of a front are far from their parents
        self.shown_together = self.engine.shown_together

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters of the genetic algorithm in the settings."""
        del start_image
        return cls(objective, GeneticParams.from_settings(settings, objective, statistics), settings.engine.threads)

    def select(self, objectives: Floats, number: int) -> tuple[Ints, Doubles]:
        """NSGA-II's selection of each run: objectives [R, M, 2] → which, and their crowding distances, [R, number] each."""
        return nsga2_selection(objectives.astype(np.float64), number)

    def breed(self, parents: State, generation: int) -> tuple[Bytes, Ints]:
        """Children [R, N, H, W, C], and how many of each run equal neither of their parents [R]."""
        p, runs, inputs = self.params, len(parents.runs), self.engine.inputs(parents, generation)
        numbers, pixels = all_children(runs, p.population, inputs.stride), int(np.prod(p.shape))
        images, fresh = np.empty((len(numbers), pixels), dtype=np.uint8), np.ones(len(numbers), dtype=np.bool_)

        def some(lo: int, hi: int) -> None:
            if generation == 0:
                images[lo:hi] = numba.start(inputs, pixels, numbers[lo:hi])
            else:
                images[lo:hi], fresh[lo:hi] = numba.breed(inputs, numbers[lo:hi])

        self.engine.slices.map(some, 0, len(numbers))
        return images.reshape(runs, p.population, *p.shape), fresh.reshape(runs, -1).sum(axis=1)

    def value(self, images: Bytes, which: Ints) -> tuple[Floats, Floats]:
        """Terms [N, T] and scores [N, K] of images [N, H, W, C] with the targets `which` [N]."""
        terms = np.empty((len(images), len(self.weights)), dtype=np.float32)
        scores = np.empty((len(images), self.objective.classifier.num_classes), dtype=np.float32)

        def some(lo: int, hi: int) -> None:
            for term, column in zip(self.engine.terms, self.engine.columns, strict=True):
                place = scores[lo:hi] if term.name == SCORES else terms[lo:hi, column : column + 1]
                place[:] = term.in_full(images[lo:hi], which[lo:hi]).reshape(-1, term.columns)

        self.engine.slices.map(some, 0, len(images))
        for lo in range(0, len(images) if self.engine.external else 0, EXTERNAL_BATCH):
            scores[lo : lo + EXTERNAL_BATCH] = predict_batch(self.objective.classifier, images[lo : lo + EXTERNAL_BATCH])
        terms[:, 0] = reference.target_term(scores, self.objective.digit, self.objective.free)
        return terms, scores


def by_cost(state: State) -> State:
    """The state with each run's images by their cost, ties by their order."""
    return select_images(state, np.argsort(state.costs, axis=1, kind="stable"))


def concatenate(children: State, parents: State) -> State:
    """Children and parents of each run as one state, of the children's generation."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(children, name), getattr(parents, name)], axis=1)
        for name in ("images", "costs", "scores")
    }
    objectives = np.concatenate([children.statistics[OBJECTIVES], parents.statistics[OBJECTIVES]], axis=1)
    return replace(children, **arrays, statistics={OBJECTIVES: objectives})


def select_images(state: State, which: Ints) -> State:
    """The state with these images of each run, [R, S]."""
    rows = rows_of(which)
    statistics = {name: array[rows, which] for name, array in state.statistics.items()}
    images, costs, scores = state.images[rows, which], state.costs[rows, which], state.scores[rows, which]
    return replace(state, images=images, costs=costs, scores=scores, statistics=statistics)


def rows_of(which: Ints) -> Ints:
    """The run of each of `which` [R, S], to index with: [R, 1]."""
    return np.arange(len(which))[:, None]
