"""eigen.png of `fooling eigen`: principal components, reconstructions, explained variance, accuracies."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from fooling.kernels.tables import Bytes, Doubles
from fooling.plots.captions import percent
from fooling.plots.style import (
    BLUE,
    COLOURS,
    INK,
    LABEL,
    ORANGE,
    PINK,
    RED,
    SKY,
    TITLE,
    band,
    centred,
    curve,
    headline,
    label_axes,
    legend,
    log_axis,
    new_figure,
    percent_axis,
    tile,
    to_png,
)
from fooling.statistics.pca import MEAN_ONE, PrincipalComponents

FILES = ("eigen.png",)
COLUMNS = 8  # of reconstructions, up to which they keep their size
NETWORK_COLOURS = (INK, PINK, ORANGE, SKY)
METHODS = {"means": ("PCA: nearest class mean", BLUE), "residual": ("PCA: least residual of a class", RED)}


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary."""

    whole: PrincipalComponents
    classes: Mapping[str, PrincipalComponents]  # of the chosen classes, by name
    originals: Bytes  # [N, H, W, C]
    reconstructions: Bytes  # [steps, N, H, W, C]


def chart(summary: Mapping[str, Any], data: FigureData, number: int) -> bytes:
    """A PNG of eigen.json: `number` components in each row, reconstructions, and two charts over k."""
    heights = (0.3 + 1.15 * (1 + len(data.classes)), 4.6, 3.5)
    figure = new_figure(10, sum(heights))
    parts: Any = figure.subfigures(3, 1, height_ratios=heights)
    above, middle, below = parts
    draw_components(above, data, number)
    draw_reconstructions(middle, summary, data)
    charts: Any = below.subplots(1, 2)
    draw_explained(charts[0], summary)
    draw_accuracies(charts[1], summary)
    return to_png(figure)


def draw_components(figure: SubFigure, data: FigureData, number: int) -> None:
    """The mean and the first components of the whole set and of the classes, the share of the variance below each."""
    shape = data.originals.shape[1:]
    rows = {"whole set": data.whole, **{f"class {name}": components for name, components in data.classes.items()}}
    grid: Any = figure.subplots(len(rows), number + 1, squeeze=False)
    for i, (name, components) in enumerate(rows.items()):
        tile(grid[i, 0], (components.mean / MEAN_ONE).reshape(shape), "mean" if i == 0 else "")
        grid[i, 0].set_ylabel(name, fontsize=LABEL, color=INK, parse_math=False)
        total = float(components.variance.sum()) + components.residual
        for m, axes in enumerate(grid[i, 1:]):
            if m < len(components.images):
                share = f"{100 * components.variance[m] / total:.1f} %"
                tile(axes, stretched(components, m).reshape(shape), f"{m + 1}" if i == 0 else "", share)
            else:
                axes.set_axis_off()
    headline(figure, "principal components, each stretched from black to white; below: share of the variance", TITLE)


def stretched(components: PrincipalComponents, m: int) -> Doubles:
    """Component m [P], whose sign is arbitrary, rescaled to the range 0 … 255."""
    image = components.images[m].astype(np.float64)
    return np.asarray(255 * (image - image.min()) / max(1.0, float(np.ptp(image))))


def draw_reconstructions(figure: SubFigure, summary: Mapping[str, Any], data: FigureData) -> None:
    """Images beside their reconstructions by k components of the whole set."""
    steps, number = summary["steps"], len(data.originals)
    grid: Any = centred(figure, (len(steps) + 1) / COLUMNS).subplots(number, len(steps) + 1, squeeze=False)
    for i, axes in enumerate(grid):
        for j, step in enumerate(steps):
            below = f"±{step['error']:.0f}" if i == number - 1 else ""
            tile(axes[j], data.reconstructions[j, i], f"k = {step['k']}" if i == 0 else "", below)
        tile(axes[-1], data.originals[i], "test image" if i == 0 else "")
    headline(figure, "mean plus k components of the whole set; below: root mean square error, grey levels (0 … 255)", TITLE)


def draw_explained(axes: Axes, summary: Mapping[str, Any]) -> None:
    """The share of the variance that k components explain."""
    curves = {f"class {name} (components of the class)": shares for name, shares in summary["explained_of_class"].items()}
    for (name, shares), colour in zip(curves.items(), cycle(COLOURS[:-1]), strict=False):
        axes.plot(range(1, len(shares) + 1), shares, color=colour, linewidth=1.4, label=name)
    whole = summary["explained"]
    axes.plot(range(1, len(whole) + 1), whole, color=INK, linewidth=1.6, label="whole set")
    log_axis(axes)
    label_axes(axes, "explained variance", "k, number of components", "share of the variance")
    percent_axis(axes)
    legend(axes, "lower right")


def draw_accuracies(axes: Axes, summary: Mapping[str, Any]) -> None:
    """Accuracy of the PCA classifiers with k components, beside that of the networks."""
    least = 1.0
    for method, (name, colour) in METHODS.items():
        steps = [step for step in summary["steps"] if step[method]]
        k, accuracies = [step["k"] for step in steps], [step[method] for step in steps]
        band(axes, k, [accuracy["low"] for accuracy in accuracies], [accuracy["high"] for accuracy in accuracies], colour)
        curve(axes, k, [accuracy["share"] for accuracy in accuracies], colour, name)
        least = min([least, *(accuracy["low"] for accuracy in accuracies)])
    for network, colour in zip(summary["networks"], cycle(NETWORK_COLOURS), strict=False):
        accuracy = network["accuracy"]["share"]
        axes.axhline(accuracy, color=colour, linewidth=1, linestyle="--", label=f"{network['name']}: {percent(accuracy)}")
        least = min(least, accuracy)
    log_axis(axes)
    label_axes(axes, f"accuracy on {summary['test_images']:,} test images (bands: 95 %)", "k, number of components", "accuracy")
    percent_axis(axes, least)
    legend(axes, "lower right")
