"""The picture of `fooling border`: an example, maps over places and scales, curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.kernels.tables import Bytes
from fooling.plots.style import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    accuracy_curve,
    as_png,
    confidence_curve,
    new_figure,
    per_cent,
    tidy,
    tile,
)


@dataclass(frozen=True)
class BorderFigure:
    """What the picture shows besides the result: a clear digit, moved to the right and scaled, and what it is read as."""

    moves: Sequence[tuple[float, Bytes, str]]
    scales: Sequence[tuple[float, Bytes, str]]


SAID = 24  # cells a side up to which each says its number


def chart(result: Mapping[str, Any], shown: BorderFigure) -> bytes:
    """A PNG: a digit moved and scaled; accuracy and confidence over places; accuracy over scales; curves."""
    figure = new_figure(12, 14.6)
    parts: Any = figure.subfigures(4, 1, height_ratios=(1.5, 1.5, 6.4, 4.4))
    strip(parts[0], shown.moves, "moved to the right by pixels; below: what it is read as", "{:g}")
    strip(parts[1], shown.scales, "scaled by", "× {:g}")
    maps: Any = parts[2].subplots(1, 2)
    offsets = result["offsets"]
    for axes, key, name in zip(
        maps, ("accuracy", "confidence"), ("accuracy", "mean confidence in the right class"), strict=True
    ):
        values = [place[key]["share"] if key == "accuracy" else place[key] for place in result["places"]]
        draw_map(axes, np.reshape(values, (len(offsets), len(offsets))), offsets, offsets)
        tidy(axes, f"{name}, per cent: {result['images']:,} digits moved", "pixels to the right", "pixels down")
        axes.grid(visible=False)
    last: Any = parts[3].subplots(1, 3, width_ratios=(1.15, 1, 1))
    scales, distances = result["scales"], result["distances"]
    found = np.reshape([cell["accuracy"]["share"] for cell in result["scaled"]], (len(scales), len(distances)))
    draw_map(last[0], found, distances, scales)
    tidy(last[0], "accuracy, per cent: scaled, then moved\n(each in one of four directions)", "pixels moved", "scaled by")
    last[0].grid(visible=False)
    draw_moved(last[1], result)
    draw_scaled(last[2], result)
    figure.suptitle(
        f"{result['classifier']['name']} on {result['images']:,} test images of {result['data']}", fontsize=12, color=INK
    )
    return as_png(figure)


def strip(figure: Any, examples: Sequence[tuple[float, Any, str]], title: str, name: str) -> None:
    """An image at several places, what it is read as below."""
    every: Any = figure.subplots(1, len(examples), squeeze=False)
    for axes, (value, image, said) in zip(every[0], examples, strict=True):
        tile(axes, image, name.format(value), said)
    figure.suptitle(title, fontsize=9, color=INK)


def draw_map(axes: Axes, shares: Any, across: Sequence[float], down: Sequence[float]) -> None:
    """Shares [down, across] in colours, each cell with its per cent."""
    axes.imshow(shares, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across], fontsize=7)
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down], fontsize=7)
    if max(shares.shape) <= SAID:
        for (i, j), value in np.ndenumerate(shares):
            ink = "white" if value < 0.55 else "black"
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5, color=ink)


def draw_moved(axes: Axes, result: Mapping[str, Any]) -> None:
    """Accuracy along each direction; how many clear digits are misread; how much ink is still there."""
    for (name, rows), colour in zip(result["ways"].items(), COLOURS, strict=False):
        accuracy_curve(axes, [row["distance"] for row in rows], rows, colour, f"right, moved {name}")
    distances = result["distances"]
    misread = [result["first_misread"]["by_distance"][str(d)]["share"] for d in distances]
    axes.plot(distances, misread, color=INK, linewidth=1.4, linestyle="--", label="clear ones misread by then")
    axes.plot(
        distances, [result["ink_kept"][str(d)] for d in distances], color=INK, linewidth=1, linestyle=":", label="ink kept"
    )
    tidy(axes, "off the centre (bands: 95 %)", "pixels moved", "share of the digits")
    per_cent(axes)
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)


def draw_scaled(axes: Axes, result: Mapping[str, Any]) -> None:
    """Accuracy and confidence over the scales, in place."""
    rows = [cell for cell in result["scaled"] if cell["distance"] == 0]
    scales = [cell["scale"] for cell in rows]
    accuracy_curve(axes, scales, rows, BLUE, "right (band: 95 %)")
    confidence_curve(axes, scales, rows, GREEN, "confidence, median\n(band: middle half)")
    tidy(axes, "larger and smaller, in its place", "scaled by", "share of the digits, confidence")
    per_cent(axes)
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
