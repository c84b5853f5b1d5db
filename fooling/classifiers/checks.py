"""Checks before a search: is the output of a classifier valid, does it depend on the batch, how accurate is it?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fooling.classifiers.accuracy import Accuracy, accuracies, check_data, preprocessing_note
from fooling.classifiers.base import Classifier, CountingClassifier, predict_batch, probes
from fooling.data import load_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.settings.schema import RunSettings

REPEATS = 12  # times that the probes are repeated in a large batch: 60 images
TOLERANCE = 1e-3  # rounding may differ with the batch; a larger difference is another answer
MAX_IMAGES = 1000  # labelled images that the accuracy is measured on
READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (one sigmoid per class)"}


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
