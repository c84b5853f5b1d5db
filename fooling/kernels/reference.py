"""What happens to pixels: the definition, in NumPy. Every fast engine is compared with it.

Images are uint8 [N, H, W, C]. *Breeding* is integer arithmetic on a counter-based generator, equal in every engine bit for
bit. *Scoring* has integer parts (difference sums, histogram counts) that are equal everywhere; what follows is one
fixed-order computation per image, so that no score depends on the batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.arrays import Bytes as Bytes
from fooling.kernels.arrays import Doubles as Doubles
from fooling.kernels.arrays import Floats as Floats
from fooling.kernels.arrays import Ints as Ints
from fooling.kernels.arrays import Wanted
from fooling.kernels.reference_eigen import eigen_term
from fooling.kernels.reference_network import network_scores as network_scores
from fooling.kernels.reference_network import network_sums as network_sums
from fooling.kernels.reference_regional import region_count, regional_counts, regional_parts
from fooling.kernels.tables import PURPOSES, gap, gap_divisor

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


def start(
    tables: npt.NDArray[np.uint64], seed: int, runs: npt.NDArray[np.uint32], population: int, shape: tuple[int, int, int]
) -> Bytes:
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
    tables: npt.NDArray[np.uint64],
    redraw: npt.NDArray[np.uint32],
    swap: int,
    mixing: bool,
    seed: int,
    generation: int,
    runs: npt.NDArray[np.uint32],
    population: int,
) -> Bytes:
    """The next children of every run: parents [R, S, H, W, C] → [R, N, H, W, C]; the parents are left untouched.

    Each child takes two different parents and each pixel from either (`mixing`; else it is a copy of the first), then
    pixels are redrawn at the rate redraw[r]/2²⁴ from the run's table of [R, C, 256], then places swapped at swap/2²⁴.
    """
    shape = parents.shape[2:]
    flat = parents.reshape(*parents.shape[:2], -1)
    children = np.empty((len(runs), population, flat.shape[2]), dtype=np.uint8)
    for r, run in enumerate(runs):
        for child in range(population):
            address = (child, generation, int(run), seed)
            pixels = uniform_crossover(flat[r], address, mixing)
            redraw_pixels(pixels, tables[r], int(redraw[r]), address)
            swap_places(pixels.reshape(-1, shape[2]), swap, address)
            children[r, child] = pixels
    return children.reshape(len(runs), population, *shape)


Address = tuple[int, int, int, int]  # child, generation, run, seed


def pair(selected: int, mixing: bool, address: Address) -> tuple[int, int]:
    """The two parents of a child, different ones; twice the same where there is no crossover (not `mixing`, or one parent)."""
    words = philox(0, *address, "parents")
    first = int(words[0]) * selected >> 32
    if not mixing or selected == 1:
        return first, first
    second = int(words[1]) * (selected - 1) >> 32
    return first, second + (second >= first)


def uniform_crossover(parents: Bytes, address: Address, mixing: bool) -> Bytes:
    """One child of two different parents of [S, P]; pixel i is of the second where bit i mod 128 of block i ÷ 128 is 1."""
    pixels = parents.shape[1]
    first, second = pair(len(parents), mixing, address)
    words = philox(np.arange(-(-pixels // 128)), *address, "crossover")
    bits = (words[..., None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
    return np.asarray(np.where(bits.reshape(-1)[:pixels] == 1, parents[second], parents[first]), dtype=np.uint8)


def fresh(
    children: Bytes, parents: Bytes, mixing: bool, seed: int, generation: int, runs: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Whether each child [R, N, H, W, C] equals neither of its two parents among [R, S, H, W, C]. → [R, N]."""
    found = np.empty(children.shape[:2], dtype=np.bool_)
    for r, run in enumerate(runs):
        for child in range(children.shape[1]):
            two = parents[r, list(pair(parents.shape[1], mixing, (child, generation, int(run), seed)))]
            found[r, child] = (children[r, child] != two).any(axis=(1, 2, 3)).all()
    return found


