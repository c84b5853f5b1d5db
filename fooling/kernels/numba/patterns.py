"""Compositional pattern-producing networks (Stanley 2007), compiled by numba: grey levels of pixels from their coordinates.

Additions and multiplications in a fixed order, so an image has the same bits beside any other and on every machine. Pixels lie
side by side in memory, so that every step is a vector over them. Absent connections, and nodes that lead to no output, cost
nothing: an image of 224×224×3 from 8 hidden nodes takes 0.7 ms.
"""

import numpy as np

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.network import Bits, exponential_into, sigmoid_into
from fooling.kernels.reference.network import ROUND
from fooling.kernels.tables import Bytes, Flags, Floats, Ints

INPUTS = 4  # x, y, distance from the centre, 1
SINE, SIGMOID, GAUSSIAN, LINEAR = range(4)
LANES = 256  # pixels at a time
LIMIT = np.float32(1000.0)  # of sums, so that nothing overflows
SLOPE = np.float32(0.25)  # of linear nodes, whose outputs are then about as large as those of others
ZERO, HALF, UNIT, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
WHITE = np.float32(255)
PER_PI, PI_HIGH, PI_LOW = np.float32(1 / np.pi), np.float32(3.140625), np.float32(np.pi - 3.140625)
SIN3, SIN5, SIN7, SIN9 = (np.float32(c) for c in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362880))


@jit
def pattern_levels(down: Floats, across: Floats, weights: Floats, activations: Ints, added: Floats) -> Bytes:
    """Images uint8 [N, H, W, C] at the coordinates `down` [H] and `across` [W] of the pixels' centres.

    `weights` [N, M + C, INPUTS + M] are those of M hidden nodes, then of C outputs, from the inputs and the nodes before;
    0: no connection. `activations` [N, M]: SINE … LINEAR. `added` [N, C, H·W] is added to the outputs; without images to none.
    An output becomes a level by the logistic function.
    """
    number, hidden = activations.shape
    channels, width = weights.shape[1] - hidden, len(across)
    pixels = len(down) * width
    levels = np.empty((number, pixels, channels), dtype=np.uint8)
    values = np.zeros((INPUTS + hidden + 1, LANES), dtype=np.float32)
    values[INPUTS - 1] = UNIT
    bits = np.empty(LANES, dtype=np.int32)
    power, used = bits.view(np.float32), np.zeros((number, hidden), dtype=np.bool_)
    for image in range(number):
        mark_used(used[image], weights[image])
    for first in range(0, pixels, LANES):
        size = min(LANES, pixels - first)
        place_inputs(values, down, across, first, size)
        for image in range(number):
            for node in range(hidden):
                if used[image, node]:
                    z = values[INPUTS + node]
                    add_inputs(z, values, weights[image, node], INPUTS + node)
                    activate(z, activations[image, node], bits, power)
            for channel in range(channels):
                z = values[INPUTS + hidden]
                add_inputs(z, values, weights[image, hidden + channel], INPUTS + hidden)
                if len(added):
                    for lane in range(size):
                        z[lane] += added[image, channel, first + lane]
                sigmoid_into(z, bits, power)
                for lane in range(size):
                    levels[image, first + lane, channel] = np.uint8(z[lane] * WHITE + HALF)
    return levels.reshape(number, len(down), width, channels)


@jit_part
def mark_used(used: Flags, weights: Floats) -> None:
    """Marks the hidden nodes that lead to an output; `used` [M] is false before."""
    hidden = len(used)
    for node in range(len(weights) - 1, -1, -1):
        if node >= hidden or used[node]:
            for source in range(min(node, hidden)):
                used[source] |= weights[node, INPUTS + source] != ZERO


@jit_part
def place_inputs(values: Floats, down: Floats, across: Floats, first: int, size: int) -> None:
    """Fills in x, y and the distance from the centre of the pixels from `first` on."""
    row, column = first // len(across), first % len(across)
    for lane in range(size):
        values[0, lane], values[1, lane] = across[column], down[row]
        column += 1
        if column == len(across):
            row, column = row + 1, 0
    x, y, r = values[0], values[1], values[2]
    for lane in range(len(x)):
        r[lane] = np.sqrt(x[lane] * x[lane] + y[lane] * y[lane])


@jit_part
def add_inputs(z: Floats, values: Floats, weights: Floats, number: int) -> None:
    """z = the weighted sum of the first `number` rows of `values`, at most ±LIMIT; four rows for each load of z."""
    z[:] = ZERO
    for source in range(0, number - 3, 4):
        a, b, c, d = weights[source], weights[source + 1], weights[source + 2], weights[source + 3]
        if a != ZERO or b != ZERO or c != ZERO or d != ZERO:
            one, two, three, four = values[source], values[source + 1], values[source + 2], values[source + 3]
            for lane in range(len(z)):
                z[lane] = (((z[lane] + a * one[lane]) + b * two[lane]) + c * three[lane]) + d * four[lane]
    for source in range(number // 4 * 4, number):
        weight = weights[source]
        if weight != ZERO:
            row = values[source]
            for lane in range(len(z)):
                z[lane] += weight * row[lane]
    for lane in range(len(z)):
        z[lane] = min(max(z[lane], -LIMIT), LIMIT)


@jit_part
def activate(z: Floats, activation: int, bits: Bits, power: Floats) -> None:
    """The output of a hidden node in place: within ±1, unless linear."""
    if activation == SINE:
        sine_into(z)
    elif activation == SIGMOID:
        for lane in range(len(z)):
            z[lane] *= TWO
        sigmoid_into(z, bits, power)
        for lane in range(len(z)):
            z[lane] = z[lane] * TWO - UNIT
    elif activation == GAUSSIAN:
        for lane in range(len(z)):
            z[lane] *= -z[lane]
        exponential_into(z, bits, power)
        for lane in range(len(z)):
            z[lane] = z[lane] * TWO - UNIT
    else:
        for lane in range(len(z)):
            z[lane] *= SLOPE


@jit_part
def sine_into(z: Floats) -> None:
    """sin z in place, within 5e-6 for z within ±LIMIT: Taylor's series about the nearest multiple of π."""
    for lane in range(len(z)):
        n = (z[lane] * PER_PI + ROUND) - ROUND
        r = (z[lane] - n * PI_HIGH) - n * PI_LOW
        odd = n - TWO * ((n * HALF + ROUND) - ROUND)  # −1, 0 or 1
        s = r * r
        p = (((SIN9 * s + SIN7) * s + SIN5) * s + SIN3) * s
        z[lane] = (p * r + r) * (UNIT - TWO * odd * odd)
