"""Eigen-images: the mean and the leading principal components of a class's images, on a lattice of integers.

Of small images the covariance of the pixels is taken over all images of a class; of larger ones a sample of its images, evenly
spaced, stands for them. Both are made of sums of products of integers, which are exact whatever the order of the images.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import EIGEN_LANES, Bytes, Doubles, Ints

MEAN_ONE = 256  # means are in units of 1/256 grey level …
EIGEN_ONE = 1 << 12  # … eigen-images in units of 2⁻¹²: projections and energies are then integers
DIRECT = 2048  # pixels up to which the covariance of the pixels is taken, …
MOST = 2048  # … else that of at most so many images
ROOM = 1 << 30  # bytes that the covariances of all classes, or else the images that stand for them, may take
BLOCK = 1 << 22  # pixels that are made floats at a time
FLOOR = (1 / 255) ** 2  # variances below that of one grey level cannot be told from none


class PrincipalComponents(NamedTuple):
    """Of one class; variances are of pixels scaled to [0, 1]."""

    mean: npt.NDArray[np.int32]  # [P], in units of 1/MEAN_ONE grey level
    images: npt.NDArray[np.int16]  # [M, P], in units of 1/EIGEN_ONE, largest variance first
    variance: Doubles  # [M]
    residual: float  # mean energy outside of them, Σ over pixels


def fit_components(images: Bytes, components: int) -> PrincipalComponents:
    """Mean and `components` eigen-images of the images [N, H, W, C] of a class, N > components (Turk & Pentland 1991)."""
    flat = images.reshape(len(images), -1)
    mean = mean_image(flat.sum(axis=0, dtype=np.int64), len(flat))
    return components_of_images(mean, flat[:: sampling_stride(len(flat), flat.shape[1])], components)


def mean_image(sums: Ints, number: int) -> Ints:
    """The mean [P] in units of 1/MEAN_ONE, from the sums [P] over so many images."""
    return np.rint(sums / number * MEAN_ONE).astype(np.int64)


def components_of_images(mean: Ints, images: Bytes, components: int) -> PrincipalComponents:
    """Eigen-images of images [N, P], about a mean [P] that need not be theirs."""
    number, pixels = images.shape
    if pixels <= DIRECT:
        return components_of_sums(mean, images.sum(axis=0, dtype=np.int64), products(images), number, components)
    step = max(1, BLOCK // number)
    blocks = [slice(lo, lo + step) for lo in range(0, pixels, step)]
    inner, along = np.zeros((number, number)), np.zeros((number, 1))
    for block in blocks:
        part = images[:, block].astype(np.float64)
        inner += part @ part.T
        along[:, 0] += part @ mean[block]
    covariance = centred(inner, along, int(mean @ mean), number)
    variance, sides = largest(covariance, components)
    sides = sides / np.sqrt(np.maximum(variance, FLOOR) * number)
    vectors = [((images[:, block] - mean[block] / MEAN_ONE) / 255).T @ sides for block in blocks]
    return quantize(mean, variance, np.concatenate(vectors), covariance)


def components_of_sums(mean: Ints, sums: Ints, pairs: Doubles, number: int, components: int) -> PrincipalComponents:
    """Eigen-images about a mean [P], from sums over so many images: of pixels [P] and of products of two [P, P]."""
    covariance = centred(pairs, np.multiply.outer(sums, mean), number * np.multiply.outer(mean, mean), number)
    variance, vectors = largest(covariance, components)
    return quantize(mean, variance, vectors, covariance)


def products(images: Bytes) -> Doubles:
    """Σ over images [N, P] of the products of two pixels [P, P]: integers below 2⁵³, exact in any order."""
    wide = images.astype(np.float64)
    return wide.T @ wide


def centred(inner: Doubles, mixed: npt.NDArray[Any], square: Any, number: int) -> Doubles:
    """Σ (a − m)(b − m)/number of pixels on [0, 1], from Σ ab, Σ am and Σ m², m in units of 1/MEAN_ONE; all integers."""
    mixed = mixed.astype(np.int64)
    whole = MEAN_ONE**2 * inner.astype(np.int64) - MEAN_ONE * (mixed + mixed.T) + square
    return np.asarray(whole / (number * (255 * MEAN_ONE) ** 2), dtype=np.float64)


def largest(covariance: Doubles, components: int) -> tuple[Doubles, Doubles]:
    """The largest variances [M], in falling order, and their vectors [·, M]."""
    variance, vectors = np.linalg.eigh(covariance)
    return variance[::-1][:components], vectors[:, ::-1][:, :components]


def quantize(mean: Ints, variance: Doubles, vectors: Doubles, covariance: Doubles) -> PrincipalComponents:
    """Vectors [P, M] as eigen-images; what they do not hold of the covariance is the residual."""
    vectors = vectors.T
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])  # else arbitrary: the largest is above 0
    rounded = np.rint(vectors * signs[:, None] * EIGEN_ONE).astype(np.int16)
    residual = max(float(np.trace(covariance)) - float(variance.sum()), FLOOR)
    return PrincipalComponents(mean.astype(np.int32), rounded, np.maximum(variance, FLOOR), residual)


def sample_size(pixels: int, classes: int = 1) -> int | None:
    """Of how many images of a class, at most, its eigen-images are made; None: of all."""
    if pixels <= DIRECT and 8 * classes * pixels**2 <= ROOM:
        return None
    return max(1, min(MOST, ROOM // (classes * pixels)))


def sampling_stride(images: int, pixels: int, classes: int = 1) -> int:
    """Of how many images of a class one is taken."""
    most = sample_size(pixels, classes)
    return -(-images // most) if most else 1


def most_components(images: int, pixels: int, classes: int = 1) -> int:
    """How many eigen-images so many images have."""
    return min(pixels, -(-images // sampling_stride(images, pixels, classes)) - 1)


def arguments(of: PrincipalComponents, free: float) -> tuple[Any, ...]:
    """What the kernels of the eigen term take: weights [P, M padded], centre [M], mean [P], variance [M], residual, free."""
    weights = np.pad(of.images.T.astype(np.int32), ((0, 0), (0, -len(of.images) % EIGEN_LANES)))
    centre = of.images.astype(np.int64) @ of.mean.astype(np.int64)
    return weights, centre, of.mean, of.variance, of.residual, free
