"""Pictures on disk as images: a folder per class; listed first, opened as they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Ints


def translate(images: Bytes, down: int, right: int) -> Bytes:
    """Images [N, H, W, C] moved by whole pixels; what leaves the frame is lost."""
    height, width = images.shape[1:3]
    result = np.zeros_like(images)
    if abs(down) < height and abs(right) < width:
        to, source = span(down, height), span(-down, height)
        across, before = span(right, width), span(-right, width)
        result[:, to, across] = images[:, source, before]
    return result


def span(by: int, side: int) -> slice:
    """The places of a side that are reached by a move."""
    return slice(max(0, by), side + min(0, by))


def rescale(images: Bytes, factor: float) -> Bytes:
    """Images [N, H, W, C] enlarged about their middle, with anti-aliasing, rounded; what leaves the frame is lost."""
    if factor == 1:
        return images
    down, across = (resampling(side, factor) for side in images.shape[1:3])
    levels = np.einsum("ih,nhwc,jw->nijc", down, images.astype(np.float64), across, optimize=True)
    return np.asarray(np.rint(levels), dtype=np.uint8)


def resampling(side: int, factor: float) -> Doubles:
    """What each of `side` pixels takes from each, [side, side]: a triangle one pixel wide, 1/factor where they shrink."""
    middle, reach = side / 2, max(1.0, 1 / factor)
    weights = np.zeros((side, side))
    for i in range(side):
        at = (i + 0.5 - middle) / factor + middle
        near = np.arange(int(np.floor(at - reach)) - 1, int(np.ceil(at + reach)) + 2)
        share = np.maximum(0, 1 - np.abs(near + 0.5 - at) / reach)
        inside = (near >= 0) & (near < side)
        weights[i, near[inside]] = (share / share.sum())[inside]
    return weights


Shape = tuple[int, int, int]
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LARGEST = 4096  # pixels a side
GREY = {"1", "L"}  # Pillow's modes that are read as one channel …
GREY_ON_BLACK = {"LA", "PA"}  # … also after their transparent parts have become black …
COLOURS = {"RGB", "RGBA", "P", "CMYK", "YCbCr"}  # … and those that are read as red, green, blue


class ImageFolder(NamedTuple):
    """Where the pictures of a set lie, class by class; none has been opened."""

    folders: list[Path]  # one a class that has any
    names: list[list[str]]  # of the pictures in each
    numbers: list[int]  # of the classes
    classes: tuple[str, ...]

    def labels(self) -> Ints:
        """The class of each picture [N]."""
        return np.repeat(np.array(self.numbers, dtype=np.int64), [len(names) for names in self.names])

    def paths(self) -> Iterator[Path]:
        """The pictures, class by class in the order of their names."""
        return (folder / name for folder, names in zip(self.folders, self.names, strict=True) for name in names)


def list_images(folder: Path) -> ImageFolder:
    """Pictures folder/CLASS/NAME.png, at least one of each class. Raises UserError.

    Folders named by whole numbers are the classes of those numbers; others are numbered in the order of their names.
    """
    folders = sorted((child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")), key=by_number)
    if not folders:
        raise UserError(f"{folder}: expected a folder of pictures per class, got none")
    numbered = all(child.name.isdecimal() and int(child.name) < 1000 for child in folders)
    classes = [str(k) for k in range(int(folders[-1].name) + 1)] if numbered else [child.name for child in folders]
    if numbered and len({int(child.name) for child in folders}) < len(folders):
        raise UserError(f"{folder}: two folders are named by the same class number; expected one folder per class")
    numbers = [int(child.name) for child in folders] if numbered else list(range(len(folders)))
    return ImageFolder(folders, [image_names(child) for child in folders], numbers, tuple(classes))


def image_names(folder: Path) -> list[str]:
    """The pictures of a class, by name."""
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "." and p.is_file())
    if not names:
        raise UserError(f"{folder}: class {folder.name} has no pictures ({', '.join(sorted(ENDINGS))})")
    return names


def by_number(path: Path) -> tuple[int, int, str]:
    """Sorts 2 before 10, numbers before words."""
    return (0, int(path.name), path.name) if path.name.isdecimal() else (1, 0, path.name)


def image_shape(listing: ImageFolder) -> Shape:
    """(H, W, C): the size of the first picture; C = 3 if any is in colour, for which headers are read up to the first such."""
    height, width, _ = read_image(next(listing.paths())).shape
    return height, width, 3 if any(is_colour(path) for path in listing.paths()) else 1


def image_pieces(listing: ImageFolder, shape: Shape, number: int) -> Iterator[Bytes]:
    """The pictures as images [number, H, W, C], the last piece may be shorter; grey ones get C equal channels."""
    paths, total = listing.paths(), sum(map(len, listing.names))
    for first in range(0, total, number):
        images = np.empty((min(number, total - first), *shape), dtype=np.uint8)
        for place in range(len(images)):
            path = next(paths)
            picture = read_image(path)
            if picture.shape[:2] != shape[:2]:
                size, wanted = "×".join(map(str, picture.shape[:2])), "×".join(map(str, shape[:2]))
                raise UserError(f"{path}: expected {wanted} pixels as in the first picture, got {size} (height × width)")
            images[place] = picture
        yield images


def is_colour(path: Path) -> bool:
    """Whether a picture is read as red, green and blue; only its header is read."""
    with opened(path) as picture:
        return picture.mode in COLOURS


def read_image(path: Path) -> Bytes:
    """One picture, uint8 [H, W, C]: C = 1 if it is grey, else 3; transparent parts are black."""

    with opened(path) as picture:
        if picture.mode in GREY:
            return np.asarray(picture.convert("L"))[:, :, None]
        full = picture.convert("RGBA")
        black = Image.new("RGBA", full.size, (0, 0, 0, 255))
        pixels = np.asarray(Image.alpha_composite(black, full).convert("RGB"))
        return pixels[:, :, :1] if picture.mode in GREY_ON_BLACK else pixels


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture that may be decoded; what goes wrong with it is one line."""

    try:
        with Image.open(path) as picture:
            if max(picture.size) > LARGEST:  # before decoding: a small file may hold a huge picture
                raise UserError(f"{path}: expected at most {LARGEST} pixels a side, got {picture.width}×{picture.height}")
            if picture.mode not in GREY | GREY_ON_BLACK | COLOURS:
                raise UserError(f"{path}: pictures of 8 bits a channel are read, this one is {picture.mode}")
            yield picture
    except UserError:
        raise
    except Exception as error:  # a damaged picture raises almost anything
        raise UserError(f"{path}: is not a picture that can be read ({error})") from error


