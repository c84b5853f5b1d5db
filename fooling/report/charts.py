"""Charts of pages as SVG that takes the colour of the text around it: curves with bands, and values with intervals."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fooling.plots import shorten, whole_percent
from fooling.plots.style import BLUE, GREEN, INK, ORANGE, PALE, PINK, RED, SKY, SMALL, band, label_axes, log_axis, percent_axis
from fooling.report.content import Chart

COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK)
DASHES = ("-", "--", ":")
WIDTH, HEIGHT, ROW, LINE, LETTER = 4.6, 2.6, 0.22, 0.18, 0.068  # inches; of a chart, of a row, a line of names, a letter
NAME, MOST, COLUMNS = 30, 18, 3  # letters of a name; curves with a name; names beside each other
TEXT: dict[Any, Any] = {"svg.fonttype": "none", "text.parse_math": False, "axes.unicode_minus": False}


class Series(NamedTuple):
    """A curve, with a band if it has one."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    step: bool = False


class Interval(NamedTuple):
    """A value with its interval, in a row with a name; rows of one group have one colour."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    group: int = 0


@contextmanager
def drawing(title: str, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty chart, drawn with text that stays text and marks that no other chart has."""
    with mpl.rc_context({**TEXT, "svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure = Figure(figsize=(WIDTH, height))
        yield figure, figure.add_subplot()


def curves(
    title: str,
    series: Sequence[Series],
    across: str,
    up: str,
    alt: str,
    *,
    log: bool = False,
    shares: bool = True,
    diagonal: bool = False,
) -> Chart:
    """A chart of curves. `log`: across; `shares`: upwards from 0 to 1; `diagonal`: a line where both are equal."""
    is_named = 1 < len(series) <= MOST
    columns = COLUMNS if max((len(one.label) for one in series), default=0) <= NAME // 2 else COLUMNS - 1
    lines = -(-len(series) // columns) if is_named else 0
    with drawing(title, HEIGHT + LINE * lines) as (figure, axes):
        margins(figure, 0.68, 0.5 + LINE * lines)
        if log:
            log_axis(axes)
            axes.xaxis.set_minor_locator(NullLocator())
        for number, one in enumerate(series):
            look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "linewidth": 1.6}
            look |= {"linestyle": DASHES[number // len(COLOURS) % len(DASHES)]}
            look |= {"drawstyle": "steps-post"} if one.step else {"marker": "o", "markersize": 3}
            if one.low:
                band(axes, one.x, one.low, one.high, look["color"])
            axes.plot(one.x, one.y, label=shorten(one.label, NAME).lstrip("_"), **look)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=PALE, linewidth=1, zorder=0)
        if shares:
            percent_axis(axes)
        label_axes(axes, "", across, up)
        if is_named:
            figure.legend(loc="lower center", ncols=columns, fontsize=SMALL, frameon=False, labelcolor=INK, borderaxespad=0)
        return Chart(title, alt, to_svg(figure))


def intervals(
    title: str, rows: Sequence[Interval], across: str, alt: str, *, marks: Mapping[str, float] | None = None
) -> Chart:
    """A chart of values from 0 to 1, a row each, with their 95 % intervals. `marks`: vertical lines."""
    names = [shorten(row.label, NAME) for row in rows]
    with drawing(title, 0.65 + ROW * len(rows)) as (figure, axes):
        margins(figure, 0.25 + LETTER * max(map(len, names)), 0.5)
        for place, row in enumerate(rows):
            colour = COLOURS[row.group % len(COLOURS)]
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, alpha=0.45, solid_capstyle="butt")
            axes.plot(row.value, place, "o", color=colour, markersize=4.5)
        for x in (marks or {}).values():
            axes.axvline(x, color=PALE, linewidth=1.2, zorder=0)
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(lambda x, _: whole_percent(x) if not marks else f"{x:g}")
        label_axes(axes, "", across, "")
        return Chart(title, alt, to_svg(figure))


def margins(figure: Figure, left: float, below: float) -> None:
    """Room for names to the left and below, inches; a layout that is computed takes 0.1 s."""
    height = figure.get_figheight()
    figure.subplots_adjust(left / WIDTH, below / height, 1 - 0.16 / WIDTH, 1 - 0.1 / height)


def to_svg(figure: Figure) -> str:
    """A chart as an element of a page: no prolog, no addresses, no fixed size, ink in the colour of the text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"|(<svg[^>]*?) width="[^"]*"', r"\1\2", text)
    text = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    text = re.sub(r'<g id="[^"]*"', "<g", text).replace("xlink:href", "href")
    text = (
        text.replace(INK, "currentColor")
        .replace(PALE, "var(--line)")
        .replace("#000000", "currentColor")
        .replace(BLUE, "var(--blue)")
    )
    return re.sub(r"\n\s*", "\n", text).strip()
