"""The page of a sweep: jobs of `fooling run` for several classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import UserError, counted
from fooling.plots import whole_percent
from fooling.plots.record import make_curve, name_of, nearest_milestone
from fooling.records.record import read_run
from fooling.report.charts import Series, curves
from fooling.report.content import (
    Cell,
    Content,
    Number,
    Source,
    Table,
    interval,
    named,
    sure,
    whole,
)
from fooling.report.figures import evaluations
from fooling.report.runs import SHEET, facts, figures_of, limits, median_of, percent_of, steps
from fooling.statistics.intervals import proportion_with_ci

Run = Mapping[str, Any]  # run.json


def sweep(source: Source) -> Content:
    """The page of jobs for several classes."""
    runs = [run for run in map(read_run, (source.folder / name for name in source.jobs)) if run.get("images")]
    if not runs:
        raise UserError(f"{source.folder}: holds no finished job; let the sweep finish first (resume=true)")
    first, unit = runs[0], runs[0].get("unit")
    level, images = nearest_milestone(first), [image for run in runs for image in run["images"]]
    together = {**first, "images": images, "converged": sum(run["converged"] for run in runs), "judges": {}}
    together |= {key: sum(run[key] for run in runs) for key in ("evaluations", "seconds")}
    figures = figures_of(together)
    number = next(figure for figure in figures if figure.name in ("converged" if unit else f"evaluations_to_{level}",))
    rows = [row_of(run, level) for run in runs]
    curve = [
        Series(name_of(run), *make_curve(run, level, "", {}).steps(run["evaluations_a_generation"]), step=True) for run in runs
    ]
    reached = [(row[3].value, name_of(run)) for run, row in zip(runs, rows, strict=True) if isinstance(row[3], Number)]
    ends = "; ".join(f"{one.label}: {whole_percent(one.y[-1])}" for one in curve)
    title = f"Runs at {percent_of(float(level))} confidence, by target"
    chart = curves(title, curve, "evaluations of a run", "runs that have reached it", f"At the end, {ends}.", log=True)
    return Content(
        title=f"{first['classifier']}: {counted(len(runs), 'target')}",
        verdict=sweep_verdict(together, len(runs), reached),
        number=number if number.value is not None or unit else figures[0],
        figures=figures,
        pictures=source.pictures(SHEET),
        charts=[] if unit else [chart],
        tables=[Table("Targets", ["target", "converged", "confidence", f"evaluations to {level}", "seconds"], rows)],
        limits=limits(together),
        steps=["Open the page of one target: fooling report " + str(source.folder / source.jobs[0]), *steps(together)[:1]],
        facts=facts(first, source.settings),
    )


def row_of(run: Run, level: str) -> list[Cell]:
    """The row of a job in the table of a sweep."""
    return [
        name_of(run),
        interval(proportion_with_ci(run["converged"], len(run["images"]))),
        sure(median_of(run, "confidence")),
        whole(evaluations(run["images"], level)["value"], "not reached"),
        Number(f"{run['seconds']:.1f}", run["seconds"]),
    ]


def sweep_verdict(run: Run, targets: int, reached: Sequence[tuple[float | None, str]]) -> str:
    """What a sweep found, in one sentence: how many images converged, the first and the last target."""
    total, part = len(run["images"]), run["converged"]
    aim = f"a cost below {run['tol']:g}" if run["tol"] is not None else f"{percent_of(run['threshold'])} confidence"
    control = "Controls: " if run["control"] else ""
    text = f"{control}{part} of {counted(total, 'image')} of {counted(targets, 'target')} reached {aim} of {run['classifier']}"
    if run["control"] or run.get("unit"):
        return f"{text}."
    there = sorted((middle, name) for middle, name in reached if middle is not None)
    never = [name for middle, name in reached if middle is None]
    parts = [f"{named(there[0][1], there[0][1])} is reached first (median {there[0][0]:,.0f} evaluations)"] if there else []
    if never:
        parts.append(f"half of the runs or more did not get there for {', '.join(named(name, name) for name in never[:3])}")
    elif len(there) > 1:
        parts.append(f"{named(there[-1][1], there[-1][1])} last ({there[-1][0]:,.0f})")
    return f"{text}; {', '.join(parts)}."
