"""What happens to pixels: the definition, in NumPy. Every fast engine is compared with it.

Images are uint8 [N, H, W, C]. *Breeding* is integer arithmetic on a counter-based generator, equal in every engine bit for
bit. *Scoring* has integer parts (difference sums, histogram counts) that are equal everywhere; what follows is one
fixed-order computation per image, so that no score depends on the batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import PURPOSES, gap, gap_divisor

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PROJECTION_UNIT, ENERGY_UNIT = 1 / (256 * 4096 * 255), 1 / (256 * 255) ** 2  # of the eigen term, pixels scaled to [0, 1]

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
    table: npt.NDArray[np.uint64], seed: int, runs: npt.NDArray[np.uint32], population: int, shape: tuple[int, int, int]
) -> Bytes:
    """The first population: every pixel drawn from its channel's grey levels, `table` [C, 256] → [R, N, H, W, C]."""
    pixels, channels = int(np.prod(shape)), shape[2]
    blocks = np.arange(-(-pixels // 4))
    words = philox(blocks, np.arange(population)[:, None], 0, runs[:, None, None], seed, "start")
    words = words.reshape(len(runs), population, -1)[:, :, :pixels].reshape(len(runs), population, -1, channels)
    images = np.empty(words.shape, dtype=np.uint8)
    for channel in range(channels):
        images[..., channel] = np.searchsorted(table[channel, :-1], words[..., channel], side="right")
    return images.reshape(len(runs), population, *shape)


def breed(
    parents: Bytes,
    table: npt.NDArray[np.uint64],
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
    pixels are redrawn at the rate redraw[r]/2²⁴, then places are swapped at the rate swap/2²⁴.
    """
    shape = parents.shape[2:]
    flat = parents.reshape(*parents.shape[:2], -1)
    children = np.empty((len(runs), population, flat.shape[2]), dtype=np.uint8)
    for r, run in enumerate(runs):
        for child in range(population):
            address = (child, generation, int(run), seed)
            pixels = uniform_crossover(flat[r], address, mixing)
            redraw_pixels(pixels, table, int(redraw[r]), address)
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


def histogram_term(images: Bytes, bins: Bytes, target: Doubles) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels; `target` [C, B] are shares. → [N], 0 is ideal."""
    shares = histogram_counts(images, bins) / float(images.shape[1] * images.shape[2])
    return in_order(np.abs(shares - target)) / np.float32(target.shape[1])


def variogram_term(images: Bytes, target: Doubles, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels; `target` [C, 2, L]. → [N]."""
    lags = target.shape[2]
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    distance = np.abs(sums / pair_counts(images.shape[1:], lags) - target)
    return in_order(distance.reshape(*distance.shape[:2], -1)) / np.float32(lags)


def eigen_parts(images: Bytes, weights: npt.NDArray[np.int32], centre: Ints, mean: npt.NDArray[np.int32]) -> Ints:
    """Projections on the eigen-images and energy about the mean: [N, H, W, C] → [N, M + 1], integers.

    `weights` [P, M] in units of 2⁻¹², `mean` [P] in units of 1/256 grey level, `centre` = meanᵀ·weights.
    """
    grey = images.reshape(len(images), -1).astype(np.int64)
    sums = grey.astype(np.float64) @ weights.astype(np.float64)  # whole numbers below 2⁵³: exact in any order
    energy = ((256 * grey - mean) ** 2).sum(axis=1)
    return np.concatenate([256 * sums.astype(np.int64) - centre, energy[:, None]], axis=1)


def eigen_term(
    images: Bytes,
    weights: npt.NDArray[np.int32],
    centre: Ints,
    mean: npt.NDArray[np.int32],
    variance: Doubles,
    residual: float,
    hinge: bool,
) -> Floats:
    """Eigen term: (1/M)·Σ p²/variance, plus the energy outside of the M eigen-images ÷ its mean `residual`. → [N].

    The first is the squared Mahalanobis distance from the class's mean, ÷ M; both are about 1 for the class's images. `hinge`:
    of each only what is above 1 counts.
    """
    return eigen_distance(eigen_parts(images, weights, centre, mean), variance, residual, hinge)


def eigen_distance(parts: Ints, variance: Doubles, residual: float, hinge: bool) -> Floats:
    """The eigen term of projections and energy [N, M + 1]; one after the other, pixels scaled to [0, 1]."""
    near, outside = np.zeros(len(parts)), parts[:, -1] * ENERGY_UNIT
    for k in range(len(variance)):
        square = (parts[:, k] * PROJECTION_UNIT) ** 2
        near, outside = near + square / variance[k], outside - square
    near, outside = near / max(1, len(variance)), np.maximum(outside, 0) / residual
    if hinge:
        near, outside = np.maximum(near - 1, 0), np.maximum(outside - 1, 0)
    return np.asarray(near + outside, dtype=np.float32)


def in_order(parts: Doubles) -> Floats:
    """Σ over the last axis, then the mean over channels, one after the other: [N, C, M] → [N]. A fixed order, fixed bits."""
    total = np.zeros(len(parts))
    for channel in range(parts.shape[1]):
        for part in range(parts.shape[2]):
            total += parts[:, channel, part]
    return np.asarray(total / parts.shape[1], dtype=np.float32)


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


# A penalty looks at the images alone: (images, *its arguments) → float32 [N]. Engines, tests and errors walk this table.
PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "eigen": eigen_term,
}

# --- the built-in network -------------------------------------------------------------------------------------------

LOG2E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
ROUND = np.float32(12582912.0)  # 1.5·2²³: adding and subtracting it rounds a float32 to an integer
EXP = tuple(np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5))


def sigmoid(z: Floats) -> Floats:
    """1/(1 + e⁻ᶻ), within 4e-7, from additions and multiplications alone: the same bits on every machine and engine.

    e^x = 2^n·e^r with |r| ≤ ln 2 / 2 and a polynomial of degree 7 in Horner form (Cephes, Moshier 1992).
    """
    x = np.minimum(np.maximum(-z, np.float32(-87.0)), np.float32(87.0))
    n = (x * LOG2E + ROUND) - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = np.full_like(r, EXP[0])
    for coefficient in EXP[1:]:
        p = p * r + coefficient
    p = (p * r) * r + r + np.float32(1.0)
    power = ((n.astype(np.int32) + 127) << 23).view(np.float32)  # 2ⁿ, by its bits
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + p * power), dtype=np.float32)


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the lattice, [N, H, W, C] × [P, M] + [M] → [N, M]: integers below 2²⁴, so exact."""
    return images.reshape(len(images), len(weights)).astype(np.float32) @ weights + bias


def network_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """The rest of the sigmoid network: lattice sums [N, M], weights [M, K], bias [K] → scores [N, K] in [0, 1]."""
    return sigmoid(network_logits(sums, scale, weights, bias))


def network_logits(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """What the scores are the sigmoid of, [N, K]: summed unit by unit."""
    hidden = sigmoid(sums * scale)
    output = np.broadcast_to(bias, (len(sums), len(bias))).copy()
    with np.errstate(over="ignore", invalid="ignore"):  # `ask` refuses scores that are not finite
        for unit in range(weights.shape[0]):
            output += hidden[:, unit : unit + 1] * weights[unit]
    return output
