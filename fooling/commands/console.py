"""The terminal: signals, live progress and tables for all commands; plain lines where it is no terminal."""

import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from fooling.errors import INTERRUPTED, TERMINATED, folded, handle_signals, restore_signals
from fooling.kernels.numba.compile import working_time


class InterruptHandler:
    """Notes Ctrl-C and SIGTERM, so that a job can stop between two generations; a second signal stops it at once."""

    def __init__(self) -> None:
        self.code = 0  # exit code of the first signal
        self.deadline: float | None = None  # of `working_time`, at which jobs stop as at a signal
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "InterruptHandler":
        self.before = handle_signals(self.note, self.note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        restore_signals(self.before)

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        del frame
        if self.code:
            raise KeyboardInterrupt
        self.code = INTERRUPTED if number == signal.SIGINT else TERMINATED

    def stop_requested(self) -> bool:
        """Whether there was a signal, or the time is over."""
        return self.code != 0 or self.is_over()

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and working_time() >= self.deadline


def print_line(console: Console, text: str, style: str = "") -> None:
    """A line; on a terminal broken between words."""
    console.print(Text(folded(text, console.width) if console.is_terminal else text, style), soft_wrap=True)


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> None:
    """A table whose cells are never cut; aligned to the right, the first columns to the left.

    On a terminal that is too narrow for it, each row is a list with the name of a column and its cell in each line.
    """
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    if console.is_terminal and sum(widths) + 2 * (len(widths) - 1) > console.width:
        show_lists(console, columns, rows)
        return
    for number, row in enumerate([columns, *rows]):
        sides = [str.ljust] * left + [str.rjust] * (len(columns) - left)
        line = "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        console.print(Text(line, style="" if number else "bold"), soft_wrap=True)


def show_lists(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The rows of a table as lists; a column without a name goes on with the one before."""
    names = [name for name in columns if name]
    for number, row in enumerate(rows):
        cells: list[str] = []
        for name, cell in zip(columns, row, strict=True):
            if name or not cells:
                cells.append(cell)
            else:
                cells[-1] = f"{cells[-1]} {cell}".rstrip()
        if number:
            console.print()
        width = max(map(len, names), default=0)
        for name, cell in zip(names, cells, strict=False):
            print_line(console, f"{name:<{width}}  {cell}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> None:
    """A table on stdout."""
    show_table(Console(highlight=False), columns, rows, left)
