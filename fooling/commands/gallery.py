"""`fooling gallery`: all classes side by side; searches that blur with and without, in a map from no ink to ink."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooling.commands.console import ProgressCallback
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.grid import GridEntry
from fooling.commands.ladder import median_confidence_image
from fooling.plots.captions import percent
from fooling.plots.gallery import draw_gallery
from fooling.records import SWEEP
from fooling.run import prepare
from fooling.search.gradient_ascent import BLUR_SD
from fooling.search.result import Result
from fooling.search.state import MILESTONES
from fooling.settings import validate
from fooling.settings.commands import GallerySettings
from fooling.settings.schema import RunSettings
from fooling.settings.searches import ClimbingSettings
from fooling.statistics.intervals import proportion_with_ci

SURE = MILESTONES.index(0.99)
ALL = "all"  # the only row of a search that does not blur


def plan(settings: GallerySettings, _words: Sequence[str]) -> Plan:
    """A job for each class, row by row: without blur and with, where the search can blur."""
    one = validate(settings.model_dump(), RunSettings)
    search = settings.search
    if not isinstance(search, ClimbingSettings):
        return Plan([GridEntry(job) for job in prepare(one)])
    sds = dict.fromkeys((0.0, search.blur_sd if search.blur_sd is not None else BLUR_SD))
    return Plan([GridEntry(job, {"blur_sd": f"{sd:g}"}) for sd in sds for job in prepare(with_blur(one, sd))])


def with_blur(settings: RunSettings, sd: float) -> RunSettings:
    """The settings with a blur of this standard deviation, pixels."""
    return settings.model_copy(update={"search": settings.search.model_copy(update={"blur_sd": sd})})


def content(entries: Sequence[GridEntry], results: Sequence[Result]) -> dict[str, Any]:
    """All of gallery.json."""
    first = entries[0].job
    return {
        "search": first.settings.search.name,
        "classifier": first.settings.classifier.name,
        "labels": list(first.objective.classifier.labels),
        "judges": list(first.judges),
        "cells": [cell(entry, result) for entry, result in zip(entries, results, strict=True)],
    }


def cell(entry: GridEntry, result: Result) -> dict[str, Any]:
    """A job in gallery.json; medians are over its images. `steps`: to a confidence of .99, null if less than half reach it."""
    number, reached = len(result.images), result.evaluations_to[:, SURE]
    there = np.sort(np.where(reached < 0, np.inf, reached - 1))[(number - 1) // 2]
    return {
        "row": entry.row or ALL,
        "digit": result.digit,
        "folder": entry.folder,
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


def compute(_settings: GallerySettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """gallery.json and the table."""
    found = content(plan.entries, results)
    columns = ["row", "digit", "converged", "confidence", *found["judges"], "steps to .99"]
    note = "medians over the images; steps to .99: until the confidence is first that high"
    return Summary(found, columns, [line(cell, found) for cell in found["cells"]], [note])


def line(cell: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """A row of the table."""
    steps = cell["steps"]
    return [
        cell["row"],
        found["labels"][cell["digit"]],
        f"{cell['converged']['part']}/{cell['images']}",
        percent(cell["confidence"]),
        *(f"{cell['judges'][name]['share']:.0%}" for name in found["judges"]),
        "never" if steps is None else f"{steps:,.0f}",
    ]


def draw(folder: Path, _summary: Summary) -> None:
    """gallery.png."""
    draw_gallery(folder)


COMMAND = Experiment(
    "gallery",
    plan,
    compute,
    draw,
    ("gallery.json", "gallery.png"),
    SWEEP,
    closing="gallery.png, gallery.json, a folder a job",
)
