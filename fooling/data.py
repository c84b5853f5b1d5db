"""Labelled image sets: IDX files, .npz, folders of pictures by class, scikit-learn's 8×8 digits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fooling.arrays import read_arrays
from fooling.errors import UserError
from fooling.idx import read_idx
from fooling.paths import user_path
from fooling.pictures import read_folder

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Part = tuple[Bytes, Labels]

Split = Literal["train", "test", "all"]
HELD_OUT = 6  # of a set without test images of its own, every sixth image of each class is one


@dataclass(frozen=True)
class ImageSet:
    """N images and their classes."""

    images: Bytes  # [N, H, W, C]
    labels: Labels  # [N], 0 … K − 1
    classes: tuple[str, ...]  # K names
    source: str  # where they came from, in a word


def load_data(path: str | None, kind: str = "auto", split: Split = "train") -> ImageSet:
    """The images of a set: `split` is train, test or all. Raises UserError for what cannot be read.

    `kind` is one of KINDS, or auto: a .npz file, a folder of IDX files, or a folder with a folder of pictures per class. Of a
    set without test images of its own, every sixth image of each class, in order, is a test image.
    """
    if split not in get_args(Split):
        raise UserError(f"split={split}: expected one of {', '.join(get_args(Split))}")
    place = user_path(path) if path else None
    try:
        train, test, classes, source = read(place, kind)
    except OSError as error:
        raise UserError(f"{error.filename or place}: cannot be read ({error.strerror or error})") from error
    if test is not None and test[0].shape[1:] != train[0].shape[1:]:
        raise UserError(f"{place}: training images {train[0].shape[1:]} and test images {test[0].shape[1:]} differ in size")
    images, labels = choose(train, test, split)
    if not len(images):
        hint = "; without test images of its own, a set needs six images of a class" if split == "test" else ""
        raise UserError(f"{place or source}: no images in split={split}, expected at least one{hint}")
    return checked(ImageSet(images, labels, classes, source), place)


def class_counts(data: ImageSet) -> Labels:
    """Images of each class [K]; 0 for a class without any."""
    return np.bincount(data.labels, minlength=len(data.classes)).astype(np.int64)


def refuse_empty_classes(data: ImageSet) -> Labels:
    """Images of each class [K], after refusing a class without any."""
    count = class_counts(data)
    if count.min() < 1:
        empty = ", ".join(data.classes[k] for k in np.flatnonzero(count == 0)[:5])
        raise UserError(f"class {empty} has no images in {data.source}; expected at least one for each class")
    return count


def read(place: Path | None, kind: str) -> "Found":
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


def choose(train: Part, test: Part | None, split: Split) -> Part:
    """The images of a split."""
    if test is None:
        order = np.zeros(len(train[1]), dtype=np.int64)
        for label in np.unique(train[1]):
            members = train[1] == label
            order[members] = np.arange(members.sum())
        held_out = order % HELD_OUT == HELD_OUT - 1
        parts = {"train": ~held_out, "test": held_out, "all": np.ones(len(order), dtype=np.bool_)}
        return train[0][parts[split]], train[1][parts[split]]
    if split == "all":
        return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
    return train if split == "train" else test


def checked(data: ImageSet, path: Path | None) -> ImageSet:
    """The set, after refusing one that nothing can be fitted to."""
    name = path or data.source
    height, width, channels = data.images.shape[1:]
    if not (2 <= height <= 4096 and 2 <= width <= 4096 and channels in (1, 3)):
        raise UserError(f"{name}: expected images of 2 to 4096 pixels a side and 1 or 3 channels, got {data.images.shape[1:]}")
    if not 2 <= len(data.classes) <= 1000:
        raise UserError(f"{name}: expected 2 to 1000 classes, got {len(data.classes)}")
    return data


# --- one reader a kind: path → training part, test part or None, names of the classes, source ---------------------------

Found = tuple[Part, Part | None, tuple[str, ...], str]


def read_idx_folder(path: Path) -> Found:
    """A folder of train-images-idx3-ubyte, train-labels-idx1-ubyte and their t10k- twins, gzipped or not."""
    folder = path if path.is_dir() else path.parent
    train = read_idx_pair(folder, "train")
    has_test = find_idx(folder, "t10k-images", 3) or find_idx(folder, "t10k-labels", 1)
    test = read_idx_pair(folder, "t10k") if has_test else None
    highest = max(int(part[1].max(initial=0)) for part in (train, test) if part)
    return train, test, tuple(str(k) for k in range(highest + 1)), "IDX files"


def read_idx_pair(folder: Path, prefix: str) -> Part:
    """Images and labels whose numbers agree."""
    paths = [find_idx(folder, f"{prefix}-images", 3), find_idx(folder, f"{prefix}-labels", 1)]
    for path, name in zip(paths, (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"), strict=True):
        if path is None:
            raise UserError(f"{folder}: {name} (or {name}.gz) is missing; expected MNIST's IDX files")
    images, labels = read_idx(paths[0] or folder, (3, 4)), read_idx(paths[1] or folder, (1,))
    if len(images) != len(labels):
        raise UserError(f"{folder}: {len(images):,} images but {len(labels):,} labels in the {prefix} files")
    return with_channels(images), labels.astype(np.int64)


def find_idx(folder: Path, name: str, dimensions: int) -> Path | None:
    """The file of that name, in any of its usual spellings."""
    for middle in ("-", "."):
        for ending in ("", ".gz"):
            path = folder / f"{name}{middle}idx{dimensions}-ubyte{ending}"
            if path.is_file():
                return path
    return None


NAMES = {"train": (("x_train", "y_train"), ("images", "labels")), "test": (("x_test", "y_test"),)}


def read_npz(path: Path) -> Found:
    """A .npz file of x_train, y_train and, if there are, x_test, y_test; or of images and labels."""
    arrays = read_arrays(path)
    parts: dict[str, Part] = {}
    for split, pairs in NAMES.items():
        for images, labels in pairs:
            if images in arrays and labels in arrays and split not in parts:
                parts[split] = as_part(path, images, arrays[images], arrays[labels])
    if "train" not in parts:
        got = " ".join(", ".join(list(arrays)[:9]).split()) or "none"
        raise UserError(f"{path}: expected arrays x_train and y_train, or images and labels; got {got}")
    highest = max(int(part[1].max(initial=0)) for part in parts.values())
    return parts["train"], parts.get("test"), tuple(str(k) for k in range(highest + 1)), path.name


def as_part(path: Path, name: str, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Part:
    """Arrays of a file as uint8 [N, H, W, C] and int64 [N]."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.ndim not in (3, 4) or labels.ndim != 1:
        raise UserError(f"{path}: expected {name} [N, H, W] or [N, H, W, C] and labels [N], got {images.shape}, {labels.shape}")
    if len(images) != len(labels):
        raise UserError(f"{path}: {len(images):,} images but {len(labels):,} labels")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{path}: expected labels 0 … 999, whole numbers, got {labels.dtype}")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < 1000:
        raise UserError(f"{path}: expected labels 0 … 999, whole numbers, got {labels.min()} … {labels.max()}")
    return to_bytes(path, name, with_channels(images)), labels.astype(np.int64)


