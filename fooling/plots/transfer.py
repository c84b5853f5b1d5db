"""transfer.png of `fooling transfer`: a row for each source of images, a column for each classifier that looks at them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fooling.kernels.tables import Bytes
from fooling.plots import shorten, whole_percent
from fooling.plots.style import INK, LABEL, PALE, PAPER, SMALL, TINY, headline, new_figure, show_image, to_png
from fooling.records.files import read_json, write_atomically

LETTERS = 26  # of a name
CELL, LEFT, ABOVE = 0.95, 3.0, 1.9  # inches: side of a cell, room for names and pictures


def draw_transfer(folder: Path, images: Sequence[Bytes]) -> None:
    """transfer.png from transfer.json; `images` are an image [1, H, W, C] of each row."""
    found = read_json(folder / "transfer.json")
    rows, names = found["rows"], [shorten(one["name"], LETTERS) for one in found["classifiers"]]
    height, width = ABOVE + 0.75 * len(rows), LEFT + CELL * len(names)
    figure = new_figure(width, height)
    grid = figure.add_gridspec(len(rows), 2, width_ratios=[1, max(2, len(names))])
    for i, image in enumerate(images):
        show_image(figure.add_subplot(grid[i, 0]), image[0])
    axes = figure.add_subplot(grid[:, 1])
    draw_matrix(axes, rows)
    axes.set_xticks(range(len(names)), names, fontsize=SMALL, rotation=30, ha="left", parse_math=False)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), [source_text(row) for row in rows], fontsize=SMALL, parse_math=False)
    figure.supxlabel("grey: attacked itself, or a member of it; in brackets: 95 %", fontsize=SMALL, color=INK)
    headline(figure, f"Successful images that others also believe (score ≥ {found['threshold']:g})", LABEL)
    write_atomically(folder / "transfer.png", to_png(figure))


def source_text(row: Mapping[str, Any]) -> str:
    """A row's name: the attacked classifier, the prior and how many images."""
    return f"against {shorten(row['source'], LETTERS)}\nprior {row['kind']}, {row['succeeded']['part']} images"


def draw_matrix(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Shares as shades with their intervals; NaN, hence blank, where there was no image."""
    shares = [[cell["believed"]["share"] if cell["believed"] else float("nan") for cell in row["cells"]] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    for y, row in enumerate(rows):
        for x, cell in enumerate(row["cells"]):
            if cell["believed"]:
                draw_cell(axes, x, y, cell)
    axes.tick_params(which="both", length=0)


def draw_cell(axes: Axes, x: int, y: int, cell: Mapping[str, Any]) -> None:
    """A share and its interval."""
    found = cell["believed"]
    dark = found["share"] > 0.55
    if cell["related"]:
        axes.add_patch(square(x, y))
    colour = PAPER if dark and not cell["related"] else INK
    axes.text(x, y - 0.12, whole_percent(found["share"]), ha="center", va="center", fontsize=LABEL, color=colour)
    low, high = 100 * found["low"], 100 * found["high"]
    axes.text(x, y + 0.24, f"({low:.0f}–{high:.0f})", ha="center", va="center", fontsize=TINY, color=colour)


def square(x: int, y: int) -> Rectangle:
    """What covers the cell of a classifier that was attacked itself."""
    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=PALE, edgecolor=PAPER)
