"""detect.png of `fooling detect`: the ROC curves of every detector, a chart for each kind of evolved images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from fooling.plots import shorten, whole_percent, words
from fooling.plots.style import COLOURS, INK, LABEL, PALE, SMALL, headline, new_figure, to_png
from fooling.records.files import write_atomically

COLUMNS, SIDE = 3, 3.0  # charts beside each other; of a chart, inches
DASHES = ("-", "--", ":")
LETTERS = 32  # of the name of a kind of images


def draw_detect(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes the picture of what detect.json says."""
    write_atomically(folder / "detect.png", roc_charts(content))


def roc_charts(content: Mapping[str, Any]) -> bytes:
    """A PNG with the curves of each kind of evolved images that has any."""
    groups = [group for group in content["groups"] if any(row["against"] == group["name"] for row in content["curves"])]
    names = list(content["detectors"])
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(SIDE * max(columns, 2), SIDE * rows + 0.6 + 0.2 * -(-len(names) // 3))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, group in zip(grid, groups, strict=False):
        draw_curves(axes, [row for row in content["curves"] if row["against"] == group["name"]], names)
        text = f"{shorten(group['name'], LETTERS)} ({group['images']})"
        axes.set_title(text, fontsize=LABEL, color=INK, parse_math=False)
    for axes in grid[len(groups) :]:
        axes.set_visible(False)
    handles = {label: line for axes in grid for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False, labelcolor=INK
    )
    headline(figure, f"{content['classifier']['name']}: detectors of evolved images", LABEL)
    return to_png(figure)


def draw_curves(axes: Axes, curves: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """The curves of one kind of images; each detector has one look in all charts."""
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=0.8)
    for row in curves:
        number = names.index(row["name"])
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
        }
        axes.plot(row["evolved"], row["real"], linewidth=1.2, label=words(row["name"]), clip_on=False, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("evolved images accepted", fontsize=SMALL, color=INK)
    axes.set_ylabel("real images accepted", fontsize=SMALL, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda x, _: whole_percent(x))
    axes.tick_params(labelsize=SMALL)
    axes.spines[["right", "top"]].set_color(PALE)
