"""Labelled image sets, whole or in pieces: IDX files, .npz, folders of images per class, scikit-learn's digits; drawings."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fooling.data.images import ENDINGS, Shape
from fooling.data.matching import Array, LevelScale, Options, all_in_shape, has_numbers, make_options, match_classes
from fooling.data.readers import KINDS, DataSource, Labels, Reader, SplitReader, class_folders, piece_size
from fooling.errors import UserError, counted
from fooling.kernels.tables import Bytes
from fooling.settings.fields import user_path
from fooling.settings.files import check_size

Split = Literal["train", "test", "all"]
HELD_OUT = 6  # every sixth image of each class is a test image, if the set has no test part
MAX_SIDE, MAX_CLASSES = 4096, 1000
FEW = 3  # folders among which IDX files are sought


@dataclass(frozen=True)
class ImageStream:
    """N images and their classes. The images are read when needed: iterate for pieces of both."""

    shape: Shape  # H, W, C
    labels: Labels  # [N], 0 … K − 1
    classes: tuple[str, ...]  # K names
    source: str  # short description of the origin
    pieces: Callable[[], Iterator[Bytes]]  # [n, H, W, C] in turn, N in all
    conversions: Sequence[Counter[str]] = ()  # what was done to how many images, after `pieces()`
    held_out: int = 0  # images that are the test part of a set without one

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

    images: Bytes = field(repr=False)  # [N, H, W, C]
    labels: Labels = field(repr=False)  # [N], 0 … K − 1
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


class EmptySplitError(UserError):
    """A set has no images in a split: without a test part, one of fewer than six images a class has no test images."""


def load_data(path: str | None, kind: str | Reader = "auto", split: Split = "train", **options: Any) -> ImageSet:
    """The images of a set: `split` is train, test or all. Raises UserError for what cannot be read.

    `kind` is one of KINDS, or auto: a .npz file, a folder of IDX files, or a folder with a folder of images per class; or a
    reader. Without a test part, every sixth image of each class, in order, is a test image. `options` are fields of
    `matching.Options`: `scale`, `size`, `resize`, `classes` and `first_label` as the settings of these names; `shape` and
    `labels` of a classifier, to whose size pictures are brought, and whose numbers of the classes are the labels
    (`seen_by`).
    """
    stream = stream_data(path, kind, split, **options)
    check_size(path or stream.source, "images", len(stream.labels) * math.prod(stream.shape))
    images = np.concatenate(list(stream.pieces()))
    return ImageSet(images, stream.labels, stream.classes, stream.source, stream.notes)


def stream_data(path: str | None, kind: str | Reader = "auto", split: Split = "train", **options: Any) -> ImageStream:
    """What `load_data` loads, in pieces.

    In memory are the labels, the names of image files, and one piece of the images: at most 4096 of them and about 8 MB.
    """
    if split not in get_args(Split):
        raise UserError(f"split={split}: expected one of {', '.join(get_args(Split))}")
    place, chosen = user_path(path) if path else None, make_options(options)
    try:
        train, test, classes, source = read(place, kind, chosen) if isinstance(kind, str) else kind(place, chosen)
    except OSError as error:
        raise UserError(f"{error.filename or place}: cannot be read ({error.strerror or error})") from error
    if test is not None and test.shape != train.shape:
        raise UserError(f"{place}: training images {train.shape} and test images {test.shape} differ in size")
    train, test = with_levels(train, test, chosen.scale)
    train, test, classes = with_classes(train, test, classes, chosen, source)
    parts = [with_size(part, chosen) for part in choose(train, test, split)]
    labels = np.concatenate([part.labels for part in parts])
    if not len(labels):
        hint = "; without a test part, a set needs six images of a class" if split == "test" else ""
        raise EmptySplitError(f"{place or source}: no images in split={split}, expected at least one{hint}")
    pieces = lambda: (images for part in parts for images in part.pieces())  # noqa: E731
    out = len(train.labels) - len(labels) if test is None and split == "train" else 0
    stream = ImageStream(train.shape, labels, classes, source, pieces, [part.conversions for part in parts], out)
    check_stream(stream, place, len(chosen.labels or chosen.classes))
    return stream


def seen_by(classifier: Any) -> dict[str, Any]:
    """The options of a set for a classifier."""
    return {"shape": tuple(int(side) for side in classifier.input_shape), "labels": tuple(map(str, classifier.labels))}


# --- a set made to fit ------------------------------------------------------------------------------------------------
def with_levels(train: SplitReader, test: SplitReader | None, scale: float | None) -> tuple[SplitReader, SplitReader | None]:
    """The parts of a set with grey levels 0 … 255; numbers of one type have one scale in both parts."""

    def one(part: SplitReader) -> SplitReader:
        reads = [other.pieces for other in (train, test) if other and other.kind == part.kind]
        levels = LevelScale(reads, part.kind, scale, part.name)
        return replace(part, pieces=lambda: levels.noted(part.pieces, part.conversions, len(part.labels)), kind="u")

    return one(train), test and one(test)


def with_classes(
    train: SplitReader, test: SplitReader | None, names: tuple[str, ...], options: Options, source: str
) -> tuple[SplitReader, SplitReader | None, tuple[str, ...]]:
    """The parts with labels that are the classifier's numbers of the classes, where there is one, and the names of all."""
    parts = [part for part in (train, test) if part]
    first, is_numbered = options.first_label, has_numbers(names)
    lowest = min((int(part.labels.min()) for part in parts if len(part.labels)), default=first)
    if first and not (is_numbered and lowest >= first):
        got = f"{lowest} as the lowest" if is_numbered else f"names, such as {names[0]}"
        raise UserError(f"data.first_label={first}: expected labels from {first} on in {source}, got {got}")
    parts = [replace(part, labels=part.labels - first) for part in parts] if first else parts
    names = names[: len(names) - first] if first else names
    present = sorted({int(k) for part in parts for k in np.unique(part.labels)})
    numbers, names = match_classes(names, present, options, source)
    if numbers != {k: k for k in present}:
        table = np.full(max(present) + 1, -1, dtype=np.int64)
        table[list(numbers)] = list(numbers.values())
        moved = [replace(part, labels=table[part.labels]) for part in parts]
        parts = [part if (part.labels >= 0).all() else select(part, part.labels >= 0) for part in moved]
    return parts[0], parts[1] if test else None, names


