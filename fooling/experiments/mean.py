"""The mean of N evolved images of each class beside the mean of N real ones, and how it sharpens with N."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier
from fooling.data import ImageSet
from fooling.eigen import MEAN_ONE
from fooling.errors import UserError
from fooling.experiment_settings import MeanSettings
from fooling.experiments.evolved import evolve, make_jobs, statistics_of
from fooling.experiments.given import classes_of, drawn, has_data, opened, real_images, told
from fooling.experiments.outcome import Outcome, Task, Watch
from fooling.ladder import RUNGS
from fooling.record import png
from fooling.report import mean
from fooling.result import Result
from fooling.sources import fits
from fooling.statistics import BUNDLED, Statistics

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

NUMBERS = (1, 2, 5)  # times 1, 10, 100, …: the N of the curves
SHOWN = (1, 10)  # N of the picture, besides all


@dataclass(frozen=True)
class Rows:
    """Images of each class from one source."""

    name: str  # of the prior, or real
    images: Sequence[Bytes]  # [N, H, W, C] a class; none of the real ones where only their means are known
    means: Sequence[Doubles]  # [H, W, C] a class, of all N; of real ones of as many as there are


def prepare(settings: MeanSettings) -> Task:
    """Opens the classifier and reads the real images, where they are given."""
    data = real_images(settings.data, "train", "fooling mean") if has_data(settings.data) else None
    classifier = opened(settings.classifier, data)
    bundled = Statistics.load(BUNDLED)
    if data is None and not fits(classifier, bundled):
        sees = f"{classifier.num_classes} classes of images {tuple(classifier.input_shape)}"
        raise UserError(f"fooling mean: no real means of {sees} are bundled; give data.path=FOLDER")
    classes = classes_of(settings.digit, classifier.num_classes)
    return lambda watch: perform(settings, classifier, data, bundled, classes, watch)


def perform(
    settings: MeanSettings,
    classifier: Classifier,
    data: ImageSet | None,
    bundled: Statistics,
    classes: Sequence[int],
    watch: Watch,
) -> Outcome:
    """Evolves images of each class with each prior, and compares their means with the real ones."""
    from fooling.experiments.mean_chart import chart

    statistics = statistics_of(data, watch)
    real = real_rows(settings, data, bundled, classes)
    rows, found = [], []
    for prior in [name for name in RUNGS if name in settings.priors or "all" in settings.priors]:
        words = [f"prior={prior}", f"digit={','.join(map(str, classes))}", f"runs={settings.runs}", f"seed={settings.seed}"]
        words += [f"generations={settings.generations}"] if settings.generations else []
        results = evolve(make_jobs(classifier, settings.classifier, statistics, words), watch, f"prior={prior}")
        rows.append(Rows(prior, [one.images for one in results], [whole_mean(one.images) for one in results]))
        found.append({"prior": prior, "classes": [of_class(one, real.means[i]) for i, one in enumerate(results)]})
    result: dict[str, Any] = {
        "classifier": told(classifier, settings.classifier),
        "labels": [classifier.labels[k] for k in classes],
        "runs": settings.runs,
        "numbers": numbers(settings.runs),
        "real_means": f"all training images of {data.source}" if data else "the bundled statistics of MNIST",
        "priors": found,
        "real": [sharpening(images, real.means[i]) for i, images in enumerate(real.images)] if data else None,
    }
    files = {f"means/{row.name}-{label}.png": png(mean(images)) for row in rows for label, images in labelled(classes, row)}
    return Outcome(result, chart(result, real, rows), *table(result), said=in_words(result), files=files)


def labelled(classes: Sequence[int], row: Rows) -> list[tuple[str, Bytes]]:
    """The images of a row with the class of each."""
    return [(f"digit={k}", images) for k, images in zip(classes, row.images, strict=True)]


def real_rows(settings: MeanSettings, data: ImageSet | None, bundled: Statistics, classes: Sequence[int]) -> Rows:
    """N real images of each class, and the means of all there are; without data just the bundled means."""
    if data is None:
        shape = tuple(int(side) for side in bundled.shape)
        return Rows("real", [], [(bundled.mean[k] / MEAN_ONE).reshape(shape) for k in classes])
    images = [drawn(data, [k], settings.runs, settings.seed).images for k in classes]
    return Rows("real", images, [whole_mean(data.images[data.labels == k]) for k in classes])


def whole_mean(images: Bytes) -> Doubles:
    """The mean of images [N, H, W, C], grey levels, not rounded."""
    return np.asarray(images.mean(axis=0, dtype=np.float64))


def numbers(runs: int) -> list[int]:
    """1, 2, 5, 10, 20, …, and all."""
    found = [number * 10**power for power in range(7) for number in NUMBERS]
    return [*(number for number in found if number < runs), runs]


def of_class(found: Result, real: Doubles) -> dict[str, Any]:
    """What is said of the images of a class and a prior."""
    return {
        "digit": int(found.classes[0]),
        "confidence": float(np.median(found.confidence)),
        "converged": int(found.converged.sum()),
        "correlation": sharpening(found.images, real),
    }


def sharpening(images: Bytes, real: Doubles) -> list[float]:
    """Correlation, pixel by pixel, of the mean of N images with the real mean, for each N of `numbers`.

    For N below all: the mean over as many groups of N images as there are.
    """
    found = []
    for number in numbers(len(images)):
        groups = images[: len(images) // number * number].reshape(-1, number, *images.shape[1:]).mean(axis=1)
        found.append(float(np.mean([correlation(group, real) for group in groups])))
    return found


def correlation(one: Doubles, other: Doubles) -> float:
    """Pearson's, over the pixels; 0 where one of them is all of one grey."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else 0.0


def over_classes(lists: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Median and quartiles over the classes, for each N."""
    low, middle, high = np.quantile(np.array(lists), [0.25, 0.5, 0.75], axis=0)
    return {"low": low.tolist(), "median": middle.tolist(), "high": high.tolist()}


def table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line a prior: correlations at a few N, medians over the classes."""
    shown = [n for n in result["numbers"] if n in (*SHOWN, 100, 1000, result["runs"])]
    columns = ["prior", "confidence", *(f"N = {n}" for n in shown)]
    places = [result["numbers"].index(n) for n in shown]
    rows = []
    for found in result["priors"]:
        middle = over_classes([one["correlation"] for one in found["classes"]])["median"]
        confidence = float(np.median([one["confidence"] for one in found["classes"]]))
        rows.append([found["prior"], f"{confidence:.2%}", *(f"{middle[i]:.2f}" for i in places)])
    if result["real"] and all(len(one) == len(result["numbers"]) for one in result["real"]):
        middle = over_classes(result["real"])["median"]
        rows.append(["real images", "", *(f"{middle[i]:.2f}" for i in places)])
    return columns, rows


def in_words(result: dict[str, Any]) -> list[str]:
    """What the numbers are."""
    what = "correlation of the mean of N images with the class's real mean, median over the classes"
    return [what, f"real means: of {result['real_means']}"]
