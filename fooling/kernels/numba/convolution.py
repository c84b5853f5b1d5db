"""Small convolutional networks, compiled by numba: the same names and bits as in `reference.convolution`.

The channels of an output are the lanes of a vector, and a tile of 2×7 outputs stays in registers while the taps are summed:
25,000 images/s on one core for 28×28 pixels and 16 and 32 channels, two thirds of what the core can do.
"""

from typing import NamedTuple

import numpy as np

from fooling.kernels.numba.compile import jit, jit_part
from fooling.kernels.numba.lanes import (
    LANES,
    TILE,
    add_products,
    add_to_row,
    lane,
    larger,
    load,
    load_row,
    store,
    store_all,
    store_larger,
    tile_of,
    zeros,
)
from fooling.kernels.numba.philox import U
from fooling.kernels.reference.convolution import LEVELS, ConvolutionalLayers
from fooling.kernels.tables import Bytes, Floats

BLOCK = 2 * TILE  # images whose dense layers are computed together
FEW = 4  # images up to which each has its own pass over the weights of a dense layer
ZERO = np.float32(0)


class Convolution(NamedTuple):
    """One convolution, ReLU and pooling, of images [height, width, inputs], and where its values lie in an image's memory."""

    height: int
    width: int
    inputs: int
    kernel: int  # k
    outputs: int
    weights: Floats  # [vectors · k·k·inputs · LANES], the outputs in vectors
    bias: Floats  # [vectors · LANES]
    source: int  # the input, padded with black
    line: int  # numbers in one of its rows, of at least TILE places
    maxima: int  # outputs before pooling across, of each vector: the larger of two rows
    row: int  # numbers from one row of them to the next; 0 where only one is kept
    to: int  # the pooled output
    to_line: int  # numbers in one of its rows


class Dense(NamedTuple):
    """One dense layer."""

    inputs: int
    outputs: int
    weights: Floats  # [vectors · inputs · LANES]
    bias: Floats  # [vectors · LANES]


class PackedConvolutions(NamedTuple):
    """A network as the kernels take it, and where an image has its values in their memory, in numbers."""

    levels: Floats  # [256], inputs of the grey levels
    one: Convolution
    two: Convolution
    three: Dense
    four: Dense
    size: (
        int  # of an image's memory: padded image, padded pooled outputs, a row of outputs, maxima, features of the dense layer
    )


