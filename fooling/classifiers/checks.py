"""Checks of a classifier before a search.

Is its output valid? Does it depend on the batch? Do the scores leave a search something to climb? How fast is it? How accurate
is it on the data at hand?
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import numpy as np

from fooling.classifiers.accuracy import Accuracy, accuracies, check_data, preprocessing_note
from fooling.classifiers.base import (
    SAME,
    Classifier,
    CountingClassifier,
    finite_or_refused,
    predict_batch,
    probes,
    raw_scores,
    undefined,
    varied_probes,
)
from fooling.classifiers.labels import target_name
from fooling.classifiers.queries import change_past_cache
from fooling.data import EmptySplitError, load_data, seen_by, stream_data
from fooling.errors import Doubt, UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.fields import foreign_code
from fooling.settings.files import check_size
from fooling.settings.schema import DataSettings, RunSettings, data_options

SIZES = (1, 10, 100, 1000)  # of the batches whose speed is measured
SECONDS = 0.5  # per measurement, about
LONGEST = 1.0  # seconds of a batch, beyond which none is enlarged
ENLARGED, FAR = 10, 3  # a batch is so many times the one before; it may take so many times LONGEST

REPEATS = 6  # times that the probes are repeated in a large batch, with as many others: 60 images
SATURATED = 0.9999  # a largest score above this, for whatever image, is no sign of certainty
FLAT = 1e-5  # as a share of a score, what no image changes it by more than: rounding, and no slope
TOLERANCE = 1e-3  # rounding may differ with the batch; a larger difference is another answer
MAX_IMAGES = 1000  # labelled images that the accuracy is measured on
NO_PART = "no_part_of_a_classifier"
READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (one sigmoid per class)"}


def speeds(classifier: Classifier) -> Iterator[tuple[int, float]]:
    """Batch sizes and images per second, the smallest first: medians of repetitions that take about half a second.

    The last size is the first whose batch takes longer than `LONGEST`, or that before one which would take many times as long.
    """
    for size in SIZES:
        batch = np.resize(probes(classifier.input_shape), (size, *classifier.input_shape))
        predict_batch(classifier, batch)  # the first call may compile
        seconds: list[float] = []
        while not seconds or sum(seconds) < SECONDS:
            start = time.perf_counter()
            predict_batch(classifier, batch)
            seconds.append(time.perf_counter() - start)
        median = float(np.median(seconds))
        yield size, size / median
        if median > LONGEST or median * ENLARGED > FAR * LONGEST:
            return


@dataclass(frozen=True)
class CheckResult:
    """What the checks measured. The names of the fields are keys of run.json."""

    exact: bool  # the scores of an image depend neither on the call, nor on the batch or the place in it
    deviation: float  # largest difference between scores in two calls, alone, in a batch, in it reversed, and in a large one
    classes: int
    sums_to_one: bool  # the scores of each image, to 0.001
    output: str  # the model's output: probability, logit, sigmoid, label
    shown: str  # preprocessing of an external model; '' for others
    constant: Mapping[int, float]  # the classes whose score is the same for all test images, with that score
    notes: tuple[str, ...]  # for the user


@dataclass(frozen=True)
class ClassifierReport:
    """The checks of a job's classifier, as its record has them."""

    examination: CheckResult
    about: Mapping[str, Any]  # for run.json
    notes: tuple[str, ...]  # for the user
    evaluations: int  # images that the checks scored
    seconds: Mapping[int, float] = field(default_factory=dict)  # of the shortest call, by its number of images

    def rate(self, images: int) -> float | None:
        """Images per second in calls of so many; larger calls than those of the checks are taken to be as fast as these."""
        if not self.seconds:
            return None
        sizes = sorted(self.seconds)
        each = {n: min(self.seconds[m] / m for m in sizes if m <= n) for n in sizes}  # the first call of a size may compile
        size = min(max(images, sizes[0]), sizes[-1])
        return size / max(float(np.interp(size, sizes, [n * each[n] for n in sizes])), 1e-9)


