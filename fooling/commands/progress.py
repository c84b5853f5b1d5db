"""How far a command's work is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fooling.display import PLAIN_SECONDS, REFRESH_SECONDS

WAIT_SECONDS = 1.0  # before the bar appears: what is done sooner needs none


@contextmanager
def progress(console: Console, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Gives a function that is told what is done, how much of it, and of how much; the bar is gone at the end."""
    if quiet:
        yield lambda what, done, total: None
    elif not console.is_terminal:
        yield plain(console)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
        try:
            yield live(bar)
        finally:
            bar.stop()


def plain(console: Console) -> Callable[[str, int, int], None]:
    """A line every few seconds."""
    shown = time.perf_counter()

    def watch(what: str, done: int, total: int) -> None:
        nonlocal shown
        now = time.perf_counter()
        if now - shown >= PLAIN_SECONDS:
            shown = now
            console.print(f"{what}: {done:,} of {total:,}", soft_wrap=True, highlight=False)

    return watch


def live(bar: Progress) -> Callable[[str, int, int], None]:
    """A bar, one for each thing that is done, the last in sight."""
    begun = shown = time.perf_counter()

    def watch(what: str, done: int, total: int) -> None:
        nonlocal shown
        now = time.perf_counter()
        if not bar.tasks or bar.tasks[-1].description != what:
            for task in bar.tasks:
                bar.update(task.id, visible=False)
            bar.add_task(what, total=total)
        bar.update(bar.tasks[-1].id, completed=done)
        if now - begun >= WAIT_SECONDS and now - shown >= REFRESH_SECONDS:
            shown = now
            bar.start()
            bar.refresh()

    return watch
