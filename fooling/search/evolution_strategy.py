"""search=es: a separable natural evolution strategy on genomes (SNES; Schaul, Glasmachers & Schmidhuber 2011).

Each run is a normal distribution of genomes. A generation draws pairs of opposite steps, ranks their images, and moves the mean
and the deviations along the natural gradient of the expected rank. The rank has a slope from the first generation on: it is of
the logarithm of the target's score instead of the score. Before that a run may explore (see `exploration`), and in the end its
best image may change in small places (see `patches`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.kernels import numba, reference
from fooling.kernels.numba.compile import ThreadSlices
from fooling.kernels.reference.penalties import target_classes
from fooling.kernels.tables import Bytes, Doubles, Flags, Floats, Ints
from fooling.records.ownership import GENOMES
from fooling.records.record import Record
from fooling.search import Schedule, exploration, patches
from fooling.search.exploration import Arrays
from fooling.search.genomes import PATTERNS, decode_all, make_genome, save_genomes, suited
from fooling.search.numbers import generator
from fooling.search.objective import Objective, logarithmic_losses
from fooling.search.state import GENOME, Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

BLOCK = 400  # images that are decoded and scored together, about
STEPS, EXPLORATION, PATCHES = 2, 3, 4  # what random numbers are for; 0 and 1 are those of the gradient searches
EXPLORE, RESTART, PATCH = 500, 15, 700  # the defaults for patterns: benchmarks/large.py
EXPLORE_LABELS = 200  # the default where labels vote, as most images have none of the target's: benchmarks/foreign.py
FROM_GREY, FROM_BEST = 1.0, 0.3  # the first deviations by default
NARROWER = 0.5  # those after a restart, of the first ones
STILL = "still"  # generations without a better image, int64 [R]


@dataclass(frozen=True)
class StrategyParams:
    """The genome, and how its distribution moves."""

    shape: tuple[int, int, int]  # H, W, C
    genome: str
    detail: int  # structures along the shorter side
    population: int
    explore: int  # generations before the strategy begins
    restart: int  # generations without a better image until the deviations widen again, 0: never
    patch: int  # generations before the best image is changed by patches, 0: it never is
    sigma: float  # first deviation of each number
    mean_rate: float  # of the mean, in deviations
    sigma_rate: float  # of the deviations, as a multiple of the usual one
    antithetic: bool
    seed: int

    @property
    def first_patches(self) -> int:
        """The generation that begins with patches, if there are any: not before a run has explored."""
        return max(self.patch, self.explore)

    @staticmethod
    def from_settings(settings: RunSettings, objective: Objective) -> "StrategyParams":
        """The parameters in the settings."""
        search: Any = settings.search
        height, width, channels = objective.classifier.input_shape
        shape = (height, width, channels)
        genome, detail = suited(search, "mixed", objective.classifier.num_classes, shape)
        patterns = genome in PATTERNS
        usual = EXPLORE if patterns else EXPLORE_LABELS * (getattr(objective.classifier, "votes", 1) > 1)
        images = search.explore if search.explore is not None else usual
        restart = search.restart if search.restart is not None else RESTART * patterns
        sigma = search.sigma or (FROM_BEST if images else FROM_GREY)
        given = {name: getattr(search, name) for name in ("population", "mean_rate", "sigma_rate", "antithetic")}
        patch = search.patch if search.patch is not None else PATCH * patterns
        explore, patch = (-(-number // search.population) for number in (images, patch))
        limits = {"explore": explore, "restart": restart, "patch": patch}
        return StrategyParams(shape, genome, detail, **limits, sigma=sigma, **given, seed=settings.seed)


class ReferenceStrategy:
    """engine=reference: penalties by the reference kernels."""

    notes: tuple[str, ...] = ()
    files = (GENOMES,)
    kernels: Any = reference

    def __init__(self, objective: Objective, params: StrategyParams, threads: int | None = None) -> None:
        self.slices = ThreadSlices(threads)
        self.objective, self.params, self.shown_together = objective, params, params.population
        self.genome = make_genome(params.genome, params.shape, params.detail)
        self.utilities, self.offspring = utilities(params.population), exploration.offspring_params(params.population)
        # Schaul et al., section 3.3: (3 + ln D) ÷ 5√D
        self.sigma_rate = params.sigma_rate * (3 + np.log(self.genome.size)) / (5 * self.genome.size**0.5)

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The strategy with the parameters in the settings."""
        del statistics, start_image
        return cls(objective, StrategyParams.from_settings(settings, objective), settings.engine.threads)

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """Every generation is a population."""
        search: Any = settings.search
        return Schedule(search.population, search.population, search.generations, minimum_budget=search.population)

    @staticmethod
    def statistics_use(settings: RunSettings) -> Literal["none"]:
        """The first images are not drawn from grey levels."""
        del settings
        return "none"

    def init(self, runs: Runs) -> State:
        """The first populations: around mid-grey, or random ones that explore."""
        number, size, classes = len(runs), self.genome.size, self.objective.classifier.num_classes
        aux = {
            "mean": np.zeros((number, size)),
            "sigma": np.full((number, size), self.params.sigma),
            GENOME: np.zeros((number, size), dtype=np.float32),
            "value": np.full(number, np.inf),
            STILL: np.zeros(number, dtype=np.int64),
        }
        if self.params.explore:
            aux |= exploration.no_finds(number, classes, size)
        return self.step(State.empty(runs, self.params.shape, classes, aux))

    def step(self, state: State) -> State:
        """The next population of each run; its best image so far stays."""
        runs = np.arange(len(state.runs))
        each = max(1, BLOCK // self.params.population)
        parts = [self.step_some(state.select_runs(runs // each == block)) for block in range(-(-len(runs) // each))]
        return concatenate(parts)

    def step_some(self, state: State) -> State:
        """The same for as many runs as are scored together."""
        p, generation, number = self.params, state.generation + 1, len(state.runs)
        if p.patch and generation >= p.first_patches:
            return self.patched(state)
        exploring = exploration.TOP in state.aux
        if exploring:
            genomes = np.stack([self.explore(state, row) for row in range(number)])
        else:
            steps = np.stack([self.draw(int(run), generation) for run in state.runs])
            genomes = (state.aux["mean"][:, None] + state.aux["sigma"][:, None] * steps).astype(np.float32)
        images = decode_all(self.genome, genomes.reshape(number * p.population, -1), self.slices)
        which = np.repeat(self.objective.which(state.runs), p.population)
        costs, scores = self.objective.cost(images, which, self.kernels)
        values = self.values(costs, scores).reshape(number, -1)
        best, better, kept = best_of(state, images, costs, scores, values)
        aux = {
            **state.aux,
            GENOME: chosen(better, genomes[np.arange(number), best], state.aux[GENOME]),
            "value": np.minimum(values.min(axis=1), state.aux["value"]),
            STILL: np.where(better, 0, state.aux.get(STILL, 0) + 1),  # a record of an earlier version has none
        }
        if exploring:
            losses = self.objective.weights["target"] * logarithmic_losses(scores).reshape(number, p.population, -1)
            aux = self.explored(aux, generation, exploration.offer(state.aux, genomes, losses, values))
        else:
            aux = self.restarted({**aux, **self.moved(state.aux, steps, values)})
        return State(generation, state.runs, **kept, changed=np.full(number, p.population), aux=aux)

    def patched(self, state: State) -> State:
        """The state after a generation of patches: the best image with one each, then with all that helped."""
        p, generation, number = self.params, state.generation + 1, len(state.runs)
        width = patches.side(p.shape, (generation - p.first_patches) * p.population)
        each, best = p.population - len(patches.STRENGTHS), state.images[:, 0]
        drawn = [patches.draw(generator(p.seed, int(run), generation, PATCHES), p.shape, each) for run in state.runs]
        single = self.scored(state, [patches.singles(*one, width) for one in zip(best, drawn, strict=True)])
        helped = single["values"] < state.aux["value"][:, None]
        joined = self.scored(state, [patches.together(*one, width) for one in zip(best, drawn, helped, strict=True)])
        found = {name: np.concatenate([single[name], joined[name]], axis=1) for name in single}
        _, _, kept = best_of(state, **found)
        aux = {**state.aux, "value": np.minimum(found["values"].min(axis=1), state.aux["value"])}
        return State(generation, state.runs, **kept, changed=np.full(number, p.population), aux=aux)

    def scored(self, state: State, groups: list[Bytes]) -> Arrays:
        """N images of each run with their costs, scores and values: [R, N, …] by name."""
        number, each, images = len(groups), len(groups[0]), np.concatenate(groups)
        costs, scores = self.objective.cost(images, np.repeat(self.objective.which(state.runs), each), self.kernels)
        found: Arrays = {"images": images, "costs": costs, "scores": scores, "values": self.values(costs, scores)}
        return {name: array.reshape(number, each, *array.shape[1:]) for name, array in found.items()}

    def draw(self, run: int, generation: int) -> Doubles:
        """The steps of a population in units of the deviations, [λ, D]."""
        number = -(-self.params.population // 2) if self.params.antithetic else self.params.population
        steps = generator(self.params.seed, run, generation, STEPS).standard_normal((number, self.genome.size))
        return np.concatenate([steps, -steps])[: self.params.population]

    def explore(self, state: State, row: int) -> Floats:
        """The genomes of a run that explores, [λ, D]: random ones, then children of what it has found."""
        p, generation = self.params, state.generation + 1
        random = generator(p.seed, int(state.runs[row]), generation, EXPLORATION)
        if generation < max(1, exploration.RANDOM * p.explore):
            genomes = random.standard_normal((p.population, self.genome.size), dtype=np.float32)
        else:
            genomes = exploration.children(state.aux, row, random, self.offspring)
        genomes[:, self.genome.explored :] = 0
        return genomes

    def explored(self, aux: Arrays, generation: int, finds: Arrays) -> Arrays:
        """The arrays beside a state with what was found; after the last such generation the strategy begins at the best."""
        if generation + 1 < self.params.explore:
            return {**aux, **finds}
        kept = {name: array for name, array in aux.items() if name not in finds}
        return {**kept, "mean": aux[GENOME].astype(np.float64), STILL: np.zeros_like(aux[STILL])}

    def restarted(self, aux: Arrays) -> Arrays:
        """The same, where runs without a better image for long begin again at their best, with wide deviations."""
        over = (aux[STILL] >= self.params.restart) & (self.params.restart > 0)
        wide = np.full_like(aux["sigma"], NARROWER * self.params.sigma)
        found = {"mean": chosen(over, aux[GENOME], aux["mean"]), "sigma": chosen(over, wide, aux["sigma"])}
        return {**aux, **found, STILL: np.where(over, 0, aux[STILL])}

    def values(self, costs: Floats, scores: Floats) -> Doubles:
        """What is ranked, of costs [N] and scores [N, K]: the cost with the logarithmic loss in place of the target term."""
        objective = self.objective
        weight = objective.weights["target"]
        term = self.kernels.target_term(scores, objective.digit, objective.free)
        own = np.arange(len(scores)), target_classes(scores, objective.digit)
        loss = np.where(term > 0, logarithmic_losses(scores)[own], 0)
        return np.asarray(costs.astype(np.float64) + weight * (loss - term))

    def moved(self, aux: Mapping[str, Any], steps: Doubles, values: Doubles) -> Arrays:
        """Means and deviations [R, D] after steps [R, λ, D] of values [R, λ]."""
        mean, sigma = aux["mean"], aux["sigma"]
        ranks = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)
        weights = self.utilities[ranks][:, None]
        uphill = np.matmul(weights, steps)[:, 0]
        wider = np.matmul(weights, steps**2 - 1)[:, 0]
        return {"mean": mean + self.params.mean_rate * sigma * uphill, "sigma": sigma * np.exp(self.sigma_rate / 2 * wider)}

    def save_extras(self, record: Record, classifier: Classifier) -> None:
        """Writes genomes.npz: the genome of each image, and how it is decoded."""
        del classifier
        p, saved = self.params, record.load_checkpoint() or {}
        save_genomes(record, p.genome, p.detail, p.shape, saved["track_genomes"])


class NumbaStrategy(ReferenceStrategy):
    """engine=numba: penalties by the compiled kernels."""

    kernels = numba


def best_of(state: State, images: Any, costs: Any, scores: Any, values: Doubles) -> tuple[Ints, Flags, dict[str, Any]]:
    """The best of new images of each run by values [R, λ], if it is better than that before, and the new state's arrays."""
    best, rows = values.argmin(axis=1), np.arange(len(values))
    better = values[rows, best] < state.aux["value"]
    found = {"images": images, "costs": costs, "scores": scores}
    shaped = {name: array.reshape(*values.shape, *getattr(state, name).shape[2:]) for name, array in found.items()}
    kept = {name: chosen(better, array[rows, best][:, None], getattr(state, name)) for name, array in shaped.items()}
    return best, better, kept


def utilities(population: int) -> Doubles:
    """The weight of each rank, best first, of sum 0: log-linear over the better half (Schaul et al., equation 3)."""
    ranks = np.arange(1, population + 1)
    better = np.maximum(0, np.log(population / 2 + 1) - np.log(ranks))
    return np.asarray(better / better.sum() - 1 / population)


def chosen(mask: Flags, new: Any, old: Any) -> Any:
    """Rows of `new` where the mask [R] is true, of `old` elsewhere."""
    return np.where(mask.reshape(-1, *(1,) * (old.ndim - 1)), new, old)


def concatenate(parts: list[State]) -> State:
    """States of one generation as one."""
    if len(parts) == 1:
        return parts[0]
    names = ("runs", "images", "costs", "scores", "changed")
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    aux = {name: np.concatenate([part.aux[name] for part in parts]) for name in parts[0].aux}
    return replace(parts[0], **arrays, aux=aux)
