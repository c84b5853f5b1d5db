"""The mean and the leading principal components of a class's images, on a fixed-point grid (Turk & Pentland 1991).

Of small images the covariance of the pixels is summed over all images of a class. Of larger ones it is that of a sample of the
images, evenly spaced. Both are sums of products of integers, which are exact in any order of the images.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import EIGEN_LANES, Bytes, Doubles, Ints

MEAN_ONE = 256  # means are in units of 1/256 grey level …
EIGEN_ONE = 1 << 12  # … components in units of 2⁻¹²: projections and energies are then integers
DIRECT = 2048  # pixels up to which the covariance of the pixels is used; above, …
MAX_SAMPLE = 2048  # … the inner products of at most so many images
ROOM = 1 << 30  # bytes for the covariances, or else the samples, of all classes
BLOCK = 1 << 22  # pixels converted to floats at a time
FLOOR = (1 / 255) ** 2  # variance of one grey level; smaller ones are rounding


class PrincipalComponents(NamedTuple):
    """Principal components of one class; variances are of pixels scaled to [0, 1]."""

    mean: npt.NDArray[np.int32]  # [P], in units of 1/MEAN_ONE grey level
    images: npt.NDArray[np.int16]  # [M, P], in units of 1/EIGEN_ONE, largest variance first
    variance: Doubles  # [M]
    residual: float  # mean energy outside of the components, Σ over pixels


def fit_components(images: Bytes, components: int) -> PrincipalComponents:
    """Mean and `components` principal components of the images [N, H, W, C] of a class, N > components."""
    flat = images.reshape(len(images), -1)
    mean = mean_image(flat.sum(axis=0, dtype=np.int64), len(flat))
    return components_of_images(mean, flat[:: sampling_stride(len(flat), flat.shape[1])], components)


def mean_image(sums: Ints, number: int) -> Ints:
    """The mean [P], in units of 1/MEAN_ONE, of `number` images with these sums [P]."""
    return np.rint(sums / number * MEAN_ONE).astype(np.int64)


def components_of_images(mean: Ints, images: Bytes, components: int) -> PrincipalComponents:
    """Principal components of images [N, P] about a mean [P], which may be that of a larger set."""
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
    """Principal components about a mean [P], from sums over `number` images: of pixels [P] and of products of two [P, P]."""
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
    if not components:  # an eigendecomposition of 784 × 784 takes 0.1 s
        return np.empty(0), np.empty((len(covariance), 0))
    variance, vectors = np.linalg.eigh(covariance)
    return variance[::-1][:components], vectors[:, ::-1][:, :components]


def quantize(mean: Ints, variance: Doubles, vectors: Doubles, covariance: Doubles) -> PrincipalComponents:
    """Vectors [P, M] rounded to the grid; the rest of the covariance's trace is the residual."""
    vectors = vectors.T
    largest_entry = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest_entry])  # signs are arbitrary: make the largest entry positive
    rounded = np.rint(vectors * signs[:, None] * EIGEN_ONE).astype(np.int16)
    residual = max(float(np.trace(covariance)) - float(variance.sum()), FLOOR)
    return PrincipalComponents(mean.astype(np.int32), rounded, np.maximum(variance, FLOOR), residual)


def sample_size(pixels: int, classes: int = 1) -> int | None:
    """Maximum number of images of a class that its components are computed from; None: all."""
    if pixels <= DIRECT and 8 * classes * pixels**2 <= ROOM:
        return None
    return max(1, min(MAX_SAMPLE, ROOM // (classes * pixels)))


def sampling_stride(images: int, pixels: int, classes: int = 1) -> int:
    """Sampling stride within a class."""
    limit = sample_size(pixels, classes)
    return -(-images // limit) if limit else 1


def max_components(images: int, pixels: int, classes: int = 1) -> int:
    """The number of components that so many images of a class determine."""
    return min(pixels, -(-images // sampling_stride(images, pixels, classes)) - 1)


def kernel_arguments(components: PrincipalComponents, free: float) -> tuple[Any, ...]:
    """Arguments of the eigen term's kernels: weights [P, M padded], centre [M], mean [P], variance [M], residual, free."""
    weights = np.pad(components.images.T.astype(np.int32, order="C"), ((0, 0), (0, -len(components.images) % EIGEN_LANES)))
    centre = components.images.astype(np.int64) @ components.mean.astype(np.int64)
    return weights, centre, components.mean, components.variance, components.residual, free
