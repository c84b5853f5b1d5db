"""Says that kernels are compiled, and about how long that takes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from fooling.commands.console import print_line
from fooling.kernels.numba.compile import cache_folder
from fooling.kernels.numba.penalties import histogram_counts

COMPILE_SECONDS = {  # of the kernels that take longest, on two cores; measured with an empty cache
    "changed_children": 8.0,
    "variogram_update": 2.2,
    "breed": 1.8,
    "network_update": 1.1,
    "sigmoid_scores": 1.1,
    "histogram_counts": 1.0,
    "start": 0.7,
    "variogram_sums": 0.7,
    "anneal": 15.5,
    "eigen_parts": 0.9,
    "nsga2_selection": 9.0,
}
SCORING = ("sigmoid_scores", "histogram_counts", "variogram_sums")
COMPILED = {  # the kernels of each search
    "ga": ("changed_children", "variogram_update", "breed", "network_update", "start", *SCORING),
    "anneal": ("anneal", "eigen_parts", *SCORING),
    "pareto": ("nsga2_selection", "breed", "start", *SCORING),
}
COMPILATION_LOG = "fooling.compilation"  # where `kernels.numba.compile` says that it begins
JAX_SECONDS = {"ga": 12.0}  # of other searches
LEAST_SECONDS = 1.0


class CompilationNote(logging.Handler):
    """Says once that kernels are compiled, as soon as the first one is, and about how long all of them take."""

    def __init__(self, console: Console, search: str) -> None:
        super().__init__(logging.INFO)
        self.console, self.search = console, search

    def emit(self, record: logging.LogRecord) -> None:
        """The first kernel."""
        del record
        logging.getLogger(COMPILATION_LOG).removeHandler(self)
        once = "each new search compiles once" if cache_folder() else "each start compiles anew"
        self.say(sum(COMPILE_SECONDS[name] for name in COMPILED.get(self.search, SCORING) if not is_compiled(name)), once)

    def say(self, seconds: float, how_often: str) -> None:
        """Prints the line."""
        print_line(self.console, f"compiling, about {max(LEAST_SECONDS, seconds):.0f} s; {how_often}", style="dim")


def is_compiled(kernel: str) -> bool:
    """Whether the cache holds a kernel of this copy of the package, for whatever types: each copy compiles its own."""
    folder = getattr(getattr(histogram_counts, "stats", None), "cache_path", None) or ""  # that of all kernels
    return bool(folder) and any(Path(folder).glob(f"*.{kernel}-*.nbc"))


def announce_jax(console: Console, settings: Any) -> None:
    """The same of JAX, which compiles when a job begins."""
    if not settings.quiet and getattr(getattr(settings, "engine", None), "name", "") == "jax":
        seconds = JAX_SECONDS.get(search_of(settings), LEAST_SECONDS)
        CompilationNote(console, "").say(seconds, "engine=jax compiles at each start")


def search_of(settings: Any) -> str:
    """The search of a command's jobs."""
    return str(getattr(getattr(settings, "search", None), "name", "ga"))


@contextmanager
def compilation_note(console: Console, settings: Any) -> Iterator[None]:
    """Within it, a command says so when it compiles, also where there is no terminal."""
    note, log = CompilationNote(console, search_of(settings)), logging.getLogger(COMPILATION_LOG)
    if not settings.quiet:
        log.setLevel(logging.INFO)
        log.addHandler(note)
    try:
        yield
    finally:
        log.removeHandler(note)
