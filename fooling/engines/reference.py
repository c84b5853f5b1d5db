"""engine=reference: NumPy, slow, the definition that the others are compared with."""

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import ask
from fooling.engines.state import Breeding, State, keep_best
from fooling.kernels import reference
from fooling.objective import Objective

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class ReferenceEngine:
    """One child after the other, every term as it is written down."""

    def __init__(self, objective: Objective, breeding: Breeding, threads: int | None = None) -> None:
        self.objective, self.breeding = objective, breeding
        del threads  # NumPy alone: one thread

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """Draws, scores and selects the first populations."""
        b = self.breeding
        return self.kept(nothing(b, runs), 0, reference.start(b.table, b.seed, runs, b.population, b.shape))

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        b, generation = self.breeding, state.generation + 1
        redraw = b.redraw_thresholds(state.costs)
        children = reference.breed(
            state.images, b.table, redraw, b.swap, b.mixing, b.seed, generation, state.runs, b.population
        )
        return self.kept(state, generation, children)

    def kept(self, state: State, generation: int, children: Bytes) -> State:
        """Scores children [R, N, H, W, C] in full and keeps the best."""
        objective, size = self.objective, children.shape[:2]
        images = children.reshape(-1, *self.breeding.shape)
        scores = ask(objective.classifier, images)
        terms = [reference.target_term(scores, objective.digit)]
        terms += [reference.PENALTIES[name](images, *objective.arguments[name]) for name in objective.penalties]
        weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])
        costs = reference.weighted_sum(np.stack(terms, axis=1), weights).reshape(size)
        return keep_best(state, generation, children, costs, scores.reshape(*size, -1), self.breeding)


def nothing(breeding: Breeding, runs: npt.NDArray[np.uint32]) -> State:
    """The state before the first population: no images."""
    size = (len(runs), 0)
    return State(
        -1,
        runs,
        np.empty((*size, *breeding.shape), np.uint8),
        np.empty(size, np.float32),
        np.empty((*size, 0), np.float32),
    )
