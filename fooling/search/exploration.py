"""Where search=es begins: the best of a small archive of all classes, which each run keeps by itself.

A strategy climbs from one place, and most places are on no hill of the target. So the first images of a run are random, and the
next are children of an archive as that of search=map_elites: what was found for one class may become another. Most parents are
among the few best for the target.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Doubles, Floats
from fooling.search.offspring import OffspringParams, combine

RANDOM = 0.4  # share of the images that explore, at least a population
BEST = 8  # genomes for the target that are kept …
OWN, SAME = 0.8, 0.5  # … share of the children with one of them as parent, and with another as the other

# Names of a state's arrays while it explores, a row for each run: the best genome for each class and what it is minimised by,
# [K, D] and [K]; the same of the best for the target, [BEST, D] and [BEST].
STONES, STONE_VALUES, TOP, TOP_VALUES = "stones", "stone_values", "top", "top_values"
ARRAYS = (STONES, STONE_VALUES, TOP, TOP_VALUES)
Arrays = dict[str, npt.NDArray[Any]]


def no_finds(runs: int, classes: int, size: int) -> Arrays:
    """The arrays of runs whose genomes have `size` numbers, before their first images."""
    return {
        STONES: np.zeros((runs, classes, size), dtype=np.float32),
        STONE_VALUES: np.full((runs, classes), np.inf),
        TOP: np.zeros((runs, BEST, size), dtype=np.float32),
        TOP_VALUES: np.full((runs, BEST), np.inf),
    }


def offspring_params(population: int) -> OffspringParams:
    """How children differ from their parents."""
    return OffspringParams(
        population=population,
        batch=population,
        mates=0,
        crossovers=0.4,
        line_sd=0.8,
        mutation="gaussian",
        mutation_rate=0.05,
        mutation_halved=0,
        mutation_sd=0.8,
        mutation_eta=0,
    )


def children(finds: Mapping[str, npt.NDArray[Any]], run: int, random: np.random.Generator, params: OffspringParams) -> Floats:
    """Genomes [λ, D] from what a row of the arrays has found."""
    number, stones, top = params.population, finds[STONES][run], finds[TOP][run]
    known = int(np.isfinite(finds[TOP_VALUES][run]).sum())
    first, second = random.integers(len(stones), size=(2, number))
    best, other = random.integers(known, size=(2, number))
    own, same = random.random((2, number, 1)) < np.array([OWN, SAME])[:, None, None]
    parents, others = np.where(own, top[best], stones[first]), np.where(same, top[other], stones[second])
    return combine(parents, others, random, params, params.mutation_rate, range(number))


def offer(finds: Mapping[str, npt.NDArray[Any]], genomes: Floats, losses: Doubles, values: Doubles) -> Arrays:
    """The arrays after genomes [R, λ, D] with losses [R, λ, K] for each class, and values [R, λ] for the target."""
    found = {name: finds[name].copy() for name in ARRAYS}
    for run in range(len(genomes)):
        best = losses[run].argmin(axis=0)
        loss = losses[run].min(axis=0)
        better = loss < found[STONE_VALUES][run]
        found[STONES][run, better] = genomes[run, best[better]]
        found[STONE_VALUES][run, better] = loss[better]
        candidates, ranked = (
            np.concatenate([found[name][run], new]) for name, new in ((TOP, genomes[run]), (TOP_VALUES, values[run]))
        )
        kept = np.argsort(ranked, kind="stable")[:BEST]
        found[TOP][run], found[TOP_VALUES][run] = candidates[kept], ranked[kept]
    return found
