"""Sets that a program has in memory: an `ImageSet`, or arrays of images and labels, read as an .npz file of them is."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fooling.data import ImageSet
from fooling.data.matching import Options
from fooling.data.npz import Array, ArrayHeader
from fooling.data.readers import DataSource, Reader, SplitReader, numbered, split_reader
from fooling.errors import UserError, first_line
from fooling.settings.names import as_words

EXPECTED = "data: expected a path, a dictionary of the group data, fooling.ImageSet, or a pair (images, labels) of arrays"


def data_words(data: Any) -> tuple[Reader | None, list[str]]:
    """The reader of data in memory, None of others, and the words that name the data. Raises UserError for what is neither."""
    if data is None:
        return None, []
    if isinstance(data, str | os.PathLike):
        return None, as_words("data.path", os.fspath(data))
    if isinstance(data, Mapping):
        return None, as_words("data", dict(data))
    reader = array_reader(data)
    return reader, ["data.path=object ImageSet" if isinstance(data, ImageSet) else "data.path=object arrays"]


def array_reader(data: Any) -> Reader:
    """A reader of a set in memory. Raises UserError for what is none."""
    if isinstance(data, ImageSet):
        return partial(read_given, as_part(data.images, data.labels), tuple(map(str, data.classes)), data.source)
    if not isinstance(data, tuple | list) or len(data) != 2:
        got = f"{type(data).__name__}{f' of {len(data)}' if isinstance(data, tuple | list) else ''}"
        raise UserError(f"{EXPECTED}; got {got}")
    return partial(read_given, as_part(*data), (), "arrays")


def as_part(images: Any, labels: Any) -> SplitReader:
    """Images [N, H, W] or [N, H, W, C] and labels [N] as the part of a set. Raises UserError for others."""
    return split_reader(header("images", images), header("labels", labels))


def header(name: str, given: Any) -> ArrayHeader:
    """An array in memory as one of a file."""
    try:
        array: Array = np.asarray(given)
    except Exception as error:  # foreign objects may raise anything
        raise UserError(f"data: {name}: expected an array, got {type(given).__name__} ({first_line(error)})") from error
    return ArrayHeader(Path("data"), name, array.shape, array.dtype, False, array)


def read_given(part: SplitReader, classes: tuple[str, ...], source: str, _path: Path | None, _options: Options) -> DataSource:
    """The set; it has no test part."""
    return part, None, classes or numbered(part, None), source
