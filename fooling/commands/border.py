"""`fooling border`: translation and scale robustness. How far can a clear digit be moved before it is misclassified?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

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
from fooling.data.images import rescale, translate
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Floats
from fooling.plots import evenly_spaced, shorten, style, whole_percent
from fooling.records.files import write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import BorderSettings
from fooling.statistics.intervals import proportion_with_ci

WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}  # down, right
LEVELS = (0.9, 0.5)  # accuracies: where they are first not reached is reported
EXAMPLES = 9  # places of the example, at most
MAX_NUMBERED = 24  # cells a side of a map, up to which each cell holds its number


class Example(NamedTuple):
    """A changed image and how it is classified."""

    amount: float  # pixels to the right, or the factor
    image: Bytes  # [H, W, C]
    label: str
    score: float


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary: one digit, moved to the right and rescaled."""

    translated: Sequence[Example]
    rescaled: Sequence[Example]


def plan(settings: BorderSettings, _words: Sequence[str]) -> Plan:
    """Reads the data and opens the classifier."""
    classifier = open_checked(settings.classifier, settings.data)
    (data,) = real_images(settings, "fooling border", "test", classifier=classifier)
    images = subsample(data, classes_of(settings.digit, data.classes), settings.images, settings.seed)
    return Plan(inputs=(classifier, images))


