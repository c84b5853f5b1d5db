"""Compilation of the kernels by numba, cached in a folder that is named by a hash of their sources.

numba's own cache does not notice edits in other files; a folder per state of the sources does, also across upgrades and
with a read-only installation. What is in the cache is run, so nobody else may be able to put anything there.
"""

import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numba
from numba.core.event import Event, Listener, register
from threadpoolctl import ThreadpoolController

Function = TypeVar("Function", bound=Callable[..., Any])


PRIVATE = 0o700  # the mode of the cache's folders


@lru_cache(maxsize=1)
def cache_folder() -> str:
    """Where compiled kernels are kept; made if missing. NUMBA_CACHE_DIR wins over the user's cache folder.

    '' where no folder can be written, and where others could write to it: kernels are then compiled anew, which is logged.
    """
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.parent.rglob("*.py")))
    name = hashlib.sha256(sources + numba.__version__.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 (never raises)
    fallback = Path(tempfile.gettempdir()) / f"fooling-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    override = os.environ.get("NUMBA_CACHE_DIR")
    reason = ""
    for parent in [Path(override)] if override else [cache / "fooling", fallback]:
        folder = parent / name
        try:
            parent.parent.mkdir(parents=True, exist_ok=True)
            parent.mkdir(mode=PRIVATE, exist_ok=True)
            folder.mkdir(mode=PRIVATE, exist_ok=True)
            reason = find_risk(folder)
        except OSError as error:
            reason = f"{folder} cannot be written ({error.strerror or error})"
            continue
        if reason:  # somebody may have prepared it: no other place is tried
            break
        if os.access(folder, os.W_OK):
            return str(folder)
        reason = f"{folder} cannot be written"
    logging.getLogger("fooling").warning("compiled kernels are not kept, each start compiles them anew: %s", reason)
    return ""


def find_risk(folder: Path) -> str:
    """Why somebody else may have written to a folder, or could replace it; '' if only this user can. Raises OSError."""
    if not hasattr(os, "getuid"):  # on Windows a user's folders are private by inheritance
        return ""
    about, parent = folder.lstat(), folder.parent.lstat()
    expected = f"expected a folder of this user with mode 0700, got {folder}"
    if not stat.S_ISDIR(about.st_mode):
        return f"{expected}, a link or file; remove it"
    if about.st_uid != os.getuid():
        return f"{expected} of user {about.st_uid}; remove it"
    if about.st_mode & 0o777 != PRIVATE:
        return f"{expected} with mode {about.st_mode & 0o777:04o}; remove it"
    if not stat.S_ISDIR(parent.st_mode) or parent.st_uid not in (os.getuid(), 0):
        return f"{folder.parent} is a link, or a folder of another user; remove it"
    if parent.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not parent.st_mode & stat.S_ISVTX:
        return f"others can write to {folder.parent}; chmod 700 {folder.parent} ends that"
    return ""


def jit(function: Function, part: bool = False, inline: bool = False) -> Function:
    """Compiles for one thread without the interpreter's lock: engines run kernels on slices, a slice per thread.

    No fast-math: sums keep their order and products are not fused, so that the bits are those of the reference. `part`: only
    kernels call it and it makes no arrays; views then need no reference counts, of two atomic operations each, and there is
    less to compile (20 → 15 s in all).
    """
    config: Any = numba.config
    previous, config.CACHE_DIR = config.CACHE_DIR, cache_folder()  # read when the dispatcher is made
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": inline}
    if part:
        options |= {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    else:
        options["cache"] = bool(cache_folder())
    try:
        compiled: Any = numba.njit(**options)(function)
    finally:
        config.CACHE_DIR = previous
    result: Function = compiled
    return result


def jit_part(function: Function) -> Function:
    """`jit` for a part of kernels."""
    return jit(function, part=True)


def jit_inline(function: Function) -> Function:
    """`jit_part` that LLVM must put into the loops that call it, which can then become vectors."""
    return jit(function, part=True, inline=True)


class Compilation(Listener):
    """The seconds in which kernels were compiled, in whatever thread: no clock of a search counts them."""

    def __init__(self) -> None:
        self.lock, self.running, self.begun, self.total = Lock(), 0, 0.0, 0.0

    def on_start(self, event: Event) -> None:
        """A kernel, which may compile others meanwhile."""
        del event
        with self.lock:
            if not self.running:
                self.begun = time.perf_counter()
            self.running += 1
        logging.getLogger("fooling.compilation").info("kernels are compiled")

    def on_end(self, event: Event) -> None:
        """A kernel is ready."""
        del event
        with self.lock:
            self.running -= 1
            if not self.running:
                self.total += time.perf_counter() - self.begun

    def add(self, seconds: float) -> None:
        """Seconds in which another compiler ran."""
        with self.lock:
            self.total += seconds

    def seconds(self) -> float:
        """So far."""
        with self.lock:
            return self.total + (time.perf_counter() - self.begun if self.running else 0.0)


COMPILATION = Compilation()
register("numba:compile", COMPILATION)  # type: ignore[no-untyped-call]


def working_time() -> float:
    """Seconds of a clock that stands still while kernels are compiled."""
    return time.perf_counter() - COMPILATION.seconds()


LARGEST_SLICE = 16384  # candidates
SMALLEST_SLICE = 256  # candidates that are worth a thread


THREADS = "FOOLING_THREADS"  # the environment variable that says how many cores a process takes, where it may use more


def cores() -> int:
    """Cores that this process may use, or FOOLING_THREADS."""
    given = os.environ.get(THREADS, "")
    if given.isdecimal() and int(given):
        return int(given)
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
