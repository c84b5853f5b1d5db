"""IDX files, the format of MNIST: gzipped or not."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError

GZIP = b"\x1f\x8b"
UNSIGNED_BYTE = 8
LARGEST = 1 << 33  # bytes that a file may hold, decompressed
BLOCK = 1 << 20  # bytes read at a time: reading LARGEST at once would claim that much memory


def read_idx(path: Path, dimensions: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, with one of these numbers of dimensions. Raises UserError.

    Format: two bytes 0, the type (8 = unsigned byte), the number of dimensions, their sizes as big-endian uint32, the data.
    """
    content = inflate(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise UserError(f"{path}: expected an IDX file (magic number 0x0000080{dimensions[0]}), got {describe(content)}")
    kind, count = content[2], content[3]
    if kind != UNSIGNED_BYTE or count not in dimensions:
        expected = " or ".join(f"0x0000080{d}" for d in dimensions)
        raise UserError(f"{path}: wrong magic number: expected {expected}, got 0x{content[:4].hex()}")
    header = 4 + 4 * count
    if len(content) < header:
        raise UserError(f"{path}: truncated: the header of an IDX file has {header} bytes, got {len(content)}")
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    size = 1
    for side in shape:
        size *= side
    if len(content) - header != size:
        state = "truncated" if len(content) - header < size else "too long"
        raise UserError(f"{path}: {state}: its header promises {size:,} bytes of data, got {len(content) - header:,}")
    if not size:
        raise UserError(f"{path}: holds no images or labels: its header says {'×'.join(map(str, shape))}; get it anew")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def inflate(path: Path, largest: int = LARGEST) -> bytes:
    """The file's content, decompressed if it is gzipped (seen by its first bytes, not by its name); at most `largest` bytes."""
    blocks, size = [], 0
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == GZIP
        with gzip.open(path) if is_packed else path.open("rb") as content:
            while size <= largest and (block := content.read(BLOCK)):
                blocks.append(block)
                size += len(block)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or damaged gzip file ({error}); get it anew") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if size > largest:
        raise UserError(f"{path}: holds more than {largest:,} bytes, decompressed; get it anew")
    return b"".join(blocks)


def describe(content: bytes) -> str:
    """What a file begins with."""
    return f"a file that begins with {content[:4].hex()}" if content else "an empty file"