def compute(settings: BorderSettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Classifies every image at every place and scale."""
    classifier, data = plan.inputs
    offsets, scales = with_rest(settings.offsets, 0), with_rest(settings.scales, 1.0)
    distances = sorted({abs(offset) for offset in offsets})
    total = len(offsets) ** 2 + len(scales) * len(distances)
    done = 0

    def score(images: Bytes) -> Floats:
        nonlocal done
        watch("places and scales", done, total)
        done += 1
        return predict(classifier, images)

    at = {(down, right): score(translate(data.images, down, right)) for down in offsets for right in offsets}
    clear = is_clear(at[0, 0], data, settings.threshold)
    if not clear.any():
        raise UserError(
            f"no image is classified correctly at {settings.threshold:g} or more: expected clear digits; give a lower threshold"
        )
    toward = np.random.default_rng(settings.seed).integers(0, len(WAYS), len(data.labels))
    grown = {(s, d): score(spread_out(rescale(data.images, s), toward, d)) for s in scales for d in distances}
    result: dict[str, Any] = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "data": data.source,
        "images": len(data.labels),
        "image_side": [int(side) for side in data.images.shape[1:3]],
        "threshold": settings.threshold,
        "clear": int(clear.sum()),
        "offsets": list(offsets),
        "scales": list(scales),
        "distances": distances,
        "places": [{"down": d, "right": r, **accuracy_and_confidence(scores, data.labels)} for (d, r), scores in at.items()],
        "ways": ways(at, data, distances),
        "first_misread": first_misread(at, data, clear, distances),
        "scaled": [
            {"scale": s, "distance": d, **accuracy_and_confidence(scores, data.labels)} for (s, d), scores in grown.items()
        ],
        "ink_kept": {str(d): ink_kept(data.images, d) for d in distances},
    }
    result["below"] = {f"{level:g}": first_below(result["ways"], level) for level in LEVELS}
    shown = examples(data.images[clear][0], [d for d in offsets if d >= 0], scales, classifier)
    return Summary(result, *table(result), describe(result), figure=shown)


def with_rest(values: Sequence[Any], rest: Any) -> tuple[Any, ...]:
    """The values with that of a digit left as it is among them."""
    return tuple(sorted({*values, rest}))


def is_clear(scores: Floats, data: ImageSet, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether an image is classified correctly, at the threshold or more, [N]."""
    right = scores.argmax(axis=1) == data.labels
    return np.asarray(right & (scores.max(axis=1) >= threshold))


def spread_out(images: Bytes, toward: npt.NDArray[np.int64], distance: int) -> Bytes:
    """Each image moved by the distance in its own direction of WAYS, [N]."""
    result = np.empty_like(images)
    for i, (down, right) in enumerate(WAYS.values()):
        result[toward == i] = translate(images[toward == i], down * distance, right * distance)
    return result


def ways(at: Any, data: ImageSet, distances: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """Along each direction: the reading at each distance that was tried there."""
    found = {}
    for name, (down, right) in WAYS.items():
        there = [d for d in distances if (down * d, right * d) in at]
        found[name] = [{"distance": d, **accuracy_and_confidence(at[down * d, right * d], data.labels)} for d in there]
    return found


def first_misread(at: Any, data: ImageSet, clear: npt.NDArray[np.bool_], distances: Sequence[int]) -> dict[str, Any]:
    """Of the clear digits, moved in each direction: the share misclassified at d or nearer, and quantiles of the nearest.

    At a distance count the directions in which it was tried; in the quantiles, those that were tried farthest.
    """
    firsts: dict[int, list[Any]] = {d: [] for d in distances}
    for down, right in WAYS.values():
        first = np.full(int(clear.sum()), np.inf)
        for d in reversed(distances):
            if (down * d, right * d) in at:
                wrong = at[down * d, right * d][clear].argmax(axis=1) != data.labels[clear]
                first[wrong] = d
        for d in distances:
            firsts[d] += [first] if (down * d, right * d) in at else []
    found = {d: np.concatenate(several) for d, several in firsts.items()}
    middle = [float(value) for value in np.quantile(found[distances[-1]], [0.1, 0.5, 0.9], method="lower")]
    return {
        "by_distance": {str(d): proportion_with_ci(int((first <= d).sum()), len(first)) for d, first in found.items()},
        "quantiles": dict(zip(("0.1", "0.5", "0.9"), [v if np.isfinite(v) else None for v in middle], strict=True)),
    }


def ink_kept(images: Bytes, distance: int) -> float:
    """The share of the ink that is still in the frame, mean over the directions."""
    whole = float(images.sum(dtype=np.int64))
    kept = [float(translate(images, down * distance, right * distance).sum(dtype=np.int64)) for down, right in WAYS.values()]
    return float(np.mean(kept)) / max(whole, 1.0)


def first_below(found: dict[str, list[dict[str, Any]]], level: float) -> dict[str, int | None]:
    """In each direction the least distance at which the accuracy is below a level; None: at none that was tried."""
    below = {name: [row["distance"] for row in rows if row["accuracy"]["share"] < level] for name, rows in found.items()}
    return {name: min(distances, default=None) for name, distances in below.items()}


def examples(image: Bytes, offsets: Sequence[int], scales: Sequence[float], classifier: Classifier) -> FigureData:
    """A digit at a few places to the right and at a few scales, with its class and score."""

    def strip(values: Sequence[float], change: Callable[[Any], Bytes]) -> list[Example]:
        few = [values[i] for i in evenly_spaced(len(values), EXAMPLES)]
        images = np.concatenate([change(value) for value in few])
        scores = predict(classifier, images)
        labels = [shorten(classifier.labels[int(row.argmax())], 11) for row in scores]
        return [Example(*one) for one in zip(few, images, labels, scores.max(axis=1).tolist(), strict=True)]

    return FigureData(strip(offsets, lambda d: translate(image[None], 0, d)), strip(scales, lambda s: rescale(image[None], s)))


def table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Accuracy and confidence along each direction."""
    columns = ["moved by, pixels", *result["ways"], "median confidence", "ink kept", "clear digits misclassified so far"]
    rows = []
    for d in result["distances"]:
        there = [next((row for row in rows if row["distance"] == d), None) for rows in result["ways"].values()]
        cells = [f"{row['accuracy']['share']:.1%}" if row else "" for row in there]
        confidence = [row["quartiles"][1] for row in there if row]
        misread = result["first_misread"]["by_distance"][str(d)]["share"]
        middle = f"{np.mean(confidence):.1%}" if confidence else ""
        rows.append([f"{d}", *cells, middle, f"{result['ink_kept'][str(d)]:.1%}", f"{misread:.1%}"])
    return columns, rows


def describe(result: dict[str, Any]) -> list[str]:
    """What was found."""
    middle = result["first_misread"]["quantiles"]["0.5"]
    far = f"within {middle:g} pixels" if middle is not None else "at no offset tried"
    said = [f"moved in each of four directions, half of the {result['clear']:,} clear digits are misclassified {far}"]
    for level, found in result["below"].items():
        where = ", ".join(f"{name} {'–' if d is None else d}" for name, d in found.items())
        said.append(f"accuracy below {float(level):.0%} from so many pixels on: {where}")
    return said


# --- the picture --------------------------------------------------------------------------------------------------------
def draw(folder: Path, summary: Summary) -> None:
    """border.png."""
    write_atomically(folder / "border.png", chart(summary.content, summary.figure))


def chart(summary: Mapping[str, Any], data: FigureData) -> bytes:
    """A PNG of border.json: examples above, maps over the translations in the middle, rescaling and curves below."""
    figure = style.new_figure(12, 14.8)
    parts: Any = figure.subfigures(4, 1, height_ratios=(1.5, 1.5, 6.4, 4.6))
    draw_examples(parts[0], data.translated, "moved to the right by so many pixels; below: class and its score", "{:g}")
    draw_examples(parts[1], data.rescaled, "scaled by a factor; below: class and its score", "× {:g}")
    draw_translations(parts[2].subplots(1, 2), summary)
    last: Any = parts[3].subplots(1, 3, width_ratios=(1.15, 1, 1))
    scales, distances = summary["scales"], summary["distances"]
    accuracies = np.reshape([cell["accuracy"]["share"] for cell in summary["scaled"]], (len(scales), len(distances)))
    draw_map(last[0], accuracies, distances, scales)
    title = "accuracy, %: scaled, then moved\n(each image in one of four directions)"
    style.label_axes(last[0], title, "pixels moved", "scaled by")
    last[0].grid(visible=False)
    draw_directions(last[1], summary)
    draw_scales(last[2], summary)
    style.headline(figure, f"{summary['classifier']['name']} on {summary['images']:,} test images of {summary['data']}")
    return style.to_png(figure)


def draw_examples(figure: Any, examples: Sequence[Example], title: str, amount: str) -> None:
    """The images side by side, class and score below each."""
    row: Any = figure.subplots(1, len(examples), squeeze=False)[0]
    for axes, example in zip(row, examples, strict=True):
        style.tile(axes, example.image, amount.format(example.amount), f"{example.label}, {whole_percent(example.score)}")
    style.headline(figure, title, style.TITLE)


def draw_translations(pair: Sequence[Axes], summary: Mapping[str, Any]) -> None:
    """Maps of accuracy and of mean confidence over the translations."""
    offsets, places = summary["offsets"], summary["places"]
    side = len(offsets), len(offsets)
    accuracies = np.reshape([place["accuracy"]["share"] for place in places], side)
    confidences = np.reshape([place["confidence"] for place in places], side)
    maps = {"accuracy": accuracies, "mean confidence in the true class": confidences}
    for axes, (name, values) in zip(pair, maps.items(), strict=True):
        draw_map(axes, values, offsets, offsets)
        style.label_axes(axes, f"{name}, %: {summary['images']:,} digits moved", "pixels to the right", "pixels down")
        axes.grid(visible=False)


def draw_map(axes: Axes, shares: Doubles, across: Sequence[float], down: Sequence[float]) -> None:
    """Shares [down, across] as colours, each cell with its per cent."""
    axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(across)), [signed(value) for value in across])
    axes.set_yticks(range(len(down)), [signed(value) for value in down])
    if max(shares.shape) <= MAX_NUMBERED:
        for (i, j), value in np.ndenumerate(shares):
            colour = "white" if value < 0.55 else "black"
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=style.TINY, color=colour)


def signed(value: float) -> str:
    """A number with a proper minus sign."""
    return f"{value:g}".replace("-", "−")


def draw_directions(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy over the distance in each direction, the share of confident digits misread by then, the ink in the frame."""
    for (name, rows), colour in zip(summary["ways"].items(), style.COLOURS, strict=False):
        style.accuracy_curve(axes, [row["distance"] for row in rows], rows, colour, f"accuracy, {name}")
    distances = summary["distances"]
    misread = [summary["first_misread"]["by_distance"][str(d)]["share"] for d in distances]
    ink = [summary["ink_kept"][str(d)] for d in distances]
    axes.plot(distances, misread, color=style.INK, linewidth=1.4, linestyle="--", label="misread by then*")
    axes.plot(distances, ink, color=style.INK, linewidth=1, linestyle=":", label="ink in the frame")
    title = f"moved (bands: 95 %)\n*digits with a confidence ≥ {summary['threshold']:g}"
    style.label_axes(axes, title, "pixels moved", "share of the digits")
    style.percent_axis(axes)
    style.legend(axes, "below")


def draw_scales(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy and confidence over the factor, without a translation."""
    rows = [cell for cell in summary["scaled"] if cell["distance"] == 0]
    scales = [cell["scale"] for cell in rows]
    style.accuracy_curve(axes, scales, rows, style.BLUE, "accuracy\n(band: 95 %)")
    style.confidence_curve(axes, scales, rows, style.GREEN, "median confidence\n(band: quartiles)")
    style.label_axes(axes, "scaled, not moved", "scaled by", "share of the digits; confidence")
    style.percent_axis(axes)
    style.legend(axes, "below")


COMMAND = Experiment("border", plan, compute, draw, ("border.json", "border.png"))
