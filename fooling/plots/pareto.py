"""front.png of `search=pareto`: the target term against the distance from the prior, and images along the front."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.kernels.tables import Doubles, Ints
from fooling.plots.captions import percent
from fooling.plots.style import GREY, INK, LABEL, RED, label_axes, legend, new_figure, tile, to_png
from fooling.records import read_image, read_run
from fooling.records.files import write_atomically
from fooling.search.pareto_front import FRONT, nondominated

FILES = ("front.png",)
MAX_IMAGES = 8  # along the front


def draw_front(folder: Path) -> None:
    """front.png from front.csv: the front of each run, the front of all of them, and images along it."""
    with (folder / FRONT).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points = np.array([(float(row["target"]), float(row["prior"])) for row in rows])
    runs, pooled = np.array([int(row["run"]) for row in rows]), nondominated(points)
    stops = pooled[evenly_spaced(points[pooled], MAX_IMAGES)]
    figure = new_figure(8, 6.2)
    grid = figure.add_gridspec(2, len(stops), height_ratios=(4, 1))
    axes = figure.add_subplot(grid[0, :])
    draw_curves(axes, points, runs, pooled)
    about = read_run(folder)
    title = f"digit {about['digit']}, prior {about['prior']}: {len(rows):,} images in the fronts of {runs.max() + 1} runs"
    label_axes(
        axes,
        f"{title}, median hypervolume {about['hypervolume_median']:.4f}",
        "target term (left: higher confidence)",
        "distance from the prior (down: closer to the training set)",
    )
    for i, stop in enumerate(stops):
        row = rows[stop]
        axes.plot(*points[stop], "o", color=RED)
        axes.annotate(f"{i + 1}", points[stop], (5, 5), textcoords="offset points", color=RED, fontsize=LABEL)
        above = f"{i + 1}\n{percent(float(row['confidence']))}"
        tile(figure.add_subplot(grid[1, i]), read_image(folder / row["file"]), above, f"prior {float(row['prior']):.3g}")
    write_atomically(folder / "front.png", to_png(figure))


def draw_curves(axes: Axes, points: Doubles, runs: Ints, pooled: Ints) -> None:
    """Points [N, 2] as the front of each of the `runs` [N], and of all of them."""
    for run in range(runs.max() + 1):
        axes.plot(*points[runs == run].T, color=GREY, linewidth=0.8, label="" if run else "front of each run")
    axes.plot(*points[pooled].T, color=INK, linewidth=2, label="front of all runs")
    log_scale(axes.set_xscale, points[:, 0])
    log_scale(axes.set_yscale, points[:, 1])
    legend(axes, "upper right")


def evenly_spaced(front: Doubles, number: int) -> Ints:
    """Places of at most `number` points of a front [N, 2], its ends among them, about equally far apart on both axes."""
    place = np.log(np.maximum(front, 1e-12))
    steps = np.hypot(*(np.diff(place, axis=0) / np.maximum(np.ptp(place, axis=0), 1e-12)).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return np.unique(np.abs(length - np.linspace(0, length[-1], number)[:, None]).argmin(axis=1))


def log_scale(set_scale: Callable[..., Any], values: Doubles) -> None:
    """A logarithmic axis; linear below the least positive value where some value is 0."""
    positive = values[values > 0]
    if len(positive) == len(values):
        set_scale("log")
    elif len(positive):
        set_scale("symlog", linthresh=float(positive.min()))
