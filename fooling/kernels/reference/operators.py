"""Breeding, the definition in NumPy: integer arithmetic on a counter-based generator, equal in every engine bit for bit.

A child comes about by crossover, then redraws, Gaussian and polynomial moves, blurs and swaps, in this order; see OPERATORS.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.mutation_tables import NO_PERTURBATIONS
from fooling.kernels.tables import PURPOSES, RATE_ONE, Bytes, Floats, Ints, geometric_skip, log_survival

Words = npt.NDArray[np.uint64]
Address = tuple[int, int, int, int]  # child, generation, run, seed


class OperatorRates(NamedTuple):
    """How often the operators act that not every search has, in units of 2⁻²⁴, and the moves that two of them draw from."""

    rectangle: int = 0  # of children, up to 2²⁴: all
    gaussian: int = 0  # of pixels
    polynomial: int = 0  # of pixels
    blur: int = 0  # of places
    gaussian_moves: Words = NO_PERTURBATIONS  # [256, 256], see `moves.gaussian_moves`
    polynomial_moves: Words = NO_PERTURBATIONS  # [256, 256], see `moves.polynomial_moves`


ORIGINAL = OperatorRates()  # none of them


# --- random words ---------------------------------------------------------------------------------------------------
def philox(block: Any, child: Any, generation: Any, run: Any, seed: int, purpose: str) -> npt.NDArray[np.uint64]:
    """Four random words of 32 bits, as uint64 [..., 4], at an address; the arguments broadcast.

    Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Counter = (block, purpose·2²⁸ + child,
    generation, run), key = the 64-bit seed: any word can be had without drawing the ones before it.
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


# --- breeding -------------------------------------------------------------------------------------------------------
def start(tables: Words, seed: int, runs: npt.NDArray[np.uint32], population: int, shape: tuple[int, int, int]) -> Bytes:
    """The first population: every pixel drawn from its run's and channel's grey levels, [R, C, 256] → [R, N, H, W, C]."""
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
    mixing: bool,
    seed: int,
    generation: int,
    runs: npt.NDArray[np.uint32],
    population: int,
    rates: OperatorRates = ORIGINAL,
) -> Bytes:
    """The next children of every run: parents [R, S, H, W, C] → [R, N, H, W, C]; the parents are left untouched.

    Each child takes two different parents and each pixel from either (`mixing`; else it is a copy of the first), then
    pixels are redrawn at the rate redraw[r]/2²⁴ from the run's table of [R, C, 256] and moved, places blurred, at last places
    are swapped at the rate swap/2²⁴.
    """
    shape = parents.shape[2:]
    flat = parents.reshape(*parents.shape[:2], -1)
    children = np.empty((len(runs), population, flat.shape[2]), dtype=np.uint8)
    for r, run in enumerate(runs):
        for child in range(population):
            address = (child, generation, int(run), seed)
            first, second = pair(len(flat[r]), mixing, address)
            children[r, child] = crossover(flat[r, first], flat[r, second], shape, rates.rectangle, address)
            mutate(children[r, child], shape, tables[r], int(redraw[r]), swap, rates, address)
    return children.reshape(len(runs), population, *shape)


def mutate(
    pixels: Bytes, shape: tuple[int, ...], table: Words, redraw: int, swap: int, rates: OperatorRates, address: Address
) -> None:
    """Everything that happens to a child [P] after crossover, in place; see `breed`."""
    random_reset_mutation(pixels, table, redraw, address)
    perturbation_mutation(pixels, rates.gaussian_moves, rates.gaussian, "gaussian", address)
    perturbation_mutation(pixels, rates.polynomial_moves, rates.polynomial, "polynomial", address)
    smoothing_mutation(pixels.reshape(shape), rates.blur, address)
    swap_mutation(pixels.reshape(-1, shape[2]), swap, address)


