"""harden.png and samples.png of `fooling harden`: what is still believed round by round, and images of each round."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.data.npz import read_arrays
from fooling.plots import evenly_spaced, percent
from fooling.plots.sheets import BRIGHT, DIM, NORMAL, SMALL, TEXT, Sheet, cut, enlargement, wrap
from fooling.plots.style import (
    BLUE,
    COLOURS,
    INK,
    RED,
    band,
    curve,
    headline,
    label_axes,
    legend,
    log_axis,
    new_figure,
    percent_axis,
    to_png,
)
from fooling.records.files import read_json, write_atomically

FILES = ("harden.png", "samples.png")
MOST_ROUNDS, MOST_CLASSES = 6, 10  # in samples.png
SIDE, GAP, LEFT, HEAD, LINE = 56, 8, 110, 58, 15  # pixels: an image, between two, the rows' names, above all, a line of text
LOOKS = ("o-", "s--", "^:")
Round = Mapping[str, Any]


def draw_harden(folder: Path) -> None:
    """Both pictures, from harden.json and the images of the rounds."""
    found = read_json(folder / "harden.json")
    write_atomically(folder / "harden.png", chart(found))
    rounds = [found["rounds"][i] for i in evenly_spaced(len(found["rounds"]), MOST_ROUNDS)]
    images = [read_arrays(folder / f"images-{one['round']}.npz") for one in rounds]
    write_atomically(folder / "samples.png", to_png(sheet(found, rounds, images)))


# --- curves -------------------------------------------------------------------------------------------------------------
def chart(found: Mapping[str, Any]) -> bytes:
    """A PNG of harden.json: images believed, Q, and accuracy, over the rounds."""
    rounds = found["rounds"]
    figure = new_figure(12, 4.2)
    charts: Any = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    draw_believed(charts[0], found)
    draw_q(charts[1], rounds)
    x = [one["round"] for one in rounds]
    error = [1 - one["accuracy"]["share"] for one in rounds]
    band(charts[2], x, [1 - one["accuracy"]["high"] for one in rounds], [1 - one["accuracy"]["low"] for one in rounds], RED)
    curve(charts[2], x, error, RED, "")
    charts[2].set_ylim(bottom=0)
    charts[2].yaxis.set_major_formatter(lambda y, _: f"{100 * y:.1f} %")
    label_axes(charts[2], "clean error on test images", "round", "")
    for axes in charts:
        axes.set_xticks(evenly_spaced(len(rounds), 12))
    headline(figure, f"{found['model']['name']}, method={found['method']['name']} ({found['method']['source']})")
    return to_png(figure)


def draw_believed(axes: Axes, found: Mapping[str, Any]) -> None:
    """A curve for each attack: solid of those not trained on, dashed of the others."""
    rounds = found["rounds"]
    for number, last in enumerate(rounds[-1]["attacks"]):
        rows = [row for one in rounds for row in one["attacks"] if row["name"] == last["name"]]
        x = [one["round"] for one in rounds if any(row["name"] == last["name"] for row in one["attacks"])]
        shares = [row["believed"] for row in rows]
        colour = COLOURS[number % len(COLOURS)]
        label = f"{last['name']} (trained on)" if last["trained"] else last["name"]
        look = LOOKS[1] if last["trained"] else LOOKS[2 * (number >= len(COLOURS))]
        curve(axes, x, [share["share"] for share in shares], colour, label, look)
    percent_axis(axes)
    label_axes(axes, f"evolved images believed at {found['believed_at']:g} or more", "round", "")
    legend(axes, ncols=2)


def draw_q(axes: Axes, rounds: Sequence[Round]) -> None:
    """Evaluations to .9999 of each class, and their median; those above the budget on its line."""
    budget = rounds[0]["q"]["budget"]
    for one in rounds:
        medians = [row["median9999"] for row in one["q"]["classes"]]
        y = [budget * 1.15 if value is None else value for value in medians]
        spread = np.linspace(-0.2, 0.2, len(y)) if len(y) > 1 else np.zeros(1)
        axes.plot(one["round"] + spread, y, "o", color=BLUE, markersize=3, alpha=0.6)
    log_axis(axes)
    axes.set_xscale("linear")
    axes.set_yscale("log")
    axes.axhline(budget, color=INK, linewidth=0.8, linestyle=":")
    label_axes(axes, "evaluations to .9999, by class", "round", "")
    axes.text(0, budget, " not within the budget", fontsize=SMALL - 3, va="bottom", color=INK)


# --- images -------------------------------------------------------------------------------------------------------------
def sheet(found: Mapping[str, Any], rounds: Sequence[Round], images: Sequence[Mapping[str, Any]]) -> Any:
    """A section for each round, a row for each attack, a column for each class: the image of median confidence."""
    names = [name for name in rounds[-1]["samples"] if all(name in one for one in images)]
    first = next(iter(images[0].values()))
    columns, scale = min(MOST_CLASSES, len(first)), enlargement(first[0], SIDE)
    height, width = first.shape[1] * scale, first.shape[2] * scale
    row_height, section = height + LINE + GAP, 2 * LINE + GAP
    wide = LEFT + columns * (width + GAP) + GAP
    text = wrap("The image of median confidence of each class; below it the confidence in the target.", wide - 2 * GAP)
    page = Sheet(wide, HEAD + len(rounds) * (section + len(names) * row_height) + GAP, first.shape[3])
    page.write(
        GAP, GAP, cut(f"{found['model']['name']}, method={found['method']['name']}", wide - 2 * GAP, NORMAL), BRIGHT, NORMAL
    )
    page.write(GAP, GAP + LINE + 4, "\n".join(text), TEXT)
    y = HEAD
    for one, known in zip(rounds, images, strict=True):
        page.write(GAP, y + GAP, f"round {one['round']}", BRIGHT, NORMAL)
        page.rule(LEFT, wide - GAP, y + GAP + LINE // 2)
        for column, about in enumerate(one["samples"][names[0]][:columns]):
            place = LEFT + column * (width + GAP) + width / 2
            page.write(place, y + 2 * LINE, cut(str(about["name"]), width), DIM, anchor="ma")
        y += section + LINE // 2
        for name in names:
            page.write(GAP, y + height / 2, cut(name, LEFT - 2 * GAP), TEXT, anchor="lm")
            for column, about in enumerate(one["samples"][name][:columns]):
                x = LEFT + column * (width + GAP)
                page.paste(known[name][column], x, y, scale)
                page.write(x + width / 2, y + height + 2, percent(about["confidence"]), DIM, anchor="ma")
            y += row_height
        y -= LINE // 2
    return page.picture
