"""What a class's training images look like: grey levels, histogram, variograms and eigen-images, fitted once and saved."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.arrays import read_arrays
from fooling.data import ImageSet, class_counts
from fooling.eigen import EIGEN_ONE, MEAN_ONE, EigenImages, fit_eigen
from fooling.errors import UserError
from fooling.kernels import reference
from fooling.kernels.tables import LEVELS, bin_of_level

Doubles = npt.NDArray[np.float64]

BUNDLED = Path(__file__).parent / "assets" / "mnist_statistics.npz"
CHUNK = 4096  # images measured at a time: bounds the memory


@dataclass(frozen=True)
class Statistics:
    """Means over the training images of each class; pixels scaled to [0, 1], x = along rows (horizontal)."""

    labels: npt.NDArray[np.str_]  # [K], names of the classes
    shape: npt.NDArray[np.int64]  # [3], H, W, C
    count: npt.NDArray[np.int64]  # [K], training images
    levels: Doubles  # [K, C, 256], shares of the grey levels
    histogram: Doubles  # [K, C, B], shares of the bins (0, 1/B], (1/B, 2/B], …, the first with 0
    variogram_x: Doubles  # [K, C, L], mean |I(r, c) − I(r, c + k)| for k = 1…L
    variogram_y: Doubles  # [K, C, L], mean |I(r, c) − I(r + k, c)| for k = 1…L
    mean: npt.NDArray[np.int32]  # [K, P], mean images, in units of 1/256 grey level
    eigen: npt.NDArray[np.int16]  # [K, M, P], eigen-images, in units of 2⁻¹²
    variance: Doubles  # [K, M], of the images along the eigen-images
    residual: Doubles  # [K], mean energy outside of them

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            digest.update(repr((field.name, value.shape, value.tolist())).encode())
        return digest.hexdigest()

    @property
    def lags(self) -> int:
        """L, the largest lag."""
        return int(self.variogram_x.shape[2])

    def bins(self, digit: int, bins: int) -> Doubles:
        """Shares [C, bins] of any number of bins, from the grey levels."""
        shares = np.zeros((self.levels.shape[1], bins))
        np.add.at(shares.T, bin_of_level(bins), self.levels[digit].T)
        return shares

    def variogram(self, digit: int, lags: int) -> Doubles:
        """Both directions, [C, 2, lags]."""
        return np.stack([self.variogram_x[digit, :, :lags], self.variogram_y[digit, :, :lags]], axis=1)

    def eigen_images(self, digit: int) -> EigenImages:
        """Mean and eigen-images of a class."""
        return EigenImages(self.mean[digit], self.eigen[digit], self.variance[digit], float(self.residual[digit]))

    def save(self, path: Path) -> None:
        """Writes an .npz file of plain arrays under the names of the fields; the same bytes for the same statistics."""
        with path.open("wb") as file:
            np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @staticmethod
    def load(path: Path) -> "Statistics":
        """Reads what `save` wrote; a file that is none, or whose numbers cannot be statistics, is refused."""
        if not path.is_file():
            raise UserError(f"prior.statistics={path}: no such file; expected one written by `fooling stats`")
        arrays = read_arrays(path)
        missing = [field.name for field in fields(Statistics) if field.name not in arrays]
        if missing:
            raise UserError(f"prior.statistics={path}: lacks {', '.join(missing)}; expected a file of `fooling stats`")
        values = {field.name: arrays[field.name] for field in fields(Statistics)}
        problem = find_problem(values)
        if problem:
            raise UserError(f"prior.statistics={path}: {problem}; fit it anew with `fooling stats`")
        return Statistics(**values)


def find_problem(values: dict[str, npt.NDArray[Any]]) -> str:
    """What is wrong with arrays that should be statistics, or ''."""
    shape, levels = values["shape"], values["levels"]
    if shape.shape != (3,) or shape.dtype.kind != "i" or shape.min() < 1:
        return f"shape: expected (H, W, C), got {shape.tolist()}"
    if levels.ndim != 3 or min(levels.shape) < 1:
        return f"levels: expected [K, C, {LEVELS}], got {list(levels.shape)}"
    classes, channels = levels.shape[0], int(shape[2])
    expected = {
        "labels": (classes,),
        "count": (classes,),
        "levels": (classes, channels, LEVELS),
        "histogram": (classes, channels, min(values["histogram"].shape[-1], LEVELS) if values["histogram"].ndim else 0),
        "variogram_x": (classes, channels, values["variogram_x"].shape[-1] if values["variogram_x"].ndim else 0),
        "variogram_y": values["variogram_x"].shape,
        "mean": (classes, int(np.prod(shape))),
        "eigen": (classes, values["eigen"].shape[1] if values["eigen"].ndim == 3 else 0, int(np.prod(shape))),
        "variance": (classes, values["eigen"].shape[1] if values["eigen"].ndim == 3 else 0),
        "residual": (classes,),
    }
    for name, size in expected.items():
        if values[name].shape != size:
            return f"{name}: expected {list(size)}, got {list(values[name].shape)}"
    for name in ("levels", "histogram", "variogram_x", "variogram_y"):
        value = values[name]
        if value.dtype != np.float64 or not value.size or not np.isfinite(value).all() or value.min() < 0 or value.max() > 1:
            return f"{name}: expected numbers from 0 to 1"
    for name in ("levels", "histogram"):
        if not np.allclose(values[name].sum(axis=2), 1):
            return f"{name}: shares do not add up to 1"
    problem = find_eigen_problem(values)
    if problem:
        return problem
    if values["count"].dtype.kind != "i" or values["count"].min() < 1 or values["labels"].dtype.kind != "U":
        return "count, labels: expected a number of images above 0 and a name for each class"
    bins = np.zeros_like(values["histogram"])
    np.add.at(np.moveaxis(bins, 2, 0), bin_of_level(bins.shape[2]), np.moveaxis(levels, 2, 0))
    if not np.allclose(bins, values["histogram"]):
        return "histogram: does not agree with levels"
    return ""


def find_eigen_problem(values: dict[str, npt.NDArray[Any]]) -> str:
    """What is wrong with the eigen-images, or ''."""
    for name, dtype, least in (("mean", np.int32, 0), ("eigen", np.int16, -EIGEN_ONE)):
        most = 255 * MEAN_ONE if name == "mean" else EIGEN_ONE
        value = values[name]
        if value.dtype != dtype or (value.size and (value.min() < least or value.max() > most)):
            return f"{name}: expected integers from {least} to {most}"
    for name in ("variance", "residual"):
        value = values[name]
        if value.dtype != np.float64 or not np.isfinite(value).all() or (value.size and value.min() <= 0):
            return f"{name}: expected numbers above 0"
    return ""


def fit(data: ImageSet, bins: int = 10, lags: int = 14, components: int = 40) -> Statistics:
    """Statistics of every class of `data`: 1 ≤ bins ≤ 256; lags 1…lags, at most the shorter side − 1.

    `components` eigen-images, at most the pixels and the images of the smallest class − 1.
    """
    shape = data.images.shape[1:]
    lags = min(lags, min(shape[:2]) - 1)
    count = refuse_empty_classes(data)
    levels, sums = measure(data, lags)
    levels /= levels.sum(axis=2, keepdims=True)
    means = sums / count[:, None, None, None] / reference.pair_counts(shape, lags)
    histogram = np.zeros((*levels.shape[:2], bins))
    np.add.at(np.moveaxis(histogram, 2, 0), bin_of_level(bins), np.moveaxis(levels, 2, 0))
    components = min(components, int(np.prod(shape)), int(count.min()) - 1)
    eigen = [fit_eigen(data.images[data.labels == k], components) for k in range(len(data.classes))]
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
    )


def refuse_empty_classes(data: ImageSet) -> npt.NDArray[np.int64]:
    """Images of each class [K], after refusing a class without any."""
    count = class_counts(data)
    if count.min() < 1:
        empty = ", ".join(data.classes[k] for k in np.flatnonzero(count == 0)[:5])
        raise UserError(f"class {empty} has no images in {data.source}; expected at least one for each class")
    return count


def measure(data: ImageSet, lags: int) -> tuple[Doubles, Doubles]:
    """Sums over each class's images: pixels per grey level [K, C, 256] and differences [K, C, 2, lags]; exact integers."""
    from fooling.kernels import numba_

    classes, channels = len(data.classes), data.images.shape[3]
    levels, sums = np.zeros((classes, channels, LEVELS)), np.zeros((classes, channels, 2, lags))
    identity = np.arange(LEVELS, dtype=np.uint8)
    for i in range(0, len(data.images), CHUNK):
        images, labels = np.ascontiguousarray(data.images[i : i + CHUNK]), data.labels[i : i + CHUNK]
        np.add.at(levels, labels, numba_.histogram_counts(images, identity))
        np.add.at(sums, labels, numba_.variogram_sums(images, lags))
    return levels, sums
