"""The picture of a confusion matrix: which classes a network takes for which."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

INK, PAPER = "#333333", "#ffffff"
COUNTED = 40  # classes up to which each cell says its count
NAMED = 60  # axes name at most so many classes
LONGEST = 20  # letters of a name
CELL = 0.36  # side of a cell that says its count, inches


def chart(counts: npt.NDArray[np.int64], labels: Sequence[str], title: str) -> bytes:
    """A PNG of counts [K, K], row = the image's class, column = the class that the network sees; K ≥ 2.

    A cell is the darker the larger its share of the row; 0 is left out.
    """

    classes, total = len(counts), counts.sum(axis=1, keepdims=True)
    side = 1.9 + CELL * min(classes, COUNTED)
    figure = Figure(figsize=(max(4.2, side), max(4.0, side)), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(total, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if classes <= COUNTED:
        for row, column in np.argwhere(counts):
            ink = PAPER if shares[row, column] > 0.5 else INK
            said = f"{counts[row, column]}"
            size = 8 if len(said) < 4 else 6.5 if len(said) < 5 else 5
            axes.text(column, row, said, ha="center", va="center", fontsize=size, color=ink)
    every = -(-classes // NAMED)
    places = range(0, classes, every)
    names = [shortened(labels[k]) for k in places]
    upright = max(map(len, names)) > 2
    axes.set_xticks(places, names, fontsize=8, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.set_xlabel("class that the network sees", fontsize=9)
    axes.set_ylabel("class of the test image", fontsize=9)
    right = counts.trace() / max(1, counts.sum())
    axes.set_title(f"{title}\n{100 * right:.2f} % right of {counts.sum():,} test images", fontsize=9, parse_math=False)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    if classes <= COUNTED:
        axes.grid(which="minor", color="#dddddd", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")  # names in other scripts become boxes
        figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def shortened(name: str) -> str:
    """A name of at most LONGEST letters."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
