"""Statistics fitted to a data set."""

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, refuse_empty_classes
from fooling.eigen import EigenImages, arguments, fit_eigen, most_components
from fooling.kernels import reference
from fooling.kernels.reference_eigen import eigen_distances
from fooling.kernels.reference_regional import regional_counts, regional_wanted
from fooling.kernels.tables import LEVELS, bin_of_level
from fooling.statistics import Statistics

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

CHUNK = 4096  # images measured at a time: bounds the memory


def fit(
    data: ImageSet, bins: int = 10, lags: int = 14, components: int = 40, grid: int = 4, reach: int = 4, exemplars: int = 300
) -> Statistics:
    """Statistics of every class of `data`: 1 ≤ bins ≤ 256; lags 1…lags, at most the shorter side − 1.

    `components` eigen-images, at most those that the smallest class has; grid × grid regions with lags
    1…reach; `exemplars` of each class, evenly spaced among its images, at most those of the smallest class.
    """
    shape = data.images.shape[1:]
    lags = min(lags, min(shape[:2]) - 1)
    count = refuse_empty_classes(data)
    levels, sums, regional = measure(data, lags, grid, reach)
    levels /= levels.sum(axis=2, keepdims=True)
    means = sums / count[:, None, None, None] / reference.pair_counts(shape, lags)
    histogram = np.zeros((*levels.shape[:2], bins))
    np.add.at(np.moveaxis(histogram, 2, 0), bin_of_level(bins), np.moveaxis(levels, 2, 0))
    regional = (regional / count[:, None, None] / regional_counts(shape, grid, reach)).reshape(
        *levels.shape[:2], -1, 1 + 2 * reach
    )
    components = min(components, *(most_components(int(number), int(np.prod(shape))) for number in count))
    eigen = [fit_eigen(data.images[data.labels == k], components) for k in range(len(data.classes))]
    chosen = [choose(data, k, min(exemplars, int(count.min()))) for k in range(len(data.classes))]
    of_exemplars = [describe(images, lags, grid, regional[k], eigen[k]) for k, images in enumerate(chosen)]
    return Statistics(
        labels=np.array(data.classes, dtype=np.str_),
        shape=np.array(shape, dtype=np.int64),
        count=count,
        levels=levels,
        histogram=histogram,
        variogram_x=np.ascontiguousarray(means[:, :, 0]),
        variogram_y=np.ascontiguousarray(means[:, :, 1]),
        mean=np.stack([one.mean for one in eigen]),
        eigen=np.stack([one.images for one in eigen]),
        variance=np.stack([one.variance for one in eigen]),
        residual=np.array([one.residual for one in eigen]),
        grid=np.array(grid, dtype=np.int64),
        regional=regional,
        **{f"exemplar_{name}": np.stack([one[name] for one in of_exemplars]) for name in of_exemplars[0]},
    )


def measure(data: ImageSet, lags: int, grid: int, reach: int) -> tuple[Doubles, Doubles, Doubles]:
    """Sums over each class's images; exact integers.

    Pixels per grey level [K, C, 256], differences [K, C, 2, lags], and those of regions [K, C, regions·(1 + 2·reach)].
    """
    from fooling.kernels import numba_
    from fooling.kernels.numba_regional import regional_parts

    classes, channels = len(data.classes), data.images.shape[3]
    levels, sums = np.zeros((classes, channels, LEVELS)), np.zeros((classes, channels, 2, lags))
    regional = np.zeros((classes, channels, len(regional_counts(data.images.shape[1:], grid, reach))))
    identity = np.arange(LEVELS, dtype=np.uint8)
    for i in range(0, len(data.images), CHUNK):
        images, labels = np.ascontiguousarray(data.images[i : i + CHUNK]), data.labels[i : i + CHUNK]
        np.add.at(levels, labels, numba_.histogram_counts(images, identity))
        np.add.at(sums, labels, numba_.variogram_sums(images, lags))
        np.add.at(regional, labels, regional_parts(images, grid, reach))
    return levels, sums, regional


def choose(data: ImageSet, digit: int, number: int) -> Bytes:
    """So many of a class's images, evenly spaced among them."""
    own = np.flatnonzero(data.labels == digit)
    return np.ascontiguousarray(data.images[own[np.linspace(0, len(own) - 1, number).round().astype(np.int64)]])


def describe(images: Bytes, lags: int, grid: int, regional: Doubles, eigen: EigenImages) -> dict[str, npt.NDArray[np.generic]]:
    """What is kept of a class's exemplars; `regional` [C, regions, 1 + 2·reach] and `eigen` are the class's."""
    from fooling.kernels import numba_
    from fooling.kernels.numba_eigen import eigen_parts

    weights, centre, mean, variance, residual, _ = arguments(eigen, 0.0)
    which = np.zeros(len(images), dtype=np.int64)
    return {
        "levels": numba_.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8)).astype(np.int32),
        "sums": numba_.variogram_sums(images, lags).astype(np.int32),
        "regional": numba_.PENALTIES["regional"](images, which, grid, regional_wanted(regional)).astype(np.float64),
        "eigen": np.stack(eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual), axis=1),
    }
