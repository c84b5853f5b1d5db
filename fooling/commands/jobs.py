"""The jobs of a command: what they are made of (images, classifier, statistics), and how they run.

They run one after the other, each with a record in the command's folder. A finished one is read again.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from fooling.classifiers import open_classifier, open_given
from fooling.classifiers.accuracy import check_data
from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.labels import class_indices, refuse_two_meanings
from fooling.commands.console import InterruptHandler
from fooling.commands.progress import LONG_SECONDS, PLACE_SECONDS, ProgressDisplay
from fooling.data import ImageSet, ImageStream, Split, class_counts, load_data, seen_by, stream_data
from fooling.errors import Interrupted, UserError, counted, duration
from fooling.kernels.numba.compile import cores, working_time
from fooling.kernels.tables import Floats, Ints
from fooling.records.ownership import axes_in_words, kind_of
from fooling.records.record import read_images, read_run, status_of
from fooling.records.resume import check_same
from fooling.run import prepare, record_job
from fooling.search.inputs import shape_and_labels, with_objects
from fooling.search.job import Job, checkpoint_of, evaluate
from fooling.search.result import Result
from fooling.settings import dump, load, without_secrets
from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.experiments import DamageSettings, MeanSettings
from fooling.settings.fields import user_path
from fooling.settings.schema import DataSettings, RunSettings, data_options
from fooling.statistics import BUNDLED, Statistics, fit_present
from fooling.statistics.intervals import accuracy
from fooling.statistics.pca import mean_image


@dataclass(frozen=True)
class GridEntry:
    """A job and its place in the grid of a command: the value of each axis besides the classes."""

    job: Job
    axes: Mapping[str, str] = field(default_factory=dict)  # as in {"rung": "eigen", "arm": "control"}

    @property
    def row(self) -> str:
        """The axes with their values, '' if there are none."""
        return ",".join(f"{axis}={value}" for axis, value in self.axes.items())

    @property
    def words(self) -> str:
        """The same for people."""
        return axes_in_words(self.axes)

    @property
    def folder(self) -> str:
        """The name of its record folder."""
        prior = self.job.settings.prior.digit
        classes = f"digit={self.job.digit}" if prior is None else f"prior={prior},digit={self.job.digit}"
        return f"{self.row},{classes}" if self.axes else classes


def run_grid(
    entries: Sequence[GridEntry], folder: Path, console: Console, signals: InterruptHandler, seconds: float | None = None
) -> list[Result]:
    """The results of all jobs, in this order. Raises Interrupted after a signal; the records hold what is done until then.

    `seconds`: time for all of them. The job that passes it is interrupted; the results are those of the jobs before.
    """
    results, begun = [], working_time()
    signals.deadline = None if seconds is None else begun + seconds
    shown, computed = time.perf_counter(), 0
    for number, entry in enumerate(entries):
        place, now = folder / entry.folder, time.perf_counter()
        result = read_result(entry.job, place)
        if result is None and signals.is_over():
            break
        if result is None:
            left = rest(working_time() - begun, computed, len(entries) - number)
            title, line = (f"{text}, {left}" if text and left else text for text in titles(entry, entries, place))
            if left and not title and not console.is_terminal and not entry.job.settings.quiet and now - shown >= PLACE_SECONDS:
                title = f"{number} of {len(entries)} jobs are done, {left}"
            shown, computed = now if title else shown, computed + 1
            try:
                result = run_entry(entry.job, place, console, signals, title=title, place=line, success=False)
            except Interrupted:
                if signals.code:
                    raise
                break
        results.append(result)
    return results


def rest(seconds: float, computed: int, left: int) -> str:
    """How long the jobs that are left will take, by those that were computed; '' where it is not known or short."""
    estimate = left * seconds / computed if computed else 0.0
    return f"all jobs: about {duration(estimate)} left" if computed and estimate >= LONG_SECONDS else ""


def run_entry(
    job: Job, folder: Path, console: Console, signals: InterruptHandler, *, title: str, place: str = "", success: bool = True
) -> Result:
    """Runs one job in its record folder, with its progress on the console."""
    bill = getattr(job.objective.classifier, "bill", None)
    with ProgressDisplay(console, title, job.criteria, signals, job.settings.quiet, place, not job.unit, bill) as display:
        return record_job(job, folder, display, success=success)


def read_result(job: Job, folder: Path) -> Result | None:
    """The result of a finished job, from its record; None if it is not to be resumed, has not finished, or goes on further."""
    if not job.settings.resume or kind_of(folder) != "job" or status_of(folder) != "done":
        return None
    config = dump(job.settings)
    if check_same(folder, config, job.fingerprints, job.fixed_limits):
        return None
    saved = checkpoint_of(job, folder, config)
    if saved is None:
        return None
    history, _ = saved
    return evaluate(job, history, read_images(folder, job.images), str(folder))


def describe_job(folder: Path, name: str) -> dict[str, Any]:
    """The entry of a job in a status file: its folder, status and totals."""
    run = read_run(folder / name)
    keys = ("digit", "label", "status", "evaluations", "generations", "seconds", "converged")
    return {"folder": name, **{key: run[key] for key in keys if key in run}}


def titles(entry: GridEntry, entries: Sequence[GridEntry], folder: Path) -> tuple[str, str]:
    """The line above the progress of a job and, where there are rows, its place among all jobs; a row has one line."""
    if not entry.row:
        return title_of(entry.job, folder), ""
    number = next(i for i, other in enumerate(entries, 1) if other.folder == entry.folder)
    first = next(other for other in entries if other.row == entry.row).folder == entry.folder
    return entry.words if first else "", f"{number}/{len(entries)}  {entry.words}, {entry.job.target}"


def title_of(job: Job, folder: Path) -> str:
    """A job in a line."""
    settings = job.settings
    classifier = f"{settings.classifier.name}{' (its weight 0: control)' if settings.control else ''}"
    prior = settings.prior.name + (f" of {settings.prior.digit}" if settings.prior.digit is not None else "")
    runs = "one archive" if job.criteria.joint else counted(job.criteria.runs, "run")
    return f"{job.target}: {runs}, prior {prior}, classifier {classifier} → {folder}"


def fit_statistics(data: ImageSet | None) -> Statistics | None:
    """The statistics of training images; None where there are none, or they are those of the bundled statistics."""
    return None if data is None or is_of(Statistics.load(BUNDLED), data) else fit_present(data.stream())


def is_of(statistics: Statistics, data: ImageSet) -> bool:
    """Whether statistics were fitted to these images: as many of each class, and the same means to 1/256 grey level."""
    shape, labels = shape_and_labels(statistics)
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


def real_images(settings: Any, command: str, *splits: Split, classifier: Classifier | None = None) -> list[ImageSet]:
    """The images of splits of the data, for a classifier if there is one; says what was done to them.

    Raises UserError where no data are given, and where they do not fit the classifier.
    """
    data: DataSettings = settings.data
    if not data.given:
        advice = "give data.path=FOLDER (fooling data get mnist mnist, then data.path=mnist) or data.kind=sklearn"
        raise UserError(f"{command} needs real images: {advice}")
    options = data_options(settings) | (seen_by(classifier) if classifier else {})
    found = [load_data(data.path, data.kind, split, **options) for split in splits]
    for images in found:
        if classifier:
            check_data(classifier, images)
    say_notes(settings.quiet, *found)
    return found


def say_notes(quiet: bool, *sets: ImageSet | ImageStream) -> None:
    """Prints what was done to the images of sets, each note once."""
    for note in dict.fromkeys(note for images in sets for note in images.notes):
        if not quiet:
            print(note)


def record_folder(name: str | None, example: str) -> Path:
    """The folder of a record that a command is about. Raises UserError, with an example of the command, where there is none."""
    if not name:
        raise UserError(f"folder: expected a record folder, as in {example}; got none")
    folder = user_path(name)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one that `fooling run` has written")
    return folder


def open_checked(settings: AnyClassifierSettings, data: DataSettings | None, given: Any = None) -> Classifier:
    """The classifier, or a given object, checked. Where it does not declare its shape, the data or MNIST's statistics do."""
    classifier = open_for(settings, data, given)
    check_classifier(classifier)
    return classifier


def open_for(settings: AnyClassifierSettings, data: DataSettings | None, given: Any = None) -> Classifier:
    """The classifier, or a given object as one. Where it does not declare its shape, the data or MNIST's statistics do."""

    def shape_hint() -> Any:
        if data and data.given:
            stream = stream_data(data.path, data.kind, **data.options)
            return stream.shape, stream.classes
        return shape_and_labels(Statistics.load(BUNDLED))

    return open_classifier(settings, shape_hint, cores()) if given is None else open_given(given, settings, shape_hint, cores())


def classes_of(digit: int | str | tuple[int | str, ...], labels: Sequence[str]) -> list[int]:
    """The classes as a list. Raises UserError for one that does not exist."""
    refuse_two_meanings(digit, labels)
    targets = class_indices(digit, labels)
    if max(targets) >= len(labels):
        raise UserError(f"digit={max(targets)}: expected classes from 0 to {len(labels) - 1}")
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
        "accuracy": accuracy(scores, labels),
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
    path = without_secrets(settings.path)
    return {"name": settings.name, "path": path, "fingerprint": classifier.fingerprint, "input_shape": shape}
