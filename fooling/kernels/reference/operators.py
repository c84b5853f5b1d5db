"""Genetic operators, the definition in NumPy: integer arithmetic on a counter-based generator, equal in every engine.

A child is made by crossover, then random-reset, Gaussian, polynomial, smoothing and swap mutation, in the order of
`OPERATORS`.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import NO_PERTURBATIONS, PURPOSES, RATE_ONE, Bytes, Floats, Ints, geometric_skip, log_survival

Words = npt.NDArray[np.uint64]
Address = tuple[int, int, int, int]  # child, generation, run, seed


class OperatorRates(NamedTuple):
    """Rates of the optional operators in units of 2⁻²⁴, and the tables of the two perturbation mutations."""

    rectangle: int = 0  # of children, up to 2²⁴: all
    gaussian: int = 0  # of pixels
    polynomial: int = 0  # of pixels
    blur: int = 0  # of places
    gaussian_table: Words = NO_PERTURBATIONS  # [256, 256], see `tables.gaussian_perturbations`
    polynomial_table: Words = NO_PERTURBATIONS  # [256, 256], see `tables.polynomial_perturbations`


ORIGINAL = OperatorRates()  # none of them
BATCH = 64  # blocks of random words


# --- random words ---------------------------------------------------------------------------------------------------
def philox(block: Any, child: Any, generation: Any, run: Any, seed: int, purpose: str) -> npt.NDArray[np.uint64]:
    """Four random words of 32 bits, as uint64 [..., 4], at an address; the arguments broadcast.

    Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Counter = (block, purpose·2²⁸ + child,
    generation, run), key = the 64-bit seed: each word is independent of the order in which words are drawn.
    """
    child = np.asarray(child, dtype=np.uint64) + np.uint64(PURPOSES[purpose] << 28)
    words = np.broadcast_arrays(*(np.asarray(word, dtype=np.uint64) for word in (block, child, generation, run)))
    return philox_rounds(np.stack(words, axis=-1), seed & 0xFFFFFFFF, seed >> 32)


def philox_rounds(counter: npt.NDArray[np.uint64], key0: int, key1: int) -> npt.NDArray[np.uint64]:
    """The ten rounds: counter uint64 [..., 4] of 32-bit words and two key words → uint64 [..., 4] of 32-bit words."""
    c0, c1, c2, c3 = (counter[..., i] for i in range(4))
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2  # 32 × 32 → 64 bits
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ np.uint64(key0), p1 & low, (p0 >> shift) ^ c3 ^ np.uint64(key1), p0 & low
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


# --- variation ------------------------------------------------------------------------------------------------------
def start(tables: Words, seed: int, runs: npt.NDArray[np.uint32], population: int, shape: tuple[int, int, int]) -> Bytes:
    """The first population: every pixel drawn from the grey levels of its run and channel, [R, C, 256] → [R, N, H, W, C]."""
    pixels, channels = int(np.prod(shape)), shape[2]
    blocks = np.arange(-(-pixels // 4))
    words = philox(blocks, np.arange(population)[:, None], 0, runs[:, None, None], seed, "start")
    words = words.reshape(len(runs), population, -1)[:, :, :pixels].reshape(len(runs), population, -1, channels)
    images = np.empty(words.shape, dtype=np.uint8)
    for r, table in enumerate(tables):
        for channel in range(channels):
            images[r, ..., channel] = np.searchsorted(table[channel, :-1], words[r, ..., channel], side="right")
    return images.reshape(len(runs), population, *shape)


def breed(
    parents: Bytes,
    tables: Words,
    redraw: npt.NDArray[np.uint32],
    swap: int,
    has_crossover: bool,
    seed: int,
    generation: int,
    runs: npt.NDArray[np.uint32],
    population: int,
    rates: OperatorRates = ORIGINAL,
) -> Bytes:
    """The next children of every run: parents [R, S, H, W, C] → [R, N, H, W, C]; the parents are not modified.

    With `has_crossover` each child combines two different parents, otherwise it copies one. Then pixels are redrawn at the
    rate redraw[r]/2²⁴ from the run's table of [R, C, 256], perturbed and smoothed at `rates`, and swapped at swap/2²⁴.
    """
    shape = parents.shape[2:]
    flat = parents.reshape(*parents.shape[:2], -1)
    children = np.empty((len(runs), population, flat.shape[2]), dtype=np.uint8)
    for r, run in enumerate(runs):
        for child in range(population):
            address = (child, generation, int(run), seed)
            first, second = pair(len(flat[r]), has_crossover, address)
            children[r, child] = crossover(flat[r, first], flat[r, second], shape, rates.rectangle, address)
            mutate(children[r, child], shape, tables[r], int(redraw[r]), swap, rates, address)
    return children.reshape(len(runs), population, *shape)


def mutate(
    pixels: Bytes, shape: tuple[int, ...], table: Words, redraw: int, swap: int, rates: OperatorRates, address: Address
) -> None:
    """All mutations of a child [P] after crossover, in place; see `breed`."""
    random_reset_mutation(pixels, table, redraw, address)
    perturbation_mutation(pixels, rates.gaussian_table, rates.gaussian, "gaussian", address)
    perturbation_mutation(pixels, rates.polynomial_table, rates.polynomial, "polynomial", address)
    smoothing_mutation(pixels.reshape(shape), rates.blur, address)
    swap_mutation(pixels.reshape(-1, shape[2]), swap, address)


def pair(selected: int, has_crossover: bool, address: Address) -> tuple[int, int]:
    """The numbers of a child's two parents, different ones; twice the same without crossover or with a single parent."""
    words = philox(0, *address, "parents")
    first = int(words[0]) * selected >> 32
    if not has_crossover or selected == 1:
        return first, first
    second = int(words[1]) * (selected - 1) >> 32
    return first, second + (second >= first)


