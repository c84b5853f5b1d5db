"""Children as lists of changed pixels, and the copies of their parents' pixels and statistics."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline
from fooling.kernels.numba.philox import U, Whole
from fooling.kernels.tables import Bytes, Ints


class Changes(NamedTuple):
    """Children as lists of changed pixels: child j is parent rows[j] but for pixels ends[j] … ends[j + 1] − 1."""

    parents: Bytes  # [Q, P], pixels in the order H, W, C
    transposed: Bytes  # [Q, P], the same in the order W, H, C
    rows: Ints  # [N]
    ends: Ints  # [N + 1]
    pixels: npt.NDArray[np.int32]  # [changes], each pixel of a child once
    levels: Bytes  # [changes], their new grey levels


@jit
def apply_changes(images: Bytes, children: Ints, changes: Changes) -> None:
    """Changes the pixels of images[children[j]], copies of their parents, in place."""
    for j in range(len(children)):
        for e in range(changes.ends[j], changes.ends[j + 1]):
            images[children[j], changes.pixels[e]] = changes.levels[e]


@jit
def transpose(images: Bytes) -> Bytes:
    """Images [N, H, W, C] → [N, P] in the order W, H, C."""
    n, height, width, channels = images.shape
    result = np.empty((n, height * width * channels), dtype=np.uint8)
    flat = images.reshape(n, height * width * channels)
    for q in range(n):
        for x in range(width):
            for y in range(height):
                to, source = (x * height + y) * channels, (y * width + x) * channels
                for channel in range(channels):
                    result[q, U(to + channel)] = flat[q, U(source + channel)]
    return result


@jit
def split(pixel: Whole, channels: int) -> tuple[Whole, Whole]:
    """Channel and place of a pixel."""
    if channels == 1:
        return np.int64(0), np.int64(pixel)
    return np.int64(pixel) % channels, np.int64(pixel) // channels


@jit
def transposed_update(transposed: Bytes, changes: Changes, height: int, width: int) -> Bytes:
    """Transposed images [Q, P] of the parents → of the children."""
    channels = transposed.shape[1] // (height * width)
    result = np.empty((len(changes.rows), transposed.shape[1]), dtype=np.uint8)
    for j in range(len(changes.rows)):
        image, parent = result[j], transposed[changes.rows[j]]
        copy_row(image, parent)
        for e in range(changes.ends[j], changes.ends[j + 1]):
            channel, place = split(changes.pixels[e], channels)
            image[(place % width * height + place // width) * channels + channel] = changes.levels[e]
    return result


@jit
def fill_from_parents(result: Any, parents: Any, rows: Ints, children: Ints, values: Any) -> None:
    """Fills `result` [n, …] from the parents' rows of [Q, …], except for `children` (ascending), which take `values`."""
    j = 0
    for q in range(len(rows)):
        if j < len(children) and children[j] == q:
            copy_row(result[q], values[j])
            j += 1
        else:
            copy_row(result[q], parents[rows[q]])


@jit_inline
def copy_row(to: Any, source: Any) -> None:
    """A loop, which LLVM turns into a block copy; numba's slice assignment checks for overlaps first (0.3 µs)."""
    for i in range(len(to)):
        to[i] = source[i]


@jit
def coordinates(height: int, width: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Column and line of each place: int32 [H·W] each."""
    column, line = np.empty(height * width, dtype=np.int32), np.empty(height * width, dtype=np.int32)
    for place in range(height * width):
        column[place], line[place] = place % width, place // width
    return column, line