def check_classifier(classifier: Classifier, images: Bytes | None = None) -> CheckResult:
    """Scores a few images and raises UserError for a classifier that cannot be attacked.

    Scores must be float [N, K], finite, in [0, 1], the same twice, and for one image the same alone, in a batch and in any
    order (to 0.001). `images` uint8 [N, H, W, C] replace the black, white and noise images of the default.
    """
    check_interface(classifier)
    batch = probes(classifier.input_shape) if images is None else images
    scores, second = predict_batch(classifier, batch), raw_scores(classifier, batch)
    output, gives_labels = getattr(classifier, "output", "probability"), bool(getattr(classifier, "gives_labels", False))
    noise = max(difference(scores, finite_or_refused(second, batch)), change_past_cache(classifier, batch, scores))
    tolerance = np.inf if is_averaged(classifier) else TOLERANCE
    if noise > tolerance:
        got = f"got other scores the second time, by up to {noise:.3g} (at most 0.001 is accepted)"
        advice = "switch off dropout and other randomness, or average calls with classifier.samples=20"
        raise UserError(f"classifier: expected the same scores for the same images, {got}; {advice}")
    alone = np.concatenate([predict_batch(classifier, batch[i : i + 1]) for i in range(len(batch))])
    backwards = predict_batch(classifier, np.ascontiguousarray(batch[::-1]))[::-1]
    large = predict_batch(classifier, np.concatenate([*[batch] * REPEATS, varied_probes(classifier.input_shape)]))
    repeated, varied = np.split(large, [len(batch) * REPEATS])
    others = [alone, backwards, *np.split(repeated, REPEATS)]
    deviation = max(noise, *(difference(scores, other) for other in others))
    if deviation > tolerance:
        raise UserError(
            f"classifier: expected scores that do not depend on the batch, got a change by {deviation:.3g} with the batch "
            f"(at most 0.001 is accepted); {batch_advice(classifier)}"
        )
    everything = np.concatenate([scores, varied])
    constant = no_slope(everything, deviation)
    notes = [] if gives_labels else [*slope_notes(everything, constant), *range_notes(everything, output, "test images")]
    if noise:
        more = "" if is_averaged(classifier) else "; classifier.samples=20 averages calls"
        differ = f"classifier: two calls differ by up to {noise:.1e} for the same images"
        notes.append(Doubt(f"{differ}; runs repeat only approximately{more}"))
    if undefined(second).any():
        notes.append(Doubt("classifier: it has no finite scores for some images of one colour; they count as 0, the worst"))
    return CheckResult(
        exact=deviation == 0.0,
        deviation=deviation,
        classes=classifier.num_classes,
        sums_to_one=bool(np.abs(everything.sum(axis=1) - 1).max() <= TOLERANCE),
        output=output,
        shown=str(getattr(classifier, "inputs", "")),
        constant=constant,
        notes=tuple(notes),
    )


def is_averaged(classifier: Any) -> bool:
    """Whether scores are means of calls that may differ."""
    return bool(getattr(classifier, "samples", 1) > 1)


def difference(scores: Floats, others: Floats) -> float:
    """The largest difference between scores [N, K]."""
    return float(np.abs(scores - others).max())


def batch_advice(classifier: Any) -> str:
    """What helps where scores depend on the batch."""
    training = "is batch normalisation in training mode?"
    chosen, fixed = getattr(classifier, "batch_size", 1), getattr(classifier, "fixed", False)
    return training if chosen == 1 or fixed else f"{training} classifier.batch_size=1 scores each image alone"


def no_slope(scores: Floats, deviation: float = 0.0) -> dict[int, float]:
    """The classes whose score is the same for all images, with that score; scores [N, K], which calls change by `deviation`.

    Changes by less than `FLAT` of the score are no slope.
    """
    spread = np.ptp(scores, axis=0)
    return {int(k): float(scores[0, k]) for k in np.flatnonzero(spread <= np.maximum(deviation, FLAT * scores.max(axis=0)))}


def slope_notes(scores: Floats, constant: Mapping[int, float]) -> tuple[str, ...]:
    """Notes where scores [N, K] of images as different as possible leave a search nothing to climb."""
    where = f"classifier: of {len(scores)} different test images"
    if len(constant) == scores.shape[1]:
        return (Doubt(f"{where} all get the same scores; does the output depend on the input? A search finds no slope"),)
    if np.isin(scores, (0, 1)).all():
        labels = " (labels rather than scores)" if (scores.sum(axis=1) == 1).all() else ""
        return (Doubt(f"{where} all scores are 0 or 1{labels}; without values between them a search finds no slope"),)
    return ()


def target_notes(settings: RunSettings, constant: Mapping[int, float], labels: Sequence[str]) -> tuple[str, ...]:
    """A note where the score of a target class is the same for all test images."""
    targets = settings.digit if isinstance(settings.digit, tuple) else [settings.digit]
    chosen = {k: score for k, score in constant.items() if settings.digit == "all" or k in targets}
    flat = [f"{target_name(k, str(labels[k]))} always gets {score:g}" for k, score in chosen.items()]
    if not flat:
        return ()
    more = f" and {len(flat) - 5} more" if len(flat) > 5 else ""
    return (Doubt(f"classifier: of different test images {', '.join(flat[:5])}{more}; a search may find no slope"),)


