"""What else is to be known of a classifier before a search: how often it is right, shown images so or otherwise; its speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.adapted import Adapted
from fooling.classifiers.base import Classifier, ask, probes
from fooling.data import ImageSet
from fooling.errors import UserError

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

BATCH = 1000  # images a call
SIZES = (1, 10, 100, 1000)  # of the batches whose speed is measured
SECONDS = 0.5  # that a measurement takes, about

# Usual ways to show a grey level: name → scale, mean, std; a mean of None is that of the data.
USUAL: dict[str, tuple[float, float | None, float | None]] = {
    "0…1": (1 / 255, 0.0, 1.0),
    "0…255": (1.0, 0.0, 1.0),
    "−1…1": (1 / 255, 0.5, 0.5),
    "0…16": (16 / 255, 0.0, 1.0),
    "dark ink on light": (-1 / 255, -1.0, 1.0),
    "0…1 less the mean": (1 / 255, None, 1.0),
    "0…255 less the mean": (1.0, None, 1.0),
    "mean 0, deviation 1": (1 / 255, None, None),
}


@dataclass(frozen=True)
class Accuracy:
    """Of a classifier that was shown the images in one way."""

    way: str  # the name in USUAL, or "as stated"
    settings: str  # that make it so
    right: Flags  # [N]

    @property
    def share(self) -> float:
        """Right ones of all."""
        return float(self.right.mean())


def accuracies(classifier: Classifier, data: ImageSet, most: int = BATCH) -> list[Accuracy]:
    """How often it is right as stated, and, of a foreign one, shown images in the usual other ways; on at most so many images.

    Raises UserError where classes or sizes of the data are not the classifier's.
    """
    check_data(classifier, data)
    chosen = np.linspace(0, len(data.labels) - 1, min(most, len(data.labels))).astype(int)
    images, labels = data.images[chosen], data.labels[chosen]
    found = [Accuracy("as stated", "", right(classifier, images, labels))]
    if not isinstance(classifier, Adapted):
        return found
    for way, inputs in others(classifier, images).items():
        told = str(inputs).partition(", ")[2]
        try:
            found.append(Accuracy(way, told, right(classifier.seen_as(inputs), images, labels)))
        except UserError:  # such numbers it cannot stand
            continue
    return found


def check_data(classifier: Classifier, data: ImageSet) -> None:
    """Refuses images of another size, or of other classes."""
    sees, got = tuple(classifier.input_shape), tuple(data.images.shape[1:])
    if sees != got:
        raise UserError(f"data: the classifier takes images {sees}, the data's are {got} (height, width, channels)")
    if len(data.classes) != classifier.num_classes:
        raise UserError(f"data: the classifier has {classifier.num_classes} classes, the data have {len(data.classes)}")
    refuse_another_order(classifier.labels, data.classes, "data")


def refuse_another_order(ours: Sequence[str], theirs: Sequence[str], whose: str) -> None:
    """Refuses classes of the same names in another order: their indices would be other classes."""
    if sorted(ours) == sorted(theirs) and list(ours) != list(theirs):
        k = next(k for k, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
        said = f"class {k} is {ours[k]} for the classifier, {theirs[k]} in the {whose}"
        raise UserError(f"{said}: give statistics and data whose classes stand in the classifier's order")


def right(classifier: Classifier, images: Bytes, labels: Any) -> Flags:
    """Whether the largest score is the label's, for each image [N]."""
    parts = [ask(classifier, images[lo : lo + BATCH]).argmax(axis=1) for lo in range(0, len(images), BATCH)]
    return np.asarray(np.concatenate(parts) == labels)


def others(classifier: Adapted, images: Bytes) -> dict[str, Any]:
    """The usual ways besides the stated one, with mean and deviation of these images, a channel each."""
    stated, found = classifier.inputs, {}
    for way, (scale, mean, std) in USUAL.items():
        means = tuple(images.mean(axis=(0, 1, 2)) * scale) if mean is None else (mean,)
        deviations = tuple(np.maximum(images.std(axis=(0, 1, 2)), 1) * abs(scale)) if std is None else (std,)
        if np.dtype(stated.dtype).kind in "iu" and (scale, mean, std) != USUAL["0…255"]:
            continue
        inputs = replace(stated, scale=scale, mean=means, std=deviations)
        if not np.allclose(inputs.table, stated.table):
            found[way] = inputs
    return found


def better(found: Sequence[Accuracy]) -> str:
    """What to say where another way than the stated one is right more often than chance would have it, else ''.

    Of images that only one of two ways gets right, as many would be either's (McNemar 1947): two standard deviations.
    """
    stated, *rest = found
    best = max(rest, key=lambda one: one.share, default=stated)
    ours, theirs = int((stated.right & ~best.right).sum()), int((best.right & ~stated.right).sum())
    if theirs - ours <= 2 * (theirs + ours) ** 0.5:
        return ""
    what = f"{100 * stated.share:.1f} % right as stated, {100 * best.share:.1f} % with {best.settings} ({best.way})"
    return f"classifier: {what}, of {len(stated.right)} images: is it shown images as in its training?"


def speeds(classifier: Classifier) -> dict[int, float]:
    """Images a second at several batch sizes, the median of repetitions that take half a second or so."""
    found = {}
    for size in SIZES:
        batch = np.resize(probes(classifier.input_shape), (size, *classifier.input_shape))
        ask(classifier, batch)
        seconds: list[float] = []
        while not seconds or sum(seconds) < SECONDS:
            start = time.perf_counter()
            ask(classifier, batch)
            seconds.append(time.perf_counter() - start)
        found[size] = size / float(np.median(seconds))
    return found
