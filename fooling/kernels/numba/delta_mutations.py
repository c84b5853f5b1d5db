"""Mutations by difference, compiled by numba: those of `numba_breeding`, as changes of a parent that has some already.

A mutation gives back the number n of changes, or ~n if there would be more than are listed.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit_inline, jit_part
from fooling.kernels.numba.operators import BLUR, MOVES, REDRAW, SWAP, GenerationInputs, Operators, moved, neighbour, weight_of
from fooling.kernels.numba.philox import SHIFT, U32, U, Whole, geometric_skip, level_of, philox
from fooling.kernels.tables import Bytes


class OriginalValues(NamedTuple):
    """A parent and its changes so far."""

    base: Bytes  # [P]
    slot: npt.NDArray[np.int32]  # [P], where a pixel stands in the list; −1: not known to be there
    pixels: npt.NDArray[np.int32]
    levels: Bytes


@jit_inline
def index(before: OriginalValues, count: Whole) -> None:
    """Notes where in the list the pixels stand that crossover changed."""
    for i in range(count):
        before.slot[U(before.pixels[i])] = i


@jit_inline
def net_changes(before: OriginalValues, count: Whole) -> Whole:
    """Empties the index, drops what is the parent's again; → the number of changes that remain, or ~n as it came."""
    remaining = 0
    for i in range(count if count >= 0 else ~count):
        pixel, level = before.pixels[i], before.levels[i]
        before.slot[U(pixel)] = -1
        before.pixels[U(remaining)], before.levels[U(remaining)] = pixel, level
        remaining += level != before.base[U(pixel)]
    return remaining if count >= 0 else count


@jit_inline
def level_at(before: OriginalValues, pixel: Whole) -> Any:
    """A pixel of the parent with its changes so far."""
    at = before.slot[pixel]
    return before.base[pixel] if at < 0 else before.levels[at]


@jit_inline
def put(before: OriginalValues, count: Whole, pixel: Whole, level: Whole) -> Whole:
    """Changes a pixel; → the number of changed pixels."""
    if before.slot[pixel] < 0:
        before.slot[pixel], before.pixels[count] = count, pixel
        count += 1
    before.levels[before.slot[pixel]] = level
    return count


@jit_part
def redraw_changes(
    recipe: GenerationInputs,
    before: OriginalValues,
    count: Whole,
    limit: int,
    r: Whole,
    words: tuple[U32, U32, U32, U32],
    child: U32,
    run: U32,
) -> Whole:
    """`redraw_pixels`, from the words of block 0 on."""
    table, guide, divisor = recipe.tables[recipe.which[r]], recipe.guides[recipe.which[r]], recipe.redraw[r]
    channels, pixels = len(table), len(before.base)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip, word in ((words[0], words[1]), (words[2], words[3])):
            at += 1 + geometric_skip(skip, divisor)
            if at >= pixels:
                return count
            if count >= limit:
                return ~count
            channel = at % channels if channels > 1 else 0
            count = put(before, count, at, level_of(word, table[channel], guide[channel]))
        block += 1
        words = philox(block, U32(REDRAW + child), recipe.generation, run, recipe.seed)


@jit_part
def has_mutations(operators: Operators | None) -> bool:
    """Whether there is something to do for `mutate_changes`."""
    if operators is None:
        return False
    return bool(operators.blur > 0 or operators.move.any())


@jit_part
def mutate_changes(
    recipe: GenerationInputs,
    operators: Operators | None,
    before: OriginalValues,
    count: Whole,
    limit: int,
    child: U32,
    run: U32,
) -> Whole:
    """`mutate`."""
    if operators is not None:
        for k in range(len(MOVES)):
            if operators.move[k] and count >= 0:
                count = move_changes(recipe, operators, before, count, limit, k, child, run)
        if operators.blur and count >= 0:
            count = blur_changes(recipe, operators.blur, before, count, limit, child, run)
    return count


@jit_part
def move_changes(
    recipe: GenerationInputs,
    operators: Operators,
    before: OriginalValues,
    count: Whole,
    limit: int,
    k: Whole,
    child: U32,
    run: U32,
) -> Whole:
    """`move_pixels`."""
    divisor, moves = operators.move[k], operators.moves[k]
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(MOVES[k] + child), recipe.generation, run, recipe.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, divisor)
            if at >= len(before.base):
                return count
            if count >= limit:
                return ~count
            count = put(before, count, at, moved(word, moves[level_at(before, at)]))
        block += 1


@jit_part
def blur_changes(
    recipe: GenerationInputs, divisor: U, before: OriginalValues, count: Whole, limit: int, child: U32, run: U32
) -> Whole:
    """`blur_places`."""
    channels, width = recipe.tables.shape[1], recipe.width
    height = len(before.base) // (channels * width)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip in philox(block, U32(BLUR + child), recipe.generation, run, recipe.seed):
            at += 1 + geometric_skip(skip, divisor)
            if at >= height * width:
                return count
            if count + channels > limit:
                return ~count
            for channel in range(channels):
                total = np.int64(8)
                for k in range(9):
                    total += np.int64(level_at(before, neighbour(at, k, height, width) * channels + channel)) * weight_of(k)
                if total >> 4 != level_at(before, at * channels + channel):
                    count = put(before, count, at * channels + channel, total >> 4)
        block += 1


@jit_part
def swap_changes(recipe: GenerationInputs, before: OriginalValues, count: Whole, limit: int, child: U32, run: U32) -> Whole:
    """`swap_places`."""
    channels = recipe.tables.shape[1]
    places = len(before.base) // channels
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(SWAP + child), recipe.generation, run, recipe.seed)
        at += 1 + geometric_skip(w0, recipe.swap)
        if at >= places:
            return count
        if count + 2 * channels > limit:
            return ~count
        partner, unequal = np.int64(0), False
        for word in (w1, w2, w3):
            partner = np.int64((U(word) * U(places)) >> SHIFT)
            for channel in range(channels):
                if level_at(before, at * channels + channel) != level_at(before, partner * channels + channel):
                    unequal = True
            if unequal:
                break
        if unequal:
            for channel in range(channels):
                one, two = at * channels + channel, partner * channels + channel
                level, swapped = level_at(before, one), level_at(before, two)
                count = put(before, count, one, swapped)
                count = put(before, count, two, level)
        block += 1
