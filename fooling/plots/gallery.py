"""gallery.png: a row a blur, a column a class; grey images in colours from no ink to ink. Reads record folders only."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from fooling.kernels.tables import Bytes
from fooling.plots.sheets import contact_sheet, encode, percent
from fooling.records import read_image
from fooling.records.files import read_json, write_atomically


def draw_matrix(folder: Path) -> None:
    """matrix.png from matrix.json: a row a prior, a column a wanted class, the best image of each pair and how many fool."""
    found = read_json(folder / "matrix.json")
    pairs = {(entry["prior"], entry["digit"]): entry for entry in found["pairs"]}
    classes = sorted({b for _, b in pairs})
    shown: list[Bytes | None] = []
    captions = []
    for cell in ((a, b) for a in classes for b in classes):
        entry = pairs.get(cell)
        captions.append(f"{entry['fooled']} of {entry['images']}" if entry else found["labels"][cell[0]])
        shown.append(read_image(folder / entry["folder"] / "images" / f"{entry['shown']:04d}.png") if entry else None)
    blank = np.full_like(next(image for image in shown if image is not None), 40)
    note = "rows: what the prior is of and the judges read; columns: what the classifier is sure of; how many images fool"
    images = np.stack([blank if image is None else image for image in shown])
    sheet = contact_sheet(images, captions, note, columns=len(classes))
    write_atomically(folder / "matrix.png", encode(sheet, format="PNG"))


Cell = Mapping[str, Any]
COLUMNS = 10  # classes side by side; more stand below
SIDE = 1.05  # of an image, inches
COLOURS = "RdBu_r"  # blue: no ink, white: no opinion, red: ink
INK = "#333333"
ROWS = {"blur_sd=0": "no blur", "all": ""}


def draw_gallery(folder: Path) -> None:
    """gallery.png from gallery.json: of each job the image of median confidence."""

    found = read_json(folder / "gallery.json")
    lines = table(found["cells"])
    columns = max(len(cells) for _, cells in lines)
    figure = Figure(figsize=(max(4.0, SIDE * columns + 1.6), (SIDE + 0.22) * len(lines) + 0.45), dpi=120, layout="constrained")
    grid = figure.subplots(len(lines), columns, squeeze=False)
    mapped = None
    for axes, (row, cells) in zip(grid, lines, strict=True):
        for place in axes:
            place.set_axis_off()
        for place, cell in zip(axes, cells, strict=False):
            mapped = show(place, folder, cell, found["labels"]) or mapped
        axes[0].text(-0.12, 0.5, ROWS.get(row, row.replace("blur_sd=", "blur\n")), **BESIDE, transform=axes[0].transAxes)
    figure.suptitle(f"search={found['search']}: what {found['classifier']} wants to see", fontsize=11, color=INK)
    if mapped is not None:
        bar = figure.colorbar(mapped, ax=grid, shrink=0.8, pad=0.02, ticks=[0, 127.5, 255])
        bar.ax.set_yticklabels(["surely\nno ink", "no\nopinion", "surely\nink"], fontsize=8, color=INK)
        bar.outline.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(folder / "gallery.png", buffer.getvalue())


BESIDE: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8, "color": INK}


def table(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """The lines of the picture: of each ten classes a line a row."""
    rows = list(dict.fromkeys(cell["row"] for cell in cells))
    of_row = {row: [cell for cell in cells if cell["row"] == row] for row in rows}
    many = len(of_row[rows[0]])
    return [(row, of_row[row][lo : lo + COLUMNS]) for lo in range(0, many, COLUMNS) for row in rows]


def show(axes: Axes, folder: Path, cell: Cell, labels: Sequence[str]) -> AxesImage | None:
    """One image with its class and confidence; → what a colour bar needs, None for an image in colour."""
    image = read_image(folder / cell["folder"] / "images" / f"{cell['shown']:04d}.png")
    axes.set_title(f"{labels[cell['digit']]}: {percent(cell['confidence'])}", fontsize=7, color=INK, pad=2, parse_math=False)
    if image.shape[2] == 3:
        axes.imshow(image)
        return None
    return axes.imshow(image[:, :, 0], cmap=COLOURS, vmin=0, vmax=255, interpolation="nearest")
