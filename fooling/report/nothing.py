"""Images without any of the classes on the page of an audit: how often the classifier is sure of them, and what they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.plots import whole_percent
from fooling.report.charts import Interval, intervals
from fooling.report.content import Cell, Chart, Table, interval, name_in, whole
from fooling.report.gate import number
from fooling.report.verdict import WITHOUT
from fooling.settings.gate import NOTHING, SHARE

Found = Mapping[str, Any]
TITLE = WITHOUT[:1].upper() + WITHOUT[1:]


def rows_of(found: Found) -> Sequence[Found]:
    """What audit.json says of each kind."""
    rows: Sequence[Found] = (found.get("nothing") or {}).get("rows", ())
    return rows


def nothing_chart(found: Found) -> list[Chart]:
    """How often it is sure of them; below, what each kind is."""
    shown, kinds = [], []
    for row in rows_of(found):
        kind = NOTHING[row["kind"]]
        kinds.append(f"{kind.name}: {kind.what}")
        for group, (key, level) in enumerate((("at_90", ".9"), ("at_99", ".99"))):
            one = row[key]
            if one:
                shown.append(Interval(f"{kind.name}, ≥ {level}", one["share"], one["low"], one["high"], group))
    if not shown:
        return []
    most = max((row for row in shown if row.group), key=lambda row: row.value, default=shown[0])
    alt = "; ".join(f"{row.label}: {whole_percent(row.value)}" for row in shown)
    alt = f"The model is 99 % sure of at most {number(most.value, SHARE)} of a kind. {alt}."
    chart = intervals(TITLE, shown, "share that the model is so sure of (bars: 95 %; less is better)", alt)
    return [chart._replace(note=f"{capital('; '.join(kinds))}.")]


def capital(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def nothing_table(found: Found, labels: Sequence[str]) -> Table:
    """How often it is sure of each kind, and what it takes them for."""
    notes, shared = notes_apart(rows_of(found))
    rows: list[list[Cell]] = []
    for row, note in zip(rows_of(found), notes, strict=True):
        answers = ", ".join(f"{name_in(labels, one['class'])} ({whole_percent(one['share'])})" for one in row["answers"])
        name = NOTHING[row["kind"]].name + (f": {note}" if note else "")
        rows.append([name, whole(row["images"]), interval(row["at_90"]), interval(row["at_99"]), answers])
    columns = ["images", "number", *(f"≥ {level} % sure (95 % interval; less is better)" for level in (90, 99))]
    note = f"Of all of them: {'; '.join(shared)}." if shared else ""
    return Table(TITLE, [*columns, "most frequent answers"], rows, note)


def notes_apart(rows: Sequence[Found]) -> tuple[list[str], list[str]]:
    """The note on each kind without what holds for all kinds, and that; of a single kind all of it is its own."""
    parts = [str(row["note"]).split("; ") if row["note"] else [] for row in rows]
    shared = [one for one in parts[0] if all(one in others for others in parts)] if len(parts) > 1 else []
    return ["; ".join(one for one in own if one not in shared) for own in parts], shared
