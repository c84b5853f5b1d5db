"""`fooling mean`: the mean of N evolved images of each class beside that of N real ones, and its convergence with N."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import (
    GridEntry,
    classes_of,
    describe_classifier,
    fit_statistics,
    make_jobs,
    open_checked,
    real_images,
    subsample,
)
from fooling.commands.ladder import RUNGS
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles
from fooling.plots import percent, sheets, shorten
from fooling.plots.style import (
    COLOURS,
    INK,
    LABEL,
    TINY,
    TITLE,
    band,
    centred,
    curve,
    headline,
    label_axes,
    legend,
    log_axis,
    new_figure,
    tile,
    to_png,
)
from fooling.records.files import png, write_atomically
from fooling.search.inputs import fits
from fooling.search.result import Result
from fooling.settings.experiments import MeanSettings
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.pca import MEAN_ONE

MAX_CLASSES = 10
LETTERS, SHORT = 9, 4  # of a class name, at most; fewer than SHORT are written large
SIDE = 0.55  # of a tile with its margins, inches
GAP = 0.3  # between blocks, tiles
LEAST = 9.0  # width of the picture, inches
NAMES = {"none": "no prior", "real": "real images"}
SHOWN = (1, 10)  # N of the mean images in the picture, besides all
NUMBERS = (1, 2, 5)  # times 1, 10, 100, …: the N of the curves


class Quartiles(NamedTuple):
    """Quartiles of the correlation over the classes, for each N of the curve."""

    low: Sequence[float]
    median: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary: mean images, and correlations over the classes."""

    means: Mapping[int, Mapping[str, Sequence[Doubles]]]  # N → source (real or a prior) → [H, W, C] of each class
    curves: Mapping[str, Quartiles]  # source → how the correlation with the real mean rises with N


@dataclass(frozen=True)
class ImagesByClass:
    """Images of each class from one source."""

    name: str  # of the prior, or real
    images: Sequence[Bytes]  # [N, H, W, C] of each class; empty for the bundled statistics, which hold only means
    means: Sequence[Doubles]  # [H, W, C] of each class: of all N, or of all real images there are


def plan(settings: MeanSettings, _words: Sequence[str]) -> Plan:
    """Opens the classifier and reads the real images, where they are given; a job for each prior and class."""
    classifier = open_checked(settings.classifier, settings.data)
    data = real_images(settings, "fooling mean", "train", classifier=classifier)[0] if settings.data.given else None
    bundled = Statistics.load(BUNDLED)
    if data is None and not fits(classifier, bundled):
        sees = f"{classifier.num_classes} classes of images {tuple(classifier.input_shape)}"
        raise UserError(f"fooling mean: no real means of {sees} are bundled; give data.path=FOLDER")
    classes = classes_of(settings.digit, classifier.labels)
    statistics, entries = fit_statistics(data), []
    for prior in [name for name in RUNGS if name in settings.priors or "all" in settings.priors]:
        words = [f"prior={prior}", f"digit={','.join(map(str, classes))}", f"runs={settings.runs}", f"seed={settings.seed}"]
        words += [f"generations={settings.generations}"] if settings.generations else []
        jobs = make_jobs(settings, classifier, statistics, words)
        entries += [GridEntry(job, {"prior": prior}) for job in jobs]
    return Plan(entries, inputs=(classifier, data, bundled, classes))


def compute(settings: MeanSettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """Compares the means of the evolved images with the real ones."""
    classifier, data, bundled, classes = plan.inputs
    real = real_rows(settings, data, bundled, classes)
    of_prior: dict[str, list[Result]] = {}
    for entry, result in zip(plan.entries, results, strict=True):
        of_prior.setdefault(entry.axes["prior"], []).append(result)
    rows = [
        ImagesByClass(p, [r.images for r in several], [whole_mean(r.images) for r in several])
        for p, several in of_prior.items()
    ]
    found = [
        {"prior": prior, "classes": [of_class(one, mean) for one, mean in zip(several, real.means, strict=True)]}
        for prior, several in of_prior.items()
    ]
    summary: dict[str, Any] = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "labels": [classifier.labels[k] for k in classes],
        "runs": settings.runs,
        "numbers": numbers(settings.runs),
        "real_means": f"all training images of {data.source}" if data else "the bundled statistics of MNIST",
        "priors": found,
        "real": [correlation_curve(images, real.means[i]) for i, images in enumerate(real.images)] if data else None,
    }
    files = {
        f"means/{row.name}-{label}.png": png(sheets.mean(images)) for row in rows for label, images in labelled(classes, row)
    }
    figure = FigureData(mean_images([real, *rows], settings.runs), curves(summary))
    return Summary(summary, *table(summary), in_words(summary), figure, files)


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
    """The images of a class and a prior in mean.json."""
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
        rows.append([found["prior"], percent(confidence), *(f"{middle[found['prior']][i]:.2f}" for i in places)])
    if "real" in middle:
        rows.append(["real images", "", *(f"{middle['real'][i]:.2f}" for i in places)])
    return columns, rows


