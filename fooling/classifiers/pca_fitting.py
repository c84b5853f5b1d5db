"""Eigen-images of a set of images, of all of it and of each class, and the PCA classifiers made of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fooling.classifiers.pca import BATCH, UNIT, PcaClassifier
from fooling.data import ImageSet, refuse_empty_classes
from fooling.eigen import DIRECT, EigenImages, eigen_of_sums, fit_eigen, mean_image, products
from fooling.errors import UserError

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

GAP = 5.0  # what the mean gap between the smallest and the second distance of a training image is worth, in logits
SCALED = 10_000  # training images, evenly spaced, whose gaps are measured


@dataclass(frozen=True)
class Fitted:
    """Eigen-images of a set of images, of all of it and of each class; as many as were asked for and as there are."""

    whole: EigenImages
    classes: list[EigenImages]  # K
    centres: Doubles  # [K, M], means of the classes among the projections on those of the whole set, pixels on [0, 1]


def fit_components(
    data: ImageSet, components: int, watch: Callable[[str, int, int], None] = lambda what, done, total: None
) -> Fitted:
    """Fits eigen-images: at most `components`, at most the pixels, and at most the images less one."""
    count = refuse_empty_classes(data)
    if count.min() < 2:
        few = data.classes[int(count.argmin())]
        raise UserError(f"class {few} has one image in {data.source}; eigen-images need at least two of each class")
    classes, parts = len(data.classes), []
    for k in range(classes):
        watch("eigen-images", k, classes + 1)
        images = np.ascontiguousarray(data.images[data.labels == k])
        parts.append(fit_eigen(images, most(components, images)))
    watch("eigen-images", classes, classes + 1)
    whole = fit_whole(data.images, most(components, data.images))
    apart = np.stack([part.mean for part in parts]).astype(np.float64) - whole.mean
    return Fitted(whole, parts, apart @ whole.images.T.astype(np.float64) * UNIT)


def most(components: int, images: Bytes) -> int:
    """How many eigen-images there are, if at most so many are wanted."""
    return min(components, int(np.prod(images.shape[1:])), len(images) - 1)


def fit_whole(images: Bytes, components: int) -> EigenImages:
    """`fit_eigen` of many images, their products summed up batch by batch."""
    flat = images.reshape(len(images), -1)
    if flat.shape[1] > DIRECT:
        return fit_eigen(images, components)
    pairs = np.zeros((flat.shape[1], flat.shape[1]))
    for lo in range(0, len(flat), BATCH):
        pairs += products(flat[lo : lo + BATCH])
    total = flat.sum(axis=0, dtype=np.int64)
    return eigen_of_sums(mean_image(total, len(flat)), total, pairs, len(flat), components)


def bare_pca(fitted: Fitted, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The PCA classifier of a method with k components, at most as many as there are, its divisor still 1."""
    sets = [fitted.whole] if method == "means" else fitted.classes
    kept = min(components, *(len(one.images) for one in sets), len(sets[0].images))
    height, width, channels = data.images.shape[1:]
    return PcaClassifier(
        (height, width, channels),
        data.classes,
        method,
        np.stack([one.mean for one in sets]),
        np.stack([one.images[:kept] for one in sets]),
        (fitted.centres[:, :kept] if method == "means" else np.empty((0, kept))).astype(np.float32),
    )


def make_pca(fitted: Fitted, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The same with its divisor: over the training images the mean gap between the smallest and the second distance² is 5.

    That is in logits, odds of 148 : 1, as of a perceptron: distances have no unit of certainty of their own.
    """
    first = bare_pca(fitted, data, method, components)
    few = data.images[np.linspace(0, len(data.images) - 1, min(len(data.images), SCALED)).astype(int)]
    nearest = np.sort(first.distances(few), axis=1)
    gap = float((nearest[:, 1] - nearest[:, 0]).mean())
    if not gap > 0:
        raise UserError(f"{data.source}: eigen-images do not tell its classes apart; give another data set")
    return replace(first, divisor=gap / GAP)
