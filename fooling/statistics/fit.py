"""Sums over the images of each class, taken as the images pass: what statistics are made of, in memory that does not grow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, ImageStream, refuse_empty_classes
from fooling.kernels import numba
from fooling.kernels.numba.pca import eigen_parts
from fooling.kernels.reference.penalties import eigen_distances, pair_counts, regional_counts, regional_target
from fooling.kernels.tables import LEVELS, Bytes, Doubles, Ints, bin_of_level
from fooling.statistics import Statistics
from fooling.statistics.pca import (
    ROOM,
    PrincipalComponents,
    arguments,
    components_of_images,
    components_of_sums,
    mean_image,
    most_components,
    products,
    sample_size,
    sampling_stride,
)


class Exemplars(NamedTuple):
    """Images of a class that are kept: which of it, in rising order [E], and the images themselves [E, H, W, C]."""

    places: Ints
    images: Bytes


@dataclass(frozen=True)
class Accumulators:
    """Added to in place. All are integers, and exact: they do not depend on the order or the size of the pieces."""

    seen: Ints  # [K], images that have passed
    levels: Doubles  # [K, C, 256], pixels of each grey level
    differences: Doubles  # [K, C, 2, L], Σ |I(p) − I(p + k)|
    regional: Doubles  # [K, C, regions·(1 + 2·reach)], see `regional_parts`
    pixels: Ints  # [K, P]
    pairs: Doubles  # [K, P, P], products of two pixels; [K, 0, 0] where a sample stands for the images
    samples: list[Exemplars]  # K; none where there are `pairs`
    exemplars: list[Exemplars]  # K
    grid: int  # regions a side
    reach: int  # largest lag within a region


def empty_sums(count: Ints, shape: tuple[int, int, int], lags: int, grid: int, reach: int, exemplars: int) -> Accumulators:
    """Before the first image of classes with `count` [K] images of this shape (H, W, C), none below `exemplars`."""
    classes, pixels, channels = len(count), int(np.prod(shape)), shape[2]
    is_sampled = sample_size(pixels, classes) is not None
    side = 0 if is_sampled else pixels
    return Accumulators(
        seen=np.zeros(classes, dtype=np.int64),
        levels=np.zeros((classes, channels, LEVELS)),
        differences=np.zeros((classes, channels, 2, lags)),
        regional=np.zeros((classes, channels, len(regional_counts(shape, grid, reach)))),
        pixels=np.zeros((classes, pixels), dtype=np.int64),
        pairs=np.zeros((classes, side, side)),
        samples=[
            allocate(np.arange(0, n if is_sampled else 0, sampling_stride(n, pixels, classes)), shape) for n in map(int, count)
        ],
        exemplars=[allocate(np.linspace(0, n - 1, exemplars).round().astype(np.int64), shape) for n in count],
        grid=grid,
        reach=reach,
    )


def allocate(places: Ints, shape: tuple[int, int, int]) -> Exemplars:
    """Space for the images at these places of a class."""
    return Exemplars(places, np.zeros((len(places), *shape), dtype=np.uint8))


def update(sums: Accumulators, images: Bytes, labels: Ints) -> None:
    """Takes in the next images [N, H, W, C] and their classes [N]."""

    images = np.ascontiguousarray(images)
    levels = numba.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8))
    differences = numba.variogram_sums(images, sums.differences.shape[3])
    regional = numba.regional_parts(images, sums.grid, sums.reach)
    for k in np.unique(labels):
        mine = labels == k
        own = images[mine]
        flat = own.reshape(len(own), -1)
        sums.levels[k] += levels[mine].sum(axis=0)
        sums.differences[k] += differences[mine].sum(axis=0)
        sums.regional[k] += regional[mine].sum(axis=0)
        sums.pixels[k] += flat.sum(axis=0, dtype=np.int64)
        if sums.pairs.size:
            sums.pairs[k] += products(flat)
        for kept in (sums.samples[k], sums.exemplars[k]):
            keep_exemplar(kept, own, int(sums.seen[k]))
        sums.seen[k] += len(own)


def keep_exemplar(kept: Exemplars, own: Bytes, seen: int) -> None:
    """Those images that are wanted among the next of a class, after `seen` of it."""
    lo, hi = np.searchsorted(kept.places, [seen, seen + len(own)])
    kept.images[lo:hi] = own[kept.places[lo:hi] - seen]


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
        update(sums, images, labels)
        watch("images", int(sums.seen.sum()), len(stream.labels))
    levels = sums.levels / sums.levels.sum(axis=2, keepdims=True)
    means = sums.differences / count[:, None, None, None] / pair_counts(shape, lags)
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


def eigen_of(sums: Accumulators, k: int, components: int) -> PrincipalComponents:
    """Eigen-images of a class, from its sums or its sample."""
    number, sample = int(sums.seen[k]), sums.samples[k].images
    mean = mean_image(sums.pixels[k], number)
    if sums.pairs.size:
        return components_of_sums(mean, sums.pixels[k], sums.pairs[k], number, components)
    return components_of_images(mean, sample.reshape(len(sample), -1), components)


def describe(
    images: Bytes, lags: int, grid: int, regional: Doubles, eigen: PrincipalComponents
) -> dict[str, npt.NDArray[np.generic]]:
    """What is kept of a class's exemplars; `regional` [C, regions, 1 + 2·reach] and `eigen` are the class's."""

    weights, centre, mean, variance, residual, _ = arguments(eigen, 0.0)
    which = np.zeros(len(images), dtype=np.int64)
    return {
        "levels": numba.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8)).astype(np.int32),
        "sums": numba.variogram_sums(images, lags).astype(np.int32),
        "regional": numba.PENALTIES["regional"](images, which, grid, regional_target(regional)).astype(np.float64),
        "eigen": np.stack(eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual), axis=1),
    }
