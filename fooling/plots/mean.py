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
SIDE = 0.5  # of a tile, inches
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
    columns, sources = min(MAX_CLASSES, len(summary["labels"])), list(next(iter(data.means.values())))
    heights = (0.6 + SIDE * len(sources), 3.4)
    across = 1.2 + SIDE * columns * len(data.means)
    figure = new_figure(max(LEAST, across), sum(heights) + 0.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    ratios = (1.2 + SIDE * columns, *([SIDE * columns] * (len(data.means) - 1)))
    blocks: Any = centred(above, across / LEAST).subfigures(1, len(data.means), squeeze=False, width_ratios=ratios)[0]
    for i, (block, (number, means)) in enumerate(zip(blocks, data.means.items(), strict=True)):
        grid: Any = block.subplots(len(sources), columns, squeeze=False)
        for row, source in enumerate(sources):
            for column in range(columns):
                label = summary["labels"][column] if row == 0 else ""
                tile(grid[row, column], means[source][column], label, size=LABEL)
            if i == 0:
                name = NAMES.get(source, source)
                grid[row, 0].set_ylabel(name, fontsize=LABEL, color=INK, rotation=0, ha="right", va="center")
        headline(block, f"N = {number:,}", TITLE)
    draw_curves(below.subplots(), summary, data.curves)
    evolved, runs = f"evolved against {summary['classifier']['name']}", summary["runs"]
    headline(figure, f"mean of N images of each class: {evolved}, and real (N = {runs:,}: of all real images)")
    return to_png(figure)


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
