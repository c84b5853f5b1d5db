"""Penalties and costs, the definition in NumPy.

Images are uint8 [N, H, W, C]. The sufficient statistics (counts, sums of differences, projections) are integers, equal in every
engine. Terms are one fixed-order computation per image from them, so that no score depends on the batch.
"""

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import ANY, Bytes, Doubles, Floats, Ints, TermTarget

Weights = npt.NDArray[np.int32]
PROJECTION_UNIT, ENERGY_UNIT = 1 / (256 * 4096 * 255), 1 / (256 * 255) ** 2  # of the parts, pixels scaled to [0, 1]


def eigen_parts(images: Bytes, weights: Weights, centre: Ints, mean: Weights) -> Ints:
    """Projections on the principal components and energy about the mean: [N, H, W, C] → [N, M + 1], integers.

    `weights` [P, ≥ M] in units of 2⁻¹², `mean` [P] in units of 1/256 grey level, `centre` [M] = meanᵀ·weights.
    """
    grey = images.reshape(len(images), -1).astype(np.int64)
    sums = grey.astype(np.float64) @ weights[:, : len(centre)].astype(np.float64)  # integers below 2⁵³: exact in any order
    energy = ((256 * grey - mean) ** 2).sum(axis=1)
    return np.concatenate([256 * sums.astype(np.int64) - centre, energy[:, None]], axis=1)


def eigen_term(
    images: Bytes,
    target_index: Ints,
    weights: Weights,
    centre: Ints,
    mean: Weights,
    variance: Doubles,
    residual: float,
    margin: float,
) -> Floats:
    """Principal-component (eigen) term: (1/M)·Σ p²/variance, plus the energy outside the M components ÷ `residual`. → [N].

    These are the distances in and from the feature space of Moghaddam & Pentland (1997): squared Mahalanobis distance ÷ M,
    and residual energy ÷ its mean over the class. Both are about 1 for images of the class; each counts above `margin`.
    """
    del target_index
    near, outside = eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual)
    return np.asarray(np.maximum(near - margin, 0) + np.maximum(outside - margin, 0), dtype=np.float32)


def eigen_distances(parts: Ints, variance: Doubles, residual: float) -> tuple[Doubles, Doubles]:
    """Both parts of the term from projections and energy [N, M + 1], in a fixed order, pixels scaled to [0, 1]."""
    near, outside = np.zeros(len(parts)), parts[:, -1] * ENERGY_UNIT
    for k in range(len(variance)):
        square = (parts[:, k] * PROJECTION_UNIT) ** 2
        near, outside = near + square / variance[k], outside - square
    return near / max(1, len(variance)), np.maximum(outside, 0) / residual


def region_count(shape: tuple[int, ...], grid: int) -> int:
    """Regions of images of this shape (H, W, C): grid², fewer on images of fewer lines or columns."""
    return min(grid, shape[0]) * min(grid, shape[1])


