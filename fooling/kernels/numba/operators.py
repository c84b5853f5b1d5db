"""Breeding, compiled by numba: the children of `reference.py`, whole or as changes of a parent.

Candidates are numbered: number r·stride + c is child c of run r, or its parent c − N from c = N on (stride ≥ N + S). Kernels
take any list of numbers, so that threads share the work without sharing an output.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.philox import SHIFT, U32, U, Whole, Words, geometric_skip, level_of, philox
from fooling.kernels.reference.operators import OperatorRates
from fooling.kernels.tables import LEVELS, PURPOSES, Bytes, Flags, Ints, log_survival

START, PARENTS, CROSSOVER, REDRAW, SWAP = (
    U32(PURPOSES[name] << 28) for name in ("start", "parents", "crossover", "redraw", "swap")
)
RECTANGLE, BLUR = U32(PURPOSES["rectangle"] << 28), U32(PURPOSES["blur"] << 28)
MOVES = np.array([PURPOSES["gaussian"] << 28, PURPOSES["polynomial"] << 28], dtype=np.uint32)
WORD = 32  # pixels a word of crossover bits


class Operators(NamedTuple):
    """`reference.Rates`, as the kernels take them."""

    rectangle: U32  # of children, in units of 2⁻²⁴
    move: Words  # [2], divisors of gaps, of MOVES; 0: never
    moves: Words  # [2, 256, 256]
    blur: U  # divisor of gaps


def operators(rates: OperatorRates) -> Operators | None:
    """The rates as the kernels take them; None if nothing of it happens: kernels are then compiled without (3 of 20 s)."""
    if not any((rates.rectangle, rates.gaussian, rates.polynomial, rates.blur)):
        return None
    move, moves = np.zeros(len(MOVES), dtype=np.uint64), np.zeros((len(MOVES), LEVELS, LEVELS), dtype=np.uint64)
    two = (rates.gaussian, rates.gaussian_moves), (rates.polynomial, rates.polynomial_moves)
    for k, (rate, table) in enumerate(two):
        if rate:
            move[k], moves[k] = log_survival(rate), table
    return Operators(U32(rates.rectangle), move, moves, U(log_survival(rates.blur)))


class GenerationInputs(NamedTuple):
    """How the children of one generation come about."""

    parents: Bytes  # [R, S, P]
    tables: Words  # [T, C, 256], cumulative shares of the grey levels, that of run r is tables[which[r]]
    guides: Bytes  # [T, C, GUIDE + 1], see `tables.draw_guide`
    which: Ints  # [R]
    redraw: Words  # [R], divisors of gaps
    swap: U  # divisor of gaps
    mixing: bool
    seed: U
    generation: int
    runs: npt.NDArray[np.uint32]  # [R]
    population: int  # N
    stride: int
    width: int = 0  # W, for the operators that must know it
    operators: Operators | None = None


# --- whole children -------------------------------------------------------------------------------------------------
@jit
def start(recipe: GenerationInputs, pixels: int, numbers: Ints) -> Bytes:
    """Images of the first population, [n, P]."""
    images = np.empty((len(numbers), pixels), dtype=np.uint8)
    channels, blocks = recipe.tables.shape[1], (pixels + 3) // 4
    words = np.empty(4 * blocks, dtype=np.uint32)
    for q in range(len(numbers)):
        r, child = numbers[q] // recipe.stride, U32(START + U32(numbers[q] % recipe.stride))
        run, which = recipe.runs[r], recipe.which[r]
        for block in range(blocks):
            at = U(4 * block)
            words[at], words[at + U(1)], words[at + U(2)], words[at + U(3)] = philox(block, child, 0, run, recipe.seed)
        for channel in range(channels):
            table, guide = recipe.tables[which, channel], recipe.guides[which, channel]
            for pixel in range(channel, pixels, channels):
                images[q, pixel] = level_of(words[pixel], table, guide)
    return images


@jit
def breed(recipe: GenerationInputs, numbers: Ints) -> tuple[Bytes, Flags]:
    """Children as images [n, P], and whether each equals neither of its parents [n]."""
    images = np.empty((len(numbers), recipe.parents.shape[2]), dtype=np.uint8)
    fresh = np.empty(len(numbers), dtype=np.bool_)
    channels = recipe.tables.shape[1]
    for q in range(len(numbers)):
        r, child = numbers[q] // recipe.stride, U32(numbers[q] % recipe.stride)
        run, parents, pixels = recipe.runs[r], recipe.parents[r], images[q]
        words = philox(0, U32(PARENTS + child), recipe.generation, run, recipe.seed)
        first, second = pair(words[0], words[1], len(parents), recipe.mixing)
        cuts = takes_rectangle(recipe.operators, words[2])
        other = parents[first if cuts else second]  # of equal parents crossover makes a copy
        crossover(pixels, parents[first], other, child, recipe.generation, run, recipe.seed)
        if cuts:
            put_rectangle(recipe, recipe.operators, pixels, parents[second], child, run)
        if recipe.redraw[r]:
            random_reset_mutation(recipe, pixels, r, child, run)
        mutate(recipe, recipe.operators, pixels, child, run)
        if recipe.swap:
            swap_mutation(recipe, pixels, channels, child, run)
        fresh[q] = differ(pixels, parents[first]) and differ(pixels, parents[second])
    return images, fresh


@jit
def pair(word0: U32, word1: U32, selected: int, mixing: bool) -> tuple[np.int64, np.int64]:
    """The two parents of a child, different ones; twice the same where there is no crossover."""
    first = np.int64((U(word0) * U(selected)) >> SHIFT)
    if not mixing or selected == 1:
        return first, first
    second = np.int64((U(word1) * U(selected - 1)) >> SHIFT)
    return first, second + (second >= first)


@jit_part
def takes_rectangle(operators: Operators | None, word: U32) -> bool:
    """Whether a child takes a rectangle, by the third of the words of its parents."""
    if operators is None:
        return False
    return bool(U32(word >> U32(8)) < operators.rectangle)


@jit_part
def put_rectangle(recipe: GenerationInputs, operators: Operators | None, pixels: Bytes, b: Bytes, child: U32, run: U32) -> None:
    """Takes a rectangle from b."""
    if operators is not None:
        channels, width = recipe.tables.shape[1], recipe.width
        top, bottom, left, right = rectangle(recipe, len(pixels) // (channels * width), child, run)
        for y in range(top, bottom + 1):
            for i in range((y * width + left) * channels, (y * width + right + 1) * channels):
                pixels[i] = b[i]


@jit_part
def rectangle(recipe: GenerationInputs, height: int, child: U32, run: U32) -> tuple[Whole, Whole, Whole, Whole]:
    """First and last line, first and last column of the rectangle that a child has of its second parent."""
    w0, w1, w2, w3 = philox(0, U32(RECTANGLE + child), recipe.generation, run, recipe.seed)
    one, two = np.int64((U(w0) * U(height)) >> SHIFT), np.int64((U(w1) * U(height)) >> SHIFT)
    three, four = np.int64((U(w2) * U(recipe.width)) >> SHIFT), np.int64((U(w3) * U(recipe.width)) >> SHIFT)
    top, bottom = (one, two) if one < two else (two, one)
    left, right = (three, four) if three < four else (four, three)
    return top, bottom, left, right


@jit_part
def crossover(pixels: Bytes, a: Bytes, b: Bytes, child: U32, generation: int, run: U32, seed: U) -> None:
    """Uniform crossover: each pixel of a or of b."""
    for block in range((len(pixels) + 127) // 128):
        at = 128 * block
        for word in philox(block, U32(CROSSOVER + child), generation, run, seed):
            if at + WORD <= len(pixels):
                for i in range(WORD):  # of constant length, so that it becomes vectors
                    pixels[U(at + i)] = mixed(a[U(at + i)], b[U(at + i)], np.uint32(word), i)
            else:
                for i in range(len(pixels) - at):
                    pixels[U(at + i)] = mixed(a[U(at + i)], b[U(at + i)], np.uint32(word), i)
            at += WORD


@jit_part
def mixed(a: np.uint8, b: np.uint8, bits: np.uint32, i: int) -> np.uint8:
    """b where bit i is 1, else a; without branches, which random bits would mispredict (2.6 → 0.4 µs an image)."""
    mask = np.uint8(np.int32(0) - np.int32((bits >> np.uint32(i)) & np.uint32(1)))
    return np.uint8(a ^ ((a ^ b) & mask))


@jit
def random_reset_mutation(recipe: GenerationInputs, pixels: Bytes, r: Whole, child: U32, run: U32) -> None:
    """Redraws pixels from the grey levels of their channel."""
    table, guide, divisor = recipe.tables[recipe.which[r]], recipe.guides[recipe.which[r]], recipe.redraw[r]
    channels = len(table)
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(REDRAW + child), recipe.generation, run, recipe.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, divisor)
            if at >= len(pixels):
                return
            pixels[at] = level_of(word, table[at % channels], guide[at % channels])
        block += 1


@jit_part
def mutate(recipe: GenerationInputs, operators: Operators | None, pixels: Bytes, child: U32, run: U32) -> None:
    """Moves and blurs, as far as they happen."""
    if operators is not None:
        for k in range(len(MOVES)):  # in a loop, so that it is compiled once
            if operators.move[k]:
                perturbation_mutation(recipe, operators, pixels, k, child, run)
        if operators.blur:
            smoothing_mutation(recipe, operators.blur, pixels, child, run)


@jit_part
def perturbation_mutation(
    recipe: GenerationInputs, operators: Operators, pixels: Bytes, k: Whole, child: U32, run: U32
) -> None:
    """Moves pixels to other grey levels by the k-th of MOVES."""
    divisor, moves = operators.move[k], operators.moves[k]
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(MOVES[k] + child), recipe.generation, run, recipe.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, divisor)
            if at >= len(pixels):
                return
            pixels[at] = moved(word, moves[pixels[at]])
        block += 1


@jit_part
def moved(word: U32, shares: Words) -> Whole:
    """How many of the first 255 cumulative shares are ≤ word: the level that it draws."""
    low, high = np.int64(0), np.int64(255)
    while low < high:
        middle = (low + high) >> 1
        if shares[middle] <= word:
            low = middle + 1
        else:
            high = middle
    return low


@jit_part
def smoothing_mutation(recipe: GenerationInputs, divisor: U, pixels: Bytes, child: U32, run: U32) -> None:
    """Blurs places one after the other."""
    channels, width = recipe.tables.shape[1], recipe.width
    height = len(pixels) // (channels * width)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip in philox(block, U32(BLUR + child), recipe.generation, run, recipe.seed):
            at += 1 + geometric_skip(skip, divisor)
            if at >= height * width:
                return
            for channel in range(channels):
                total = np.int64(8)
                for k in range(9):
                    total += np.int64(pixels[neighbour(at, k, height, width) * channels + channel]) * weight_of(k)
                pixels[at * channels + channel] = total >> 4
        block += 1


@jit_part
def neighbour(place: Whole, k: Whole, height: Whole, width: Whole) -> Whole:
    """The k-th place of a 3×3 neighbourhood, or the nearest to it in the image."""
    y, x = place // width + k // 3 - 1, place % width + k % 3 - 1
    y, x = y + (y < 0) - (y == height), x + (x < 0) - (x == width)  # without min and max there is less to compile
    return y * width + x


@jit_part
def weight_of(k: Whole) -> Whole:
    """The weights 1 2 1, 2 4 2, 1 2 1."""
    return (1 + (k // 3 == 1)) * (1 + (k % 3 == 1))


@jit
def swap_mutation(recipe: GenerationInputs, pixels: Bytes, channels: int, child: U32, run: U32) -> None:
    """Swaps places with the first of three random places that differs."""
    places = len(pixels) // channels
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(SWAP + child), recipe.generation, run, recipe.seed)
        at += 1 + geometric_skip(w0, recipe.swap)
        if at >= places:
            return
        partner = np.int64(0)
        for word in (w1, w2, w3):
            partner = np.int64((U(word) * U(places)) >> SHIFT)
            if differ(pixels[at * channels : (at + 1) * channels], pixels[partner * channels : (partner + 1) * channels]):
                break
        for channel in range(channels):
            i, j = at * channels + channel, partner * channels + channel
            pixels[i], pixels[j] = pixels[j], pixels[i]
        block += 1


@jit
def differ(a: Bytes, b: Bytes) -> bool:
    """Whether two equally long rows of pixels differ anywhere."""
    bits = np.uint8(0)
    for i in range(len(a)):
        bits |= a[i] ^ b[i]
    return bool(bits)
