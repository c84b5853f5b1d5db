"""search=map_elites: an archive with the best image of each class (MAP-Elites; Mouret & Clune 2015, Nguyen et al. 2015).

Every image is offered to every class, so an evaluation counts for all of them, and an image that was made for one class may
become that of another, which is called a goal switch. A child has each number of its parent or of another elite (uniform
crossover), or makes a step along the line between them (Vassiliades & Mouret 2018, "Discovering the elite hypervolume by
leveraging interspecies correlation", equation 3); then each number is mutated. In the end the images change in small places:
see `patches`.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.kernels import numba, reference
from fooling.kernels.numba.compile import ThreadSlices
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints
from fooling.records.ownership import GENOMES
from fooling.records.record import Record
from fooling.search import Schedule, patches
from fooling.search.archive import ARCHIVE, VALUE, first_lineage, keep_confidence, save_archive, take_over
from fooling.search.genomes import decode_all, make_genome, save_genomes, suited
from fooling.search.numbers import generator
from fooling.search.objective import Objective, logarithmic_losses
from fooling.search.offspring import OffspringParams, breed
from fooling.search.state import GENOME, Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

SAME = "the classifier has no weight: all classes have the same image, and goal switches say nothing"
FIRST = 100  # random images that are scored together
PATCH = 60  # images per class before the patches by default: benchmarks/large.py
CHILDREN = 3  # what random numbers are for; 0 … 2 are those of other searches


@dataclass(frozen=True)
class MapElitesParams:
    """The genome, and how children are made."""

    shape: tuple[int, int, int]  # H, W, C
    genome: str
    detail: int  # structures along the shorter side
    first: int  # images of the first generation
    patch: int  # generations before children are elites with patches, 0: they never are
    offspring: OffspringParams
    seed: int

    @staticmethod
    def from_settings(settings: RunSettings, objective: Objective) -> "MapElitesParams":
        """The parameters in the settings."""
        search: Any = settings.search
        height, width, channels = objective.classifier.input_shape
        shape = (height, width, channels)
        genome, detail = suited(search, "cppn", len(objective.classes), shape)
        patch = search.patch if search.patch is not None else PATCH * len(objective.classes)
        patch = 1 + max(0, -(-(patch - search.first) // search.population)) if patch else 0
        offspring = OffspringParams.from_settings(settings)
        return MapElitesParams(shape, genome, detail, search.first, patch, offspring, settings.seed)


class ReferenceElites:
    """engine=reference: penalties by the reference kernels. Run r is the cell of the r-th class."""

    files = (GENOMES, ARCHIVE)
    kernels: Any = reference

    def __init__(self, objective: Objective, params: MapElitesParams, threads: int | None = None) -> None:
        self.slices = ThreadSlices(threads)
        self.objective, self.params, self.shown_together = objective, params, params.offspring.batch
        self.genome = make_genome(params.genome, params.shape, params.detail)
        self.classes = np.array(objective.classes, dtype=np.int64)
        self.notes: tuple[str, ...] = () if objective.weights["target"] else (SAME,)

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters in the settings."""
        del statistics, start_image
        return cls(objective, MapElitesParams.from_settings(settings, objective), settings.engine.threads)

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """The first images, then a population in each generation, for all classes together."""
        search: Any = settings.search
        return Schedule(search.first, search.population, search.generations, minimum_budget=search.first, joint=True)

    @staticmethod
    def statistics_use(settings: RunSettings) -> Literal["none"]:
        """The first images are not drawn from grey levels."""
        del settings
        return "none"

    def init(self, runs: Runs) -> State:
        """Random genomes, each offered to every class."""
        number, size, classes = len(runs), self.genome.size, self.objective.classifier.num_classes
        aux = {
            GENOME: np.zeros((number, size), dtype=np.float32),
            VALUE: np.full(number, np.inf),
            **first_lineage(number, size),
        }
        random, first = generator(self.params.seed, 0, 0, CHILDREN), self.params.first
        state = following(State.empty(runs, self.params.shape, classes, aux), first)
        for lo in range(0, first, FIRST):
            genomes = random.standard_normal((min(FIRST, first - lo), size), dtype=np.float32)
            self.offer(state, genomes, np.full(len(genomes), -1))
        return marked(state, self.classes)

    def step(self, state: State) -> State:
        """Children of elites that are drawn at random, a few at a time, which are offered to every class before the next."""
        params, generation = self.params.offspring, state.generation + 1
        random = generator(self.params.seed, 0, generation, CHILDREN)
        state = following(state, params.population)
        for lo in range(0, params.population, params.batch):
            children = range(lo, min(lo + params.batch, params.population))
            if self.params.patch and generation >= self.params.patch:
                self.patch(state, random, len(children))
                continue
            elites, scores = state.aux[GENOME], state.scores[:, 0]
            self.offer(state, *breed(elites, scores, self.classes, random, params, generation, children))
        return marked(state, self.classes)

    def patch(self, state: State, random: np.random.Generator, number: int) -> None:
        """Offers so many images: an elite that is drawn at random with one patch each, the last with all that helped it."""
        p, cells = self.params, len(state.runs)
        cell, since = int(random.integers(cells)), (state.generation - p.patch) * p.offspring.population
        width = patches.side(p.shape, since // cells)
        elite, genome, before = state.images[cell, 0].copy(), state.aux[GENOME][cell].copy(), state.aux[VALUE][cell]
        drawn = patches.draw(random, p.shape, max(1, number - len(patches.STRENGTHS)))

        def offered(images: Bytes) -> Doubles:
            return self.offer_images(state, images, np.repeat(genome[None], len(images), 0), np.full(len(images), cell))

        values = offered(patches.singles(elite, drawn, width))
        strengths = patches.STRENGTHS[: number - len(drawn)]
        if strengths:
            offered(patches.together(elite, drawn, values[:, cell] < before, width, strengths))

    def offer(self, state: State, genomes: Floats, parents: Ints) -> None:
        """Offers genomes [N, D] to the archive in `state`, which takes them in; their parents are cells [N], −1: none."""
        self.offer_images(state, decode_all(self.genome, genomes, self.slices), genomes, parents)

    def offer_images(self, state: State, images: Bytes, genomes: Floats, parents: Ints) -> Doubles:
        """The same with images [N, H, W, C] of these genomes; → their value for each cell [N, R], lower is better."""
        which = np.zeros(len(images), dtype=np.int64)
        costs, scores = self.objective.cost(images, which, self.kernels)
        penalties, terms = self.penalties(costs, scores)
        weight = self.objective.weights["target"]
        values = penalties[:, None] + weight * np.where(terms > 0, logarithmic_losses(scores)[:, self.classes], 0)
        best = values.argmin(axis=0)
        cells = np.flatnonzero(values[best, np.arange(len(best))] < state.aux[VALUE])
        rows = best[cells]
        take_over(state.aux, cells, parents[rows])
        state.images[cells, 0], state.scores[cells, 0] = images[rows], scores[rows]
        state.costs[cells, 0] = penalties[rows] + weight * terms[rows, cells]
        state.aux[GENOME][cells], state.aux[VALUE][cells] = genomes[rows], values[rows, cells]
        return np.asarray(values)

    def penalties(self, costs: Floats, scores: Floats) -> tuple[Doubles, Doubles]:
        """The cost of each image without the target, [N], and the target term of each image for each cell's class, [N, R]."""
        objective = self.objective
        term = self.kernels.target_term(scores, objective.digit, objective.free)
        own = scores[:, self.classes].astype(np.float64)
        distance = scores.sum(axis=1, dtype=np.float64)[:, None] - own + np.abs(own - 1)  # L1, from the one-hot target
        terms = np.maximum(distance - objective.free, 0)
        return costs.astype(np.float64) - objective.weights["target"] * term, terms

    def save_extras(self, record: Record, classifier: Classifier) -> None:
        """Writes genomes.npz, from which images are drawn at any size, and archive.npz: where they come from."""
        p, saved = self.params, record.load_checkpoint() or {}
        save_genomes(record, p.genome, p.detail, p.shape, saved["track_genomes"])
        labels = [str(classifier.labels[k]) for k in self.classes]
        save_archive(record, saved, self.classes, labels, p.first, p.offspring.population)


class NumbaElites(ReferenceElites):
    """engine=numba: penalties by the compiled kernels."""

    kernels = numba


def following(state: State, evaluations: int) -> State:
    """A copy of a state for the next generation, of so many images, whose arrays may be changed.

    Copying a thousand images of 224×224 pixels takes as long as scoring ten, so a generation has more than a few.
    """
    arrays: dict[str, Any] = {name: getattr(state, name).copy() for name in ("images", "costs", "scores")}
    changed = np.full(len(state.runs), evaluations)
    return State(state.generation + 1, state.runs, **arrays, changed=changed, aux={k: v.copy() for k, v in state.aux.items()})


def marked(state: State, classes: Ints) -> State:
    """The state, in which the confidences of its generation are kept, if it is one of those whose are."""
    keep_confidence(state.aux, state.generation, state.scores[np.arange(len(classes)), 0, classes])
    return state
