"""Labelled image sets, whole or piece by piece: IDX files, .npz, folders of pictures by class, scikit-learn's 8×8 digits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fooling.data.readers import KINDS, DataSource, Labels, Shape, SplitReader, rows_of
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.settings.fields import user_path

Split = Literal["train", "test", "all"]
HELD_OUT = 6  # of a set without test images of its own, every sixth image of each class is one


@dataclass(frozen=True)
class ImageStream:
    """N images and their classes, of which the images are read as they are needed: iterate for pieces of both."""

    shape: Shape  # H, W, C
    labels: Labels  # [N], 0 … K − 1
    classes: tuple[str, ...]  # K names
    source: str  # where they come from, in a word
    pieces: Callable[[], Iterator[Bytes]]  # [n, H, W, C] in turn, N in all

    def __iter__(self) -> Iterator[tuple[Bytes, Labels]]:
        """Images [n, H, W, C] and their labels [n]. Raises UserError where the set turns out to be damaged."""
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
    source: str  # where they came from, in a word
    notes: tuple[str, ...] = ()  # conversions of image files, for the user

    def stream(self) -> ImageStream:
        """The same images, piece by piece."""
        height, width, channels = self.images.shape[1:]
        rows = rows_of(self.images.shape[1:])
        return ImageStream(
            (height, width, channels),
            self.labels,
            self.classes,
            self.source,
            lambda: (self.images[i : i + rows] for i in range(0, len(self.images), rows)),
        )


def load_data(path: str | None, kind: str = "auto", split: Split = "train") -> ImageSet:
    """The images of a set: `split` is train, test or all. Raises UserError for what cannot be read.

    `kind` is one of KINDS, or auto: a .npz file, a folder of IDX files, or a folder with a folder of pictures per class. Of a
    set without test images of its own, every sixth image of each class, in order, is a test image.
    """
    stream = stream_data(path, kind, split)
    return ImageSet(np.concatenate(list(stream.pieces())), stream.labels, stream.classes, stream.source)


def stream_data(path: str | None, kind: str = "auto", split: Split = "train") -> ImageStream:
    """What `load_data` loads, piece by piece: of the images nothing but their size and number is known before.

    In memory are the labels, the names of pictures, and one piece of the images, at most 4096 of them and about 8 MB.
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
        hint = "; without test images of its own, a set needs six images of a class" if split == "test" else ""
        raise UserError(f"{place or source}: no images in split={split}, expected at least one{hint}")
    pieces = lambda: (images for part in parts for images in part.pieces())  # noqa: E731
    return checked(ImageStream(train.shape, labels, classes, source, pieces), place)


def class_counts(data: ImageSet | ImageStream) -> Labels:
    """Images of each class [K]; 0 for a class without any."""
    return np.bincount(data.labels, minlength=len(data.classes)).astype(np.int64)


def refuse_empty_classes(data: ImageSet | ImageStream) -> Labels:
    """Images of each class [K], after refusing a class without any."""
    count = class_counts(data)
    if count.min() < 1:
        empty = ", ".join(data.classes[k] for k in np.flatnonzero(count == 0)[:5])
        raise UserError(f"class {empty} has no images in {data.source}; expected at least one for each class")
    return count


def read(place: Path | None, kind: str) -> DataSource:
    """What lies at a path, by the reader of its kind."""
    kind = guess_kind(place) if kind == "auto" else kind
    if kind not in KINDS:
        raise UserError(f"data.kind={kind}: expected one of auto, {', '.join(KINDS)}")
    if kind != "sklearn" and place is None:
        raise UserError(f"data.kind={kind} needs data.path")
    if place is not None and not place.exists():
        raise UserError(f"data.path={place}: no such file or folder")
    return KINDS[kind](place)


def guess_kind(path: Path | None) -> str:
    """What lies at a path."""
    if path is None:
        raise UserError(
            "data.path is not set: expected a folder of IDX files, a .npz file, a folder with a folder of pictures per class, "
            "or data.kind=sklearn"
        )
    if path.is_file() and path.suffix == ".npz":
        return "npz"
    if path.is_dir() and any("idx3-ubyte" in file.name or "idx1-ubyte" in file.name for file in path.iterdir()):
        return "idx"
    if path.is_dir() and any(child.is_dir() for child in path.iterdir()):
        return "folder"
    if not path.exists():
        raise UserError(f"data.path={path}: no such file or folder")
    raise UserError(
        f"data.path={path}: expected a folder of IDX files (train-images-idx3-ubyte.gz, …), a .npz file, or a folder with a "
        "folder of pictures per class"
    )


def choose(train: SplitReader, test: SplitReader | None, split: Split) -> list[SplitReader]:
    """The parts that make up a split."""
    if test is not None:
        return {"train": [train], "test": [test], "all": [train, test]}[split]
    if split == "all":
        return [train]
    order = np.zeros(len(train.labels), dtype=np.int64)
    for label in np.unique(train.labels):
        members = train.labels == label
        order[members] = np.arange(members.sum())
    held_out = order % HELD_OUT == HELD_OUT - 1
    return [only(train, held_out if split == "test" else ~held_out)]


def only(part: SplitReader, wanted: npt.NDArray[np.bool_]) -> SplitReader:
    """Those images of a part that are wanted [N]."""

    def pieces() -> Iterator[Bytes]:
        first = 0
        for images in part.pieces():
            yield images[wanted[first : first + len(images)]]
            first += len(images)

    return SplitReader(part.shape, part.labels[wanted], pieces)


def checked(data: ImageStream, path: Path | None) -> ImageStream:
    """The set, after refusing one that nothing can be fitted to."""
    name = path or data.source
    height, width, channels = data.shape
    if not (2 <= height <= 4096 and 2 <= width <= 4096 and channels in (1, 3)):
        raise UserError(f"{name}: expected images of 2 to 4096 pixels a side and 1 or 3 channels, got {data.shape}")
    if not 2 <= len(data.classes) <= 1000:
        raise UserError(f"{name}: expected 2 to 1000 classes, got {len(data.classes)}")
    return data
