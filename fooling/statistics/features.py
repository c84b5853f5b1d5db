"""Simple statistics of single images: numbers that may tell evolved images from real ones, whatever the images show."""

from collections.abc import Callable

import numpy as np

from fooling.kernels.reference.penalties import eigen_distances, pair_counts
from fooling.kernels.tables import Bytes, Doubles
from fooling.statistics.pca import PrincipalComponents, arguments

Features = dict[str, Doubles]  # [N] by name
LAGS = 14
DIAGONALS = (1, 2, 4, 8)  # pixels down, and as many across
LIGHT = 127  # connected components are of pixels above this level
DIRECTIONS = (0, 45, 90, 135)  # of edges, degrees: horizontal, rising to the right, vertical, falling to the right
CHUNK = 1024  # images measured at a time: bounds the memory


def features(images: Bytes, eigen: PrincipalComponents) -> dict[str, Features]:
    """Every simple statistic of images [N, H, W, C], N > 0, by its group and name; `eigen` is of the class."""
    parts = [images[lo : lo + CHUNK] for lo in range(0, len(images), CHUNK)]
    found: dict[str, Features] = {}
    for group, functions in FEATURES.items():
        measured = [{name: x for function in functions for name, x in function(part, eigen).items()} for part in parts]
        found[group] = {name: np.concatenate([one[name] for one in measured]) for name in measured[0]}
    return found


def greys(images: Bytes, _eigen: PrincipalComponents) -> Features:
    """Mean grey level on [0, 1], and the share of pixels of level 0; over all channels."""
    axes = (1, 2, 3)
    return {"mean_grey": images.mean(axis=axes) / 255, "black_share": np.asarray((images == 0).mean(axis=axes))}


def lags(images: Bytes, _eigen: PrincipalComponents) -> Features:
    """Mean |I(p) − I(p + k)| along rows (x) and columns (y), k = 1…14 as far as the image goes, mean over channels."""
    from fooling.kernels import numba

    most = min(LAGS, min(images.shape[1:3]) - 1)
    sums = numba.variogram_sums(np.ascontiguousarray(images), most)
    means = (sums / pair_counts(images.shape[1:], most)).mean(axis=1)
    return {f"variogram_{way}_{k + 1}": means[:, axis, k] for axis, way in enumerate("xy") for k in range(most)}


def pca_residual(images: Bytes, eigen: PrincipalComponents) -> Features:
    """Energy outside of the class's eigen-images ÷ its mean over the training images, as in the eigen term."""
    from fooling.kernels.numba.pca import eigen_parts

    weights, centre, mean, variance, residual, _ = arguments(eigen, 0.0)
    parts = eigen_parts(np.ascontiguousarray(images), weights, centre, mean)
    return {"pca_residual": eigen_distances(parts, variance, residual)[1]}


def diagonals(images: Bytes, _eigen: PrincipalComponents) -> Features:
    """Mean |I(p) − I(p + (k, k))|, down and up to the right, on [0, 1], over all channels."""
    grey, found = images.astype(np.int16), {}
    for k in (k for k in DIAGONALS if k < min(images.shape[1:3])):
        found[f"diagonal_down_{k}"] = np.abs(grey[:, k:, k:] - grey[:, :-k, :-k]).mean(axis=(1, 2, 3)) / 255
        found[f"diagonal_up_{k}"] = np.abs(grey[:, :-k, k:] - grey[:, k:, :-k]).mean(axis=(1, 2, 3)) / 255
    return found


def components(images: Bytes, _eigen: PrincipalComponents) -> Features:
    """Connected components (8 neighbours) of the light pixels, mean of the channels > 127: how many, share of the largest."""
    from scipy.ndimage import label

    number, largest = np.zeros(len(images)), np.zeros(len(images))
    for i, light in enumerate(images.mean(axis=3) > LIGHT):
        labels, number[i] = label(light, structure=np.ones((3, 3)))
        largest[i] = np.bincount(labels.ravel())[1:].max(initial=0) / light.size
    return {"components": number, "largest_component": largest}


def edges(images: Bytes, _eigen: PrincipalComponents) -> Features:
    """Shares of the edge directions, each pixel's gradient (central differences) counted by its length; 0 without edges."""
    grey = images.mean(axis=3)
    right, up = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
    length = np.hypot(right, up)
    along = np.rint((np.degrees(np.arctan2(up, right)) + 90) / 45).astype(np.int64) % len(DIRECTIONS)  # across the gradient
    total = length.sum(axis=(1, 2))
    found = {}
    for i, degrees in enumerate(DIRECTIONS):
        part = np.where(along == i, length, 0.0).sum(axis=(1, 2))
        found[f"edges_{degrees}"] = np.divide(part, total, out=np.zeros(len(images)), where=total > 0)
    return found


# By who looks at them: `term` are those that a term of the cost pulls to the class's, `none` those that no term knows.
FEATURES: dict[str, tuple[Callable[[Bytes, PrincipalComponents], Features], ...]] = {
    "term": (greys, lags, pca_residual),
    "none": (diagonals, components, edges),
}
