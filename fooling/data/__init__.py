"""Labelled image sets, whole or in pieces: IDX files, .npz, folders of images per class, scikit-learn's digits; drawings."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fooling.data.images import Shape
from fooling.data.readers import KINDS, DataSource, Labels, SplitReader, piece_size
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.settings.fields import user_path
from fooling.settings.files import check_size

Split = Literal["train", "test", "all"]
HELD_OUT = 6  # every sixth image of each class is a test image, if the set has no test part
MAX_SIDE, MAX_CLASSES = 4096, 1000


@dataclass(frozen=True)
class ImageStream:
    """N images and their classes. The images are read when needed: iterate for pieces of both."""

    shape: Shape  # H, W, C
    labels: Labels  # [N], 0 … K − 1
    classes: tuple[str, ...]  # K names
    source: str  # short description of the origin
    pieces: Callable[[], Iterator[Bytes]]  # [n, H, W, C] in turn, N in all
    conversions: Sequence[Counter[str]] = ()  # what was done to how many images, after `pieces()`

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about conversions of image files, after `pieces()`."""
        total: Counter[str] = sum(self.conversions, Counter())
        return tuple(f"data: {what}, {count:,} image{'s' if count > 1 else ''}" for what, count in total.items())

    def __iter__(self) -> Iterator[tuple[Bytes, Labels]]:
        """Images [n, H, W, C] and their labels [n]. Raises UserError for damaged data."""
        first = 0
        for images in self.pieces():
            yield images, self.labels[first : first + len(images)]
            first += len(images)


@dataclass(frozen=True)
class ImageSet:
    """N images and their classes."""

    images: Bytes  # [N, H, W, C]
    labels: Labels  # [N], 0 … K − 1
    classes: tuple[str, ...]  # K names
    source: str  # short description of the origin
    notes: tuple[str, ...] = ()  # conversions of image files, for the user

    def stream(self) -> ImageStream:
        """The same images in pieces."""
        height, width, channels = self.images.shape[1:]
        rows = piece_size(self.images.shape[1:])
        return ImageStream(
            (height, width, channels),
            self.labels,
            self.classes,
            self.source,
            lambda: (self.images[i : i + rows] for i in range(0, len(self.images), rows)),
        )


def load_data(path: str | None, kind: str = "auto", split: Split = "train") -> ImageSet:
    """The images of a set: `split` is train, test or all. Raises UserError for what cannot be read.

    `kind` is one of KINDS, or auto: a .npz file, a folder of IDX files, or a folder with a folder of images per class. Without
    a test part, every sixth image of each class, in order, is a test image.
    """
    stream = stream_data(path, kind, split)
    check_size(path or stream.source, "images", len(stream.labels) * math.prod(stream.shape))
    images = np.concatenate(list(stream.pieces()))
    return ImageSet(images, stream.labels, stream.classes, stream.source, stream.notes)


def stream_data(path: str | None, kind: str = "auto", split: Split = "train") -> ImageStream:
    """What `load_data` loads, in pieces.

    In memory are the labels, the names of image files, and one piece of the images: at most 4096 of them and about 8 MB.
    """
    if split not in get_args(Split):
        raise UserError(f"split={split}: expected one of {', '.join(get_args(Split))}")
    place = user_path(path) if path else None
    try:
        train, test, classes, source = read(place, kind)
    except OSError as error:
        raise UserError(f"{error.filename or place}: cannot be read ({error.strerror or error})") from error
    if test is not None and test.shape != train.shape:
        raise UserError(f"{place}: training images {train.shape} and test images {test.shape} differ in size")
    parts = choose(train, test, split)
    labels = np.concatenate([part.labels for part in parts])
    if not len(labels):
        hint = "; without a test part, a set needs six images of a class" if split == "test" else ""
        raise UserError(f"{place or source}: no images in split={split}, expected at least one{hint}")
    pieces = lambda: (images for part in parts for images in part.pieces())  # noqa: E731
    stream = ImageStream(train.shape, labels, classes, source, pieces, [part.conversions for part in parts])
    check_stream(stream, place)
    return stream


