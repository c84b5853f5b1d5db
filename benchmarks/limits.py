"""What the machine can do at best, on all cores, measured in the same run; and what share of it a figure is."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fooling.kernels.numba.compile import jit
from fooling.kernels.numba.penalties import lagged_sum
from fooling.kernels.numba.philox import U32, U, philox

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

# Operations of one evaluation of problem 2015 (784-100-10, 14 lags).
DENSE_PRODUCT = 2 * 784 * 100  # of the matrix product of the first layer
SIGMOID = 22  # of one sigmoid, the division counted once
REST = 110 * SIGMOID + 2 * 100 * 10  # of the rest of the network
PIXEL = 2 * 100 + 2 * 32 * 6  # of one changed pixel: a row of weights, two windows of 32 neighbours
PIXELS = 1.5  # changed pixels of a changed child after the first generations, about


@jit
def multiply_add(a: np.ndarray, b: np.ndarray, c: np.float32, repeats: int) -> None:
    """Eight times a = a·c + b, of arrays in the nearest cache."""
    for _ in range(repeats):
        for i in range(len(a)):
            x, y = a[i], b[i]
            x = (((x * c + y) * c + y) * c + y) * c + y
            a[i] = (((x * c + y) * c + y) * c + y) * c + y


@jit
def words(n: int, seed: int) -> int:
    """Words of the generator."""
    total = U(0)
    for i in range(n):
        total += U(philox(i, U32(1), 2, U32(3), U(seed))[0])
    return total


@jit
def differences(plane: np.ndarray, repeats: int) -> int:
    """Sums of differences of neighbouring bytes."""
    total = 0
    for k in range(repeats):
        total += lagged_sum(plane, 1 + k % 28, 700)
    return total


def rate(job: Callable[[], Any], amount: float) -> float:
    """Amount per second of a job on every core at once: the best of five."""
    best = np.inf
    with ThreadPoolExecutor(CORES) as pool:
        for _ in range(5):
            start = time.perf_counter()
            list(pool.map(lambda _: job(), range(CORES)))
            best = min(best, time.perf_counter() - start)
    return CORES * amount / best


def machine_limits() -> dict[str, float]:
    """Operations, bytes and words per second."""
    random = np.random.default_rng(0)
    a, b = random.random((512, 784), dtype=np.float32), random.random((784, 100), dtype=np.float32)
    source = np.zeros(1 << 27, dtype=np.uint8)
    plane = random.integers(0, 256, 784, dtype=np.uint8)
    with threadpool_limits(1, user_api="blas"):
        product = rate(lambda: [a @ b for _ in range(50)], 50 * 2 * a.size * b.shape[1])
    ones = [np.ones(2048, dtype=np.float32) for _ in range(2)]
    for warm in (lambda: multiply_add(*ones, np.float32(0.5), 1), lambda: words(8, 1), lambda: differences(plane, 1)):
        warm()
    return {
        "matrix product, float operations": product,
        "vector multiply and add, float operations": rate(
            lambda: multiply_add(ones[0].copy(), ones[1], np.float32(0.5), 20_000), 16 * 2048 * 20_000
        ),
        "differences of bytes": rate(lambda: differences(plane, 200_000), 700 * 200_000),
        "random words": rate(lambda: words(10_000_000, 1), 4e7),
        "memory, bytes copied": rate(lambda: source.copy(), 2 * source.size),
    }


def work(result: dict[str, Any], limits: dict[str, float]) -> dict[str, Any]:
    """The share of a limit that a figure of problem 2015 stands for; nothing for other problems."""
    if result["problem"] != "2015" or result["engine"] != "numba":
        return {}
    if result["scoring"] == "dense":
        used = result["evaluations_per_second"] * DENSE_PRODUCT / limits["matrix product, float operations"]
        return {"limit": "of matrix products", "share": round(used, 4)}
    if result["window"] != "20-200":
        return {}
    used = result["changed_per_second"] * (REST + PIXELS * PIXEL) / limits["vector multiply and add, float operations"]
    return {"limit": "of vector operations", "share": round(used, 4)}
