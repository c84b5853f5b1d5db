"""Pictures of a finished record: mean, contact sheet, film. Reads record folders only."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fooling.kernels.tables import Bytes
from fooling.records.files import write_atomically

TILE = 84  # side of an enlarged image, in screen pixels, about
GAP = 6
CAPTION = 16
SHEET = 100  # images on a contact sheet, at most
STOPS = 8  # images that are shown along a front, at most
LARGEST = 8192  # pixels a side of a sheet; WebP's limit is 16383
FRAME_MILLISECONDS, LAST_MILLISECONDS = 120, 2500


def mean(images: Bytes) -> Bytes:
    """The mean image, rounded: [N, H, W, C] → [H, W, C]."""
    return np.asarray(np.rint(images.mean(axis=0, dtype=np.float64)), dtype=np.uint8)


def percent(confidence: float) -> str:
    """A confidence in per cent, cut off, never rounded up to 100."""
    return "> 99.99 %" if confidence > 0.9999 else f"{math.floor(confidence * 1e4) / 100:.2f} %"


def contact_sheet(images: Bytes, captions: Sequence[str], note: str = "", columns: int | None = None) -> Image.Image:
    """Enlarged images in a grid, a caption below each and a note below all: images [N, H, W, C]."""
    height, width = images.shape[1:3]
    scale = max(1, round(TILE / max(height, width)))
    columns = columns or even_columns(len(images))
    rows = -(-len(images) // columns)
    cell = (max(width * scale, TILE) + GAP, height * scale + GAP + (CAPTION if any(captions) else 0))
    size = (columns * cell[0] + GAP, rows * cell[1] + GAP + (CAPTION if note else 0))
    sheet = Image.new("L" if images.shape[3] == 1 else "RGB", size, 40 if images.shape[3] == 1 else (40, 40, 40))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    ink: Any = 210 if images.shape[3] == 1 else (210, 210, 210)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = GAP + i % columns * cell[0], GAP + i // columns * cell[1]
        tile = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        sheet.paste(tile.resize((width * scale, height * scale), Image.Resampling.NEAREST), (x, y))
        pen.text((x + width * scale / 2, y + height * scale + 2), caption, fill=ink, font=font, anchor="ma")
    if note:
        pen.text((GAP, size[1] - CAPTION), note, fill=ink, font=font)
    return sheet


def that_fit(number: int, shape: tuple[int, ...]) -> int:
    """How many of so many images [H, W, C] fit on a sheet of LARGEST × LARGEST pixels, at least one."""
    while number > 1:
        columns = even_columns(number)
        if max(columns * (shape[1] + GAP), -(-number // columns) * (shape[0] + GAP + CAPTION)) <= LARGEST:
            break
        number -= 1
    return number


def even_columns(number: int) -> int:
    """Columns of a grid that is wider than high and has few empty places: 20 → 5, 100 → 10."""
    return min(range(math.ceil(math.sqrt(number)), math.ceil(math.sqrt(2 * number)) + 1), key=lambda n: -number % n)


def draw_film(path: Path, frames: Bytes, generations: npt.NDArray[np.int64]) -> None:
    """An animated WebP of the runs' images [F, R, H, W, C] through the generations, lossless."""
    shown = that_fit(frames.shape[1], frames.shape[2:])
    pictures = [
        contact_sheet(frame[:shown], [""] * shown, f"generation {generation}")
        for frame, generation in zip(frames, generations.tolist(), strict=True)
    ]
    durations = [FRAME_MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    film = encode(
        pictures[0], format="WEBP", save_all=True, append_images=pictures[1:], duration=durations, loop=0, lossless=True
    )
    write_atomically(path, film)


def evenly_spaced(front: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.int64]:
    """At most `number` of a front [N, 2], its ends among them, about equally far from each other in both, by their ranks."""
    place = np.log(np.maximum(front, 1e-12))
    steps = np.hypot(*(np.diff(place, axis=0) / np.maximum(np.ptp(place, axis=0), 1e-12)).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return np.unique(np.abs(length - np.linspace(0, length[-1], number)[:, None]).argmin(axis=1))


def scale(set_scale: Callable[..., None], values: npt.NDArray[np.float64]) -> None:
    """A logarithmic axis; linear below the least value above 0 where one is 0."""
    above = values[values > 0]
    if len(above) == len(values):
        set_scale("log")
    elif len(above):
        set_scale("symlog", linthresh=float(above.min()))


def encode(picture: Image.Image, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()
