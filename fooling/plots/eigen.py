"""The picture of `fooling eigen`: eigen-images, reconstructions, explained variance, accuracies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from fooling.kernels.tables import Bytes
from fooling.plots.style import BLUE, INK, ORANGE, PINK, RED, SKY, as_png, band, new_figure, per_cent, tidy, tile
from fooling.statistics.pca import MEAN_ONE, PrincipalComponents


@dataclass(frozen=True)
class EigenFigure:
    """What the picture shows besides the result."""

    whole: PrincipalComponents
    classes: dict[str, PrincipalComponents]  # of the wanted classes, by name
    originals: Bytes  # [N, H, W, C]
    rebuilt: Bytes  # [steps, N, H, W, C]


LINES = (INK, PINK, ORANGE, SKY)  # of the networks
METHODS = {"means": ("PCA: nearest class mean", BLUE), "residual": ("PCA: least residual of a class", RED)}


def chart(result: Mapping[str, Any], shown: EigenFigure, number: int) -> bytes:
    """A PNG: two rows of eigen-images, reconstructions, and two charts over k."""
    heights = (0.2 + 1.3 * (1 + len(shown.classes)), 4.4, 3.3)
    figure = new_figure(10, sum(heights))
    parts: Any = figure.subfigures(3, 1, height_ratios=heights)
    above, middle, below = parts
    eigen_rows(above, shown, number)
    reconstructions(middle, result, shown)
    sides: Any = below.subplots(1, 2)
    draw_explained(sides[0], result)
    draw_accuracies(sides[1], result)
    return as_png(figure)


def eigen_rows(figure: SubFigure, shown: EigenFigure, number: int) -> None:
    """The mean and the first eigen-images, of the whole set and of the classes."""
    shape = shown.originals.shape[1:]
    rows = {"whole set": shown.whole, **{f"class {name}": of for name, of in shown.classes.items()}}
    every: Any = figure.subplots(len(rows), number + 1, squeeze=False)
    for i, (name, of) in enumerate(rows.items()):
        axes = every[i]
        tile(axes[0], (of.mean / MEAN_ONE).reshape(shape), "mean" if of is shown.whole else "")
        axes[0].set_ylabel(name, fontsize=9, parse_math=False)
        total = float(of.variance.sum()) + of.residual
        for m, place in enumerate(axes[1:]):
            if m < len(of.images):
                title = f"{m + 1}" if of is shown.whole else ""
                tile(place, stretched(of, m).reshape(shape), title, f"{of.variance[m] / total:.1%}")
            else:
                place.set_axis_off()
    said = "Eigen-images, each stretched from black to white (its sign is arbitrary); below each its share of the variance"
    figure.suptitle(said, fontsize=10, color=INK)


def stretched(of: PrincipalComponents, m: int) -> npt.NDArray[np.float64]:
    """An eigen-image [P] rescaled to its whole range, 0 … 255."""
    image = of.images[m].astype(np.float64)
    return np.asarray(255 * (image - image.min()) / max(1.0, float(np.ptp(image))))


def reconstructions(figure: SubFigure, result: Mapping[str, Any], shown: EigenFigure) -> None:
    """Images, and what k eigen-images of the whole set make of them."""
    steps, number = result["steps"], len(shown.originals)
    every: Any = figure.subplots(number, len(steps) + 1, squeeze=False)
    for i, axes in enumerate(every):
        for j, step in enumerate(steps):
            below = f"±{step['error']:.0f}" if i == number - 1 else ""
            tile(axes[j], shown.rebuilt[j, i], f"k = {step['k']}" if i == 0 else "", below)
        tile(axes[-1], shown.originals[i], "test image" if i == 0 else "")
    said = "Mean plus k eigen-images of the whole set; below: root mean square error of these images, grey levels of 0 … 255"
    figure.suptitle(said, fontsize=10, color=INK)


def draw_explained(axes: Axes, result: Mapping[str, Any]) -> None:
    """How much of the variance k eigen-images hold."""
    curves = {"whole set": result["explained"]}
    curves |= {f"class {name} (its own)": y for name, y in result["explained_of_class"].items()}
    for i, (name, y) in enumerate(curves.items()):
        axes.plot(range(1, len(y) + 1), y, color=f"C{i}" if i else INK, linewidth=1.6, label=name)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    tidy(axes, "Explained variance", "k, number of eigen-images", "share of the variance")
    per_cent(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower right")


def draw_accuracies(axes: Axes, result: Mapping[str, Any]) -> None:
    """How right the PCA classifiers are with k eigen-images, beside the networks."""
    least = 1.0
    for method, (name, colour) in METHODS.items():
        found = [step for step in result["steps"] if step[method]]
        k, shares = [step["k"] for step in found], [step[method] for step in found]
        band(axes, k, [one["low"] for one in shares], [one["high"] for one in shares], colour)
        axes.plot(k, [one["share"] for one in shares], "o-", color=colour, markersize=3.5, label=name)
        least = min([least, *(one["share"] for one in shares)])
    for entry, colour in zip(result["networks"], LINES * len(result["networks"]), strict=False):
        label = f"{entry['name']}: {entry['accuracy']['share']:.1%}"
        axes.axhline(entry["accuracy"]["share"], color=colour, linewidth=1, linestyle="--", label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    tidy(axes, f"Right of {result['test_images']:,} test images (bands: 95 %)", "k, number of eigen-images", "right")
    per_cent(axes, least)
    axes.legend(fontsize=7.5, frameon=False, loc="lower right")
