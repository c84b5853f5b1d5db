"""Files of plain arrays (.npz), whole or in pieces, read without ever unpickling."""

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from fooling.errors import UserError, first_line

Array = npt.NDArray[Any]
MAX_FORTRAN = 1 << 30  # bytes of an array in Fortran order, which has to be read whole


class ArrayHeader(NamedTuple):
    """An array of an .npz file as its header describes it."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool  # the first dimension runs fastest


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an .npz file by name. Raises UserError for another or damaged file, and for Python objects."""
    with plain(path):
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def array_names(path: Path) -> list[str]:
    """The names of the arrays of an .npz file. Raises UserError for another file."""
    with plain(path), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def describe_array(path: Path, name: str) -> ArrayHeader:
    """An array's header. Raises UserError for a damaged one, and for Python objects."""
    with opened(path, name) as (_, member):
        return member


def read_array(member: ArrayHeader) -> Array:
    """A whole array."""
    with opened(member.path, member.name) as (file, _):
        content = read_numbers(file, member, math.prod(member.shape))
        return content.reshape(member.shape, order="F" if member.is_fortran else "C")


def array_pieces(member: ArrayHeader, number: int) -> Iterator[Array]:
    """An array [N, …] in pieces [number, …], the last may be shorter.

    Raises UserError for a damaged file, and for an array in Fortran order that is too large to be read whole.
    """
    if member.is_fortran:
        size = math.prod(member.shape) * member.dtype.itemsize
        if size > MAX_FORTRAN:
            what = f"{member.name} is in Fortran order and has {size:,} bytes"
            raise UserError(f"{member.path}: {what}; save it in C order (numpy.ascontiguousarray)")
        whole = read_array(member)
        yield from (np.ascontiguousarray(whole[first : first + number]) for first in range(0, member.shape[0], number))
        return
    with opened(member.path, member.name) as (file, _):
        row = math.prod(member.shape[1:])
        for first in range(0, member.shape[0], number):
            rows = min(number, member.shape[0] - first)
            yield read_numbers(file, member, rows * row).reshape(-1, *member.shape[1:])


def read_numbers(file: IO[bytes], member: ArrayHeader, size: int) -> Array:
    """The next `size` numbers of an array, [size]. Raises ValueError where the file ends before."""
    content = file.read(size * member.dtype.itemsize)
    if len(content) < size * member.dtype.itemsize:
        raise ValueError(f"{member.name} ends before its {' × '.join(map(str, member.shape))} numbers")
    return np.frombuffer(content, dtype=member.dtype)


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], ArrayHeader]]:
    """An array's numbers as an open file, positioned after its header."""
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
    """Any failure to read a file of arrays as a UserError of one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UserError:
        raise
    except Exception as error:  # a damaged zip file raises almost anything
        raise UserError(f"{path}: not an .npz file of plain arrays ({first_line(error)})") from error
