"""Image sets as folders: one folder of image files per class. They are listed first and opened when needed."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fooling.data.images import ENDINGS, ImageFile, Shape, is_colour, open_image
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Ints


class ImageFolder(NamedTuple):
    """The image files of a set, class by class."""

    folders: list[Path]  # of the classes that have images
    names: list[list[str]]  # of the files in each
    numbers: list[int]  # of the classes
    classes: tuple[str, ...]

    def labels(self) -> Ints:
        """The class of each image [N]."""
        return np.repeat(np.array(self.numbers, dtype=np.int64), [len(names) for names in self.names])

    def paths(self) -> Iterator[Path]:
        """The files, class by class in the order of their names."""
        return (folder / name for folder, names in zip(self.folders, self.names, strict=True) for name in names)


def list_images(folder: Path) -> ImageFolder:
    """The files folder/CLASS/NAME.png, at least one per class. Raises UserError.

    Folders named by whole numbers are the classes of these numbers; others are numbered in the order of their names.
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
    """The image files of a class, by name."""
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "." and p.is_file())
    if not names:
        raise UserError(f"{folder}: class {folder.name} has no pictures ({', '.join(sorted(ENDINGS))})")
    return names


def by_number(path: Path) -> tuple[int, int, str]:
    """Sort key: 2 before 10, numbers before words."""
    return (0, int(path.name), path.name) if path.name.isdecimal() else (1, 0, path.name)


def image_shape(listing: ImageFolder) -> Shape:
    """(H, W, C): the size of the first image; C = 3 if any has colours, for which headers are read up to the first such."""
    height, width, _ = open_image(next(listing.paths())).levels.shape
    return height, width, 3 if any(is_colour(path) for path in listing.paths()) else 1


def image_pieces(listing: ImageFolder, shape: Shape, number: int, conversions: Counter[str]) -> Iterator[Bytes]:
    """The images in pieces [number, H, W, C], the last may be shorter; grey ones get C equal channels.

    `conversions` counts what was done to how many images so far.
    """
    conversions.clear()
    paths, total = listing.paths(), sum(map(len, listing.names))
    for first in range(0, total, number):
        images = np.empty((min(number, total - first), *shape), dtype=np.uint8)
        for place in range(len(images)):
            path = next(paths)
            image = open_image(path)
            check_member(path, image, shape)
            images[place] = image.pixels
            conversions.update(image.notes)
        yield images


def check_member(path: Path, image: ImageFile, shape: Shape) -> None:
    """Raises UserError for an image of another size than the first, and for one whose grey levels have no fixed range."""
    if image.levels.shape[:2] != shape[:2]:
        expected, got = ("×".join(map(str, sides)) for sides in (shape[:2], image.levels.shape[:2]))
        raise UserError(f"{path}: expected {expected} pixels as in the first picture, got {got} (height × width)")
    if image.is_stretched:
        raise UserError(f"{path}: expected 8 or 16 bits a channel, got {image.description}; convert it first")