def pair(selected: int, mixing: bool, address: Address) -> tuple[int, int]:
    """The two parents of a child, different ones; twice the same where there is no crossover (not `mixing`, or one parent)."""
    words = philox(0, *address, "parents")
    first = int(words[0]) * selected >> 32
    if not mixing or selected == 1:
        return first, first
    second = int(words[1]) * (selected - 1) >> 32
    return first, second + (second >= first)


def crossover(first: Bytes, second: Bytes, shape: tuple[int, ...], rectangle: int, address: Address) -> Bytes:
    """The child [P] of two parents [P], by rectangles in the share rectangle/2²⁴ of the children."""
    if int(philox(0, *address, "parents")[2]) * RATE_ONE >> 32 < rectangle:
        return rectangle_crossover(first, second, shape, address)
    return uniform_crossover(first, second, address)


def rectangle_crossover(first: Bytes, second: Bytes, shape: tuple[int, ...], address: Address) -> Bytes:
    """The child [P] of two parents [P]: the first, with one rectangle, its corners random places, of the second."""
    words = [int(word) for word in philox(0, *address, "rectangle")]
    (top, bottom), (left, right) = (
        sorted(word * side >> 32 for word in two) for two, side in zip((words[:2], words[2:]), shape, strict=False)
    )
    child, giver = first.reshape(shape).copy(), second.reshape(shape)
    child[top : bottom + 1, left : right + 1] = giver[top : bottom + 1, left : right + 1]
    return np.asarray(child.reshape(-1), dtype=np.uint8)


