"""Checks of a classifier before a search.

Is its output valid? Does it depend on the batch? How accurate is it under the configured preprocessing and under the usual
others? How fast is it? Do the data fit it?
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.base import BATCH, Classifier, CountingClassifier, predict, predict_batch, probes
from fooling.data import ImageSet, load_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Flags, Ints
from fooling.settings.schema import RunSettings

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
REPEATS = 12  # times that the probes are repeated in a large batch: 60 images
TOLERANCE = 1e-3  # rounding may differ with the batch; a larger difference is another answer
MAX_IMAGES = 1000  # labelled images that the accuracy is measured on
READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (one sigmoid per class)"}


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


@dataclass(frozen=True)
class CheckResult:
    """What the checks measured. The names of the fields are keys of run.json."""

    exact: bool  # the scores of an image depend neither on the batch nor on the place in it
    deviation: float  # largest difference between scores alone, in a batch, in it reversed, and in a large one
    classes: int
    sums_to_one: bool  # the scores of each image, to 0.001
    output: str  # the model's output: probability, logit, sigmoid, label
    shown: str  # preprocessing of an external model; '' for others


@dataclass(frozen=True)
class ClassifierReport:
    """The checks of a job's classifier, as its record has them."""

    examination: CheckResult
    about: Mapping[str, Any]  # for run.json
    notes: tuple[str, ...]  # for the user
    evaluations: int  # images that the checks scored


def check_classifier(classifier: Classifier, images: Bytes | None = None) -> CheckResult:
    """Scores a few images and raises UserError for a classifier that cannot be attacked.

    Scores must be float [N, K], finite, in [0, 1], the same twice, and for one image the same alone, in a batch and in any
    order (to 0.001). `images` uint8 [N, H, W, C] replace the black, white and noise images of the default.
    """
    check_interface(classifier)
    batch = probes(classifier.input_shape) if images is None else images
    scores = predict_batch(classifier, batch)
    if not np.array_equal(scores, predict_batch(classifier, batch)):
        advice = "switch off dropout and other randomness"
        raise UserError(f"classifier: expected the same scores for the same images, got other scores the second time; {advice}")
    alone = np.concatenate([predict_batch(classifier, batch[i : i + 1]) for i in range(len(batch))])
    backwards = predict_batch(classifier, np.ascontiguousarray(batch[::-1]))[::-1]
    repeated = predict_batch(classifier, np.concatenate([batch] * REPEATS)).reshape(REPEATS, *scores.shape)
    deviation = float(max(np.abs(other - scores).max() for other in (alone, backwards, repeated)))
    if deviation > TOLERANCE:
        raise UserError(
            f"classifier: expected scores that do not depend on the batch, got a change by {deviation:.3g} with the batch "
            "(at most 0.001 is accepted); is batch normalisation in training mode?"
        )
    sums_to_one = bool(np.abs(scores.sum(axis=1) - 1).max() <= TOLERANCE)
    output, preprocessing = getattr(classifier, "output", "probability"), str(getattr(classifier, "inputs", ""))
    return CheckResult(deviation == 0.0, deviation, classifier.num_classes, sums_to_one, output, preprocessing)


def check_interface(classifier: Any) -> None:
    """Raises UserError for an object that lacks a part of `fooling.Classifier`, or has a wrong one."""
    for name in ("input_shape", "num_classes", "labels", "fingerprint", "__call__"):
        if not hasattr(classifier, name):
            raise UserError(f"classifier: expected an object like fooling.Classifier, got one without {name}")
    shape, classes, labels = classifier.input_shape, classifier.num_classes, classifier.labels
    is_shape = isinstance(shape, tuple | list) and len(shape) == 3 and all(isinstance(side, int | np.integer) for side in shape)
    if not is_shape or min(shape) < 1 or shape[2] not in (1, 3):
        raise UserError(f"classifier: expected input_shape (H, W, C) with 1 or 3 channels, got {shape}")
    if not isinstance(classes, int | np.integer) or classes < 2:
        raise UserError(f"classifier: expected num_classes of at least 2, got {classes}")
    if not isinstance(labels, tuple | list) or len(labels) != classes:
        raise UserError(f"classifier: expected {classes} labels, got {labels}")
    if not isinstance(classifier.fingerprint, str):
        raise UserError(f"classifier: expected a fingerprint of text, got {type(classifier.fingerprint).__name__}")


def report_on(settings: RunSettings, classifier: Classifier) -> ClassifierReport:
    """Checks the classifier of a job. Raises UserError for one that cannot be attacked."""
    check_interface(classifier)
    counting: Any = CountingClassifier(classifier)
    result = check_classifier(counting)
    if getattr(classifier, "gives_labels", False):
        name = settings.classifier.name
        advice = "export the model with its probabilities or logits"
        raise UserError(f"classifier={name}: expected class scores, got labels only (classifier.output=label); {advice}")
    notes, about = list(getattr(classifier, "notes", ())), asdict(result)
    if result.shown:
        notes.append(f"classifier: preprocessing {result.shown}; output read as {READ[result.output]}")
    rows, data_notes = measure_accuracies(settings, classifier)
    notes += data_notes
    if rows:
        about |= {"accuracy": rows[0].share, "accuracy_of": len(rows[0].is_correct)}
        about["accuracy_otherwise"] = {row.settings: row.share for row in rows[1:]}
        notes += [note for note in [preprocessing_note(rows)] if note]
    evaluations = counting.evaluations + sum(len(row.is_correct) for row in rows)
    return ClassifierReport(result, about, tuple(notes), evaluations)


def measure_accuracies(settings: RunSettings, classifier: Classifier) -> tuple[Sequence[Accuracy], tuple[str, ...]]:
    """Accuracy on the data's test images where data are given, and notes about the data."""
    if not settings.data.given:
        return [], ()
    try:
        data = load_data(settings.data.path, settings.data.kind, "test")
    except UserError:  # a set too small to have test images
        return [], ()
    check_data(classifier, data)
    return accuracies(classifier, data, MAX_IMAGES), data.notes
