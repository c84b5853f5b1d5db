"""The page of `fooling compare`: figures of records side by side, the worst first."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted
from fooling.report.comparison import by_chance, measured
from fooling.report.content import Cell, Content, Figure, Source, Table

RANKS = ("worse", "missing", "other protocol", "better")  # outcomes, in this order; all others last
LOOK = "Look at the pages of both records for what is worse, and measure it again with another seed."
LIMITS = ("Medians whose intervals touch may still differ, and a figure without an interval is never called worse.",)


def compare(source: Source) -> Content:
    """Records with the same figures."""
    reference, *others = source.found["records"]
    comparisons = source.found["comparisons"]
    outcomes = [row["outcome"] for one in comparisons for row in one["differences"]]
    worse, better = outcomes.count("worse"), outcomes.count("better")
    unfair = [one["folder"] for one in comparisons if not one["comparable"]]
    beside = reference["folder"]
    verdict = f"{counted(worse, 'figure')} worse and {counted(better, 'figure')} better than in {beside}, of {len(outcomes)}."
    verdict = "" if len(unfair) == len(comparisons) else f"{verdict} "
    verdict += f"{', '.join(unfair)} cannot be compared with {beside}, as they were measured differently." if unfair else ""
    tables = [table(reference, other, one) for other, one in zip(others, comparisons, strict=True)]
    tables += [changes(one) for one in comparisons if one["settings"] or one["protocol"]]
    number = Figure("worse", worse, unit="figures", text=f"figures that are worse than in {beside}")
    if len(unfair) == len(comparisons):
        number = Figure("compared", 0, unit="figures", text=f"figures that can be compared with {beside}")
    return Content(
        title=f"{', '.join(other['folder'] for other in others)} beside {beside}",
        verdict=verdict.strip(),
        number=number,
        figures=[number, Figure("better", better, unit="figures", text="figures that are better")],
        tables=tables,
        limits=(by_chance(outcomes), *LIMITS),
        steps=[
            *([LOOK] if worse else []),
            *([f"Measure {', '.join(unfair)} again with the settings of {beside}, or take a new baseline."] if unfair else []),
        ],
        facts={record["folder"]: f"{record['classifier']}, {record['fingerprint'][:12]}…" for record in (reference, *others)},
    )


def table(reference: Mapping[str, Any], other: Mapping[str, Any], one: Mapping[str, Any]) -> Table:
    """The figures of two records, the worst first."""
    ranked = sorted(one["differences"], key=lambda row: RANKS.index(row["outcome"]) if row["outcome"] in RANKS else len(RANKS))
    rows: list[Sequence[Cell]] = []
    for row in ranked:
        here, there = (record["figures"].get(row["figure"]) for record in (reference, other))
        text = (here or there or {}).get("text", "")
        rows.append([row["figure"], measured(here, brief=True), measured(there, brief=True), row["outcome"], text])
    columns = ["figure", reference["folder"], other["folder"], "outcome", "what it is"]
    return Table(f"{other['folder']} beside {reference['folder']}", columns, rows)


def changes(one: Mapping[str, Any]) -> Table:
    """Which settings differ, and which of them make figures incomparable."""
    rows = [
        [name, *pair, "yes" if name in one["protocol"] else ""] for name, pair in {**one["protocol"], **one["settings"]}.items()
    ]
    return Table(
        f"Settings of {one['folder']} that differ", ["setting", "reference", one["folder"], "prevents a comparison"], rows
    )
