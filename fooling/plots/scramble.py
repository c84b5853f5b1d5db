"""scramble.png of `fooling scramble`: an example, accuracy and confidence over the share of the background replaced."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fooling.kernels.tables import Bytes
from fooling.plots.captions import whole_percent
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

FILES = ("scramble.png",)
ACROSS = "background pixels replaced, %"


class Example(NamedTuple):
    """An image with a share of its background replaced, and how it is classified."""

    share: float  # per cent
    image: Bytes  # [H, W, C]
    label: str
    score: float


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
            tile(axes, example.image, above, f"{example.label}, {whole_percent(example.score)}")
        grid[i, 0].set_ylabel(name, fontsize=LABEL, color=INK)
    headline(figure, "above: share of the background replaced; below: class and its score", TITLE)
