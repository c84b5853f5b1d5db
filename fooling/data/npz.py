"""Files of plain arrays (.npz), whole or piece by piece, read without ever unpickling."""

import io
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from fooling.errors import UserError

Array = npt.NDArray[Any]


class ArrayHeader(NamedTuple):
    """An array of an .npz file as its header describes it; nothing of it is read yet."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool  # the first dimension runs fastest


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an .npz file by name. Raises UserError for a file that is none, damaged, or holds Python objects."""
    with plain(path):
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def array_names(path: Path) -> list[str]:
    """What the arrays of an .npz file are called. Raises UserError for a file that is none."""
    with plain(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def describe_array(path: Path, name: str) -> ArrayHeader:
    """An array's header. Raises UserError if it is damaged or is of Python objects."""
    with opened(path, name) as (_, member):
        return member


def read_array(member: ArrayHeader) -> Array:
    """An array, whole."""
    with opened(member.path, member.name) as (file, _):
        content = exactly(file, member, math.prod(member.shape))
        return content.reshape(member.shape, order="F" if member.is_fortran else "C")


def array_pieces(member: ArrayHeader, number: int) -> Iterator[Array]:
    """An array [N, …] in pieces [number, …], the last may be shorter. Raises UserError where the file turns out damaged."""
    with opened(member.path, member.name) as (file, _):
        if member.is_fortran:
            yield from fortran_pieces(file, member, number)
            return
        row = math.prod(member.shape[1:])
        for first in range(0, member.shape[0], number):
            rows = min(number, member.shape[0] - first)
            yield exactly(file, member, rows * row).reshape(-1, *member.shape[1:])


def fortran_pieces(file: IO[bytes], member: ArrayHeader, number: int) -> Iterator[Array]:
    """Pieces of an array whose rows lie scattered: from a temporary file, as a stream has no way back."""
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(file, spool, 1 << 20)
        array: Array = np.memmap(spool, member.dtype, "r", shape=member.shape, order="F")
        for first in range(0, member.shape[0], number):
            yield np.ascontiguousarray(array[first : first + number])


def exactly(file: IO[bytes], member: ArrayHeader, size: int) -> Array:
    """The next `size` numbers of an array [size]."""
    content = file.read(size * member.dtype.itemsize)
    if len(content) < size * member.dtype.itemsize:
        raise ValueError(f"{member.name} ends before its {' × '.join(map(str, member.shape))} numbers")
    return np.frombuffer(content, dtype=member.dtype)


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], ArrayHeader]]:
    """An array's numbers as a file, after its header."""
    with plain(path), zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{name} is of version {version} of the format")
        shape, is_fortran, dtype = HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError(f"{name} is of Python objects")
        yield file, ArrayHeader(path, name, shape, dtype, is_fortran)


HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@contextmanager
def plain(path: Path) -> Iterator[None]:
    """What goes wrong with a file of arrays as one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged zip file raises almost anything
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not an .npz file of plain arrays ({reason or type(error).__name__})") from error
