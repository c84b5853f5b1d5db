"""IDX files, the format of MNIST: read whole or in pieces, gzipped or not; MNIST itself downloaded from mirrors."""

import gzip
import hashlib
import math
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError, first_line
from fooling.settings.files import BLOCK, check_file, check_size

GZIP = b"\x1f\x8b"
UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The array uint8 in an IDX file, with one of these numbers of dimensions. Raises UserError."""
    shape = idx_shape(path, dimensions)
    check_size(path, "arrays", math.prod(shape))
    rows = max(1, BLOCK // math.prod(shape[1:]))
    return np.concatenate(list(idx_pieces(path, dimensions, rows)))


def idx_shape(path: Path, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in the header of an IDX file, with one of these numbers of dimensions. Raises UserError."""
    with opened(path) as content:
        return read_header(path, content, dimensions)


def idx_pieces(path: Path, dimensions: tuple[int, ...], number: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The array in pieces [number, …], the last may be shorter. Raises UserError for a file that is too short or long."""
    with opened(path) as content:
        shape = read_header(path, content, dimensions)
        row, count = math.prod(shape[1:]), 0
        promised = f"its header promises {math.prod(shape):,} bytes of data"
        for first in range(0, shape[0], number):
            size = min(number, shape[0] - first) * row
            piece = content.read(size)
            count += len(piece)
            if len(piece) < size:
                raise UserError(f"{path}: truncated: {promised}, got {count:,}")
            yield np.frombuffer(bytearray(piece), dtype=np.uint8).reshape(
                -1, *shape[1:]
            )  # an array of bytes would be read-only
        if content.read(1):  # which also compares the checksum
            raise UserError(f"{path}: too long: {promised}, got more")


def read_header(path: Path, content: BinaryIO, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in the header: two bytes 0, the type (8 = unsigned byte), the number of sides, each side as big-endian uint32.

    Raises UserError for another header, and for a size of 0.
    """
    magic = content.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise UserError(f"{path}: expected an IDX file (magic number 0x0000080{dimensions[0]}), got {describe(magic)}")
    kind, count = magic[2], magic[3]
    if kind != UNSIGNED_BYTE or count not in dimensions:
        expected = " or ".join(f"0x0000080{d}" for d in dimensions)
        raise UserError(f"{path}: wrong magic number: expected {expected}, got 0x{magic.hex()}")
    sizes = content.read(4 * count)
    if len(sizes) < 4 * count:
        raise UserError(f"{path}: truncated: the header of an IDX file has {4 + 4 * count} bytes, got {4 + len(sizes)}")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * count, 4))
    if not math.prod(shape):
        raise UserError(f"{path}: holds no images or labels: its header says {'×'.join(map(str, shape))}; download it again")
    return shape


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's content, decompressed if its first bytes (not its name) say that it is gzipped."""
    try:
        check_file(path)
        with path.open("rb") as file:
            is_gzipped = file.read(2) == GZIP
        with cast("BinaryIO", gzip.open(path)) if is_gzipped else path.open("rb") as content:
            yield content
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def inflate(path: Path, largest: int) -> bytes:
    """The file's content, decompressed if it is gzipped. Raises UserError for more than `largest` bytes."""
    blocks, size = [], 0
    with opened(path) as content:
        while size <= largest and (block := content.read(BLOCK)):
            blocks.append(block)
            size += len(block)
    if size > largest:
        raise UserError(f"{path}: holds more than {largest:,} bytes, decompressed; download it again")
    return b"".join(blocks)


def describe(content: bytes) -> str:
    """The first bytes of a file, in words."""
    return f"a file that begins with {content[:4].hex()}" if content else "an empty file"


# --- MNIST, downloaded --------------------------------------------------------------------------------------------------
# SHA-256 and size of the decompressed files: the mirrors' gzip streams differ. MNIST: LeCun, Cortes, Burges; CC BY-SA 3.0.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    "train-labels-idx1-ubyte.gz": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    "t10k-images-idx3-ubyte.gz": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    "t10k-labels-idx1-ubyte.gz": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = 60  # seconds without a response
LONGEST = 3600  # seconds for a file
CHUNK = 1 << 14  # bytes received at a time
GZIP_MORE = 1 << 12  # bytes by which a gzipped file may be larger than its content


def get_mnist(
    folder: Path, mirrors: Sequence[str] = MNIST_MIRRORS, say: Callable[[str], None] = lambda line: None
) -> list[Path]:
    """Downloads MNIST's four files into `folder`, each from the first mirror with the right content; → their paths.

    Existing files with the right content are kept, damaged ones replaced; those of other data are refused before anything is
    written. A wrong or broken download never gets the final name. Raises UserError.
    """
    for name, (digest, size) in MNIST_FILES.items():
        if holds_other_data(folder / name, digest, size):
            raise UserError(f"{folder / name}: holds other images or labels than MNIST's; give another folder")
    paths = []
    for name, (digest, size) in MNIST_FILES.items():
        path = folder / name
        if path.is_file() and content_digest(path, size) == digest:
            say(f"{path}: already there")
        else:
            make_writable(folder)
            say(f"{path}: from {fetch(path, digest, size, mirrors)}")
        paths.append(path)
    return paths


def holds_other_data(path: Path, digest: str, size: int) -> bool:
    """Whether a file is a sound IDX file with other content; one of the right size that is damaged is not."""
    if not path.exists():
        return False
    try:
        shape = idx_shape(path, (1, 3))
    except UserError:
        return False
    found = content_digest(path, size)
    return found != digest and (found != "" or 4 + 4 * len(shape) + math.prod(shape) != size)


def make_writable(folder: Path) -> None:
    """Makes the folder if it does not exist. Raises UserError if nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: expected a folder to write to, got: {reason}; give another folder") from error


def fetch(path: Path, digest: str, size: int, mirrors: Sequence[str]) -> str:
    """Downloads one file; → the mirror that had it. Raises UserError if none has."""
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    reasons = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + path.name
        try:
            download(url, part, size + GZIP_MORE)
            received = content_digest(part, size)
            if received == digest:
                part.replace(path)
                return mirror
            got = f"{received[:12]}…" if received else "a damaged or larger file"
            reasons.append(f"{url}: expected content of SHA-256 {digest[:12]}…, got {got}")
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            reasons.append(f"{url}: {first_line(error)}")
        finally:
            part.unlink(missing_ok=True)
    raise UserError(f"{path.name}: no mirror has it; " + "; ".join(reasons))


def download(url: str, path: Path, largest: int) -> None:
    """Writes what is at an address into a file. Raises OSError, also for more than `largest` bytes: no more are received."""
    import requests

    end, size = time.monotonic() + LONGEST, 0
    with requests.get(url, stream=True, timeout=TIMEOUT) as response, path.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > largest:
                raise OSError(f"expected at most {largest:,} bytes, got more")
            if time.monotonic() > end:
                raise OSError(f"expected the file within {LONGEST:,} s, got {size:,} bytes of it")
            file.write(chunk)


def content_digest(path: Path, size: int) -> str:
    """SHA-256 of the decompressed content, or '' if it cannot be decompressed or is larger than `size`."""
    try:
        return hashlib.sha256(inflate(path, size)).hexdigest()
    except UserError:
        return ""
