"""Random search by patches: squares of changed colour, which stay where they help.

Once an image shows what the classifier looks for, its fine structure is what still raises the score, and a search of few
numbers cannot draw that. Each child of the best image has one square that is lighter or darker in each channel, and the last
child has all squares that helped (after the square attack: Andriushchenko, Croce, Flammarion & Hein 2020, without its bound).
"""

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Bytes, Ints
from fooling.search.genomes import Shape

LEVELS = 48  # grey levels that a square changes
SIDE, HALVED, SMALLEST = 0.18, 500, 4  # side as a share of the shorter one of the image; images after which it halves; pixels
Changes = npt.NDArray[np.int32]  # [H, W, C], of the levels of an image


def side(shape: Shape, shown: int) -> int:
    """Side of the squares in pixels, of a run that has seen so many images with squares."""
    shorter = min(shape[:2])
    return int(np.clip(round(SIDE * shorter * 0.5 ** (shown / HALVED)), min(SMALLEST, shorter), shorter))


def draw(random: np.random.Generator, shape: Shape, number: int) -> Ints:
    """Squares [N, 2 + C]: the pixel in their middle, and the sign of the change in each channel."""
    places = [random.integers(0, length, (number, 1)) for length in shape[:2]]
    return np.concatenate([*places, random.integers(0, 2, (number, shape[2])) * 2 - 1], axis=1)


def changes(squares: Ints, shape: tuple[int, ...], width: int) -> Changes:
    """The sum of the changes by squares [N, 2 + C] of so many pixels a side; parts outside of the image are cut off."""
    found, before = np.zeros(shape, dtype=np.int32), width // 2
    for row, column, *signs in squares:
        top, left = row - before, column - before
        found[max(0, top) : top + width, max(0, left) : left + width] += np.array(signs) * LEVELS
    return found


def applied(image: Bytes, squares: Ints, width: int) -> Bytes:
    """The image [H, W, C] with squares [N, 2 + C] of so many pixels a side."""
    return np.asarray(np.clip(image + changes(squares, image.shape, width), 0, 255).astype(np.uint8))
