"""Philox4x32-10 random words, compiled by numba, and the draws of `tables`, one at a time."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.numba.compile import jit, jit_inline
from fooling.kernels.tables import GUIDE, LOG_ONE, RATE_ONE, log2_table

Words = npt.NDArray[np.uint64]
Whole = int | np.integer[Any]  # of any width
Drawn = npt.NDArray[np.uint32]
U = np.uint64
U32 = np.uint32
LOW, SHIFT, ONE = U(0xFFFFFFFF), U(32), U(1)
LOG24, LOG32 = U(24 * LOG_ONE), U(32 * LOG_ONE)
GUIDE_SHIFT = U32(32 - (GUIDE.bit_length() - 1))
LOG_TABLE = log2_table()


@jit_inline
def philox(block: Whole, child: U32, generation: Whole, run: Whole, seed: U) -> tuple[U32, U32, U32, U32]:
    """Philox4x32-10 (Salmon et al. 2011), see `reference.operators.philox`; `child` holds the purpose in its upper four bits.

    All in 32 bits except the products, so that loops over blocks or children are vectorised (14 → 1.2 ns a call).
    """
    c0, c1, c2, c3 = U32(block), U32(child), U32(generation), U32(run)
    key0, key1 = U32(seed & LOW), U32(seed >> SHIFT)
    for _ in range(10):
        p0, p1 = U(0xD2511F53) * U(c0), U(0xCD9E8D57) * U(c2)
        c0, c1 = U32(U32(p1 >> SHIFT) ^ c1 ^ key0), U32(p1 & LOW)
        c2, c3 = U32(U32(p0 >> SHIFT) ^ c3 ^ key1), U32(p0 & LOW)
        key0, key1 = U32((U(key0) + U(0x9E3779B9)) & LOW), U32((U(key1) + U(0xBB67AE85)) & LOW)
    return c0, c1, c2, c3


@jit
def first_words(purpose: U32, children: Drawn, generation: int, runs: Drawn, seed: U) -> Drawn:
    """The four words of block 0 of each child [n] of each run [n], uint32 [4, n]."""
    words = np.empty((4, len(children)), dtype=np.uint32)
    for q in range(len(children)):
        child = U32(purpose + children[q])
        words[0, q], words[1, q], words[2, q], words[3, q] = philox(0, child, generation, runs[q], seed)
    return words


@jit
def log2_fixed(x: U) -> U:
    """See `tables.log2_fixed`."""
    exponent = U(0)
    for step in (U(16), U(8), U(4), U(2), U(1)):
        if x >> (exponent + step):
            exponent += step
    if x >> SHIFT:
        exponent = SHIFT
    mantissa = (x << (SHIFT - exponent)) - (ONE << SHIFT)
    node, rest = np.int64(mantissa >> U(22)), mantissa & U(0x3FFFFF)
    low, high = LOG_TABLE[node], LOG_TABLE[node + 1]
    log: U = exponent * U(LOG_ONE) + low + (((high - low) * rest) >> U(22))
    return log


@jit
def geometric_skip(word: U32, survival: U) -> np.int64:
    """Pixels to pass over before the next event, see `tables.geometric_skip`."""
    return np.int64((LOG32 - log2_fixed(U(word) + ONE)) // survival)


@jit
def log_survivals(thresholds: npt.NDArray[np.uint32]) -> Words:
    """`tables.log_survival` of each threshold, [R] → [R]."""
    survivals = np.empty(len(thresholds), dtype=np.uint64)
    for r in range(len(thresholds)):
        survivals[r] = LOG24 - log2_fixed(U(RATE_ONE) - U(thresholds[r]))
    return survivals


@jit
def level_of(word: U32, table: Words, guide: npt.NDArray[np.uint8]) -> Whole:
    """How many of the first 255 cumulative shares are ≤ word: the grey level that it draws.

    The guide brackets the level by the word's upper bits. Mostly one is left: no branch to mispredict (9 → 2 µs an image).
    """
    bucket = np.int64(word >> GUIDE_SHIFT)
    low, high = np.int64(guide[bucket]), np.int64(guide[bucket + 1])
    while low < high:
        middle = (low + high) >> 1
        if table[middle] <= word:
            low = middle + 1
        else:
            high = middle
    return low
