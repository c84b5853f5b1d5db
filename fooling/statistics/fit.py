"""One pass over a data set: sums over the images of each class, from which statistics are computed in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, ImageStream, refuse_empty_classes
from fooling.kernels import numba
from fooling.kernels.numba.linear_penalties import eigen_parts
from fooling.kernels.reference.penalties import eigen_distances, pair_counts, regional_counts, regional_target
from fooling.kernels.tables import LEVELS, Bytes, Doubles, Ints, bin_of_level
from fooling.statistics.pca import (
    ROOM,
    PrincipalComponents,
    components_of_images,
    components_of_sums,
    kernel_arguments,
    max_components,
    mean_image,
    products,
    sample_size,
    sampling_stride,
)

Watch = Callable[[str, int, int], None]  # progress: the step, how much is done, of how much
Array = npt.NDArray[Any]


class Exemplars(NamedTuple):
    """Single images of a class: their places in it, in rising order [E], and the images [E, H, W, C]."""

    places: Ints
    images: Bytes


@dataclass(frozen=True)
class Accumulators:
    """Added to in place. All are exact integers, so they do not depend on the order or the size of the pieces."""

    count: Ints  # [K], images so far
    levels: Doubles  # [K, C, 256], pixels of each grey level
    differences: Doubles  # [K, C, 2, L], Σ |I(p) − I(p + k)|
    regional: Doubles  # [K, C, regions·(1 + 2·reach)], see `regional_parts`
    pixels: Ints  # [K, P]
    pairs: Doubles  # [K, P, P], products of two pixels; [K, 0, 0] where a sample is used instead
    samples: list[Exemplars]  # K; empty where there are `pairs`
    exemplars: list[Exemplars]  # K
    grid: int  # regions per side
    reach: int  # largest lag within a region


def start_sums(count: Ints, shape: tuple[int, int, int], lags: int, grid: int, reach: int, exemplars: int) -> Accumulators:
    """Accumulators for classes of `count` [K] images of this shape (H, W, C), each at least `exemplars`."""
    classes, pixels, channels = len(count), int(np.prod(shape)), shape[2]
    is_sampled = sample_size(pixels, classes) is not None
    side = 0 if is_sampled else pixels
    return Accumulators(
        count=np.zeros(classes, dtype=np.int64),
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
    """Adds the next images [N, H, W, C] and their classes [N]."""
    images = np.ascontiguousarray(images)
    levels = numba.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8))
    differences = numba.variogram_sums(images, sums.differences.shape[3])
    regional = numba.regional_parts(images, sums.grid, sums.reach)
    for k in np.unique(labels):
        is_class = labels == k
        members = images[is_class]
        flat = members.reshape(len(members), -1)
        sums.levels[k] += levels[is_class].sum(axis=0)
        sums.differences[k] += differences[is_class].sum(axis=0)
        sums.regional[k] += regional[is_class].sum(axis=0)
        sums.pixels[k] += flat.sum(axis=0, dtype=np.int64)
        if sums.pairs.size:
            sums.pairs[k] += products(flat)
        for exemplars in (sums.samples[k], sums.exemplars[k]):
            store_exemplars(exemplars, members, int(sums.count[k]))
        sums.count[k] += len(members)


def store_exemplars(exemplars: Exemplars, members: Bytes, before: int) -> None:
    """Copies those of the next images of a class that are exemplars; `before` of its images have passed already."""
    first, last = np.searchsorted(exemplars.places, [before, before + len(members)])
    exemplars.images[first:last] = members[exemplars.places[first:last] - before]


def fit_arrays(
    data: ImageSet | ImageStream,
    bins: int,
    lags: int,
    components: int,
    grid: int,
    reach: int,
    exemplars: int,
    watch: Watch,
) -> dict[str, Array]:
    """The fields of `Statistics`; `Statistics.fit` says what the arguments mean."""
    stream = data.stream() if isinstance(data, ImageSet) else data
    shape, classes, pixels = stream.shape, len(stream.classes), int(np.prod(stream.shape))
    lags = min(lags, min(shape[:2]) - 1)
    count = refuse_empty_classes(stream)
    exemplars = min(exemplars, int(count.min()), max(1, ROOM // (classes * pixels)))
    components = min(components, *(max_components(int(number), pixels, classes) for number in count))
    sums = start_sums(count, shape, lags, grid, reach, exemplars)
    for images, labels in stream:
        update(sums, images, labels)
        watch("images", int(sums.count.sum()), len(stream.labels))
    parts = []
    for k in range(classes):
        watch("principal components of classes", k, classes)
        parts.append(components_of(sums, k, components))
    means = mean_arrays(sums, shape, bins)
    described = [describe(sums.exemplars[k].images, lags, grid, means["regional"][k], parts[k]) for k in range(classes)]
    return {
        "labels": np.array(stream.classes, dtype=np.str_),
        "shape": np.array(shape, dtype=np.int64),
        "count": count,
        **means,
        "mean": np.stack([part.mean for part in parts]),
        "eigen": np.stack([part.images for part in parts]),
        "variance": np.stack([part.variance for part in parts]),
        "residual": np.array([part.residual for part in parts]),
        "grid": np.array(grid, dtype=np.int64),
        **{f"exemplar_{name}": np.stack([one[name] for one in described]) for name in described[0]},
    }


def mean_arrays(sums: Accumulators, shape: tuple[int, int, int], bins: int) -> dict[str, Array]:
    """Grey levels, histogram, variogram and regions: means over the images of each class."""
    count = sums.count[:, None, None]
    levels = sums.levels / sums.levels.sum(axis=2, keepdims=True)
    histogram = np.zeros((*levels.shape[:2], bins))
    np.add.at(np.moveaxis(histogram, 2, 0), bin_of_level(bins), np.moveaxis(levels, 2, 0))
    variogram = sums.differences / count[..., None] / pair_counts(shape, sums.differences.shape[3])
    regional = sums.regional / count / regional_counts(shape, sums.grid, sums.reach)
    return {
        "levels": levels,
        "histogram": histogram,
        "variogram_x": np.ascontiguousarray(variogram[:, :, 0]),
        "variogram_y": np.ascontiguousarray(variogram[:, :, 1]),
        "regional": regional.reshape(*levels.shape[:2], -1, 1 + 2 * sums.reach),
    }


def components_of(sums: Accumulators, k: int, components: int) -> PrincipalComponents:
    """Principal components of a class, from its sums or from its sample."""
    number, sample = int(sums.count[k]), sums.samples[k].images
    mean = mean_image(sums.pixels[k], number)
    if sums.pairs.size:
        return components_of_sums(mean, sums.pixels[k], sums.pairs[k], number, components)
    return components_of_images(mean, sample.reshape(len(sample), -1), components)


def describe(
    images: Bytes, lags: int, grid: int, regional: Doubles, components: PrincipalComponents
) -> dict[str, npt.NDArray[np.generic]]:
    """Statistics of each exemplar of a class; `regional` [C, regions, 1 + 2·reach] and `components` are the class's."""
    weights, centre, mean, variance, residual, _ = kernel_arguments(components, 0.0)
    target_of_image = np.zeros(len(images), dtype=np.int64)
    energies = eigen_distances(eigen_parts(images, weights, centre, mean), variance, residual)
    return {
        "levels": numba.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8)).astype(np.int32),
        "sums": numba.variogram_sums(images, lags).astype(np.int32),
        "regional": numba.PENALTIES["regional"](images, target_of_image, grid, regional_target(regional)).astype(np.float64),
        "eigen": np.stack(energies, axis=1),
    }