def pack(layers: ConvolutionalLayers, shape: tuple[int, int, int]) -> PackedConvolutions:
    """A network of images (H, W, C)."""
    (height, width, colours), side = shape, len(layers.kernels1)
    (_, _, middle, outputs), low = layers.kernels2.shape, (side - 1) // 2
    line1, line2 = (max(width, TILE) + side - 1) * colours, (max(width // 2, TILE) + side - 1) * middle
    pooled = (height + side) * line1
    scratch = pooled + (height // 2 + side) * line2
    maxima = scratch + max(width, TILE) * LANES
    row = max(width // 2, TILE) * LANES
    features = maxima + -(-outputs // LANES) * (height // 4) * row
    one = in_vectors(layers.kernels1.reshape(-1, middle), layers.bias1)
    two = in_vectors(layers.kernels2.reshape(-1, outputs), layers.bias2)
    inside = pooled + low * (line2 + middle)
    return PackedConvolutions(
        LEVELS,
        Convolution(height, width, colours, side, middle, *one, 0, line1, scratch, 0, inside, line2),
        Convolution(
            height // 2, width // 2, middle, side, outputs, *two, pooled, line2, maxima, row, features, width // 4 * outputs
        ),
        Dense(len(layers.weights3), len(layers.bias3), *in_vectors(layers.weights3, layers.bias3, TILE)),
        Dense(len(layers.weights4), len(layers.bias4), *in_vectors(layers.weights4, layers.bias4, TILE)),
        features + len(layers.weights3),
    )


def in_vectors(weights: Floats, bias: Floats, group: int = 1) -> tuple[Floats, Floats]:
    """Weights [taps, outputs] as [vectors · taps · LANES] and bias [vectors · LANES], vectors a multiple of `group`."""
    taps, outputs = weights.shape
    vectors = -(-outputs // (group * LANES)) * group
    wide = np.pad(weights, ((0, 0), (0, vectors * LANES - outputs))).reshape(taps, vectors, LANES)
    return np.ascontiguousarray(wide.transpose(1, 0, 2)).reshape(-1), np.pad(bias, (0, vectors * LANES - outputs))


@jit
def convolutional_logits(images: Bytes, network: PackedConvolutions) -> Floats:
    """Logits [N, K] of images uint8 [N, H, W, C]."""
    n, size, three, four = len(images), network.size, network.three, network.four
    memory = np.zeros(size + (BLOCK if n > FEW else n) * three.inputs, np.float32)
    hidden, rows = np.empty(BLOCK * three.outputs, np.float32), np.empty(BLOCK * LANES, np.float32)
    logits = np.empty(n * four.outputs, np.float32)
    for lo in range(0, n, BLOCK):
        count = min(BLOCK, n - lo)
        for i in range(count):
            fill_activations(memory, 0, size + i * three.inputs, images[lo + i].reshape(-1), network)
        fill_dense(hidden, 0, memory, size, three.inputs, count, three, rows, True)
        fill_dense(logits, lo * four.outputs, hidden, 0, three.outputs, count, four, rows, False)
    return logits.reshape(n, four.outputs)


@jit_part
def fill_activations(memory: Floats, at: int, features: int, image: Bytes, network: PackedConvolutions) -> None:
    """Writes all values of an image [P] to memory[at …], the features of the dense layer to memory[features …]."""
    one, two = network.one, network.two
    low, wide = (one.kernel - 1) // 2, one.width * one.inputs
    for y in range(one.height):
        start = at + (y + low) * one.line + low * one.inputs
        for i in range(wide):
            memory[U(start + i)] = network.levels[image[U(y * wide + i)]]
    convolve(memory, at, at + one.to, one, 0, one.height // 2, 0, one.width // 2 * 2)
    convolve(memory, at, features, two, 0, two.height // 2, 0, two.width // 2 * 2)


@jit_part
def convolve(memory: Floats, image: int, to: int, layer: Convolution, top: int, bottom: int, left: int, right: int) -> None:
    """Columns left…right − 1 of rows 2·top…2·bottom − 1 of a convolution, and what is pooled of them.

    The values of the image begin at memory[image], the pooled ones at memory[to].
    """
    low, run, none = (layer.kernel - 1) // 2, layer.kernel * layer.inputs, zeros()
    for vector in range(-(-layer.outputs // LANES)):
        start, count = load(layer.bias, vector * LANES), min(LANES, layer.outputs - vector * LANES)
        for pair in range(top, bottom):
            kept = image + layer.maxima + (vector * (layer.height // 2) + pair) * layer.row
            first, last = max(0, low - 2 * pair - 1), min(layer.kernel, layer.height + low - 2 * pair)  # others see black
            for column in range(left, right, TILE):
                x = max(0, min(column, layer.width - TILE))
                tile, here = tile_of(start), image + layer.source + 2 * pair * layer.line + x * layer.inputs
                for down in range(first, last):
                    at, weight = here + down * layer.line, (vector * layer.kernel + down) * run * LANES
                    for tap in range(run):
                        weights = load(layer.weights, weight + tap * LANES)
                        tile = add_products(tile, memory, at + tap, at + tap + layer.line, layer.inputs, weights)
                store_larger(tile, memory, kept + x * LANES)
            for x in range(left // 2, min((right + 1) // 2, layer.width // 2)):
                best = larger(load(memory, kept + 2 * x * LANES), load(memory, kept + (2 * x + 1) * LANES))
                place, best = to + pair * layer.to_line + x * layer.outputs + vector * LANES, larger(best, none)
                if count == LANES:
                    store(best, memory, place)
                else:
                    for i in range(count):
                        memory[U(place + i)] = lane(best, i)


@jit_part
def fill_dense(sums: Floats, to: int, x: Floats, at: int, step: int, n: int, layer: Dense, rows: Floats, relu: bool) -> None:
    """bias + x·weights of n ≤ BLOCK images → sums[to …], n·outputs numbers; with `relu` 0 where they are not above it.

    The inputs begin at x[at + i·step]; x goes on for BLOCK images where there are more than FEW. `rows` is workspace.
    """
    inputs, outputs, last = layer.inputs, layer.outputs, to + n * layer.outputs
    vectors, pass_step = -(-outputs // LANES), layer.inputs * LANES
    if n <= FEW:
        for i in range(n):
            for vector in range(0, vectors, TILE):
                row = load_row(layer.bias, vector * LANES, LANES)
                for tap in range(inputs):
                    row = add_to_row(row, x[U(at + i * step + tap)], layer.weights, vector * pass_step + tap * LANES, pass_step)
                store_all(row, rows, 0)
                for k in range(min(TILE * LANES, outputs - vector * LANES)):
                    sums[U(to + i * outputs + vector * LANES + k)] = rows[U(k)]
    else:
        for vector in range(vectors):
            tile = tile_of(load(layer.bias, vector * LANES))
            for tap in range(inputs):
                weights = load(layer.weights, vector * pass_step + tap * LANES)
                tile = add_products(tile, x, at + tap, at + TILE * step + tap, step, weights)
            store_all(tile, rows, 0)
            for i in range(n):
                for k in range(min(LANES, outputs - vector * LANES)):
                    sums[U(to + i * outputs + vector * LANES + k)] = rows[U(i * LANES + k)]
    if relu:
        for i in range(to, last):
            sums[U(i)] = sums[U(i)] if sums[U(i)] > ZERO else ZERO
