"""Features of single images that may separate evolved images from real ones, whatever the images show."""

from collections.abc import Callable

import numpy as np

from fooling.kernels import numba
from fooling.kernels.numba.pca import eigen_parts
from fooling.kernels.reference.penalties import eigen_distances, pair_counts
from fooling.kernels.tables import Bytes, Doubles
from fooling.statistics.pca import PrincipalComponents, kernel_arguments

Features = dict[str, Doubles]  # [N] by name
LAGS = 14
DIAGONALS = (1, 2, 4, 8)  # pixels down, and as many across
LIGHT = 127  # pixels above this level form the connected components
DIRECTIONS = (0, 45, 90, 135)  # of edges, degrees: horizontal, rising to the right, vertical, falling to the right
CHUNK = 1024  # images measured at a time, which bounds the memory


def features(images: Bytes, components: PrincipalComponents) -> dict[str, Features]:
    """Every feature of images uint8 [N, H, W, C], N > 0, by group and name; `components` are those of the class."""
    parts = [images[lo : lo + CHUNK] for lo in range(0, len(images), CHUNK)]
    groups: dict[str, Features] = {}
    for group, functions in FEATURES.items():
        chunks = [{name: x for function in functions for name, x in function(part, components).items()} for part in parts]
        groups[group] = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return groups


def greys(images: Bytes, _components: PrincipalComponents) -> Features:
    """Mean grey level in [0, 1] and the share of pixels of level 0, over all channels."""
    axes = (1, 2, 3)
    return {"mean_grey": images.mean(axis=axes) / 255, "black_share": np.asarray((images == 0).mean(axis=axes))}


def lags(images: Bytes, _components: PrincipalComponents) -> Features:
    """Variogram: mean |I(p) − I(p + k)| along rows (x) and columns (y), k = 1…14 within the image, over all channels."""
    limit = min(LAGS, min(images.shape[1:3]) - 1)
    sums = numba.variogram_sums(np.ascontiguousarray(images), limit)
    means = (sums / pair_counts(images.shape[1:], limit)).mean(axis=1)
    return {f"variogram_{direction}_{k + 1}": means[:, axis, k] for axis, direction in enumerate("xy") for k in range(limit)}


def pca_residual(images: Bytes, components: PrincipalComponents) -> Features:
    """Energy outside of the class's components ÷ its mean over the training images, as in the eigen term."""
    weights, centre, mean, variance, residual, _ = kernel_arguments(components, 0.0)
    parts = eigen_parts(np.ascontiguousarray(images), weights, centre, mean)
    return {"pca_residual": eigen_distances(parts, variance, residual)[1]}


def diagonals(images: Bytes, _components: PrincipalComponents) -> Features:
    """Mean |I(p) − I(p + (k, k))| in [0, 1], down and up to the right, over all channels."""
    grey, values = images.astype(np.int16), {}
    for k in (k for k in DIAGONALS if k < min(images.shape[1:3])):
        values[f"diagonal_down_{k}"] = np.abs(grey[:, k:, k:] - grey[:, :-k, :-k]).mean(axis=(1, 2, 3)) / 255
        values[f"diagonal_up_{k}"] = np.abs(grey[:, :-k, k:] - grey[:, k:, :-k]).mean(axis=(1, 2, 3)) / 255
    return values


def connected_components(images: Bytes, _components: PrincipalComponents) -> Features:
    """Connected components (8 neighbours) of pixels whose mean over channels is > 127: their number, share of the largest."""
    from scipy.ndimage import label

    number, largest = np.zeros(len(images)), np.zeros(len(images))
    for i, light in enumerate(images.mean(axis=3) > LIGHT):
        labels, number[i] = label(light, structure=np.ones((3, 3)))
        largest[i] = np.bincount(labels.ravel())[1:].max(initial=0) / light.size
    return {"components": number, "largest_component": largest}


def edges(images: Bytes, _components: PrincipalComponents) -> Features:
    """Shares of the edge directions, weighted by the length of the gradient (central differences); 0 without edges."""
    grey = images.mean(axis=3)
    right, up = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
    length = np.hypot(right, up)
    along = np.rint((np.degrees(np.arctan2(up, right)) + 90) / 45).astype(np.int64) % len(DIRECTIONS)  # across the gradient
    total = length.sum(axis=(1, 2))
    shares = {}
    for i, degrees in enumerate(DIRECTIONS):
        part = np.where(along == i, length, 0.0).sum(axis=(1, 2))
        shares[f"edges_{degrees}"] = np.divide(part, total, out=np.zeros(len(images)), where=total > 0)
    return shares


# Groups: a term of the cost pulls the features of `term` towards the class's; no term uses those of `none`.
FEATURES: dict[str, tuple[Callable[[Bytes, PrincipalComponents], Features], ...]] = {
    "term": (greys, lags, pca_residual),
    "none": (diagonals, connected_components, edges),
}
