"""The picture of `fooling classify`: each drawing, what the classifier is shown of it, and a bar for each score."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.data.drawings import Drawing
from fooling.plots.sheets import percent
from fooling.plots.style import BLUE, INK, PALE, RED, as_png, new_figure, tile

WAYS = {"plain": "as it is", "fitted": "fitted and centred"}


def verdict(found: dict[str, Any]) -> str:
    """What it was read as, in a word."""
    if found["rejected"]:
        return f"rejected (best: {found['label']}, {percent(found['score'])})"
    return f"{found['label']}, {percent(found['score'])}"


def in_words(entry: dict[str, Any], ways: Sequence[str]) -> str:
    """What was done to a picture."""
    parts = ["; ".join(entry["done"]), *(f"{WAYS[way]}: {', '.join(entry[way]['done'])}" for way in ways)]
    return f"{Path(entry['file']).name}: {'. '.join(part[:1].upper() + part[1:] for part in parts)}"


MOST = 20  # pictures that are drawn
BARS = 12  # classes, at most: the surest
LETTERS = 150  # of a line


def chart(result: Mapping[str, Any], drawings: Sequence[Drawing]) -> bytes:
    """A PNG: a row a picture, with and without centring side by side."""
    entries = result["pictures"][:MOST]
    ways = [way for way in WAYS if way in entries[0]]
    figure = new_figure(2.2 + 4 * len(ways), 0.6 + 2.1 * len(entries))
    parts: Any = figure.subfigures(len(entries), 1, squeeze=False)
    for i, entry in enumerate(entries):
        part, drawing = parts[i, 0], drawings[i]
        part.suptitle("\n".join(textwrap.wrap(in_words(entry, ways), LETTERS * len(ways) // 2)), fontsize=7, color=INK)
        axes: Any = part.subplots(1, 1 + 2 * len(ways), width_ratios=(1.3, *((1, 2.2) * len(ways))))
        tile(axes[0], drawing.original[:, :, None], shortened(Path(entry["file"]).name))
        for j, way in enumerate(ways):
            image = drawing.plain if way == "plain" else drawing.fitted
            tile(axes[1 + 2 * j], image[:, :, None], WAYS[way])
            bars(axes[2 + 2 * j], entry[way], result)
    more = f", the first {MOST} of {len(result['pictures'])}" if len(result["pictures"]) > MOST else ""
    dashed = f"dashed: rejected below {result['threshold']:g}"
    figure.suptitle(f"{result['classifier']['name']}: score of each class{more}; {dashed}", fontsize=10, color=INK)
    return as_png(figure)


def bars(axes: Axes, found: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """A bar for each score, the largest in colour: blue if it is taken, red if it is rejected."""
    scores, labels = np.array(found["scores"]), result["labels"]
    shown = np.arange(len(scores)) if len(scores) <= BARS else np.argsort(-scores, kind="stable")[:BARS]
    colours = [(RED if found["rejected"] else BLUE) if k == found["read"] else "#999999" for k in shown]
    axes.bar(range(len(shown)), scores[shown], color=colours, width=0.75)
    axes.axhline(result["threshold"], color=INK, linewidth=0.8, linestyle="--")
    names = [shortened(labels[k], 8) for k in shown]
    axes.set_xticks(range(len(shown)), names, fontsize=8, rotation=90 if max(map(len, names)) > 2 else 0, parse_math=False)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_title(verdict(dict(found)), fontsize=8.5, color=RED if found["rejected"] else INK, parse_math=False)


def shortened(name: str, letters: int = 22) -> str:
    """A name of at most so many letters."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
