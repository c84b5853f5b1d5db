"""`fooling scramble`: background noise. How much of the background does the classifier rely on?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, predict
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import (
    accuracy_and_confidence,
    classes_of,
    describe_classifier,
    open_checked,
    real_images,
    subsample,
)
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.plots import evenly_spaced, shorten, whole_percent
from fooling.plots.style import (
    COLOURS,
    INK,
    LABEL,
    TITLE,
    accuracy_curve,
    confidence_curve,
    headline,
    label_axes,
    legend,
    new_figure,
    percent_axis,
    tile,
    to_png,
)
from fooling.records.files import write_atomically
from fooling.search.result import Result, median_confidence_index
from fooling.settings.experiments import ScrambleSettings
from fooling.statistics.intervals import proportion_with_ci

ACROSS = "background pixels replaced, %"
NOISES = {
    "uniform": "any grey level",
    "histogram": "grey levels of the class",
    "other": "an image of another class",
}
EXAMPLES = 7  # shares of the example, at most


class Example(NamedTuple):
    """An image with a share of its background replaced, and how it is classified."""

    share: float  # per cent
    image: Bytes  # [H, W, C]
    label: str
    score: float


def plan(settings: ScrambleSettings, _words: Sequence[str]) -> Plan:
    """Reads the data and opens the classifier."""
    classifier = open_checked(settings.classifier, settings.data)
    (data,) = real_images(settings, "fooling scramble", "test", classifier=classifier)
    images = subsample(data, classes_of(settings.digit, data.classes), settings.images, settings.seed)
    if not is_background(images.images, settings.background).any():
        darkest = int(images.images.min())
        raise UserError(f"background={settings.background}: no pixel is background, the darkest are {darkest}; give more")
    return Plan(inputs=(classifier, images, data))


def compute(settings: ScrambleSettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Classifies every image with each share of its background replaced by each noise."""
    classifier, images, every = plan.inputs
    shares, random = sorted({0.0, *settings.shares}), np.random.default_rng(settings.seed)
    ranks, numbers = ranked(is_background(images.images, settings.background), random)
    noises = {name: MADE[name](images, every, random) for name in dict.fromkeys(settings.noises)}
    curves: dict[str, list[dict[str, Any]]] = {}
    examples: dict[str, list[Example]] = {}
    shown = median_confidence_index(predict(classifier, images.images)[np.arange(len(images.labels)), images.labels])
    for place, (name, noise) in enumerate(noises.items()):
        curves[name], examples[name] = [], []
        for number, part in enumerate(shares):
            watch("noises and shares", place * len(shares) + number, len(noises) * len(shares))
            scrambled = replaced(images.images, noise, ranks, numbers, part)
            scores = predict(classifier, scrambled)
            curves[name].append(
                {"share": part, **accuracy_and_confidence(scores, images.labels), **most_read(scores, classifier)}
            )
            label = classifier.labels[int(scores[shown].argmax())]
            examples[name].append(Example(part, scrambled[shown], label, float(scores[shown].max())))
    result = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "data": images.source,
        "images": len(images.labels),
        "background": settings.background,
        "background_share": float(numbers.sum() / ranks.size),
        "noises": {name: NOISES[name] for name in noises},
        "curves": curves,
    }
    few = {name: [found[i] for i in evenly_spaced(len(found), EXAMPLES)] for name, found in examples.items()}
    return Summary(result, *table(curves), describe(result), figure=few)


def is_background(images: Bytes, level: int) -> npt.NDArray[np.bool_]:
    """Whether a pixel is of this grey level or less in every channel, [N, H, W]."""
    return np.asarray((images <= level).all(axis=3))


def ranked(background: npt.NDArray[np.bool_], random: np.random.Generator) -> tuple[Ints, Ints]:
    """The place of each pixel in the order in which its image's background is replaced [N, H, W]; how many there are [N]."""
    numbers = background.sum(axis=(1, 2))
    keys = np.where(background, random.random(background.shape), 2.0).reshape(len(background), -1)
    order = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable")
    return order.reshape(background.shape), numbers


def replaced(images: Bytes, noise: Bytes, ranks: Ints, numbers: Ints, part: float) -> Bytes:
    """Images with so many per cent of their background pixels, rounded, taken from the noise."""
    most = np.rint(part / 100 * numbers)
    return np.where((ranks < most[:, None, None])[:, :, :, None], noise, images)


def uniform(images: ImageSet, every: ImageSet, random: np.random.Generator) -> Bytes:
    """Any grey level, each as likely."""
    del every
    return random.integers(0, 256, images.images.shape, dtype=np.uint8)


