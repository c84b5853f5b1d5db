"""The files of a report: the page with everything in it, at most 5 MB, the same as JSON, the figures as CSV."""

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from fooling.data.images import opened
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.plots import evenly_spaced
from fooling.plots.sheets import even_columns, fitted_tile
from fooling.plots.style import encode, without_channel
from fooling.records.record import load_checkpoint
from fooling.report import SCHEMA, Report
from fooling.report.content import Content, Figure, Number, Picture, Source, interval_text, open_source, shown

__all__ = ["open_source", "render"]
MAX_PAGE, ROOM = 5_000_000, 400_000  # bytes of a page; of them for text and charts
FULL, SIDE = 900_000, 1600  # bytes of a picture that is shown as it is; longer side of one that is scaled
FRAMES, RUNS, TILE, FILM = 40, 20, 64, 900_000  # of the slider, at most: frames, runs, pixels of a side, bytes
GREY = 128
FORMATS = {"PNG": "image/png", "WEBP": "image/webp"}


class Shown(NamedTuple):
    """A picture as the page has it."""

    uri: str
    alt: str
    caption: str
    width: int
    height: int
    small: bool


class Film(NamedTuple):
    """Frames of the search as one picture, a grid of `columns` × `rows`."""

    uri: str
    columns: int
    rows: int
    width: int  # of a frame
    height: int
    generations: Sequence[int]

    @property
    def shifts(self) -> list[str]:
        """The CSS that moves each frame into view."""
        places = (divmod(i, self.columns) for i in range(len(self.generations)))
        return [f"translate({-100 * column / self.columns:.4f}%,{-100 * row / self.rows:.4f}%)" for row, column in places]


@dataclass
class Room:
    """How much a page can still hold."""

    left: int
    left_out: list[str] = field(default_factory=list)

    def take(self, content: bytes, kind: str) -> str:
        """The address of a content inside the page; '' if there is no room for it."""
        text = f"data:{FORMATS[kind]};base64,{base64.b64encode(content).decode()}"
        if len(text) > self.left:
            return ""
        self.left -= len(text)
        return text


def render(source: Source, content: Content) -> Report:
    """The three files of a record's report."""
    room = Room(MAX_PAGE - ROOM)
    film = film_of(source, room)  # the newest of all pictures that only the page has
    pictures = [picture for picture in (embedded(source, one, room) for one in content.pictures) if picture]
    figures = unique([content.number, *content.figures])
    about = {
        "source": source,
        "content": content,
        "figures": figures,
        "big": [picture for picture in pictures if not picture.small],
        "small": [picture for picture in pictures if picture.small],
        "film": film,
        "left_out": room.left_out,
        "facts": {name: text for name, text in facts_of(source, content).items() if text},
        "config": without(source.config, content.idle),
        "version": version("fooling"),
        "shown": shown,
        "interval_text": interval_text,
    }
    html = environment().get_template("page.html.j2").render(about)
    if len(html.encode()) > MAX_PAGE:
        raise UserError(f"{source.folder}: its page would have more than {MAX_PAGE:,} bytes of text and charts")
    return Report(html, to_json(source, content, figures), to_csv(figures), content.verdict, tuple(room.left_out))


def environment() -> jinja2.Environment:
    """The templates, which escape every text."""
    loader = jinja2.PackageLoader("fooling.report", "templates")
    found = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    found.filters["svg"] = Markup  # of our own charts, whose text matplotlib has escaped
    found.tests["numeric"] = lambda cell: isinstance(cell, Number)
    return found


def without(config: str, idle: Sequence[str]) -> str:
    """The text of config.yaml without these settings of the top level, and what is indented below them or listed."""
    shown, is_idle = [], False
    for line in config.splitlines():
        if line[:1] not in ("", " ", "-"):
            is_idle = line.partition(":")[0] in idle
        shown += [] if is_idle else [line]
    return "\n".join(shown)


def unique(figures: Sequence[Figure]) -> list[Figure]:
    """The figures, each name once."""
    return list({figure.name: figure for figure in figures}.values())


def facts_of(source: Source, content: Content) -> dict[str, str]:
    """What was run: of every record, then of its kind."""
    about = source.about
    made_by = about.get("versions")
    return {
        "record": source.folder.name,
        "status": str(about.get("status", ""))
        + (f", after generation {after}" if (after := about.get("after_generation")) else ""),
        "begun": str(about.get("begun", "")),
        "classifier": source.classifier,
        **content.facts,
        "seed": "" if (seed := about.get("seed", source.settings.get("seed"))) is None else str(seed),
        "reproducible": str(about.get("reproducible", "")),
        "versions": ", ".join(f"{name} {text}" for name, text in made_by.items()) if isinstance(made_by, dict) else "",
    }


