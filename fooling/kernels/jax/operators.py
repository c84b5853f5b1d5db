"""Genetic operators in JAX: the children of `reference.operators` bit for bit, of one run; the engine maps it over runs.

All children are processed in parallel. Events at different pixels (redraws, perturbations) are drawn and applied several at a
time, those that may share pixels (smoothing, swaps) one after the other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fooling.kernels.jax.philox import FAR, Array, Pair, draw, geometric_skip, log_survival, multiply, philox, u32
from fooling.kernels.reference.operators import ORIGINAL, OperatorRates
from fooling.kernels.tables import RATE_ONE

AHEAD = 4  # events drawn at once


class DrawTable(NamedTuple):
    """Cumulative shares of 256 levels, in units of 2⁻³²."""

    shares: Array  # uint32 [..., 255], at most 2³² − 1
    top: Array  # int32 [...], the highest level that is drawn


def as_table(shares: Any) -> DrawTable:
    """Shares uint64 [..., 256] in 32 bits, which cannot hold 2³²."""
    shares = np.asarray(shares)[..., :-1]
    top = (shares < 2**32).sum(axis=-1)
    return DrawTable(jnp.asarray(np.minimum(shares, 2**32 - 1).astype(np.uint32)), jnp.asarray(top.astype(np.int32)))


def draw_levels(table: DrawTable, row: Array, words: Array) -> Array:
    """The levels that words draw from a table's rows [T], uint8: the number of the 255 shares ≤ word, by bisection."""
    level = jnp.zeros(words.shape, dtype=jnp.int32)
    for step in (128, 64, 32, 16, 8, 4, 2, 1):
        level += jnp.where(table.shares[row, level + (step - 1)] <= words, step, 0)
    return jnp.minimum(level, table.top[row]).astype(jnp.uint8)


