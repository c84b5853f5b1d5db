"""Genetic operators, compiled by numba: the children of `reference.operators`, as whole images.

Candidates are numbered: number r·stride + c is child c of run r, or its parent c − N from c = N on (stride ≥ N + S). Kernels
take any list of numbers, so that threads share the work without sharing an output.

`delta_mutations` repeats the event loops of the mutations on lists of changes. They stay apart: whole children by way of
such lists, without a limit, take 6.5 µs each instead of 2.7 (28×28, 1 % redrawn).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.philox import SHIFT, U32, U, Whole, Words, geometric_skip, level_of, philox
from fooling.kernels.reference.operators import OperatorRates
from fooling.kernels.tables import LEVELS, PURPOSES, Bytes, Flags, Ints, log_survival

START, PARENTS, CROSSOVER, RESET, SWAP = (
    U32(PURPOSES[name] << 28) for name in ("start", "parents", "crossover", "redraw", "swap")
)
RECTANGLE, BLUR = U32(PURPOSES["rectangle"] << 28), U32(PURPOSES["blur"] << 28)
PERTURBATIONS = np.array([PURPOSES["gaussian"] << 28, PURPOSES["polynomial"] << 28], dtype=np.uint32)
WORD = 32  # pixels a word of crossover bits


class Operators(NamedTuple):
    """`reference.operators.OperatorRates`, as the kernels take them."""

    rectangle: U32  # of children, in units of 2⁻²⁴
    perturbation: Words  # [2], see `tables.log_survival`, of PERTURBATIONS; 0: never
    tables: Words  # [2, 256, 256]
    blur: U  # see `tables.log_survival`


def operators(rates: OperatorRates) -> Operators | None:
    """The rates as the kernels take them; None if all are 0: kernels are then compiled without these operators (3 of 20 s)."""
    if not any((rates.rectangle, rates.gaussian, rates.polynomial, rates.blur)):
        return None
    perturbation, tables = (
        np.zeros(len(PERTURBATIONS), dtype=np.uint64),
        np.zeros((len(PERTURBATIONS), LEVELS, LEVELS), dtype=np.uint64),
    )
    rates_and_tables = (rates.gaussian, rates.gaussian_table), (rates.polynomial, rates.polynomial_table)
    for k, (rate, table) in enumerate(rates_and_tables):
        if rate:
            perturbation[k], tables[k] = log_survival(rate), table
    return Operators(U32(rates.rectangle), perturbation, tables, U(log_survival(rates.blur)))


class GenerationInputs(NamedTuple):
    """What determines the children of one generation: R runs, S parents each, P pixels, T targets."""

    parents: Bytes  # [R, S, P]
    tables: Words  # [T, C, 256], cumulative shares of the grey levels; run r draws from tables[target_index[r]]
    guides: Bytes  # [T, C, GUIDE + 1], see `tables.draw_guide`
    target_index: Ints  # [R]
    redraw: Words  # [R], see `tables.log_survival`
    swap: U  # see `tables.log_survival`
    has_crossover: bool
    seed: U
    generation: int
    runs: npt.NDArray[np.uint32]  # [R]
    population: int  # N
    stride: int
    width: int = 0  # W, for operators that need it
    operators: Operators | None = None


# --- whole children -------------------------------------------------------------------------------------------------
@jit
def start(inputs: GenerationInputs, pixels: int, numbers: Ints) -> Bytes:
    """Images of the first population, [n, P]."""
    images = np.empty((len(numbers), pixels), dtype=np.uint8)
    channels, blocks = inputs.tables.shape[1], (pixels + 3) // 4
    words = np.empty(4 * blocks, dtype=np.uint32)
    for q in range(len(numbers)):
        r, child = numbers[q] // inputs.stride, U32(START + U32(numbers[q] % inputs.stride))
        run, target_index = inputs.runs[r], inputs.target_index[r]
        for block in range(blocks):
            at = U(4 * block)
            words[at], words[at + U(1)], words[at + U(2)], words[at + U(3)] = philox(block, child, 0, run, inputs.seed)
        for channel in range(channels):
            table, guide = inputs.tables[target_index, channel], inputs.guides[target_index, channel]
            for pixel in range(channel, pixels, channels):
                images[q, pixel] = level_of(words[pixel], table, guide)
    return images


@jit
def breed(inputs: GenerationInputs, numbers: Ints) -> tuple[Bytes, Flags]:
    """Children as images [n, P], and whether each equals neither of its parents [n]."""
    images = np.empty((len(numbers), inputs.parents.shape[2]), dtype=np.uint8)
    is_new = np.empty(len(numbers), dtype=np.bool_)
    channels = inputs.tables.shape[1]
    for q in range(len(numbers)):
        r, child = numbers[q] // inputs.stride, U32(numbers[q] % inputs.stride)
        run, parents, pixels = inputs.runs[r], inputs.parents[r], images[q]
        words = philox(0, U32(PARENTS + child), inputs.generation, run, inputs.seed)
        first, second = pair(words[0], words[1], len(parents), inputs.has_crossover)
        cuts = takes_rectangle(inputs.operators, words[2])
        other = parents[first if cuts else second]  # of equal parents crossover makes a copy
        crossover(pixels, parents[first], other, child, inputs.generation, run, inputs.seed)
        if cuts:
            put_rectangle(inputs, inputs.operators, pixels, parents[second], child, run)
        if inputs.redraw[r]:
            random_reset_mutation(inputs, pixels, r, child, run)
        mutate(inputs, inputs.operators, pixels, child, run)
        if inputs.swap:
            swap_mutation(inputs, pixels, channels, child, run)
        is_new[q] = differ(pixels, parents[first]) and differ(pixels, parents[second])
    return images, is_new


@jit
def pair(word0: U32, word1: U32, selected: int, has_crossover: bool) -> tuple[np.int64, np.int64]:
    """The two parents of a child, different ones; twice the same where there is no crossover."""
    first = np.int64((U(word0) * U(selected)) >> SHIFT)
    if not has_crossover or selected == 1:
        return first, first
    second = np.int64((U(word1) * U(selected - 1)) >> SHIFT)
    return first, second + (second >= first)


@jit_part
def takes_rectangle(operators: Operators | None, word: U32) -> bool:
    """Whether a child takes a rectangle, by the third word of its address."""
    if operators is None:
        return False
    return bool(U32(word >> U32(8)) < operators.rectangle)


@jit_part
def put_rectangle(inputs: GenerationInputs, operators: Operators | None, pixels: Bytes, b: Bytes, child: U32, run: U32) -> None:
    """Copies the child's rectangle from b."""
    if operators is not None:
        channels, width = inputs.tables.shape[1], inputs.width
        top, bottom, left, right = rectangle(inputs, len(pixels) // (channels * width), child, run)
        for y in range(top, bottom + 1):
            for i in range((y * width + left) * channels, (y * width + right + 1) * channels):
                pixels[i] = b[i]


@jit_part
def rectangle(inputs: GenerationInputs, height: int, child: U32, run: U32) -> tuple[Whole, Whole, Whole, Whole]:
    """First and last line, first and last column of the rectangle that a child takes from its second parent."""
    w0, w1, w2, w3 = philox(0, U32(RECTANGLE + child), inputs.generation, run, inputs.seed)
    one, two = np.int64((U(w0) * U(height)) >> SHIFT), np.int64((U(w1) * U(height)) >> SHIFT)
    three, four = np.int64((U(w2) * U(inputs.width)) >> SHIFT), np.int64((U(w3) * U(inputs.width)) >> SHIFT)
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
                for i in range(WORD):  # of constant length, so that LLVM vectorises it
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
def random_reset_mutation(inputs: GenerationInputs, pixels: Bytes, r: Whole, child: U32, run: U32) -> None:
    """Random-reset mutation: redraws pixels from the grey levels of their channel."""
    table, guide, survival = inputs.tables[inputs.target_index[r]], inputs.guides[inputs.target_index[r]], inputs.redraw[r]
    channels = len(table)
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(RESET + child), inputs.generation, run, inputs.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, survival)
            if at >= len(pixels):
                return
            pixels[at] = level_of(word, table[at % channels], guide[at % channels])
        block += 1


