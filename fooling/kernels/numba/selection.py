"""Selection, compiled by numba: truncation, and NSGA-II's (Deb et al. 2002) of two objectives, in the order of DEAP's."""

import numpy as np

from fooling.kernels.numba.compile import jit
from fooling.kernels.tables import Doubles, Floats, Ints


@jit
def nsga2_selection(objectives: Doubles, number: int) -> tuple[Ints, Doubles]:
    """The best `number` of objectives [R, M, 2] of each run, front by front, the last front by crowding distance.

    → indices [R, number] and their crowding distances [R, number]. Of 200 in 35 µs; DEAP takes 500.
    """
    runs = len(objectives)
    indices, crowding = np.empty((runs, number), dtype=np.int64), np.empty((runs, number))
    for r in range(runs):
        points = objectives[r]
        order, front = fronts(points)
        count = rank = 0
        while count < number:
            members = order[front[order] == rank]
            distances = crowding_distances(points, members)
            if count + len(members) >= number:
                least_crowded = np.argsort(-distances, kind="mergesort")[: number - count]
                members, distances = members[least_crowded], distances[least_crowded]
            indices[r, count : count + len(members)], crowding[r, count : count + len(members)] = members, distances
            count, rank = count + len(members), rank + 1
    return indices, crowding


@jit
def fronts(points: Doubles) -> tuple[Ints, Ints]:
    """Non-dominated sorting in O(M log M): lexicographic order of points [M, 2], and the front of each; 0 is non-dominated."""
    order = np.argsort(points[:, 1], kind="mergesort")
    order = order[np.argsort(points[order, 0], kind="mergesort")]
    front, least, count = np.zeros(len(points), dtype=np.int64), np.empty(len(points)), 0
    for place in range(len(order)):
        first, second = points[order[place]]
        if place > 0 and first == points[order[place - 1], 0] and second == points[order[place - 1], 1]:
            front[order[place]] = front[order[place - 1]]
            continue
        at = np.searchsorted(least[:count], second, side="right")  # earlier fronts hold a point that dominates this one
        least[at], front[order[place]], count = second, at, max(count, at + 1)
    return order, front


@jit
def crowding_distances(points: Doubles, members: Ints) -> Doubles:
    """Crowding distance of each member of a front (Deb et al. 2002); infinite at its ends."""
    distances = np.zeros(len(members))
    order = np.arange(len(members))
    for k in range(2):
        order = order[np.argsort(points[members[order], k], kind="mergesort")]
        values = points[members[order], k]
        distances[order[0]] = distances[order[-1]] = np.inf
        if values[-1] == values[0]:
            continue
        norm = 2 * (values[-1] - values[0])
        for place in range(1, len(order) - 1):
            distances[order[place]] += (values[place + 1] - values[place - 1]) / norm
    return distances


@jit
def truncation_selection(costs: Floats, parent_costs: Floats, selected: int) -> Ints:
    """The `selected` lowest of the costs of children [R, N] and parents [R, S or 0] of each run, as in the reference.

    By insertion: a candidate that is not among the best so far costs one comparison.
    """
    best, best_costs = np.empty((len(costs), selected), dtype=np.int64), np.empty(selected, dtype=np.float32)
    children = costs.shape[1]
    for r in range(len(costs)):
        count = 0
        for i in range(children + parent_costs.shape[1]):
            cost = costs[r, i] if i < children else parent_costs[r, i - children]
            if np.isnan(cost):
                cost = np.float32(np.inf)
            if count == selected and cost >= best_costs[count - 1]:
                continue
            count = min(count + 1, selected)
            at = count - 1
            while at > 0 and best_costs[at - 1] > cost:
                best_costs[at], best[r, at] = best_costs[at - 1], best[r, at - 1]
                at -= 1
            best_costs[at], best[r, at] = cost, i
    return best