def start(table: DrawTable, seed: int, run: Array, population: int, shape: tuple[int, int, int]) -> Array:
    """The first population of a run: every pixel from its channel's levels, table [C]. → uint8 [N, H, W, C]."""
    pixels = int(np.prod(shape))
    words = philox(jnp.arange(-(-pixels // 4)), jnp.arange(population)[:, None], 0, run, seed, "start")
    words = words.reshape(population, -1)[:, :pixels]
    return draw_levels(table, jnp.arange(pixels) % shape[2], words).reshape(population, *shape)


def breed(
    parents: Array,
    table: DrawTable,
    redraw: Array,
    swap: int,
    has_crossover: bool,
    seed: int,
    generation: Array,
    run: Array,
    population: int,
    rates: OperatorRates = ORIGINAL,
) -> tuple[Array, Array]:
    """The next children of one run and whether each equals neither parent: parents [S, H, W, C] → [N, H, W, C], [N].

    `redraw` is the run's threshold in units of 2⁻²⁴, `table` that of its channels, [C]; for the others see
    `reference.operators.breed`.
    """
    shape = parents.shape[1:]
    flat = parents.reshape(len(parents), -1)
    where = CounterAddress(jnp.arange(population), generation, run, seed)
    first, second = pair(len(parents), has_crossover, where)
    children = crossover(flat[first], flat[second], shape, rates.rectangle, where)
    children = random_reset_mutation(children, table, redraw, where)
    children = perturbation_mutation(children, rates.gaussian_table, rates.gaussian, "gaussian", where)
    children = perturbation_mutation(children, rates.polynomial_table, rates.polynomial, "polynomial", where)
    children = smoothing_mutation(children, shape, rates.blur, where)
    children = swap_mutation(children, shape[2], swap, where)
    is_new = (children != flat[first]).any(axis=1) & (children != flat[second]).any(axis=1)
    return children.reshape(population, *shape), is_new


class CounterAddress(NamedTuple):
    """Addresses of the random words of N children."""

    child: Array  # [N]
    generation: Array
    run: Array
    seed: int

    def words(self, block: Array, purpose: str) -> Array:
        """Random words of blocks [B] or [N, B] for each child, [N, B, 4]."""
        return philox(block, self.child[:, None], self.generation, self.run, self.seed, purpose)


def pair(selected: int, has_crossover: bool, where: CounterAddress) -> tuple[Array, Array]:
    """The two parents of each child, different ones; twice the same without crossover. → int32 [N] each."""
    words = where.words(jnp.zeros(1), "parents")[:, 0]
    first = draw(words[:, 0], selected)
    if not has_crossover or selected == 1:
        return first, first
    second = draw(words[:, 1], selected - 1)
    return first, second + (second >= first)


def crossover(first: Array, second: Array, shape: tuple[int, ...], rectangle: int, where: CounterAddress) -> Array:
    """Children [N, P] of both parents [N, P]: uniform, or by a rectangle with probability rectangle/2²⁴."""
    mixed = jnp.where(uniform_bits(first.shape[1], where), second, first)
    if not rectangle:
        return mixed
    chosen = multiply(where.words(jnp.zeros(1), "parents")[:, 0, 2], np.uint32(RATE_ONE))[0] < rectangle
    boxed = jnp.where(rectangles(shape, where), second, first)
    return jnp.where(chosen[:, None], boxed, mixed)


def uniform_bits(pixels: int, where: CounterAddress) -> Array:
    """Which pixels come from the second parent, [N, P]: bit i mod 128 of block i ÷ 128 is pixel i's."""
    words = where.words(jnp.arange(-(-pixels // 128)), "crossover")
    bits = (words[..., None] >> jnp.arange(32, dtype=jnp.uint32)) & np.uint32(1)
    return bits.reshape(len(words), -1)[:, :pixels] == 1


def rectangles(shape: tuple[int, ...], where: CounterAddress) -> Array:
    """Which pixels come from the second parent, [N, P]: those in a rectangle between two random places."""
    words = where.words(jnp.zeros(1), "rectangle")[:, 0]
    inside = jnp.ones((len(words), *shape), dtype=bool)
    for axis in (0, 1):
        one, other = (draw(words[:, 2 * axis + end], shape[axis])[:, None, None, None] for end in (0, 1))
        place = jnp.arange(shape[axis]).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        inside &= (place >= jnp.minimum(one, other)) & (place <= jnp.maximum(one, other))
    return inside.reshape(len(words), -1)


def events(
    images: Array,
    places: int,
    survival: Pair,
    words: int,
    purpose: str,
    where: CounterAddress,
    apply: Callable[[Array, Array, Array], Array],
) -> Array:
    """Applies events to images [N, P], AHEAD at a time for each, until all are past the last of the places.

    An event has `words` random words, the first of which gives the skip before it. `apply` takes the images, the places
    [N, AHEAD] of the next events, in their order, `places` or more where there is none, and their other words
    [N, AHEAD, words − 1].
    """
    blocks = AHEAD * words // 4

    def happen(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        images, at, block = state
        drawn = where.words(block + jnp.arange(blocks, dtype=jnp.uint32), purpose).reshape(len(images), AHEAD, words)
        passed = jnp.cumsum(1 + geometric_skip(drawn[:, :, 0], survival), axis=1)
        here = jnp.minimum(at[:, None] + passed, FAR)
        return apply(images, here, drawn[:, :, 1:]), here[:, -1], block + np.uint32(blocks)

    start = images, jnp.full(len(images), -1, dtype=jnp.int32), jnp.uint32(0)
    never = (survival[0] == 0) & (survival[1] == 0)
    return jax.lax.while_loop(lambda state: ~never & jnp.any(state[1] < places), happen, start)[0]


def random_reset_mutation(images: Array, table: DrawTable, threshold: Array, where: CounterAddress) -> Array:
    """Random-reset mutation of images [N, P] from their channels' levels, table [C], at the rate threshold/2²⁴."""
    (number, pixels), channels = images.shape, len(table.top)
    rows = jnp.arange(number)[:, None]

    def apply(images: Array, here: Array, words: Array) -> Array:
        return images.at[rows, here].set(draw_levels(table, here % channels, words[..., 0]), mode="drop")

    return events(images, pixels, log_survival(threshold), 2, "redraw", where, apply)


def perturbation_mutation(images: Array, shares: Any, threshold: int, purpose: str, where: CounterAddress) -> Array:
    """Perturbation mutation of images [N, P] at the rate threshold/2²⁴: from level v drawn from shares[v]."""
    if not threshold:
        return images
    table, (number, pixels) = as_table(shares), images.shape
    rows = jnp.arange(number)[:, None]

    def apply(images: Array, here: Array, words: Array) -> Array:
        level = images[rows, jnp.minimum(here, pixels - 1)].astype(jnp.int32)
        return images.at[rows, here].set(draw_levels(table, level, words[..., 0]), mode="drop")

    return events(images, pixels, log_survival(u32(threshold)), 2, purpose, where, apply)


def smoothing_mutation(images: Array, shape: tuple[int, ...], threshold: int, where: CounterAddress) -> Array:
    """Smoothing mutation of images [N, P] at the rate threshold/2²⁴, in raster order; see the reference."""
    if not threshold:
        return images
    (height, width, channels), number = shape, len(images)
    rows = jnp.arange(number)[:, None, None, None]
    weights = np.outer([1, 2, 1], [1, 2, 1])[None, :, :, None]
    offsets = np.array([-1, 0, 1])

    def apply(images: Array, here: Array, _: Array) -> Array:
        square = images.reshape(number, *shape)
        for event in range(AHEAD):
            y, x = here[:, event] // width, here[:, event] % width
            lines = jnp.clip(y[:, None] + offsets, 0, height - 1)[:, :, None, None]
            columns = jnp.clip(x[:, None] + offsets, 0, width - 1)[:, None, :, None]
            near = square[rows, lines, columns, np.arange(channels)].astype(jnp.int32)  # [N, 3, 3, C]
            level = ((near * weights).sum(axis=(1, 2)) + 8) >> 4
            square = square.at[rows[:, 0, 0, 0], y, x].set(level.astype(jnp.uint8), mode="drop")
        return square.reshape(images.shape)

    return events(images, height * width, log_survival(u32(threshold)), 1, "blur", where, apply)


def swap_mutation(images: Array, channels: int, threshold: int, where: CounterAddress) -> Array:
    """Swap mutation of images [N, P] at the rate threshold/2²⁴, with the first of three partners that differs."""
    if not threshold:
        return images
    number, places = len(images), images.shape[1] // channels
    rows = jnp.arange(number)

    def apply(images: Array, here: Array, words: Array) -> Array:
        square = images.reshape(number, places, channels)
        for event in range(AHEAD):
            at, partners = here[:, event], draw(words[:, event], places)  # [N], [N, 3]
            mine, theirs = square[rows, jnp.minimum(at, places - 1)], square[rows[:, None], partners]
            differs = (theirs != mine[:, None]).any(axis=2)
            chosen = jnp.where(differs.any(axis=1), jnp.argmax(differs, axis=1), 2)
            partner = jnp.where(at < places, partners[rows, chosen], places)
            square = square.at[rows, at].set(theirs[rows, chosen], mode="drop").at[rows, partner].set(mine, mode="drop")
        return square.reshape(images.shape)

    return events(images, places, log_survival(u32(threshold)), 4, "swap", where, apply)


def truncation_selection(costs: Array, selected: int) -> Array:
    """The `selected` lowest of costs [M], best first, ties by the lower index; NaN ranks last. → int32 [S]."""
    return jax.lax.top_k(-jnp.where(jnp.isnan(costs), jnp.inf, costs), selected)[1]