@jit_part
def mutate(inputs: GenerationInputs, operators: Operators | None, pixels: Bytes, child: U32, run: U32) -> None:
    """Perturbations and smoothing, where their rates are above 0."""
    if operators is not None:
        for k in range(len(PERTURBATIONS)):  # in a loop, so that it is compiled once
            if operators.perturbation[k]:
                perturbation_mutation(inputs, operators, pixels, k, child, run)
        if operators.blur:
            smoothing_mutation(inputs, operators.blur, pixels, child, run)


@jit_part
def perturbation_mutation(
    inputs: GenerationInputs, operators: Operators, pixels: Bytes, k: Whole, child: U32, run: U32
) -> None:
    """Perturbation (creep) mutation by the k-th of PERTURBATIONS."""
    survival, tables = operators.perturbation[k], operators.tables[k]
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(PERTURBATIONS[k] + child), inputs.generation, run, inputs.seed)
        for skip, word in ((w0, w1), (w2, w3)):
            at += 1 + geometric_skip(skip, survival)
            if at >= len(pixels):
                return
            pixels[at] = bisect_level(word, tables[pixels[at]])
        block += 1


@jit_part
def bisect_level(word: U32, shares: Words) -> Whole:
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
def smoothing_mutation(inputs: GenerationInputs, survival: U, pixels: Bytes, child: U32, run: U32) -> None:
    """Smoothing mutation, place after place."""
    channels, width = inputs.tables.shape[1], inputs.width
    height = len(pixels) // (channels * width)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip in philox(block, U32(BLUR + child), inputs.generation, run, inputs.seed):
            at += 1 + geometric_skip(skip, survival)
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
def swap_mutation(inputs: GenerationInputs, pixels: Bytes, channels: int, child: U32, run: U32) -> None:
    """Swap mutation: swaps places with the first of three random places that differs."""
    places = len(pixels) // channels
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(SWAP + child), inputs.generation, run, inputs.seed)
        at += 1 + geometric_skip(w0, inputs.swap)
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
