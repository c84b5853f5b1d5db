"""engine=numba: compiled kernels on slices of the candidates of all runs, one slice at a time for each thread.

Children are scored by delta evaluation, from the statistics of their parents and their changed pixels, where a term allows it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import WHOLE_IMAGES, predict_batch
from fooling.kernels import numba
from fooling.kernels.numba.compile import ThreadSlices
from fooling.kernels.numba.operators import GenerationInputs, operators
from fooling.kernels.numba.philox import log_survivals
from fooling.kernels.numba.selection import truncation_selection
from fooling.kernels.tables import Bytes, Floats, Ints, draw_guide, log_survival
from fooling.search.genetic import GeneticParams, empty_state, schedule
from fooling.search.genetic.delta import (
    SCORES,
    Parents,
    all_images,
    changed_children,
    evaluate,
    flat,
    make_delta_terms,
    measure,
    parents_of,
    update_statistics,
    value_parents,
)
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

EXTERNAL_BATCH = 16384  # images in a call of a classifier without delta evaluation
MAX_CHANGES = 1024  # pixels of a child that are scored by delta evaluation; and at most an eighth of the image


@dataclass(frozen=True)
class ChildScores:
    """Terms and scores of the n children of a generation."""

    terms: Floats  # [n, T], of the objective's weights
    scores: Floats  # [n, K]
    fresh: npt.NDArray[np.bool_]  # [n], whether a child equals neither of its parents
    excess: Floats  # [n], the weighted term of the detectors that are evaded, 0 without any


@lru_cache(maxsize=2)
def all_children(runs: int, population: int, stride: int) -> Ints:
    """The numbers of all children of so many runs, see `kernels.numba.operators`."""
    return (np.arange(runs)[:, None] * stride + np.arange(population)).reshape(-1)


class NumbaEngine:
    """The same search as the reference, on all cores. No result depends on the number of threads."""

    schedule = staticmethod(schedule)

    def __init__(
        self, objective: Objective, params: GeneticParams, threads: int | None = None, scoring: str = "difference"
    ) -> None:
        self.objective, self.params = objective, params
        self.slices = ThreadSlices(threads)
        self.terms = make_delta_terms(objective)
        self.external = not any(term.name == SCORES for term in self.terms)
        self.whole = self.external or objective.evasion is not None  # whether children are scored as whole images
        self.shown_together = params.population if self.external else 0
        self.columns = [0 if term.name == SCORES else 1 + objective.penalties.index(term.name) for term in self.terms]
        self.limit = min(int(np.prod(params.shape)) // 8, MAX_CHANGES) if scoring == "difference" else -1
        self.notes = self.describe()
        self.guides, self.operators = draw_guide(params.tables), operators(params.rates)
        self.blank = measure(self.terms, np.zeros((1, *params.shape), dtype=np.uint8)) if self.limit >= 0 else {}
        self.weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The engine with the parameters in the settings."""
        del start_image
        params = GeneticParams.from_settings(settings, objective, statistics)
        return cls(objective, params, settings.engine.threads, settings.engine.scoring)

    def describe(self) -> tuple[str, ...]:
        """Which parts are not scored by delta evaluation."""
        if self.limit < 0:
            return ()
        classifier = (WHOLE_IMAGES,) if self.external else ()
        terms = [term.name for term in self.terms if term.statistic is None]
        return classifier + tuple(f"the term {name} has no delta evaluation: it is scored in full" for name in terms)

    def init(self, runs: Runs) -> State:
        """Draws, scores and selects the first populations."""
        return self.generation(empty_state(self.params, runs, self.objective.classifier.num_classes), 0)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        return self.generation(state, state.generation + 1)

    def generation(self, state: State, generation: int) -> State:
        """Makes, scores and selects the children of one generation: a slice of the runs at a time, or of all children."""
        task = Generation(self, state, generation)
        runs, n = len(state.runs), self.params.population
        if runs >= self.slices.threads and not self.whole:
            self.slices.map(task.score_and_select, 0, runs, n)
            return task.selected
        value_parents(self.terms, task.parents, self.params.shape, 0, runs * state.images.shape[1])
        if self.whole:
            for first in range(0, runs * n, EXTERNAL_BATCH):
                task.score_images(first, min(first + EXTERNAL_BATCH, runs * n))
        else:
            self.slices.map(task.score, 0, runs * n)
        self.slices.map(task.select, 0, runs, self.params.selected)
        return task.selected

    def empty_scores(self, n: int) -> ChildScores:
        """Arrays for the scores of n children."""
        terms = np.empty((n, len(self.weights)), np.float32)
        scores = np.empty((n, self.objective.classifier.num_classes), np.float32)
        return ChildScores(terms, scores, np.empty(n, dtype=np.bool_), np.zeros(n, np.float32))

    def empty_selection(self, state: State, generation: int) -> State:
        """Arrays for the next state of the same runs."""
        size, classes = (len(state.runs), self.params.selected), self.objective.classifier.num_classes
        return State(
            generation,
            state.runs,
            np.empty((*size, *self.params.shape), dtype=np.uint8),
            np.empty(size, dtype=np.float32),
            np.empty((*size, classes), dtype=np.float32),
            np.empty(len(state.runs), dtype=np.int64),
            {name: np.empty((*size, *array.shape[1:]), dtype=array.dtype) for name, array in self.blank.items()},
        )

    def inputs(self, state: State, generation: int) -> GenerationInputs:
        """What the kernels make the children of a generation from."""
        p = self.params
        return GenerationInputs(
            parents=state.images.reshape(*state.images.shape[:2], int(np.prod(p.shape))),
            tables=p.tables,
            guides=self.guides,
            target_index=self.objective.which(state.runs),
            redraw=log_survivals(p.redraw_thresholds(state.costs)) if generation else np.zeros(0, dtype=np.uint64),
            swap=np.uint64(log_survival(p.swap)),
            has_crossover=p.mixing,
            seed=np.uint64(p.seed),
            generation=generation,
            runs=state.runs,
            population=p.population,
            stride=p.population + state.images.shape[1],
            width=p.shape[1],
            operators=self.operators,
        )

    def parents(self, state: State) -> Parents:
        """The state's images with their statistics; these are computed where the state has none."""
        images, scores = state.images.reshape(-1, *self.params.shape), state.scores.reshape(-1, state.scores.shape[2])
        which = np.repeat(self.objective.which(state.runs), state.images.shape[1])
        if self.limit < 0 or not len(images):
            return Parents(flat(images), {}, {}, which)
        statistics = {name: array.reshape(-1, *array.shape[2:]) for name, array in state.statistics.items()}
        return parents_of(self.terms, images, scores, statistics or measure(self.terms, images), which)