def regions(height: int, width: int, grid: int) -> Ints:
    """The region of each place, [H·W], numbered in raster order; sides of regions differ by at most one."""
    rows, columns = (np.arange(side) * min(grid, side) // side for side in (height, width))
    return np.asarray((rows[:, None] * min(grid, width) + columns).reshape(-1), dtype=np.int64)


def regional_parts(images: Bytes, grid: int, reach: int) -> Ints:
    """Per region the sum of levels, then sums of |I(p) − I(p + k)| for k = 1…reach along rows, then along columns.

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
    """255 × the number of pixels and of pairs of each region: divides sums into means on [0, 1]; 255 where there is none."""
    height, width = shape[:2]
    region, maps = regions(height, width, grid), np.zeros((1 + 2 * reach, height, width))
    maps[0] = 1
    for k in range(1, reach + 1):
        maps[k, :, : max(0, width - k)] = 1
        maps[reach + k, : max(0, height - k)] = 1
    counts = np.stack([np.bincount(region, weights=one.reshape(-1)) for one in maps], axis=1)
    return np.asarray(255.0 * np.maximum(counts, 1).reshape(-1))


def regional_target(means: Doubles) -> TermTarget:
    """Means [C, regions, 1 + 2·L] as a target; a region's mean has weight 1, each of its L lags and two directions 1/L."""
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
    """Sums of |I(p) − I(p + k)|, k = 1…lags, of the madogram (Matheron): [N, H, W, C] → [N, C, 2, lags]; axis 2: x, y."""
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
    """255 × the number of pixel pairs per lag, [2, lags]: divides a sum of differences into a mean on [0, 1]."""
    height, width = shape[:2]
    k = np.arange(1, lags + 1)
    return np.stack([255.0 * height * (width - k), 255.0 * (height - k) * width])


# --- scoring: terms -------------------------------------------------------------------------------------------------
def histogram_term(images: Bytes, target_index: Ints, bins: Bytes, target: TermTarget) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels; the targets [T, C, B] are shares. → [N], 0 is ideal."""
    size = target.targets.shape[2]
    return weighted_l1(
        histogram_counts(images, bins), np.full(size, float(images.shape[1] * images.shape[2])), target_index, target, size
    )


def variogram_term(images: Bytes, target_index: Ints, target: TermTarget, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ|g − ĝ| over lags and both directions, mean over channels; targets [T, C, 2·L]. → [N].

    g(k) is the mean of |I(p) − I(p + k)|, the variogram of order 1, known as madogram."""
    lags = target.targets.shape[2] // 2
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    parts = sums.reshape(*sums.shape[:2], 2 * lags)
    return weighted_l1(parts, pair_counts(images.shape[1:], lags).reshape(-1), target_index, target, lags)


def regional_term(images: Bytes, target_index: Ints, grid: int, target: TermTarget) -> Floats:
    """Regional term: mean over regions of |mean − target mean| + (1/L)·Σ|g − ĝ|, mean over channels. → [N].

    The regions form a grid × grid; a pair of pixels belongs to the region of its first. Targets [T, C, regions·(1 + 2·L)];
    their weights contain the 1/L.
    """
    regions = region_count(images.shape[1:], grid)
    reach = (target.targets.shape[2] // regions - 1) // 2
    parts = regional_parts(images, grid, reach)
    return weighted_l1(parts, regional_counts(images.shape[1:], grid, reach), target_index, target, regions)


def weighted_l1(parts: Ints, denominators: Doubles, target_index: Ints, target: TermTarget, scale: int) -> Floats:
    """Weighted L1 distance max(0, Σ weight·|part/denominator − target| ÷ scale − margin), mean over channels: [N, C, M] → [N].

    `target_index` [N] is each image's target; a single target serves all images. Summed in a fixed order: fixed bits.
    """
    targets = target.targets[target_index if len(target.targets) > 1 else np.zeros_like(target_index)]
    deviations, total = np.abs(parts / denominators - targets) * target.weights, np.zeros(len(parts))
    for channel in range(parts.shape[1]):
        for part in range(parts.shape[2]):
            total += deviations[:, channel, part]
    term = np.asarray(total / parts.shape[1], dtype=np.float32) / np.float32(scale)
    return np.maximum(term.astype(np.float64) - target.margin, 0).astype(np.float32)


def target_term(scores: Floats, target: int | Ints, margin: float = 0.0) -> Floats:
    """The 2015 target term: L1 distance of scores [N, K] from the one-hot target, above `margin`. → [N].

    With ANY the target is the class of each image's largest score, which has the least distance.
    """
    classes, total = target_classes(scores, target), np.zeros(len(scores))
    for k in range(scores.shape[1]):
        total += np.abs(scores[:, k].astype(np.float64) - (classes == k))
    return np.maximum(total - margin, 0).astype(np.float32)


def target_classes(scores: Floats, target: int | Ints) -> Ints:
    """The target class of each image: `target`, one for all or [N]; with ANY that of its largest score. Scores [N, K] → [N]."""
    if isinstance(target, int) and target == ANY:
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)
    return np.broadcast_to(np.asarray(target, dtype=np.int64), len(scores))


def confidence(scores: Floats, target: int | Ints) -> Floats:
    """The score of each image's target class, [N, K] → [N]."""
    return np.asarray(scores[np.arange(len(scores)), target_classes(scores, target)])


def weighted_sum(terms: Floats, weights: Doubles) -> Floats:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    total = np.zeros(len(terms))
    for t, weight in enumerate(weights):
        total += weight * terms[:, t].astype(np.float64)
    with np.errstate(over="ignore"):  # the search refuses costs that are not finite
        return total.astype(np.float32)
