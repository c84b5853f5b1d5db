"""Statistics fitted to a data set, in one pass over its images."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, ImageStream, refuse_empty_classes
from fooling.eigen import ROOM, EigenImages, arguments, eigen_of_images, eigen_of_sums, mean_image, most_components
from fooling.kernels import reference
from fooling.kernels.reference_eigen import eigen_distances
from fooling.kernels.reference_regional import regional_counts, regional_wanted
from fooling.kernels.tables import LEVELS, bin_of_level
from fooling.statistics import Statistics
from fooling.sums import Sums, add, empty_sums

Doubles = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Watch = Callable[[str, int, int], None]  # what is done, how much of it, of how much


def fit(
    data: ImageSet | ImageStream,
    bins: int = 10,
    lags: int = 14,
    components: int = 40,
    grid: int = 4,
    reach: int = 4,
    exemplars: int = 300,
    watch: Watch = lambda what, done, total: None,
) -> Statistics:
    """Statistics of every class of `data`: 1 ≤ bins ≤ 256; lags 1…lags, at most the shorter side − 1.

    `components` eigen-images, at most those that the smallest class has; grid × grid regions with lags
    1…reach; `exemplars` of each class, evenly spaced among its images, at most those of the smallest class.

    A stream is read once; what is held does not grow with the number of images. The covariance of the pixels is summed over all
    images where it has up to 2048 pixels and those of all classes take up to 1 GiB; else at most 2048 images of each class,
    evenly spaced and as many as 1 GiB holds, stand for all of them in the eigen-images (not in the mean). Exemplars are as many
    as 1 GiB holds, too.
    """
    stream = data.stream() if isinstance(data, ImageSet) else data
    shape, classes, pixels = stream.shape, len(stream.classes), int(np.prod(stream.shape))
    lags = min(lags, min(shape[:2]) - 1)
    count = refuse_empty_classes(stream)
    exemplars = min(exemplars, int(count.min()), max(1, ROOM // (classes * pixels)))
    sums = empty_sums(count, shape, lags, grid, reach, exemplars)
    for images, labels in stream:
        add(sums, images, labels)
        watch("images", int(sums.seen.sum()), len(stream.labels))
    levels = sums.levels / sums.levels.sum(axis=2, keepdims=True)
    means = sums.differences / count[:, None, None, None] / reference.pair_counts(shape, lags)
    histogram = np.zeros((*levels.shape[:2], bins))
    np.add.at(np.moveaxis(histogram, 2, 0), bin_of_level(bins), np.moveaxis(levels, 2, 0))
    regional = (sums.regional / count[:, None, None] / regional_counts(shape, grid, reach)).reshape(
        *levels.shape[:2], -1, 1 + 2 * reach
    )
    components = min(components, *(most_components(int(number), pixels, classes) for number in count))
    eigen = []
    for k in range(classes):
        watch("eigen-images of classes", k, classes)
        eigen.append(eigen_of(sums, k, components))
    of_exemplars = [describe(kept.images, lags, grid, regional[k], eigen[k]) for k, kept in enumerate(sums.exemplars)]
    return Statistics(
        labels=np.array(stream.classes, dtype=np.str_),
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


def eigen_of(sums: Sums, k: int, components: int) -> EigenImages:
    """Eigen-images of a class, from its sums or its sample."""
    number, sample = int(sums.seen[k]), sums.samples[k].images
    mean = mean_image(sums.pixels[k], number)
    if sums.pairs.size:
        return eigen_of_sums(mean, sums.pixels[k], sums.pairs[k], number, components)
    return eigen_of_images(mean, sample.reshape(len(sample), -1), components)


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
