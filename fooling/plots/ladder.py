"""ladder.png and means.png of `fooling ladder`: a section for each prior, a row for each condition, a column for each class."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageFont

from fooling.classifiers.labels import class_name
from fooling.kernels.tables import Bytes
from fooling.plots import percent, whole_percent
from fooling.plots.sheets import BRIGHT, DIM, LARGE, NORMAL, SMALL, TEXT, Sheet, cut, enlargement, read_shown, wrap
from fooling.plots.style import to_png
from fooling.records.files import read_json, write_atomically
from fooling.records.record import read_image

FILES = ("ladder.png", "means.png")
Cell = Mapping[str, Any]  # of ladder.json: a job
Row = Mapping[str, Any]  # of ladder.json: the jobs of a condition of a prior
SIDE = 64  # of an enlarged image, pixels, about
GAP = 8
LEFT, COLUMN = 132, 78  # widths: of the rows' names, of a column of the panel
HEAD, SECTION, LINE = 40, 34, 13  # heights: of the columns' names, of a prior's name, of a line of small text


class Contents(NamedTuple):
    """What a picture shows besides the names of rows and columns."""

    images: Sequence[Bytes]  # [H, W, C] each, of the cells
    captions: Callable[[Cell], list[str]]  # the lines below an image
    panel: Mapping[str, Callable[[Row], str]]  # the columns to the right: heading, and what it says of a row
    notes: Sequence[str]  # below all


def draw_ladder(folder: Path) -> None:
    """ladder.png, the image of median confidence of each job, and means.png, the mean of its images, from ladder.json."""
    summary = read_json(folder / "ladder.json")
    cells = summary["cells"]
    chosen = [read_shown(folder, cell) for cell in cells]
    typical = Contents(chosen, lambda cell: captions(cell, summary["labels"]), panel(summary), notes(summary))
    write_atomically(folder / "ladder.png", to_png(draw(summary, typical)))
    means = Contents(
        [read_image(folder / cell["folder"] / "mean.png") for cell in cells],
        lambda cell: [distance(cell)],
        {"distance of\ntwo images": distance},
        [f"The mean of {cells[0]['images']} images each; below it the mean distance between two of them."],
    )
    write_atomically(folder / "means.png", to_png(draw(summary, means)))


# --- text ---------------------------------------------------------------------------------------------------------------
def panel(summary: Mapping[str, Any]) -> dict[str, Callable[[Row], str]]:
    """The columns to the right of the images in ladder.png."""
    columns: dict[str, Callable[[Row], str]] = {"median\nconfidence": lambda row: percent(row["confidence"])}
    if summary["judges"]:
        columns["read by\nheld-out"] = lambda row: whole_percent(row["read"]["share"])
    columns["evaluations\nper image"] = lambda row: f"{row['evaluations']:,.0f}"
    columns["seconds\nper image"] = lambda row: f"{row['seconds_per_image']:.2f}"
    if any(row["percentiles"] for row in summary["rows"]):
        columns["percentile\namong real"] = percentiles
    return columns


def captions(cell: Cell, labels: Sequence[str]) -> list[str]:
    """The lines below a job's image: its target if that is not the prior's class, confidence, share read by others."""
    confidence = percent(cell["confidence"])
    lines = [confidence]
    if cell["prior"] != cell["digit"]:
        name = class_name(cell["digit"], labels[cell["digit"]])
        one_line = f"{name}: {confidence}"
        fits = ImageFont.load_default(SMALL).getlength(one_line) <= SIDE + GAP
        lines = [one_line] if fits else [cut(f"{name}:", SIDE), confidence]
    return [*lines, f"read {whole_percent(cell['read']['share'])}"] if cell["read"] else lines


def notes(summary: Mapping[str, Any]) -> list[str]:
    """The lines below ladder.png."""
    number = summary["cells"][0]["images"]
    lines = [f"Of {number} images each the one of median confidence; below it the median confidence of all {number}."]
    if summary["judges"]:
        lines.append(f"read: share that {' and '.join(summary['judges'])} (held-out) classify as the column's class.")
    return lines


def distance(cell: Cell) -> str:
    """The mean distance between two images."""
    return "" if cell["distance"] is None else f"{cell['distance']:.1f}"


def percentiles(row: Row) -> str:
    """The percentiles of a row, a line for each term."""
    return "\n".join(f"{name} {value:.0f}" for name, value in row["percentiles"].items() if name != "target")


# --- drawing ------------------------------------------------------------------------------------------------------------
def draw(summary: Mapping[str, Any], contents: Contents) -> Image.Image:
    """The sheet."""
    cells, rows = summary["cells"], summary["rows"]
    columns = len(cells) // len(rows)
    height, width, channels = contents.images[0].shape
    scale = enlargement(contents.images[0], SIDE)
    step = max(width * scale, SIDE) + GAP
    down = height * scale + 2 * GAP + LINE * max(len(contents.captions(cell)) for cell in cells)
    across = LEFT + columns * step + len(contents.panel) * COLUMN + GAP
    lines = [line for note in contents.notes for line in wrap(note, across - 2 * GAP)]
    sections = len({row["rung"] for row in rows})
    sheet = Sheet(across, HEAD + sections * SECTION + len(rows) * down + LINE * len(lines) + 3 * GAP, channels)
    for i, cell in enumerate(cells[:columns]):
        name = class_name(cell["prior"], summary["labels"][cell["prior"]])
        sheet.write(LEFT + i * step + width * scale / 2, HEAD / 2, *heading_of(name, step - GAP), anchor="mm")
    for i, heading in enumerate(contents.panel):
        sheet.write(LEFT + columns * step + (i + 0.5) * COLUMN, HEAD / 2, heading, DIM, anchor="mm")
    y = HEAD
    for number, row in enumerate(rows):
        if number == 0 or rows[number - 1]["rung"] != row["rung"]:
            sheet.rule(GAP, across - GAP, y)
            sheet.write(GAP, y + SECTION / 2, "no prior" if row["rung"] == "none" else row["rung"], BRIGHT, LARGE, "lm")
            y += SECTION
        middle = y + height * scale / 2
        sheet.write(GAP, middle, "\n".join(wrap(summary["arms"][row["arm"]], LEFT - 2 * GAP, NORMAL)), TEXT, NORMAL, "lm")
        for i in range(columns):
            cell, image = cells[number * columns + i], contents.images[number * columns + i]
            draw_cell(sheet, LEFT + i * step, y, scale, image, contents.captions(cell))
        for i, describe in enumerate(contents.panel.values()):
            sheet.write(LEFT + columns * step + (i + 0.5) * COLUMN, middle, describe(row), TEXT, NORMAL, "mm")
        y += down
    for i, line in enumerate(lines):
        sheet.write(GAP, y + GAP + i * LINE, line, DIM)
    return sheet.picture


def heading_of(name: str, width: int) -> tuple[str, int, int]:
    """A column's name in so many pixels, its tone and its size: large if it fits, else in two small lines, the last one cut."""
    if ImageFont.load_default(LARGE).getlength(name) <= width:
        return name, BRIGHT, LARGE
    first, *others = wrap(name, width)
    return "\n".join([first, *([cut(" ".join(others), width)] if others else [])]), BRIGHT, SMALL


def draw_cell(sheet: Sheet, x: int, y: int, scale: int, image: Bytes, lines: Sequence[str]) -> None:
    """An image [H, W, C] and the lines below it."""
    sheet.paste(image, x, y, scale)
    middle, below = x + image.shape[1] * scale / 2, y + image.shape[0] * scale + 3
    for i, line in enumerate(lines):
        sheet.write(middle, below + LINE * i, line, DIM if i else TEXT, anchor="ma")
