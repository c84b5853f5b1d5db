"""mean.png of `fooling mean`: means of 1, 10 and all images of each class and prior, and how they converge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from fooling.kernels.tables import Doubles
from fooling.plots.style import (
    COLOURS,
    INK,
    LABEL,
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

FILES = ("mean.png",)
MAX_CLASSES = 10
SIDE = 0.55  # of a tile with its margins, inches
GAP = 0.3  # between blocks, tiles
LEAST = 9.0  # width of the picture, inches
NAMES = {"none": "no prior", "real": "real images"}


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
                above = f"\n{summary['labels'][column]}" if row == 0 else ""  # leaves a line for the block's heading
                tile(block[row, column], of_sources[source][column], above, size=LABEL)
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
