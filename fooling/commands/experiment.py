"""The one face of commands: settings → plan → results of the jobs → summary → pictures and a table."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from rich.console import Console

from fooling.commands.compilation import announce_jax, compilation_note
from fooling.commands.console import InterruptHandler, print_line, show_table
from fooling.commands.jobs import GridEntry, describe_job, run_entry, title_of
from fooling.commands.launchers import RunJobs, launching
from fooling.commands.progress import FIRST_SECONDS, ProgressCallback, progress, working
from fooling.errors import Interrupted, UserError, masked, say
from fooling.kernels.numba.compile import working_time
from fooling.records.files import make_folder, read_json, refuse_link, write_atomically, write_json
from fooling.records.ownership import EXPERIMENT, EXTENDED, STATUS_FILES, read_status
from fooling.records.record import recording, status_of, versions
from fooling.records.resume import check_fingerprints, check_same, choose_folder, extension_notes, refuse_unless_free
from fooling.report import HTML, has_page, write_report
from fooling.run import check_folder
from fooling.search.result import Result
from fooling.settings import dump
from fooling.settings.fields import same_folder, user_path

VIEWER = "fooling.report.viewer:viewing"


@dataclass(frozen=True)
class Plan:
    """What a command will do: everything that can be refused has been checked."""

    entries: Sequence[GridEntry] = ()  # the jobs to evolve, each with a record in the command's folder
    inputs: Any = None  # what `compute` needs besides the results
    name: str = ""  # of a fresh folder; '' = the command's
    settings: Any = None  # as the jobs have resolved them; None = as given
    written: Mapping[str, Any] | None = None  # full names and values of the settings in config.yaml; None = all
    depends: Mapping[str, Any] = field(default_factory=dict)  # fingerprints of what there is no job for
    seconds: float | None = None  # until the jobs are over: those that are not done by then are left out

    @property
    def fingerprints(self) -> dict[str, Any]:
        """Of what the first job, or the command, depends on besides the settings: a record goes on with the same alone."""
        return {**(self.entries[0].job.fingerprints if self.entries else {}), **self.depends}


@dataclass(frozen=True)
class Summary:
    """What a command found."""

    content: Mapping[str, Any]  # of NAME.json; {} = there is none
    columns: Sequence[str]  # of the table on the terminal …
    rows: Sequence[Sequence[str]]  # … and its cells
    lines: Sequence[str] = ()  # below the table
    figure: Any = None  # what the pictures show besides the content
    files: Mapping[str, bytes] = field(default_factory=dict)  # more files, by their names in the folder
    left: int = 1  # columns that are aligned to the left
    last: Sequence[str] = ()  # lines below all others: what the jobs did not reach
    closing: str = ""  # what the last line names, if it is not the usual
    failures: Sequence[str] = ()  # rules that do not hold, a line each: the exit code is 1


@dataclass(frozen=True)
class Done:
    """A record that a command has made, or has left as it was."""

    folder: Path
    settings: Any  # as the jobs have resolved them
    summary: Summary | None = None  # None: it was interrupted, or was finished before
    failures: Sequence[str] = ()  # rules that do not hold, a line each
    code: int = 0  # exit code after a signal


@dataclass(frozen=True)
class Experiment:
    """A command that leaves one folder."""

    name: str  # of the command, of configs/NAME.yaml and NAME.json
    plan: Callable[[Any, Sequence[str]], Plan]  # settings and the words they are from; refuses before anything is written
    compute: Callable[[Any, Plan, list[Result], ProgressCallback], Summary]
    draw: Callable[[Path, Summary], None]  # writes the pictures into the folder
    files: tuple[str, ...]  # patterns of what it writes besides config.yaml, the status file and the records of its jobs
    status_file: str = EXPERIMENT
    closing: str = ""  # what the last line names; '' = NAME.png, NAME.json
    closing_alone: str = ""  # the same where the folder is the record of its only job
    command: str = ""  # as it is typed; '' = fooling NAME
    alone: Callable[[Any], bool] = lambda settings: False  # settings → whether the folder is the record of its only job
    # what comes before the jobs, with files of its own in the record's folder → the plan with what was found
    begin: Callable[[Any, Plan, Path, Console, InterruptHandler], Plan] = lambda settings, plan, folder, console, signals: plan
    again: Callable[[Any, Path], Sequence[str]] = lambda settings, folder: ()  # rules that a finished record does not keep
    plan_on_worker: Callable[[Any, Sequence[str]], Plan] | None = None  # for launcher=dask, if it differs from `plan`

    @property
    def typed(self) -> str:
        """The command as it is typed."""
        return self.command or f"fooling {self.name}"

    @property
    def plan_of_worker(self) -> Callable[[Any, Sequence[str]], Plan]:
        """What prepares the jobs on a worker: at least those of the command's own plan, whatever the worker's speed."""
        return self.plan_on_worker or self.plan

    def finished(self, folder: str | Path) -> tuple[Path, dict[str, Any]]:
        """The folder of a finished record of the command, and what NAME.json holds. Raises UserError for any other folder."""
        place = user_path(folder)
        about = read_status(place) if place.is_dir() else {}
        if about.get("command") != self.typed or about.get("status") != "done":
            got = f"one of `{about['command']}`, {about.get('status')}" if "command" in about else "none"
            raise UserError(f"{folder}: expected the folder of a finished record of `{self.typed}`, got {got}")
        return place, read_json(place / f"{self.name}.json")

    def run(self, settings: Any, words: Sequence[str]) -> int:
        """Runs the command → exit code 0, or 130 and 143 when it is interrupted."""
        kind = "job" if self.alone(settings) else STATUS_FILES[self.status_file]
        options = {"resume": settings.resume, "overwrite": settings.overwrite}
        if settings.out and self.status_file == EXPERIMENT:  # before the data are read
            refuse_unless_free(user_path(settings.out), kind, self.typed, **options)
        console = Console(highlight=False)
        with compilation_note(console, settings):
            return self.carry_out(settings, words, console, kind)

    def carry_out(self, settings: Any, words: Sequence[str], console: Console, kind: str) -> int:
        """Makes the record, draws its page and shows what was found → exit code."""
        with ExitStack() as view:
            done = self.make(settings, words, console, kind, view)
            if done.code:
                again = [word for word in words if word.partition("=")[0] not in ("resume", "overwrite")]
                command = shlex.join([*map(masked, again), "resume=true"])
                say(f"fooling: interrupted; {done.folder} holds a checkpoint. Continue: {self.typed} {command}")
                return done.code
            if done.summary:
                reported = draw_report(done.folder)
                if not settings.quiet:
                    closing = self.closing_alone if self.alone(done.settings) else self.closing
                    self.show(console, done.summary, done.folder, closing, reported)
        return self.exit_code(done.failures)

    def make(self, settings: Any, words: Sequence[str], console: Console, kind: str, view: ExitStack | None = None) -> "Done":
        """Plans, computes and draws; a record that is finished is left as it is. `view` ends what view=true begins."""
        with launching(self.name, settings, words, self.alone(settings)) as run_jobs:
            return self.make_with(run_jobs, settings, words, console, kind, view)

    def make_with(
        self, run_jobs: RunJobs, settings: Any, words: Sequence[str], console: Console, kind: str, view: ExitStack | None
    ) -> "Done":
        """The same, with what runs the jobs."""
        with same_folder(), working("reading data and model, scoring test images", settings.quiet, FIRST_SECONDS):
            alone, plan = self.alone(settings), self.plan(settings, words)
        settings = plan.settings or settings
        options = {"resume": settings.resume, "overwrite": settings.overwrite}
        config = dump(plan.entries[0].job.settings if alone else settings, self.typed, plan.written)
        fixed = {name: reason for entry in plan.entries for name, reason in entry.job.fixed_limits.items()}
        folder, begun = choose_folder(settings.out, settings.resume, config, plan.name or self.name, fixed)
        refuse_unless_free(folder, kind, self.typed, **options)
        if begun:
            extension = check_same(folder, config, {}, fixed)
            check_fingerprints(folder, read_status(folder), plan.fingerprints)
            if status_of(folder) == "done" and not extension:
                console.print(f"{folder} is finished: nothing to resume", markup=False, soft_wrap=True)
                return Done(folder, settings, failures=self.again(settings, folder))
        elif settings.resume:
            console.print(f"nothing to resume: starting in {folder}", markup=False, soft_wrap=True)
        for entry in plan.entries:
            if not alone:
                refuse_link(folder / entry.folder)
            check_folder(entry.job, folder if alone else folder / entry.folder)
        announce_jax(console, settings)
        notes = extension_notes(read_status(folder)) if begun else []
        if begun and extension:
            notes = list(dict.fromkeys([*notes, EXTENDED + ", ".join(extension)]))
        signals = InterruptHandler()
        if view is not None and getattr(settings, "view", False):  # imported by then alone
            view.enter_context(
                resolve_name(VIEWER)(folder, partial(print_line, Console(highlight=False, quiet=settings.quiet)))
            )
        try:
            if alone:
                summary = self.run_alone(settings, plan, folder, console, signals)
            else:
                summary = self.run_all(settings, plan, folder, config, notes, console, signals, run_jobs)
        except Interrupted:
            return Done(folder, settings, code=signals.code)
        return Done(folder, settings, summary, summary.failures)

    def exit_code(self, failures: Sequence[str]) -> int:
        """1 if rules do not hold, after a line for each, else 0."""
        for line in failures:
            say(f"{self.typed}: {line}")
        return 1 if failures else 0

    def run_alone(self, settings: Any, plan: Plan, folder: Path, console: Console, signals: InterruptHandler) -> Summary:
        """Runs the only job; the folder is its record."""
        (entry,) = plan.entries
        with signals:
            result = run_entry(entry.job, folder, console, signals, title=title_of(entry.job, folder))
        return self.compute(settings, plan, [result], lambda what, done, total: None)

    def run_all(
        self,
        settings: Any,
        plan: Plan,
        folder: Path,
        config: str,
        notes: list[str],
        console: Console,
        signals: InterruptHandler,
        run_jobs: RunJobs,
    ) -> Summary:
        """Runs the jobs, computes, writes NAME.json, then draws; the status file follows."""
        start, names = working_time(), [entry.folder for entry in plan.entries]
        about = self.describe(settings, names) | plan.fingerprints | ({"notes": notes} if notes else {})
        overwrite = settings.overwrite
        with recording(folder, config, self.status_file, overwrite=overwrite, about=about) as record:
            try:
                with signals:
                    plan = self.begin(settings, plan, folder, console, signals)
                    if signals.code:
                        raise Interrupted
                    seconds = None if plan.seconds is None else plan.seconds - (working_time() - start)
                    results = run_jobs(plan.entries, folder, console, signals, seconds)
                with progress(console, settings.quiet) as watch:
                    summary = self.compute(settings, plan, results, watch)
                self.write(folder, summary)
                self.draw(folder, summary)
                record.about["seconds"] = round(working_time() - start, 3)
            finally:
                if names:
                    record.about["jobs"] = [describe_job(folder, name) for name in names]
        return summary

    def describe(self, settings: Any, names: Sequence[str]) -> dict[str, Any]:
        """The keys of the status file at the start."""
        return {
            "command": self.typed,
            "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "seed": getattr(settings, "seed", None),
            "versions": versions(),
            "files": list(self.files),
            **({"jobs": [{"folder": name} for name in names]} if names else {}),
        }

    def write(self, folder: Path, summary: Summary) -> None:
        """Writes NAME.json and the other files."""
        for name, content in summary.files.items():
            if Path(name).parent != Path():
                make_folder((folder / name).parent)
            write_atomically(folder / name, content)
        if summary.content:
            write_json(folder / f"{self.name}.json", summary.content)

    def show(self, console: Console, summary: Summary, folder: Path, closing: str, reported: Sequence[str] = ()) -> None:
        """The table, what it means, and where the files are."""
        show_table(console, summary.columns, summary.rows, summary.left)
        for line in summary.lines:
            print_line(console, line)
        more = ", …" if summary.files else ""
        closing = summary.closing or closing or f"{self.name}.png, {self.name}.json{more}"
        print_line(console, f"→ {folder}: {', '.join([*reported, closing])}")
        for line in summary.last:
            print_line(console, line)


def draw_report(folder: Path) -> list[str]:
    """Draws the page of a finished record → its name; where it cannot, says why: the record is whole without it."""
    try:
        if not has_page(folder):
            return []
        write_report(folder)
    except UserError as error:
        say(f"fooling: no {HTML}: {error}")
        return []
    return [HTML]


@dataclass(frozen=True)
class Tool:
    """A command that writes single files, or only to the terminal."""

    work: Callable[[Any], Sequence[str] | None]  # settings → files and a table; → rules that do not hold, a line each

    def run(self, settings: Any, words: Sequence[str]) -> int:
        """Runs the command → exit code 0, or 1 if rules do not hold."""
        del words
        failures = self.work(settings) or ()
        for line in failures:
            say(f"fooling: {line}")
        return 1 if failures else 0
