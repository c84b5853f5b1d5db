"""Simulated annealing, the definition in NumPy: first images, proposals, Metropolis acceptance, temperatures."""

from math import log

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference.operators import philox
from fooling.kernels.tables import LOG_ONE, Bytes, Doubles, Floats, log2_fixed

NATS = log(2) / LOG_ONE  # the unit of `log2_fixed`, in nats


def shuffle_levels(
    counts: npt.NDArray[np.int64], seed: int, runs: npt.NDArray[np.uint32], shape: tuple[int, int, int]
) -> Bytes:
    """One image per run with exactly counts [R, C, 256] pixels of each grey level, in random order. → [R, H, W, C]."""
    pixels, channels = int(np.prod(shape)), shape[2]
    words = philox(np.arange(-(-pixels // 4)), 0, 0, runs[:, None], seed, "start").reshape(len(runs), -1)[:, :pixels]
    images = np.empty((len(runs), pixels // channels, channels), dtype=np.uint8)
    for channel in range(channels):
        order = np.argsort(words[:, channel::channels], axis=1, kind="stable")
        levels = np.stack([np.repeat(np.arange(256, dtype=np.uint8), of_run[channel]) for of_run in counts])
        np.put_along_axis(images[:, :, channel], order, levels, axis=1)
    return images.reshape(len(runs), *shape)


def propose(
    images: Bytes,
    tables: npt.NDArray[np.uint64],
    swap: int,
    seed: int,
    generation: int,
    step: int,
    runs: npt.NDArray[np.uint32],
) -> Bytes:
    """One proposal per chain: images [R, H, W, C] with two places swapped, or a pixel redrawn from tables [R, C, 256].

    With probability swap/2²⁴ it is a swap, which keeps the histogram. A swap where none of five partners differs, or a redraw
    of the same level, changes nothing.
    """
    proposals = images.copy()
    words = philox(np.arange(2), step, generation, runs[:, None], seed, "propose").reshape(len(runs), 8)
    for places, table, (kind, where, _, first, *others) in zip(
        proposals.reshape(len(runs), -1, images.shape[3]), tables, words.astype(object), strict=True
    ):
        if kind >> 8 < swap:
            at = where * len(places) >> 32
            for partner in ((word * len(places)) >> 32 for word in (first, *others)):
                if not np.array_equal(places[at], places[partner]):
                    places[[at, partner]] = places[[partner, at]]
                    break
        else:
            pixel = where * places.size >> 32
            channel = pixel % places.shape[1]
            places.reshape(-1)[pixel] = np.searchsorted(table[channel, :-1], first, side="right")
    return proposals


def metropolis_accept(
    new: Floats, old: Floats, temperature: float, seed: int, generation: int, step: int, runs: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Whether each chain accepts its proposal: new costs [R] against old [R] (Metropolis et al. 1953).

    With probability min(1, exp(−Δ/temperature)), Δ = new − old: where Δ ≤ −temperature·ln u for a random u in (0, 1].
    """
    words = philox(0, step, generation, runs, seed, "propose")[:, 2]
    bounds = [temperature * (32 * LOG_ONE - log2_fixed(int(word) + 1)) * NATS for word in words]
    return np.asarray(new.astype(np.float64) - old.astype(np.float64) <= bounds)


def temperatures(start: float, cooling: float, generation: int, last: int, proposals: int) -> Doubles:
    """Temperatures of a generation's proposals, start·(1 − progress)^cooling, the chain's progress in [0, 1). → [proposals]."""
    progress = ((generation - 1) * proposals + np.arange(proposals)) / (last * proposals)
    return np.asarray(start * (1 - progress) ** cooling, dtype=np.float64)
