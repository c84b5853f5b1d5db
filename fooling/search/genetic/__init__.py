"""search=ga, the genetic algorithm: its parameters and engine=reference, the definition; one file for each other engine."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference.operators import ORIGINAL, OperatorRates, breed, is_changed, start, truncation_selection
from fooling.kernels.tables import (
    NO_PERTURBATIONS,
    RATE_ONE,
    Bytes,
    Floats,
    draw_table,
    gaussian_perturbations,
    polynomial_perturbations,
    rate_threshold,
)
from fooling.search import Schedule
from fooling.search.objective import Objective
from fooling.search.prior import level_distribution
from fooling.search.state import Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics


@dataclass(frozen=True)
class GeneticParams:
    """How children are made and selected. Rates are integers in units of 2⁻²⁴."""

    shape: tuple[int, int, int]  # H, W, C
    population: int  # λ = N, children of each generation
    selected: int  # µ = S, parents
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels that pixels are drawn from, a target
    mixing: bool  # uniform crossover of two parents, or a copy of one
    mutate_factor: float  # redraw rate a pixel = min(0.5, 0.01·|best cost|·mutate_factor) …
    min_rate: float  # … but not below this
    swap: int  # threshold of a swap, a place
    elitism: bool  # parents compete with their children
    seed: int
    rates: OperatorRates = ORIGINAL  # of the other operators

    @staticmethod
    def from_settings(settings: RunSettings, objective: Objective, statistics: Statistics | None) -> "GeneticParams":
        """The parameters in the settings; pixels are drawn from the grey levels of the class."""
        search: Any = settings.search
        height, width, channels = objective.classifier.input_shape
        return GeneticParams(
            shape=(height, width, channels),
            population=search.population,
            selected=getattr(search, "selected", search.population),  # NSGA-II keeps as many as it breeds
            tables=draw_table(level_distribution(settings, statistics, channels)),
            mixing=search.crossover != "none",
            mutate_factor=search.mutate_factor,
            min_rate=search.min_rate,
            swap=rate_of(search.swaps, height * width),
            elitism=getattr(search, "elitism", True),
            seed=settings.seed,
            rates=operator_rates(search, (height, width, channels)),
        )

    @property
    def rate_of_cost(self) -> np.float32:
        """The redraw rate of a pixel for each unit of the best cost."""
        return np.float32(0.01 * self.mutate_factor)

    def redraw_thresholds(self, costs: Floats) -> npt.NDArray[np.uint32]:
        """The redraw threshold of each run, from its selected costs [R, S], best first. → [R].

        One float32 product, equal in every engine.
        """
        with np.errstate(over="ignore"):  # all above 0.5 becomes 0.5
            rate = self.rate_of_cost * np.abs(costs[:, 0])
        rate = np.minimum(np.float32(0.5), np.maximum(np.float32(self.min_rate), rate))
        return np.asarray(np.rint(rate * np.float32(2.0**24)), dtype=np.uint32)


def schedule(settings: RunSettings) -> Schedule:
    """Every generation is a population."""
    search: Any = settings.search
    size = search.population
    returns: Any = getattr(search, "returns", "best")
    return Schedule(size, size, search.generations, minimum_budget=size, returns=returns)


def operator_rates(search: Any, shape: tuple[int, int, int]) -> OperatorRates:
    """How often the further operators act, by the settings of the search, with the perturbations of those that do."""
    places, pixels = shape[0] * shape[1], shape[0] * shape[1] * shape[2]
    share = {"uniform": search.rectangles, "rectangle": 1.0, "none": 0.0}[search.crossover]
    return OperatorRates(
        rectangle=round(share * RATE_ONE),
        gaussian=rate_of(search.gaussians, pixels),
        polynomial=rate_of(search.polynomials, pixels),
        blur=rate_of(search.blurs, places),
        gaussian_table=gaussian_perturbations(search.gaussian_sd) if search.gaussians else NO_PERTURBATIONS,
        polynomial_table=polynomial_perturbations(search.polynomial_eta) if search.polynomials else NO_PERTURBATIONS,
    )


def rate_of(mean: float, places: int) -> int:
    """The rate of an event that occurs `mean` times in so many places, at most 0.5: an integer in units of 2⁻²⁴."""
    return rate_threshold(min(mean / places, 0.5))


def empty_state(params: GeneticParams, runs: Runs, classes: int) -> State:
    """The state before the first population: no images."""
    size = (len(runs), 0)
    images, costs = np.empty((*size, *params.shape), np.uint8), np.empty(size, np.float32)
    return State(-1, runs, images, costs, np.empty((*size, classes), np.float32), np.zeros(len(runs), np.int64))


class ReferenceEngine:
    """One child after the other, every term computed in full, in one thread."""

    notes: tuple[str, ...] = ()
    schedule = staticmethod(schedule)

    def __init__(self, objective: Objective, params: GeneticParams) -> None:
        self.objective, self.params, self.shown_together = objective, params, params.population

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
