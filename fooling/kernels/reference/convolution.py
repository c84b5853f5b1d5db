"""Small convolutional networks, the definition in NumPy: every sum in one order, every product and sum rounded once.

Two convolutions, each with ReLU and 2×2 max pooling, a dense layer with ReLU, a dense layer. An output is its bias, then a
fused multiply-add (IEEE 754) for each tap: row by row of the kernel, column by column, channel by channel. So it depends
neither on the batch, nor on the threads, nor on the machine, nor on whether only what a changed pixel changes is computed.
"""

from typing import NamedTuple

import numpy as np

from fooling.kernels.tables import Bytes, Doubles, Floats

LEVELS: Floats = np.arange(256, dtype=np.float32) / np.float32(255)  # of grey levels, as inputs


class ConvolutionalLayers(NamedTuple):
    """The tensors of a network."""

    kernels1: Floats  # [k, k, C, channels]
    bias1: Floats  # [channels]
    kernels2: Floats  # [k, k, channels, channels 2]
    bias2: Floats  # [channels 2]
    weights3: Floats  # [H/4·W/4·channels 2, M], of pooled cells row by row, their channels side by side
    bias3: Floats  # [M]
    weights4: Floats  # [M, K]
    bias4: Floats  # [K]


def convolutional_logits(images: Bytes, layers: ConvolutionalLayers) -> Floats:
    """Logits [N, K] of images uint8 [N, H, W, C]."""
    x = convolve(convolve(LEVELS[images], layers.kernels1, layers.bias1), layers.kernels2, layers.bias2)
    hidden = dense(x.reshape(len(images), len(layers.weights3)), layers.weights3, layers.bias3)
    return dense(larger(hidden, np.float32(0)), layers.weights4, layers.bias4)


def dense(x: Floats, weights: Floats, bias: Floats) -> Floats:
    """bias + x·weights, [N, in] × [in, out] + [out] → [N, out]."""
    sums = np.broadcast_to(bias, (len(x), len(bias))).astype(np.float32)
    for values, row in zip(x.T, weights, strict=True):
        sums = multiply_add(values[:, None], row, sums)
    return sums


def convolve(x: Floats, kernels: Floats, bias: Floats) -> Floats:
    """Convolution of [N, H, W, in] with [k, k, in, out], padded with black, ReLU, 2×2 max pooling → [N, H/2, W/2, out]."""
    side, inputs, (n, height, width) = len(kernels), kernels.shape[2], x.shape[:3]
    low, high = (side - 1) // 2, side // 2
    wide = np.pad(x, ((0, 0), (low, high), (low, high), (0, 0)))
    sums = np.broadcast_to(bias, (n, height, width, len(bias))).astype(np.float32)
    for down, right, channel in np.ndindex(side, side, inputs):
        values = wide[:, down : down + height, right : right + width, channel]
        sums = multiply_add(values[..., None], kernels[down, right, channel], sums)
    rows = larger(sums[:, : height // 2 * 2 : 2], sums[:, 1::2])
    return larger(larger(rows[:, :, : width // 2 * 2 : 2], rows[:, :, 1::2]), np.float32(0))


def larger(one: Floats, two: Floats | np.float32) -> Floats:
    """The first where it is larger, else the second."""
    return np.where(one > two, one, two)


def multiply_add(one: Floats, two: Floats, to: Floats) -> Floats:
    """one·two + to of float32, rounded once.

    The product is exact in float64. The sum is rounded there to an odd last bit wherever it is not exact, after which rounding
    to float32 is right (Boldo and Melquiond 2008, "Emulation of FMA and Correctly Rounded Sums").
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the search refuses scores that are not finite
        product: Doubles = one.astype(np.float64) * two
        total = product + to
        part = total - product
        error = (product - (total - part)) + (to - part)  # exact (Knuth 1969, two-sum)
        even = total.view(np.int64) % 2 == 0
        odd = np.where((error != 0) & even, np.nextafter(total, np.where(error > 0, np.inf, -np.inf)), total)
        return odd.astype(np.float32)
