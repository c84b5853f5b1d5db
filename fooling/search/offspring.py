"""How search=map_elites makes children from elites: uniform crossover, steps along a line, mutation."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from fooling.kernels.tables import Floats, Ints
from fooling.settings.schema import RunSettings

MATES = 16  # elites among which a mate is
EDGE = 1e-6  # distance of a share from 0 and 1: its number is at most 4.8


@dataclass(frozen=True)
class OffspringParams:
    """Shares and sizes of what makes a child differ from its parent."""

    population: int
    batch: int  # children that are made of the same elites
    mates: float  # share of the children whose other parent is one of the best for the first one's class
    crossovers: float  # share of the children
    line_sd: float  # of the step towards another elite, in its distance
    mutation: Literal["gaussian", "polynomial"]
    mutation_rate: float  # share of the numbers that are mutated …
    mutation_halved: int  # … and the generations after which it halves, 0: never
    mutation_sd: float  # of gaussian mutation
    mutation_eta: int  # distribution index of polynomial mutation

    @staticmethod
    def from_settings(settings: RunSettings) -> "OffspringParams":
        """The parameters in the settings."""
        search: Any = settings.search
        return OffspringParams(**{name: getattr(search, name) for name in OffspringParams.__dataclass_fields__})

    def rate(self, generation: int) -> float:
        """The share of the numbers that are mutated in a generation."""
        return self.mutation_rate * 0.5 ** (generation // self.mutation_halved if self.mutation_halved else 0)


def breed(
    elites: Floats,
    scores: Floats,
    classes: Ints,
    random: np.random.Generator,
    params: OffspringParams,
    generation: int,
    children: range,
) -> tuple[Floats, Ints]:
    """Children [N, D], by their numbers in the generation, of elites [R, D]; and their parents, [N].

    Parents are drawn uniformly. The other one of a part is drawn from the MATES elites with the highest score for the class of
    the first, which are similar to it in the classifier's eyes: `scores` [R, K] of the elites, `classes` [R] of their cells.
    """
    parents, others = random.integers(len(elites), size=(2, len(children)))
    mated, ranks = random.random(len(children)) < params.mates, random.integers(min(MATES, len(elites)), size=len(children))
    best = np.argsort(-scores[:, classes[parents[mated]]], axis=0, kind="stable")
    others[mated] = best[ranks[mated], np.arange(mated.sum())]
    return combine(elites[parents], elites[others], random, params, params.rate(generation), children), parents


def combine(
    parents: Floats, others: Floats, random: np.random.Generator, params: OffspringParams, rate: float, children: range
) -> Floats:
    """Children [N, D] of parents and others [N, D], by their numbers; `rate` is the share of the numbers that are mutated.

    A part has each number from the parent or from the other, the share of the other drawn anew for each child. The rest makes
    a normally distributed step along the line to the other. Both are mutated.
    """
    number, size = parents.shape
    shares = np.floor(np.arange(children.start, children.stop + 1) * params.crossovers)
    crossed = np.diff(shares)[:, None] > 0  # evenly spread, whatever the size of a batch
    from_other = random.random((number, size), dtype=np.float32) < random.random((number, 1), dtype=np.float32)
    along = params.line_sd * random.standard_normal((number, 1), dtype=np.float32)
    steps = np.where(crossed, from_other, along)
    bred = parents + steps * (others - parents)
    mutated = random.random((number, size), dtype=np.float32) < rate
    if params.mutation == "polynomial":
        changed = polynomial(bred, random, params.mutation_eta)
    else:
        changed = bred + params.mutation_sd * random.standard_normal((number, size), dtype=np.float32)
    return np.where(mutated, changed, bred).astype(np.float32)


def polynomial(numbers: Floats, random: np.random.Generator, eta: int) -> Floats:
    """Polynomial mutation of normally distributed numbers, as shares of the normal distribution in [0, 1].

    share + δ, δ = (2r)^(1/(η+1)) − 1 for r < ½, else 1 − (2 − 2r)^(1/(η+1)), r uniform (Deb 2001, "Multi-objective optimization
    using evolutionary algorithms", section 4.3.4).
    """
    draws = random.random(numbers.shape)
    power = 1 / (eta + 1)
    steps = np.where(draws < 0.5, (2 * draws) ** power - 1, 1 - (2 - 2 * draws) ** power)
    return np.asarray(ndtri(np.clip(ndtr(numbers.astype(np.float64)) + steps, EDGE, 1 - EDGE)).astype(np.float32))
