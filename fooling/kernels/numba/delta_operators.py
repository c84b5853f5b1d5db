"""Breeding by difference, compiled by numba: the children of `numba_breeding.breed` as lists of changed pixels."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.delta_mutations import (
    OriginalValues,
    has_mutations,
    index,
    mutate_changes,
    net_changes,
    redraw_changes,
    swap_changes,
)
from fooling.kernels.numba.operators import (
    CROSSOVER,
    PARENTS,
    REDRAW,
    GenerationInputs,
    Operators,
    pair,
    rectangle,
    takes_rectangle,
)
from fooling.kernels.numba.philox import U32, Drawn, U, Whole, first_words, geometric_skip, philox
from fooling.kernels.tables import Bytes, Flags, Ints

BLOCK = 64  # pixels that are compared at a time
TOGETHER = 64  # children whose crossover bits are drawn together
PAIRED = 16  # parents up to which the differences of all their pairs are kept


class ChangedPixels(NamedTuple):
    """Candidates as changes of their parents."""

    rows: Ints  # [n], the parent that each is scored from: r·S + s
    fresh: Flags  # [n], whether it equals neither of its parents
    changed: Ints  # [m], which of the n have changes
    whole: Ints  # [w], which of the n have more changes than are listed
    ends: Ints  # [m + 1]; the changes of changed[j] are ends[j] … ends[j + 1] − 1
    pixels: npt.NDArray[np.int32]  # [changes], each pixel of a candidate once
    levels: Bytes  # [changes], the new grey level; it differs from the parent's


@jit
def changed_children(recipe: GenerationInputs, limit: int, numbers: Ints) -> ChangedPixels:
    """Candidates as lists of the pixels in which they differ from the nearer of their two parents, at most `limit` each.

    One that has more of them is left to `breed`: from about P/8 on, scoring it in full is faster.
    """
    (selected, pixels), n = recipe.parents.shape[1:], len(numbers)
    capacity = n * max(limit, 0) + limit + BLOCK + 1  # the last candidate may run over before it is given up
    found = ChangedPixels(
        np.empty(n, dtype=np.int64),
        np.zeros(n, dtype=np.bool_),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.zeros(n + 1, dtype=np.int64),
        np.empty(capacity, dtype=np.int32),
        np.empty(capacity, dtype=np.uint8),
    )
    pairs, blocks = selected * selected if selected <= PAIRED else 1, (pixels + 127) // 128
    scratch = Workspace(
        np.empty((pairs, pixels), np.int32),
        np.zeros(pairs, np.int64),
        np.full(pairs, -1, np.int64),
        np.zeros((4 * blocks, TOGETHER), np.uint32),
        np.empty(pixels, np.int32),
        np.empty(pixels, np.int32),
        np.full(pixels, -1, np.int32),
    )
    children, runs = np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32)
    for q in range(n):
        found.rows[q] = numbers[q] // recipe.stride  # the run, for now
        children[q], runs[q] = numbers[q] - found.rows[q] * recipe.stride, recipe.runs[found.rows[q]]
    of_parents = first_words(PARENTS, children, recipe.generation, runs, recipe.seed)
    of_redraw = first_words(REDRAW, children, recipe.generation, runs, recipe.seed)
    m, w = list_changes(recipe, limit, found, scratch, children, runs, of_parents, of_redraw)
    rows, fresh, changed, whole, ends, pixels_, levels = found
    return ChangedPixels(rows, fresh, changed[:m], whole[:w], ends[: m + 1], pixels_[: ends[m]], levels[: ends[m]])


class Workspace(NamedTuple):
    """What is kept from child to child."""

    apart: npt.NDArray[np.int32]  # [pairs, P], the pixels in which two parents differ …
    size: Ints  # [pairs], … how many they are …
    run: Ints  # [pairs], … and of which run's parents; −1: of none yet
    bits: Drawn  # [P / 32, TOGETHER], crossover bits of the children at hand, a word for 32 pixels
    of_first: npt.NDArray[np.int32]  # [P], the pixels of those in which the parents differ that a child has of the first …
    of_second: npt.NDArray[np.int32]  # [P], … and of the second
    slot: npt.NDArray[np.int32]  # [P], where a pixel stands in the list of changes; −1: not known to be there


@jit_part
def list_changes(
    recipe: GenerationInputs,
    limit: int,
    found: ChangedPixels,
    scratch: Workspace,
    children: Drawn,
    runs: Drawn,
    of_parents: Drawn,
    of_redraw: Drawn,
) -> tuple[int, int]:
    """Fills in what is found; → how many have changes and how many more than are listed."""
    selected, pixels = recipe.parents.shape[1:]
    rows, ends, listed, levels = found.rows, found.ends, found.pixels, found.levels
    mutates = has_mutations(recipe.operators)
    many = 2 * limit + BLOCK  # differing pixels of which no half is within the limit
    m = w = 0
    for q in range(len(children)):
        r, child, run, start = rows[q], children[q], runs[q], ends[m]
        if q % TOGETHER == 0:
            draw_bits(recipe, scratch.bits, children[q : q + TOGETHER], runs[q : q + TOGETHER])
        if child >= recipe.population:
            rows[q] = r * selected + np.int64(child) - recipe.population
            continue
        first, second = pair(of_parents[0, q], of_parents[1, q], selected, recipe.mixing)
        size = parents_apart(recipe, scratch, r, first, second, many)
        base: Whole = first
        count: Whole = np.int64(size > many) * -1
        if 0 < size <= many:
            if takes_rectangle(recipe.operators, of_parents[2, q]):
                rectangle_bits(recipe, recipe.operators, scratch.bits, q % TOGETHER, child, run)
            base, count = cross_changes(recipe, scratch, found, r, q % TOGETHER, first, second, size, limit, start)
        if count > limit:
            count = ~count
        rows[q] = r * selected + base
        redraws = recipe.redraw[r] > 0 and geometric_skip(of_redraw[0, q], recipe.redraw[r]) < pixels
        if count >= 0 and (redraws or mutates or recipe.swap):
            before = OriginalValues(recipe.parents[r, base], scratch.slot, listed[start:], levels[start:])
            index(before, count)
            if redraws:
                words = of_redraw[0, q], of_redraw[1, q], of_redraw[2, q], of_redraw[3, q]
                count = redraw_changes(recipe, before, count, limit, r, words, child, run)
            count = mutate_changes(recipe, recipe.operators, before, count, limit, child, run)
            if recipe.swap and count >= 0:
                count = swap_changes(recipe, before, count, limit, child, run)
            count = net_changes(before, count)
        if count < 0:
            found.whole[w] = q
            w += 1
        elif count > 0:
            other = recipe.parents[r, first + second - base]
            found.fresh[q] = count != size or not taken(other, listed, levels, start, count)
            found.changed[m] = q
            m += 1
            ends[m] = start + count
    return m, w


@jit_part
def parents_apart(recipe: GenerationInputs, scratch: Workspace, r: Whole, first: Whole, second: Whole, many: int) -> Any:
    """In how many pixels two parents of run r differ; if in more than `many`, some number above it."""
    selected = recipe.parents.shape[1]
    at = pair_number(selected, first, second)
    if selected > PAIRED or scratch.run[at] != r:
        one, two = recipe.parents[r, first], recipe.parents[r, second]
        scratch.run[at], scratch.size[at] = r, differing(one, two, scratch.apart[at], many)
    return scratch.size[at]


@jit_part
def draw_bits(recipe: GenerationInputs, bits: Drawn, children: Drawn, runs: Drawn) -> None:
    """Draws the crossover bits of at most TOGETHER children; in vectors: 1 ns a block and child, where one alone takes 20."""
    for block in range(len(bits) // 4 if recipe.mixing else 0):
        w0, w1, w2, w3 = bits[4 * block], bits[4 * block + 1], bits[4 * block + 2], bits[4 * block + 3]
        for i in range(len(children)):
            w0[i], w1[i], w2[i], w3[i] = philox(block, U32(CROSSOVER + children[i]), recipe.generation, runs[i], recipe.seed)


@jit_part
def rectangle_bits(
    recipe: GenerationInputs, operators: Operators | None, bits: Drawn, lane: Whole, child: U32, run: U32
) -> None:
    """Sets a child's bits to 1 within its rectangle, to 0 elsewhere."""
    if operators is not None:
        channels, width = recipe.tables.shape[1], recipe.width
        top, bottom, left, right = rectangle(recipe, recipe.parents.shape[2] // (channels * width), child, run)
        for k in range(len(bits)):
            bits[k, lane] = U32(0)
        for y in range(top, bottom + 1):
            for pixel in range((y * width + left) * channels, (y * width + right + 1) * channels):
                bits[pixel >> 5, lane] |= U32(1) << U32(pixel & 31)


@jit_part
def cross_changes(
    recipe: GenerationInputs,
    scratch: Workspace,
    found: ChangedPixels,
    r: Whole,
    lane: int,
    first: Whole,
    second: Whole,
    size: Whole,
    limit: int,
    start: Whole,
) -> tuple[Whole, Whole]:
    """Lists, from `start` on, what crossover changes, if at most `limit` pixels; → the nearer parent, and how many."""
    selected, ones, twos = recipe.parents.shape[1], np.int64(0), np.int64(0)
    apart, of_first, of_second = scratch.apart[pair_number(selected, first, second)], scratch.of_first, scratch.of_second
    for i in range(size):  # without branches, which random bits would mispredict
        pixel = apart[i]
        bit = (scratch.bits[U(pixel >> 5), U(lane)] >> U32(pixel & 31)) & U32(1)
        of_first[U(ones)] = of_second[U(twos)] = pixel
        ones, twos = ones + (U32(1) - bit), twos + bit
    base, other, count, pixels = (first, second, twos, of_second) if twos <= ones else (second, first, ones, of_first)
    giver = recipe.parents[r, other]
    for i in range(count if count <= limit else 0):
        found.pixels[U(start + i)], found.levels[U(start + i)] = pixels[i], giver[U(pixels[i])]
    return base, count


@jit_part
def pair_number(selected: int, first: Whole, second: Whole) -> Any:
    """Where the differences of two parents are kept: of few parents those of all pairs, of many those of one pair."""
    return min(first, second) * selected + max(first, second) if selected <= PAIRED else 0


@jit_part
def taken(other: Bytes, listed: npt.NDArray[np.int32], levels: Bytes, start: Whole, count: Whole) -> bool:
    """Whether changed pixels have the levels of the other parent."""
    same = True
    for i in range(start, start + count):
        same = same and levels[i] == other[listed[i]]
    return same


@jit_part
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