def class_counts(data: ImageSet | ImageStream) -> Labels:
    """Images of each class [K]; 0 for a class without any."""
    return np.bincount(data.labels, minlength=len(data.classes)).astype(np.int64)


def refuse_empty_classes(data: ImageSet | ImageStream) -> Labels:
    """Images of each class [K]. Raises UserError for a class without any."""
    count = class_counts(data)
    if count.min() < 1:
        empty = ", ".join(data.classes[k] for k in np.flatnonzero(count == 0)[:5])
        raise UserError(f"class {empty} has no images in {data.source}; expected at least one for each class")
    return count


def read(place: Path | None, kind: str) -> DataSource:
    """The set at a path, by the reader of its kind."""
    kind = guess_kind(place) if kind == "auto" else kind
    if kind not in KINDS:
        raise UserError(f"data.kind={kind}: expected one of auto, {', '.join(KINDS)}")
    if kind != "sklearn" and place is None:
        raise UserError(f"data.path: expected a path for data.kind={kind}, got null")
    if place is not None and not place.exists():
        raise UserError(f"data.path={place}: no such file or folder{advice_on(place)}")
    return KINDS[kind](place)


def advice_on(path: Path) -> str:
    """How to get the set at a path that does not exist, where it seems to be MNIST."""
    return f"; fooling data get mnist {path} downloads it" if "mnist" in path.name.lower() else ""


def guess_kind(path: Path | None) -> str:
    """The kind of set at a path. Raises UserError if it is none."""
    if path is None:
        raise UserError(
            "data.path: expected a folder of IDX files, a .npz file or a folder with a folder of pictures per class, got null; "
            "give one, or data.kind=sklearn"
        )
    if path.is_file() and path.suffix == ".npz":
        return "npz"
    if path.is_dir() and any("idx3-ubyte" in file.name or "idx1-ubyte" in file.name for file in path.iterdir()):
        return "idx"
    if path.is_dir() and any(child.is_dir() for child in path.iterdir()):
        return "folder"
    if not path.exists():
        raise UserError(f"data.path={path}: no such file or folder{advice_on(path)}")
    raise UserError(
        f"data.path={path}: expected a folder of IDX files (train-images-idx3-ubyte.gz, …), a .npz file, or a folder with a "
        "folder of pictures per class"
    )


def choose(train: SplitReader, test: SplitReader | None, split: Split) -> list[SplitReader]:
    """The parts of a set that make up a split."""
    if test is not None:
        return {"train": [train], "test": [test], "all": [train, test]}[split]
    if split == "all":
        return [train]
    order = np.zeros(len(train.labels), dtype=np.int64)
    for label in np.unique(train.labels):
        members = train.labels == label
        order[members] = np.arange(members.sum())
    held_out = order % HELD_OUT == HELD_OUT - 1
    return [select(train, held_out if split == "test" else ~held_out)]


def select(part: SplitReader, is_selected: npt.NDArray[np.bool_]) -> SplitReader:
    """The selected images [N] of a part."""

    def pieces() -> Iterator[Bytes]:
        first = 0
        for images in part.pieces():
            yield images[is_selected[first : first + len(images)]]
            first += len(images)

    return SplitReader(part.shape, part.labels[is_selected], pieces, part.conversions)


def check_stream(data: ImageStream, path: Path | None) -> None:
    """Raises UserError for images of unusable size, and for too few or too many classes."""
    name = path or data.source
    height, width, channels = data.shape
    if not (2 <= height <= MAX_SIDE and 2 <= width <= MAX_SIDE and channels in (1, 3)):
        raise UserError(f"{name}: expected images of 2 to {MAX_SIDE} pixels a side and 1 or 3 channels, got {data.shape}")
    if not 2 <= len(data.classes) <= MAX_CLASSES:
        raise UserError(f"{name}: expected 2 to {MAX_CLASSES} classes, got {len(data.classes)}")
