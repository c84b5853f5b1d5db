"""Random search by patches: squares that change, which stay where they help.

Once an image shows what the classifier looks for, its fine structure is what still raises the score, and a search of few
numbers cannot draw that. Each child of the best image has one patch: a square that is lighter or darker in each channel, or a
copy of another place, because what the classifier looks for counts more often than once. The last children have all patches
that helped, once and twice as strong (after the square attack: Andriushchenko, Croce, Flammarion & Hein 2020, without its
bound; benchmarks/large.py compares).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Bytes, Flags, Ints
from fooling.search.genomes import Shape

LEVELS = 72  # grey levels that a square changes
SIDE, HALVED, SMALLEST = 0.12, 500, 4  # side as a share of the shorter one of the image; images after which it halves; pixels
COPIES, WIDER = 0.7, 2  # share of the patches that are copies, and their side, in sides of the other ones
GREY = 0.3  # share of the patches that change all channels alike
STRENGTHS = (1, 2)  # of all patches together that helped, in the last children
Changes = npt.NDArray[np.int32]  # [H, W, C], of the levels of an image


def side(shape: Shape, shown: int) -> int:
    """Side of the squares in pixels, of a run that has seen so many images with patches."""
    shorter = min(shape[:2])
    return int(np.clip(round(SIDE * shorter * 0.5 ** (shown / HALVED)), min(SMALLEST, shorter), shorter))


def draw(random: np.random.Generator, shape: Shape, number: int) -> Ints:
    """Patches [N, 5 + C]: the pixel in their middle; how far from there, in rows and columns, the place is that they copy,
    0 and 0: they copy none; whether the copy is mirrored; and the sign of the change in each channel."""
    height, width, channels = shape
    middle = [random.integers(0, length, (number, 1)) for length in (height, width)]
    copies = random.random((number, 1)) < COPIES
    far = [copies * random.integers(0, length, (number, 1)) for length in (height, width)]
    mirrored = random.integers(0, 2, (number, 1))
    signs = random.integers(0, 2, (number, channels)) * 2 - 1
    signs = np.where(random.random((number, 1)) < GREY, signs[:, :1], signs)
    return np.concatenate([*middle, *far, mirrored, signs], axis=1)


def changes(image: Bytes, patches: Ints, width: int) -> Changes:
    """The sum of the changes of an image [H, W, C] by patches [N, 5 + C] whose squares have so many pixels a side.

    Parts outside of the image are cut off; copies go on at the opposite border.
    """
    found, levels = np.zeros(image.shape, dtype=np.int32), image.astype(np.int32)
    height, length = image.shape[:2]
    for row, column, down, right, mirrored, *signs in patches:
        copied = bool(down or right)
        across = min(WIDER * width, height, length) if copied else width
        top, left = row - across // 2, column - across // 2
        rows, columns = (np.arange(max(0, at), min(at + across, end)) for at, end in ((top, height), (left, length)))
        place = np.ix_(rows, columns)
        if copied:
            from_columns = columns[::-1] if mirrored else columns
            found[place] += levels[np.ix_((rows + down) % height, (from_columns + right) % length)] - levels[place]
        else:
            found[place] += np.array(signs) * LEVELS
    return found


def singles(image: Bytes, patches: Ints, width: int) -> Bytes:
    """The image [H, W, C] with each of N patches alone, [N, H, W, C]."""
    return np.stack([added(image, changes(image, one[None], width)) for one in patches])


def together(image: Bytes, patches: Ints, helped: Flags, width: int, strengths: Sequence[int] = STRENGTHS) -> Bytes:
    """The image [H, W, C] with all of N patches that helped, at each strength: [S, H, W, C]."""
    change = changes(image, patches[helped], width)
    return np.stack([added(image, strength * change) for strength in strengths])


def added(image: Bytes, change: Changes) -> Bytes:
    """An image with changes of its levels, as far as there are levels."""
    return np.asarray(np.clip(image + change, 0, 255).astype(np.uint8))