def range_notes(scores: Floats, output: str, images: str, share: float = 0.9) -> tuple[str, ...]:
    """Notes where the largest score of each image, scores [N, K], never leaves a narrow band; `images` says of what.

    `share` of images with a largest score near 1 is too much: of real images, most may have one.
    """
    classes, largest, smallest = scores.shape[1], scores.max(axis=1), scores.min(axis=1)
    top = float(np.e / (np.e + classes - 1))  # softmax of 1, 0, 0, …
    band = f"classifier: the largest score of each of {len(scores)} {images} is {largest.min():.4g} … {largest.max():.4g}"
    sums_to_one = bool(np.abs(scores.sum(axis=1) - 1).max() <= SAME)
    is_flat = largest.max() <= top + SAME and bool((largest <= smallest * np.e * (1 + SAME)).all())
    if sums_to_one and is_flat and np.ptp(scores, axis=0).max() > 0:
        advice = "if the model ends in a softmax already, apply no second one (classifier.output=probability)"
        return (Doubt(f"{band}; a softmax of probabilities gives at most {top:.4g} with {classes} classes; {advice}"),)
    if np.mean(largest > SATURATED) >= share and not np.isin(scores, (0, 1)).all():
        cause = "a softmax of percentages, bytes or votes does this" if output == "logit" else "the scores are saturated"
        return (Doubt(f"{band}; {cause}, and a score near 1 says nothing then"),)
    return ()


@foreign_code("classifier: expected an object like fooling.Classifier, got one whose parts cannot be read: ")
def check_interface(classifier: Any) -> None:
    """Raises UserError for an object that lacks a part of `fooling.Classifier`, or has a wrong one."""
    for name in ("input_shape", "num_classes", "labels", "fingerprint", "__call__"):
        if not hasattr(classifier, name):
            raise UserError(f"classifier: expected an object like fooling.Classifier, got one without {name}")
    if hasattr(classifier, NO_PART):
        advice = "its __getattr__ must raise AttributeError for others"
        raise UserError(f"classifier: expected an object like fooling.Classifier, got one with parts of every name; {advice}")
    for name in ("logits", "jax_fn", "jax_layers", "gradient"):
        if not callable(getattr(classifier, name, print)):
            got = type(getattr(classifier, name)).__name__
            raise UserError(f"classifier: expected {name} to be a function of images, got {got}; leave it out if there is none")
    notes = getattr(classifier, "notes", ())
    if not isinstance(notes, tuple | list) or not all(isinstance(note, str) for note in notes):
        raise UserError(f"classifier: expected notes, a tuple of texts, got {type(notes).__name__}; leave them out")
    shape, classes, labels = classifier.input_shape, classifier.num_classes, classifier.labels
    is_shape = isinstance(shape, tuple | list) and len(shape) == 3 and all(isinstance(side, int | np.integer) for side in shape)
    if not is_shape or min(shape) < 1 or shape[2] not in (1, 3):
        raise UserError(f"classifier: expected input_shape (H, W, C) with 1 or 3 channels, got {shape}")
    check_size(f"classifier: an image {tuple(map(int, shape))}", "picture", 4 * prod(map(int, shape)))  # 4 bytes a number
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
        advice, reading = "give classifier.votes=25, which makes scores of them", getattr(classifier, "reading", None)
        why = reading.note.removeprefix("classifier: ") if reading and reading.note else "classifier.output=label"
        raise UserError(f"classifier={name}: expected class scores, got labels only ({why}); {advice}")
    notes, about = list(getattr(classifier, "notes", ())), asdict(result)
    about["constant"] = {str(k): score for k, score in result.constant.items()}
    if result.shown:
        notes.append(f"classifier: preprocessing {result.shown}; output read as {READ.get(result.output, result.output)}")
    rows, data_notes = measure_accuracies(settings, classifier)
    flat = {} if len(result.constant) == result.classes else result.constant  # of which the notes say it already
    notes += [*data_notes, *result.notes, *target_notes(settings, flat, classifier.labels)]
    if rows:
        about |= {"accuracy": rows[0].share, "accuracy_of": len(rows[0].labels)}
        about["accuracy_otherwise"] = {row.settings or row.preprocessing: row.share for row in rows[1:]}
        notes += [note for note in accuracy_notes(rows, result.output) if note not in notes]
    evaluations = counting.evaluations + sum(len(row.labels) for row in rows if row.scored)
    return ClassifierReport(result, about, tuple(notes), evaluations, counting.seconds)


def accuracy_notes(rows: Sequence[Accuracy], output: str) -> tuple[str, ...]:
    """What labelled images say of a classifier."""
    scores = rows[0].scores
    ranges = () if scores is None or output == "label" else range_notes(scores, output, "labelled images", share=1.0)
    note = preprocessing_note(rows)
    return (*ranges, *([Doubt(note)] if note else []))


def conversion_notes(data: DataSettings, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What is done to the images of a set without test images."""
    stream = stream_data(data.path, data.kind, **options)
    for _ in stream:
        pass
    return stream.notes


def measure_accuracies(settings: RunSettings, classifier: Classifier) -> tuple[Sequence[Accuracy], tuple[str, ...]]:
    """Accuracy on the data's test images where data are given, and notes about the data."""
    if not settings.data.given:
        return [], ()
    given, options = settings.data, data_options(settings) | seen_by(classifier)
    try:
        data = load_data(given.path, given.kind, "test", **options)
    except EmptySplitError:
        return [], conversion_notes(given, options)
    check_data(classifier, data)
    return accuracies(classifier, data, MAX_IMAGES), data.notes
