"""Random words, compiled by numba: the generator of `reference.py` and the draws of `tables.py`, one at a time."""

import numpy as np
import numpy.typing as npt

from fooling.kernels.jit import jit
from fooling.kernels.tables import LOG_ONE, log2_table

Words = npt.NDArray[np.uint64]

U = np.uint64
LOW, SHIFT, ONE = U(0xFFFFFFFF), U(32), U(1)
LOG32 = U(32 * LOG_ONE)
LOG_TABLE = log2_table()


@jit
def philox(block: U, child: U, generation: U, run: U, seed: U) -> tuple[U, U, U, U]:
    """Philox4x32-10; `child` already holds the purpose in its upper four bits."""
    c0, c1, c2, c3 = block, child, generation, run
    key0, key1 = seed & LOW, seed >> SHIFT
    for _ in range(10):
        p0, p1 = U(0xD2511F53) * c0, U(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> SHIFT) ^ c1 ^ key0, p1 & LOW, (p0 >> SHIFT) ^ c3 ^ key1, p0 & LOW
        key0, key1 = (key0 + U(0x9E3779B9)) & LOW, (key1 + U(0xBB67AE85)) & LOW
    return c0, c1, c2, c3


@jit
def gap(word: U, divisor: U) -> np.int64:
    """Pixels to pass over before the next event, see `tables.gap`; capped, since no image is larger."""
    x = word + ONE
    exponent = U(0)
    for step in (U(16), U(8), U(4), U(2), U(1)):
        if x >> (exponent + step):
            exponent += step
    if x >> SHIFT:
        exponent = SHIFT
    mantissa = (x << (SHIFT - exponent)) - (ONE << SHIFT)
    node, rest = np.int64(mantissa >> U(22)), mantissa & U(0x3FFFFF)
    low, high = LOG_TABLE[node], LOG_TABLE[node + 1]
    log = exponent * U(LOG_ONE) + low + (((high - low) * rest) >> U(22))
    return np.int64((LOG32 - log) // divisor)


@jit
def level_of(word: U, table: Words) -> int:
    """How many of the first 255 cumulative shares are ≤ word: the grey level that it draws."""
    low, size = 0, 255
    while size > 0:
        half = size >> 1
        if table[low + half] <= word:
            low += half + 1
            size -= half + 1
        else:
            size = half
    return low
