"""success.png: how many runs have been how sure after how many evaluations. Reads run.json of records only."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fooling.records import SUCCESS, read_run
from fooling.records.files import write_atomically

Run = Mapping[str, Any]  # run.json
INK, PALE = "#333333", "#dddddd"
COLOURS = ("#e8a33d", "#d55e00", "#a0306f", "#2b1a6b")  # of the milestones, the surer the darker
STYLES = ("-", "--", ":")  # of classes: ten colours, then again in another style
ROOM = 1.06  # to the left and right of an axis, as a factor
STOPS = {
    "end": "Runs go on to their end.",
    "threshold": "A run stops once it is ≥ {threshold:g} and that is its largest score.",
    "tol": "A run stops once its cost is below {tol:g}.",
    "settled": "A run stops once its image stays as it is.",
}


@dataclass(frozen=True)
class Curve:
    """How many of a job's runs have reached a confidence after how many evaluations."""

    name: str
    reached: Sequence[int]  # evaluations of the runs that got there, rising
    runs: int
    spent: int  # evaluations of the run that took most
    look: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What the legend says."""
        return f"{self.name}: {len(self.reached)} of {self.runs}"

    def steps(self, first: int) -> tuple[list[int], list[float]]:
        """Evaluations from `first` on to where the last run ended, and the share of all runs that got there by each."""
        early, all_of_them = sum(n <= first for n in self.reached), len(self.reached)
        x = [first, *self.reached[early:], max(first, self.spent)]
        return x, [count / self.runs for count in (*range(early, all_of_them + 1), all_of_them)]

    def draw(self, axes: Axes, first: int) -> None:
        """Draws it; a × at its end if some run never got there."""
        x, y = self.steps(first)
        axes.step(x, y, where="post", label=self.label, clip_on=False, **self.look)
        if len(self.reached) < self.runs:
            axes.plot(x[-1], y[-1], "x", color=self.look["color"], markersize=6, clip_on=False)


def draw_success(folder: Path) -> None:
    """success.png of a record: a curve a milestone of the confidence."""
    run = read_run(folder)
    levels = milestones(run)
    curves = [curve(run, level, f"≥ {level}", look(run, level, i)) for i, level in enumerate(levels)]
    of = f"digit {run['digit']}, prior {run['prior']}{', control' if run['control'] else ''}"
    write_atomically(folder / SUCCESS, chart([run], curves, f"{of}: {run['runs']:,} runs of search={run['search']}"))


def draw_sweep_success(parent: Path, names: Sequence[str]) -> None:
    """success.png of a sweep, the records `names` in `parent`: a curve a class, at the milestone nearest to the threshold."""
    runs = [read_run(parent / name) for name in names]
    level, wanted = nearest(runs[0]), runs[0]["threshold"]
    curves = [curve(run, level, str(run["digit"]), look_of_class(i)) for i, run in enumerate(runs)]
    chosen = "" if float(level) == wanted else f", the milestone nearest to the threshold {wanted:g}"
    of = f"prior {runs[0]['prior']}{', control' if runs[0]['control'] else ''}, search={runs[0]['search']}"
    write_atomically(parent / SUCCESS, chart(runs, curves, f"confidence ≥ {level}{chosen}; {of}"))


def milestones(run: Run) -> list[str]:
    """The confidences whose first reaching a record holds, as it writes them."""
    return list(run["images"][0]["evaluations_to"])


def nearest(run: Run) -> str:
    """The milestone nearest to the job's threshold."""
    return min(milestones(run), key=lambda level: abs(float(level) - run["threshold"]))


def curve(run: Run, level: str, name: str, look: Mapping[str, Any]) -> Curve:
    """The curve of a record for one of its milestones."""
    images = run["images"]
    found = sorted(entry["evaluations_to"][level] for entry in images if entry["evaluations_to"][level] is not None)
    return Curve(name, found, len(images), max(entry["evaluations"] for entry in images), look)


def look(run: Run, level: str, number: int) -> dict[str, Any]:
    """The line of a milestone: thick at the threshold, dotted where runs stop before it."""
    before = run["stop"] == "threshold" and float(level) > run["threshold"]
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linewidth": 2.4 if level == nearest(run) else 1.4,
        "linestyle": ":" if before else "-",
    }


def look_of_class(number: int) -> dict[str, Any]:
    """The line of a class."""
    return {"color": f"C{number % 10}", "linewidth": 1.4, "linestyle": STYLES[number // 10 % len(STYLES)]}


def chart(runs: Sequence[Run], curves: Sequence[Curve], title: str) -> bytes:
    """A PNG of curves; the axis goes from a generation's evaluations to the budget, or to what was spent."""

    first = min(run["evaluations_a_generation"] for run in runs)
    budget = runs[0]["budget"]
    last = max(first, budget or max(line.spent for line in curves))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for line in curves:
        line.draw(axes, first)
    axes.axhline(1, color=PALE, linewidth=1, zorder=0)
    axes.set(xlim=(first / ROOM, last * ROOM), ylim=(-0.03, 1.04))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    if last >= 10 * first:
        axes.xaxis.set_minor_formatter(lambda x, _: "")
    else:
        axes.xaxis.set_minor_formatter(lambda x, _: f"{x:,.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    end = "the budget of" if budget else "the most that was spent,"
    axes.set_xlabel(f"evaluations of a run, from a generation's {first:,} to {end} {last:,}", fontsize=8)
    axes.set_ylabel("runs that have been so sure once", fontsize=8)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(color=PALE, linewidth=0.5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_title(title, fontsize=9, color=INK)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    figure.supxlabel(said(runs[0], curves), fontsize=7, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def said(run: Run, curves: Sequence[Curve]) -> str:
    """What stands below: when runs stop, and what the marks mean."""
    words = [STOPS[run["stop"]].format(threshold=run["threshold"], tol=run["tol"] or 0)]
    if any(line.look["linestyle"] == ":" for line in curves) and len(curves) == len(milestones(run)):
        words.append("Dotted: runs stop before it.")
    if any(len(line.reached) < line.runs for line in curves):
        words.append("×: the other runs never got there.")
    return " ".join(words)
