"""engine=reference: NumPy, slow; the definition that the other engines are compared with."""

from typing import Self

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference.operators import breed, is_changed, start, truncation_selection
from fooling.kernels.tables import Bytes
from fooling.search.genetic.params import GeneticParams, empty_state, schedule
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics


class ReferenceEngine:
    """One child after the other, every term computed in full, in one thread."""

    notes: tuple[str, ...] = ()
    schedule = staticmethod(schedule)

    def __init__(self, objective: Objective, params: GeneticParams) -> None:
        self.objective, self.params = objective, params

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
        return cls(objective, GeneticParams.from_settings(settings, objective, statistics))

    def init(self, runs: Runs) -> State:
        """Draws, scores and selects the first populations."""
        p = self.params
        children = start(p.tables[self.objective.which(runs)], p.seed, runs, p.population, p.shape)
        changed = np.full(len(runs), p.population)
        return self.select(empty_state(p, runs, self.objective.classifier.num_classes), 0, children, changed)

    def step(self, state: State) -> State:
        """Breeds, scores and selects one generation."""
        p, generation = self.params, state.generation + 1
        tables, redraw = p.tables[self.objective.which(state.runs)], p.redraw_thresholds(state.costs)
        children = breed(state.images, tables, redraw, p.swap, p.mixing, p.seed, generation, state.runs, p.population, p.rates)
        fresh = is_changed(children, state.images, p.mixing, p.seed, generation, state.runs)
        return self.select(state, generation, children, fresh.sum(axis=1))

    def select(self, state: State, generation: int, children: Bytes, changed: npt.NDArray[np.int64]) -> State:
        """Scores children [R, N, H, W, C] and selects the best, with elitism of them and their parents [R, S, …]."""
        size = children.shape[:2]
        which = np.repeat(self.objective.which(state.runs), size[1])
        costs, scores = self.objective.cost(children.reshape(-1, *self.params.shape), which)
        costs, scores = costs.reshape(size), scores.reshape(*size, -1)
        if self.params.elitism:
            children = np.concatenate([children, state.images], axis=1)
            costs, scores = np.concatenate([costs, state.costs], axis=1), np.concatenate([scores, state.scores], axis=1)
        best = truncation_selection(costs, self.params.selected)
        rows = np.arange(len(best))[:, None]
        return State(generation, state.runs, children[rows, best], costs[rows, best], scores[rows, best], changed)