def crossover(first: Bytes, second: Bytes, shape: tuple[int, ...], rectangle: int, address: Address) -> Bytes:
    """The child [P] of two parents [P]: by a rectangle with probability rectangle/2²⁴, otherwise uniform."""
    if int(philox(0, *address, "parents")[2]) * RATE_ONE >> 32 < rectangle:
        return rectangle_crossover(first, second, shape, address)
    return uniform_crossover(first, second, address)


def rectangle_crossover(first: Bytes, second: Bytes, shape: tuple[int, ...], address: Address) -> Bytes:
    """The child [P] of two parents [P]: the first, with a rectangle of the second, its corners two random places."""
    words = [int(word) for word in philox(0, *address, "rectangle")]
    (top, bottom), (left, right) = (
        sorted(word * side >> 32 for word in pair_of) for pair_of, side in zip((words[:2], words[2:]), shape, strict=False)
    )
    child, donor = first.reshape(shape).copy(), second.reshape(shape)
    child[top : bottom + 1, left : right + 1] = donor[top : bottom + 1, left : right + 1]
    return np.asarray(child.reshape(-1), dtype=np.uint8)


def uniform_crossover(first: Bytes, second: Bytes, address: Address) -> Bytes:
    """The child [P] of two parents [P]: pixel i is the second's where bit i mod 128 of block i ÷ 128 is 1 (Syswerda 1989)."""
    words = philox(np.arange(-(-len(first) // 128)), *address, "crossover")
    bits = (words[..., None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
    return np.asarray(np.where(bits.reshape(-1)[: len(first)] == 1, second, first), dtype=np.uint8)


def is_changed(
    children: Bytes, parents: Bytes, has_crossover: bool, seed: int, generation: int, runs: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Whether each child [R, N, H, W, C] equals neither of its two parents among [R, S, H, W, C]. → [R, N]."""
    changed = np.empty(children.shape[:2], dtype=np.bool_)
    for r, run in enumerate(runs):
        for child in range(children.shape[1]):
            pair_of = parents[r, list(pair(parents.shape[1], has_crossover, (child, generation, int(run), seed)))]
            changed[r, child] = (children[r, child] != pair_of).any(axis=(1, 2, 3)).all()
    return changed


def events(places: int, threshold: int, size: int, purpose: str, address: Address) -> Iterator[tuple[int, Words]]:
    """The places, of 0 … places − 1, where an event of rate threshold/2²⁴ happens, each with its `size` random words.

    The first word of an event draws the gap before it. Words are drawn in batches: a call of `philox` costs the same for 64
    blocks as for one.
    """
    survival, at = log_survival(threshold), -1
    for first in count(0, BATCH) if survival else ():
        for words in philox(np.arange(first, first + BATCH), *address, purpose).reshape(-1, size):
            at += 1 + geometric_skip(int(words[0]), survival)
            if at >= places:
                return
            yield at, words


def random_reset_mutation(pixels: Bytes, table: npt.NDArray[np.uint64], threshold: int, address: Address) -> None:
    """Random-reset mutation in place: each pixel of [P] is redrawn from its channel's levels at the rate threshold/2²⁴."""
    channels = len(table)
    for at, words in events(len(pixels), threshold, 2, "redraw", address):
        pixels[at] = np.searchsorted(table[at % channels, :-1], words[1], side="right")


def perturbation_mutation(pixels: Bytes, table: Words, threshold: int, purpose: str, address: Address) -> None:
    """Perturbation (creep) mutation in place: each pixel of [P] at the rate threshold/2²⁴, from level v drawn from table[v]."""
    for at, words in events(len(pixels), threshold, 2, purpose, address):
        pixels[at] = np.searchsorted(table[pixels[at], :-1], words[1], side="right")


def smoothing_mutation(image: Bytes, threshold: int, address: Address) -> None:
    """Smoothing mutation in place: each place of [H, W, C] at the rate threshold/2²⁴, in raster order.

    A place becomes the mean of its 3×3 neighbourhood, weights 1 2 1, 2 4 2, 1 2 1, rounded half up, edges replicated.
    Neighbours that were smoothed before count with their new level.
    """
    height, width, _ = image.shape
    weights = np.outer([1, 2, 1], [1, 2, 1])[:, :, None]
    for at, _ in events(height * width, threshold, 1, "blur", address):
        y, x = at // width, at % width
        lines, columns = np.clip([y - 1, y, y + 1], 0, height - 1), np.clip([x - 1, x, x + 1], 0, width - 1)
        near = image[lines[:, None], columns].astype(np.int64)  # [3, 3, C]
        image[y, x] = ((near * weights).sum(axis=(0, 1)) + 8) >> 4


def swap_mutation(places: Bytes, threshold: int, address: Address) -> None:
    """Swap mutation in place: each place of [H·W, C] at the rate threshold/2²⁴; the histogram is unchanged.

    The partner is the first of three random places that differs, because a swap of equal pixels changes nothing.
    """
    for at, words in events(len(places), threshold, 4, "swap", address):
        partners = [int(word) * len(places) >> 32 for word in words[1:]]
        partner = next((p for p in partners if not np.array_equal(places[p], places[at])), partners[-1])
        places[[at, partner]] = places[[partner, at]]


def truncation_selection(costs: Floats, selected: int) -> Ints:
    """Indices of the `selected` lowest of costs [R, M] per run, best first, ties by the lower index; NaN ranks last."""
    return np.argsort(np.where(np.isnan(costs), np.inf, costs), axis=1, kind="stable")[:, :selected]