def letterbox(path: Path, shape: Shape) -> tuple[Bytes, str]:
    """A picture as an image of this shape, uint8 [H, W, C], black around it where its sides are not in ratio; what was done."""
    pixels, done = in_channels(read_file(path), shape[2])
    height, width = pixels.shape[:2]
    factor = min(shape[0] / height, shape[1] / width)
    sides = max(1, round(height * factor)), max(1, round(width * factor))
    scaled = scaled_to(pixels, sides)
    top, left = (shape[0] - sides[0]) // 2, (shape[1] - sides[1]) // 2
    image = np.zeros(shape, dtype=np.uint8)
    image[top : top + sides[0], left : left + sides[1]] = scaled
    return image, described(path, (height, width), shape[:2], done)


def rescale_around(path: Path, window: Shape, longer: int | None) -> tuple[Bytes, str]:
    """A picture, uint8 [H, W, C], its longer side scaled to so many pixels if given; no side is shorter than the window's."""
    pixels, done = in_channels(read_file(path), window[2])
    height, width = pixels.shape[:2]
    factor = longer / max(height, width) if longer else 1.0
    factor = max(factor, window[0] / height, window[1] / width)
    sides = max(window[0], round(height * factor)), max(window[1], round(width * factor))
    return scaled_to(pixels, sides), described(path, (height, width), sides, done)


def read_file(path: Path) -> Bytes:
    """One picture at a path that a user named."""
    if not path.is_file():
        raise UserError(f"search.image={path}: no such file; expected a picture ({', '.join(sorted(ENDINGS))})")
    return read_image(path)


def in_channels(pixels: Bytes, channels: int) -> tuple[Bytes, str]:
    """A picture in so many channels, and what was done to it: colours become their luminance, grey three equal channels."""

    if pixels.shape[2] == channels:
        return pixels, ""
    if channels == 3:
        return np.repeat(pixels, 3, axis=2), ""
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None], ", colours as grey"


def scaled_to(pixels: Bytes, sides: tuple[int, int]) -> Bytes:
    """A picture scaled to other sides (height, width), antialiased."""

    if pixels.shape[:2] == sides:
        return pixels
    planes = [
        np.asarray(Image.fromarray(pixels[:, :, channel]).resize((sides[1], sides[0]), Image.Resampling.LANCZOS))
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=2)


def described(path: Path, before: tuple[int, ...], after: tuple[int, ...], done: str) -> str:
    """What was done to a picture, in words; sides are heights and widths."""
    size = "×".join(map(str, before))
    scaled = "" if before == after else f", as {'×'.join(map(str, after))}"
    return f"starts from {path.name}, {size} pixels{scaled}{done}"
