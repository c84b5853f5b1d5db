"""Dense networks, compiled by numba: the same names and bits as in `reference.network`.

Images lie side by side in memory, so that the sums over units, whose order is fixed, are vectors over images: 110 ns an image
of 100 units and 10 classes, 480 with images one after the other.
"""

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.philox import U
from fooling.kernels.reference.network import EXP, LN2_HIGH, LN2_LOW, LOG2E, ROUND, Layers
from fooling.kernels.tables import Bytes, Floats, Ints

EXP0, EXP1, EXP2, EXP3, EXP4, EXP5 = EXP
HALF_RANGE, UNIT = np.float32(87.0), np.float32(1.0)
ZERO, INFINITY = np.float32(0.0), np.float32(np.inf)
BATCH = 512  # images of one matrix product: their float32 pixels (1.6 MB) stay near the core
LANES = 64  # images whose outputs are computed together: their 100 hidden units (26 kB) fit the nearest cache
STEP = 16  # of them at a time
Bits = npt.NDArray[np.int32]


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the grid, [N, H, W, C] × [P, M] + [M] → [N, M], by BLAS, a batch at a time."""
    pixels, units = weights.shape
    flat, sums = images.reshape(len(images), pixels), np.empty((len(images), units), dtype=np.float32)
    batch = np.empty((min(BATCH, len(images)), pixels), dtype=np.float32)
    for lo in range(0, len(images), BATCH):
        hi = min(lo + BATCH, len(images))
        np.copyto(batch[: hi - lo], flat[lo:hi])
        np.matmul(batch[: hi - lo], weights, out=sums[lo:hi])
    sums += bias
    return sums


def dense_scores(sums: Floats, scale: np.float32, layers: Layers, relu: bool, softmax_output: bool) -> Floats:
    """Scores [N, K] of first-layer sums [N, M]; see `reference.dense_scores`.

    One hidden layer of sigmoid units and sigmoid outputs, as of mnist_mlp, has a kernel without the packing of layers, which
    takes 6 of 31 µs for 100 images.
    """
    if len(layers) == 1 and not relu and not softmax_output:
        return sigmoid_scores(sums, scale, *layers[0])
    return packed_scores(sums, scale, *packed(sums.shape[1], layers), relu, softmax_output)


@jit
def sigmoid_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """Scores [N, K] of one hidden layer of sigmoid units and sigmoid outputs: weights [M, K], bias [K]."""
    padded = padded_layer(weights)
    hidden, output = np.zeros((len(padded), LANES), dtype=np.float32), np.empty((padded.shape[1], LANES), dtype=np.float32)
    n = np.empty(max(hidden.size, output.size), dtype=np.int32)
    scores = np.empty((len(sums), len(bias)), dtype=np.float32)
    sigmoid_scores_into(scores, sums, scale, padded, bias, hidden, output, n, n.view(np.float32))
    return scores


def packed(inputs: int, layers: Layers) -> tuple[Floats, Floats, Ints]:
    """All weights, padded, in one array, all biases in another, and the units of each layer: one compilation for any depth."""
    sizes = np.array([inputs, *(len(bias) for _, bias in layers)], dtype=np.int64)
    none = [np.empty(0, dtype=np.float32)]
    weights = np.concatenate(none + [padded_layer(np.ascontiguousarray(weights)).ravel() for weights, _ in layers])
    return weights, np.concatenate(none + [bias for _, bias in layers]), sizes


@jit
def packed_scores(
    sums: Floats, scale: np.float32, weights: Floats, bias: Floats, sizes: Ints, relu: bool, softmax_output: bool
) -> Floats:
    """Scores [N, K] of layers that `packed` has packed."""
    widest = (sizes.max() + 3) // 4 * 4
    one, other = np.zeros((widest, LANES), dtype=np.float32), np.zeros((widest, LANES), dtype=np.float32)
    n = np.empty(one.size, dtype=np.int32)
    scores = np.empty((len(sums), sizes[-1]), dtype=np.float32)
    for lo in range(0, len(sums), LANES):
        hi = min(lo + LANES, len(sums))
        fill_scores(
            scores[lo:hi], sums[lo:hi], scale, weights, bias, sizes, relu, softmax_output, one, other, n, n.view(np.float32)
        )
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
    softmax_output: bool,
    one: Floats,
    other: Floats,
    n: Bits,
    power: Floats,
) -> None:
    """Fills in the scores of images, at most as many as `one` has lanes; without images nothing is computed.

    `one` and `other` [the widest layer padded, lanes], lanes a multiple of STEP, and what follows are workspace.
    """
    if not len(sums):
        return
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
    if softmax_output:
        softmax_into(one[: len(scores[0])], other[0], n, power)
    else:
        sigmoid_into(one[: len(scores[0])].reshape(-1), n, power)
    for lane in range(len(scores)):
        for k in range(len(scores[0])):
            scores[lane, k] = one[k, lane]


@jit
def padded_layer(weights: Floats) -> Floats:
    """Weights [M, K] → [a multiple of 4, a multiple of 2], the rest 0."""
    units, classes = weights.shape
    padded = np.zeros((-(-units // 4) * 4, -(-classes // 2) * 2), dtype=np.float32)
    for unit in range(units):
        for k in range(classes):
            padded[unit, k] = weights[unit, k]
    return padded


@jit_part
def sigmoid_scores_into(
    scores: Floats,
    sums: Floats,
    scale: np.float32,
    weights: Floats,
    bias: Floats,
    hidden: Floats,
    output: Floats,
    n: Bits,
    power: Floats,
) -> None:
    """Fills in `sigmoid_scores`; weights are padded, the rest is workspace: hidden [units, lanes], lanes a multiple of STEP."""
    units, classes, lanes = sums.shape[1], len(bias), hidden.shape[1]
    for lo in range(0, len(sums), lanes):
        size = min(lanes, len(sums) - lo)
        for lane in range(size):
            for unit in range(units):
                hidden[unit, lane] = sums[lo + lane, unit] * scale
        sigmoid_into(hidden.reshape(-1), n, power)
        for k in range(0, len(output), 2):
            output[k], output[k + 1] = bias[k], bias[min(k + 1, classes - 1)]
            for unit in range(0, len(hidden), 4):
                add_four(output[k], output[k + 1], hidden[unit : unit + 4], weights[unit : unit + 4, k : k + 2])
        sigmoid_into(output.reshape(-1), n, power)
        for lane in range(size):
            for k in range(classes):
                scores[lo + lane, k] = output[k, lane]


@jit_inline
def add_four(one: Floats, two: Floats, hidden: Floats, weights: Floats) -> None:
    """Adds the contributions of four units, one after the other, to two classes: each load is used twice or four times."""
    a0, a1, a2, a3 = weights[0, 0], weights[1, 0], weights[2, 0], weights[3, 0]
    b0, b1, b2, b3 = weights[0, 1], weights[1, 1], weights[2, 1], weights[3, 1]
    for step in range(0, len(one), STEP):
        for k in range(STEP):
            i = U(step + k)
            h0, h1, h2, h3 = hidden[0, i], hidden[1, i], hidden[2, i], hidden[3, i]
            one[i] = (((one[i] + h0 * a0) + h1 * a1) + h2 * a2) + h3 * a3
            two[i] = (((two[i] + h0 * b0) + h1 * b1) + h2 * b2) + h3 * b3


@jit_part
def sigmoid_into(z: Floats, n: Bits, power: Floats) -> None:
    """1/(1 + e⁻ᶻ) in place; `n` and `power` are one workspace, seen as the bits and as the value of 2ⁿ."""
    for i in range(len(z)):
        x = min(max(-z[i], -HALF_RANGE), HALF_RANGE)
        whole = (x * LOG2E + ROUND) - ROUND
        n[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        r = (x - whole * LN2_HIGH) - whole * LN2_LOW
        p = ((((EXP0 * r + EXP1) * r + EXP2) * r + EXP3) * r + EXP4) * r + EXP5
        z[i] = (p * r) * r + r + UNIT
    for i in range(len(z)):
        z[i] = UNIT / (UNIT + z[i] * power[i])


@jit_part
def activate(units: Floats, inputs: int, rows: int, relu: bool, n: Bits, power: Floats) -> None:
    """Inputs of units [·, lanes] → their outputs, in place; rows that only pad become 0."""
    if relu:
        z = units[:inputs].reshape(-1)
        for i in range(len(z)):
            z[i] = max(z[i], ZERO)
    else:
        sigmoid_into(units[:inputs].reshape(-1), n, power)
    for unit in range(inputs, rows):
        units[unit] = ZERO


@jit_part
def next_layer(output: Floats, hidden: Floats, weights: Floats, bias: Floats) -> None:
    """bias + hidden·weights into `output` [·, lanes], unit by unit; weights are padded, [rows, columns]."""
    rows, columns = weights.shape
    for k in range(0, columns, 2):
        output[k], output[k + 1] = bias[k], bias[min(k + 1, len(bias) - 1)]
        for unit in range(0, rows, 4):
            add_four(output[k], output[k + 1], hidden[unit : unit + 4], weights[unit : unit + 4, k : k + 2])


@jit_part
def softmax_into(z: Floats, lanes: Floats, n: Bits, power: Floats) -> None:
    """The softmax over the classes of z [K, lanes], in place; `lanes` is room for the largest of each, then for the sums."""
    lanes[:] = -INFINITY
    for k in range(len(z)):
        for lane in range(len(lanes)):
            lanes[U(lane)] = max(lanes[U(lane)], z[U(k), U(lane)])
    for k in range(len(z)):
        for lane in range(len(lanes)):
            z[U(k), U(lane)] -= lanes[U(lane)]
    exponential_into(z.reshape(-1), n, power)
    lanes[:] = ZERO
    for k in range(len(z)):
        for lane in range(len(lanes)):
            lanes[U(lane)] += z[U(k), U(lane)]
    for k in range(len(z)):
        for lane in range(len(lanes)):
            z[U(k), U(lane)] /= lanes[U(lane)]


@jit_part
def exponential_into(x: Floats, n: Bits, power: Floats) -> None:
    """e^x in place; `n` and `power` are one workspace, seen as the bits and as the value of 2ⁿ."""
    for i in range(len(x)):
        y = min(max(x[i], -HALF_RANGE), HALF_RANGE)
        whole = (y * LOG2E + ROUND) - ROUND
        n[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        r = (y - whole * LN2_HIGH) - whole * LN2_LOW
        p = ((((EXP0 * r + EXP1) * r + EXP2) * r + EXP3) * r + EXP4) * r + EXP5
        x[i] = (p * r) * r + r + UNIT
    for i in range(len(x)):
        x[i] *= power[i]
