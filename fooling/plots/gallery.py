"""gallery.png of `fooling gallery` and matrix.png of `fooling matrix`: classes side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from fooling.kernels.tables import Bytes
from fooling.plots.captions import percent
from fooling.plots.sheets import GROUND, contact_sheet
from fooling.plots.style import DIVERGING, INK, SMALL, headline, new_figure, show_image, to_png
from fooling.records import read_image
from fooling.records.files import read_json, write_atomically

FILES = ("gallery.png", "matrix.png")
Cell = Mapping[str, Any]
COLUMNS = 10  # classes side by side; further ones stand below
SIDE = 1.15  # of an image, inches
NOTE = "rows: class of the prior and of the held-out classifiers; columns: target class; below: images that fool"


# --- the matrix ---------------------------------------------------------------------------------------------------------
def draw_matrix(folder: Path) -> None:
    """matrix.png from matrix.json: the best image of each pair of prior and target class, and how many images fool.

    The diagonal names the classes.
    """
    summary = read_json(folder / "matrix.json")
    pairs = {(entry["prior"], entry["digit"]): entry for entry in summary["pairs"]}
    classes = sorted({target for _, target in pairs})
    cells = [(prior, target) for prior in classes for target in classes]
    images = {pair: read_shown(folder, entry) for pair, entry in pairs.items()}
    blank = np.full_like(next(iter(images.values())), GROUND)
    captions = [
        f"{pairs[cell]['fooled']} of {pairs[cell]['images']}" if cell in pairs else f"class {summary['labels'][cell[0]]}"
        for cell in cells
    ]
    sheet = contact_sheet(np.stack([images.get(cell, blank) for cell in cells]), captions, NOTE, columns=len(classes))
    write_atomically(folder / "matrix.png", to_png(sheet))


def read_shown(folder: Path, cell: Cell) -> Bytes:
    """The image of a job that the summary chose for the picture, [H, W, C]."""
    return read_image(folder / cell["folder"] / "images" / f"{cell['shown']:04d}.png")


# --- the gallery --------------------------------------------------------------------------------------------------------
def draw_gallery(folder: Path) -> None:
    """gallery.png from gallery.json: the image of median confidence of each job, a row for each blur.

    Grey images are coloured from blue (no ink) over white (grey) to red (ink).
    """
    summary = read_json(folder / "gallery.json")
    lines = table(summary["cells"])
    columns = max(len(cells) for _, cells in lines)
    figure = new_figure(max(4.5, SIDE * columns + 1.6), (SIDE + 0.25) * len(lines) + 0.45)
    grid = figure.subplots(len(lines), columns, squeeze=False)
    mapped = None
    for axes, (row, cells) in zip(grid, lines, strict=True):
        for place in axes:
            place.set_axis_off()
        for place, cell in zip(axes, cells, strict=False):
            mapped = draw_cell(place, read_shown(folder, cell), cell, summary["labels"]) or mapped
        middle = {"ha": "right", "va": "center", "transform": axes[0].transAxes}
        axes[0].text(-0.08, 0.5, row_name(row), fontsize=SMALL, color=INK, **middle)
    headline(figure, f"search={summary['search']} against {summary['classifier']}")
    if mapped is not None:
        bar = figure.colorbar(mapped, ax=grid, shrink=0.8, pad=0.02, ticks=[0, 127.5, 255])
        bar.ax.set_yticklabels(["no ink\n(black)", "grey", "ink\n(white)"], fontsize=SMALL, color=INK)
        bar.outline.set_visible(False)
    write_atomically(folder / "gallery.png", to_png(figure))


def table(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """The lines of the picture with the names of their rows: every row for the first ten classes, then for the next ten."""
    rows = list(dict.fromkeys(cell["row"] for cell in cells))
    of_row = {row: [cell for cell in cells if cell["row"] == row] for row in rows}
    classes = len(of_row[rows[0]])
    return [(row, of_row[row][lo : lo + COLUMNS]) for lo in range(0, classes, COLUMNS) for row in rows]


def row_name(row: str) -> str:
    """blur_sd=0.5 → blur 0.5; a search without blur has one row, without a name."""
    name = "" if row == "all" else row.replace("blur_sd=", "blur\n")
    return "no blur" if name == "blur\n0" else name


def draw_cell(axes: Axes, image: Bytes, cell: Cell, labels: Sequence[str]) -> AxesImage | None:
    """One image with its class and confidence; → what a colour bar needs, None for an image in colour."""
    title = f"{labels[cell['digit']]}: {percent(cell['confidence'])}"
    axes.set_title(title, fontsize=SMALL, color=INK, pad=3, parse_math=False)
    shown = show_image(axes, image, DIVERGING)
    return shown if image.shape[2] == 1 else None
