"""Launchers: where the jobs of a command run, one after the other in this process, or side by side on workers of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from rich.console import Console

from fooling.commands.console import InterruptHandler
from fooling.commands.jobs import GridEntry, run_grid
from fooling.errors import UserError
from fooling.search.result import Result

RunJobs = Callable[[Sequence[GridEntry], Path, Console, InterruptHandler, float | None], list[Result]]  # as `run_grid`
LAUNCHERS = {"dask": "fooling.commands.launchers.dask:connected"}  # besides local; imported where they are chosen
PACKAGES = {"dask": "distributed"}  # that the extra [cluster] installs


@contextmanager
def launching(command: str, settings: Any, words: Sequence[str], alone: bool) -> Iterator[RunJobs]:
    """What runs the jobs of a command, by `launcher=`. Raises UserError where that fails, before anything is written.

    `command` is its name, `words` are those that its settings are from. `alone`: it has a single job.
    """
    launcher = getattr(settings, "launcher", None)
    if launcher is None or launcher.name == "local":
        yield run_grid
        return
    chosen = f"launcher={launcher.name}"
    if alone:
        raise UserError(f"{chosen}: expected jobs that can run side by side, such as digit=0,1,2; got one; leave launcher out")
    if find_spec(PACKAGES[launcher.name]) is None:
        raise UserError(f"{chosen} needs dask.distributed: pip install '.[cluster]' in a clone of fooling")
    with resolve_name(LAUNCHERS[launcher.name])(command, settings, words) as run_jobs:
        yield run_jobs


def refuse_objects(settings: Any, given: Any) -> None:
    """Raises UserError where workers would need an object of this program."""
    launcher = getattr(settings, "launcher", None)
    if launcher is not None and launcher.name != "local" and given:
        advice = "give classifier, judges and data as names or files, or leave launcher out"
        raise UserError(f"launcher={launcher.name}: objects of a Python program cannot be sent to workers; {advice}")
