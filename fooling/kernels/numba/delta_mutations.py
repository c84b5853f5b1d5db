"""Delta mutations, compiled by numba: the mutations of `operators`, as changes to a parent's list of changed pixels.

A mutation returns the number n of changes, or ~n where there would be more than the limit.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit_inline, jit_part
from fooling.kernels.numba.operators import (
    BLUR,
    PERTURBATIONS,
    RESET,
    SWAP,
    GenerationInputs,
    Operators,
    bisect_level,
    neighbour,
    weight_of,
)
from fooling.kernels.numba.philox import SHIFT, U32, U, Whole, geometric_skip, level_of, philox
from fooling.kernels.tables import Bytes


class OriginalValues(NamedTuple):
    """A parent and the changes listed so far."""

    base: Bytes  # [P]
    slot: npt.NDArray[np.int32]  # [P], position of a pixel in the list; −1: not listed
    pixels: npt.NDArray[np.int32]
    levels: Bytes


@jit_inline
def index_changes(original: OriginalValues, count: Whole) -> None:
    """Records the list positions of the pixels that crossover changed."""
    for i in range(count):
        original.slot[U(original.pixels[i])] = i


@jit_inline
def net_changes(original: OriginalValues, count: Whole) -> Whole:
    """Clears the index and drops changes back to the parent's level; → the number that remains, or the given ~n."""
    remaining = 0
    for i in range(count if count >= 0 else ~count):
        pixel, level = original.pixels[i], original.levels[i]
        original.slot[U(pixel)] = -1
        original.pixels[U(remaining)], original.levels[U(remaining)] = pixel, level
        remaining += level != original.base[U(pixel)]
    return remaining if count >= 0 else count


@jit_inline
def level_at(original: OriginalValues, pixel: Whole) -> Any:
    """The level of a pixel after the changes listed so far."""
    at = original.slot[pixel]
    return original.base[pixel] if at < 0 else original.levels[at]


@jit_inline
def put(original: OriginalValues, count: Whole, pixel: Whole, level: Whole) -> Whole:
    """Changes a pixel; → the new number of listed pixels."""
    if original.slot[pixel] < 0:
        original.slot[pixel], original.pixels[count] = count, pixel
        count += 1
    original.levels[original.slot[pixel]] = level
    return count


@jit_part
def random_reset_changes(
    inputs: GenerationInputs,
    original: OriginalValues,
    count: Whole,
    limit: int,
    r: Whole,
    words: tuple[U32, U32, U32, U32],
    child: U32,
    run: U32,
) -> Whole:
    """See `operators.random_reset_mutation`; `words` are those of block 0."""
    table, guide, survival = inputs.tables[inputs.target_index[r]], inputs.guides[inputs.target_index[r]], inputs.redraw[r]
    channels, pixels = len(table), len(original.base)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip, word in ((words[0], words[1]), (words[2], words[3])):
            at += 1 + geometric_skip(skip, survival)
            if at >= pixels:
                return count
            if count >= limit:
                return ~count
            channel = at % channels if channels > 1 else 0
            count = put(original, count, at, level_of(word, table[channel], guide[channel]))
        block += 1
        words = philox(block, U32(RESET + child), inputs.generation, run, inputs.seed)


@jit_part
def has_mutations(operators: Operators | None) -> bool:
    """Whether `mutate_changes` has anything to apply."""
    if operators is None:
        return False
    return bool(operators.blur > 0 or operators.perturbation.any())


@jit_part
def mutate_changes(
    inputs: GenerationInputs,
    operators: Operators | None,
    original: OriginalValues,
    count: Whole,
    limit: int,
    child: U32,
    run: U32,
) -> Whole:
    """See `operators.mutate`."""
    if operators is not None:
        for k in range(len(PERTURBATIONS)):
            if operators.perturbation[k] and count >= 0:
                count = perturbation_changes(inputs, operators, original, count, limit, k, child, run)
        if operators.blur and count >= 0:
            count = smoothing_changes(inputs, operators.blur, original, count, limit, child, run)
    return count


@jit_part
def perturbation_changes(
    inputs: GenerationInputs,
    operators: Operators,
    original: OriginalValues,
    count: Whole,
    limit: int,
    k: Whole,
    child: U32,
    run: U32,
) -> Whole:
    """See `operators.perturbation_mutation`."""
    survival, table = operators.perturbation[k], operators.tables[k]
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(PERTURBATIONS[k] + child), inputs.generation, run, inputs.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, survival)
            if at >= len(original.base):
                return count
            if count >= limit:
                return ~count
            count = put(original, count, at, bisect_level(word, table[level_at(original, at)]))
        block += 1


@jit_part
def smoothing_changes(
    inputs: GenerationInputs, survival: U, original: OriginalValues, count: Whole, limit: int, child: U32, run: U32
) -> Whole:
    """See `operators.smoothing_mutation`."""
    channels, width = inputs.tables.shape[1], inputs.width
    height = len(original.base) // (channels * width)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip in philox(block, U32(BLUR + child), inputs.generation, run, inputs.seed):
            at += 1 + geometric_skip(skip, survival)
            if at >= height * width:
                return count
            if count + channels > limit:
                return ~count
            for channel in range(channels):
                total = np.int64(8)
                for k in range(9):
                    total += np.int64(level_at(original, neighbour(at, k, height, width) * channels + channel)) * weight_of(k)
                if total >> 4 != level_at(original, at * channels + channel):
                    count = put(original, count, at * channels + channel, total >> 4)
        block += 1


@jit_part
def swap_changes(inputs: GenerationInputs, original: OriginalValues, count: Whole, limit: int, child: U32, run: U32) -> Whole:
    """See `operators.swap_mutation`."""
    channels = inputs.tables.shape[1]
    places = len(original.base) // channels
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(SWAP + child), inputs.generation, run, inputs.seed)
        at += 1 + geometric_skip(w0, inputs.swap)
        if at >= places:
            return count
        if count + 2 * channels > limit:
            return ~count
        partner, unequal = np.int64(0), False
        for word in (w1, w2, w3):
            partner = np.int64((U(word) * U(places)) >> SHIFT)
            for channel in range(channels):
                if level_at(original, at * channels + channel) != level_at(original, partner * channels + channel):
                    unequal = True
            if unequal:
                break
        if unequal:
            for channel in range(channels):
                one, two = at * channels + channel, partner * channels + channel
                level, swapped = level_at(original, one), level_at(original, two)
                count = put(original, count, one, swapped)
                count = put(original, count, two, level)
        block += 1
