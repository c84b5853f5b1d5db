"""What happens to pixels: the definition, in NumPy. Every fast engine is compared with it.

Images are uint8 [N, H, W, C]. *Breeding* is integer arithmetic on a counter-based generator, equal in every engine bit for
bit. *Scoring* has integer parts (difference sums, histogram counts) that are equal everywhere; what follows is one
fixed-order computation per image, so that no score depends on the batch.
"""

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import ANY, Bytes, Doubles, Floats, Ints, TermTarget

Weights = npt.NDArray[np.int32]
PROJECTION_UNIT, ENERGY_UNIT = 1 / (256 * 4096 * 255), 1 / (256 * 255) ** 2  # of the parts, pixels scaled to [0, 1]


def eigen_parts(images: Bytes, weights: Weights, centre: Ints, mean: Weights) -> Ints:
    """Projections on the eigen-images and energy about the mean: [N, H, W, C] → [N, M + 1], integers.

    `weights` [P, ≥ M] in units of 2⁻¹², `mean` [P] in units of 1/256 grey level, `centre` [M] = meanᵀ·weights.
    """
    grey = images.reshape(len(images), -1).astype(np.int64)
    sums = grey.astype(np.float64) @ weights[:, : len(centre)].astype(np.float64)  # whole numbers below 2⁵³: exact in any order
    energy = ((256 * grey - mean) ** 2).sum(axis=1)
    return np.concatenate([256 * sums.astype(np.int64) - centre, energy[:, None]], axis=1)


def eigen_term(
    images: Bytes,
    which: Ints,
    weights: Weights,
    centre: Ints,
    mean: Weights,
    variance: Doubles,
    residual: float,
    free: float,
) -> Floats:
    """Eigen term: (1/M)·Σ p²/variance, plus the energy outside of the M eigen-images ÷ its mean `residual`. → [N].

    The first is the squared Mahalanobis distance from the class's mean, ÷ M; both are about 1 for the class's images, and of
    both only what is above `free` counts. There is one target for all images.
    """
    del which
    near, outside = eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual)
    return np.asarray(np.maximum(near - free, 0) + np.maximum(outside - free, 0), dtype=np.float32)


def eigen_distances(parts: Ints, variance: Doubles, residual: float) -> tuple[Doubles, Doubles]:
    """Both parts of the term, of projections and energy [N, M + 1]; one after the other, pixels scaled to [0, 1]."""
    near, outside = np.zeros(len(parts)), parts[:, -1] * ENERGY_UNIT
    for k in range(len(variance)):
        square = (parts[:, k] * PROJECTION_UNIT) ** 2
        near, outside = near + square / variance[k], outside - square
    return near / max(1, len(variance)), np.maximum(outside, 0) / residual


def region_count(shape: tuple[int, ...], grid: int) -> int:
    """Regions of images of this shape (H, W, C): grid², fewer on images of fewer lines or columns."""
    return min(grid, shape[0]) * min(grid, shape[1])


