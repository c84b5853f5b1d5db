"""Philox4x32-10 and geometric skips in JAX, in 32-bit integers: JAX has none of 64 bits by default.

A 64-bit number is a pair of uint32 (high, low). Results equal `reference.operators.philox` and `tables.geometric_skip`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fooling.kernels.tables import LOG_ONE, PURPOSES, log2_table

Array = Any  # a jax.Array, also while it is traced
Pair = tuple[Array, Array]  # high and low 32 bits
FAR = 1 << 20  # skips are exact up to this: the largest number of pixels of an image
ONE = LOG_ONE >> 32  # high word of a logarithm of 1


def u32(value: Any) -> Array:
    """As uint32."""
    return jnp.asarray(value).astype(jnp.uint32)


def multiply(a: Array, b: Array) -> Pair:
    """32 × 32 → 64 bits, from products of 16-bit halves."""
    half, low = np.uint32(16), np.uint32(0xFFFF)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    cross = a1 * b0 + (a0 * b0 >> half)  # < 2³²
    middle = a0 * b1 + (cross & low)  # < 2³²
    return a1 * b1 + (cross >> half) + (middle >> half), a * b


def subtract(a: Pair, b: Pair) -> Pair:
    """a − b, modulo 2⁶⁴."""
    return a[0] - b[0] - u32(a[1] < b[1]), a[1] - b[1]


def less(a: Pair, b: Pair) -> Array:
    """a < b."""
    return (a[0] < b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))


def philox(block: Any, child: Any, generation: Any, run: Any, seed: int, purpose: str) -> Array:
    """Four random words of 32 bits, uint32 [..., 4], at an address; see `reference.operators.philox`. The arguments broadcast.

    The ten rounds are a loop of two times five, so that XLA does not fuse them into the consumers and redraw a word
    for each of its bits: for 1000 children of 784 pixels 1 ms on a CPU instead of 36.
    """
    child = u32(child) + np.uint32(PURPOSES[purpose] << 28)
    words = jnp.broadcast_arrays(*(u32(word) for word in (block, child, generation, run)))
    keys = jnp.uint32(seed & 0xFFFFFFFF), jnp.uint32(seed >> 32)
    c0, c1, c2, c3, *_ = jax.lax.fori_loop(0, 2, lambda _, state: five_rounds(*state), (*words, *keys))
    return jnp.stack([c0, c1, c2, c3], axis=-1)


def five_rounds(c0: Array, c1: Array, c2: Array, c3: Array, key0: Array, key1: Array) -> tuple[Array, ...]:
    """Half of Philox4x32-10: four words and two of the key."""
    for _ in range(5):
        high0, low0 = multiply(np.uint32(0xD2511F53), c0)
        high1, low1 = multiply(np.uint32(0xCD9E8D57), c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0, key1 = key0 + np.uint32(0x9E3779B9), key1 + np.uint32(0xBB67AE85)
    return c0, c1, c2, c3, key0, key1


def draw(words: Array, sides: int) -> Array:
    """word·sides ÷ 2³², one of 0…sides − 1: uint32 → int32."""
    return multiply(words, np.uint32(sides))[0].astype(jnp.int32)


def log2_fixed(x: Array) -> Pair:
    """log₂ x of integers 1 ≤ x < 2³², in units of 2⁻⁴⁰; see `tables.log2_fixed`."""
    exponent = np.uint32(31) - jax.lax.clz(x)
    mantissa = x << (np.uint32(31) - exponent) << np.uint32(1)  # without its leading 1
    node, rest = (mantissa >> np.uint32(22)).astype(jnp.int32), mantissa & np.uint32((1 << 22) - 1)
    table, steps = log2_table(), np.diff(log2_table())
    high, low = u32((table >> np.uint64(32)).astype(np.uint32)), u32((table & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    up, down = multiply(u32(steps.astype(np.uint32))[node], rest)  # steps are < 2³¹
    total = low[node] + ((up << np.uint32(10)) | (down >> np.uint32(22)))
    return exponent * np.uint32(ONE) + high[node] + u32(total < low[node]), total


def log_survival(threshold: Array) -> Pair:
    """−log₂(1 − threshold/2²⁴) in units of 2⁻⁴⁰, of thresholds < 2²⁴; see `tables.log_survival`."""
    return subtract((np.uint32(24 * ONE), np.uint32(0)), log2_fixed(np.uint32(1 << 24) - u32(threshold)))


def geometric_skip(words: Array, survival: Pair) -> Array:
    """Pixels to skip before the next event, int32, at most FAR; FAR where `survival` is 0. See `tables.geometric_skip`.

    The quotient of floats is off by at most one; products of integers correct it.
    """
    last = words == np.uint32(0xFFFFFFFF)  # its logarithm is 32, of the others less
    high, low = log2_fixed(jnp.where(last, words, words + np.uint32(1)))
    high, low = subtract((np.uint32(32 * ONE), np.uint32(0)), (high, low))
    fraction = (jnp.where(last, np.uint32(0), high), jnp.where(last, np.uint32(0), low))
    never = (survival[0] == 0) & (survival[1] == 0)
    quotient = u32(jnp.minimum(jnp.floor(as_float(fraction) / jnp.maximum(as_float(survival), 1.0)), np.float32(FAR)))
    up, down = multiply(quotient, survival[1])
    product = (quotient * survival[0] + up, down)
    over = less(fraction, product)
    under = ~over & ~less(subtract(fraction, product), survival)
    skip = (quotient - u32(over) + u32(under)).astype(jnp.int32)
    return jnp.where(never, FAR, jnp.minimum(skip, FAR))


def as_float(pair: Pair) -> Array:
    """The number rounded to float32."""
    return pair[0].astype(jnp.float32) * np.float32(2.0**32) + pair[1].astype(jnp.float32)
