"""`fooling matrix`: the prior of one class and the target of another, for every pair of classes."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fooling.errors import UserError
from fooling.job import prepare
from fooling.run import run_job
from fooling.settings import MatrixSettings, load

if TYPE_CHECKING:
    from rich.console import Console

    from fooling.job import Job
    from fooling.result import Result

SUMMARY = "images that others read as one class and the classifier as another, for every pair"
USAGE = "fooling matrix [digit=0,1,2] key=value …   (preset=mismatched unless another is given)"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(MatrixSettings, "matrix", USAGE, ("prior.digit",)))
        return 0
    settings = read(arguments)
    from fooling.matrix import split_judges
    from fooling.sweep import Command, run_all

    jobs = prepare(settings, mismatched=True)
    split_judges(jobs[0].judges, jobs[0].objective.classifier)
    command = Command("fooling matrix", "matrix", finish=partial(finish, quiet=settings.quiet), leave=leave)
    return run_all(settings, jobs, run_job, arguments, command)


def read(arguments: list[str]) -> MatrixSettings:
    """The settings, by default those of preset=mismatched for all classes."""
    settings = load(arguments, MatrixSettings, "matrix")
    if settings.prior.digit is not None:
        raise UserError(f"prior.digit={settings.prior.digit}: the matrix takes every class's prior; leave it out")
    if not settings.sweeps or (isinstance(settings.digit, tuple) and len(settings.digit) < 2):
        raise UserError(f"digit={settings.digit}: expected two classes or more, for example digit=3,4 or digit=all")
    return settings


def leave(folder: Path, jobs: "list[Job]", results: "list[Result]") -> None:
    """Writes matrix.json and matrix.png."""
    from fooling.matrix import summary
    from fooling.record import write_json
    from fooling.report import draw_matrix

    write_json(folder / "matrix.json", summary(jobs, results))
    draw_matrix(folder)


def finish(console: "Console", jobs: "list[Job]", results: "list[Result]", folder: Path, *, quiet: bool) -> None:
    """Shows the table."""
    from fooling.display import show_table
    from fooling.matrix import lines
    from fooling.record import read_json

    del jobs, results
    found = read_json(folder / "matrix.json")
    if quiet:
        return
    counts = {(entry["prior"], entry["digit"]): f"{entry['fooled']}/{entry['images']}" for entry in found["pairs"]}
    classes = sorted({b for _, b in counts})
    rows = [[f"prior of {a}", *(counts.get((a, b), "") for b in classes)] for a in classes]
    show_table(console, ["", *(f"sure of {b}" for b in classes)], rows)
    for line in lines(found):
        console.print(line, soft_wrap=True)
    console.print(f"→ {folder}: matrix.png, matrix.json, a folder a pair", markup=False, soft_wrap=True)
