"""What else is to be known of a classifier before a search: how often it is right, shown images so or otherwise; its speed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.adapters.adapter import AdaptedClassifier
from fooling.classifiers.base import Classifier, CountingClassifier, ask, probes
from fooling.data import ImageSet, load_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Flags
from fooling.settings.schema import RunSettings


@dataclass(frozen=True)
class CheckResult:
    """What the examination found. `exact`: an image's scores depend neither on the batch it comes in nor on its place there."""

    exact: bool
    deviation: float  # largest difference between an image's scores alone, in a batch, in it turned round, and in a large one
    classes: int
    sums_to_one: bool  # the scores of each image, to 0.001
    output: str  # what its scores are made of: probability, logit, sigmoid, label
    shown: str  # how a foreign classifier is shown images; '' of others


MANY = 12  # times as many images in a large batch: 60
TOLERANCE = 1e-3  # foreign classifiers may round differently in a batch; more than this is another answer


def check_classifier(classifier: Classifier, images: Bytes | None = None) -> CheckResult:
    """Asks the classifier about a few images and refuses one that cannot be searched against.

    Checks: answers float [N, K], finite, in [0, 1], the same twice, and for one image what it says of it in a batch, in any
    order (to 0.001). `images` uint8 [N, H, W, C] stand in for the noise, black and white that are asked by default.
    """
    check_face(classifier)
    batch = probes(classifier.input_shape) if images is None else images
    scores = ask(classifier, batch)
    if not np.array_equal(scores, ask(classifier, batch)):
        raise UserError("classifier: the same images got other scores the second time; switch off dropout and the like")
    alone = np.concatenate([ask(classifier, batch[i : i + 1]) for i in range(len(batch))])
    turned = ask(classifier, np.ascontiguousarray(batch[::-1]))[::-1]
    many = ask(classifier, np.concatenate([batch] * MANY)).reshape(MANY, *scores.shape)
    deviation = float(max(np.abs(other - scores).max() for other in (alone, turned, many)))
    if deviation > TOLERANCE:
        raise UserError(
            f"classifier: an image's scores change by {deviation:.3g} with the batch it comes in; "
            "expected at most 0.001 (is batch normalisation in training mode?)"
        )
    sums_to_one = bool(np.abs(scores.sum(axis=1) - 1).max() <= TOLERANCE)
    output, shown = getattr(classifier, "output", "probability"), str(getattr(classifier, "inputs", ""))
    return CheckResult(deviation == 0.0, deviation, classifier.num_classes, sums_to_one, output, shown)


def check_face(classifier: Any) -> None:
    """Refuses an object that lacks a part of the face of a classifier, or has a strange one."""
    for name in ("input_shape", "num_classes", "labels", "fingerprint", "__call__"):
        if not hasattr(classifier, name):
            raise UserError(f"classifier: expected an object with the face of fooling.Classifier, this one has no {name}")
    shape, classes, labels = classifier.input_shape, classifier.num_classes, classifier.labels
    whole = isinstance(shape, tuple | list) and len(shape) == 3 and all(isinstance(side, int | np.integer) for side in shape)
    if not whole or min(shape) < 1 or shape[2] not in (1, 3):
        raise UserError(f"classifier: expected input_shape (H, W, C) with 1 or 3 channels, got {shape}")
    if not isinstance(classes, int | np.integer) or classes < 2:
        raise UserError(f"classifier: expected num_classes of at least 2, got {classes}")
    if not isinstance(labels, tuple | list) or len(labels) != classes:
        raise UserError(f"classifier: expected {classes} labels, got {labels}")
    if not isinstance(classifier.fingerprint, str):
        raise UserError(f"classifier: expected a fingerprint of text, got {type(classifier.fingerprint).__name__}")


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
    if not isinstance(classifier, AdaptedClassifier):
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


def others(classifier: AdaptedClassifier, images: Bytes) -> dict[str, Any]:
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


MOST = 1000  # labelled images that are asked about


@dataclass(frozen=True)
class ClassifierReport:
    """What was found."""

    examination: CheckResult
    about: Mapping[str, Any]  # what run.json says of it
    notes: tuple[str, ...]  # what a user must know
    evaluations: int  # images that the classifier was shown


def report_on(settings: RunSettings, classifier: Classifier) -> ClassifierReport:
    """Examines a classifier. Refuses what cannot be searched against."""
    check_face(classifier)
    counted: Any = CountingClassifier(classifier)
    found = check_classifier(counted)
    if getattr(classifier, "gives_labels", False):
        said = f"classifier={settings.classifier.name} gives labels only (classifier.output=label)"
        raise UserError(f"{said}: a search needs scores to climb; export the model with its probabilities or logits")
    notes = list(getattr(classifier, "notes", ()))
    if found.shown:
        notes.append(f"classifier: is shown {found.shown}; its answers are read as {READ[found.output]}")
    rows, about = accuracy_rows(settings, classifier), asdict(found)
    if rows:
        about |= {"accuracy": rows[0].share, "accuracy_of": len(rows[0].right)}
        about["accuracy_otherwise"] = {row.settings: row.share for row in rows[1:]}
        notes += [better(rows)] if better(rows) else []
    return ClassifierReport(found, about, tuple(notes), counted.evaluations + sum(len(row.right) for row in rows))


READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (a sigmoid each)"}


def accuracy_rows(settings: RunSettings, classifier: Classifier) -> Sequence[Accuracy]:
    """How often it is right on the data's test images, where data are given, as stated and otherwise."""
    data = settings.data
    if not data.given:
        return []

    try:
        images = load_data(data.path, data.kind, "test")
    except UserError:  # a set too small to have test images
        return []
    check_data(classifier, images)
    return accuracies(classifier, images, MOST)
