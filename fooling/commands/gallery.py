"""`fooling gallery`: all classes side by side; searches that blur with and without, in a map from no ink to ink."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from fooling.classifiers.labels import class_name, refuse_two_meanings
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.progress import ProgressCallback
from fooling.kernels.tables import Bytes
from fooling.plots import percent, shorten
from fooling.plots.sheets import read_shown
from fooling.plots.style import DIVERGING, INK, SMALL, headline, new_figure, show_image, to_png
from fooling.records.files import read_json, write_atomically
from fooling.records.ownership import SWEEP
from fooling.run import prepare
from fooling.search.gradient_ascent import BLUR_SD
from fooling.search.result import Result, median_confidence_index
from fooling.search.state import MILESTONES
from fooling.settings import validate
from fooling.settings.commands import GallerySettings
from fooling.settings.schema import RunSettings
from fooling.settings.searches import ClimbingSettings
from fooling.statistics.intervals import proportion_with_ci

SURE = MILESTONES.index(0.99)
COLUMNS = 10  # classes side by side; further ones stand below
LETTERS, SHORT = 16, 5  # of a class name, at most; fewer than SHORT share a line with the confidence
NEWLINE = "\n"
SIDE = 1.15  # of an image, inches
ALL = "all"  # the only row of a search that does not blur
Cell = Mapping[str, Any]  # a job in gallery.json


def plan(settings: GallerySettings, _words: Sequence[str]) -> Plan:
    """A job for each class, row by row: without blur and with, where the search can blur."""
    one = validate(settings.model_dump(), RunSettings)
    search = settings.search
    if not isinstance(search, ClimbingSettings):
        entries = [GridEntry(job) for job in prepare(one)]
    else:
        sds = dict.fromkeys((0.0, search.blur_sd if search.blur_sd is not None else BLUR_SD))
        entries = [GridEntry(job, {"blur_sd": f"{sd:g}"}) for sd in sds for job in prepare(with_blur(one, sd))]
    refuse_two_meanings(settings.digit, entries[0].job.objective.classifier.labels)
    return Plan(entries)


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
        "shown": median_confidence_index(result.confidence),
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
        shorten(class_name(cell["digit"], found["labels"][cell["digit"]]), 40),
        f"{cell['converged']['part']}/{cell['images']}",
        percent(cell["confidence"]),
        *(f"{cell['judges'][name]['share']:.0%}" for name in found["judges"]),
        "never" if steps is None else f"{steps:,.0f}",
    ]


# --- the picture -------------------------------------------------------------------------------------------------------
def draw(folder: Path, _summary: Summary) -> None:
    """gallery.png from gallery.json: the image of median confidence of each job, a row for each blur.

    Grey images are coloured from blue (no ink) over white (grey) to red (ink).
    """
    summary = read_json(folder / "gallery.json")
    lines = picture_lines(summary["cells"])
    columns = max(len(cells) for _, cells in lines)
    figure = new_figure(max(4.5, SIDE * columns + 1.6), (SIDE + 0.25) * len(lines) + 0.45)
    grid = figure.subplots(len(lines), columns, squeeze=False)
    mapped = None
    for axes, (row, cells) in zip(grid, lines, strict=True):
        for place in axes:
            place.set_axis_off()
        for place, cell in zip(axes, cells, strict=False):
            mapped = draw_cell(place, read_shown(folder, cell), cell, summary["labels"]) or mapped
        middle = {"ha": "right", "va": "center", "transform": axes[0].transAxes}
        axes[0].text(-0.08, 0.5, row_name(row), fontsize=SMALL, color=INK, **middle)
    headline(figure, f"search={summary['search']} against {summary['classifier']}")
    if mapped is not None:
        bar = figure.colorbar(mapped, ax=grid, shrink=0.8, pad=0.02, ticks=[0, 127.5, 255])
        bar.ax.set_yticklabels(["no ink\n(black)", "grey", "ink\n(white)"], fontsize=SMALL, color=INK)
        bar.outline.set_visible(False)
    write_atomically(folder / "gallery.png", to_png(figure))


def picture_lines(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """The lines of the picture with the names of their rows: every row for the first ten classes, then for the next ten."""
    rows = list(dict.fromkeys(cell["row"] for cell in cells))
    of_row = {row: [cell for cell in cells if cell["row"] == row] for row in rows}
    classes = len(of_row[rows[0]])
    return [(row, of_row[row][lo : lo + COLUMNS]) for lo in range(0, classes, COLUMNS) for row in rows]


def row_name(row: str) -> str:
    """blur_sd=0.5 → blur 0.5; a search without blur has one row, without a name."""
    name = "" if row == ALL else row.replace("blur_sd=", "blur\n")
    return "no blur" if name == "blur\n0" else name


def draw_cell(axes: Axes, image: Bytes, cell: Cell, labels: Sequence[str]) -> AxesImage | None:
    """One image with its class and confidence; → what a colour bar needs, None for an image in colour."""
    name = shorten(class_name(cell["digit"], labels[cell["digit"]]), LETTERS)
    title = f"{name}:{' ' if len(name) < SHORT else NEWLINE}{percent(cell['confidence'])}"
    axes.set_title(title, fontsize=SMALL, color=INK, pad=3, parse_math=False)
    shown = show_image(axes, image, DIVERGING)
    return shown if image.shape[2] == 1 else None


COMMAND = Experiment(
    "gallery",
    plan,
    compute,
    draw,
    ("gallery.json", "gallery.png"),
    SWEEP,
    closing="gallery.png, gallery.json, a folder a job",
)