def redraw_pixels(pixels: Bytes, table: npt.NDArray[np.uint64], threshold: int, address: Address) -> None:
    """Redraws pixels [P] from the grey levels of their channel, in place, each at the rate threshold/2²⁴."""
    divisor = gap_divisor(threshold)
    channels = len(table)
    at, event = -1, 0
    while divisor:
        words = philox(event // 2, *address, "redraw")[2 * (event % 2) :]
        at += 1 + gap(int(words[0]), divisor)
        if at >= len(pixels):
            return
        pixels[at] = np.searchsorted(table[at % channels, :-1], words[1], side="right")
        event += 1


def swap_places(places: Bytes, threshold: int, address: Address) -> None:
    """Swaps places [H·W, C] with others, in place, each at the rate threshold/2²⁴; the histogram stays what it is.

    The partner is the first of three random places that differs, because a swap of equal pixels changes nothing.
    """
    divisor = gap_divisor(threshold)
    at, event = -1, 0
    while divisor:
        words = philox(event, *address, "swap")
        at += 1 + gap(int(words[0]), divisor)
        if at >= len(places):
            return
        partners = [int(word) * len(places) >> 32 for word in words[1:]]
        partner = next((p for p in partners if not np.array_equal(places[p], places[at])), partners[-1])
        places[[at, partner]] = places[[partner, at]]
        event += 1


def select(costs: Floats, selected: int) -> Ints:
    """The `selected` lowest of costs [R, M] per run, best first, ties by the lower index; not a number counts as worst."""
    return np.argsort(np.where(np.isnan(costs), np.inf, costs), axis=1, kind="stable")[:, :selected]


# --- scoring: integer parts -----------------------------------------------------------------------------------------


def histogram_counts(images: Bytes, bins: Bytes) -> Ints:
    """Pixels per bin and channel, [N, H, W, C] → [N, C, B]; `bins` is the bin of each grey level, [256]."""
    binned = np.moveaxis(bins[images], 3, 1).reshape(images.shape[0], images.shape[3], 1, -1)
    return np.asarray(np.sum(binned == np.arange(int(bins.max()) + 1)[:, None], axis=-1, dtype=np.int64))


def variogram_sums(images: Bytes, lags: int) -> Ints:
    """Sums of |I(p) − I(p + k)| for k = 1…lags, [N, H, W, C] → [N, C, 2, lags]; axis 2: x (along rows), y (along columns)."""
    grey = images.astype(np.int64)
    x = [np.abs(grey[:, :, k:] - grey[:, :, :-k]).sum(axis=(1, 2)) for k in range(1, lags + 1)]
    y = [np.abs(grey[:, k:] - grey[:, :-k]).sum(axis=(1, 2)) for k in range(1, lags + 1)]
    return np.stack([np.stack(x, axis=-1), np.stack(y, axis=-1)], axis=2)


def variogram_sums_lag1(images: Bytes, lags: int) -> Ints:
    """Quirk 1 of the 2015 program: for every k the lag-1 differences over the first cols − k columns (rows − k rows)."""
    grey = images.astype(np.int64)
    height, width = grey.shape[1:3]
    right, down = np.abs(grey[:, :, 1:] - grey[:, :, :-1]), np.abs(grey[:, 1:] - grey[:, :-1])
    x = [right[:, :, : width - k].sum(axis=(1, 2)) for k in range(1, lags + 1)]
    y = [down[:, : height - k].sum(axis=(1, 2)) for k in range(1, lags + 1)]
    return np.stack([np.stack(x, axis=-1), np.stack(y, axis=-1)], axis=2)


def pair_counts(shape: tuple[int, ...], lags: int) -> Doubles:
    """255 × the number of pixel pairs per lag, [2, lags]: what turns a sum of differences into a mean on [0, 1]."""
    height, width = shape[:2]
    k = np.arange(1, lags + 1)
    return np.stack([255.0 * height * (width - k), 255.0 * (height - k) * width])


# --- scoring: terms -------------------------------------------------------------------------------------------------


def histogram_term(images: Bytes, which: Ints, bins: Bytes, wanted: Wanted) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels; the targets [T, C, B] are shares. → [N], 0 is ideal."""
    size = wanted.targets.shape[2]
    return distance(
        histogram_counts(images, bins), np.full(size, float(images.shape[1] * images.shape[2])), which, wanted, size
    )


def variogram_term(images: Bytes, which: Ints, wanted: Wanted, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels; targets [T, C, 2·L]. → [N]."""
    lags = wanted.targets.shape[2] // 2
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    parts = sums.reshape(*sums.shape[:2], 2 * lags)
    return distance(parts, pair_counts(images.shape[1:], lags).reshape(-1), which, wanted, lags)


def regional_term(images: Bytes, which: Ints, grid: int, wanted: Wanted) -> Floats:
    """Regional term: mean over the regions of |mean − wanted mean| + (1/L)·Σ|g − ĝ|, mean over channels. → [N].

    The regions are those of a grid × grid; a pair of pixels is of the region of its first. Targets [T, C, regions·(1 + 2·L)];
    their weights hold the 1/L.
    """
    regions = region_count(images.shape[1:], grid)
    reach = (wanted.targets.shape[2] // regions - 1) // 2
    parts = regional_parts(images, grid, reach)
    return distance(parts, regional_counts(images.shape[1:], grid, reach), which, wanted, regions)


def distance(parts: Ints, divisors: Doubles, which: Ints, wanted: Wanted, scale: int) -> Floats:
    """Σ weight·|part/divisor − target| ÷ scale, mean over channels, above what is free: [N, C, M] → [N].

    `which` [N] is the number of each image's target; of a single one, every image's. One after the other: a fixed order,
    fixed bits.
    """
    targets = wanted.targets[which if len(wanted.targets) > 1 else np.zeros_like(which)]
    apart, total = np.abs(parts / divisors - targets) * wanted.weights, np.zeros(len(parts))
    for channel in range(parts.shape[1]):
        for part in range(parts.shape[2]):
            total += apart[:, channel, part]
    term = np.asarray(total / parts.shape[1], dtype=np.float32) / np.float32(scale)
    return np.maximum(term.astype(np.float64) - wanted.free, 0).astype(np.float32)


def target_term(scores: Floats, wanted: int, free: float = 0.0) -> Floats:
    """The 2015 target term, Σ|output − wanted output| with a one-hot wanted output: scores [N, K] → [N].

    Only what is above `free` counts.
    """
    total = np.zeros(len(scores))
    for k in range(scores.shape[1]):
        total += np.abs(scores[:, k].astype(np.float64) - float(k == wanted))
    return np.maximum(total - free, 0).astype(np.float32)


def weighted_sum(terms: Floats, weights: Doubles) -> Floats:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    total = np.zeros(len(terms))
    for t, weight in enumerate(weights):
        total += weight * terms[:, t].astype(np.float64)
    with np.errstate(over="ignore"):  # the loop refuses costs that are not finite
        return total.astype(np.float32)


# A penalty looks at the images alone: (images, which target is each image's, *its arguments) → float32 [N]. Engines, tests
# and errors walk this table.
PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}
