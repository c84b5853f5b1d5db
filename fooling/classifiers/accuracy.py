"""Accuracy of a classifier under the configured preprocessing and the usual others, its speed, and whether data fit it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.base import BATCH, Classifier, predict, predict_batch, probes
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Flags, Ints

SIZES = (1, 10, 100, 1000)  # of the batches whose speed is measured
SECONDS = 0.5  # per measurement, about

# Usual preprocessings of grey levels: name → scale, mean, std; None is the mean or deviation of the data.
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
    """Accuracy of a classifier under one preprocessing."""

    preprocessing: str  # the name in USUAL, or "as stated"
    settings: str  # that choose it
    is_correct: Flags  # [N]

    @property
    def share(self) -> float:
        """Accuracy, 0 … 1."""
        return float(self.is_correct.mean())


def accuracies(classifier: Classifier, data: ImageSet, limit: int = BATCH) -> list[Accuracy]:
    """Accuracy as configured and, of an external model, under the usual other preprocessings; on at most `limit` images.

    Raises UserError where the classes or sizes of the data are not the classifier's.
    """
    check_data(classifier, data)
    places = np.linspace(0, len(data.labels) - 1, min(limit, len(data.labels))).astype(int)
    images, labels = data.images[places], data.labels[places]
    rows = [Accuracy("as stated", "", is_correct(classifier, images, labels))]
    for name, inputs in other_preprocessings(classifier, images).items():
        settings = str(inputs).partition(", ")[2]
        external: Any = classifier
        try:
            rows.append(Accuracy(name, settings, is_correct(external.with_preprocessing(inputs), images, labels)))
        except UserError:  # the model cannot handle such numbers
            continue
    return rows


def is_correct(classifier: Classifier, images: Bytes, labels: Ints) -> Flags:
    """Whether the largest score is the label's, for each image [N]."""
    return np.asarray(predict(classifier, images).argmax(axis=1) == labels)


def other_preprocessings(classifier: Any, images: Bytes) -> dict[str, Any]:
    """The usual preprocessings but the configured one, with mean and deviation of these images per channel.

    Only an external model (`adapters.adapter.AdaptedClassifier`) has any.
    """
    if not hasattr(classifier, "with_preprocessing"):
        return {}
    configured, others = classifier.inputs, {}
    for name, (scale, mean, std) in USUAL.items():
        means = tuple(images.mean(axis=(0, 1, 2)) * scale) if mean is None else (mean,)
        deviations = tuple(np.maximum(images.std(axis=(0, 1, 2)), 1) * abs(scale)) if std is None else (std,)
        if np.dtype(configured.dtype).kind in "iu" and (scale, mean, std) != USUAL["0…255"]:
            continue
        inputs = replace(configured, scale=scale, mean=means, std=deviations)
        if not np.allclose(inputs.table, configured.table):
            others[name] = inputs
    return others


def preprocessing_note(rows: Sequence[Accuracy]) -> str:
    """A note where another preprocessing than the configured one is significantly more accurate, else ''.

    Of the images that exactly one of two preprocessings classifies correctly, chance would give each half (McNemar 1947); the
    note comes from two standard deviations on.
    """
    configured, *others = rows
    best = max(others, key=lambda row: row.share, default=configured)
    only_configured = int((configured.is_correct & ~best.is_correct).sum())
    only_best = int((best.is_correct & ~configured.is_correct).sum())
    if only_best - only_configured <= 2 * (only_best + only_configured) ** 0.5:
        return ""
    return (
        f"classifier: accuracy is {100 * configured.share:.1f} % with the configured preprocessing "
        f"but {100 * best.share:.1f} % with {best.settings} ({best.preprocessing}), on {len(configured.is_correct)} images; "
        "check classifier.scale, mean and std"
    )


def check_data(classifier: Classifier, data: ImageSet) -> None:
    """Raises UserError for images of another size, or of other classes."""
    expected, got = tuple(classifier.input_shape), tuple(data.images.shape[1:])
    if expected != got:
        raise UserError(f"data: the classifier takes images {expected}, the data's are {got} (height, width, channels)")
    if len(data.classes) != classifier.num_classes:
        raise UserError(f"data: the classifier has {classifier.num_classes} classes, the data have {len(data.classes)}")
    check_class_order(classifier.labels, data.classes, "data")


def check_class_order(labels: Sequence[str], others: Sequence[str], source: str) -> None:
    """Raises UserError for the same class names in another order: an index would mean another class."""
    if sorted(labels) == sorted(others) and list(labels) != list(others):
        k = next(k for k, (one, other) in enumerate(zip(labels, others, strict=True)) if one != other)
        difference = f"class {k} is {labels[k]} for the classifier, {others[k]} in the {source}"
        raise UserError(f"{difference}; give statistics and data whose classes are in the classifier's order")


def speeds(classifier: Classifier) -> dict[int, float]:
    """Images per second at several batch sizes: the median of repetitions that take about half a second."""
    rates = {}
    for size in SIZES:
        batch = np.resize(probes(classifier.input_shape), (size, *classifier.input_shape))
        predict_batch(classifier, batch)
        seconds: list[float] = []
        while not seconds or sum(seconds) < SECONDS:
            start = time.perf_counter()
            predict_batch(classifier, batch)
            seconds.append(time.perf_counter() - start)
        rates[size] = size / float(np.median(seconds))
    return rates
