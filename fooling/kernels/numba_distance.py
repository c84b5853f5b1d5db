"""How far sums and scores are from what is wanted, compiled by numba: `reference.distance`, `reference.target_term`."""

import numpy as np

from fooling.kernels.arrays import ANY, Doubles, Floats, Ints, Wanted
from fooling.kernels.jit import jit, jit_part


@jit
def distance(parts: Ints, divisors: Doubles, which: Ints, wanted: Wanted, scale: int) -> Floats:
    """Σ weight·|part/divisor − target| ÷ scale, mean over channels, above what is free: [N, C, M] → [N]."""
    values = np.empty(len(parts), dtype=np.float32)
    distance_into(values, parts, divisors, which, wanted, scale)
    return values


@jit_part
def distance_into(values: Floats, parts: Ints, divisors: Doubles, which: Ints, wanted: Wanted, scale: int) -> None:
    """Fills in the distances."""
    _, channels, size = parts.shape
    single = len(wanted.targets) == 1
    for q in range(len(values)):
        target, total = wanted.targets[0 if single else which[q]], 0.0
        for channel in range(channels):
            for part in range(size):
                apart = abs(np.float64(parts[q, channel, part]) / divisors[part] - target[channel, part])
                total += apart * wanted.weights[channel, part]
        term = np.float32(total / channels) / np.float32(scale)
        values[q] = max(np.float64(term) - wanted.free, 0.0)


@jit_part
def apart_from(scores: Floats, wanted: int) -> float:
    """Σ|score − wanted score| of the scores [K] of one image; with ANY of the class of its largest score."""
    own = wanted
    if wanted == ANY:
        own = 0
        for k in range(1, len(scores)):
            if scores[k] > scores[own]:
                own = k
    total = 0.0
    for k in range(len(scores)):
        total += abs(np.float64(scores[k]) - (1.0 if k == own else 0.0))
    return total