def uniform_crossover(first: Bytes, second: Bytes, address: Address) -> Bytes:
    """The child [P] of two parents [P]; pixel i is of the second where bit i mod 128 of block i ÷ 128 is 1."""
    words = philox(np.arange(-(-len(first) // 128)), *address, "crossover")
    bits = (words[..., None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
    return np.asarray(np.where(bits.reshape(-1)[: len(first)] == 1, second, first), dtype=np.uint8)


def is_changed(
    children: Bytes, parents: Bytes, mixing: bool, seed: int, generation: int, runs: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Whether each child [R, N, H, W, C] equals neither of its two parents among [R, S, H, W, C]. → [R, N]."""
    found = np.empty(children.shape[:2], dtype=np.bool_)
    for r, run in enumerate(runs):
        for child in range(children.shape[1]):
            two = parents[r, list(pair(parents.shape[1], mixing, (child, generation, int(run), seed)))]
            found[r, child] = (children[r, child] != two).any(axis=(1, 2, 3)).all()
    return found


def random_reset_mutation(pixels: Bytes, table: npt.NDArray[np.uint64], threshold: int, address: Address) -> None:
    """Redraws pixels [P] from the grey levels of their channel, in place, each at the rate threshold/2²⁴."""
    divisor = log_survival(threshold)
    channels = len(table)
    at, event = -1, 0
    while divisor:
        words = philox(event // 2, *address, "redraw")[2 * (event % 2) :]
        at += 1 + geometric_skip(int(words[0]), divisor)
        if at >= len(pixels):
            return
        pixels[at] = np.searchsorted(table[at % channels, :-1], words[1], side="right")
        event += 1


def perturbation_mutation(pixels: Bytes, moves: Words, threshold: int, purpose: str, address: Address) -> None:
    """Moves pixels [P] to other grey levels, in place, each at the rate threshold/2²⁴: from level v as moves[v] says."""
    divisor = log_survival(threshold)
    at, event = -1, 0
    while divisor:
        words = philox(event // 2, *address, purpose)[2 * (event % 2) :]
        at += 1 + geometric_skip(int(words[0]), divisor)
        if at >= len(pixels):
            return
        pixels[at] = np.searchsorted(moves[pixels[at], :-1], words[1], side="right")
        event += 1


def smoothing_mutation(image: Bytes, threshold: int, address: Address) -> None:
    """Blurs places of an image [H, W, C], in place, each at the rate threshold/2²⁴, in the order of the lines.

    A place becomes the mean of itself and its neighbours, weights 1 2 1, 2 4 2, 1 2 1, rounded half up; for one outside of the
    image stands the nearest within. A neighbour that was blurred before counts as it is then.
    """
    height, width, _ = image.shape
    weights = np.outer([1, 2, 1], [1, 2, 1])[:, :, None]
    divisor = log_survival(threshold)
    at, event = -1, 0
    while divisor:
        at += 1 + geometric_skip(int(philox(event // 4, *address, "blur")[event % 4]), divisor)
        if at >= height * width:
            return
        y, x = at // width, at % width
        lines, columns = np.clip([y - 1, y, y + 1], 0, height - 1), np.clip([x - 1, x, x + 1], 0, width - 1)
        near = image[lines[:, None], columns].astype(np.int64)  # [3, 3, C]
        image[y, x] = ((near * weights).sum(axis=(0, 1)) + 8) >> 4
        event += 1


def swap_mutation(places: Bytes, threshold: int, address: Address) -> None:
    """Swaps places [H·W, C] with others, in place, each at the rate threshold/2²⁴; the histogram stays what it is.

    The partner is the first of three random places that differs, because a swap of equal pixels changes nothing.
    """
    divisor = log_survival(threshold)
    at, event = -1, 0
    while divisor:
        words = philox(event, *address, "swap")
        at += 1 + geometric_skip(int(words[0]), divisor)
        if at >= len(places):
            return
        partners = [int(word) * len(places) >> 32 for word in words[1:]]
        partner = next((p for p in partners if not np.array_equal(places[p], places[at])), partners[-1])
        places[[at, partner]] = places[[partner, at]]
        event += 1


def truncation_selection(costs: Floats, selected: int) -> Ints:
    """The `selected` lowest of costs [R, M] per run, best first, ties by the lower index; not a number counts as worst."""
    return np.argsort(np.where(np.isnan(costs), np.inf, costs), axis=1, kind="stable")[:, :selected]


class Operator(NamedTuple):
    """A way of making children, and the settings of the group `search` that it obeys."""

    function: Callable[..., Any]
    setting: str  # how often
    on: tuple[str, ...]  # each word alone switches it on, at another rate
    off: tuple[str, ...]  # together they switch it off
    meaning: str


# In the order in which they act on a child. Tests, documentation and benchmarks/operators.py walk this table.
OPERATORS: dict[str, Operator] = {
    "uniform crossover": Operator(
        uniform_crossover,
        "crossover",
        ("crossover=uniform",),
        ("crossover=none",),
        "each pixel from either of two parents",
    ),
    "rectangle crossover": Operator(
        rectangle_crossover,
        "rectangles",
        ("rectangles=0.5", "rectangles=1"),
        ("rectangles=0",),
        "a rectangle from one parent, the rest from the other",
    ),
    "redraw": Operator(
        random_reset_mutation,
        "mutate_factor",
        ("mutate_factor=1", "mutate_factor=10", "min_rate=0.001"),
        ("mutate_factor=0", "min_rate=0"),
        "a pixel is drawn anew from the class's grey levels",
    ),
    "gaussian": Operator(
        perturbation_mutation,
        "gaussians",
        ("gaussians=0.5", "gaussians=2"),
        ("gaussians=0",),
        "a pixel gets normal noise, rounded",
    ),
    "polynomial": Operator(
        perturbation_mutation,
        "polynomials",
        ("polynomials=0.5", "polynomials=2"),
        ("polynomials=0",),
        "a pixel moves by the polynomial distribution, which knows the bounds",
    ),
    "blur": Operator(
        smoothing_mutation,
        "blurs",
        ("blurs=0.1", "blurs=1"),
        ("blurs=0",),
        "a place becomes the mean of its 3×3 neighbourhood",
    ),
    "swap": Operator(
        swap_mutation,
        "swaps",
        ("swaps=2", "swaps=0.5"),
        ("swaps=0",),
        "two places are exchanged, which keeps the histogram",
    ),
}
