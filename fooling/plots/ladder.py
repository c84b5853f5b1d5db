"""The pictures of a ladder: a band a rung, in it a row an arm, a column a digit. Reads record folders only."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fooling.kernels.tables import Bytes
from fooling.plots.sheets import encode, percent
from fooling.records import read_image
from fooling.records.files import read_json, write_atomically

Cell = Mapping[str, Any]
Captions = Callable[[Cell], list[str]]
Panel = dict[str, Callable[[Cell], str]]  # a column of the panel to the right: its heading, and what a row says there
SIDE = 64  # of an enlarged image, in screen pixels, about
GAP = 8
LEFT, COLUMN = 132, 78  # widths: of the rows' names, of a column of the panel
HEAD, BAND, LINE = 40, 34, 13  # heights: of the columns' names, of a rung's name, of a line of small text
DARK, DIM, INK, BRIGHT = 28, 150, 205, 255
SMALL, NORMAL, LARGE = 11, 12, 17  # sizes of type
NAMES = {"none": "no prior"}


def draw_ladder(folder: Path) -> None:
    """ladder.png, the image of median confidence of each job, and means.png, the mean of its images, from ladder.json."""
    found = read_json(folder / "ladder.json")
    panel: Panel = {"median\nconfidence": lambda row: percent(row["confidence"])}
    if found["judges"]:
        panel["judges\nread it"] = lambda row: f"{row['read']['share']:.0%}"
    panel["evaluations\nan image"] = lambda row: f"{row['evaluations']:,.0f}"
    panel["seconds\nan image"] = lambda row: f"{row['seconds_per_image']:.2f}"
    if any(row["percentiles"] for row in found["rows"]):
        panel["percentile\namong real"] = ranks
    typical = draw(
        found,
        [read_image(folder / cell["folder"] / "images" / f"{cell['shown']:04d}.png") for cell in found["cells"]],
        lambda cell: captions(cell, found["labels"]),
        panel,
        notes(found),
    )
    write_atomically(folder / "ladder.png", encode(typical, format="PNG", optimize=True))
    distance: Panel = {"distance of\ntwo images": lambda row: far(row)}
    means = draw(
        found,
        [read_image(folder / cell["folder"] / "mean.png") for cell in found["cells"]],
        lambda cell: [far(cell)],
        distance,
        [f"The mean of {found['cells'][0]['images']} images each; below it the mean distance between two of them."],
    )
    write_atomically(folder / "means.png", encode(means, format="PNG", optimize=True))


def captions(cell: Cell, labels: Sequence[str]) -> list[str]:
    """What stands below a job's image."""
    target = "" if cell["prior"] == cell["digit"] else f"{labels[cell['digit']]}: "
    said = [target + percent(cell["confidence"]).replace(" ", "")]
    return [*said, f"read {cell['read']['share']:.0%}"] if cell["read"] else said


def notes(found: Mapping[str, Any]) -> list[str]:
    """What stands below all."""
    number = found["cells"][0]["images"]
    said = [f"Of {number} images each the one of median confidence; below it the median confidence of all {number}"]
    if found["judges"]:
        said.append(f"“read”: how many of them {' and '.join(found['judges'])} read as the column's digit")
    return said


def far(cell: Cell) -> str:
    """The mean distance between two images."""
    return "" if cell["distance"] is None else f"{cell['distance']:.1f}"


def ranks(row: Cell) -> str:
    """The percentiles of a row, a line a term."""
    return "\n".join(f"{name} {rank:.0f}" for name, rank in row["percentiles"].items() if name != "target")


def draw(
    found: Mapping[str, Any], images: Sequence[Bytes], captions: Captions, panel: Panel, notes: Sequence[str]
) -> Image.Image:
    """The sheet: images [H, W, C] and captions of the cells, panel of the rows, notes below all."""
    cells, rows = found["cells"], found["rows"]
    columns = len(cells) // len(rows)
    height, width, channels = images[0].shape
    scale = max(1, round(SIDE / max(height, width)))
    step = max(width * scale, SIDE) + GAP
    down = height * scale + 2 * GAP + LINE * len(captions(cells[0]))
    bands = len({row["rung"] for row in rows})
    across = LEFT + columns * step + len(panel) * COLUMN + GAP
    size = (across, HEAD + bands * BAND + len(rows) * down + LINE * len(notes) + 3 * GAP)
    sheet = Image.new("L" if channels == 1 else "RGB", size, shade(DARK, channels))
    pen = ImageDraw.Draw(sheet)

    def write(x: float, y: float, text: str, tone: int = INK, size: int = SMALL, anchor: str = "mm") -> None:
        pen.text((x, y), text, shade(tone, channels), ImageFont.load_default(size), anchor, align="center")

    for i, cell in enumerate(cells[:columns]):
        write(LEFT + i * step + width * scale / 2, HEAD / 2, found["labels"][cell["prior"]], BRIGHT, LARGE)
    for i, heading in enumerate(panel):
        write(LEFT + columns * step + (i + 0.5) * COLUMN, HEAD / 2, heading, DIM)
    y = HEAD
    for number, row in enumerate(rows):
        if number == 0 or rows[number - 1]["rung"] != row["rung"]:
            pen.line((GAP, y, across - GAP, y), shade(DIM // 2, channels))
            write(GAP, y + BAND / 2, NAMES.get(row["rung"], row["rung"]), BRIGHT, LARGE, "lm")
            y += BAND
        middle = y + height * scale / 2
        pen.multiline_text(
            (GAP, middle), wrapped(found["arms"][row["arm"]]), shade(INK, channels), ImageFont.load_default(NORMAL), "lm"
        )
        for i, (cell, image) in enumerate(zip(cells[number * columns :][:columns], images[number * columns :], strict=False)):
            x = LEFT + i * step
            tile = Image.fromarray(image[:, :, 0] if channels == 1 else image)
            sheet.paste(tile.resize((width * scale, height * scale), Image.Resampling.NEAREST), (x, y))
            for line, caption in enumerate(captions(cell)):
                write(x + width * scale / 2, y + height * scale + 3 + LINE * line, caption, DIM if line else INK, anchor="ma")
        for i, say in enumerate(panel.values()):
            write(LEFT + columns * step + (i + 0.5) * COLUMN, middle, say(row), INK, NORMAL)
        y += down
    for line, note in enumerate(notes):
        write(GAP, y + GAP + line * LINE, note, DIM, anchor="la")
    return sheet


def shade(tone: int, channels: int) -> Any:
    """A grey of a picture of one or three channels."""
    return tone if channels == 1 else (tone, tone, tone)


def wrapped(text: str, letters: int = 19) -> str:
    """Text in lines."""

    return "\n".join(textwrap.wrap(text, letters))
