"""The mean of N evolved images of each class beside the mean of N real ones, and how it sharpens with N."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.commands import experiment
from fooling.commands.inputs import (
    classes_of,
    evolve,
    make_jobs,
    opened,
    os_errors,
    real_images,
    statistics_of,
    subsample,
)
from fooling.commands.ladder import RUNGS
from fooling.commands.outcome import ExperimentResult, ProgressCallback, Task
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles
from fooling.plots.mean import FigureData, Quartiles, chart
from fooling.plots.sheets import mean
from fooling.records.files import png
from fooling.search.loaders import fits
from fooling.search.result import Result
from fooling.settings.experiments import MeanSettings
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.pca import MEAN_ONE

SHOWN = (1, 10)  # N of the mean images in the picture, besides all
NUMBERS = (1, 2, 5)  # times 1, 10, 100, …: the N of the curves


@dataclass(frozen=True)
class ImagesByClass:
    """Images of each class from one source."""

    name: str  # of the prior, or real
    images: Sequence[Bytes]  # [N, H, W, C] of each class; empty for the bundled statistics, which hold only means
    means: Sequence[Doubles]  # [H, W, C] of each class: of all N, or of all real images there are


def prepare(settings: MeanSettings) -> Task:
    """Opens the classifier and reads the real images, where they are given."""
    data = real_images(settings.data, "train", "fooling mean") if settings.data.given else None
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
    watch: ProgressCallback,
) -> ExperimentResult:
    """Evolves images of each class with each prior, and compares their means with the real ones."""

    statistics = statistics_of(data, watch)
    real = real_rows(settings, data, bundled, classes)
    rows, found = [], []
    for prior in [name for name in RUNGS if name in settings.priors or "all" in settings.priors]:
        words = [f"prior={prior}", f"digit={','.join(map(str, classes))}", f"runs={settings.runs}", f"seed={settings.seed}"]
        words += [f"generations={settings.generations}"] if settings.generations else []
        results = evolve(make_jobs(classifier, settings.classifier, statistics, words), watch, f"prior={prior}")
        rows.append(ImagesByClass(prior, [one.images for one in results], [whole_mean(one.images) for one in results]))
        found.append({"prior": prior, "classes": [of_class(one, real.means[i]) for i, one in enumerate(results)]})
    result: dict[str, Any] = {
        "classifier": os_errors(classifier, settings.classifier),
        "labels": [classifier.labels[k] for k in classes],
        "runs": settings.runs,
        "numbers": numbers(settings.runs),
        "real_means": f"all training images of {data.source}" if data else "the bundled statistics of MNIST",
        "priors": found,
        "real": [correlation_curve(images, real.means[i]) for i, images in enumerate(real.images)] if data else None,
    }
    files = {f"means/{row.name}-{label}.png": png(mean(images)) for row in rows for label, images in labelled(classes, row)}
    return ExperimentResult(
        result,
        chart(result, FigureData(mean_images([real, *rows], settings.runs), curves(result))),
        *table(result),
        said=in_words(result),
        files=files,
    )


def mean_images(rows: Sequence[ImagesByClass], runs: int) -> dict[int, dict[str, list[Doubles]]]:
    """N → source → the mean of N images of each class; white where the real images are unknown. The last N is all."""
    found = {
        number: {row.name: [whole_mean(images[:number]) for images in row.images] or white(row.means) for row in rows}
        for number in SHOWN
        if number < runs
    }
    return {**found, runs: {row.name: list(row.means) for row in rows}}


def white(means: Sequence[Doubles]) -> list[Doubles]:
    """White images of the same shape."""
    return [np.full_like(one, 255) for one in means]


def whole_mean(images: Bytes) -> Doubles:
    """The mean of images [N, H, W, C], grey levels, not rounded."""
    return np.asarray(images.mean(axis=0, dtype=np.float64))


def curves(result: dict[str, Any]) -> dict[str, Quartiles]:
    """Source → quartiles over the classes of the correlation with the real mean, at each N."""
    found = {row["prior"]: quartiles([one["correlation"] for one in row["classes"]]) for row in result["priors"]}
    if result["real"] and all(len(one) == len(result["numbers"]) for one in result["real"]):
        found["real"] = quartiles(result["real"])
    return found


def quartiles(lists: Sequence[Sequence[float]]) -> Quartiles:
    """Over the classes, for each N."""
    return Quartiles(*np.quantile(np.array(lists), [0.25, 0.5, 0.75], axis=0).tolist())


def labelled(classes: Sequence[int], row: ImagesByClass) -> list[tuple[str, Bytes]]:
    """The images of a row with the class of each."""
    return [(f"digit={k}", images) for k, images in zip(classes, row.images, strict=True)]


def real_rows(settings: MeanSettings, data: ImageSet | None, bundled: Statistics, classes: Sequence[int]) -> ImagesByClass:
    """N real images of each class, and the means of all there are; without data just the bundled means."""
    if data is None:
        shape = tuple(int(side) for side in bundled.shape)
        return ImagesByClass("real", [], [(bundled.mean[k] / MEAN_ONE).reshape(shape) for k in classes])
    images = [subsample(data, [k], settings.runs, settings.seed).images for k in classes]
    return ImagesByClass("real", images, [whole_mean(data.images[data.labels == k]) for k in classes])


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
        "correlation": correlation_curve(found.images, real),
    }


def correlation_curve(images: Bytes, real: Doubles) -> list[float]:
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


def table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line a prior: correlations at a few N, medians over the classes."""
    shown = [n for n in result["numbers"] if n in (*SHOWN, 100, 1000, result["runs"])]
    columns = ["prior", "confidence", *(f"N = {n}" for n in shown)]
    places = [result["numbers"].index(n) for n in shown]
    middle = {source: quartiles.median for source, quartiles in curves(result).items()}
    rows = []
    for found in result["priors"]:
        confidence = float(np.median([one["confidence"] for one in found["classes"]]))
        rows.append([found["prior"], f"{confidence:.2%}", *(f"{middle[found['prior']][i]:.2f}" for i in places)])
    if "real" in middle:
        rows.append(["real images", "", *(f"{middle['real'][i]:.2f}" for i in places)])
    return columns, rows


def in_words(result: dict[str, Any]) -> list[str]:
    """What the numbers are."""
    what = "correlation of the mean of N images with the class's real mean, median over the classes"
    return [what, f"real means: of {result['real_means']}"]


SUMMARY = "the mean of N evolved images of each class beside that of N real ones"
USAGE = "fooling mean [data.path=PATH] [digit=0,1,2] [priors=[none,eigen]] key=value …"
MEAN = experiment.Experiment("mean", USAGE, MeanSettings, prepare, ("means",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(MEAN, arguments)
