"""Dense networks of any depth, compiled by numba: the same names and bits as in `reference_network.py`."""

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.philox import U
from fooling.kernels.numba.sigmoid_network import (
    EXP0,
    EXP1,
    EXP2,
    EXP3,
    EXP4,
    EXP5,
    HALF_RANGE,
    LANES,
    UNIT,
    add_four,
    padded_rest,
    sigmoid_into,
)
from fooling.kernels.reference.network import LN2_HIGH, LN2_LOW, LOG2E, ROUND, Layers
from fooling.kernels.tables import Floats, Ints

ZERO, INFINITY = np.float32(0.0), np.float32(np.inf)
Whole = npt.NDArray[np.int32]


def dense_scores(sums: Floats, scale: np.float32, layers: Layers, relu: bool) -> Floats:
    """The rest of a dense network: lattice sums [N, M] → scores [N, K]; see `reference_network.dense_scores`."""
    weights, bias, sizes = packed(sums.shape[1], layers)
    return packed_scores(sums, scale, weights, bias, sizes, relu)


def packed(inputs: int, layers: Layers) -> tuple[Floats, Floats, Ints]:
    """All weights, padded, in one array, all biases in another, and the units of each layer: one compilation for any depth."""
    sizes = np.array([inputs, *(len(bias) for _, bias in layers)], dtype=np.int64)
    none = [np.empty(0, dtype=np.float32)]
    weights = np.concatenate(none + [padded_rest(np.ascontiguousarray(weights)).ravel() for weights, _ in layers])
    return weights, np.concatenate(none + [bias for _, bias in layers]), sizes


@jit
def packed_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats, sizes: Ints, relu: bool) -> Floats:
    """The same of packed layers. Images lie side by side in memory, as in `numba_network.network_scores`."""
    widest = (sizes.max() + 3) // 4 * 4
    one, other = np.zeros((widest, LANES), dtype=np.float32), np.zeros((widest, LANES), dtype=np.float32)
    n = np.empty(one.size, dtype=np.int32)
    scores = np.empty((len(sums), sizes[-1]), dtype=np.float32)
    for lo in range(0, len(sums), LANES):
        hi = min(lo + LANES, len(sums))
        fill_scores(scores[lo:hi], sums[lo:hi], scale, weights, bias, sizes, relu, one, other, n, n.view(np.float32))
    return scores


@jit_part
def fill_scores(
    scores: Floats,
    sums: Floats,
    scale: np.float32,
    weights: Floats,
    bias: Floats,
    sizes: Ints,
    relu: bool,
    one: Floats,
    other: Floats,
    n: Whole,
    power: Floats,
) -> None:
    """Fills in the scores of at most LANES images; from `one` on it is scratch, units [widest, LANES]."""
    for lane in range(len(sums)):
        for unit in range(sizes[0]):
            one[unit, lane] = sums[lane, unit] * scale
    weight, start = 0, 0
    for layer in range(1, len(sizes)):
        inputs, outputs = sizes[layer - 1], sizes[layer]
        rows, columns = (inputs + 3) // 4 * 4, (outputs + 1) // 2 * 2
        activate(one, inputs, rows, relu, n, power)
        next_layer(other, one, weights[weight : weight + rows * columns].reshape(rows, columns), bias[start : start + outputs])
        weight, start = weight + rows * columns, start + outputs
        one, other = other, one
    softmax_into(one[: len(scores[0])], other[0], n, power)
    for lane in range(len(scores)):
        for k in range(len(scores[0])):
            scores[lane, k] = one[k, lane]


@jit_part
def activate(units: Floats, inputs: int, rows: int, relu: bool, n: Whole, power: Floats) -> None:
    """Inputs of units [·, LANES] → their outputs, in place; rows that only pad become 0."""
    if relu:
        for unit in range(inputs):
            for lane in range(LANES):
                units[U(unit), U(lane)] = max(units[U(unit), U(lane)], ZERO)
    else:
        sigmoid_into(units[:inputs].reshape(-1), n, power)
    for unit in range(inputs, rows):
        units[unit] = ZERO


@jit_part
def next_layer(output: Floats, hidden: Floats, weights: Floats, bias: Floats) -> None:
    """bias + hidden·weights into `output` [·, LANES], unit by unit; weights are padded, [rows, columns]."""
    rows, columns = weights.shape
    for k in range(0, columns, 2):
        output[k], output[k + 1] = bias[k], bias[min(k + 1, len(bias) - 1)]
        for unit in range(0, rows, 4):
            add_four(output[k], output[k + 1], hidden[unit : unit + 4], weights[unit : unit + 4, k : k + 2])


@jit_part
def softmax_into(z: Floats, lanes: Floats, n: Whole, power: Floats) -> None:
    """The softmax over the classes of z [K, LANES], in place; `lanes` [LANES] is room for the largest, then for the sums."""
    lanes[:] = -INFINITY
    for k in range(len(z)):
        for lane in range(LANES):
            lanes[U(lane)] = max(lanes[U(lane)], z[U(k), U(lane)])
    for k in range(len(z)):
        for lane in range(LANES):
            z[U(k), U(lane)] -= lanes[U(lane)]
    exponential_into(z.reshape(-1), n, power)
    lanes[:] = ZERO
    for k in range(len(z)):
        for lane in range(LANES):
            lanes[U(lane)] += z[U(k), U(lane)]
    for k in range(len(z)):
        for lane in range(LANES):
            z[U(k), U(lane)] /= lanes[U(lane)]


@jit_part
def exponential_into(x: Floats, n: Whole, power: Floats) -> None:
    """e^x in place; `n` and `power` are one scratch memory, seen as the bits and as the value of 2ⁿ."""
    for i in range(len(x)):
        y = min(max(x[i], -HALF_RANGE), HALF_RANGE)
        whole = (y * LOG2E + ROUND) - ROUND
        n[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        r = (y - whole * LN2_HIGH) - whole * LN2_LOW
        p = ((((EXP0 * r + EXP1) * r + EXP2) * r + EXP3) * r + EXP4) * r + EXP5
        x[i] = (p * r) * r + r + UNIT
    for i in range(len(x)):
        x[i] *= power[i]