def with_channels(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[N, H, W] as [N, H, W, 1]; [N, H, W, C] as it is."""
    return images if images.ndim == 4 else images[..., None]


def to_bytes(path: Path, name: str, images: npt.NDArray[Any]) -> Bytes:
    """Whole numbers 0 … 255 as they are; fractions 0 … 1 times 255."""
    if images.dtype.kind not in "iuf":
        raise UserError(f"{path}: {name}: expected whole numbers 0…255 or fractions 0…1, got {images.dtype}")
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if images.dtype.kind in "iu" and low >= 0 and high <= 255:
        return images.astype(np.uint8)
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.asarray(np.rint(images * 255), dtype=np.uint8)
    raise UserError(f"{path}: {name}: expected whole numbers 0…255 or fractions 0…1, got {images.dtype} {low} … {high}")


def read_pictures(path: Path) -> Found:
    """A folder of pictures per class, or train/ and test/ of such; one of the two may lack the last classes."""
    if not path.is_dir():
        raise UserError(f"data.path={path}: expected a folder with a folder of pictures per class, got a file")
    if (path / "train").is_dir() and (path / "test").is_dir():
        images, labels, classes = read_folder(path / "train")
        test_images, test_labels, test_classes = read_folder(path / "test")
        fewer, more = sorted((classes, test_classes), key=len)
        if more[: len(fewer)] != fewer:
            odd = min(set(classes) ^ set(test_classes))
            raise UserError(f"{path}: expected the same classes in train/ and test/, but class {odd} is in one of them only")
        return (images, labels), (test_images, test_labels), more, path.name
    images, labels, classes = read_folder(path)
    return (images, labels), None, classes, path.name


def read_sklearn(path: Path | None) -> Found:
    """scikit-learn's bundled digits, 1797 of 8×8 pixels 0…16, as 0…255."""
    del path
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    return (images, digits.target.astype(np.int64)), None, tuple(str(k) for k in range(10)), "scikit-learn's digits"


KINDS: dict[str, Callable[[Any], Found]] = {
    "idx": read_idx_folder,
    "npz": read_npz,
    "folder": read_pictures,
    "sklearn": read_sklearn,
}
