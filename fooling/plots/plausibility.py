"""The picture of plausibility.json: how well each statistic tells evolved images from real ones."""

import io
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

INK = "#333333"

# Groups as they are called in the picture, and their colours (Okabe & Ito 2008: told apart by the colour-blind too).
GROUPS = {
    "term": ("statistics that a term of some prior knows", "#0072b2"),
    "none": ("statistics that no term knows", "#d55e00"),
    "together": ("all together (all); those no term knows (none)", "#009e73"),
    "classifier": ("the classifier's own scores", "#cc79a7"),
}


def chart(contents: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG of what plausibility.json says of one job, with its intervals, or of several, a dot each and their median.

    Filled: AUROC of the distance from the real median (of x where there is none); hollow: AUROC of x.
    """

    rows = contents[0]["statistics"]
    figure = Figure(figsize=(7.5, 1.7 + 0.165 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0.5, color=INK, linewidth=0.8)
    for y, (name, row) in enumerate(rows.items()):
        colour = GROUPS[row["group"]][1]
        key = "auroc" if row["auroc_distance"] is None else "auroc_distance"
        values = [content["statistics"][name][key] for content in contents]
        if len(contents) == 1:
            axes.plot(row[f"{key}_interval"], [y, y], color=colour, linewidth=1.2)
            axes.plot(row["auroc"], y, "o", markersize=4.5, markerfacecolor="white", markeredgecolor=colour, clip_on=False)
            axes.plot(values, [y], "o", markersize=4.5, color=colour, clip_on=False)
        else:
            axes.plot(
                values, [y] * len(values), "o", markersize=3.5, color=colour, alpha=0.45, markeredgewidth=0, clip_on=False
            )
            axes.plot(median(values), y, "|", markersize=8, markeredgewidth=1.6, color=INK)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=7)
    for label, row in zip(axes.get_yticklabels(), rows.values(), strict=True):
        label.set_color(GROUPS[row["group"]][1])
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("AUROC: 0.5 cannot be told apart, 0 and 1 always", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_title(title(contents), fontsize=9)
    dots = [
        Line2D([], [], marker="o", linestyle="", markersize=4.5, color=colour, label=told) for told, colour in GROUPS.values()
    ]
    figure.legend(handles=[*dots, *marks(len(contents) == 1)], loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def marks(single: bool) -> list[Any]:
    """What the shapes mean, as entries of the legend."""

    def mark(text: str, **style: Any) -> Line2D:
        return Line2D([], [], linestyle="", color=INK, label=text, **style)

    filled = "filled: of the distance from the real median"
    if not single:
        return [
            mark(f"{filled}, a job each", marker="o", markersize=3.5),
            mark("median over the jobs", marker="|", markersize=8),
        ]
    hollow = mark("hollow: of the statistic itself", marker="o", markersize=4.5, markerfacecolor="white")
    return [mark(f"{filled}, 95 %", marker="o", markersize=4.5), hollow]


def title(contents: Sequence[Mapping[str, Any]]) -> str:
    """What is compared."""
    first = contents[0]
    real = f"real images ({first['data']}, {first['split']})"
    if len(contents) > 1:
        return f"evolved images of {len(contents)} jobs against {real}"
    of = f"{first['evolved_images']:,} evolved images of digit {first['digit']}"
    return f"{of} against {first['real_images']:,} {real} of class {first['real_class']}"
