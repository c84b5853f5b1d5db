"""One generation as the kernels of Numba see it: its inputs, its parents, and the children by the reference."""

import math

import numpy as np

from fooling.kernels import numba, tables
from fooling.kernels.numba import delta_operators, philox
from fooling.kernels.numba.operators import GenerationInputs, operators
from fooling.kernels.reference.operators import ORIGINAL, OperatorRates, breed

LEVELS = np.random.default_rng(5).dirichlet(np.full(256, 0.1), 3)


def make_recipe(two: np.ndarray, runs: np.ndarray, parents: np.ndarray, population: int, **varied: object) -> GenerationInputs:
    """A recipe of two tables of grey levels [2, C, 256] that runs have in turn."""
    none = {
        "redraw": np.zeros(len(runs), np.uint64),
        "swap": np.uint64(0),
        "has_crossover": True,
        "seed": np.uint64(0),
        "generation": 0,
    }
    stride = population + parents.shape[1]
    return GenerationInputs(
        parents=parents,
        tables=two,
        guides=tables.draw_guide(two),
        target_index=in_turn(runs),
        runs=runs,
        population=population,
        stride=stride,
        **{**none, **varied},
    )


def in_turn(runs: np.ndarray) -> np.ndarray:
    """Which of two tables each run has."""
    return np.arange(len(runs)) % 2


def two_tables(channels: int) -> np.ndarray:
    """Two tables of grey levels."""
    return tables.draw_table(np.stack([LEVELS[:channels], LEVELS[::-1][:channels]]))


def numbers_of(recipe: GenerationInputs) -> np.ndarray:
    return (np.arange(len(recipe.runs))[:, None] * recipe.stride + np.arange(recipe.population)).reshape(-1)


def make_start(
    shape: tuple[int, int, int], seed: int, runs: np.ndarray, population: int, cuts: tuple[int, ...] = ()
) -> np.ndarray:
    pixels = math.prod(shape)
    recipe = make_recipe(
        two_tables(shape[2]), runs, np.empty((len(runs), 0, pixels), np.uint8), population, seed=np.uint64(seed)
    )
    parts = [numba.start(recipe, pixels, part) for part in np.split(numbers_of(recipe), cuts)]
    return np.concatenate(parts).reshape(len(runs), population, *shape)


def make_breeding(
    shape: tuple[int, int, int],
    *,
    redraw: float = 0.01,
    swap: float = 0.01,
    has_crossover: bool = True,
    seed: int = 7,
    generation: int = 3,
    runs: tuple[int, ...] = (0, 5),
    population: int = 9,
    selected: int = 4,
    alike: float = 0.0,
    rates: OperatorRates = ORIGINAL,
) -> tuple[GenerationInputs, np.ndarray, np.ndarray]:
    """A recipe, its parents, of which a share of the pixels is `alike`, and the reference's children."""
    numbers = np.array(runs, dtype=np.uint32)
    two = two_tables(shape[2])
    parents = make_start(shape, 11, numbers, selected)
    same = np.random.default_rng(2).random(parents.shape) < alike
    parents = np.where(same, parents[:, :1], parents)
    thresholds = np.array([tables.rate_threshold(redraw / (r + 1)) for r in range(len(runs))], dtype=np.uint32)
    swaps = tables.rate_threshold(swap)
    expected = breed(
        parents, two[in_turn(numbers)], thresholds, swaps, has_crossover, seed, generation, numbers, population, rates
    )
    recipe = make_recipe(
        two,
        numbers,
        parents.reshape(len(runs), selected, -1),
        population,
        redraw=philox.log_survivals(thresholds),
        swap=np.uint64(tables.log_survival(swaps)),
        has_crossover=has_crossover,
        seed=np.uint64(seed),
        generation=generation,
        width=shape[1],
        operators=operators(rates),
    )
    return recipe, parents, expected


def breed_both(
    shape: tuple[int, int, int], cuts: tuple[int, ...] = (), **varied: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parents, the reference's children and numba's."""
    recipe, parents, expected = make_breeding(shape, **varied)
    parts = [numba.breed(recipe, part)[0] for part in np.split(numbers_of(recipe), cuts)]
    return parents, expected, np.concatenate(parts).reshape(expected.shape)


def rebuild(recipe: GenerationInputs, found: delta_operators.ChangedPixels, n: int) -> np.ndarray:
    """Images of the candidates; those that are to be bred whole are left black."""
    flat = recipe.parents.reshape(-1, recipe.parents.shape[2])
    images = flat[found.rows].copy()
    images[found.whole] = 0
    for j, child in enumerate(found.changed):
        part = slice(found.ends[j], found.ends[j + 1])
        pixels, levels = found.pixels[part], found.levels[part]
        assert len(set(pixels.tolist())) == len(pixels)  # each once …
        assert np.all(images[child, pixels] != levels)  # … and none in vain
        images[child, pixels] = levels
    assert len(images) == n
    return images
