"""Charts of evaluations: the confusion matrix of `fooling train`, the detectors of `fooling plausibility`."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fooling.classifiers.labels import class_name
from fooling.kernels.tables import Ints
from fooling.plots import shorten
from fooling.plots.style import (
    BLUE,
    GREEN,
    INK,
    LABEL,
    PALE,
    PAPER,
    PINK,
    RED,
    SMALL,
    TINY,
    new_figure,
    to_png,
)

# --- confusion matrix ---------------------------------------------------------------------------------------------------
MAX_COUNTED = 40  # classes up to which each cell holds its count
MAX_NAMED = 60  # classes named on an axis
LETTERS = 20  # of a name
CELL = 0.4  # side of a cell that holds its count, inches


def confusion_chart(counts: Ints, labels: Sequence[str], title: str) -> bytes:
    """A PNG of a confusion matrix: counts [K, K], row = true class, column = predicted class, K ≥ 2.

    The darker a cell, the larger its share of the row; a count of 0 is left out.
    """
    classes = len(counts)
    side = 1.9 + CELL * min(classes, MAX_COUNTED)
    figure = new_figure(max(4.6, side), max(4.4, side))
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    name_classes(axes, labels[:classes])
    axes.tick_params(which="both", length=0)
    if classes <= MAX_COUNTED:
        write_counts(axes, counts, shares > 0.5)
    accuracy, total = counts.trace() / max(1, counts.sum()), counts.sum()
    text = f"{title}\naccuracy {100 * accuracy:.2f} % on {total:,} test images"
    axes.set_title(text, fontsize=LABEL, color=INK, parse_math=False)
    return to_png(figure)


def name_classes(axes: Axes, labels: Sequence[str]) -> None:
    """Names on both axes, of very many classes every n-th."""
    places = range(0, len(labels), -(-len(labels) // MAX_NAMED))
    names = [shorten(labels[k], LETTERS) for k in places]
    upright = 90 if max(map(len, names)) > 2 else 0
    axes.set_xticks(places, names, fontsize=SMALL, rotation=upright, parse_math=False)
    axes.set_yticks(places, names, fontsize=SMALL, parse_math=False)
    axes.set_xlabel("predicted class", fontsize=LABEL, color=INK)
    axes.set_ylabel("true class", fontsize=LABEL, color=INK)


def write_counts(axes: Axes, counts: Ints, dark: Any) -> None:
    """The counts in their cells, white where a cell is `dark` [K, K], with lines between the cells."""
    for row, column in np.argwhere(counts):
        text = f"{counts[row, column]}"
        size = SMALL if len(text) < 4 else TINY if len(text) < 5 else 5.5
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=PAPER if dark[row, column] else INK)
    edges = np.arange(len(counts) - 1) + 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(which="minor", color=PALE, linewidth=0.5)


# --- plausibility -------------------------------------------------------------------------------------------------------
GROUPS = {
    "term": ("feature that is a term of some prior", BLUE),
    "none": ("feature that no prior has", RED),
    "together": ("all features together; those that no prior has (together_none)", GREEN),
    "classifier": ("scores of the classifier itself", PINK),
}


def plausibility_chart(contents: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG of what plausibility.json says of one job, with 95 % intervals, or of several: a dot each and their median.

    Filled marks: AUROC of the distance from the real median (or of the feature where there is none); hollow: of the feature.
    """
    rows = contents[0]["statistics"]
    figure = new_figure(8, 1.9 + 0.18 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(0.5, color=INK, linewidth=0.8)
    for y, (name, row) in enumerate(rows.items()):
        key = "auroc" if row["auroc_distance"] is None else "auroc_distance"
        if len(contents) == 1:
            draw_interval(axes, y, row, key)
        else:
            draw_jobs(axes, y, [content["statistics"][name][key] for content in contents], GROUPS[row["group"]][1])
    axes.set_yticks(range(len(rows)), list(rows), fontsize=SMALL)
    for label, row in zip(axes.get_yticklabels(), rows.values(), strict=True):
        label.set_color(GROUPS[row["group"]][1])
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("AUROC (0.5: evolved and real images alike; 0 or 1: always distinguishable)", fontsize=LABEL, color=INK)
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, linewidth=0.5)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_title(plausibility_title(contents), fontsize=LABEL, color=INK, parse_math=False)
    marks = [mark(label, marker="o", color=colour) for label, colour in GROUPS.values()] + shapes(single=len(contents) == 1)
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=SMALL, labelcolor=INK, frameon=False)
    return to_png(figure)


def draw_interval(axes: Axes, y: float, row: Mapping[str, Any], key: str) -> None:
    """A feature of one job: the AUROC `key` with its interval, and that of the feature itself."""
    colour = GROUPS[row["group"]][1]
    dot: dict[str, Any] = {"markersize": 4.5, "clip_on": False}
    axes.plot(row[f"{key}_interval"], [y, y], color=colour, linewidth=1.2)
    axes.plot(row["auroc"], y, "o", markerfacecolor=PAPER, markeredgecolor=colour, **dot)
    axes.plot(row[key], y, "o", color=colour, **dot)


def draw_jobs(axes: Axes, y: float, values: Sequence[float], colour: str) -> None:
    """A feature of several jobs: a dot for each, a line at the median."""
    axes.plot(values, [y] * len(values), "o", markersize=4, color=colour, alpha=0.45, markeredgewidth=0, clip_on=False)
    axes.plot(median(values), y, "|", markersize=8, markeredgewidth=1.6, color=INK, clip_on=False)


def mark(label: str, **look: Any) -> Line2D:
    """A mark as an entry of the legend."""
    return Line2D([], [], **{"linestyle": "", "color": INK, "markersize": 4.5, "label": label, **look})


def shapes(*, single: bool) -> list[Line2D]:
    """What the shapes mean, as entries of the legend."""
    filled = "filled: distance from the real median"
    if single:
        hollow = mark("hollow: the feature itself", marker="o", markerfacecolor=PAPER)
        return [mark(f"{filled} (95 %)", marker="o"), hollow]
    return [mark(f"{filled}, each job", marker="o"), mark("median over the jobs", marker="|", markersize=8)]


def target_of(content: Mapping[str, Any]) -> str:
    """The target of a record in plausibility.json, its name cut where it is long."""
    digit, label = content["digit"], content.get("label")
    return f"digit {digit}" if label in (None, str(digit)) else shorten(class_name(digit, label), LETTERS)


def plausibility_title(contents: Sequence[Mapping[str, Any]]) -> str:
    """What is compared."""
    first = contents[0]
    real = f"real images ({first['data']}, {first['split']})"
    if len(contents) > 1:
        return f"evolved images of {len(contents)} jobs against {real}"
    evolved = f"{first['evolved_images']:,} evolved images of {target_of(first)}"
    return f"{evolved} against {first['real_images']:,} {real} of class {first['real_class']}"
