"""Progress in a notebook: one line below the cell that changes, and an interruption that keeps what there is."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from types import FrameType
from typing import Any

from fooling.plots import percent
from fooling.search.loop import SILENT, Progress, Silent, Watcher
from fooling.search.state import Metrics

SECONDS = 0.25  # between two changes of the line
FIRST = 1.0  # seconds: a shorter job shows none


def in_notebook() -> bool:
    """Whether the program runs in the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def following(watch: Callable[[Metrics], None] | None, *, quiet: bool) -> Iterator[Progress]:
    """The progress of a call: in a notebook a line and the interrupt button, elsewhere none; `watch` receives the metrics."""
    if in_notebook():
        with NotebookProgress(watch, shows=not quiet).listening() as progress:
            yield progress
    else:
        yield Watcher(watch) if watch else SILENT


class NotebookProgress(Silent):
    """The `Progress` of a call in a notebook; the interrupt button ends its jobs in order."""

    def __init__(self, watch: Callable[[Metrics], None] | None = None, *, shows: bool = True) -> None:
        self.watch, self.shows, self.interrupted = watch, shows, False
        self.handle: Any = None
        self.begun = self.changed = time.perf_counter()

    def observe(self, metrics: Metrics) -> None:
        """Shows a generation, a few times a second."""
        if self.watch:
            self.watch(metrics)
        now = time.perf_counter()
        if self.shows and now - self.begun >= FIRST and now - self.changed >= SECONDS:
            self.changed = now
            self.show(line(metrics))

    def stop_requested(self) -> bool:
        """Whether the cell was interrupted."""
        return self.interrupted

    def show(self, text: str) -> None:
        """Replaces the line; '' removes it."""
        tools: Any = import_module("IPython.display")
        content = tools.HTML(f"<code>{escape(text)}</code>" if text else "")
        if self.handle is None:
            self.handle = tools.display(content, display_id=True)
        else:
            self.handle.update(content)

    @contextmanager
    def listening(self) -> Iterator[Progress]:
        """While the jobs run: an interruption is noted, the second one ends the call at once. Removes the line at the end."""

        def note(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                signal.default_int_handler(number, frame)
            self.interrupted = True

        is_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, note) if is_main else None
        try:
            yield self
        finally:
            if is_main:
                signal.signal(signal.SIGINT, before)
            if self.handle is not None:
                self.show("")


def line(metrics: Metrics) -> str:
    """As in: generation 120 · 12,000 evaluations · 3 converged · median confidence 97.12 % · 4 s."""
    counts = f"generation {metrics['generation']:,} · {metrics['evaluations']:,} evaluations"
    found = f"{metrics['converged']:,} converged · median confidence {percent(metrics['confidence'])}"
    return f"{counts} · {found} · {metrics['seconds']:.0f} s"
