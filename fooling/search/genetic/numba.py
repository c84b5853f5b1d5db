"""engine=numba: compiled kernels on slices of the candidates of all runs, a slice at a time per thread."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import predict_batch
from fooling.kernels import numba
from fooling.kernels.numba.operators import GenerationInputs, operators
from fooling.kernels.numba.philox import log_survivals
from fooling.kernels.tables import Bytes, Floats, Ints, draw_guide, log_survival
from fooling.search.genetic import GeneticParams, empty_state
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
from fooling.search.state import State

SLICE = 16384  # candidates a slice at most …
SMALL = 256  # … and at least: what a thread is worth
FOREIGN_BATCH = 16384  # images a call of a classifier that is not built in


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Scored:
    """What is known of the n children of a generation."""

    terms: Floats  # [n, T], of the objective's weights
    scores: Floats  # [n, K]
    fresh: npt.NDArray[np.bool_]  # [n], whether a child equals neither of its parents


@lru_cache(maxsize=2)
def all_children(runs: int, population: int, stride: int) -> Ints:
    """The numbers of all children of so many runs, see `kernels.numba.operators`."""
    return (np.arange(runs)[:, None] * stride + np.arange(population)).reshape(-1)


class NumbaEngine:
    """The same search as the reference, on all cores, by difference. No result depends on the number of threads."""

    def __init__(
        self, objective: Objective, breeding: GeneticParams, threads: int | None = None, scoring: str = "difference"
    ) -> None:
        from threadpoolctl import ThreadpoolController

        self.objective, self.breeding = objective, breeding
        self.threads = threads or cores()
        self.pool = ThreadPoolExecutor(self.threads)
        self.blas = ThreadpoolController()
        self.parts = make_delta_terms(objective)
        self.foreign = not any(part.name == SCORES for part in self.parts)
        self.columns = [0 if part.name == SCORES else 1 + objective.penalties.index(part.name) for part in self.parts]
        self.limit = min(int(np.prod(breeding.shape)) // 8, 1024) if scoring == "difference" else -1
        self.notes = self.say_notes()
        self.guides, self.operators = draw_guide(breeding.tables), operators(breeding.rates)
        self.blank = measure(self.parts, np.zeros((1, *breeding.shape), dtype=np.uint8)) if self.limit >= 0 else {}
        self.weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])

    def say_notes(self) -> tuple[str, ...]:
        """What a run says once: which parts are not scored by difference."""
        if self.limit < 0:
            return ()
        foreign = ("the classifier has no linear first layer: it is asked about whole images",) if self.foreign else ()
        dense = [part.name for part in self.parts if part.statistic is None]
        return foreign + tuple(f"the term {name} has no update by difference: it is scored in full" for name in dense)

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """Draws, scores and selects the first populations."""
        return self.generation(empty_state(self.breeding, runs, self.objective.classifier.num_classes), 0)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        return self.generation(state, state.generation + 1)

    def generation(self, state: State, generation: int) -> State:
        """Makes, scores and selects the children of one generation: a slice of the runs at a time, or of all children."""
        recipe, parents = self.recipe(state, generation), self.parents(state)
        runs, n = len(state.runs), self.breeding.population
        numbers, selected = all_children(runs, n, recipe.stride), state.images.shape[1]
        scored, kept = self.scored(runs * n), self.kept(state, generation)

        def score(lo: int, hi: int, images: Bytes | None = None) -> None:
            these = changed_children(recipe, parents, numbers[lo:hi], self.limit, self.breeding.shape)
            scored.fresh[lo:hi] = these.fresh
            for part, column in zip(self.parts, self.columns, strict=True):
                place = scored.terms[lo:hi, column : column + 1] if column else scored.scores[lo:hi]
                place[:] = evaluate(part, parents, these)
            if images is not None:
                all_images(parents, these, images)

        def keep(lo: int, hi: int) -> None:
            self.keep(state, recipe, parents, scored, kept, lo, hi)

        def both(lo: int, hi: int) -> None:
            value_parents(self.parts, parents, self.breeding.shape, lo * selected, hi * selected)
            score(lo * n, hi * n)
            keep(lo, hi)

        def ask_about(first: int, last: int) -> None:
            images = np.empty((last - first, *self.breeding.shape), dtype=np.uint8)
            self.each_slice(lambda lo, hi: score(lo, hi, images[lo - first : hi - first]), first, last)
            scored.scores[first:last] = predict_batch(self.objective.classifier, images)

        if runs >= self.threads and not self.foreign:
            self.each_slice(both, 0, runs, n)
            return kept
        value_parents(self.parts, parents, self.breeding.shape, 0, runs * selected)
        if self.foreign:
            for first in range(0, runs * n, FOREIGN_BATCH):
                ask_about(first, min(first + FOREIGN_BATCH, runs * n))
        else:
            self.each_slice(score, 0, runs * n)
        self.each_slice(keep, 0, runs, self.breeding.selected)
        return kept

    def keep(
        self, state: State, recipe: GenerationInputs, parents: Parents, scored: Scored, kept: State, lo: int, hi: int
    ) -> None:
        """Selects the best children of runs lo…hi − 1, with elitism also of their parents, and writes them to `kept`."""
        b, n = self.breeding, self.breeding.population
        some, terms = slice(lo * n, hi * n), scored.terms[lo * n : hi * n]
        terms[:, 0] = numba.target_term(scored.scores[some], self.objective.digit, self.objective.free)
        costs = numba.weighted_sum(terms, self.weights).reshape(-1, n)
        rivals = state.costs[lo:hi] if b.elitism else state.costs[lo:hi, :0]
        best = numba.truncation_selection(costs, rivals, b.selected)
        these = changed_children(
            recipe, parents, (np.arange(lo, hi)[:, None] * recipe.stride + best).reshape(-1), self.limit, b.shape
        )
        rows = slice(lo * b.selected, hi * b.selected)
        all_images(parents, these, kept.images.reshape(-1, *b.shape)[rows])
        if self.limit >= 0:
            update_statistics(
                self.parts,
                parents,
                these,
                {name: array.reshape(-1, *array.shape[2:])[rows] for name, array in kept.statistics.items()},
            )
        own, runs = best < n, np.arange(hi - lo)[:, None]
        child, parent = np.minimum(best, n - 1), np.maximum(best - n, 0)
        kept.costs[lo:hi] = costs[runs, child]
        kept.scores[lo:hi] = scored.scores[some].reshape(-1, n, scored.scores.shape[1])[runs, child]
        if not own.all():
            kept.costs[lo:hi] = np.where(own, kept.costs[lo:hi], state.costs[lo:hi][runs, parent])
            kept.scores[lo:hi] = np.where(own[:, :, None], kept.scores[lo:hi], state.scores[lo:hi][runs, parent])
        kept.changed[lo:hi] = scored.fresh[some].reshape(-1, n).sum(axis=1)

    def scored(self, n: int) -> Scored:
        """Room for what will be known of n children."""
        terms, scores = (
            np.empty((n, len(self.weights)), np.float32),
            np.empty((n, self.objective.classifier.num_classes), np.float32),
        )
        return Scored(terms, scores, np.empty(n, dtype=np.bool_))

    def kept(self, state: State, generation: int) -> State:
        """Room for the next state of the same runs."""
        size, classes = (len(state.runs), self.breeding.selected), self.objective.classifier.num_classes
        return State(
            generation,
            state.runs,
            np.empty((*size, *self.breeding.shape), dtype=np.uint8),
            np.empty(size, dtype=np.float32),
            np.empty((*size, classes), dtype=np.float32),
            np.empty(len(state.runs), dtype=np.int64),
            {name: np.empty((*size, *array.shape[1:]), dtype=array.dtype) for name, array in self.blank.items()},
        )

    def recipe(self, state: State, generation: int) -> GenerationInputs:
        """How the children of a generation come about."""
        b = self.breeding
        return GenerationInputs(
            parents=state.images.reshape(*state.images.shape[:2], int(np.prod(b.shape))),
            tables=b.tables,
            guides=self.guides,
            target_index=self.objective.which(state.runs),
            redraw=log_survivals(b.redraw_thresholds(state.costs)) if generation else np.zeros(0, dtype=np.uint64),
            swap=np.uint64(log_survival(b.swap)),
            has_crossover=b.mixing,
            seed=np.uint64(b.seed),
            generation=generation,
            runs=state.runs,
            population=b.population,
            stride=b.population + state.images.shape[1],
            width=b.shape[1],
            operators=self.operators,
        )

    def parents(self, state: State) -> Parents:
        """The state's images with their statistics, which are counted where the state has none."""
        images, scores = state.images.reshape(-1, *self.breeding.shape), state.scores.reshape(-1, state.scores.shape[2])
        which = np.repeat(self.objective.which(state.runs), state.images.shape[1])
        if self.limit < 0 or not len(images):
            return Parents(flat(images), {}, {}, which)
        statistics = {name: array.reshape(-1, *array.shape[2:]) for name, array in state.statistics.items()}
        return parents_of(self.parts, images, scores, statistics or measure(self.parts, images), which)

    def each_slice(self, work: Callable[[int, int], Any], lo: int, hi: int, size: int = 1) -> list[Any]:
        """What `work` makes of the slices of lo…hi − 1, in their order; each of them stands for `size` candidates."""
        rounds = -(-(hi - lo) * size // (SLICE * self.threads))  # every thread has the same number of slices
        step = max(-(-SMALL // size), -(-(hi - lo) // (max(1, rounds) * self.threads)))
        with self.blas.limit(limits=1, user_api="blas"):
            if hi - lo <= step:
                return [work(lo, hi)]
            return list(self.pool.map(lambda at: work(at, min(at + step, hi)), range(lo, hi, step)))
