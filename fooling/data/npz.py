"""Files of plain arrays (.npz), whole or in pieces, read without ever unpickling."""

import io
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from fooling.errors import UserError, first_line, printable
from fooling.settings.files import BLOCK, check_file, check_size

Array = npt.NDArray[Any]
MAX_FORTRAN = 1 << 30  # bytes of an array in Fortran order, which has to be read whole
MAX_DIRECTORY = 1 << 20  # bytes of the list of members of a zip file, some 10,000 names
MAX_HEADER = 10_000  # bytes that describe an array
PLAIN_OR_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as NumPy writes them; other methods have no bound on memory


class ArrayHeader(NamedTuple):
    """An array of an .npz file as its header describes it."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool  # the first dimension runs fastest
    given: Array | None = None  # the array itself, where a program has it in memory


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of an .npz file by name. Raises UserError for another, damaged or too large file, and for Python objects."""
    arrays = {}
    with plain(path), archive_of(path) as archive:
        packed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
        kind = "arrays" if packed else "images"  # what is not compressed, such as a checkpoint, is no larger than its file
        check_total(path, archive, kind)
        for name in (name.removesuffix(".npy") for name in archive.namelist()):
            with numbers_of(archive, path, name) as (file, member):
                arrays[name] = read_shaped(file, member, kind)
    return arrays


def array_names(path: Path) -> list[str]:
    """The names of the arrays of an .npz file. Raises UserError for another file."""
    with plain(path), archive_of(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def describe_array(path: Path, name: str) -> ArrayHeader:
    """An array's header. Raises UserError for a damaged one, and for Python objects."""
    with opened(path, name) as (_, member):
        return member


def check_shapes(images: ArrayHeader, labels: ArrayHeader) -> None:
    """Raises UserError for arrays that are not [N, H, W] or [N, H, W, C] and [N]; the usual causes are named."""
    shape, advice = images.shape, ""
    is_one_hot = len(labels.shape) == 2 and labels.shape[1] > 1
    is_channels_first = len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)
    if is_channels_first:
        advice += f"; the channels come first: save {images.name}.transpose(0, 2, 3, 1)"
    if is_one_hot:
        advice += f"; the labels look one-hot: save {labels.name}.argmax(axis=1)"
    if advice or len(shape) not in (3, 4) or len(labels.shape) not in (1, 2) or labels.shape[1:] not in ((), (1,)):
        expected = f"expected {images.name} [N, H, W] or [N, H, W, C] and labels [N]"
        raise UserError(f"{images.path}: {expected}, got {shape}, {labels.shape}{advice}")


def read_array(member: ArrayHeader) -> Array:
    """A whole array. Raises UserError for a damaged one, and for one above the ceiling."""
    if member.given is not None:
        return member.given
    with opened(member.path, member.name) as (file, _):
        return read_shaped(file, member, "arrays")


def read_shaped(file: IO[bytes], member: ArrayHeader, kind: str) -> Array:
    """The same from the open file."""
    check_size(f"{member.path}: {printable(member.name)}", kind, math.prod(member.shape) * member.dtype.itemsize)
    numbers = read_numbers(file, member, math.prod(member.shape))
    return numbers.reshape(member.shape, order="F" if member.is_fortran else "C")


def array_pieces(member: ArrayHeader, number: int) -> Iterator[Array]:
    """An array [N, …] in pieces [number, …], the last may be shorter.

    Raises UserError for a damaged file, and for an array in Fortran order that is too large to be read whole.
    """
    if member.given is not None:
        yield from (member.given[first : first + number] for first in range(0, member.shape[0], number))
        return
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
    numbers, start = np.empty(size, dtype=member.dtype), 0
    room = numbers.view(np.uint8)
    while start < len(room) and (block := file.read(min(BLOCK, len(room) - start))):
        room[start : start + len(block)] = np.frombuffer(block, dtype=np.uint8)
        start += len(block)
    if start < len(room):
        raise ValueError(too_short(member))
    return numbers


def too_short(member: ArrayHeader) -> str:
    """What is wrong with an array that has fewer bytes than its header says."""
    return f"{member.name} ends before its {' × '.join(map(str, member.shape))} numbers"


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], ArrayHeader]]:
    """An array's numbers as an open file, positioned after its header."""
    with plain(path), archive_of(path) as archive, numbers_of(archive, path, name) as found:
        yield found


@contextmanager
def numbers_of(archive: zipfile.ZipFile, path: Path, name: str) -> Iterator[tuple[IO[bytes], ArrayHeader]]:
    """The same in an open archive. Raises ValueError for a header that promises more than there is."""
    about = archive.getinfo(f"{name}.npy")
    if about.compress_type not in PLAIN_OR_DEFLATED:
        raise ValueError(f"{name} is compressed by method {about.compress_type}; expected numpy.savez or savez_compressed")
    with archive.open(about) as file:
        shape, is_fortran, dtype, start = read_header(file, name)
        member = ArrayHeader(path, name, shape, dtype, is_fortran)
        if start + math.prod(shape) * dtype.itemsize > about.file_size:
            raise ValueError(too_short(member))
        yield file, member


def read_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, Fortran order, type and the header's bytes. Raises ValueError for another header and for Python objects."""
    magic = file.read(npy.MAGIC_LEN)
    version = npy.read_magic(io.BytesIO(magic))
    if version not in HEADERS:
        raise ValueError(f"{name} is of version {version} of the format")
    form, read = HEADERS[version]
    prefix = file.read(struct.calcsize(form))
    (length,) = struct.unpack(form, prefix)
    if length > MAX_HEADER:
        raise ValueError(f"{name}: expected a header of at most {MAX_HEADER:,} bytes, got {length:,}")
    shape, is_fortran, dtype = read(io.BytesIO(prefix + file.read(length)), max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise ValueError(f"{name} is of Python objects")
    if not dtype.itemsize:
        raise ValueError(f"{name}: expected numbers or text, got {dtype.str}")
    if min(shape, default=0) < 0:
        raise ValueError(f"{name}: expected sizes from 0 on, got {shape}")
    return shape, is_fortran, dtype, len(magic) + len(prefix) + length


HEADERS: dict[tuple[int, int], tuple[str, Any]] = {  # version of the format → how the header's length is written, its reader
    (1, 0): ("<H", npy.read_array_header_1_0),
    (2, 0): ("<I", npy.read_array_header_2_0),
}


class DirectoryReader(io.FileIO):
    """A file for zipfile, which reads the list of members at once, however long the file says that it is."""

    limit: int | None = MAX_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes. Raises ValueError for more than `limit`."""
        if self.limit is not None and size is not None and size > self.limit:
            raise ValueError(f"expected a list of arrays of at most {self.limit:,} bytes, got {size:,}")
        return super().read(size) or b""


def check_total(path: Path, archive: zipfile.ZipFile, kind: str) -> None:
    """Raises UserError for a zip file whose members are larger than the ceiling."""
    check_size(path, kind, sum(member.file_size for member in archive.infolist()))


@contextmanager
def archive_of(path: Path) -> Iterator[zipfile.ZipFile]:
    """An .npz file as an open zip file."""
    check_file(path)
    with DirectoryReader(path) as file, zipfile.ZipFile(file) as archive:
        file.limit = None
        yield archive


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
