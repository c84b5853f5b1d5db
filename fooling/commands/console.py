"""What the terminal shows: live progress, and a small table at the end. Plain lines where it is no terminal."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from fooling.errors import UserError
from fooling.plots.captions import percent
from fooling.records.files import os_errors
from fooling.search.result import Result, read_as
from fooling.search.state import PASSES, Metrics

REFRESH_SECONDS = 0.2
PLAIN_SECONDS = 5.0  # between lines where there is no terminal
ABOUT_FRONT = "front: its images; hypervolume: what it dominates below target 2 and the prior distance of noise → front.png"


class ProgressDisplay:
    """Progress of one job: `with Display(…) as display: … watch=display.watch`.

    `place`: of one among very many, which stands in a line that the next job's replaces; its title is for where there is no
    terminal.
    """

    def __init__(self, console: Console, title: str, runs: int, last: int, quiet: bool, place: str = "") -> None:
        self.console, self.title, self.runs, self.last, self.quiet, self.place = console, title, runs, last, quiet, place
        self.shown = -1e9
        self.live: Live | None = None

    def __enter__(self) -> "ProgressDisplay":
        if not self.quiet:
            live = self.console.is_terminal
            if self.title and not (live and self.place):
                self.console.print(Text(self.title, style="bold"), soft_wrap=True)
            if live:
                first = Text(self.place or "compiling …", style="dim")
                self.live = Live(first, console=self.console, transient=True, auto_refresh=False)
                self.live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def tell(self, note: str) -> None:
        """A line that stays."""
        if not self.quiet and not self.place:
            self.console.print(Text(note, style="dim"), soft_wrap=True)

    def watch(self, row: Metrics) -> None:
        """Shows a generation, now and then."""
        now = time.perf_counter()
        final = row["running"] == 0
        if self.quiet or (not final and now - self.shown < (REFRESH_SECONDS if self.live else PLAIN_SECONDS)):
            return
        self.shown = now
        line = self.line(row)
        if self.live:
            self.live.update(Text(line), refresh=True)
        elif not self.place:
            self.console.print(Text(line), soft_wrap=True)

    def line(self, row: Metrics) -> str:
        """One line on where the job stands."""
        if self.place:
            return f"{self.place}: generation {row['generation']}/{self.last}, confidence {row['confidence']:.5f}"
        return (
            f"generation {row['generation']:>{len(str(self.last))}}/{self.last}  "
            f"{row['evaluations_per_second']:>7,.0f} evaluations/s  "
            f"cost best {row['best_cost']:.4f} median {row['median_cost']:.4f}  "
            f"confidence {row['confidence']:.5f}  converged {row['converged']:.0f}/{self.runs}"
        )


def show_results(console: Console, results: Sequence[Result], weighted: Sequence[str], folder: str) -> None:
    """The small table at the end: medians over the images of each job."""
    judges = results[0].judges
    front = ("front", "hypervolume") if results[0].front else ()
    columns = ("digit", "converged", "confidence", *judges, "cost", *weighted, *front, "evaluations", "seconds")
    show_table(console, columns, [cells(result, weighted) for result in results])
    console.print(Text("medians over the images; cost and its terms: 0 is ideal", style="dim"))
    for result in results:
        if result.digit == "any":
            console.print(Text(f"any: {milestones_reached(result)}", style="dim"), soft_wrap=True)
    for result in results:
        for line in of_search(result):
            console.print(Text(f"{result.digit}: {line}" if len(results) > 1 else line, style="dim"), soft_wrap=True)
    if judges:
        console.print(Text(f"{', '.join(judges)}: share of the images that the judge reads as the digit", style="dim"))
    if front:
        console.print(Text(ABOUT_FRONT, style="dim"), soft_wrap=True)
    console.print(Text(f"→ {folder}: contact_sheet.png, mean.png, images/, run.json, …"), soft_wrap=True)


def cells(result: Result, weighted: Sequence[str]) -> list[str]:
    """A line of the table."""
    medians = [float(np.median(values)) for values in (result.cost, *(result.terms[name] for name in weighted))]
    return [
        str(result.digit),
        f"{int(result.converged.sum())}/{len(result.images)}",
        percent(float(np.median(result.confidence))),
        *(verdict(result, name) for name in result.judges),
        *(f"{median:.4f}" for median in medians),
        *((f"{np.median(result.front.sizes):.0f}", f"{np.median(result.front.hypervolumes):.4f}") if result.front else ()),
        f"{result.evaluations.sum():,}",
        f"{result.seconds:.1f}",
    ]


def of_search(result: Result) -> list[str]:
    """What a gradient search or a feedback says besides, in lines."""
    lines = []
    if result.passes.shape[1]:
        lines.append("first passed (median step, norm, distance from the start): " + ", ".join(first_passed(result)))
    if "weight_correlation" in result.own:
        value = float(np.median(result.own["weight_correlation"]))
        lines.append(f"correlation of the image with the weights of its class: {value:.3f} → feedback.png, feedback.webp")
    return lines


def first_passed(result: Result) -> list[str]:
    """Of each confidence the medians of the runs that passed it, and how many did if not all."""
    said = []
    for number, name in enumerate(PASSES):
        there = result.passes[result.passes[:, number, 0] >= 0, number]
        if not len(there):
            said.append(f"{name} never")
            continue
        step, norm, distance, _ = np.median(there, axis=0)
        some = "" if len(there) == len(result.passes) else f" in {len(there)} of {len(result.passes)}"
        said.append(f"{name} at {step:g} ({norm:.1f}, {distance:.1f}){some}")
    return said


def milestones_reached(result: Result) -> str:
    """How many images got to each class, the most frequent first."""
    numbers, counts = np.unique(result.classes, return_counts=True)
    found = sorted(zip(counts.tolist(), numbers.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return "the images got to " + ", ".join(f"{number} ({count})" for count, number in found)


def verdict(result: Result, name: str) -> str:
    """The share of the images that a judge reads as the digit, and of those that it reads as the prior's, if another."""
    share = f"{read_as(result, result.classes)[name]:.0%}"
    if result.prior_digit in (None, result.digit):
        return share
    return f"{share}, {read_as(result, result.prior_digit)[name]:.0%} a {result.prior_digit}"


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> None:
    """A table whose cells are never cut, however narrow the terminal: to the right, the first columns to the left."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for number, row in enumerate([columns, *rows]):
        sides = [str.ljust] * left + [str.rjust] * (len(columns) - left)
        line = "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        console.print(Text(line, style="" if number else "bold"), soft_wrap=True)


@contextmanager
def written_whole(path: Path, overwrite: bool) -> Iterator[Path]:
    """Gives a temporary name to write to; renames it to `path` at the end, or removes it after an error.

    What cannot be written is refused before the work begins: an existing file without `overwrite`, a missing folder.
    """
    if path.is_dir():
        raise UserError(f"out={path}: expected a file's name, got a folder")
    if path.exists() and not overwrite:
        raise UserError(f"out={path}: exists already; overwrite=true replaces it, or give another name")
    if not path.parent.is_dir():
        raise UserError(f"out={path}: the folder {path.parent} does not exist; make it or give another name")
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    with os_errors(path):
        part.touch()
        try:
            yield part
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> None:
    """A table on stdout, numbers to the right, the first columns to the left."""

    show_table(Console(highlight=False), columns, rows, left)


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
