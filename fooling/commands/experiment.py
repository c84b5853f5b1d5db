"""What the commands of the experiments share: settings, a record folder with its status, progress, the closing line."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fooling.errors import UserError
from fooling.experiment_settings import ExperimentSettings
from fooling.paths import user_path
from fooling.settings import dump, load

if TYPE_CHECKING:
    from fooling.experiments.outcome import Outcome, Task


class Experiment(NamedTuple):
    """A command: its names and what it may leave behind."""

    name: str  # of the command, of configs/NAME.yaml, NAME.json and NAME.png
    usage: str
    model: type[ExperimentSettings]
    prepare: "Callable[[Any], Task]"  # settings → the work; refuses what does not fit together before a folder is made
    more: tuple[str, ...] = ()  # patterns of the other files that it writes

    @property
    def files(self) -> tuple[str, ...]:
        """Everything that its folder holds, as patterns, the status first."""
        return "experiment.json", "config.yaml", f"{self.name}.json", f"{self.name}.png", *self.more


def main(experiment: Experiment, arguments: Sequence[str], read: Callable[[Sequence[str]], Any] | None = None) -> int:
    """The command: → exit code. `read` makes settings of the words where more than key=value may stand there."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(experiment.model, experiment.name, experiment.usage))
        return 0
    settings: Any = read(arguments) if read else load(arguments, experiment.model, experiment.name)
    run(experiment, settings)
    return 0


def run(experiment: Experiment, settings: Any) -> "tuple[Path, Outcome]":
    """Prepares, works, writes, and says what was found: → the folder and what lies in it."""
    from rich.console import Console

    from fooling.commands.output import print_table
    from fooling.commands.progress import progress

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
    from fooling.record import EXPERIMENT, kind_of, read_json

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
    from fooling.folders import RUNS
    from fooling.record import CONFIG, EXPERIMENT, fresh_folder, locked, told, write_atomically, write_json

    named = user_path(settings.out) if settings.out else None
    folder = named or fresh_folder(RUNS, f"{experiment.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    with told(folder):
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
    from fooling.result import versions

    begun = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    seed = getattr(settings, "seed", None)
    return {"status": "", "command": f"fooling {experiment.name}", "begun": begun, "seed": seed, "versions": versions()}


def clear(experiment: Experiment, folder: Path) -> None:
    """Removes what an earlier run of the same experiment left, and nothing else."""
    from fooling.record import TEMPORARY

    for pattern in (*experiment.files, f"{TEMPORARY}*"):
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write(experiment: Experiment, folder: Path, outcome: "Outcome") -> None:
    """Writes the pictures and other files, then NAME.json: where it stands, everything does."""
    from fooling.record import told, write_atomically, write_json

    for name, content in {**outcome.files, f"{experiment.name}.png": outcome.picture}.items():
        with told(folder / name):
            (folder / name).parent.mkdir(exist_ok=True)
        write_atomically(folder / name, content)
    write_json(folder / f"{experiment.name}.json", outcome.result)