# --- pictures -----------------------------------------------------------------------------------------------------------
def embedded(source: Source, picture: Picture, room: Room) -> Shown | None:
    """A picture inside the page: as it is, scaled, or left out where there is no room."""
    path = source.folder / picture.file
    with opened(path, ("PNG",)) as image:
        size, whole = image.size, image.convert("RGB") if image.mode not in ("L", "RGB") else image.copy()
    content, kind = path.read_bytes(), "PNG"
    if len(content) > FULL:
        whole.thumbnail((SIDE, SIDE))
        content, kind = encode(whole, format="WEBP", quality=80), "WEBP"
    uri = room.take(content, kind)
    if not uri:
        room.left_out.append(picture.file)
        return None
    return Shown(uri, picture.alt, picture.caption, *size, picture.small)


def film_of(source: Source, room: Room) -> Film | None:
    """The best images of the runs through the generations, from the checkpoint of a job; None where there is none."""
    checkpoint = load_checkpoint(source.folder) if source.kind in ("run", "archive") and source.has("checkpoint.npz") else None
    frames = None if checkpoint is None else checkpoint.get("track_frames")
    if checkpoint is None or frames is None or frames.ndim != 5 or len(frames) < 2 or frames.dtype != np.uint8:
        return None
    kept = evenly_spaced(len(frames), FRAMES)
    generations = [int(checkpoint["track_frame_generations"][i]) for i in kept]
    mosaics = [mosaic(frames[i, :RUNS]) for i in kept]
    height, width, channels = mosaics[0].shape
    columns = even_columns(len(mosaics))
    rows = -(-len(mosaics) // columns)
    sheet = np.full((rows * height, columns * width, channels), GREY, dtype=np.uint8)
    for i, one in enumerate(mosaics):
        row, column = divmod(i, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = one
    picture, kind = Image.fromarray(without_channel(sheet)), "PNG"
    content = encode(picture, format="PNG", compress_level=3)
    if len(content) > FILM:
        content, kind = encode(picture, format="WEBP", quality=60), "WEBP"
    uri = room.take(content, kind)
    return Film(uri, columns, rows, width, height, generations) if uri else None


def mosaic(images: Bytes) -> Bytes:
    """Images [N, H, W, C] side by side with a line between them."""
    tiles = [fitted_tile(image, TILE) if max(image.shape[:2]) > TILE else image for image in images]
    height, width, channels = tiles[0].shape
    columns = even_columns(len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), GREY, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (place * (side + 1) + 1 for place, side in zip(divmod(i, columns), (height, width), strict=True))
        sheet[y : y + height, x : x + width] = tile
    return sheet


# --- JSON and CSV -------------------------------------------------------------------------------------------------------
def to_json(source: Source, content: Content, figures: Sequence[Figure]) -> str:
    """report.json; schema.json describes it."""
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": source.kind,
        "record": source.folder.name,
        "status": str(source.about.get("status", "running")),
        "title": content.title,
        "verdict": content.verdict,
        "reading": content.reading,
        "number": content.number.name,
        "about": [one for one in (content.about, *content.beside) if one],
        "figures": {
            figure.name: {key: value for key, value in figure._asdict().items() if key != "name"} for figure in figures
        },
        "pictures": [{"file": one.file, "alt": one.alt, "caption": one.caption} for one in content.pictures],
        "charts": [{"title": chart.title, "alt": chart.alt} for chart in content.charts],
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[cell.text if isinstance(cell, Number) else cell for cell in row] for row in table.rows],
                "lead": list(table.lead),
                "note": table.note,
            }
            for table in content.tables
        ],
        "facts": {name: text for name, text in facts_of(source, content).items() if text},
        "command": source.command,
        "settings": source.settings,
        "limits": list(content.limits),
        "next": list(content.steps),
        "notes": source.notes,
    }
    return json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n"


def to_csv(figures: Sequence[Figure]) -> str:
    """report.csv: a line a figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Figure._fields)
    for figure in figures:
        writer.writerow("" if value is None else value for value in figure)
    return text.getvalue()
