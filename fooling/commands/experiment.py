"""The one face of commands: words → settings → plan → results of the jobs → summary → pictures and a table."""

import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from fooling.commands.console import InterruptHandler, ProgressCallback, progress, show_table
from fooling.commands.grid import GridEntry, describe_job, run_entry, run_grid, title_of
from fooling.errors import Interrupted, UserError
from fooling.records import EXPERIMENT, STATUS_FILES, recording, status_of, versions
from fooling.records.files import os_errors, write_atomically, write_json
from fooling.records.resume import check_same, choose_folder, refuse_unless_free
from fooling.search.result import Result
from fooling.settings import dump, validate
from fooling.settings.fields import user_path
from fooling.settings.files import flat, merge
from fooling.settings.help import help_text
from fooling.settings.overrides import collect, read_words


@dataclass(frozen=True)
class Plan:
    """What a command will do: everything that can be refused has been checked."""

    entries: Sequence[GridEntry] = ()  # the jobs to evolve, each with a record in the command's folder
    inputs: Any = None  # what `compute` needs besides the results
    name: str = ""  # of a fresh folder; '' = the command's
    written: Mapping[str, Any] | None = None  # full names and values of the settings in config.yaml; None = all


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
    command: str = ""  # as it is typed; '' = fooling NAME
    alone: Callable[[Any], bool] = lambda settings: False  # settings → whether the folder is the record of its only job

    @property
    def typed(self) -> str:
        """The command as it is typed."""
        return self.command or f"fooling {self.name}"

    def run(self, settings: Any, words: Sequence[str]) -> int:
        """Runs the command → exit code 0, or 130 and 143 when it is interrupted."""
        alone = self.alone(settings)
        kind = "job" if alone else STATUS_FILES[self.status_file]
        options = {"resume": settings.resume, "overwrite": settings.overwrite}
        if settings.out and self.status_file == EXPERIMENT:  # before the data are read
            refuse_unless_free(user_path(settings.out), kind, self.typed, **options)
        plan, console = self.plan(settings, words), Console(highlight=False)
        config = dump(settings, self.typed, plan.written)
        folder, begun = choose_folder(settings.out, settings.resume, config, plan.name or self.name)
        refuse_unless_free(folder, kind, self.typed, **options)
        if begun:
            check_same(folder, config, plan.entries[0].job.fingerprints if alone else {})
            if status_of(folder) == "done":
                console.print(f"{folder} is finished: nothing to resume", markup=False, soft_wrap=True)
                return 0
        elif settings.resume:
            console.print(f"nothing to resume: starting in {folder}", markup=False, soft_wrap=True)
        signals = InterruptHandler()
        try:
            summary = (self.run_alone if alone else self.run_all)(settings, plan, folder, config, console, signals)
        except Interrupted:
            again = [word for word in words if word.partition("=")[0] not in ("resume", "overwrite")]
            command = shlex.join([*again, "resume=true"])
            sys.stderr.write(f"fooling: interrupted; {folder} holds a checkpoint. Continue: {self.typed} {command}\n")
            return signals.code
        if not settings.quiet:
            self.show(console, summary, folder)
        return 0

    def run_alone(
        self, settings: Any, plan: Plan, folder: Path, config: str, console: Console, signals: InterruptHandler
    ) -> Summary:
        """Runs the only job; the folder is its record."""
        del config
        (entry,) = plan.entries
        with signals:
            result = run_entry(entry.job, folder, console, signals, title=title_of(entry.job, folder))
        return self.compute(settings, plan, [result], lambda what, done, total: None)

    def run_all(
        self, settings: Any, plan: Plan, folder: Path, config: str, console: Console, signals: InterruptHandler
    ) -> Summary:
        """Runs the jobs, computes, writes NAME.json, then draws; the status file follows."""
        start, names = time.perf_counter(), [entry.folder for entry in plan.entries]
        about, overwrite = self.describe(settings, names), settings.overwrite
        with recording(folder, config, self.status_file, overwrite=overwrite, about=about) as record:
            try:
                with signals:
                    results = run_grid(plan.entries, folder, console, signals)
                with progress(console, settings.quiet) as watch:
                    summary = self.compute(settings, plan, results, watch)
                self.write(folder, summary)
                self.draw(folder, summary)
                record.about["seconds"] = round(time.perf_counter() - start, 3)
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
            with os_errors(folder / name):
                (folder / name).parent.mkdir(exist_ok=True)
            write_atomically(folder / name, content)
        if summary.content:
            write_json(folder / f"{self.name}.json", summary.content)

    def show(self, console: Console, summary: Summary, folder: Path) -> None:
        """The table, what it means, and where the files are."""
        show_table(console, summary.columns, summary.rows, summary.left)
        for line in summary.lines:
            console.print(Text(line), soft_wrap=True)
        more = ", …" if summary.files else ""
        closing = self.closing or f"{self.name}.png, {self.name}.json{more}"
        console.print(Text(f"→ {folder}: {closing}"), soft_wrap=True)


@dataclass(frozen=True)
class Tool:
    """A command that writes single files, or only to the terminal."""

    work: Callable[[Any], None]  # settings → files and a table

    def run(self, settings: Any, words: Sequence[str]) -> int:
        """Runs the command → exit code 0."""
        del words
        self.work(settings)
        return 0


HELP = {"--help", "-h", "help"}


class Command(NamedTuple):
    """A row of the table of commands."""

    group: str  # of the overview
    summary: str
    settings: str  # module:class
    module: str  # has COMMAND, an object with run(settings, words) -> exit code
    usage: str = "key=value …"  # what follows `fooling NAME`
    made: Mapping[str, str] = {}  # full names of settings that the command makes itself, each with what to do instead
    positional: str = ""  # the setting that words without a = are of


def usage(name: str, command: Command) -> str:
    """The first line of the help."""
    return f"fooling {name} {command.usage}"


def help_of(name: str, command: Command, words: Sequence[str]) -> str:
    """The help of a command: every setting that it has under these words."""
    model = resolve_name(command.settings)
    _, others = split_words(command, words)
    return help_text(model, name, usage(name, command), [word for word in others if word not in HELP], command.made)


def load_settings(name: str, command: Command, words: Sequence[str]) -> Any:
    """The settings of a command. Raises UserError with all problems."""
    model: type[BaseModel] = resolve_name(command.settings)
    values, others = split_words(command, words)
    for setting, value in flat(merge(*read_words(others, model))):
        if setting in command.made and value is not None:
            raise UserError(f"{setting.removesuffix('.name')}: {command.made[setting]}")
    # a prior of one job may choose a search that has a setting which that of another lacks
    tree = collect(others, model, name, partial="prior.name" in command.made)
    if command.positional:
        tree[command.positional] = with_positional(name, command, tree[command.positional], values)
    return validate(tree, model)


def split_words(command: Command, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are values of the positional setting, and the others."""
    values = [word for word in words if command.positional and is_value(word)]
    return values, [word for word in words if word not in values]


def is_value(word: str) -> bool:
    """Whether a word is no setting: it has no = in its name, or is a path; .yaml is a file of settings."""
    if word.startswith("-") or word.endswith((".yaml", ".yml")) or word == "help":
        return False
    name, equals, _ = word.partition("=")
    return not equals or "/" in name or Path(word).exists()


def with_positional(name: str, command: Command, present: Any, values: Sequence[str]) -> Any:
    """The value of the positional setting: a list, or a single word."""
    if isinstance(present, list):
        return list(values) or present
    if len(values) > 1:
        raise UserError(f"{command.positional}: expected one, got {', '.join(values)}; usage: {usage(name, command)}")
    return values[0] if values else present
