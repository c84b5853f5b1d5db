"""The jobs of a command, one after the other, each with a record in the command's folder; what is finished is read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from fooling.commands.console import InterruptHandler, ProgressDisplay
from fooling.records import image_names, kind_of, load_checkpoint, read_images, read_run, status_of
from fooling.records.resume import check_same
from fooling.run import record_job
from fooling.search.job import Job, evaluate
from fooling.search.loop import restore
from fooling.search.result import Result
from fooling.settings import dump


@dataclass(frozen=True)
class GridEntry:
    """A job and its place in the grid of a command: the value of each axis besides the classes."""

    job: Job
    axes: Mapping[str, str] = field(default_factory=dict)  # as in {"rung": "eigen", "arm": "control"}

    @property
    def row(self) -> str:
        """The axes in words, '' if there are none."""
        return ",".join(f"{axis}={value}" for axis, value in self.axes.items())

    @property
    def folder(self) -> str:
        """The name of its record folder."""
        prior = self.job.settings.prior.digit
        classes = f"digit={self.job.digit}" if prior is None else f"prior={prior},digit={self.job.digit}"
        return f"{self.row},{classes}" if self.axes else classes


def run_grid(entries: Sequence[GridEntry], folder: Path, console: Console, signals: InterruptHandler) -> list[Result]:
    """The results of all jobs, in this order. Raises Interrupted after a signal; the records hold what is done until then."""
    results = []
    for entry in entries:
        place = folder / entry.folder
        result = read_result(entry.job, place)
        if result is None:
            title, line = titles(entry, entries, place)
            result = run_entry(entry.job, place, console, signals, title=title, place=line, success=False)
        results.append(result)
    return results


def run_entry(
    job: Job, folder: Path, console: Console, signals: InterruptHandler, *, title: str, place: str = "", success: bool = True
) -> Result:
    """Runs one job in its record folder, with its progress on the console."""
    with ProgressDisplay(console, title, job.criteria, signals, job.settings.quiet, place) as display:
        return record_job(job, folder, display, success=success)


def read_result(job: Job, folder: Path) -> Result | None:
    """The result of a finished job, from its record; None if it is not to be resumed or has not finished."""
    if not job.settings.resume or kind_of(folder) != "job" or status_of(folder) != "done":
        return None
    saved = load_checkpoint(folder)
    if saved is None:
        return None
    check_same(folder, dump(job.settings), job.fingerprints)
    history, _ = restore(saved, job.criteria)
    return evaluate(job, history, read_images(folder, image_names(len(history.images))), str(folder))


def describe_job(folder: Path, name: str) -> dict[str, Any]:
    """The entry of a job in a status file: its folder, status and totals."""
    run = read_run(folder / name)
    keys = ("digit", "status", "evaluations", "generations", "seconds", "converged")
    return {"folder": name, **{key: run[key] for key in keys if key in run}}


def titles(entry: GridEntry, entries: Sequence[GridEntry], folder: Path) -> tuple[str, str]:
    """The line above the progress of a job and, where there are rows, its place among all jobs; a row has one line."""
    if not entry.row:
        return title_of(entry.job, folder), ""
    number = next(i for i, other in enumerate(entries, 1) if other is entry)
    first = next(other for other in entries if other.row == entry.row) is entry
    return entry.row if first else "", f"{number}/{len(entries)}  {entry.row}, digit {entry.job.digit}"


def title_of(job: Job, folder: Path) -> str:
    """A job in words."""
    settings = job.settings
    classifier = f"{settings.classifier.name}{' (its weight 0: control)' if settings.control else ''}"
    prior = settings.prior.name + (f" of {settings.prior.digit}" if settings.prior.digit is not None else "")
    return f"digit {job.digit}: {job.criteria.runs} runs, prior {prior}, classifier {classifier} → {folder}"
