"""One job or several, from the command line: folders, signals, progress, the table at the end."""

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console

from fooling.commands.console import ProgressDisplay, show_results
from fooling.errors import UserError
from fooling.plots import draw_sweep
from fooling.records import (
    CONFIG,
    PLAUSIBILITY,
    SUCCESS,
    SWEEP,
    Record,
    clear,
    image_names,
    kind_of,
    load_checkpoint,
    read_images,
    read_run,
    refuse_unless_free,
    status_of,
)
from fooling.records.files import locked, os_errors, read_json, write_atomically, write_json
from fooling.records.resume import check_same, choose_folder, open_folder
from fooling.search.job import Job, evaluate
from fooling.search.loop import Interrupted, restore
from fooling.search.result import Result
from fooling.search.state import Metrics
from fooling.settings import dump
from fooling.settings.schema import RunSettings

RunJob = Callable[[Job, "Record | None", "Callable[[Metrics], None]", Callable[[], bool], Callable[[str], None]], "Result"]
Finish = Callable[["Console", list[Job], "list[Result]", Path], None]
Leave = Callable[[Path, list[Job], "list[Result]"], None]
RunOne = Callable[[Job, Path], "Result"]
JOB_FOLDERS = ("digit=*", "prior=*", "rung=*", "blur_sd=*")  # what a sweep's record folders are called, see `Job.name`
GALLERY = ("gallery.json", "gallery.png")

# What a finished sweep has over all its jobs.
LEFT = ("contact_sheet.png", SUCCESS, "matrix.json", "matrix.png", "ladder.json", "ladder.png", "means.png", *GALLERY)


@dataclass(frozen=True)
class Command:
    """What a command makes of its jobs besides running them."""

    name: str = "python -m fooling.run"
    folder: str = ""  # what a fresh folder is called; '' is the main job's, for which one class is no sweep
    only: tuple[str, ...] | None = None  # settings that the sweep's config.yaml holds, by their full names; None: all
    finish: Finish | None = None  # shows the results at the end, instead of the table of medians
    leave: Leave | None = None  # writes what belongs to a finished sweep, instead of the contact sheet


MAIN = Command()