def in_words(result: dict[str, Any]) -> list[str]:
    """What the numbers are."""
    what = "correlation of the mean of N images with the class's real mean, median over the classes"
    return [what, f"real means: of {result['real_means']}"]


# --- the picture --------------------------------------------------------------------------------------------------------
def draw(folder: Path, summary: Summary) -> None:
    """mean.png."""
    write_atomically(folder / "mean.png", chart(summary.content, summary.figure))


def chart(summary: Mapping[str, Any], data: FigureData) -> bytes:
    """A PNG of mean.json: a block of mean images for each N, a row for each source; the curves below."""
    sources, across = list(next(iter(data.means.values()))), 1.2 + SIDE * len(data.means) * (number_of_columns(summary) + GAP)
    heights = (0.7 + SIDE * len(sources), 3.4)
    figure = new_figure(max(LEAST, across), sum(heights) + 0.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    draw_means(centred(parts[0], across / LEAST), summary, data.means, sources)
    draw_curves(parts[1].subplots(), summary, data.curves)
    evolved, runs = f"evolved against {summary['classifier']['name']}", summary["runs"]
    headline(figure, f"mean of N images of each class: {evolved}, and real (N = {runs:,}: of all real images)")
    return to_png(figure)


def number_of_columns(summary: Mapping[str, Any]) -> int:
    """Classes in a block of mean images."""
    return min(MAX_CLASSES, len(summary["labels"]))


def draw_means(
    figure: Any, summary: Mapping[str, Any], means: Mapping[int, Mapping[str, Sequence[Doubles]]], sources: Sequence[str]
) -> None:
    """A block of tiles for each N, side by side: a row for each source, a column for each class."""
    columns = number_of_columns(summary)
    ratios = [*([1.0] * columns), GAP] * len(means)
    grid: Any = figure.subplots(len(sources), len(ratios), squeeze=False, width_ratios=ratios)
    for i, (number, of_sources) in enumerate(means.items()):
        block = grid[:, i * (columns + 1) :]
        for row, source in enumerate(sources):
            for column in range(columns):
                name = shorten(summary["labels"][column], LETTERS)
                above = f"\n{name}" if row == 0 else ""  # leaves a line for the block's heading
                tile(block[row, column], of_sources[source][column], above, size=LABEL if len(name) < SHORT else TINY)
            block[row, columns].set_axis_off()
        heading = block[0, 0].annotate(f"N = {number:,}", (0, 1), (0, 15), "axes fraction", "offset points", fontsize=TITLE)
        heading.set(color=INK, in_layout=False)  # wider than a tile, which it must not widen
    for row, source in enumerate(sources):
        name = NAMES.get(source, source)
        grid[row, 0].set_ylabel(name, fontsize=LABEL, color=INK, rotation=0, ha="right", va="center")


def draw_curves(axes: Axes, summary: Mapping[str, Any], curves: Mapping[str, Quartiles]) -> None:
    """Correlation with the real mean over N, a curve for each source."""
    for number, (source, quartiles) in enumerate(curves.items()):
        colour = INK if source == "real" else COLOURS[number % (len(COLOURS) - 1)]
        band(axes, summary["numbers"], quartiles.low, quartiles.high, colour)
        curve(axes, summary["numbers"], quartiles.median, colour, NAMES.get(source, source))
    log_axis(axes)
    title = "convergence of the mean (median over the classes; bands: quartiles)"
    label_axes(axes, title, "N, number of images", "correlation with the real mean")
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.02)
    legend(axes, "right")


COMMAND = Experiment("mean", plan, compute, draw, ("mean.json", "means/*-*.png", "mean.png"))
