"""What experiments are made of: real images, classifiers, statistics, and jobs of `fooling run`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from fooling.classifiers import open_classifier
from fooling.classifiers.accuracy import check_data
from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import check_classifier
from fooling.data import ImageSet, Split, class_counts, load_data
from fooling.errors import UserError
from fooling.kernels.tables import Floats, Ints
from fooling.run import prepare, with_objects
from fooling.search.job import Job
from fooling.settings import load
from fooling.settings.experiments import DamageSettings, MeanSettings
from fooling.settings.schema import AnyClassifierSettings, DataSettings, RunSettings
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.pca import mean_image


def fit_statistics(data: ImageSet | None) -> Statistics | None:
    """The statistics of training images; None where there are none, or they are those of the bundled statistics."""
    return None if data is None or is_of(Statistics.load(BUNDLED), data) else Statistics.fit(data)


def is_of(statistics: Statistics, data: ImageSet) -> bool:
    """Whether statistics were fitted to these images: as many of each class, and the same means to 1/256 grey level."""
    shape, labels = tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)
    if shape != data.images.shape[1:] or labels != data.classes or class_counts(data).tolist() != statistics.count.tolist():
        return False
    flat = data.images.reshape(len(data.images), -1)
    means = [mean_image(flat[data.labels == k].sum(axis=0, dtype=np.int64), int(n)) for k, n in enumerate(statistics.count)]
    return bool(np.array_equal(np.stack(means), statistics.mean))


def make_jobs(
    settings: MeanSettings | DamageSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    words: Sequence[str],
    name: str = "",
) -> list[Job]:
    """The jobs of `fooling run` with these words against a classifier, one for each class. Raises UserError.

    `name`: what records call the classifier if it is not that of the settings. `statistics`: None = the bundled ones.
    """
    chosen = settings.classifier
    if name:
        chosen = chosen.model_copy(update={"name": f"object {name}", "path": None})
    shared = {"classifier": chosen, "resume": settings.resume, "overwrite": settings.overwrite, "quiet": settings.quiet}
    run = load(words, RunSettings, "run").model_copy(update=shared)
    return prepare(with_objects(run, None, statistics), classifier, statistics)


def real_images(data: DataSettings, split: Split, command: str) -> ImageSet:
    """The images of a split of the data. Raises UserError where none are given."""
    if not data.given:
        advice = "give data.path=FOLDER (fooling data get mnist mnist, then data.path=mnist) or data.kind=sklearn"
        raise UserError(f"{command} needs real images: {advice}")
    return load_data(data.path, data.kind, split)


def open_checked(settings: AnyClassifierSettings, data: ImageSet | None) -> Classifier:
    """The classifier, checked, and fitting the data. Where it does not declare its shape, the data or MNIST's statistics do."""
    classifier = open_for(settings, data)
    check_classifier(classifier)
    if data:
        check_data(classifier, data)
    return classifier


def open_for(settings: AnyClassifierSettings, data: ImageSet | None) -> Classifier:
    """The classifier. Where it does not declare its shape, the data or MNIST's statistics do."""

    def shape_hint() -> Any:
        if data:
            return tuple(data.images.shape[1:]), data.classes
        statistics = Statistics.load(BUNDLED)
        return tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)

    return open_classifier(settings, shape_hint)


def classes_of(digit: int | tuple[int, ...] | Literal["all"], classes: int) -> list[int]:
    """The classes as a list. Raises UserError for one that does not exist."""
    targets = list(range(classes)) if digit == "all" else [digit] if isinstance(digit, int) else list(digit)
    if max(targets) >= classes:
        raise UserError(f"digit={max(targets)}: expected classes from 0 to {classes - 1}")
    return targets


def subsample(data: ImageSet, classes: Sequence[int], number: int, seed: int, least: int = 1) -> ImageSet:
    """At most `number` images of these classes, drawn by the seed, in the order of the set; an error below `least`."""
    places = np.flatnonzero(np.isin(data.labels, classes))
    if len(places) < least:
        raise UserError(f"{data.source}: has {len(places)} images of class {', '.join(map(str, classes))}, expected {least}")
    if len(places) > number:
        places = np.sort(np.random.default_rng(seed).choice(places, number, replace=False))
    return replace(data, images=np.ascontiguousarray(data.images[places]), labels=data.labels[places])


def accuracy_and_confidence(scores: Floats, labels: Ints) -> dict[str, Any]:
    """Of scores [N, K] for labels [N]: accuracy with its 95 % interval, and mean and quartiles of the true class's score."""
    confidence = scores[np.arange(len(scores)), labels]
    return {
        "accuracy": proportion_with_ci(int((scores.argmax(axis=1) == labels).sum()), len(labels)),
        "confidence": float(confidence.mean()),
        "quartiles": [float(q) for q in np.quantile(confidence, [0.25, 0.5, 0.75])],
    }


def to_bytes(network: Any) -> bytes:
    """The bytes of a built-in network's file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        network.save(path)
        return path.read_bytes()


def describe_classifier(classifier: Classifier, settings: AnyClassifierSettings) -> dict[str, Any]:
    """A classifier in the results."""
    shape = [int(side) for side in classifier.input_shape]
    return {"name": settings.name, "path": settings.path, "fingerprint": classifier.fingerprint, "input_shape": shape}
