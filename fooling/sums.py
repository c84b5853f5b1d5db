"""Sums over the images of each class, taken as the images pass: what statistics are made of, in memory that does not grow."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.eigen import products, sample_size, stride
from fooling.kernels.reference_regional import regional_counts
from fooling.kernels.tables import LEVELS

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Kept(NamedTuple):
    """Images of a class that are kept: which of it, in rising order [E], and the images themselves [E, H, W, C]."""

    places: Ints
    images: Bytes


@dataclass(frozen=True)
class Sums:
    """Added to in place. All are integers, and exact: they do not depend on the order or the size of the pieces."""

    seen: Ints  # [K], images that have passed
    levels: Doubles  # [K, C, 256], pixels of each grey level
    differences: Doubles  # [K, C, 2, L], Σ |I(p) − I(p + k)|
    regional: Doubles  # [K, C, regions·(1 + 2·reach)], see `regional_parts`
    pixels: Ints  # [K, P]
    pairs: Doubles  # [K, P, P], products of two pixels; [K, 0, 0] where a sample stands for the images
    samples: list[Kept]  # K; none where there are `pairs`
    exemplars: list[Kept]  # K
    grid: int  # regions a side
    reach: int  # largest lag within a region


def empty_sums(count: Ints, shape: tuple[int, int, int], lags: int, grid: int, reach: int, exemplars: int) -> Sums:
    """Before the first image of classes with `count` [K] images of this shape (H, W, C), none below `exemplars`."""
    classes, pixels, channels = len(count), int(np.prod(shape)), shape[2]
    is_sampled = sample_size(pixels, classes) is not None
    side = 0 if is_sampled else pixels
    return Sums(
        seen=np.zeros(classes, dtype=np.int64),
        levels=np.zeros((classes, channels, LEVELS)),
        differences=np.zeros((classes, channels, 2, lags)),
        regional=np.zeros((classes, channels, len(regional_counts(shape, grid, reach)))),
        pixels=np.zeros((classes, pixels), dtype=np.int64),
        pairs=np.zeros((classes, side, side)),
        samples=[room(np.arange(0, n if is_sampled else 0, stride(n, pixels, classes)), shape) for n in map(int, count)],
        exemplars=[room(np.linspace(0, n - 1, exemplars).round().astype(np.int64), shape) for n in count],
        grid=grid,
        reach=reach,
    )


def room(places: Ints, shape: tuple[int, int, int]) -> Kept:
    """Space for the images at these places of a class."""
    return Kept(places, np.zeros((len(places), *shape), dtype=np.uint8))


def add(sums: Sums, images: Bytes, labels: Ints) -> None:
    """Takes in the next images [N, H, W, C] and their classes [N]."""
    from fooling.kernels import numba_
    from fooling.kernels.numba_regional import regional_parts

    images = np.ascontiguousarray(images)
    levels = numba_.histogram_counts(images, np.arange(LEVELS, dtype=np.uint8))
    differences = numba_.variogram_sums(images, sums.differences.shape[3])
    regional = regional_parts(images, sums.grid, sums.reach)
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
            keep(kept, own, int(sums.seen[k]))
        sums.seen[k] += len(own)


def keep(kept: Kept, own: Bytes, seen: int) -> None:
    """Those images that are wanted among the next of a class, after `seen` of it."""
    lo, hi = np.searchsorted(kept.places, [seen, seen + len(own)])
    kept.images[lo:hi] = own[kept.places[lo:hi] - seen]
