"""border.png of `fooling border`: an example translated and rescaled; accuracy and confidence over both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from fooling.kernels.tables import Bytes, Doubles
from fooling.plots.captions import whole_percent
from fooling.plots.style import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    TINY,
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

FILES = ("border.png",)
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


def chart(summary: Mapping[str, Any], data: FigureData) -> bytes:
    """A PNG of border.json: examples above, maps over the translations in the middle, rescaling and curves below."""
    figure = new_figure(12, 14.8)
    parts: Any = figure.subfigures(4, 1, height_ratios=(1.5, 1.5, 6.4, 4.6))
    draw_examples(parts[0], data.translated, "moved to the right by so many pixels; below: class and its score", "{:g}")
    draw_examples(parts[1], data.rescaled, "scaled by a factor; below: class and its score", "× {:g}")
    draw_translations(parts[2].subplots(1, 2), summary)
    last: Any = parts[3].subplots(1, 3, width_ratios=(1.15, 1, 1))
    scales, distances = summary["scales"], summary["distances"]
    accuracies = np.reshape([cell["accuracy"]["share"] for cell in summary["scaled"]], (len(scales), len(distances)))
    draw_map(last[0], accuracies, distances, scales)
    title = "accuracy, %: scaled, then moved\n(each image in one of four directions)"
    label_axes(last[0], title, "pixels moved", "scaled by")
    last[0].grid(visible=False)
    draw_directions(last[1], summary)
    draw_scales(last[2], summary)
    headline(figure, f"{summary['classifier']['name']} on {summary['images']:,} test images of {summary['data']}")
    return to_png(figure)


def draw_examples(figure: Any, examples: Sequence[Example], title: str, amount: str) -> None:
    """The images side by side, class and score below each."""
    row: Any = figure.subplots(1, len(examples), squeeze=False)[0]
    for axes, example in zip(row, examples, strict=True):
        tile(axes, example.image, amount.format(example.amount), f"{example.label}, {whole_percent(example.score)}")
    headline(figure, title, TITLE)


def draw_translations(pair: Sequence[Axes], summary: Mapping[str, Any]) -> None:
    """Maps of accuracy and of mean confidence over the translations."""
    offsets, places = summary["offsets"], summary["places"]
    side = len(offsets), len(offsets)
    accuracies = np.reshape([place["accuracy"]["share"] for place in places], side)
    confidences = np.reshape([place["confidence"] for place in places], side)
    maps = {"accuracy": accuracies, "mean confidence in the true class": confidences}
    for axes, (name, values) in zip(pair, maps.items(), strict=True):
        draw_map(axes, values, offsets, offsets)
        label_axes(axes, f"{name}, %: {summary['images']:,} digits moved", "pixels to the right", "pixels down")
        axes.grid(visible=False)


def draw_map(axes: Axes, shares: Doubles, across: Sequence[float], down: Sequence[float]) -> None:
    """Shares [down, across] as colours, each cell with its per cent."""
    axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(across)), [signed(value) for value in across])
    axes.set_yticks(range(len(down)), [signed(value) for value in down])
    if max(shares.shape) <= MAX_NUMBERED:
        for (i, j), value in np.ndenumerate(shares):
            colour = "white" if value < 0.55 else "black"
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=TINY, color=colour)


def signed(value: float) -> str:
    """A number with a proper minus sign."""
    return f"{value:g}".replace("-", "−")


def draw_directions(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy over the distance in each direction, the share of confident digits misread by then, the ink in the frame."""
    for (name, rows), colour in zip(summary["ways"].items(), COLOURS, strict=False):
        accuracy_curve(axes, [row["distance"] for row in rows], rows, colour, f"accuracy, {name}")
    distances = summary["distances"]
    misread = [summary["first_misread"]["by_distance"][str(d)]["share"] for d in distances]
    ink = [summary["ink_kept"][str(d)] for d in distances]
    axes.plot(distances, misread, color=INK, linewidth=1.4, linestyle="--", label="misread by then*")
    axes.plot(distances, ink, color=INK, linewidth=1, linestyle=":", label="ink in the frame")
    title = f"moved (bands: 95 %)\n*digits with a confidence ≥ {summary['threshold']:g}"
    label_axes(axes, title, "pixels moved", "share of the digits")
    percent_axis(axes)
    legend(axes, "below")


def draw_scales(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy and confidence over the factor, without a translation."""
    rows = [cell for cell in summary["scaled"] if cell["distance"] == 0]
    scales = [cell["scale"] for cell in rows]
    accuracy_curve(axes, scales, rows, BLUE, "accuracy\n(band: 95 %)")
    confidence_curve(axes, scales, rows, GREEN, "median confidence\n(band: quartiles)")
    label_axes(axes, "scaled, not moved", "scaled by", "share of the digits; confidence")
    percent_axis(axes)
    legend(axes, "below")
