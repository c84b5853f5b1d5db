"""What the regional term is made of: the definition, in NumPy."""

import numpy as np

from fooling.kernels.arrays import Bytes, Doubles, Ints, Wanted


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


def regional_wanted(means: Doubles) -> Wanted:
    """Means [C, regions, 1 + 2·L] as targets; a region's mean weighs 1, each of its L lags and two directions 1/L."""
    channels, regions, size = means.shape
    weights = np.full((channels, regions, size), 1 / max(1, (size - 1) // 2))
    weights[:, :, 0] = 1
    return Wanted(means.reshape(1, channels, -1), weights.reshape(channels, -1), 0.0)
