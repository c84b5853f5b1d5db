"""Progress on the terminal: of a job, of steps, of work of unknown length; lines every few seconds where it is no terminal."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from fooling.classifiers.queries import Bill
from fooling.commands.console import InterruptHandler, print_line
from fooling.errors import duration
from fooling.plots import percent
from fooling.search.state import Metrics
from fooling.search.stopping import StoppingCriteria

ProgressCallback = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much
REFRESH_SECONDS = 0.2
PLAIN_SECONDS = 5.0  # between lines where there is no terminal …
PLACE_SECONDS = 30.0  # … and of one job among many
LONG_SECONDS = 10.0  # a job that takes longer says when it ends
FIRST_SECONDS = 1.5  # before the first line of a command whose model or data take long
WAIT_SECONDS = 1.0  # before a bar appears: what is done sooner needs none


class RemainingTime:
    """When a job will be over, from how long its latest generations took; the first, which are compiled, do not count."""

    def __init__(self, criteria: StoppingCriteria) -> None:
        self.last, self.seconds, self.is_most = criteria.last, criteria.seconds, criteria.stop != "end"
        self.marks: deque[tuple[float, float]] = deque(maxlen=50)  # time and generation, REFRESH_SECONDS apart

    def observe(self, metrics: Metrics) -> None:
        """Notes a generation."""
        now = time.perf_counter()
        if metrics["generation"] and (not self.marks or now - self.marks[-1][0] >= REFRESH_SECONDS):
            self.marks.append((now, metrics["generation"]))

    def text(self, metrics: Metrics) -> str:
        """As in "about 3 min left"; '' where nothing is known yet, or all of it takes less than LONG_SECONDS."""
        if len(self.marks) < 2 or not metrics["running"]:
            return ""
        (begun, first), (now, generation) = self.marks[0], self.marks[-1]
        left = (self.last - metrics["generation"]) * (now - begun) / (generation - first)
        left = left if self.seconds is None else min(left, max(0.0, self.seconds - metrics["seconds"]))
        most = "at most " if self.is_most else ""
        return f"  {most}about {duration(left)} left" if left + metrics["seconds"] >= LONG_SECONDS else ""


class ProgressDisplay:
    """The `Progress` of one job on the console: `with ProgressDisplay(…) as display: run_job(job, record, display)`.

    `place`: where the job is among many; its line replaces that of the job before, and the title is only for non-terminals.
    `targeted`: whether a class is the target; without one there is no confidence to show. `bill`: of a model with a price.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        criteria: StoppingCriteria,
        signals: InterruptHandler,
        quiet: bool = False,
        place: str = "",
        targeted: bool = True,
        bill: Bill | None = None,
    ) -> None:
        self.console, self.title, self.signals, self.quiet, self.place = console, title, signals, quiet, place
        self.runs, self.last, self.targeted = criteria.runs, criteria.last, targeted
        self.updated, self.begun, self.remaining = -np.inf, time.perf_counter(), RemainingTime(criteria)
        self.live: Live | None = None
        self.bill = bill if bill and bill.cost is not None else None

    def __enter__(self) -> "ProgressDisplay":
        if not self.quiet:
            live = self.console.is_terminal
            if self.title and not (live and self.place):
                print_line(self.console, self.title, style="bold")
            if live:
                first = Text(self.place or "starting …", style="dim")
                self.live = Live(first, console=self.console, transient=True, auto_refresh=False)
                self.live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def note(self, text: str) -> None:
        """Prints a line that stays."""
        if not self.quiet and not self.place:
            print_line(self.console, text, style="dim")

    def observe(self, metrics: Metrics) -> None:
        """Shows a generation, now and then."""
        self.remaining.observe(metrics)
        now, final = time.perf_counter(), metrics["running"] == 0
        pause = REFRESH_SECONDS if self.live else PLACE_SECONDS if self.place else PLAIN_SECONDS
        if self.quiet or (not final and now - self.updated < pause):
            return
        if self.place and not self.live and (final or now - self.begun < LONG_SECONDS):
            return
        self.updated = now
        cost = f"  {self.bill.images:,} images cost {self.bill.cost:,.2f}" if self.bill else ""
        line = self.line(metrics) + cost + self.remaining.text(metrics)
        if self.live:
            self.live.update(Text(line), refresh=True)
        else:
            self.console.print(Text(line), soft_wrap=True)

    def stop_requested(self) -> bool:
        """Whether there was a signal."""
        return self.signals.stop_requested()

    def line(self, metrics: Metrics) -> str:
        """One line on where the job stands."""
        if self.place:
            confidence = f", confidence {percent(metrics['confidence'])}" if self.targeted else ""
            return f"{self.place}: generation {metrics['generation']}/{self.last}{confidence}"
        of_target = f"  cost best {metrics['best_cost']:.4f} median {metrics['median_cost']:.4f}"
        of_target += f"  confidence {percent(metrics['confidence']):>9}  converged {metrics['converged']:.0f}/{self.runs}"
        return (
            f"generation {metrics['generation']:>{len(str(self.last))}}/{self.last}  "
            f"{metrics['evaluations_per_second']:>7,.0f} evaluations/s{of_target if self.targeted else ''}"
        )


@contextmanager
def working(what: str, quiet: bool, wait: float = PLAIN_SECONDS) -> Iterator[None]:
    """A line while something of unknown length is done: moving on a terminal, elsewhere printed after `wait` seconds."""
    console = Console(highlight=False)
    if quiet:
        yield
    elif console.is_terminal:
        with console.status(Text(f"{what} …", style="dim")):
            yield
    else:
        late = threading.Timer(wait, print, [f"{what} …"], {"flush": True})
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()


@contextmanager
def progress(console: Console, quiet: bool) -> Iterator[ProgressCallback]:
    """A bar for work with a known number of steps; it disappears at the end."""
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


def plain(console: Console) -> ProgressCallback:
    """A line every few seconds."""
    shown, first = time.perf_counter(), ("", 0.0, 0)  # what, when and how much was done first

    def watch(what: str, done: int, total: int) -> None:
        nonlocal shown, first
        now = time.perf_counter()
        if what != first[0]:
            first = (what, now, done)
        if now - shown >= PLAIN_SECONDS:
            shown = now
            _, begun, before = first
            left = f", about {duration((total - done) * (now - begun) / (done - before))} left" if done > before else ""
            console.print(f"{what}: {done:,} of {total:,}{left}", soft_wrap=True, highlight=False)

    return watch


def live(bar: Progress) -> ProgressCallback:
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
