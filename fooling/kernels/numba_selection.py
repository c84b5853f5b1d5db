"""Selection, compiled by numba."""

import numpy as np

from fooling.kernels.arrays import Floats, Ints
from fooling.kernels.jit import jit


@jit
def select(costs: Floats, parent_costs: Floats, selected: int) -> Ints:
    """The `selected` lowest of the costs of children [R, N] and parents [R, S or 0] of each run, as `reference.select`.

    By insertion: a candidate that is not among the best so far costs one comparison.
    """
    best, kept = np.empty((len(costs), selected), dtype=np.int64), np.empty(selected, dtype=np.float32)
    children = costs.shape[1]
    for r in range(len(costs)):
        count = 0
        for i in range(children + parent_costs.shape[1]):
            cost = costs[r, i] if i < children else parent_costs[r, i - children]
            if np.isnan(cost):
                cost = np.float32(np.inf)
            if count == selected and cost >= kept[count - 1]:
                continue
            count = min(count + 1, selected)
            at = count - 1
            while at > 0 and kept[at - 1] > cost:
                kept[at], best[r, at] = kept[at - 1], best[r, at - 1]
                at -= 1
            kept[at], best[r, at] = cost, i
    return best
