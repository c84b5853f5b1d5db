"""The built-in network, compiled by numba: same names and results as in `reference.py`."""

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline, jit_part
from fooling.kernels.numba.philox import U
from fooling.kernels.reference.network import EXP, LN2_HIGH, LN2_LOW, LOG2E, ROUND
from fooling.kernels.tables import Bytes, Floats

EXP0, EXP1, EXP2, EXP3, EXP4, EXP5 = EXP
HALF_RANGE, UNIT = np.float32(87.0), np.float32(1.0)
BATCH = 512  # images a product of matrices: their float32 pixels (1.6 MB) stay near the core
LANES = 64  # images whose outputs are computed together: their 100 hidden units (26 kB) fit the nearest cache
STEP = 16  # of them at a time


@jit_part
def sigmoid_into(z: Floats, n: npt.NDArray[np.int32], power: Floats) -> None:
    """1/(1 + e⁻ᶻ) in place; `n` and `power` are one scratch memory, seen as the bits and as the value of 2ⁿ."""
    for i in range(len(z)):
        x = min(max(-z[i], -HALF_RANGE), HALF_RANGE)
        whole = (x * LOG2E + ROUND) - ROUND
        n[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        r = (x - whole * LN2_HIGH) - whole * LN2_LOW
        p = ((((EXP0 * r + EXP1) * r + EXP2) * r + EXP3) * r + EXP4) * r + EXP5
        z[i] = (p * r) * r + r + UNIT
    for i in range(len(z)):
        z[i] = UNIT / (UNIT + z[i] * power[i])


@jit
def network_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """The rest of the sigmoid network: lattice sums [N, M], weights [M, K], bias [K] → scores [N, K].

    Images lie side by side in memory, so that the sums over units, whose order is fixed, are vectors over images: 110 ns an
    image of 100 units and 10 classes, 480 with images one after the other.
    """
    padded = padded_rest(weights)
    hidden, output = np.zeros((len(padded), LANES), dtype=np.float32), np.empty((padded.shape[1], LANES), dtype=np.float32)
    n = np.empty(max(hidden.size, output.size), dtype=np.int32)
    scores = np.empty((len(sums), len(bias)), dtype=np.float32)
    scores_into(scores, sums, scale, padded, bias, hidden, output, n, n.view(np.float32))
    return scores


@jit
def padded_rest(weights: Floats) -> Floats:
    """Weights [M, K] → [a multiple of 4, a multiple of 2], the rest 0."""
    units, classes = weights.shape
    padded = np.zeros((-(-units // 4) * 4, -(-classes // 2) * 2), dtype=np.float32)
    for unit in range(units):
        for k in range(classes):
            padded[unit, k] = weights[unit, k]
    return padded


@jit_part
def scores_into(
    scores: Floats,
    sums: Floats,
    scale: np.float32,
    weights: Floats,
    bias: Floats,
    hidden: Floats,
    output: Floats,
    n: npt.NDArray[np.int32],
    power: Floats,
) -> None:
    """Fills in the scores; the weights are padded, the rest is scratch: hidden [units, lanes], a multiple of STEP lanes."""
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
    """Adds four units' shares, one after the other, of two classes: what is loaded is used twice or four times."""
    a0, a1, a2, a3 = weights[0, 0], weights[1, 0], weights[2, 0], weights[3, 0]
    b0, b1, b2, b3 = weights[0, 1], weights[1, 1], weights[2, 1], weights[3, 1]
    for step in range(0, len(one), STEP):
        for k in range(STEP):
            i = U(step + k)
            h0, h1, h2, h3 = hidden[0, i], hidden[1, i], hidden[2, i], hidden[3, i]
            one[i] = (((one[i] + h0 * a0) + h1 * a1) + h2 * a2) + h3 * a3
            two[i] = (((two[i] + h0 * b0) + h1 * b1) + h2 * b2) + h3 * b3


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the lattice, [N, H, W, C] × [P, M] + [M] → [N, M], by BLAS, a batch at a time."""
    pixels, units = weights.shape
    flat, sums = images.reshape(len(images), pixels), np.empty((len(images), units), dtype=np.float32)
    batch = np.empty((min(BATCH, len(images)), pixels), dtype=np.float32)
    for lo in range(0, len(images), BATCH):
        hi = min(lo + BATCH, len(images))
        np.copyto(batch[: hi - lo], flat[lo:hi])
        np.matmul(batch[: hi - lo], weights, out=sums[lo:hi])
    sums += bias
    return sums
