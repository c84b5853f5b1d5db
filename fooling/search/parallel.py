"""Work on slices of an index range, shared among the threads of this process."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from threadpoolctl import ThreadpoolController

LARGEST_SLICE = 16384  # candidates
SMALLEST_SLICE = 256  # candidates that are worth a thread


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThreadSlices:
    """Threads that take slices of a range in turn; BLAS takes one thread meanwhile."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or cores()
        self.pool = ThreadPoolExecutor(self.threads)
        self.blas = ThreadpoolController()

    def map(self, work: Callable[[int, int], Any], lo: int, hi: int, size: int = 1) -> list[Any]:
        """The results of `work(first, last)` for slices of lo…hi − 1, in order; an index stands for `size` candidates."""
        rounds = -(-(hi - lo) * size // (LARGEST_SLICE * self.threads))  # every thread has the same number of slices
        step = max(-(-SMALLEST_SLICE // size), -(-(hi - lo) // (max(1, rounds) * self.threads)))
        with self.blas.limit(limits=1, user_api="blas"):
            if hi - lo <= step:
                return [work(lo, hi)]
            return list(self.pool.map(lambda at: work(at, min(at + step, hi)), range(lo, hi, step)))
