"""Eigen-images: the mean and the leading principal components of a class's images, on a lattice of integers."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import EIGEN_LANES

MEAN_ONE = 256  # means are in units of 1/256 grey level …
EIGEN_ONE = 1 << 12  # … eigen-images in units of 2⁻¹²: projections and energies are then integers
DIRECT = 2048  # pixels up to which the covariance of the pixels is taken, …
MOST = 2048  # … else that of at most so many images
FLOOR = (1 / 255) ** 2  # variances below that of one grey level cannot be told from none

Doubles = npt.NDArray[np.float64]


class EigenImages(NamedTuple):
    """Of one class; variances are of pixels scaled to [0, 1]."""

    mean: npt.NDArray[np.int32]  # [P], in units of 1/MEAN_ONE grey level
    images: npt.NDArray[np.int16]  # [M, P], in units of 1/EIGEN_ONE, largest variance first
    variance: Doubles  # [M]
    residual: float  # mean energy outside of them, Σ over pixels


def fit_eigen(images: npt.NDArray[np.uint8], components: int) -> EigenImages:
    """Mean and `components` eigen-images of the images [N, H, W, C] of a class, N > components (Turk & Pentland 1991)."""
    flat = images.reshape(len(images), -1)
    mean = np.rint(flat.mean(axis=0, dtype=np.float64) * MEAN_ONE) / MEAN_ONE
    few = flat[:: stride(len(flat), flat.shape[1])]
    centred = (few - mean) / 255
    if flat.shape[1] <= DIRECT:
        variance, vectors = np.linalg.eigh(centred.T @ centred / len(few))
    else:
        variance, sides = np.linalg.eigh(centred @ centred.T / len(few))
        vectors = centred.T @ (sides / np.sqrt(np.maximum(variance, FLOOR) * len(few)))
    total = float((centred**2).sum() / len(few))
    variance, vectors = variance[::-1][:components], vectors[:, ::-1][:, :components].T
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])  # else arbitrary: the largest is above 0
    rounded = np.rint(vectors * signs[:, None] * EIGEN_ONE).astype(np.int16)
    residual = max(total - float(variance.sum()), FLOOR)
    return EigenImages(np.rint(mean * MEAN_ONE).astype(np.int32), rounded, np.maximum(variance, FLOOR), residual)


def stride(images: int, pixels: int) -> int:
    """Of how many images of a class one is taken."""
    return 1 if pixels <= DIRECT else -(-images // MOST)


def most_components(images: int, pixels: int) -> int:
    """How many eigen-images so many images have."""
    return min(pixels, -(-images // stride(images, pixels)) - 1)


def arguments(of: EigenImages, free: float) -> tuple[Any, ...]:
    """What the kernels of the eigen term take: weights [P, M padded], centre [M], mean [P], variance [M], residual, free."""
    weights = np.pad(of.images.T.astype(np.int32), ((0, 0), (0, -len(of.images) % EIGEN_LANES)))
    centre = of.images.astype(np.int64) @ of.mean.astype(np.int64)
    return weights, centre, of.mean, of.variance, of.residual, free
