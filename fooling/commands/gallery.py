"""`fooling gallery`: every class side by side, of searches that blur with and without, in a map from no ink to ink."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fooling.commands.console import show_table
from fooling.commands.grid import Command, run_all
from fooling.commands.ladder import median_confidence_image
from fooling.plots.captions import percent
from fooling.plots.gallery import draw_gallery
from fooling.records.files import read_json, write_json
from fooling.run import prepare, run_job
from fooling.search.gradient_ascent import BLUR_SD
from fooling.search.job import Job, digits
from fooling.search.result import Result
from fooling.search.state import MILESTONES
from fooling.settings import load, validate
from fooling.settings.commands import GallerySettings
from fooling.settings.help import help_text
from fooling.settings.schema import RunSettings
from fooling.settings.searches import ClimbingSettings
from fooling.statistics.intervals import proportion_with_ci

SURE = MILESTONES.index(0.99)
ALL = "all"  # the only row of a search that does not blur


def gallery_jobs(settings: GallerySettings) -> list[Job]:
    """The jobs, row by row."""
    own = validate(settings.model_dump(), RunSettings)
    if not isinstance(settings.search, ClimbingSettings):
        return named(own, ALL)
    sds = dict.fromkeys((0.0, settings.search.blur_sd if settings.search.blur_sd is not None else BLUR_SD))
    return [job for sd in sds for job in named(with_blur(own, sd), f"blur_sd={sd:g}")]


def with_blur(settings: RunSettings, sd: float) -> RunSettings:
    """The settings with a blur of this standard deviation, pixels."""
    return settings.model_copy(update={"search": settings.search.model_copy(update={"blur_sd": sd})})


def named(settings: RunSettings, row: str) -> list[Job]:
    """The jobs of a row, one for each class."""
    jobs = prepare(settings)
    wanted = digits(settings, jobs[0].objective.classifier.num_classes)
    return [replace(job, row=row if row != ALL else "", alone=False) for job, _ in zip(jobs, wanted, strict=True)]


def summary(jobs: Sequence[Job], results: Sequence[Result]) -> dict[str, Any]:
    """All of gallery.json."""
    first = jobs[0]
    return {
        "search": first.settings.search.name,
        "classifier": first.settings.classifier.name,
        "labels": list(first.objective.classifier.labels),
        "judges": list(first.judges),
        "cells": [cell(job, result) for job, result in zip(jobs, results, strict=True)],
    }


def cell(job: Job, result: Result) -> dict[str, Any]:
    """What gallery.json says of a job; medians are over its images. `steps` to .99 on the way: null if not half got there."""
    number, reached = len(result.images), result.evaluations_to[:, SURE]
    there = np.sort(np.where(reached < 0, np.inf, reached - 1))[(number - 1) // 2]
    return {
        "row": job.row or ALL,
        "digit": result.digit,
        "folder": job.name,
        "images": number,
        "shown": median_confidence_image(result),
        "confidence": float(np.median(result.confidence)),
        "converged": proportion_with_ci(int(result.converged.sum()), number),
        "judges": {
            name: proportion_with_ci(int((scores.argmax(axis=1) == result.digit).sum()), number)
            for name, scores in result.judges.items()
        },
        "steps": float(there) if np.isfinite(there) else None,
    }


SUMMARY = "every class side by side, with and without blur: where a network wants ink, and where none"
USAGE = "fooling gallery search=ascent [digit=0,1,2] key=value …"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        sys.stdout.write(help_text(GallerySettings, "gallery", USAGE, arguments))
        return 0
    settings = load(arguments, GallerySettings, "gallery")

    command = Command("fooling gallery", "gallery", finish=partial(finish, quiet=settings.quiet), leave=leave)
    return run_all(settings, gallery_jobs(settings), run_job, arguments, command)


def leave(folder: Path, jobs: list[Job], results: list[Result]) -> None:
    """Writes gallery.json and gallery.png."""

    write_json(folder / "gallery.json", summary(jobs, results))
    draw_gallery(folder)


def finish(console: Console, jobs: list[Job], results: list[Result], folder: Path, *, quiet: bool) -> None:
    """Shows the table."""

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

    steps = cell["steps"]
    return [
        cell["row"],
        found["labels"][cell["digit"]],
        f"{cell['converged']['part']}/{cell['images']}",
        percent(cell["confidence"]),
        *(f"{cell['judges'][name]['share']:.0%}" for name in found["judges"]),
        "never" if steps is None else f"{steps:,.0f}",
    ]
