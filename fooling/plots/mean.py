"""The picture of `fooling mean`: means of 1, 10 and all images of each class and prior, and how they sharpen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.kernels.tables import Bytes, Doubles
from fooling.plots.style import COLOURS, INK, as_png, band, new_figure, tidy, tile

SHOWN = (1, 10)  # N of the picture, besides all


@dataclass(frozen=True)
class ImagesByClass:
    """Images of each class from one source."""

    name: str  # of the prior, or real
    images: Sequence[Bytes]  # [N, H, W, C] a class; none of the real ones where only their means are known
    means: Sequence[Doubles]  # [H, W, C] a class, of all N; of real ones of as many as there are


def whole_mean(images: Bytes) -> Doubles:
    """The mean of images [N, H, W, C], grey levels, not rounded."""
    return np.asarray(images.mean(axis=0, dtype=np.float64))


def over_classes(lists: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Median and quartiles over the classes, for each N."""
    low, middle, high = np.quantile(np.array(lists), [0.25, 0.5, 0.75], axis=0)
    return {"low": low.tolist(), "median": middle.tolist(), "high": high.tolist()}


MOST = 10  # classes that are shown
SIDE = 0.5  # of a tile, inches
NAMES = {"none": "no prior", "real": "real images"}


def chart(result: Mapping[str, Any], real: ImagesByClass, rows: "Sequence[ImagesByClass]") -> bytes:
    """A PNG: side by side the means of 1, 10 and all, a row a prior, the real ones above; below, the curves."""
    columns, blocks = min(MOST, len(result["labels"])), shown(result)
    lines = [real, *rows]
    heights = (0.55 + SIDE * len(lines), 3.4)
    figure = new_figure(max(9.0, 1.2 + SIDE * columns * len(blocks)), sum(heights) + 0.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    places: Any = parts[0].subfigures(
        1, len(blocks), squeeze=False, width_ratios=(1.2 + SIDE * columns, *([SIDE * columns] * (len(blocks) - 1)))
    )
    for place, number in zip(places[0], blocks, strict=True):
        tiles: Any = place.subplots(len(lines), columns, squeeze=False)
        for i, row in enumerate(lines):
            for j, image in enumerate(block(row, number, result)[:columns]):
                tile(tiles[i, j], image, result["labels"][j] if i == 0 else "", size=9)
            if place is places[0, 0]:
                tiles[i, 0].set_ylabel(NAMES.get(row.name, row.name), fontsize=9, rotation=0, ha="right", va="center")
        place.suptitle(f"N = {number}" + (" (real: all there are)" if number == result["runs"] else ""), fontsize=10, color=INK)
    draw_curves(parts[1].subplots(), result)
    what = f"means of N images of each class, evolved against {result['classifier']['name']}, and of real ones"
    figure.suptitle(what, fontsize=12, color=INK)
    return as_png(figure)


def shown(result: Mapping[str, Any]) -> list[int]:
    """The N whose means are shown."""

    return [*(n for n in SHOWN if n < result["runs"]), result["runs"]]


def block(row: ImagesByClass, number: int, result: Mapping[str, Any]) -> list[Any]:
    """The means of the first N images of each class; of real ones that are not at hand, white."""

    if number == result["runs"]:
        return list(row.means)
    return [whole_mean(images[:number]) for images in row.images] or [np.full_like(one, 255) for one in row.means]


def draw_curves(axes: Axes, result: Mapping[str, Any]) -> None:
    """Correlation with the real mean over N, a curve a prior."""

    curves = {found["prior"]: [one["correlation"] for one in found["classes"]] for found in result["priors"]}
    if result["real"] and all(len(one) == len(result["numbers"]) for one in result["real"]):
        curves["real images"] = result["real"]
    for number, (name, lists) in enumerate(curves.items()):
        found, colour = over_classes(lists), INK if name == "real images" else COLOURS[number % (len(COLOURS) - 1)]
        band(axes, result["numbers"], found["low"], found["high"], colour)
        label = "no prior" if name == "none" else name
        axes.plot(result["numbers"], found["median"], "o-", color=colour, markersize=3.5, linewidth=1.5, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    tidy(
        axes,
        "how the mean sharpens (median over the classes, band: middle half)",
        "N, images",
        "correlation with the real mean",
    )
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.02)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