def regions(height: int, width: int, grid: int) -> Ints:
    """The number of the region that each place lies in, [H·W]; line by line, of sizes that differ by one at most."""
    rows, columns = (np.arange(side) * min(grid, side) // side for side in (height, width))
    return np.asarray((rows[:, None] * min(grid, width) + columns).reshape(-1), dtype=np.int64)


def regional_parts(images: Bytes, grid: int, reach: int) -> Ints:
    """Of each region its sum of levels, then its sums of |I(p) − I(p + k)|, k = 1…reach, along rows, then along columns.

    [N, H, W, C] → [N, C, regions·(1 + 2·reach)]; p lies in the region, p + k anywhere in the image.
    """
    grey, (height, width, channels) = images.astype(np.int64), images.shape[1:]
    maps = np.zeros((1 + 2 * reach, *images.shape), dtype=np.int64)
    maps[0] = grey
    for k in range(1, reach + 1):
        maps[k, :, :, : max(0, width - k)] = np.abs(grey[:, :, k:] - grey[:, :, :-k])
        maps[reach + k, :, : max(0, height - k)] = np.abs(grey[:, k:] - grey[:, :-k])
    region = regions(height, width, grid)
    flat = maps.reshape(1 + 2 * reach, len(images), height * width, channels)
    parts = np.stack([flat[:, :, region == number].sum(axis=2) for number in range(region[-1] + 1)])
    return np.ascontiguousarray(parts.transpose(2, 3, 0, 1).reshape(len(images), channels, -1))


def regional_counts(shape: tuple[int, ...], grid: int, reach: int) -> Doubles:
    """255 × the number of pixels and of pairs of each region: what turns sums into means on [0, 1]; 255 where there is none."""
    height, width = shape[:2]
    region, maps = regions(height, width, grid), np.zeros((1 + 2 * reach, height, width))
    maps[0] = 1
    for k in range(1, reach + 1):
        maps[k, :, : max(0, width - k)] = 1
        maps[reach + k, : max(0, height - k)] = 1
    counts = np.stack([np.bincount(region, weights=one.reshape(-1)) for one in maps], axis=1)
    return np.asarray(255.0 * np.maximum(counts, 1).reshape(-1))


def regional_target(means: Doubles) -> TermTarget:
    """Means [C, regions, 1 + 2·L] as targets; a region's mean weighs 1, each of its L lags and two directions 1/L."""
    channels, regions, size = means.shape
    weights = np.full((channels, regions, size), 1 / max(1, (size - 1) // 2))
    weights[:, :, 0] = 1
    return TermTarget(means.reshape(1, channels, -1), weights.reshape(channels, -1), 0.0)


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
def histogram_term(images: Bytes, which: Ints, bins: Bytes, wanted: TermTarget) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels; the targets [T, C, B] are shares. → [N], 0 is ideal."""
    size = wanted.targets.shape[2]
    return distance(
        histogram_counts(images, bins), np.full(size, float(images.shape[1] * images.shape[2])), which, wanted, size
    )


def variogram_term(images: Bytes, which: Ints, wanted: TermTarget, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels; targets [T, C, 2·L]. → [N]."""
    lags = wanted.targets.shape[2] // 2
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    parts = sums.reshape(*sums.shape[:2], 2 * lags)
    return distance(parts, pair_counts(images.shape[1:], lags).reshape(-1), which, wanted, lags)


def regional_term(images: Bytes, which: Ints, grid: int, wanted: TermTarget) -> Floats:
    """Regional term: mean over the regions of |mean − wanted mean| + (1/L)·Σ|g − ĝ|, mean over channels. → [N].

    The regions are those of a grid × grid; a pair of pixels is of the region of its first. Targets [T, C, regions·(1 + 2·L)];
    their weights hold the 1/L.
    """
    regions = region_count(images.shape[1:], grid)
    reach = (wanted.targets.shape[2] // regions - 1) // 2
    parts = regional_parts(images, grid, reach)
    return distance(parts, regional_counts(images.shape[1:], grid, reach), which, wanted, regions)


def distance(parts: Ints, divisors: Doubles, which: Ints, wanted: TermTarget, scale: int) -> Floats:
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
    own, total = target_classes(scores, wanted), np.zeros(len(scores))
    for k in range(scores.shape[1]):
        total += np.abs(scores[:, k].astype(np.float64) - (own == k))
    return np.maximum(total - free, 0).astype(np.float32)


def target_classes(scores: Floats, wanted: int) -> Ints:
    """The class that each image is to get to: `wanted`, with ANY that of its largest score. Scores [N, K] → [N]."""
    return np.asarray(scores.argmax(axis=1) if wanted == ANY else np.full(len(scores), wanted), dtype=np.int64)


def confidence(scores: Floats, wanted: int) -> Floats:
    """The score of the class that each image is to get to, [N, K] → [N]."""
    return np.asarray(scores[np.arange(len(scores)), target_classes(scores, wanted)])


def weighted_sum(terms: Floats, weights: Doubles) -> Floats:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    total = np.zeros(len(terms))
    for t, weight in enumerate(weights):
        total += weight * terms[:, t].astype(np.float64)
    with np.errstate(over="ignore"):  # the loop refuses costs that are not finite
        return total.astype(np.float32)
