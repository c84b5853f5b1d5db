"""What happens to pixels: the definition, in NumPy. Every fast engine is compared with it.

Images are uint8 [N, H, W, C]. *Breeding* is integer arithmetic on a counter-based generator, equal in every engine bit for
bit. *Scoring* has integer parts (difference sums, histogram counts) that are equal everywhere; what follows is one
fixed-order computation per image, so that no score depends on the batch.
"""

from collections.abc import Callable

import numpy as np

from fooling.kernels.arrays import ANY as ANY
from fooling.kernels.arrays import Bytes as Bytes
from fooling.kernels.arrays import Doubles as Doubles
from fooling.kernels.arrays import Floats as Floats
from fooling.kernels.arrays import Ints as Ints
from fooling.kernels.arrays import Wanted
from fooling.kernels.reference_breeding import OPERATORS as OPERATORS  # breeding is part of the definition
from fooling.kernels.reference_breeding import Rates as Rates
from fooling.kernels.reference_breeding import breed as breed
from fooling.kernels.reference_breeding import fresh as fresh
from fooling.kernels.reference_breeding import philox as philox
from fooling.kernels.reference_breeding import philox_rounds as philox_rounds
from fooling.kernels.reference_breeding import select as select
from fooling.kernels.reference_breeding import start as start
from fooling.kernels.reference_eigen import eigen_term
from fooling.kernels.reference_network import dense_logits as dense_logits
from fooling.kernels.reference_network import dense_scores as dense_scores
from fooling.kernels.reference_network import network_logits as network_logits
from fooling.kernels.reference_network import network_scores as network_scores
from fooling.kernels.reference_network import network_sums as network_sums
from fooling.kernels.reference_regional import region_count, regional_counts, regional_parts

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

    Only what is above `free` counts. With ANY the least over the wanted classes, which is that of the largest score.
    """
    own, total = wanted_classes(scores, wanted), np.zeros(len(scores))
    for k in range(scores.shape[1]):
        total += np.abs(scores[:, k].astype(np.float64) - (own == k))
    return np.maximum(total - free, 0).astype(np.float32)


def wanted_classes(scores: Floats, wanted: int) -> Ints:
    """The class that each image is to get to: `wanted`, with ANY that of its largest score. Scores [N, K] → [N]."""
    return np.asarray(scores.argmax(axis=1) if wanted == ANY else np.full(len(scores), wanted), dtype=np.int64)


def confidence(scores: Floats, wanted: int) -> Floats:
    """The score of the class that each image is to get to, [N, K] → [N]."""
    return np.asarray(scores[np.arange(len(scores)), wanted_classes(scores, wanted)])


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
