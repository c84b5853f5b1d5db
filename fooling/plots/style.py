"""What the pictures of the experiments share: how they look."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, PALE = "#333333", "#dddddd"

# Okabe & Ito 2008: told apart by the colour-blind too.
BLUE, RED, GREEN, PINK, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK)
DPI = 110


def new_figure(width: float, height: float) -> Figure:
    """An empty picture, inches."""

    return Figure(figsize=(width, height), layout="constrained")


def as_png(figure: Figure) -> bytes:
    """The picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")  # names in other scripts become boxes
        figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def tidy(axes: Axes, title: str, across: str, up: str) -> None:
    """Title, names of the axes, a pale grid."""
    axes.set_title(title, fontsize=10, color=INK, parse_math=False)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(color=PALE, linewidth=0.5)
    axes.spines[["right", "top"]].set_visible(False)


def per_cent(axes: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """An upright axis of shares."""
    axes.set_ylim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")


def tile(axes: Axes, image: npt.NDArray[Any], title: str = "", below: str = "", size: float = 8) -> None:
    """An image [H, W, C], grey levels or colours 0…255, with a line above and one below it."""
    axes.imshow(image[:, :, 0] if image.shape[2] == 1 else image.astype(np.uint8), cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(PALE)
    axes.set_title(title, fontsize=size, color=INK, pad=3, parse_math=False)
    axes.set_xlabel(below, fontsize=size, color=INK, labelpad=3, parse_math=False)


def band(axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    """Where most of it lies."""
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def accuracy_curve(axes: Axes, x: Sequence[float], found: Sequence[Mapping[str, Any]], colour: str, label: str) -> None:
    """Accuracies with their 95 % intervals (Wilson) as a band."""
    shares = [row["accuracy"] for row in found]
    band(axes, x, [share["low"] for share in shares], [share["high"] for share in shares], colour)
    axes.plot(x, [share["share"] for share in shares], "o-", color=colour, markersize=3, linewidth=1.4, label=label)


def confidence_curve(axes: Axes, x: Sequence[float], found: Sequence[Mapping[str, Any]], colour: str, label: str) -> None:
    """Median confidences, the middle half of the images as a band."""
    quartiles = np.array([row["quartiles"] for row in found])
    band(axes, x, quartiles[:, 0].tolist(), quartiles[:, 2].tolist(), colour)
    axes.plot(x, quartiles[:, 1], "s--", color=colour, markersize=3, linewidth=1.2, label=label)
