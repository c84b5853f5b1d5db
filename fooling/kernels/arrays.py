"""Names of the arrays that kernels take, and what a term is measured against."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

ANY = -1  # as the wanted class: whichever an image gets to


class Wanted(NamedTuple):
    """What the parts of a term should be: of all images alike (T = 1), or T targets, of which each image has its own."""

    targets: Doubles  # [T, C, M]
    weights: Doubles  # [C, M], of each part's distance
    free: float  # the term costs nothing below this
