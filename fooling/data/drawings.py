"""A drawing or photo of a sign, made an image as a classifier knows them: grey, light on dark, fitted as MNIST was.

What is done, and by what rule:

1. *Grey*: turned upright as its EXIF data say; transparent parts become white, or black if what is drawn is light in the mean;
   colours become grey by ITU-R 601 (0.299 R + 0.587 G + 0.114 B); 16 bits a channel are divided by 257.
2. *Light on dark*: the ground is the median of the frame, the outermost tenth of the picture on each side. If it is lighter
   than half-way between the darkest and the lightest 2 % of the picture (or the extremes, where these are about the same), the
   picture is inverted.
3. *Levels*: the ground becomes 0 with all that the frame's noise reaches above it (at most half-way to the lightest); the ink,
   255. A picture that has the size of the classifier's images already keeps its levels where it is shown as it is.
4. *Fitting*: the ink's box is scaled to 20/28 of the image, its sides in proportion, with anti-aliasing; then the whole is
   moved by whole pixels until the ink's centre of mass is that of the image, as far as nothing is cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles

LARGEST = 16384  # pixels a side
BOX = 20 / 28  # of an image, that the ink is fitted into: MNIST's (LeCun et al. 1998)
FRAME = 0.1  # of a picture on each side, that its ground is looked for in
NOISE = 3.0  # times the frame's spread above the ground are ground too
INK = 64  # from this level on a pixel is ink, when its box is looked for
FAINT = 24  # grey levels between ground and the rest, less than which a picture is empty


@dataclass(frozen=True)
class Drawing:
    """A picture as it was, as it is shown to a classifier of images (H, W), and what was done to it."""

    original: Bytes  # [h, w], grey, upright
    plain: Bytes  # [H, W], light on dark, the whole picture made as large as fits
    fitted: Bytes  # [H, W], its ink in the box, centre of mass in the centre
    done: tuple[str, ...]  # to both …
    done_fitted: tuple[str, ...]  # … and then to `fitted` alone
    done_plain: tuple[str, ...]  # … or to `plain`


def read_drawing(path: Path, shape: tuple[int, int]) -> Drawing:
    """A picture file as an image of `shape` (H, W). Raises UserError for a file that is none, or without ink."""
    grey, said = read_grey(path)
    light, turned = light_on_dark(grey)
    ink, stretched = ink_of(light)
    if float(ink.max()) < 1:
        raise UserError(f"{path}: nothing is drawn there: all of it is of one grey, give a picture with ink on a plain ground")
    fitted, how = fit(ink, shape)
    plain, how_plain = (as_bytes(light), ("size and levels kept",)) if light.shape == shape else whole(ink, shape)
    kept = light.shape == shape
    done_plain = how_plain if kept else (*stretched, *how_plain)
    return Drawing(as_bytes(grey), plain, fitted, (*said, turned), (*stretched, *how), done_plain)


def as_bytes(levels: Doubles) -> Bytes:
    """Grey levels, rounded."""
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)


# --- grey ---------------------------------------------------------------------------------------------------------------
def read_grey(path: Path) -> tuple[Doubles, list[str]]:
    """A picture of any format that Pillow reads as grey levels 0 … 255 [h, w], and what was done for it."""

    if not path.exists():
        raise UserError(f"{path}: no such file; expected a picture (PNG, JPEG, …)")
    if path.is_dir():
        raise UserError(f"{path}: expected a picture's file, got a folder; name its pictures, such as {path}/*.png")
    try:
        with Image.open(path) as picture:
            if max(picture.size) > LARGEST:  # before decoding: a small file may hold a huge picture
                raise UserError(f"{path}: expected at most {LARGEST} pixels a side, got {picture.width}×{picture.height}")
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            orientation = picture.getexif().get(0x0112, 1)
            size = f"{upright.width}×{upright.height}"
            said = [f"{picture.format or 'picture'} {size}, {KINDS.get(picture.mode, picture.mode)}"]
            levels, how = grey_of(upright)
    except UserError as error:
        raise UserError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error
    except Exception as error:  # a damaged picture raises almost anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: is not a picture that can be read ({reason})") from error
    return levels, [*said, *(["turned upright (EXIF)"] if orientation != 1 else []), *how]


KINDS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "P": "colours of a palette",
    "CMYK": "CMYK",
    "I;16": "16-bit grey",
    "I;16B": "16-bit grey",
    "I": "32-bit grey",
    "F": "grey of real numbers",
}
WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")


def grey_of(picture: Image.Image) -> tuple[Doubles, list[str]]:
    """Grey levels 0 … 255 of a picture, and what was done for it."""

    if picture.mode in WIDE:
        return grey_of_wide(picture)
    if picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in picture.info:
        how = [] if picture.mode in ("1", "L") else ["made grey"]
        return np.asarray(picture.convert("RGB").convert("L"), dtype=np.float64), how
    full = picture.convert("RGBA")
    opaque = np.asarray(full.getchannel("A"), dtype=np.float64) / 255
    levels = np.asarray(full.convert("RGB").convert("L"), dtype=np.float64)
    drawn = float((levels * opaque).sum() / max(opaque.sum(), 1e-9))
    ground, name = (0, "black") if drawn >= 128 else (255, "white")
    paper = Image.new("RGBA", full.size, (ground, ground, ground, 255))
    whole = Image.alpha_composite(paper, full).convert("RGB").convert("L")
    return np.asarray(whole, dtype=np.float64), [f"transparent parts made {name}", "made grey"]


def grey_of_wide(picture: Image.Image) -> tuple[Doubles, list[str]]:
    """The same of 16 bits, which fill their range, of more, and of real numbers, which are stretched to theirs."""
    levels = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(levels).all():
        raise UserError("holds numbers that are not finite; expected grey levels")
    low, high = float(levels.min()), float(levels.max())
    if picture.mode.startswith("I") and low >= 0 and high <= 65535:
        return levels / 257, ["16 bits made 8"]
    return (levels - low) * (255 / max(high - low, 1e-12)), [f"levels {low:g} … {high:g} made 0 … 255"]


# --- light on dark ------------------------------------------------------------------------------------------------------
def frame_of(levels: Doubles) -> Doubles:
    """The outermost tenth of a picture [h, w] on each side, at least one pixel: its levels in a row."""
    height, width = levels.shape
    down, across = max(1, round(FRAME * height)), max(1, round(FRAME * width))
    inside = np.zeros(levels.shape, dtype=bool)
    inside[down : height - down, across : width - across] = True
    return np.asarray(levels[~inside])


def light_on_dark(grey: Doubles) -> tuple[Doubles, str]:
    """The picture inverted if its ground is light, and what was found."""
    ground = float(np.median(frame_of(grey)))
    low, high = np.quantile(grey, [0.02, 0.98])
    if high - low < FAINT:
        low, high = grey.min(), grey.max()
    if ground > (low + high) / 2:
        return 255 - grey, f"inverted: its frame is light (grey {ground:.0f}), so it is dark ink on light ground"
    return grey, f"not inverted: its frame is dark (grey {ground:.0f}), so it is light ink on dark ground"


def ink_of(light: Doubles) -> tuple[Doubles, list[str]]:
    """The picture with its ground at 0 and its ink at 255; all 0 where there is none."""
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
    """Ink on 0 [h, w] as MNIST's makers did it: [H, W], and what was done."""
    rows, columns = (np.flatnonzero((ink >= INK).any(axis=axis)) for axis in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    most = tuple(max(1, round(BOX * side)) for side in shape)
    small = resized(box, most)
    height, width = small.shape
    weight = small.sum()
    centre = [float((small.sum(axis=1 - axis) * (np.arange(small.shape[axis]) + 0.5)).sum() / weight) for axis in (0, 1)]
    corner = [round(side / 2 - at) for side, at in zip(shape, centre, strict=True)]
    kept = [min(max(0, at), side - length) for at, side, length in zip(corner, shape, (height, width), strict=True)]
    image = np.zeros(shape)
    image[kept[0] : kept[0] + height, kept[1] : kept[1] + width] = small
    was, into = f"{box.shape[1]}×{box.shape[0]}", f"{most[1]}×{most[0]}"
    said = [f"ink's box {was} scaled to {width}×{height} (box {into})", "centre of mass moved to the centre"]
    if kept != corner:
        said.append("as far as nothing is cut off")
    return as_bytes(image), tuple(said)


def whole(ink: Doubles, shape: tuple[int, int]) -> tuple[Bytes, tuple[str, ...]]:
    """The whole picture, as large as fits in [H, W], in the middle."""
    small = resized(ink, shape)
    top, left = ((side - length) // 2 for side, length in zip(shape, small.shape, strict=True))
    image = np.zeros(shape)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return as_bytes(image), (f"whole picture scaled to {small.shape[1]}×{small.shape[0]}",)


def resized(levels: Doubles, most: Sequence[int]) -> Doubles:
    """A picture [h, w] scaled, with anti-aliasing, until it fills `most` (H, W) in one direction; lines stay as light.

    A line thinner than a pixel would become fainter than any of MNIST's: where the upper quarter of the ink is darker than the
    lightest was, all is made lighter in proportion, and cut there.
    """

    height, width = levels.shape
    scale = min(most[0] / height, most[1] / width)
    size = max(1, min(most[1], round(width * scale))), max(1, min(most[0], round(height * scale)))
    if size == (width, height):
        return levels
    picture = Image.fromarray(levels.astype(np.float32))  # of real numbers, mode F
    small = np.asarray(picture.resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
    most_light = float(levels.max())
    light = float(np.quantile(small[small > small.max() / 4], 0.75)) if small.max() > 0 else most_light
    return np.asarray(np.minimum(small * (most_light / light), most_light))
