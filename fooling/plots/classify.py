"""classify.png of `fooling classify`: each drawing, the images the classifier receives, and a bar for each score."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.kernels.tables import Bytes
from fooling.plots.captions import percent, shorten, whole_percent
from fooling.plots.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    PALE,
    RED,
    SMALL,
    TINY,
    TITLE,
    headline,
    new_figure,
    tile,
    to_png,
)

FILES = ("classify.png",)
PREPARATIONS = {"plain": "as it is", "fitted": "fitted and centred"}
MAX_DRAWINGS = 20
MAX_BARS = 12  # classes, those of the highest scores
LETTERS = 60  # of a line of text, for each preparation


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary: the images of the drawings, in its order."""

    originals: Sequence[Bytes]  # [h, w, 1] each
    prepared: Mapping[str, Sequence[Bytes]]  # of each preparation [H, W, C] each


def chart(summary: Mapping[str, Any], data: FigureData) -> bytes:
    """A PNG of classify.json: a row for each drawing, its preparations side by side."""
    entries, preparations = summary["pictures"][:MAX_DRAWINGS], list(data.prepared)
    figure = new_figure(2.2 + 4 * len(preparations), 0.6 + 2.3 * len(entries))
    parts: Any = figure.subfigures(len(entries), 1, squeeze=False)[:, 0]
    for i, (part, entry) in enumerate(zip(parts, entries, strict=True)):
        lines = [textwrap.fill(step, LETTERS * len(preparations)) for step in steps(entry, preparations)]
        headline(part, "\n".join(lines), SMALL)
        axes: Any = part.subplots(1, 1 + 2 * len(preparations), width_ratios=(1.3, *((1, 2.2) * len(preparations))))
        tile(axes[0], data.originals[i], shorten(Path(entry["file"]).name, 22))
        for j, preparation in enumerate(preparations):
            tile(axes[1 + 2 * j], data.prepared[preparation][i], PREPARATIONS[preparation])
            draw_scores(axes[2 + 2 * j], entry[preparation], summary)
    number = len(summary["pictures"])
    first = f" (the first {MAX_DRAWINGS} of {number:,} drawings)" if number > MAX_DRAWINGS else ""
    dashed = f"dashed: scores below {summary['threshold']:g} are rejected"
    headline(figure, f"{summary['classifier']['name']}: score of each class{first}; {dashed}", TITLE)
    return to_png(figure)


def answer(reading: Mapping[str, Any]) -> str:
    """The class and its score, or that it was rejected."""
    if reading["rejected"]:
        return f"rejected (best: {reading['label']}, {percent(reading['score'])})"
    return f"{reading['label']}, {percent(reading['score'])}"


def steps(entry: Mapping[str, Any], preparations: Sequence[str]) -> list[str]:
    """How a drawing was made an image: a line for what all preparations share, then one for each."""
    each = [f"{PREPARATIONS[name]}: {', '.join(entry[name]['done'])}" for name in preparations]
    return [f"{Path(entry['file']).name}: {'; '.join(entry['done'])}", *each]


def steps_taken(entry: Mapping[str, Any], preparations: Sequence[str]) -> str:
    """The same in one line."""
    return ". ".join(step[:1].upper() + step[1:] if i else step for i, step in enumerate(steps(entry, preparations)))


def draw_scores(axes: Axes, reading: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """A bar for each score, the highest in colour: blue if it is accepted, red if it is rejected."""
    scores, labels = np.array(reading["scores"]), summary["labels"]
    classes = np.arange(len(scores)) if len(scores) <= MAX_BARS else np.argsort(-scores, kind="stable")[:MAX_BARS]
    best = RED if reading["rejected"] else BLUE
    axes.bar(range(len(classes)), scores[classes], color=[best if k == reading["read"] else GREY for k in classes], width=0.75)
    axes.axhline(summary["threshold"], color=INK, linewidth=0.8, linestyle="--")
    names = [shorten(labels[k], 8) for k in classes]
    upright = 90 if max(map(len, names)) > 2 else 0
    axes.set_xticks(range(len(classes)), names, fontsize=SMALL, rotation=upright, parse_math=False)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda y, _: whole_percent(y))
    axes.tick_params(axis="y", labelsize=TINY)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_title(answer(reading), fontsize=LABEL, color=RED if reading["rejected"] else INK, parse_math=False)