def histogram(images: ImageSet, every: ImageSet, random: np.random.Generator) -> Bytes:
    """Grey levels drawn as often as the images of the class have them, ink included, each channel its own."""
    result = np.empty_like(images.images)
    for k in np.unique(images.labels):
        mine, all_of_class = images.labels == k, every.images[every.labels == k]
        for channel in range(all_of_class.shape[3]):
            shares = np.bincount(all_of_class[..., channel].ravel(), minlength=256) / all_of_class[..., channel].size
            size = result[mine][..., channel].shape
            result[mine, :, :, channel] = np.searchsorted(np.cumsum(shares), random.random(size), side="right").clip(0, 255)
    return result


def other(images: ImageSet, every: ImageSet, random: np.random.Generator) -> Bytes:
    """What an image of another class has in the same place: where this one's background is, the other's ink and background."""
    result = np.empty_like(images.images)
    for k in np.unique(images.labels):
        mine, theirs = np.flatnonzero(images.labels == k), np.flatnonzero(every.labels != k)
        result[mine] = every.images[random.choice(theirs, len(mine))]
    return result


MADE = {"uniform": uniform, "histogram": histogram, "other": other}


def most_read(scores: Floats, classifier: Classifier) -> dict[str, Any]:
    """The median of the largest score, and the class that is read most often, with how often."""
    counts = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    best = int(counts.argmax())
    return {
        "largest_score": float(np.median(scores.max(axis=1))),
        "most_read": classifier.labels[best],
        "most_read_share": proportion_with_ci(int(counts[best]), len(scores)),
    }


def table(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """Accuracy and median confidence of each noise, a line a share."""
    columns = ["background replaced", *(f"{name}: {what}" for name in curves for what in ("accuracy", "confidence"))]
    rows = []
    for lines in zip(*curves.values(), strict=True):
        cells = [cell for line in lines for cell in (f"{line['accuracy']['share']:.1%}", f"{line['quartiles'][1]:.1%}")]
        rows.append([f"{lines[0]['share']:g} %", *cells])
    return columns, rows


def describe(result: Mapping[str, Any]) -> list[str]:
    """What was found."""
    level = result["background"]
    said = [f"background: pixels of grey level {level} or less, {result['background_share']:.0%} of all; confidences: medians"]
    for name, rows in result["curves"].items():
        row = rows[-1]
        what = f"{row['most_read_share']['share']:.0%} are read as {row['most_read']}"
        said.append(f"{name}: at {row['share']:g} %, {what}; median largest score {row['largest_score']:.1%}")
    return said


# --- the picture --------------------------------------------------------------------------------------------------------
def draw(folder: Path, summary: Summary) -> None:
    """scramble.png."""
    write_atomically(folder / "scramble.png", chart(summary.content, summary.figure))


def chart(summary: Mapping[str, Any], examples: Mapping[str, Sequence[Example]]) -> bytes:
    """A PNG of scramble.json: a row of examples for each noise, and two charts."""
    heights = (1.55 * len(examples) + 0.3, 3.8)
    figure = new_figure(10, sum(heights) + 0.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    draw_examples(above, examples)
    accuracies, confidences = below.subplots(1, 2)
    for (name, rows), colour in zip(summary["curves"].items(), COLOURS, strict=False):
        shares = [row["share"] for row in rows]
        accuracy_curve(accuracies, shares, rows, colour, f"{name}: {summary['noises'][name]}")
        confidence_curve(confidences, shares, rows, colour, name)
    label_axes(accuracies, "accuracy (bands: 95 %)", ACROSS, "accuracy")
    label_axes(confidences, "median confidence in the true class (bands: quartiles)", ACROSS, "confidence")
    for axes in (accuracies, confidences):
        percent_axis(axes)
    legend(accuracies)
    classifier = f"{summary['classifier']['name']} on {summary['images']:,} test images of {summary['data']}"
    headline(figure, f"{classifier}; background: grey level ≤ {summary['background']}")
    return to_png(figure)


def draw_examples(figure: Any, examples: Mapping[str, Sequence[Example]]) -> None:
    """The same image with ever more of its background replaced, a row for each noise."""
    grid: Any = figure.subplots(len(examples), max(map(len, examples.values())), squeeze=False)
    for i, (name, row) in enumerate(examples.items()):
        for axes, example in zip(grid[i], row, strict=True):
            above = f"{example.share:g} %" if i == 0 else ""
            tile(axes, example.image, above, f"{shorten(example.label, 13)}, {whole_percent(example.score)}")
        grid[i, 0].set_ylabel(name, fontsize=LABEL, color=INK)
    headline(figure, "above: share of the background replaced; below: class and its score", TITLE)


COMMAND = Experiment("scramble", plan, compute, draw, ("scramble.json", "scramble.png"))
