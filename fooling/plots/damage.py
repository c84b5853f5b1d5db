"""damage.png of `fooling damage`: what damaged networks still classify, and what is evolved against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes

from fooling.classifiers.labels import class_name
from fooling.kernels.tables import Bytes
from fooling.plots import percent, shorten
from fooling.plots.sheets import mean
from fooling.plots.style import (
    BLUE,
    GREEN,
    INK,
    LABEL,
    PALE,
    RED,
    SMALL,
    TITLE,
    band,
    centred,
    curve,
    headline,
    label_axes,
    legend,
    new_figure,
    percent_axis,
    tile,
    to_png,
)

FILES = ("damage.png",)
MAX_CLASSES = 10
LETTERS = 15  # of a class name, at most
GROUPS = {"real": ("real digits", BLUE), "evolved": ("evolved images", RED)}
ACROSS = "damaged neurons, % (below: their number)"


@dataclass(frozen=True)
class EvolvedImages:
    """What is evolved against one network."""

    name: str  # of the network
    images: Sequence[Bytes]  # [N, H, W, C] of each class
    confidences: Sequence[float]  # of the first image of each class


def chart(summary: Mapping[str, Any], networks: Sequence[EvolvedImages]) -> bytes:
    """A PNG of damage.json: images evolved against each network above, curves over the dosage below."""
    heights = (0.35 + 2.35 * len(networks), 4.0) if networks else (4.0,)
    figure = new_figure(12, sum(heights) + 0.5)
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if networks:
        draw_evolved(parts[0], summary, networks)
    charts: Any = parts[-1].subplots(1, 3 if summary["data"] else 2)
    draw_groups(charts[0], summary, "accuracy", "accuracy")
    draw_groups(charts[1], summary, "confidence", "mean confidence in the true class")
    if summary["data"]:
        draw_detector(charts[2], summary)
    neurons, repeats = summary["neurons"], summary["repeats"]
    network = f"{summary['classifier']['name']}, {neurons['all']} neurons ({neurons['kind']})"
    headline(figure, f"{network}; substance={summary['substance']}, {repeats} damaged networks per dosage")
    return to_png(figure)


def draw_evolved(figure: Any, summary: Mapping[str, Any], networks: Sequence[EvolvedImages]) -> None:
    """Two rows for each network: the mean of the images of each class, and one of them with its confidence."""
    columns = min(MAX_CLASSES, len(networks[0].images))
    number = len(networks[0].images[0])
    text = f"evolved against each network (prior={summary['prior']}): mean of {number} images, and one with its confidence"
    headline(figure, text, TITLE)
    tiles: Any = centred(figure, (columns + 0.5) / (MAX_CLASSES + 0.5)).subplots(2 * len(networks), columns, squeeze=False)
    labels = [
        shorten(class_name(entry["digit"], summary["labels"][entry["digit"]]), LETTERS)
        for entry in summary["pictured"][0]["classes"]
    ]
    for i, network in enumerate(networks):
        for j in range(columns):
            tile(tiles[2 * i, j], mean(network.images[j]), labels[j] if i == 0 else "", size=LABEL)
            tile(tiles[2 * i + 1, j], network.images[j][0], "", percent(network.confidences[j]))
        tiles[2 * i, 0].set_ylabel(f"{network.name}:\nmean", fontsize=SMALL, color=INK)
        tiles[2 * i + 1, 0].set_ylabel("one image", fontsize=SMALL, color=INK)


def doses(summary: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The doses and their ticks, from none on; dosages that make the same number of neurons are one."""
    distinct: list[Mapping[str, Any]] = [{"neurons": 0, **summary["whole"]}]
    ticks = ["none\n0"]
    for number, same in groupby(summary["doses"], key=lambda dose: dose["neurons"]):
        equal = list(same)
        first, last = equal[0]["dosage"], equal[-1]["dosage"]
        ticks.append(f"{first:.2g}{f'–{last:.2g}' if last > first else ''}\n{number}")
        distinct.append(equal[0])
    return distinct, ticks


def set_ticks(axes: Axes, ticks: Sequence[str]) -> None:
    """The dosages below, evenly spaced."""
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlim(-0.3, len(ticks) - 0.7)


def draw_groups(axes: Axes, summary: Mapping[str, Any], key: str, name: str) -> None:
    """Median over the damaged networks, quartiles and extremes as bands."""
    points, ticks = doses(summary)
    x = list(range(len(points)))
    for group, (label, colour) in GROUPS.items():
        if group not in summary["whole"]:
            continue
        rows = [point[group][key] for point in points]
        band(axes, x, [row["least"] for row in rows], [row["most"] for row in rows], colour)
        band(axes, x, [row["quartiles"][0] for row in rows], [row["quartiles"][1] for row in rows], colour)
        curve(axes, x, [row["median"] for row in rows], colour, f"{label} ({summary['images'][group]:,})")
    label_axes(axes, f"{name}: median network\n(bands: quartiles, all networks)", ACROSS, name)
    percent_axis(axes)
    set_ticks(axes, ticks)
    legend(axes, "lower left")


def draw_detector(axes: Axes, summary: Mapping[str, Any]) -> None:
    """AUROC of the fall of confidence as a detector of evolved images."""
    points, ticks = doses(summary)
    rows, x = [point["detector"] for point in points[1:]], list(range(1, len(points)))
    single = [row["of_one"] for row in rows]
    band(axes, x, [one["quartiles"][0] for one in single], [one["quartiles"][1] for one in single], GREEN)
    curve(axes, x, [one["median"] for one in single], GREEN, "one damaged network (median; band: quartiles)", "s--")
    band(axes, x, [row["auroc_interval"][0] for row in rows], [row["auroc_interval"][1] for row in rows], INK)
    curve(axes, x, [row["auroc"] for row in rows], INK, f"mean of {summary['repeats']} networks (band: 95 %)")
    axes.axhline(0.5, color=PALE, linewidth=1.5, zorder=0)
    title = "fall of confidence as a detector\n(0.5: evolved and real images alike)"
    label_axes(axes, title, ACROSS, "AUROC, evolved against real images")
    axes.set_ylim(-0.02, 1.02)
    set_ticks(axes, ticks)
    legend(axes, "lower left")
