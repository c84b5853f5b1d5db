"""Delta variation, compiled by numba: the children of `operators.breed` as lists of changed pixels."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.delta_mutations import (
    OriginalValues,
    has_mutations,
    index_changes,
    mutate_changes,
    net_changes,
    random_reset_changes,
    swap_changes,
)
from fooling.kernels.numba.operators import (
    CROSSOVER,
    PARENTS,
    RESET,
    GenerationInputs,
    Operators,
    pair,
    rectangle,
    takes_rectangle,
)
from fooling.kernels.numba.philox import U32, Drawn, U, Whole, first_words, geometric_skip, philox
from fooling.kernels.tables import Bytes, Flags, Ints

BLOCK = 64  # pixels that are compared at a time
BATCH = 64  # children whose crossover bits are drawn in one batch
PAIRED = 16  # parents up to which the differences of all pairs are cached


class ChangedPixels(NamedTuple):
    """Candidates as changes of their parents."""

    rows: Ints  # [n], the base parent of each: r·S + s
    is_new: Flags  # [n], whether it equals neither of its parents
    changed: Ints  # [m], which of the n have changes
    whole: Ints  # [w], which of the n have more changes than are listed
    ends: Ints  # [m + 1]; the changes of changed[j] are ends[j] … ends[j + 1] − 1
    pixels: npt.NDArray[np.int32]  # [changes], each pixel of a candidate once
    levels: Bytes  # [changes], the new grey level; it differs from the parent's


@jit
def changed_children(inputs: GenerationInputs, limit: int, numbers: Ints) -> ChangedPixels:
    """Candidates as lists of the pixels in which they differ from the nearer of their two parents, at most `limit` each.

    One that has more of them is left to `breed`: from about P/8 changes on, full scoring is faster.
    """
    (selected, pixels), n = inputs.parents.shape[1:], len(numbers)
    capacity = n * max(limit, 0) + limit + BLOCK + 1  # the last candidate may run over before it is given up
    changes = ChangedPixels(
        np.empty(n, dtype=np.int64),
        np.zeros(n, dtype=np.bool_),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.zeros(n + 1, dtype=np.int64),
        np.empty(capacity, dtype=np.int32),
        np.empty(capacity, dtype=np.uint8),
    )
    pairs, blocks = selected * selected if selected <= PAIRED else 1, (pixels + 127) // 128
    workspace = Workspace(
        np.empty((pairs, pixels), np.int32),
        np.zeros(pairs, np.int64),
        np.full(pairs, -1, np.int64),
        np.zeros((4 * blocks, BATCH), np.uint32),
        np.empty(pixels, np.int32),
        np.empty(pixels, np.int32),
        np.full(pixels, -1, np.int32),
    )
    children, runs = np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32)
    for q in range(n):
        changes.rows[q] = numbers[q] // inputs.stride  # the run, replaced by the parent below
        children[q], runs[q] = numbers[q] - changes.rows[q] * inputs.stride, inputs.runs[changes.rows[q]]
    parent_words = first_words(PARENTS, children, inputs.generation, runs, inputs.seed)
    reset_words = first_words(RESET, children, inputs.generation, runs, inputs.seed)
    m, w = list_changes(inputs, limit, changes, workspace, children, runs, parent_words, reset_words)
    rows, is_new, changed, whole, ends, places, levels = changes
    return ChangedPixels(rows, is_new, changed[:m], whole[:w], ends[: m + 1], places[: ends[m]], levels[: ends[m]])


class Workspace(NamedTuple):
    """Buffers and caches that are shared by the children of a call."""

    differences: npt.NDArray[np.int32]  # [pairs, P], pixels in which two parents differ
    size: Ints  # [pairs], their number
    run: Ints  # [pairs], the run of these parents; −1: empty
    bits: Drawn  # [P / 32, BATCH], crossover bits of a batch of children, one word per 32 pixels
    from_first: npt.NDArray[np.int32]  # [P], of the differing pixels those that a child takes from the first parent
    from_second: npt.NDArray[np.int32]  # [P], … and from the second
    slot: npt.NDArray[np.int32]  # [P], position of a pixel in the list of changes; −1: not listed


@jit_part
def list_changes(
    inputs: GenerationInputs,
    limit: int,
    changes: ChangedPixels,
    workspace: Workspace,
    children: Drawn,
    runs: Drawn,
    parent_words: Drawn,
    reset_words: Drawn,
) -> tuple[int, int]:
    """Fills in `changes`; → the number of children with changes, and of those with more than the limit."""
    selected, pixels = inputs.parents.shape[1:]
    rows, ends, positions, levels = changes.rows, changes.ends, changes.pixels, changes.levels
    mutates = has_mutations(inputs.operators)
    many = 2 * limit + BLOCK  # differing pixels of which neither half is within the limit
    m = w = 0
    for q in range(len(children)):
        r, child, run, start = rows[q], children[q], runs[q], ends[m]
        if q % BATCH == 0:
            draw_bits(inputs, workspace.bits, children[q : q + BATCH], runs[q : q + BATCH])
        if child >= inputs.population:
            rows[q] = r * selected + np.int64(child) - inputs.population
            continue
        first, second = pair(parent_words[0, q], parent_words[1, q], selected, inputs.has_crossover)
        size = parent_differences(inputs, workspace, r, first, second, many)
        base: Whole = first
        count: Whole = np.int64(size > many) * -1
        if 0 < size <= many:
            if takes_rectangle(inputs.operators, parent_words[2, q]):
                rectangle_bits(inputs, inputs.operators, workspace.bits, q % BATCH, child, run)
            base, count = cross_changes(inputs, workspace, changes, r, q % BATCH, first, second, size, limit, start)
        if count > limit:
            count = ~count
        rows[q] = r * selected + base
        resets = inputs.redraw[r] > 0 and geometric_skip(reset_words[0, q], inputs.redraw[r]) < pixels
        if count >= 0 and (resets or mutates or inputs.swap):
            original = OriginalValues(inputs.parents[r, base], workspace.slot, positions[start:], levels[start:])
            index_changes(original, count)
            if resets:
                words = reset_words[0, q], reset_words[1, q], reset_words[2, q], reset_words[3, q]
                count = random_reset_changes(inputs, original, count, limit, r, words, child, run)
            count = mutate_changes(inputs, inputs.operators, original, count, limit, child, run)
            if inputs.swap and count >= 0:
                count = swap_changes(inputs, original, count, limit, child, run)
            count = net_changes(original, count)
        if count < 0:
            changes.whole[w] = q
            w += 1
        elif count > 0:
            other = inputs.parents[r, first + second - base]
            changes.is_new[q] = count != size or not equals_parent(other, positions, levels, start, count)
            changes.changed[m] = q
            m += 1
            ends[m] = start + count
    return m, w


@jit_part
def parent_differences(inputs: GenerationInputs, workspace: Workspace, r: Whole, first: Whole, second: Whole, many: int) -> Any:
    """The number of pixels in which two parents of run r differ; some number above `many` if there are more."""
    selected = inputs.parents.shape[1]
    at = pair_number(selected, first, second)
    if selected > PAIRED or workspace.run[at] != r:
        one, two = inputs.parents[r, first], inputs.parents[r, second]
        workspace.run[at], workspace.size[at] = r, list_differences(one, two, workspace.differences[at], many)
    return workspace.size[at]


@jit_part
def draw_bits(inputs: GenerationInputs, bits: Drawn, children: Drawn, runs: Drawn) -> None:
    """Draws the crossover bits of at most BATCH children; vectorised: 1 ns a block and child instead of 20."""
    for block in range(len(bits) // 4 if inputs.has_crossover else 0):
        w0, w1, w2, w3 = bits[4 * block], bits[4 * block + 1], bits[4 * block + 2], bits[4 * block + 3]
        for i in range(len(children)):
            w0[i], w1[i], w2[i], w3[i] = philox(block, U32(CROSSOVER + children[i]), inputs.generation, runs[i], inputs.seed)


@jit_part
def rectangle_bits(
    inputs: GenerationInputs, operators: Operators | None, bits: Drawn, lane: Whole, child: U32, run: U32
) -> None:
    """Sets a child's bits to 1 within its rectangle, to 0 elsewhere."""
    if operators is not None:
        channels, width = inputs.tables.shape[1], inputs.width
        top, bottom, left, right = rectangle(inputs, inputs.parents.shape[2] // (channels * width), child, run)
        for k in range(len(bits)):
            bits[k, lane] = U32(0)
        for y in range(top, bottom + 1):
            for pixel in range((y * width + left) * channels, (y * width + right + 1) * channels):
                bits[pixel >> 5, lane] |= U32(1) << U32(pixel & 31)


@jit_part
def cross_changes(
    inputs: GenerationInputs,
    workspace: Workspace,
    changes: ChangedPixels,
    r: Whole,
    lane: int,
    first: Whole,
    second: Whole,
    size: Whole,
    limit: int,
    start: Whole,
) -> tuple[Whole, Whole]:
    """Lists, from `start` on, the pixels that crossover changes, if at most `limit`; → the nearer parent, and their number."""
    selected, ones, twos = inputs.parents.shape[1], np.int64(0), np.int64(0)
    differences, from_first, from_second = (
        workspace.differences[pair_number(selected, first, second)],
        workspace.from_first,
        workspace.from_second,
    )
    for i in range(size):  # without branches, which random bits would mispredict
        pixel = differences[i]
        bit = (workspace.bits[U(pixel >> 5), U(lane)] >> U32(pixel & 31)) & U32(1)
        from_first[U(ones)] = from_second[U(twos)] = pixel
        ones, twos = ones + (U32(1) - bit), twos + bit
    base, other, count, pixels = (first, second, twos, from_second) if twos <= ones else (second, first, ones, from_first)
    donor = inputs.parents[r, other]
    for i in range(count if count <= limit else 0):
        changes.pixels[U(start + i)], changes.levels[U(start + i)] = pixels[i], donor[U(pixels[i])]
    return base, count


@jit_part
def pair_number(selected: int, first: Whole, second: Whole) -> Any:
    """Cache position of two parents' differences: one for each pair of few parents, a single one for many."""
    return min(first, second) * selected + max(first, second) if selected <= PAIRED else 0


@jit_part
def equals_parent(other: Bytes, positions: npt.NDArray[np.int32], levels: Bytes, start: Whole, count: Whole) -> bool:
    """Whether all changed pixels have the levels of the other parent."""
    same = True
    for i in range(start, start + count):
        same = same and levels[i] == other[positions[i]]
    return same


@jit_part
def list_differences(a: Bytes, b: Bytes, changes: npt.NDArray[np.int32], many: int) -> int:
    """Writes the pixels in which two images differ; → their number, or some number above `many`.

    Block by block: most blocks are equal.
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
                changes[count] = i
                count += a[i] != b[i]
            if count > many:
                break
    return count
