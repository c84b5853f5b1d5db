"""Images that an experiment evolves itself, by the main job's own machinery, without a record."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from fooling.classifiers import open_classifier
from fooling.classifiers.accuracy import check_data
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.checks import check_classifier
from fooling.commands.outcome import ProgressCallback
from fooling.data import ImageSet, Split, class_counts, load_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.run import prepare, run_job
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.settings import load
from fooling.settings.classifiers import AnyClassifierSettings as Chosen
from fooling.settings.schema import DataSettings, RunSettings
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.pca import mean_image


def statistics_of(data: ImageSet | None, watch: ProgressCallback) -> Statistics | None:
    """Of training images; the bundled ones where they are of just these, None without data: the main job then chooses."""
    if data is None:
        return None
    bundled = Statistics.load(BUNDLED)
    return bundled if is_of(bundled, data) else Statistics.fit(data, watch=watch)


def is_of(statistics: Statistics, data: ImageSet) -> bool:
    """Whether statistics were fitted to these images: as many of each class, and the same means to 1/256 grey level."""
    shape, labels = tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)
    if shape != data.images.shape[1:] or labels != data.classes or class_counts(data).tolist() != statistics.count.tolist():
        return False
    flat = data.images.reshape(len(data.images), -1)
    means = [mean_image(flat[data.labels == k].sum(axis=0, dtype=np.int64), int(n)) for k, n in enumerate(statistics.count)]
    return bool(np.array_equal(np.stack(means), statistics.mean))


def make_jobs(classifier: Classifier, chosen: Chosen, statistics: Statistics | None, words: Sequence[str]) -> list[Job]:
    """The main job's jobs by its own words, such as prior=none digit=all, a job a class. Raises UserError."""
    settings = load([*words, "quiet=true"], RunSettings, "run").model_copy(update={"classifier": chosen})
    return prepare(settings, classifier, statistics)


def evolve(jobs: Sequence[Job], watch: ProgressCallback, what: str) -> list[Result]:
    """Runs the jobs one after the other; `watch` hears of their generations."""
    results = []
    for number, job in enumerate(jobs):
        last = max(1, job.criteria.last)

        def hear(row: dict[str, float], number: int = number, last: int = last) -> None:
            watch(what, number * 100 + min(99, int(100 * row["generation"] / last)), 100 * len(jobs))

        watch(what, 100 * number, 100 * len(jobs))
        results.append(run_job(job, None, hear))
    return results


def real_images(data: DataSettings, split: Split, command: str) -> ImageSet:
    """The images of a split of the data. Refuses to go on without."""
    if not data.given:
        advice = "give data.path=FOLDER (fooling data get mnist mnist, then data.path=mnist) or data.kind=sklearn"
        raise UserError(f"{command} needs real images: {advice}")
    return load_data(data.path, data.kind, split)


def opened(chosen: Chosen, data: ImageSet | None) -> Classifier:
    """The classifier, examined; the data, or else MNIST's statistics, tell the size of its images where it does not say."""

    def like() -> Any:
        if data:
            return tuple(data.images.shape[1:]), data.classes

        statistics = Statistics.load(BUNDLED)
        return tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)

    classifier = open_classifier(chosen, like)
    check_classifier(classifier)
    if data:
        check_data(classifier, data)
    return classifier


def classes_of(digit: int | tuple[int, ...] | Literal["all"], classes: int) -> list[int]:
    """The wanted classes as a list. Refuses one that does not exist."""
    wanted = list(range(classes)) if digit == "all" else [digit] if isinstance(digit, int) else list(digit)
    if max(wanted) >= classes:
        raise UserError(f"digit={max(wanted)}: expected classes from 0 to {classes - 1}")
    return wanted


def subsample(data: ImageSet, classes: Sequence[int], number: int, seed: int, least: int = 1) -> ImageSet:
    """At most so many images of these classes, drawn by the seed, in the order of the set. Refuses fewer than `least`."""
    places = np.flatnonzero(np.isin(data.labels, classes))
    if len(places) < least:
        raise UserError(f"{data.source}: has {len(places)} images of class {', '.join(map(str, classes))}, expected {least}")
    if len(places) > number:
        places = np.sort(np.random.default_rng(seed).choice(places, number, replace=False))
    return replace(data, images=np.ascontiguousarray(data.images[places]), labels=data.labels[places])


def predict_scores(classifier: Classifier, images: Bytes) -> Floats:
    """Scores [N, K] of images [N, H, W, C], a batch at a time."""
    return predict(classifier, images)


def accuracy_and_confidence(scores: Floats, labels: Ints) -> dict[str, Any]:
    """How right scores [N, K] are for labels [N]: accuracy with its 95 % interval, and the confidence in the right class.

    `confidence` is the mean over the images; `quartiles` are those of the images.
    """
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


def os_errors(classifier: Classifier, chosen: Chosen) -> dict[str, Any]:
    """What a result says of a classifier."""
    shape = [int(side) for side in classifier.input_shape]
    return {"name": chosen.name, "path": chosen.path, "fingerprint": classifier.fingerprint, "input_shape": shape}
