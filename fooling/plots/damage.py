"""The picture of `fooling damage`: what networks evolve before and after, and what is left at each dosage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes

from fooling.plots.sheets import mean, percent
from fooling.plots.style import BLUE, GREEN, INK, PALE, RED, as_png, band, new_figure, per_cent, tidy, tile
from fooling.search.result import Result


@dataclass(frozen=True)
class Baseline:
    """What a network evolves: the images of each class."""

    name: str
    results: Sequence[Result]


MOST = 10  # classes that are shown
GROUPS = {"real": ("real digits", BLUE), "evolved": ("evolved images", RED)}
ACROSS = "dosage, per cent; below: neurons"


def chart(result: Mapping[str, Any], before: "Sequence[Baseline]") -> bytes:
    """A PNG: a row of means and one of single images for each network, and charts over the dosage."""
    heights = (0.35 + 2.35 * len(before), 4.0) if before else (4.0,)
    figure = new_figure(11.5, sum(heights) + 0.5)
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if before:
        draw_evolved(parts[0], result, before)
    number = 3 if result["data"] else 2
    sides: Any = parts[-1].subplots(1, number)
    draw_groups(sides[0], result, "accuracy", "right")
    draw_groups(sides[1], result, "confidence", "mean confidence in the right class")
    if result["data"]:
        draw_detector(sides[2], result)
    neurons = result["neurons"]
    what = f"{result['classifier']['name']}, {neurons['all']} neurons ({neurons['kind']})"
    figure.suptitle(
        f"{what}; substance={result['substance']}, {result['repeats']} damaged networks a dosage", fontsize=11, color=INK
    )
    return as_png(figure)


def draw_evolved(figure: Any, result: Mapping[str, Any], before: "Sequence[Baseline]") -> None:
    """Two rows a network: the mean of what it evolves for each class, and one image with its confidence."""
    columns = min(MOST, len(before[0].results))
    tiles: Any = figure.subplots(2 * len(before), columns, squeeze=False)
    for i, network in enumerate(before):
        for j, found in enumerate(network.results[:columns]):
            label = result["labels"][int(found.classes[0])]
            tile(tiles[2 * i, j], mean(found.images), label if i == 0 else "", size=9)
            tile(tiles[2 * i + 1, j], found.images[0], "", percent(float(found.confidence[0])), size=7)
        tiles[2 * i, 0].set_ylabel(f"{network.name}\nmean", fontsize=8)
        tiles[2 * i + 1, 0].set_ylabel("one of them", fontsize=8)
    number, prior = len(before[0].results[0].images), result["prior"]
    of = f"the mean of {number} images of each class, and one with its confidence"
    figure.suptitle(f"what is evolved against each network (prior={prior}): {of}", fontsize=9, color=INK)


def doses(result: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """One dosage for each number of neurons, and what the axis says of it: dosages that are as many neurons are one place."""
    found: list[Mapping[str, Any]] = [{"neurons": 0, **result["whole"]}]
    names = ["none\n0"]
    for number, same in groupby(result["doses"], key=lambda dose: dose["neurons"]):
        several = list(same)
        first, last = several[0]["dosage"], several[-1]["dosage"]
        names.append(f"{first:.2g}{f'–{last:.2g}' if last > first else ''}\n{number}")
        found.append(several[0])
    return found, names


def name_doses(axes: Axes, names: Sequence[str]) -> None:
    """The dosages below, each at its place."""
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_xlim(-0.3, len(names) - 0.7)


def draw_groups(axes: Axes, result: Mapping[str, Any], key: str, name: str) -> None:
    """Median over the damaged networks, the middle half and the extremes as bands."""
    found, names = doses(result)
    x = list(range(len(found)))
    for group, (told, colour) in GROUPS.items():
        if group not in result["whole"]:
            continue
        rows = [dose[group][key] for dose in found]
        band(axes, x, [row["least"] for row in rows], [row["most"] for row in rows], colour)
        band(axes, x, [row["quartiles"][0] for row in rows], [row["quartiles"][1] for row in rows], colour)
        label = f"{told} ({result['images'][group]:,})"
        axes.plot(x, [row["median"] for row in rows], "o-", color=colour, markersize=3.5, linewidth=1.5, label=label)
    tidy(axes, f"{name}\n(median network; bands: middle half, all)", ACROSS, name)
    per_cent(axes)
    name_doses(axes, names)
    axes.legend(fontsize=8, frameon=False, loc="lower left")


def draw_detector(axes: Axes, result: Mapping[str, Any]) -> None:
    """AUROC of the fall of confidence as a detector of evolved images."""
    found, names = doses(result)
    rows, x = [dose["detector"] for dose in found[1:]], list(range(1, len(found)))
    band(axes, x, [row["of_one"]["quartiles"][0] for row in rows], [row["of_one"]["quartiles"][1] for row in rows], GREEN)
    one = "one damaged network (median, middle half)"
    axes.plot(x, [row["of_one"]["median"] for row in rows], "s--", color=GREEN, markersize=3, linewidth=1.2, label=one)
    band(axes, x, [row["auroc_interval"][0] for row in rows], [row["auroc_interval"][1] for row in rows], INK)
    every = f"mean of all {result['repeats']} (band: 95 %)"
    axes.plot(x, [row["auroc"] for row in rows], "o-", color=INK, markersize=3.5, linewidth=1.5, label=every)
    axes.axhline(0.5, color=PALE, linewidth=1.5, zorder=0)
    tidy(
        axes,
        "the fall of confidence as a detector:\nAUROC, evolved against real images",
        ACROSS,
        "P(evolved falls more)",
    )
    axes.set_ylim(0, 1.02)
    name_doses(axes, names)
    axes.legend(fontsize=7.5, frameon=False, loc="lower left")
