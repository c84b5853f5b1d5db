"""engine=reference: NumPy, slow, the definition that the others are compared with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference.operators import ORIGINAL, OperatorRates, breed, is_changed, start, truncation_selection
from fooling.kernels.tables import Bytes, Floats
from fooling.search.objective import Objective
from fooling.search.state import State


@dataclass(frozen=True)
class GeneticParams:
    """How children are made and kept (search=ga). Rates are integers in units of 2⁻²⁴."""

    shape: tuple[int, int, int]  # H, W, C
    population: int  # N, children a generation
    selected: int  # S, parents kept
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels that pixels are drawn from, a target
    mixing: bool  # uniform crossover of two parents, or a copy of one
    mutate_factor: float  # redraw rate a pixel = min(0.5, 0.01·|best cost|·mutate_factor) …
    min_rate: float  # … but not below this
    swap: int  # threshold of a swap, a place
    elitism: bool  # parents compete with their children
    seed: int
    rates: OperatorRates = ORIGINAL  # of the other operators

    @property
    def rate_of_cost(self) -> np.float32:
        """The redraw rate a pixel, per unit of the best cost."""
        return np.float32(0.01 * self.mutate_factor)

    def redraw_thresholds(self, costs: Floats) -> npt.NDArray[np.uint32]:
        """The redraw threshold of each run, from its selected costs [R, S], best first. → [R].

        One product of float32, which is the same in every engine.
        """
        with np.errstate(over="ignore"):  # what is above 0.5 is 0.5
            rate = self.rate_of_cost * np.abs(costs[:, 0])
        rate = np.minimum(np.float32(0.5), np.maximum(np.float32(self.min_rate), rate))
        return np.asarray(np.rint(rate * np.float32(2.0**24)), dtype=np.uint32)


def empty_state(breeding: GeneticParams, runs: npt.NDArray[np.uint32], classes: int) -> State:
    """The state before the first population: no images."""
    size = (len(runs), 0)
    images, costs = np.empty((*size, *breeding.shape), np.uint8), np.empty(size, np.float32)
    return State(-1, runs, images, costs, np.empty((*size, classes), np.float32), np.zeros(len(runs), np.int64))


class ReferenceEngine:
    """One child after the other, every term as it is written down."""

    notes = ()

    def __init__(
        self, objective: Objective, breeding: GeneticParams, threads: int | None = None, scoring: str = "dense"
    ) -> None:
        self.objective, self.breeding = objective, breeding
        del threads, scoring  # NumPy alone: one thread, everything in full

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """Draws, scores and selects the first populations."""
        b = self.breeding
        children = start(b.tables[self.objective.which(runs)], b.seed, runs, b.population, b.shape)
        changed = np.full(len(runs), b.population)
        return self.kept(empty_state(b, runs, self.objective.classifier.num_classes), 0, children, changed)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        b, generation = self.breeding, state.generation + 1
        tables, redraw = b.tables[self.objective.which(state.runs)], b.redraw_thresholds(state.costs)
        children = breed(state.images, tables, redraw, b.swap, b.mixing, b.seed, generation, state.runs, b.population, b.rates)
        fresh = is_changed(children, state.images, b.mixing, b.seed, generation, state.runs)
        return self.kept(state, generation, children, fresh.sum(axis=1))

    def kept(self, state: State, generation: int, children: Bytes, changed: npt.NDArray[np.int64]) -> State:
        """Scores children [R, N, H, W, C] in full and keeps the best, with elitism of them and their parents [R, S, …]."""
        size = children.shape[:2]
        which = np.repeat(self.objective.which(state.runs), size[1])
        found, scores = self.objective.cost(children.reshape(-1, *self.breeding.shape), which)
        costs, scores = found.reshape(size), scores.reshape(*size, -1)
        if self.breeding.elitism:
            children = np.concatenate([children, state.images], axis=1)
            costs, scores = np.concatenate([costs, state.costs], axis=1), np.concatenate([scores, state.scores], axis=1)
        best = truncation_selection(costs, self.breeding.selected)
        rows = np.arange(len(best))[:, None]
        return State(generation, state.runs, children[rows, best], costs[rows, best], scores[rows, best], changed)