def with_size(part: SplitReader, options: Options) -> SplitReader:
    """Arrays in the chosen size; pictures have it already."""
    shape = (*options.sides, options.channels or part.shape[2]) if options.sides else part.shape
    if shape == part.shape:
        return part

    def pieces() -> Iterator[Array]:
        part.conversions.clear()
        for images in part.pieces():
            sized, notes = all_in_shape(images, shape, options.resize)
            part.conversions.update(notes)
            yield sized

    return replace(part, shape=shape, pieces=pieces)


def with_images(data: ImageStream) -> ImageStream:
    """A set without the classes that have no images, the others in their order. Raises UserError for labels 1 … K."""
    present = np.flatnonzero(class_counts(data))
    if len(present) == len(data.classes):
        return data
    if has_numbers(data.classes) and present.tolist() == list(range(1, len(data.classes))):
        advice = "data.first_label=1 makes label 1 class 0; data.classes=[…] names the classes in their order"
        raise UserError(f"data: {data.source}: the labels are 1 … {present[-1]}, class 0 has no images; {advice}")
    numbers = np.zeros(len(data.classes), dtype=np.int64)
    numbers[present] = np.arange(len(present))
    names = [name if data.classes.count(name) == 1 else str(k) for k, name in enumerate(data.classes)]
    return replace(data, labels=numbers[data.labels], classes=tuple(names[k] for k in present))


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


def read(place: Path | None, kind: str, options: Options) -> DataSource:
    """The set at a path, by the reader of its kind."""
    kind = guess_kind(place) if kind == "auto" else kind
    if kind not in KINDS:
        raise UserError(f"data.kind={kind}: expected one of auto, {', '.join(KINDS)}")
    if kind != "sklearn" and place is None:
        raise UserError(f"data.path: expected a path for data.kind={kind}, got null")
    if place is not None and not place.exists():
        raise UserError(f"data.path={place}: no such file or folder{advice_on(place)}")
    return KINDS[kind](place, options)


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
    if is_idx(path) or (path.is_dir() and any(map(is_idx, path.iterdir()))):
        return "idx"
    if not path.exists():
        raise UserError(f"data.path={path}: no such file or folder{advice_on(path)}")
    folders = class_folders(path) if path.is_dir() else []
    inner = find_inner(path, folders)
    if folders and not inner:
        return "folder"
    raise UserError(
        f"data.path={path}: expected a folder of IDX files (train-images-idx3-ubyte.gz, …), a .npz file, or a folder with a "
        f"folder of pictures per class{inner}"
    )


def is_idx(path: Path) -> bool:
    """Whether a path has the name of an IDX file."""
    return ("idx3-ubyte" in path.name or "idx1-ubyte" in path.name) and path.name[0] != "." and path.is_file()


def find_inner(path: Path, folders: Sequence[Path]) -> str:
    """What to give instead of a path, where the set seems to be further down; '' where it does not."""
    if not path.is_dir():
        return ""
    if len(folders) <= FEW:
        for folder in [*folders, *(inner for outer in folders for inner in class_folders(outer))]:
            if any(map(is_idx, folder.iterdir())):
                return f", got one that has IDX files further down; give data.path={folder}"
    if folders:
        return ""
    files = sorted(file for file in path.iterdir() if file.name[0] != ".")
    arrays = [file for file in files if file.suffix == ".npz"]
    if arrays:
        return f", got a folder with such a file; give data.path={arrays[0]}"
    pictures = sum(file.suffix.lower() in ENDINGS for file in files)
    return f", got {counted(pictures, 'picture')} in no folder of a class; move those of each into one" if pictures else ""


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
    return [select(train, (order % HELD_OUT == HELD_OUT - 1) == (split == "test"))]


def select(part: SplitReader, is_selected: npt.NDArray[np.bool_]) -> SplitReader:
    """The selected images [N] of a part."""

    def pieces() -> Iterator[Array]:
        first = 0
        for images in part.pieces():
            yield images[is_selected[first : first + len(images)]]
            first += len(images)

    return replace(part, labels=part.labels[is_selected], pieces=pieces)


def check_stream(data: ImageStream, path: Path | None, named: int) -> None:
    """Raises UserError for images of unusable size, and for too few or too many classes, unless so many are named."""
    (height, width, channels), name = data.shape, path or data.source
    if not (2 <= height <= MAX_SIDE and 2 <= width <= MAX_SIDE and channels in (1, 3)):
        raise UserError(f"{name}: expected images of 2 to {MAX_SIDE} pixels a side and 1 or 3 channels, got {data.shape}")
    if not 2 <= len(data.classes) <= MAX_CLASSES and len(data.classes) != named:
        raise UserError(f"{name}: expected 2 to {MAX_CLASSES} classes, got {len(data.classes)}")