class InterruptHandler:
    """Ctrl-C and SIGTERM, noted so that the loop can stop between generations; a second one stops at once."""

    CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # noqa: RUF012

    def __init__(self) -> None:
        self.code = 0
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "InterruptHandler":
        self.before = {number: signal.signal(number, self.note) for number in self.CODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        del frame
        if self.code:
            raise KeyboardInterrupt
        self.code = self.CODES[signal.Signals(number)]

    def asked(self) -> bool:
        """Whether the user asked to stop."""
        return self.code != 0


def run_all(
    settings: RunSettings,
    jobs: list[Job],
    run_job: RunJob,
    arguments: list[str],
    command: Command = MAIN,
) -> int:
    """Runs the jobs one after the other, each in its folder, by `run_job`; → exit code."""

    console = Console(highlight=False)
    sweep = bool(command.folder) or settings.sweeps or len(jobs) > 1
    config = dump(settings, command.name, command.only)
    with InterruptHandler() as signals:
        folder, found = choose_folder(settings, sweep, config, command.folder)
        if found:
            check_command(folder, command.name)
            check_same(folder, config, {} if sweep else jobs[0].fingerprints)
            if status_of(folder) == "done":
                console.print(f"{folder} is finished: nothing to resume", markup=False, soft_wrap=True)
                return 0
        elif settings.resume:
            console.print(f"nothing to resume: starting in {folder}", markup=False, soft_wrap=True)
        try:
            one = partial(run_one, jobs=jobs, run_job=run_job, console=console, signals=signals)
            results = run_sweep(settings, jobs, folder, one, signals, command, config) if sweep else [one(jobs[0], folder)]
        except Interrupted:
            kept = [word for word in arguments if word.partition("=")[0] not in ("resume", "overwrite")]
            again = shlex.join([*kept, "resume=true"])
            sys.stderr.write(f"fooling: interrupted; {folder} holds a checkpoint. Continue: {command.name} {again}\n")
            return signals.code
    (command.finish or partial(show_medians, settings=settings))(console, jobs, results, folder)
    return 0


def show_medians(console: Console, jobs: list[Job], results: list[Result], folder: Path, *, settings: RunSettings) -> None:
    """The table of medians."""
    del jobs
    if not settings.quiet:
        weights = settings.prior.weights.model_dump()
        show_results(console, results, tuple(name for name, weight in weights.items() if weight > 0), str(folder))


def run_one(job: Job, folder: Path, *, jobs: list[Job], run_job: RunJob, console: Console, signals: InterruptHandler) -> Result:
    """Runs one of the jobs with its progress on the console."""

    record = open_folder(folder, job.settings, job.fingerprints)
    title, place = titles(job, jobs, folder)
    try:
        with ProgressDisplay(console, title, job.criteria.runs, job.criteria.last, job.settings.quiet, place) as display:
            return run_job(job, record, display.watch, signals.asked, display.tell)
    finally:
        record.close()


def titles(job: Job, jobs: list[Job], folder: Path) -> tuple[str, str]:
    """The line that stands above a job's progress; of a ladder's, a line a row of its picture, and the job's place in all."""
    settings, row = job.settings, job.row or f"{job.rung}, {job.arm}"
    if job.rung or job.row:
        first = next(other for other in jobs if (other.rung, other.arm, other.row) == (job.rung, job.arm, job.row)) is job
        number = next(i for i, other in enumerate(jobs, 1) if other is job)
        return row if first else "", f"{number}/{len(jobs)}  {row}, digit {job.digit}"
    classifier = f"{settings.classifier.name}{' (its weight 0: control)' if settings.control else ''}"
    prior = settings.prior.name + (f" of {settings.prior.digit}" if settings.prior.digit is not None else "")
    return f"digit {job.digit}: {job.criteria.runs} runs, prior {prior}, classifier {classifier} → {folder}", ""


def check_command(folder: Path, command: str) -> None:
    """Refuses to resume what another command began."""
    begun = read_json(folder / SWEEP).get("command", command)
    if begun != command:
        raise UserError(f"out={folder}: was begun by `{begun}`; resume it with that, or give another folder")


def run_sweep(
    settings: RunSettings, jobs: list[Job], parent: Path, one: RunOne, signals: InterruptHandler, command: Command, config: str
) -> list[Result]:
    """A record folder per class under `parent`, sweep.json and a contact sheet over all. Finished jobs are not run again."""
    kind = kind_of(parent)
    if kind == "job" and read_run(parent):
        raise UserError(f"out={parent}: holds a single job; give another folder for a sweep")
    refuse_unless_free(parent, kind, resume=settings.resume, overwrite=settings.overwrite)
    with os_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
    with locked(parent):
        if settings.overwrite:
            clear_sweep(parent)
        write_atomically(parent / CONFIG, config.encode())
        names = [job.name for job in jobs]
        about = {"status": "running", "command": command.name, "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        write_json(parent / SWEEP, {**about, "jobs": [{"folder": name} for name in names]})
        try:
            results = [run_or_reread(job, parent / name, settings.resume, one) for job, name in zip(jobs, names, strict=True)]
            (command.leave or leave_sheet)(parent, jobs, results)
        except BaseException as error:
            about["status"] = "failed" if isinstance(error, Exception) and not signals.asked() else "interrupted"
            with contextlib.suppress(UserError, OSError):  # another error is being told already
                write_json(parent / SWEEP, {**about, "jobs": [entry(parent, name) for name in names]})
            raise
        about["status"] = "done"
        write_json(parent / SWEEP, {**about, "jobs": [entry(parent, name) for name in names]})
    return results


def leave_sheet(parent: Path, jobs: list[Job], results: list[Result]) -> None:
    """A contact sheet over all jobs, and their success."""

    del results
    draw_sweep(parent, [job.name for job in jobs])


def clear_sweep(parent: Path) -> None:
    """Removes the records of the sweep before, also those of classes that this one leaves out, and what was found of them."""
    for name in (*LEFT, *PLAUSIBILITY):
        (parent / name).unlink(missing_ok=True)
    for folder in (found for pattern in JOB_FOLDERS for found in parent.glob(pattern)):
        if folder.is_dir() and kind_of(folder) == "job":
            with locked(folder):
                clear(folder)
            with contextlib.suppress(OSError):  # somebody's own files stay
                folder.rmdir()


def run_or_reread(job: Job, folder: Path, resume: bool, one: RunOne) -> Result:
    """The result of a job of a sweep; of one that is finished already, from its record."""
    saved = load_checkpoint(folder) if resume and kind_of(folder) and status_of(folder) == "done" else None
    if saved is None:
        return one(job, folder)

    check_same(folder, dump(job.settings), job.fingerprints)
    track, _ = restore(saved, job.criteria)
    return evaluate(job, track, read_images(folder, image_names(len(track.images))), str(folder))


def entry(parent: Path, name: str) -> dict[str, Any]:
    """What sweep.json says of a job: its status and totals."""
    run = read_json(parent / name / "run.json")
    keys = ("digit", "status", "evaluations", "generations", "seconds", "converged")
    return {"folder": name, **{key: run[key] for key in keys if key in run}}
