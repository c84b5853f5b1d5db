"""Image files: one opener for data sets, drawings and searches; and images resized, letterboxed, translated, rescaled."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fooling.errors import UserError, first_line
from fooling.kernels.tables import Bytes, Doubles
from fooling.settings.files import check_file, check_size

Shape = tuple[int, int, int]
Ground = Literal["black", "contrast"]  # of transparent images; contrast: white, but black for what is light in the mean

ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # that Pillow may open: none of them starts a program
MAX_SIDE = 16384  # pixels; checked before decoding, as a small file may hold a huge image
PIXEL_BYTES = 4  # of a decoded pixel, at most
ORIENTATION = 0x0112  # EXIF tag
TURNED = range(2, 9)  # its values that turn or mirror an image
SIXTEEN_BITS = 65535

# Pillow's modes of images with one channel.
GREY = {"1", "L"}
GREY_WITH_ALPHA = {"LA", "La"}
WIDE = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}  # more than 8 bits
ALPHA = {"RGBA", "PA", "RGBa"} | GREY_WITH_ALPHA
MODE_NAMES = {
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


class ImageFile(NamedTuple):
    """An image file as pixels, and what was done to get them."""

    levels: npt.NDArray[np.uint8] | Doubles  # [H, W, C], grey levels 0 … 255; real numbers if the file has more than 8 bits
    description: str  # format, size and mode of the file
    notes: tuple[str, ...]  # conversions

    @property
    def pixels(self) -> Bytes:
        """The grey levels rounded to uint8 [H, W, C]."""
        return as_bytes(self.levels)

    @property
    def is_stretched(self) -> bool:
        """Whether the levels were stretched to 0 … 255, as a file of real numbers has no range."""
        return any(note.startswith("levels ") for note in self.notes)


@contextmanager
def opened(path: Path, formats: tuple[str, ...] = FORMATS) -> Iterator[Image.Image]:
    """An image file of one of these formats, decoded when it is used. Every picture is opened here.

    Raises UserError for whatever goes wrong with it, for sides above `MAX_SIDE`, more pixels than the ceiling, and for devices.
    """
    before = Image.MAX_IMAGE_PIXELS  # Pillow's own ceiling
    try:
        check_file(path, "picture")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about damaged files
            Image.MAX_IMAGE_PIXELS = None
            with Image.open(path, formats=formats) as image:
                check_pixels(path, image.width, image.height)
                yield image
    except UserError as error:
        raise UserError(error if str(path) in str(error) else f"{path}: {error}") from error
    except Exception as error:  # a damaged image raises almost anything
        raise UserError(f"{path}: is not a picture that can be read ({first_line(error)})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def check_pixels(path: Path, width: int, height: int) -> None:
    """Raises UserError for an image that is too large to be decoded."""
    if max(width, height) > MAX_SIDE:
        raise UserError(f"{path}: expected at most {MAX_SIDE} pixels a side, got {width}×{height}")
    check_size(f"{path}: {width}×{height} pixels", "picture", width * height * PIXEL_BYTES)


def open_image(path: Path, ground: Ground = "black") -> ImageFile:
    """An image file of one of `FORMATS`: upright, without transparency, C = 1 if it is grey, else 3.

    EXIF orientation is applied. Transparent parts become `ground`. Palettes become colours. 16 bits are divided by 257; more
    bits and real numbers are stretched to their range. A grey image that is stored as colour keeps three channels. All of this
    is reported in `notes`. Raises UserError for a file that cannot be read, and for sides above `MAX_SIDE`.
    """
    with opened(path) as image:
        is_narrowed = image.mode not in WIDE and ";16" in str(getattr(image, "tile", ""))  # Pillow does so while decoding
        notes = ["16 bits made 8"] if is_narrowed else []
        notes += ["first of several frames"] if getattr(image, "is_animated", False) else []
        image.load()
        upright = ImageOps.exif_transpose(image)
        notes += ["turned upright (EXIF)"] if image.getexif().get(ORIENTATION, 1) in TURNED else []
        mode = MODE_NAMES.get(image.mode, image.mode)
        description = f"{image.format or 'picture'} {upright.width}×{upright.height}, {mode}"
        levels, conversions = levels_of(upright, ground)
    return ImageFile(levels, description, (*notes, *conversions))


def levels_of(image: Image.Image, ground: Ground) -> tuple[npt.NDArray[np.uint8] | Doubles, list[str]]:
    """Grey levels [H, W, C] of an image, and the conversions."""
    if image.mode in WIDE:
        return wide_levels(image)
    is_grey = image.mode in GREY | GREY_WITH_ALPHA
    notes = ["palette made colours"] if image.mode in ("P", "PA") else ["CMYK made RGB"] if image.mode == "CMYK" else []
    if image.mode in ALPHA or "transparency" in image.info:
        image, name = without_transparency(image, ground)
        notes += [f"transparent parts made {name}"] if name else []
    pixels = np.asarray(image.convert("L" if is_grey else "RGB"))
    if is_grey:
        return pixels[:, :, None], notes
    return pixels, [*notes, *(["grey stored as colour"] if is_colourless(pixels) else [])]


def wide_levels(image: Image.Image) -> tuple[Doubles, list[str]]:
    """Grey levels [H, W, 1] of an image with more than 8 bits."""
    levels = np.asarray(image, dtype=np.float64)[:, :, None]
    if not np.isfinite(levels).all():
        raise UserError("holds numbers that are not finite; expected grey levels")
    low, high = float(levels.min()), float(levels.max())
    if image.mode.startswith("I") and low >= 0 and high <= SIXTEEN_BITS:
        return levels / 257, ["16 bits made 8"]
    return (levels - low) * (255 / max(high - low, 1e-12)), [f"levels {low:g} … {high:g} made 0 … 255"]


def without_transparency(image: Image.Image, ground: Ground) -> tuple[Image.Image, str]:
    """The image in RGB on a ground, and the ground's name, '' where nothing is transparent."""
    full = image.convert("RGBA")
    if np.asarray(full.getchannel("A")).min() == 255:
        return full.convert("RGB"), ""
    level, name = 0, "black"
    if ground == "contrast":
        opacity = np.asarray(full.getchannel("A"), dtype=np.float64) / 255
        levels = np.asarray(full.convert("RGB").convert("L"), dtype=np.float64)
        if float((levels * opacity).sum() / max(opacity.sum(), 1e-9)) < 128:
            level, name = 255, "white"
    paper = Image.new("RGBA", full.size, (level, level, level, 255))
    return Image.alpha_composite(paper, full).convert("RGB"), name


