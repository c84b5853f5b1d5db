"""Breeding by difference, compiled by numba: the children of `numba_breeding.breed` as lists of changed pixels."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.jit import jit, jit_inline
from fooling.kernels.numba_breeding import CROSSOVER, PARENTS, REDRAW, SWAP, Flags, Recipe, pair
from fooling.kernels.numba_words import SHIFT, U32, Drawn, U, Whole, first_words, gap, level_of, philox
from fooling.kernels.reference import Bytes, Ints

BLOCK = 64  # pixels that are compared at a time
PAIRED = 16  # parents up to which the differences of all their pairs are kept


class Found(NamedTuple):
    """Candidates as changes of their parents."""

    rows: Ints  # [n], the parent that each is scored from: r·S + s
    fresh: Flags  # [n], whether it equals neither of its parents
    changed: Ints  # [m], which of the n have changes
    whole: Ints  # [w], which of the n have more changes than are listed
    ends: Ints  # [m + 1]; the changes of changed[j] are ends[j] … ends[j + 1] − 1
    pixels: npt.NDArray[np.int32]  # [changes], each pixel of a candidate once
    levels: Bytes  # [changes], the new grey level; it differs from the parent's


@jit
def find_changes(recipe: Recipe, limit: int, numbers: Ints) -> Found:
    """Candidates as lists of the pixels in which they differ from the nearer of their two parents, at most `limit` each.

    One that has more of them is left to `breed`: from about P/8 on, scoring it in full is faster. In one piece, because each
    tuple of arrays that goes to a function of its own costs a reference count an array: 183 → 243 ns a child in four pieces.
    """
    (selected, pixels), n, generation, seed = recipe.parents.shape[1:], len(numbers), recipe.generation, recipe.seed
    rows, fresh = np.empty(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    changed, whole, ends = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    capacity = n * max(limit, 0) + limit + BLOCK + 1  # the last candidate may run over before it is given up
    listed, levels = np.empty(capacity, dtype=np.int32), np.empty(capacity, dtype=np.uint8)
    slot = np.full(pixels, -1, dtype=np.int32)
    kept = selected * selected if selected <= PAIRED else 1
    apart, apart_size, apart_run = np.empty((kept, pixels), np.int32), np.zeros(kept, np.int64), np.full(kept, -1, np.int64)
    bits, bits_of = np.zeros((pixels + 127) // 128 * 4, dtype=np.uint32), np.full((pixels + 127) // 128, -1, dtype=np.int64)
    children, runs = np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32)
    for q in range(n):
        rows[q] = numbers[q] // recipe.stride  # the run, for now
        children[q], runs[q] = numbers[q] - rows[q] * recipe.stride, recipe.runs[rows[q]]
    of_parents = first_words(PARENTS, children, generation, runs, seed)
    of_redraw = first_words(REDRAW, children, generation, runs, seed)
    many = 2 * limit + BLOCK  # differing pixels of which no half is within the limit
    m = w = 0
    for q in range(n):
        r, child, run, parents = rows[q], children[q], runs[q], recipe.parents[rows[q]]
        if child >= recipe.population:
            rows[q] = r * selected + np.int64(child) - recipe.population
            continue
        first, second = pair(of_parents[0, q], of_parents[1, q], selected, recipe.mixing)
        at = min(first, second) * selected + max(first, second) if selected <= PAIRED else 0
        if selected > PAIRED or apart_run[at] != r:
            apart_run[at], apart_size[at] = r, differing(parents[first], parents[second], apart[at], many)
        size, start, base, other, count = apart_size[at], ends[m], first, second, 0
        if size > many:
            count = ~count
        elif size:
            of_second = cross_bits(apart[at], size, bits, bits_of, q, child, generation, run, seed)
            if 2 * of_second > size:
                base, other = second, first
            wanted, giver, candidates = np.uint32(base == first), parents[other], apart[at]
            for i in range(size):
                pixel = candidates[i]
                listed[U(start + count)], levels[U(start + count)] = pixel, giver[U(pixel)]
                count += bit_of(bits, pixel) == wanted
        if count > limit:
            count = ~count
        rows[q] = r * selected + base
        redraws = recipe.redraw[r] > 0 and gap(of_redraw[0, q], recipe.redraw[r]) < pixels
        if count >= 0 and (redraws or recipe.swap):
            before = Before(parents[base], slot, listed[start:], levels[start:])
            index(before, count)
            if redraws:
                words = of_redraw[0, q], of_redraw[1, q], of_redraw[2, q], of_redraw[3, q]
                count = redraw_changes(recipe, before, count, limit, recipe.redraw[r], words, child, run)
            if recipe.swap and count >= 0:
                count = swap_changes(recipe, before, count, limit, child, run)
            count = net_changes(before, count)
        if count < 0:
            whole[w] = q
            w += 1
        elif count > 0:
            same = count == size  # nothing but the other parent's pixels, and all of them
            for i in range(count if same else 0):
                same = same and levels[start + i] == parents[other, listed[start + i]]
            fresh[q], changed[m] = not same, q
            m += 1
            ends[m] = start + count
    return Found(rows, fresh, changed[:m], whole[:w], ends[: m + 1], listed[: ends[m]], levels[: ends[m]])


@jit
def differing(a: Bytes, b: Bytes, found: npt.NDArray[np.int32], many: int) -> int:
    """Writes the pixels in which two images differ; → how many they are, or some number above `many`.

    A block at a time, most of which are equal.
    """
    count = 0
    for lo in range(0, len(a), BLOCK):
        hi = min(lo + BLOCK, len(a))
        bits = np.uint8(0)
        if hi - lo == BLOCK:
            for i in range(BLOCK):  # of constant length: 13 → 3 ns
                bits |= a[U(lo + i)] ^ b[U(lo + i)]
        if bits or hi - lo < BLOCK:
            for i in range(lo, hi):
                found[count] = i
                count += a[i] != b[i]
            if count > many:
                break
    return count


@jit
def cross_bits(
    apart: Drawn, size: int, bits: Drawn, bits_of: Ints, q: int, child: U32, generation: int, run: U32, seed: U
) -> Whole:
    """Draws the crossover bits of the blocks that hold these pixels; → how many of the pixels are of the second parent."""
    of_second = np.int64(0)
    for i in range(size):
        block = apart[i] >> 7
        if bits_of[U(block)] != q:
            bits_of[block] = q
            at = 4 * block
            words = philox(block, U32(CROSSOVER + child), generation, run, seed)
            bits[at], bits[at + 1], bits[at + 2], bits[at + 3] = words
        of_second += bit_of(bits, apart[i])
    return of_second


@jit_inline
def bit_of(bits: Drawn, pixel: int) -> Any:
    """The crossover bit of a pixel."""
    return (bits[U(pixel >> 5)] >> U32(pixel & 31)) & U32(1)


class Before(NamedTuple):
    """A parent and its changes so far."""

    base: Bytes  # [P]
    slot: npt.NDArray[np.int32]  # [P], where a pixel stands in the list; −1: not known to be there
    pixels: npt.NDArray[np.int32]
    levels: Bytes


@jit_inline
def index(before: Before, count: int) -> None:
    """Notes where in the list the pixels stand that crossover changed."""
    for i in range(count):
        before.slot[U(before.pixels[i])] = i


@jit_inline
def net_changes(before: Before, count: int) -> int:
    """Empties the index, drops what is the parent's again; → the number of changes that remain, or ~n as it came."""
    remaining = 0
    for i in range(count if count >= 0 else ~count):
        pixel, level = before.pixels[i], before.levels[i]
        before.slot[U(pixel)] = -1
        before.pixels[U(remaining)], before.levels[U(remaining)] = pixel, level
        remaining += level != before.base[U(pixel)]
    return remaining if count >= 0 else count


