"""engine=reference: NumPy, slow, the definition that the others are compared with."""

import numpy as np
import numpy.typing as npt

from fooling.engines.state import Breeding, State, nothing
from fooling.kernels import reference
from fooling.objective import Objective

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class ReferenceEngine:
    """One child after the other, every term as it is written down."""

    notes = ()

    def __init__(self, objective: Objective, breeding: Breeding, threads: int | None = None, scoring: str = "dense") -> None:
        self.objective, self.breeding = objective, breeding
        del threads, scoring  # NumPy alone: one thread, everything in full

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """Draws, scores and selects the first populations."""
        b = self.breeding
        children = reference.start(b.tables[self.objective.which(runs)], b.seed, runs, b.population, b.shape)
        changed = np.full(len(runs), b.population)
        return self.kept(nothing(b, runs, self.objective.classifier.num_classes), 0, children, changed)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        b, generation = self.breeding, state.generation + 1
        tables, redraw = b.tables[self.objective.which(state.runs)], b.redraw_thresholds(state.costs)
        children = reference.breed(
            state.images, tables, redraw, b.swap, b.mixing, b.seed, generation, state.runs, b.population, b.rates
        )
        fresh = reference.fresh(children, state.images, b.mixing, b.seed, generation, state.runs)
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
        best = reference.select(costs, self.breeding.selected)
        rows = np.arange(len(best))[:, None]
        return State(generation, state.runs, children[rows, best], costs[rows, best], scores[rows, best], changed)
