"""Points of two numbers, both to be minimised: which of them no other beats, and how much they cover."""

from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating[Any]]


def nondominated(points: Points) -> npt.NDArray[np.int64]:
    """Which of points [N, 2] no other dominates, by the first number; of equal points the first."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    seconds = points[order, 1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(seconds)[:-1]])
    return np.asarray(order[seconds < before])


def hypervolume(points: Points, corner: tuple[float, float]) -> float:
    """The area below `corner` that points [N, 2] dominate."""
    inside = points[(points < corner).all(axis=1)]
    first, second = inside[nondominated(inside)].T.astype(np.float64)
    return float((np.diff(first, append=corner[0]) * (corner[1] - second)).sum())
