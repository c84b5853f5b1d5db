"""`fooling gallery`: every class side by side, of searches that blur with and without, in a map from no ink to ink."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fooling.run import run_job
from fooling.settings import GallerySettings, load

if TYPE_CHECKING:
    from rich.console import Console

    from fooling.job import Job
    from fooling.result import Result

SUMMARY = "every class side by side, with and without blur: where a network wants ink, and where none"
USAGE = "fooling gallery search=ascent [digit=0,1,2] key=value …"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(GallerySettings, "gallery", USAGE))
        return 0
    settings = load(arguments, GallerySettings, "gallery")
    from fooling.gallery import gallery_jobs
    from fooling.sweep import Command, run_all

    command = Command("fooling gallery", "gallery", finish=partial(finish, quiet=settings.quiet), leave=leave)
    return run_all(settings, gallery_jobs(settings), run_job, arguments, command)


def leave(folder: Path, jobs: "list[Job]", results: "list[Result]") -> None:
    """Writes gallery.json and gallery.png."""
    from fooling.gallery import summary
    from fooling.record import write_json
    from fooling.report_gallery import draw_gallery

    write_json(folder / "gallery.json", summary(jobs, results))
    draw_gallery(folder)


def finish(console: "Console", jobs: "list[Job]", results: "list[Result]", folder: Path, *, quiet: bool) -> None:
    """Shows the table."""
    from fooling.display import show_table
    from fooling.record import read_json

    del jobs, results
    if quiet:
        return
    found = read_json(folder / "gallery.json")
    columns = ["row", "digit", "converged", "confidence", *found["judges"], "steps to .99"]
    show_table(console, columns, [line(cell, found) for cell in found["cells"]], left=1)
    console.print("medians over the images; steps to .99: until the digit is first so sure", style="dim", soft_wrap=True)
    console.print(f"→ {folder}: gallery.png, gallery.json, a folder a job", markup=False, soft_wrap=True)


def line(cell: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """A line of the table."""
    from fooling.report import percent

    steps = cell["steps"]
    return [
        cell["row"],
        found["labels"][cell["digit"]],
        f"{cell['converged']['part']}/{cell['images']}",
        percent(cell["confidence"]),
        *(f"{cell['judges'][name]['share']:.0%}" for name in found["judges"]),
        "never" if steps is None else f"{steps:,.0f}",
    ]
