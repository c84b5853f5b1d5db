"""Charts of two searches: front.png of `search=pareto`, and feedback.png and feedback.webp of `search=feedback`."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.container import BarContainer

from fooling.data.npz import read_arrays
from fooling.errors import counted
from fooling.kernels.tables import Doubles, Ints
from fooling.plots import evenly_spaced, percent, shorten
from fooling.plots.style import (
    DIVERGING,
    GREY,
    INK,
    LABEL,
    RED,
    SMALL,
    TINY,
    TITLE,
    headline,
    label_axes,
    legend,
    new_figure,
    rasterize,
    show_image,
    tile,
    to_png,
    to_webp,
    without_channel,
)
from fooling.records.files import write_atomically
from fooling.records.record import read_image, read_run
from fooling.search.pareto_front import FRONT, nondominated
from fooling.search.state import FEEDBACK
from fooling.settings.files import read_whole

FILES = ("front.png", "feedback.png", "feedback.webp")
Arrays = Mapping[str, npt.NDArray[Any]]  # of feedback.npz: frames [F, H, W, C], scores [F, K], weights [K, H, W, C]
STEPS = 7  # in feedback.png
FRAMES = 30  # in feedback.webp, at most
MAX_NEURONS = 10  # in both pictures
LETTERS, SHORT = 40, 9  # of a class name, at most
FRONT_IMAGES = 8  # along the front
BAR = "#b8c4d0"  # of the other classes; the target's is red


def draw_feedback(folder: Path) -> None:
    """Both pictures, of run 0."""
    arrays, image = read_arrays(folder / FEEDBACK), read_run(folder)["images"][0]
    target, name = image["digit"], shorten(image.get("label") or str(image["digit"]), LETTERS)
    write_atomically(folder / "feedback.png", steps_picture(arrays, target, name, image["weight_correlation"]))
    write_atomically(folder / "feedback.webp", film(arrays, target, shorten(name, SHORT)))


def steps_picture(arrays: Arrays, target: int, name: str, correlation: float) -> bytes:
    """A PNG: the weights of the neurons above; below, a column for each step with its image and the outputs."""
    frames = evenly_spaced(len(arrays["frames"]), STEPS)
    figure = new_figure(1.35 * STEPS + 0.4, 5.3)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 2.7))
    above, below = parts
    draw_weights(above, arrays, target)
    headline(above, "weights of each output neuron: red raises its output, blue lowers it", TITLE)
    axes = below.subplots(2, len(frames), height_ratios=(1.2, 1), squeeze=False)
    for i, frame in enumerate(frames):
        show_image(axes[0, i], arrays["frames"][frame])
        axes[0, i].set_title(f"step {arrays['generations'][frame]}", fontsize=LABEL, color=INK)
        draw_outputs(axes[1, i], arrays["scores"][frame], target)
        axes[1, i].tick_params(labelleft=i == 0)
    headline(below, f"image and outputs; correlation of the last image with the weights of {name}: {correlation:.2f}", TITLE)
    return to_png(figure)


def film(arrays: Arrays, target: int, name: str) -> bytes:
    """An animated WebP: the image, the weights of every neuron, the outputs."""
    figure = new_figure(7.2, 2.7)
    parts: Any = figure.subfigures(1, 3, width_ratios=(1.05, 1.6, 1))
    left, middle, right = parts
    draw_weights(middle, arrays, target, columns=4)
    headline(middle, "weights", TITLE)
    image, bars = show_image(left.subplots(), arrays["frames"][0]), draw_outputs(right.subplots(), arrays["scores"][0], target)
    titles = [part.suptitle(" ", fontsize=TITLE, color=INK) for part in (left, right)]
    pictures = []
    for frame in evenly_spaced(len(arrays["frames"]), FRAMES):
        scores = arrays["scores"][frame]
        image.set_data(without_channel(arrays["frames"][frame]))
        for bar, score in zip(bars, scores, strict=True):
            bar.set_height(float(score))
        titles[0].set_text(f"image, step {arrays['generations'][frame]}")
        titles[1].set_text(f"output {name}: {percent(float(scores[target]))}")
        pictures.append(rasterize(figure))
        figure.set_layout_engine("none")  # keep the first frame's layout: laying out takes nearly all of the time
    return to_webp(pictures, quality=80)


def neurons(number: int, target: int) -> list[int]:
    """The neurons that are drawn: all, or of very many the first and the target's."""
    return list(range(number)) if number <= MAX_NEURONS else sorted({*range(MAX_NEURONS - 1), target})


def draw_weights(figure: Any, arrays: Arrays, target: int, columns: int = MAX_NEURONS) -> None:
    """The weights of the neurons, the target's with a frame."""
    chosen = neurons(len(arrays["weights"]), target)
    most = float(np.abs(arrays["weights"]).max()) or 1.0
    grid = figure.subplots(-(-len(chosen) // columns), columns, squeeze=False)
    for axes, number in zip(grid.flat, chosen, strict=False):
        weights, colour = arrays["weights"][number].mean(axis=2), RED if number == target else INK
        axes.imshow(weights, cmap=DIVERGING, vmin=-most, vmax=most, interpolation="nearest")
        axes.set_xlabel(f"{number}", fontsize=SMALL, color=colour, labelpad=2)
        axes.spines[:].set(color=RED if number == target else BAR, linewidth=2 if number == target else 0.5)
        axes.set(xticks=[], yticks=[])
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()


def draw_outputs(axes: Axes, scores: npt.NDArray[Any], target: int) -> BarContainer:
    """A bar for the output of each class [K]."""
    classes = range(len(scores))
    bars = axes.bar(classes, scores, color=[RED if k == target else BAR for k in classes])
    axes.set_ylim(0, 1)
    axes.set_xticks(classes if len(scores) <= MAX_NEURONS else [target])
    axes.tick_params(labelsize=TINY, colors=INK, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    return bars


def draw_front(folder: Path) -> None:
    """front.png from front.csv: the front of each run, the front of all of them, and images along it."""
    rows = list(csv.DictReader(read_whole(folder / FRONT, "table").decode().splitlines()))
    points = np.array([(float(row["target"]), float(row["prior"])) for row in rows])
    runs, pooled = np.array([int(row["run"]) for row in rows]), nondominated(points)
    stops = pooled[spaced_along(points[pooled], FRONT_IMAGES)]
    figure = new_figure(8, 6.2)
    grid = figure.add_gridspec(2, len(stops), height_ratios=(4, 1))
    axes = figure.add_subplot(grid[0, :])
    draw_curves(axes, points, runs, pooled)
    about = read_run(folder)
    label = about.get("label") or str(about["digit"])
    target = f"digit {label}" if label == str(about["digit"]) else f"target {shorten(label, LETTERS)}"
    of_runs = counted(int(runs.max()) + 1, "run")
    title = f"{target}, prior {about['prior']}: {counted(len(rows), 'image')} in the fronts of {of_runs}"
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


def spaced_along(front: Doubles, number: int) -> Ints:
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
