"""engine=numba: compiled kernels on slices of the children of all runs, a slice at a time per thread."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import ask
from fooling.engines.reference import nothing
from fooling.engines.state import Breeding, State, keep_best
from fooling.kernels import numba_, reference
from fooling.kernels.tables import gap_divisor
from fooling.objective import Objective

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SLICE = 1024  # children a slice at most: their float32 pixels (3 MB at 28×28) stay near the cores
FOREIGN_BATCH = 4096  # images a call of a classifier that is not built in


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class NumbaEngine:
    """The same search as the reference, on all cores. No result depends on the number of threads."""

    def __init__(self, objective: Objective, breeding: Breeding, threads: int | None = None) -> None:
        from threadpoolctl import ThreadpoolController

        self.objective, self.breeding = objective, breeding
        self.threads = threads or cores()
        self.pool = ThreadPoolExecutor(self.threads)
        self.blas = ThreadpoolController()
        compiled = getattr(objective.classifier, "compiled", None)
        self.built_in: Callable[[Bytes], Floats] | None = compiled(numba_) if compiled else None
        self.weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """Draws, scores and selects the first populations."""
        b = self.breeding

        def draw(children: Bytes, lo: int, hi: int) -> None:
            numba_.start_slice(children, b.table, np.uint64(b.seed), runs, lo, hi)

        return self.generation(nothing(b, runs), 0, draw)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        b, generation = self.breeding, state.generation + 1
        parents = state.images.reshape(*state.images.shape[:2], -1)
        redraw = np.array([gap_divisor(int(t)) for t in b.redraw_thresholds(state.costs)], dtype=np.uint64)
        swap, seed = np.uint64(gap_divisor(b.swap)), np.uint64(b.seed)

        def breed(children: Bytes, lo: int, hi: int) -> None:
            numba_.breed_slice(children, parents, b.table, redraw, swap, b.mixing, seed, generation, state.runs, lo, hi)

        return self.generation(state, generation, breed)

    def generation(self, state: State, generation: int, make: Callable[[Bytes, int, int], None]) -> State:
        """Makes, scores and selects the children of one generation, slice by slice."""
        b, objective = self.breeding, self.objective
        size = (len(state.runs), b.population)
        total, classes = size[0] * size[1], objective.classifier.num_classes
        children = np.empty((*size, int(np.prod(b.shape))), dtype=np.uint8)
        images = children.reshape(total, *b.shape)
        penalties = np.empty((total, len(objective.penalties)), dtype=np.float32)
        scores = np.empty((total, classes), dtype=np.float32)

        def work(lo: int) -> None:
            hi = min(lo + step, total)
            make(children, lo, hi)
            for column, name in enumerate(objective.penalties):
                penalties[lo:hi, column] = numba_.PENALTIES[name](images[lo:hi], *objective.arguments[name])
            if self.built_in:
                scores[lo:hi] = self.built_in(images[lo:hi])

        step = min(SLICE, -(-total // self.threads))
        with self.blas.limit(limits=1, user_api="blas"):
            list(self.pool.map(work, range(0, total, step)))
        if not self.built_in:
            for lo in range(0, total, FOREIGN_BATCH):
                scores[lo : lo + FOREIGN_BATCH] = ask(objective.classifier, images[lo : lo + FOREIGN_BATCH])
        target = numba_.target_term(scores, objective.digit)[:, None]
        costs = reference.weighted_sum(np.concatenate([target, penalties], axis=1), self.weights)
        kept = (children.reshape(*size, *b.shape), costs.reshape(size), scores.reshape(*size, classes))
        return keep_best(state, generation, *kept, b)
