"""The page of `fooling detect`: detectors of evolved images, by genome and prior, and against attacks that evade them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import UserError
from fooling.plots import words
from fooling.report.charts import Interval, intervals
from fooling.report.content import Cell, Chart, Content, Figure, Number, Source, Table, interval, whole

Found = Mapping[str, Any]
LIMITS = (
    "Intervals are as for independent images; images of one run or record resemble each other, so they are too narrow.",
    "Real images are the test images of one data set: other inputs may look less real to a detector than these.",
    "A search that does not know a detector does not avoid it: only columns that say “evading” do, and only what they name.",
)
EVOLVED = "It was fitted to evolved and real images, which no defender has: it says what differs at all."


def detect(source: Source) -> Content:
    """Detectors and kinds of evolved images."""
    found = source.found
    if not found["rows"]:
        raise UserError(f"{source.folder}: detect.json has no rows; expected a finished comparison")
    names = [group["name"] for group in found["groups"]]
    figures = [figure for row in found["rows"] for figure in figures_of(row)]
    best = found["winner"] or next((one for one in found["winners"].values() if one), None)
    return Content(
        title=f"{source.classifier}: detectors of evolved images",
        verdict=verdict(best, found["groups"]),
        number=area_of(best, f"AUROC of {words(best['name'])} against the kind of images on which it is worst")
        if best
        else figures[0],
        figures=figures,
        pictures=source.pictures(("detect.png", "ROC curves of every detector, a chart for each kind of images", "ROC curves")),
        charts=interval_charts(found, names),
        tables=[
            areas(found, names),
            rates(found, names),
            passing(found, names),
            *adaptive_table(found),
            winners(found),
            groups(found),
            detectors(found),
            *left_out(found),
        ],
        limits=[*LIMITS, of_classes(found), *(str(note) for note in found["notes"])],
        steps=steps(found, best),
        facts={
            "data": str(found["data"]),
            "fitted to": f"{found['training_images']:,} training images",
            "real images": f"{found['real_images']:,} test images",
            "features": f"{found['layer']}, {found['features']} numbers" if found["layer"] else "none",
        },
    )


def of_classes(found: Found) -> str:
    """Which classes the real images are of."""
    return (
        f"Real images are of the classes that the records aim for ({', '.join(found['real_classes'])}), training images of "
        "all. The mix of these classes may differ between real and evolved images, and between kinds of these."
    )


def verdict(best: Found | None, groups: Sequence[Found]) -> str:
    """The detector that leads, whether the intervals support that it does, and whether an attack knew it."""
    evaded = {name for group in groups for name in group["evade"]}
    known = "" if best is None or not evaded or best["name"] in evaded else " No attack here evaded it."
    if best is None:
        return (
            "Only a detector that was fitted to the evolved images was compared: it shows whether they differ from real ones."
        )
    value = f"AUROC {best['auroc']:.3f} ({best['low']:.3f}–{best['high']:.3f})"
    of = "against the kind of images that is worst for it" if len(groups) > 1 else f"against {best['against']}"
    if not best["leads"]:
        return f"No detector is better than chance: the best is {words(best['name'])}, {value} {of}.{known}"
    if best["ranked"] == 1:
        return f"{words(best['name']).capitalize()}: {value} {of}; no other detector is ranked.{known}"
    if not best["rivals"]:
        return f"{words(best['name']).capitalize()} wins: {value} {of}; all others are worse beyond their intervals.{known}"
    rivals = ", ".join(map(words, best["rivals"]))
    return f"{words(best['name']).capitalize()} leads with {value} {of}; {rivals} may be as good, by the intervals.{known}"


def area_of(row: Found, text: str) -> Figure:
    """An AUROC as a figure."""
    return Figure(f"auroc_{row['name']}", row["auroc"], row["low"], row["high"], "auroc", text)


def figures_of(row: Found) -> list[Figure]:
    """AUROC and rate of a detector against one kind of images."""
    name, against = row["name"], row["against"]
    end = f"{name}_{''.join(letter if letter.isalnum() else '_' for letter in against)}"
    area = Figure(f"auroc_{end}", row["auroc"], row["low"], row["high"], "auroc", f"AUROC of {words(name)}: {against}")
    text = f"evolved images that pass {words(name)} where 95 % of the real ones do: {against}"
    return [area, Figure(f"fpr95_{end}", row["fpr95"], row["fpr95_low"], row["fpr95_high"], "share", text)]


# --- charts ---------------------------------------------------------------------------------------------------------------
def interval_charts(found: Found, names: Sequence[str]) -> list[Chart]:
    """AUROC of every detector, a chart for each kind of images."""
    charts = []
    for name in names:
        rows = [row for row in found["rows"] if row["against"] == name]
        if rows:
            shown = [Interval(words(row["name"]), row["auroc"], row["low"], row["high"]) for row in rows]
            alt = "; ".join(f"{row.label}: {row.value:.2f}" for row in shown)
            marks = {"chance": 0.5}
            charts.append(intervals(f"Against {name}", shown, "AUROC (.5: chance; bars: 95 %)", f"{alt}.", marks=marks))
    return charts


# --- tables ---------------------------------------------------------------------------------------------------------------
def by_cell(found: Found) -> dict[tuple[str, str], Found]:
    """The rows by detector and kind of images."""
    return {(row["name"], row["against"]): row for row in found["rows"]}


def area_cell(row: Found | None) -> Number:
    """An AUROC with its interval."""
    return (
        Number("–", None) if row is None else Number(f"{row['auroc']:.3f} ({row['low']:.3f}–{row['high']:.3f})", row["auroc"])
    )


def rate_cell(row: Found | None) -> Number:
    """A share of images that pass, with its interval."""
    if row is None or row["fpr95"] is None:
        return Number("–", None)
    ends = f"{100 * row['fpr95_low']:.1f}–{100 * row['fpr95_high']:.1f}"
    return Number(f"{100 * row['fpr95']:.1f} % ({ends})", row["fpr95"])


def matrix(found: Found, names: Sequence[str], cell: Any) -> list[list[Cell]]:
    """A row for each detector, a column for each kind of images."""
    cells = by_cell(found)
    shown = [name for name in found["detectors"] if any((name, group) in cells for group in names)]
    return [[words(name), *(cell(cells.get((name, group))) for group in names)] for name in shown]


def areas(found: Found, names: Sequence[str]) -> Table:
    """AUROC."""
    return Table("AUROC (95 %)", ["detector", *names], matrix(found, names, area_cell), "1: all evolved images look less real.")


def rates(found: Found, names: Sequence[str]) -> Table:
    """False positive rates."""
    note = "Share of the evolved images that pass where 95 % of the real ones do; 0 is best."
    return Table("Evolved images that pass (95 %)", ["detector", *names], matrix(found, names, rate_cell), note)


def passing(found: Found, names: Sequence[str]) -> Table:
    """Images that pass at a limit that training images decide."""
    note = f"Share that passes at the limit that 95 % of {found['limit_images']:,} held-out training images pass; the last "
    note += "column: real test images that pass there."
    rows = matrix(found, names, pass_cell)
    real = {words(row["name"]): row["real_passes"] for row in found["rows"]}
    rows = [[*row, interval(real[str(row[0])])] for row in rows if real[str(row[0])]]
    return Table(
        "Evolved images that pass at the limit of the training images (95 %)", ["detector", *names, "real"], rows, note
    )


def pass_cell(row: Found | None) -> Number:
    """The share of the evolved images that passes at the limit."""
    return interval(row["passes"] if row else None)


def adaptive_table(found: Found) -> list[Table]:
    """Kinds of images that were evolved with and without evading detectors, side by side, and what evading costs."""
    plain = {group["plain"]: group for group in found["groups"] if not group["evade"]}
    cells, rows = by_cell(found), list[list[Cell]]()
    for group in found["groups"]:
        before = plain.get(group["plain"])
        if not group["evade"] or not before:
            continue
        for name in found["detectors"]:
            both = [cells.get((name, one["name"])) for one in (before, group)]
            if both[0] and both[1]:
                evaded = "yes" if name in group["evade"] else ""
                pair = [part for row in both for part in (area_cell(row), pass_cell(row))]
                rows.append([group["plain"], words(name), evaded, *pair, ratio(before, group)])
    columns = ["images", "detector", "evaded", "AUROC, plain", "pass, plain", "AUROC, adaptive", "pass, adaptive"]
    note = "pass: at the limit of the training images; evaluations: medians of the images that succeeded, adaptive ÷ plain."
    return [Table("Plain and adaptive attacks", [*columns, "evaluations"], rows, note)] if rows else []


def ratio(plain: Found, adaptive: Found) -> Number:
    """How many times the evaluations of a plain attack an adaptive one takes."""
    both = plain["evaluations"], adaptive["evaluations"]
    if not both[0] or not both[1]:
        return Number("–", None)
    return Number(f"{both[0]:,.0f} → {both[1]:,.0f} (×{both[1] / both[0]:.2g})", both[1] / both[0])


def winners(found: Found) -> Table:
    """The detector that leads against each kind of images."""
    rows: list[list[Cell]] = []
    for group, best in found["winners"].items():
        if best:
            ahead = "leads" if best["rivals"] else "wins" if best["ranked"] > 1 else "the only one ranked"
            answer = ahead if best["leads"] else "no better than chance"
            rows.append([group, words(best["name"]), answer, area_cell(best), ", ".join(map(words, best["rivals"]))])
    return Table("Who leads", ["images", "detector", "result", "AUROC (95 %)", "may be as good"], rows)


def groups(found: Found) -> Table:
    """The kinds of evolved images."""
    rows: list[list[Cell]] = [
        [one["name"], whole(one["images"]), whole(one["made"]), whole(one["evaluations"]), ", ".join(one["records"][:3])]
        for one in found["groups"]
    ]
    return Table("Evolved images", ["images", "compared", "made", "evaluations (median)", "records"], rows)


def detectors(found: Found) -> Table:
    """What each detector is fitted to, and where it comes from."""
    rows = [[words(name), one["title"], one["fitted"] or "nothing", one["source"]] for name, one in found["detectors"].items()]
    return Table("Detectors", ["detector", "what it is", "fitted to", "source"], rows, f"simple statistics: {EVOLVED}")


def left_out(found: Found) -> list[Table]:
    """What could not be measured, and why."""
    rows = [[one["part"].removeprefix("detectors: "), one["against"], one["why"]] for one in found["left_out"]]
    return [Table("Left out", ["detector", "images", "why"], rows)] if rows else []


def steps(found: Found, best: Found | None) -> list[str]:
    """What to do next."""
    if best is None:
        return ["Compare detectors that a defender may have: detectors=all."]
    evaded = {name for group in found["groups"] for name in group["evade"]}
    name = best["name"]
    if name in evaded:
        return ["More images narrow the intervals: runs=100, and images=… of this command."]
    return [f"Attack with the detector in the cost: fooling run … search.evade={name} data.path=…, then compare both records."]
