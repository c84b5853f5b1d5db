"""Progress of jobs that run side by side: one table that is drawn again on a terminal, elsewhere a line now and then."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fooling.commands.console import print_line
from fooling.commands.jobs import GridEntry, rest
from fooling.commands.progress import PLACE_SECONDS, REFRESH_SECONDS
from fooling.errors import counted
from fooling.plots import percent

MARGIN = 6  # lines of a terminal that the table leaves free


class JobTable:
    """The jobs of a command: how many are done, and where those stand that run: `with JobTable(…) as table`."""

    def __init__(self, console: Console, entries: Sequence[GridEntry], done: int, quiet: bool) -> None:
        self.console, self.quiet = console, quiet
        self.entries = {entry.folder: entry for entry in entries}
        self.running: dict[str, Mapping[str, Any]] = {}  # the last report on each, by folder
        self.done, self.before, self.restarts = done, done, 0
        self.begun = self.shown = time.perf_counter()
        self.notes: set[str] = set()
        self.live: Live | None = None

    def __enter__(self) -> "JobTable":
        if not self.quiet and self.console.is_terminal:
            self.live = Live(self.table(), console=self.console, transient=True, auto_refresh=False)
            self.live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        """Prints a line that stays, once."""
        if not self.quiet and text not in self.notes:
            self.notes.add(text)
            print_line(self.console, text, style="dim")

    def observe(self, message: Mapping[str, Any]) -> None:
        """A report of a worker."""
        folder = str(message["folder"])
        if "note" in message:
            self.say(str(message["note"]))
        elif folder in self.entries:
            self.running[folder] = message

    def finish(self, folder: str) -> None:
        """A job is done."""
        self.running.pop(folder, None)
        del self.entries[folder]
        self.done += 1

    def refresh(self) -> None:
        """Shows the table, or a line, if it is time."""
        now = time.perf_counter()
        if self.quiet or now - self.shown < (REFRESH_SECONDS if self.live else PLACE_SECONDS):
            return
        self.shown = now
        if self.live:
            self.live.update(self.table(), refresh=True)
        else:
            self.console.print(Text(self.headline()), soft_wrap=True)

    def headline(self) -> str:
        """How many jobs are done and run, and how long the others take."""
        left = rest(time.perf_counter() - self.begun, self.done - self.before, len(self.entries))
        line = f"{self.done} of {counted(self.done + len(self.entries), 'job')} done, {len(self.running)} running"
        return f"{line}, {left}" if left else line

    def table(self) -> Group:
        """The headline, and a line for each job that runs, as many as the terminal has room for."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name, justify in (("job", "left"), ("worker", "left"), ("generation", "right"), ("confidence", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        room = max(1, self.console.height - MARGIN)
        for folder, message in list(self.running.items())[:room]:
            job = self.entries[folder].job
            confidence = percent(message["confidence"]) if "confidence" in message and not job.unit else ""
            table.add_row(folder, str(message["host"]), f"{message['generation']}/{job.criteria.last}", confidence)
        more = [Text(f"… and {len(self.running) - room} more", style="dim")] if len(self.running) > room else []
        return Group(Text(self.headline()), table, *more)