class Generation:
    """One generation in the making: its parents, the scores of its children, the selection so far."""

    def __init__(self, engine: NumbaEngine, state: State, generation: int) -> None:
        self.engine, self.state = engine, state
        self.inputs, self.parents = engine.inputs(state, generation), engine.parents(state)
        runs = len(state.runs)
        self.children = all_children(runs, engine.params.population, self.inputs.stride)
        self.scored = engine.empty_scores(runs * engine.params.population)
        self.selected = engine.empty_selection(state, generation)

    def score(self, lo: int, hi: int, images: Bytes | None = None) -> None:
        """Scores children lo…hi − 1, and writes them to `images` if given."""
        engine, parents = self.engine, self.parents
        candidates = changed_children(self.inputs, parents, self.children[lo:hi], engine.limit, engine.params.shape)
        self.scored.fresh[lo:hi] = candidates.fresh
        for term, column in zip(engine.terms, engine.columns, strict=True):
            place = self.scored.terms[lo:hi, column : column + 1] if column else self.scored.scores[lo:hi]
            place[:] = evaluate(term, parents, candidates)
        if images is not None:
            all_images(parents, candidates, images)

    def score_images(self, first: int, last: int) -> None:
        """Scores children first…last − 1 as whole images: by a classifier that takes these, and by detectors."""
        engine = self.engine
        images = np.empty((last - first, *engine.params.shape), dtype=np.uint8)
        engine.slices.map(lambda lo, hi: self.score(lo, hi, images[lo - first : hi - first]), first, last)
        if engine.external:
            self.scored.scores[first:last] = predict_batch(engine.objective.classifier, images)
        if engine.objective.evasion:
            found = engine.objective.evasion.excess(images, self.scored.scores[first:last])
            self.scored.excess[first:last] = engine.objective.evasion.weight * found

    def score_and_select(self, lo: int, hi: int) -> None:
        """Scores the parents' penalties and the children of runs lo…hi − 1, and selects."""
        engine, parents = self.engine, self.state.images.shape[1]
        n = engine.params.population
        value_parents(engine.terms, self.parents, engine.params.shape, lo * parents, hi * parents)
        self.score(lo * n, hi * n)
        self.select(lo, hi)

    def select(self, lo: int, hi: int) -> None:
        """Selects the best children of runs lo…hi − 1, with elitism also of their parents."""
        engine, state, selected = self.engine, self.state, self.selected
        p, n = engine.params, engine.params.population
        costs = self.costs(lo, hi)
        rivals = state.costs[lo:hi] if p.elitism else np.empty((hi - lo, 0), state.costs.dtype)  # of one type for numba
        best = truncation_selection(costs, rivals, p.selected)
        self.write_images(lo, hi, best)
        scores = self.scored.scores[lo * n : hi * n].reshape(hi - lo, n, -1)
        is_child, runs = best < n, np.arange(hi - lo)[:, None]
        child, parent = np.minimum(best, n - 1), np.maximum(best - n, 0)
        selected.costs[lo:hi] = costs[runs, child]
        selected.scores[lo:hi] = scores[runs, child]
        if not is_child.all():
            selected.costs[lo:hi] = np.where(is_child, selected.costs[lo:hi], state.costs[lo:hi][runs, parent])
            old = state.scores[lo:hi][runs, parent]
            selected.scores[lo:hi] = np.where(is_child[:, :, None], selected.scores[lo:hi], old)
        selected.changed[lo:hi] = self.scored.fresh[lo * n : hi * n].reshape(-1, n).sum(axis=1)

    def costs(self, lo: int, hi: int) -> Floats:
        """Costs of the children of runs lo…hi − 1, [hi − lo, N]."""
        engine, n = self.engine, self.engine.params.population
        terms, scores = self.scored.terms[lo * n : hi * n], self.scored.scores[lo * n : hi * n]
        terms[:, 0] = numba.target_term(scores, engine.objective.digit, engine.objective.free)
        costs = numba.weighted_sum(terms, engine.weights)
        if engine.objective.evasion:
            costs = costs + self.scored.excess[lo * n : hi * n]
        return costs.reshape(-1, n)

    def write_images(self, lo: int, hi: int, best: Ints) -> None:
        """Writes the images and statistics of the selection `best` [hi − lo, S] of runs lo…hi − 1."""
        engine, p = self.engine, self.engine.params
        numbers = (np.arange(lo, hi)[:, None] * self.inputs.stride + best).reshape(-1)
        candidates = changed_children(self.inputs, self.parents, numbers, engine.limit, p.shape)
        rows = slice(lo * p.selected, hi * p.selected)
        all_images(self.parents, candidates, self.selected.images.reshape(-1, *p.shape)[rows])
        if engine.limit >= 0:
            statistics = self.selected.statistics.items()
            places = {name: array.reshape(-1, *array.shape[2:])[rows] for name, array in statistics}
            update_statistics(engine.terms, self.parents, candidates, places)
