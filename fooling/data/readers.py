"""One reader per kind of image set: IDX files, .npz, a folder of image files per class, scikit-learn's digits.

A reader finds labels and sizes first and reads the images in pieces, when needed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.data.idx import idx_pieces, idx_shape, read_idx
from fooling.data.images import ENDINGS, ImageFile, Shape, is_colour, open_image
from fooling.data.matching import Array, Options, in_shape
from fooling.data.npz import ArrayHeader, array_names, array_pieces, check_shapes, describe_array, read_array
from fooling.errors import UserError, first_line, printable
from fooling.kernels.tables import Bytes, Ints
from fooling.settings.files import check_size


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
    folders = sorted(class_folders(folder), key=by_number)
    if not folders:
        raise UserError(f"{folder}: expected a folder of pictures per class, got none")
    numbered = all(child.name.isdecimal() and int(child.name) < 1000 for child in folders)
    classes = [str(k) for k in range(int(folders[-1].name) + 1)] if numbered else [printable(child.name) for child in folders]
    if numbered and len({int(child.name) for child in folders}) < len(folders):
        raise UserError(f"{folder}: two folders are named by the same class number; expected one folder per class")
    numbers = [int(child.name) for child in folders] if numbered else list(range(len(folders)))
    return ImageFolder(folders, [image_names(child) for child in folders], numbers, tuple(classes))


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder, without hidden ones and those of other programs: .git, __MACOSX, @eaDir."""
    return [child for child in folder.iterdir() if child.is_dir() and not child.name.startswith((".", "__", "@"))]


def image_names(folder: Path) -> list[str]:
    """The image files of a class, by name."""
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "." and p.is_file())
    if not names:
        inner = class_folders(folder)
        hint = f", but folders; if those are the classes, give data.path={classes_below(folder)}" if inner else ""
        raise UserError(f"{folder}: class {folder.name} has no pictures ({', '.join(sorted(ENDINGS))}){hint}")
    return names


def classes_below(folder: Path) -> Path:
    """The folder, or the first below it, whose own folders have pictures; where none has, the folder."""
    for deeper in (folder, *islice((path for path in sorted(folder.rglob("*")) if path.is_dir()), MANY)):
        if any(p.suffix.lower() in ENDINGS for inner in class_folders(deeper) for p in inner.iterdir()):
            return deeper
    return folder


def by_number(path: Path) -> tuple[int, int, str]:
    """Sort key: 2 before 10, numbers before words."""
    return (0, int(path.name), path.name) if path.name.isdecimal() else (1, 0, path.name)


def image_shape(listing: ImageFolder, options: Options) -> Shape:
    """(H, W, C): those that are chosen, of the classifier, or of the first image.

    C = 3 if any image has colours, for which headers are read up to the first such.
    """
    sides = options.sides or options.shape or open_image(next(listing.paths())).levels.shape
    channels = options.channels or (3 if any(is_colour(path) for path in listing.paths()) else 1)
    return sides[0], sides[1], channels


def image_pieces(
    listing: ImageFolder, shape: Shape, number: int, conversions: Counter[str], rule: str | None
) -> Iterator[Bytes]:
    """The images in pieces [number, H, W, C], the last may be shorter; grey ones get C equal channels.

    `conversions` counts what was done to how many images so far. `rule`: how images of other sizes are resized; None: they are
    refused.
    """
    conversions.clear()
    paths, total = listing.paths(), sum(map(len, listing.names))
    for first in range(0, total, number):
        images = np.empty((min(number, total - first), *shape), dtype=np.uint8)
        for place in range(len(images)):
            path = next(paths)
            image = open_image(path)
            check_member(path, image, None if rule else shape)
            images[place], notes = in_shape(image, shape, rule or "")
            conversions.update([*notes, *["grey made colour"] * (image.pixels.shape[2] < shape[2])])
        yield images


def check_member(path: Path, image: ImageFile, shape: Shape | None) -> None:
    """Raises UserError for an image of another size than the first, and for one whose grey levels have no fixed range."""
    if shape and image.levels.shape[:2] != shape[:2]:
        expected, got = ("×".join(map(str, sides)) for sides in (shape[:2], image.levels.shape[:2]))
        advice = f"data.size={shape[0]},{shape[1]} scales and crops all pictures to that size"
        raise UserError(f"{path}: expected {expected} pixels as in the first picture, got {got} (height × width); {advice}")
    if image.is_stretched:
        raise UserError(f"{path}: expected 8 or 16 bits a channel, got {image.description}; convert it first")


