"""Sheets of images, enlarged and captioned, on a dark ground: contact sheets, and the frames of an animation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from fooling.kernels.tables import Bytes
from fooling.plots.style import to_webp, without_channel
from fooling.records.ownership import image_names
from fooling.records.record import read_image

GROUND, DIM, TEXT, BRIGHT = 40, 150, 210, 255  # grey levels
SMALL, NORMAL, LARGE = 11, 12, 17  # sizes of type, pixels
TILE = 84  # side of an enlarged image, pixels, about
GAP = 6
CAPTION = 16  # height of a line, pixels
NAMES = 96  # width of the rows' names, pixels
MAX_SIDE = 8192  # of a sheet, pixels; WebP allows 16383


class Sheet:
    """A picture to paste images and write text on: grey for images of one channel, else in colour."""

    def __init__(self, width: int, height: int, channels: int) -> None:
        self.picture = Image.new("L" if channels == 1 else "RGB", (width, height), shade(GROUND, channels))
        self.pen, self.channels = ImageDraw.Draw(self.picture), channels

    def paste(self, image: Bytes, x: int, y: int, scale: int) -> None:
        """An image [H, W, C], each pixel enlarged to scale × scale, its upper left corner at (x, y)."""
        tile = Image.fromarray(without_channel(image))
        size = tile.width * scale, tile.height * scale
        self.picture.paste(tile.resize(size, Image.Resampling.NEAREST), (x, y))

    def write(self, x: float, y: float, text: str, tone: int = TEXT, size: int = SMALL, anchor: str = "la") -> None:
        """Text of one or several lines; `anchor` as in Pillow: l, m, r by a, m, d."""
        font, middle = font_of(text, size), anchor[0] == "m"
        self.pen.text((x, y), text, shade(tone, self.channels), font, anchor, align="center" if middle else "left")

    def rule(self, x: float, end: float, y: float) -> None:
        """A horizontal line."""
        self.pen.line((x, y, end, y), shade(DIM // 2, self.channels))


def font_of(text: str, size: int) -> Any:
    """Pillow's font, or for letters that it lacks (ö, ж, λ) that of matplotlib."""
    if text.isascii():
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def length(text: str, size: int = SMALL) -> float:
    """Pixels that a line of text takes."""
    return float(font_of(text, size).getlength(text))


def shade(tone: int, channels: int) -> Any:
    """A grey level as a colour of a picture of one or three channels."""
    return tone if channels == 1 else (tone, tone, tone)


def fitted_tile(image: Bytes, side: int) -> Bytes:
    """An image [H, W, C] whose longer side has about `side` pixels: enlarged by a whole factor, or reduced smoothly."""
    height, width, channels = image.shape
    if max(height, width) <= side:
        factor = max(1, side // max(height, width))
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    size = max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width)))
    small = Image.fromarray(without_channel(image)).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small).reshape(size[1], size[0], channels)


def enlargement(image: Bytes, side: int) -> int:
    """The whole factor that makes the longer side of an image [H, W, C] about so many pixels."""
    height, width, _ = image.shape
    return max(1, round(side / int(max(height, width))))


def mean(images: Bytes) -> Bytes:
    """The mean image, rounded: [N, H, W, C] → [H, W, C]."""
    return np.asarray(np.rint(images.mean(axis=0, dtype=np.float64)), dtype=np.uint8)


def wrap(text: str, width: float, size: int = SMALL) -> list[str]:
    """Text in lines of at most so many pixels, broken between words, and within one that is wider than a line."""
    lines = [""]
    for word in (part for whole in text.split() for part in parts_of(whole, width, size)):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [line for line in lines if line]


def parts_of(word: str, width: float, size: int = SMALL) -> list[str]:
    """A word in parts of at most so many pixels, of a letter at least."""
    parts = [""]
    for letter in word if length(word, size) > width else [word]:
        if parts[-1] and length(parts[-1] + letter, size) > width:
            parts.append("")
        parts[-1] += letter
    return parts


def cut(text: str, width: float, size: int = SMALL) -> str:
    """A line of at most so many pixels, its end an ellipsis if any letters were cut."""
    if length(text, size) <= width:
        return text
    return next((f"{text[:n].rstrip()}…" for n in range(len(text), 0, -1) if length(f"{text[:n]}…", size) <= width), "…")


def contact_sheet(
    images: Bytes,
    captions: Sequence[str],
    note: str = "",
    columns: int | None = None,
    title: str = "",
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
) -> Image.Image:
    """Images [N, H, W, C] in a grid: a title above all, a caption below each image, a note below all.

    Names of rows stand to their left, names of columns above them; they are wrapped.
    """
    height, width, channels = images.shape[1:]
    scale, columns = enlargement(images[0], TILE), columns or even_columns(len(images))
    rows = -(-len(images) // columns)
    widest = math.ceil(max(map(length, captions)))
    tile = max(width * scale, TILE, widest)
    across = tile + GAP
    down = height * scale + GAP + (CAPTION if any(captions) else 0)
    left = GAP + (NAMES if row_names else 0)
    titles, notes = (wrap(text, left + columns * across - 2 * GAP) for text in (title, note))
    heads = ["\n".join(wrap(name, tile)) for name in column_names]
    top = GAP + CAPTION * (len(titles) + max((head.count("\n") + 1 for head in heads), default=0))
    sheet = Sheet(left + columns * across, top + rows * down + CAPTION * len(notes), channels)
    for line, text in enumerate(titles):
        sheet.write(GAP, GAP + CAPTION * line, text, BRIGHT)
    for i, head in enumerate(heads):
        sheet.write(left + i * across + tile / 2, top - 2, head, BRIGHT, anchor="md")
    for i, name in enumerate(row_names):
        sheet.write(GAP, top + i * down + height * scale / 2, "\n".join(wrap(name, NAMES - GAP)), BRIGHT, anchor="lm")
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = left + i % columns * across + (tile - width * scale) // 2, top + i // columns * down
        sheet.paste(image, x, y, scale)
        sheet.write(x + width * scale / 2, y + height * scale + 2, caption, anchor="ma")
    for line, text in enumerate(notes):
        sheet.write(GAP, top + rows * down + CAPTION * line, text)
    return sheet.picture


def fitting_number(number: int, shape: tuple[int, ...]) -> int:
    """How many of so many images [H, W, C] fit on a sheet of MAX_SIDE × MAX_SIDE pixels, at least one."""
    while number > 1:
        columns = even_columns(number)
        if max(columns * (shape[1] + GAP), -(-number // columns) * (shape[0] + GAP + CAPTION)) <= MAX_SIDE:
            break
        number -= 1
    return number


def even_columns(number: int) -> int:
    """Columns of a grid that is wider than high and has few empty places: 20 → 5, 100 → 10."""
    return min(range(math.ceil(math.sqrt(number)), math.ceil(math.sqrt(2 * number)) + 1), key=lambda n: -number % n)


def animation(frames: Bytes, generations: Sequence[int]) -> bytes:
    """A lossless animated WebP of the runs' images [F, R, H, W, C], a frame for each of the generations."""
    number = fitting_number(frames.shape[1], frames.shape[2:])
    sheets = [
        contact_sheet(frame[:number], [""] * number, f"generation {generation}")
        for frame, generation in zip(frames, generations, strict=True)
    ]
    return to_webp(sheets, lossless=True)


def read_shown(folder: Path, cell: Mapping[str, Any]) -> Bytes:
    """The image of a job that the summary chose for the picture, [H, W, C]."""
    return read_image(folder / cell["folder"] / image_names(cell["shown"] + 1)[-1])
