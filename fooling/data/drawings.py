"""A drawing or photo as an image like MNIST's: grey, light ink on dark ground, fitted into a box.

The steps:

1. *Grey*: the file is opened by `images.open_image`; transparent parts become white, or black if the drawing is light in the
   mean; colours become grey by ITU-R 601 (0.299 R + 0.587 G + 0.114 B).
2. *Light on dark*: the ground is the median of the frame, the outermost tenth of the picture on each side. If it is lighter
   than half-way between the darkest and the lightest 2 % of the picture (or the extremes, where these are close), the picture
   is inverted.
3. *Levels*: the ground and the frame's noise above it (at most half-way to the lightest) become 0, the ink 255. The plain
   version of a picture that already has the size of the classifier's images keeps its levels.
4. *Fitting*: the ink's bounding box is scaled to 20/28 of the image, its sides in proportion, with anti-aliasing. Then it is
   moved by whole pixels so that the ink's centre of mass is in the centre, as far as nothing is cut off.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fooling.data.images import Shape, as_bytes, open_image, place, resize
from fooling.data.matching import in_shape
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles

BOX = 20 / 28  # side of the ink's box ÷ side of the image, as in MNIST (LeCun et al. 1998)
FRAME = 0.1  # width of the frame that shows the ground ÷ side of the picture
NOISE = 3.0  # standard deviations of the frame above its median that count as ground
INK = 64  # lowest level of ink, for its bounding box
FAINT = 24  # grey levels; a picture with less contrast is blank


@dataclass(frozen=True)
class Drawing:
    """A picture, two versions of it for a classifier of images (H, W), and the steps that led to them."""

    original: Bytes  # [h, w], grey, upright; of a photo [h, w, C]
    plain: Bytes  # [H, W], light on dark, the whole picture as large as it fits; of a photo [H, W, C], as it is
    fitted: Bytes  # [H, W], its ink in the box, centre of mass in the centre
    done: tuple[str, ...]  # steps of both …
    done_fitted: tuple[str, ...]  # … and the further ones of `fitted` …
    done_plain: tuple[str, ...]  # … and of `plain`


def read_drawing(path: Path, shape: tuple[int, int]) -> Drawing:
    """An image file as an image of `shape` (H, W). Raises UserError for a file that cannot be read, and for a blank one."""
    grey, steps = read_grey(path)
    light, inversion = light_on_dark(grey)
    ink, stretched = ink_of(light)
    if float(ink.max()) < 1:
        raise UserError(f"{path}: expected ink on a plain ground, got a blank picture (a single grey level)")
    fitted, steps_fitted = fit(ink, shape)
    plain = as_bytes(light)
    steps_plain: tuple[str, ...] = ("size and levels kept",)
    if light.shape != shape:
        plain, scaling = fit_whole(ink, shape)
        steps_plain = (*stretched, *scaling)
    return Drawing(as_bytes(grey), plain, fitted, (*steps, inversion), (*stretched, *steps_fitted), steps_plain)


def read_photo(path: Path, shape: Shape, rule: str = "crop") -> Drawing:
    """An image file as it is, in a shape (H, W, C), as the pictures of a data set. Raises UserError if it cannot be read."""
    check_there(path)
    image = open_image(path)
    pixels, steps = in_shape(image, shape, rule)
    taken = tuple(step for step in steps if step not in image.notes) or ("size and levels kept",)
    return Drawing(image.pixels, pixels, pixels, (image.description, *image.notes), (), taken)


def check_there(path: Path) -> None:
    """Raises UserError for a path that is no file."""
    if not path.exists():
        raise UserError(f"{path}: no such file; expected a picture (PNG, JPEG, …)")
    if path.is_dir():
        raise UserError(f"{path}: expected a picture's file, got a folder; name its pictures, such as {path}/*.png")


# --- grey ---------------------------------------------------------------------------------------------------------------
def read_grey(path: Path) -> tuple[Doubles, list[str]]:
    """The grey levels 0 … 255 [h, w] of an image file, and what was done to get them. Raises UserError."""
    check_there(path)
    image = open_image(path, ground="contrast")
    steps = [image.description, *image.notes]
    if image.levels.shape[2] == 1:
        return np.asarray(image.levels[:, :, 0], dtype=np.float64), steps
    grey = np.asarray(Image.fromarray(image.pixels).convert("L"), dtype=np.float64)
    return grey, [*steps, "made grey"]


# --- light on dark ------------------------------------------------------------------------------------------------------
def frame_of(levels: Doubles) -> Doubles:
    """The levels of the outermost tenth of a picture [h, w] on each side, at least one pixel, as a flat array."""
    height, width = levels.shape
    down, across = max(1, round(FRAME * height)), max(1, round(FRAME * width))
    inside = np.zeros(levels.shape, dtype=bool)
    inside[down : height - down, across : width - across] = True
    return np.asarray(levels[~inside])


def light_on_dark(grey: Doubles) -> tuple[Doubles, str]:
    """The picture, inverted if its ground is light, and why."""
    ground = float(np.median(frame_of(grey)))
    low, high = np.quantile(grey, [0.02, 0.98])
    if high - low < FAINT:
        low, high = grey.min(), grey.max()
    if ground > (low + high) / 2:
        return 255 - grey, f"inverted: its frame is light (grey {ground:.0f}), so it is dark ink on light ground"
    return grey, f"not inverted: its frame is dark (grey {ground:.0f}), so it is light ink on dark ground"


def ink_of(light: Doubles) -> tuple[Doubles, list[str]]:
    """The picture with its ground at 0 and its ink at 255, and the step; all 0 if it is blank."""
    frame = frame_of(light)
    ground = float(np.median(frame))
    spread = 1.4826 * float(np.median(np.abs(frame - ground)))  # of normal noise: its standard deviation
    brightest = float(light.max())
    if brightest - ground < FAINT:
        return np.zeros_like(light), []
    low = min(ground + NOISE * spread, (ground + brightest) / 2)
    high = float(np.median(light[light > (low + brightest) / 2]))
    if low < 1 and high > 250:
        return light, []
    stretched = np.clip((light - low) * (255 / (high - low)), 0, 255)
    return stretched, [f"grey levels {low:.0f} … {high:.0f} made 0 … 255"]


# --- fitting ------------------------------------------------------------------------------------------------------------
def fit(ink: Doubles, shape: tuple[int, int]) -> tuple[Bytes, tuple[str, ...]]:
    """Ink on 0 [h, w] fitted as in MNIST, [H, W], and the steps."""
    rows, columns = (np.flatnonzero((ink >= INK).any(axis=axis)) for axis in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    limit = max(1, round(BOX * shape[0])), max(1, round(BOX * shape[1]))
    small = resized(box, limit)
    height, width = small.shape
    weight = small.sum()
    centre = [float((small.sum(axis=1 - axis) * (np.arange(small.shape[axis]) + 0.5)).sum() / weight) for axis in (0, 1)]
    corner = [round(side / 2 - at) for side, at in zip(shape, centre, strict=True)]
    inside = [min(max(0, at), side - length) for at, side, length in zip(corner, shape, (height, width), strict=True)]
    before, into = f"{box.shape[1]}×{box.shape[0]}", f"{limit[1]}×{limit[0]}"
    steps = [f"ink's box {before} scaled to {width}×{height} (box {into})", "centre of mass moved to the centre"]
    if inside != corner:
        steps.append("as far as nothing is cut off")
    return as_bytes(place(small, shape, (inside[0], inside[1]))), tuple(steps)


def fit_whole(ink: Doubles, shape: tuple[int, int]) -> tuple[Bytes, tuple[str, ...]]:
    """The whole picture, as large as it fits in [H, W], in the centre, and the step."""
    small = resized(ink, shape)
    top, left = ((side - length) // 2 for side, length in zip(shape, small.shape, strict=True))
    return as_bytes(place(small, shape, (top, left))), (f"whole picture scaled to {small.shape[1]}×{small.shape[0]}",)


def resized(levels: Doubles, limit: tuple[int, int]) -> Doubles:
    """A picture [h, w] scaled, with anti-aliasing, until it fills `limit` (H, W) in one direction; thin lines stay light.

    A line thinner than a pixel would become fainter than any of MNIST's. Where the upper quarter of the ink is darker than the
    lightest level before, all levels are raised in proportion and clipped at that level.
    """
    height, width = levels.shape
    scale = min(limit[0] / height, limit[1] / width)
    sides = max(1, min(limit[0], round(height * scale))), max(1, min(limit[1], round(width * scale)))
    if sides == (height, width):
        return levels
    small = np.asarray(resize(levels.astype(np.float32)[:, :, None], sides, Image.Resampling.BILINEAR)[:, :, 0], np.float64)
    lightest = float(levels.max())
    light = float(np.quantile(small[small > small.max() / 4], 0.75)) if small.max() > 0 else lightest
    return np.asarray(np.minimum(small * (lightest / light), lightest))
