"""What the commands of the experiments share: settings, a record folder with its status, progress, the closing line."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from fooling.commands.console import print_table, progress
from fooling.commands.outcome import ExperimentResult, Task
from fooling.errors import UserError
from fooling.records import CONFIG, EXPERIMENT, kind_of, versions
from fooling.records.files import TEMPORARY, fresh_folder, locked, os_errors, read_json, write_atomically, write_json
from fooling.records.resume import RUNS
from fooling.settings import dump, load
from fooling.settings.experiments import ExperimentSettings
from fooling.settings.fields import user_path
from fooling.settings.help import help_text


class Experiment(NamedTuple):
    """A command: its names and what it may leave behind."""

    name: str  # of the command, of configs/NAME.yaml, NAME.json and NAME.png
    usage: str
    model: type[ExperimentSettings]
    prepare: Callable[[Any], Task]  # settings → the work; refuses what does not fit together before a folder is made
    more: tuple[str, ...] = ()  # patterns of the other files that it writes

    @property
    def files(self) -> tuple[str, ...]:
        """Everything that its folder holds, as patterns, the status first."""
        return "experiment.json", "config.yaml", f"{self.name}.json", f"{self.name}.png", *self.more


def main(experiment: Experiment, arguments: Sequence[str], read: Callable[[Sequence[str]], Any] | None = None) -> int:
    """The command: → exit code. `read` makes settings of the words where more than key=value may stand there."""
    if {"--help", "-h", "help"} & set(arguments):
        sys.stdout.write(help_text(experiment.model, experiment.name, experiment.usage, arguments))
        return 0
    settings: Any = read(arguments) if read else load(arguments, experiment.model, experiment.name)
    run(experiment, settings)
    return 0


def run(experiment: Experiment, settings: Any) -> tuple[Path, ExperimentResult]:
    """Prepares, works, writes, and says what was found: → the folder and what lies in it."""

    if settings.out:
        refuse_unless_free(experiment, user_path(settings.out), settings.overwrite)
    task = experiment.prepare(settings)
    with opened(experiment, settings) as folder, progress(Console(), settings.quiet) as watch:
        outcome = task(watch)
        write(experiment, folder, outcome)
    if not settings.quiet:
        print_table(outcome.columns, outcome.rows, left=1)
        for line in outcome.said:
            print(line)
        print(f"→ {folder}: {experiment.name}.png, {experiment.name}.json{', …' if outcome.files else ''}")
    return folder, outcome


def refuse_unless_free(experiment: Experiment, folder: Path, overwrite: bool) -> None:
    """Refuses a folder of somebody else's files, and the same experiment's record without `overwrite`."""

    kind = kind_of(folder)
    if not kind:
        return
    begun = read_json(folder / EXPERIMENT).get("command") if kind == "experiment" else None
    ours = f"fooling {experiment.name}"
    if begun != ours:
        holds = f"the record of `{begun}`" if begun else "other files than this experiment's"
        raise UserError(f"out={folder}: holds {holds}; give an empty or a new folder")
    if not overwrite:
        raise UserError(f"out={folder}: holds a record of {ours}; overwrite=true replaces it, or give another folder")


@contextlib.contextmanager
def opened(experiment: Experiment, settings: Any) -> Iterator[Path]:
    """A folder for the record, its experiment.json telling how far it is; nobody else may write to it meanwhile."""

    named = user_path(settings.out) if settings.out else None
    folder = named or fresh_folder(RUNS, f"{experiment.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        clear(experiment, folder)
        about, start = describe(experiment, settings), time.perf_counter()
        write_json(folder / EXPERIMENT, {**about, "status": "running"})
        write_atomically(folder / CONFIG, dump(settings, about["command"]).encode())
        try:
            yield folder
        except BaseException as error:
            is_failure = isinstance(error, Exception)
            about |= {"status": "failed", "error": str(error)} if is_failure else {"status": "interrupted"}
            with contextlib.suppress(OSError, UserError):  # another error is being told already
                write_json(folder / EXPERIMENT, about)
            raise
        write_json(folder / EXPERIMENT, {**about, "status": "done", "seconds": round(time.perf_counter() - start, 3)})


def describe(experiment: Experiment, settings: Any) -> dict[str, Any]:
    """What experiment.json says besides the status."""

    begun = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    seed = getattr(settings, "seed", None)
    return {"status": "", "command": f"fooling {experiment.name}", "begun": begun, "seed": seed, "versions": versions()}


def clear(experiment: Experiment, folder: Path) -> None:
    """Removes what an earlier run of the same experiment left, and nothing else."""

    for pattern in (*experiment.files, f"{TEMPORARY}*"):
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write(experiment: Experiment, folder: Path, outcome: ExperimentResult) -> None:
    """Writes the pictures and other files, then NAME.json: where it stands, everything does."""

    for name, content in {**outcome.files, f"{experiment.name}.png": outcome.picture}.items():
        with os_errors(folder / name):
            (folder / name).parent.mkdir(exist_ok=True)
        write_atomically(folder / name, content)
    write_json(folder / f"{experiment.name}.json", outcome.result)