def is_colourless(pixels: Bytes) -> bool:
    """Whether the three channels of an image [H, W, 3] are equal."""
    return bool((pixels == pixels[:, :, :1]).all())


def as_bytes(levels: npt.NDArray[np.uint8] | Doubles) -> Bytes:
    """Grey levels rounded to uint8."""
    return np.asarray(levels if levels.dtype == np.uint8 else np.rint(np.clip(levels, 0, 255)), dtype=np.uint8)


def read_image(path: Path) -> Bytes:
    """The pixels of an image file, uint8 [H, W, C]: C = 1 if it is grey, else 3; transparent parts are black."""
    return open_image(path).pixels


def is_colour(path: Path) -> bool:
    """Whether an image file is read as three channels; only its header is read. Raises UserError."""
    with opened(path) as image:
        return image.mode not in GREY | GREY_WITH_ALPHA | WIDE


# --- size ---------------------------------------------------------------------------------------------------------------
def resize(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    sides: tuple[int, int],
    method: Image.Resampling = Image.Resampling.LANCZOS,
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    """An image [H, W, C], uint8 or float32, with other sides (height, width); channel by channel, with anti-aliasing."""
    if image.shape[:2] == sides:
        return image
    channels = [Image.fromarray(image[:, :, channel]) for channel in range(image.shape[2])]
    return np.stack([np.asarray(channel.resize(sides[::-1], method)) for channel in channels], axis=2)


def place(image: npt.NDArray[Any], shape: tuple[int, ...], corner: tuple[int, int]) -> npt.NDArray[Any]:
    """An image on a black one of this shape, its upper left pixel at `corner`."""
    (top, left), (height, width) = corner, image.shape[:2]
    result = np.zeros(shape, dtype=image.dtype)
    result[top : top + height, left : left + width] = image
    return result


def sides_within(sides: tuple[int, ...], limit: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an image that is scaled until it just fits into others, at least 1 pixel each."""
    factor = min(limit[0] / sides[0], limit[1] / sides[1])
    return max(1, round(sides[0] * factor)), max(1, round(sides[1] * factor))


def letterbox(path: Path, shape: Shape) -> tuple[Bytes, str]:
    """An image file fitted into a shape, uint8 [H, W, C], with black bars where the sides differ in ratio; and a note."""
    pixels, conversions = in_channels(open_start(path), shape[2])
    sides = sides_within(pixels.shape[:2], shape[:2])
    corner = (shape[0] - sides[0]) // 2, (shape[1] - sides[1]) // 2
    image = place(resize(pixels, sides), shape, corner)
    return np.asarray(image, dtype=np.uint8), describe_start(path, pixels.shape[:2], shape[:2], conversions)


def rescale_around(path: Path, window: Shape, longer: int | None) -> tuple[Bytes, str]:
    """An image file, uint8 [H, W, C], its longer side scaled to so many pixels if given; no side is shorter than the window's.

    The second result is a note.
    """
    pixels, conversions = in_channels(open_start(path), window[2])
    height, width = pixels.shape[:2]
    factor = longer / max(height, width) if longer else 1.0
    factor = max(factor, window[0] / height, window[1] / width)
    sides = max(window[0], round(height * factor)), max(window[1], round(width * factor))
    image = np.asarray(resize(pixels, sides), dtype=np.uint8)
    return image, describe_start(path, (height, width), sides, conversions)


def open_start(path: Path) -> ImageFile:
    """The initial image of a search."""
    if not path.is_file():
        raise UserError(f"search.image={path}: no such file; expected a picture ({', '.join(sorted(ENDINGS))})")
    return open_image(path)


def in_channels(image: ImageFile, channels: int) -> tuple[Bytes, tuple[str, ...]]:
    """An image in so many channels, and the conversions: colours become their luminance, grey three equal channels."""
    pixels, notes = image.pixels, image.notes
    if pixels.shape[2] == channels:
        return pixels, notes
    if channels == 3:
        return np.repeat(pixels, 3, axis=2), notes
    more = () if is_colourless(pixels) else ("colours as grey",)
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None], (*notes, *more)


def describe_start(path: Path, before: tuple[int, ...], after: tuple[int, ...], conversions: tuple[str, ...]) -> str:
    """A note about an initial image; sides are heights and widths."""
    size = "×".join(map(str, before))
    scaled = [] if before == after else [f"as {'×'.join(map(str, after))}"]
    return ", ".join([f"starts from {path.name}", f"{size} pixels", *scaled, *conversions])


# --- translation and scale ----------------------------------------------------------------------------------------------
def translate(images: Bytes, down: int, right: int) -> Bytes:
    """Images [N, H, W, C] moved by whole pixels, padded with black; what leaves the frame is lost."""
    height, width = images.shape[1:3]
    result = np.zeros_like(images)
    if abs(down) < height and abs(right) < width:
        to, source = span(down, height), span(-down, height)
        across, before = span(right, width), span(-right, width)
        result[:, to, across] = images[:, source, before]
    return result


def span(by: int, side: int) -> slice:
    """The places along a side that are covered after a translation."""
    return slice(max(0, by), side + min(0, by))


def rescale(images: Bytes, factor: float) -> Bytes:
    """Images [N, H, W, C] scaled about their centre, with anti-aliasing, rounded; what leaves the frame is lost."""
    if factor == 1:
        return images
    down, across = (resampling(side, factor) for side in images.shape[1:3])
    levels = np.einsum("ih,nhwc,jw->nijc", down, images.astype(np.float64), across, optimize=True)
    return np.asarray(np.rint(levels), dtype=np.uint8)


def resampling(side: int, factor: float) -> Doubles:
    """Weights [side, side] of the old pixels in each new one: a triangle of one pixel, of 1/factor pixels where factor < 1."""
    middle, reach = side / 2, max(1.0, 1 / factor)
    weights = np.zeros((side, side))
    for i in range(side):
        at = (i + 0.5 - middle) / factor + middle
        near = np.arange(int(np.floor(at - reach)) - 1, int(np.ceil(at + reach)) + 2)
        share = np.maximum(0, 1 - np.abs(near + 0.5 - at) / reach)
        inside = (near >= 0) & (near < side)
        weights[i, near[inside]] = (share / share.sum())[inside]
    return weights