Labels = npt.NDArray[np.int64]
MANY = 1000  # folders that are looked into
PIECE = 4096  # images read at a time, …
PIECE_BYTES = 1 << 23  # … fewer if they are large, which bounds the memory


@dataclass(frozen=True)
class SplitReader:
    """N images and their classes. The images are read, and damage is found, only while iterating over `pieces()`."""

    shape: Shape  # H, W, C
    labels: Labels  # [N], 0 … K − 1
    pieces: Callable[[], Iterator[Array]]  # [n, H, W, C] in turn, N in all
    conversions: Counter[str] = field(default_factory=Counter)  # what was done to how many images, after `pieces()`
    kind: str = "u"  # NumPy's letter for the type of the numbers: u whole numbers, f fractions, b booleans
    name: str = ""  # of the images in messages


# Training part, test part or None, names of the classes, source.
DataSource = tuple[SplitReader, SplitReader | None, tuple[str, ...], str]


def piece_size(shape: tuple[int, ...], size: int = 1) -> int:
    """The number of images of this shape, of `size` bytes per number, that are read at a time."""
    return max(1, min(PIECE, PIECE_BYTES // max(1, int(np.prod(shape, dtype=object)) * size)))


def read_idx_folder(path: Path, _options: Options) -> DataSource:
    """A folder of train-images-idx3-ubyte, train-labels-idx1-ubyte and their t10k- twins, gzipped or not."""
    folder = path if path.is_dir() else path.parent
    train = read_idx_pair(folder, "train")
    has_test = find_idx(folder, "t10k-images", 3) or find_idx(folder, "t10k-labels", 1)
    test = read_idx_pair(folder, "t10k") if has_test else None
    return train, test, numbered(train, test), "IDX files"


def read_idx_pair(folder: Path, prefix: str) -> SplitReader:
    """Images and labels, as many of each. Raises UserError."""
    paths = [find_idx(folder, f"{prefix}-images", 3), find_idx(folder, f"{prefix}-labels", 1)]
    for path, name in zip(paths, (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"), strict=True):
        if path is None:
            raise UserError(f"{folder}: {name} (or {name}.gz) is missing; expected MNIST's IDX files")
    images, classes = paths[0] or folder, paths[1] or folder
    number, *shape = idx_shape(images, (3, 4))
    (count,) = idx_shape(classes, (1,))
    if number != count:
        raise UserError(f"{folder}: {number:,} images but {count:,} labels in the {prefix} files")
    check_size(classes, "arrays", 8 * count)
    return SplitReader(
        with_channel(shape),
        read_idx(classes, (1,)).astype(np.int64),
        lambda: (piece.reshape(-1, *with_channel(shape)) for piece in idx_pieces(images, (3, 4), piece_size(tuple(shape)))),
        name=str(images),
    )


def find_idx(folder: Path, name: str, dimensions: int) -> Path | None:
    """The file of that name in one of its usual spellings, or the only one whose name ends so (EMNIST's), or None."""
    names = [f"{name}{middle}idx{dimensions}-ubyte{ending}" for middle in ("-", ".") for ending in ("", ".gz")]
    for path in (folder / name for name in names):
        if path.is_file():
            return path
    others = [path for path in folder.iterdir() if path.name.endswith(tuple(f"-{name}" for name in names)) and path.is_file()]
    return others[0] if len(others) == 1 and others[0].name[0] != "." else None


NAMES = {"train": (("x_train", "y_train"), ("images", "labels")), "test": (("x_test", "y_test"),)}


def read_npz(path: Path, _options: Options) -> DataSource:
    """A .npz file of x_train, y_train and perhaps x_test, y_test; or of images and labels."""
    names = array_names(path)
    parts: dict[str, SplitReader] = {}
    for split, pairs in NAMES.items():
        for images, labels in pairs:
            if images in names and labels in names and split not in parts:
                parts[split] = split_reader(describe_array(path, images), describe_array(path, labels))
    if "train" not in parts:
        got = first_line(", ".join(names[:9]) or "none")
        raise UserError(f"{path}: expected arrays x_train and y_train, or images and labels; got {got}")
    train, test = parts["train"], parts.get("test")
    return train, test, numbered(train, test), printable(path.name)


def split_reader(images: ArrayHeader, classes: ArrayHeader) -> SplitReader:
    """Arrays of a file as numbers [N, H, W, C] and int64 [N]. Raises UserError for others."""
    path, shape = images.path, images.shape
    check_shapes(images, classes)
    if shape[0] != classes.shape[0]:
        raise UserError(f"{path}: {shape[0]:,} images but {classes.shape[0]:,} labels")
    check_size(path, "arrays", 8 * classes.shape[0])
    labels = read_array(classes).ravel()
    is_whole = classes.dtype.kind in "biu" or (classes.dtype.kind == "f" and bool((labels == np.rint(labels)).all()))
    if classes.dtype.kind in "US":
        advice = "number them, as by np.unique(labels, return_inverse=True)[1]; data.classes=[…] names the classes"
        got = first_line(repr(str(labels[0])) if labels.size else "", 60)
        raise UserError(f"{path}: expected labels 0 … 999, whole numbers, got text such as {got}; {advice}")
    if not is_whole:
        raise UserError(f"{path}: expected labels 0 … 999, whole numbers, got {classes.dtype}")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < 1000:
        raise UserError(f"{path}: expected labels 0 … 999, whole numbers, got {labels.min()} … {labels.max()}")
    if images.dtype.kind not in "biuf":
        raise UserError(f"{path}: {images.name}: expected whole numbers 0…255 or fractions 0…1, got {images.dtype}")
    rows = piece_size(shape[1:], images.dtype.itemsize)
    return SplitReader(
        with_channel(shape[1:]),
        labels.astype(np.int64),
        lambda: (piece.reshape(-1, *with_channel(shape[1:])) for piece in array_pieces(images, rows)),
        kind={"i": "u"}.get(images.dtype.kind, images.dtype.kind),
        name=f"{path}: {images.name}",
    )


def with_channel(shape: tuple[int, ...] | list[int]) -> Shape:
    """(H, W) as (H, W, 1); (H, W, C) unchanged."""
    height, width, *channels = shape
    return height, width, channels[0] if channels else 1


def numbered(train: SplitReader, test: SplitReader | None) -> tuple[str, ...]:
    """Class names 0, 1, … up to the highest label."""
    highest = max(int(part.labels.max(initial=0)) for part in (train, test) if part)
    return tuple(str(k) for k in range(highest + 1))


TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")  # names of folders, the first counts


def read_folder(path: Path, options: Options) -> DataSource:
    """A folder with a folder of images per class, or train/ and test/ (or val/) of that form; one may lack the last classes."""
    if not path.is_dir():
        raise UserError(f"data.path={path}: expected a folder with a folder of pictures per class, got a file")
    named = {child.name.lower(): child for child in class_folders(path)}
    trains, tests = ([named[name] for name in names if name in named] for names in (TRAIN, TEST))
    if trains and set(named) <= {*TRAIN, *TEST}:
        train, test = list_images(trains[0]), list_images(tests[0]) if tests else None
        if test is None:
            return image_folder_split(train, options), None, train.classes, printable(path.name)
        fewer, more = sorted((train.classes, test.classes), key=len)
        if more[: len(fewer)] != fewer:
            single, both = min(set(train.classes) ^ set(test.classes)), f"{trains[0].name}/ and {tests[0].name}/"
            raise UserError(f"{path}: expected the same classes in {both}, but class {single} is in one of them only")
        return image_folder_split(train, options), image_folder_split(test, options), more, printable(path.name)
    listing = list_images(path)
    return image_folder_split(listing, options), None, listing.classes, printable(path.name)


def image_folder_split(listing: ImageFolder, options: Options) -> SplitReader:
    """The images of a listed folder."""
    shape, conversions = image_shape(listing, options), Counter[str]()
    rule = options.resize if options.sides or options.shape else None
    pieces = lambda: image_pieces(listing, shape, piece_size(shape), conversions, rule)  # noqa: E731
    return SplitReader(shape, listing.labels(), pieces, conversions, name=str(listing.folders[0].parent))


def read_sklearn(_path: Path | None, _options: Options) -> DataSource:
    """scikit-learn's bundled digits, 1797 of 8×8 pixels 0…16, as 0…255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    part = SplitReader((8, 8, 1), digits.target.astype(np.int64), lambda: iter([images]))
    return part, None, tuple(str(k) for k in range(10)), "scikit-learn's digits"


Reader = Callable[[Any, Options], DataSource]  # path of a set, options → the set
KINDS: dict[str, Reader] = {
    "idx": read_idx_folder,
    "npz": read_npz,
    "folder": read_folder,
    "sklearn": read_sklearn,
}