@jit_inline
def level_at(before: Before, pixel: Whole) -> Any:
    """A pixel of the parent with its changes so far."""
    at = before.slot[pixel]
    return before.base[pixel] if at < 0 else before.levels[at]


@jit_inline
def put(before: Before, count: int, pixel: Whole, level: Whole) -> int:
    """Changes a pixel; → the number of changed pixels."""
    if before.slot[pixel] < 0:
        before.slot[pixel], before.pixels[count] = count, pixel
        count += 1
    before.levels[before.slot[pixel]] = level
    return count


@jit
def redraw_changes(
    recipe: Recipe, before: Before, count: int, limit: int, divisor: U, words: tuple[U32, U32, U32, U32], child: U32, run: U32
) -> int:
    """`redraw_pixels` as changes, from the words of block 0 on; → their number n, or ~n if there would be too many."""
    channels, pixels = recipe.table.shape[0], len(before.base)
    at, block = np.int64(-1), np.int64(0)
    while True:
        for skip, word in ((words[0], words[1]), (words[2], words[3])):
            at += 1 + gap(skip, divisor)
            if at >= pixels:
                return count
            if count >= limit:
                return ~count
            channel = at % channels if channels > 1 else 0
            count = put(before, count, at, level_of(word, recipe.table[channel], recipe.guide[channel]))
        block += 1
        words = philox(block, U32(REDRAW + child), recipe.generation, run, recipe.seed)


@jit
def swap_changes(recipe: Recipe, before: Before, count: int, limit: int, child: U32, run: U32) -> int:
    """`swap_places` as changes; → their number n, or ~n if there would be too many."""
    channels = recipe.table.shape[0]
    places = len(before.base) // channels
    at, block = np.int64(-1), np.int64(0)
    while True:
        w0, w1, w2, w3 = philox(block, U32(SWAP + child), recipe.generation, run, recipe.seed)
        at += 1 + gap(w0, recipe.swap)
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
