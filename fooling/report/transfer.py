"""The page of `fooling transfer`: who believes images that were made against another classifier, and what ensembles buy."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.report.charts import Interval, intervals
from fooling.report.content import Cell, Chart, Content, Figure, Number, Source, Table, interval, share_of
from fooling.statistics.intervals import difference_of_proportions

ROWS = 24  # of the chart, at most
LIMITS = (
    "Only images that succeeded against their own classifier are counted: how many did not is in the column “succeeded”.",
    "These attacks aim at one classifier. An attack that aims at several transfers better; an ensemble measures that.",
    "Classifiers that were trained on the same data resemble each other: others may believe fewer images, or more.",
    "Images of one source are not independent of their classes: intervals are for more images of the same classes.",
)
Found = Mapping[str, Any]


# --- words --------------------------------------------------------------------------------------------------------------
def interval_words(found: Found) -> str:
    """A proportion in a cell of the terminal: 12 % (8–17)."""
    return f"{100 * found['share']:.0f} % ({100 * found['low']:.0f}–{100 * found['high']:.0f})"


def median_words(found: Found) -> str:
    """A median of evaluations with its interval."""
    if found["value"] is None:
        return f"more than {found['above']:,.0f}" if found.get("above") is not None else "unknown"
    ends = f"{found['low']:,.0f} or more" if found["high"] is None else f"{found['low']:,.0f}–{found['high']:,.0f}"
    return f"{found['value']:,.0f} (95 %: {ends})"


def sentences(found: Found) -> list[str]:
    """What was found, a line each."""
    said = []
    if found["transferred"]:
        share = interval_words(found["transferred"])
        said.append(f"{share} of successful images are also believed by at least one classifier that was not attacked (95 %)")
    said += [
        f"nothing succeeded against {row['source']}, prior {row['kind']}"
        for row in found["rows"]
        if not row["succeeded"]["part"]
    ]
    for one in found["ensembles"]:
        said += ensemble_sentences(one)
    return said


def ensemble_sentences(one: Found) -> list[str]:
    """What an ensemble buys, in shares and in evaluations."""
    said, name = [], one["name"]
    combined = f"{name} ({one['combine']} of {', '.join(one['members'])})"
    own, members = one["believed"][name], {member: one["believed"][member] for member in one["members"]}
    if own and all(members.values()):
        best = min(members, key=lambda member: members[member]["share"])
        low, high = difference_of_proportions(members[best], own)
        clear = "fewer" if high < 0 else "more" if low > 0 else "not clearly fewer or more"
        said.append(
            f"{combined} believes {interval_words(own)} of the images made against others; its members "
            f"{', '.join(f'{member} {interval_words(members[member])}' for member in members)}: {clear} than the best of them"
        )
    if one["believed_of_members"]:
        said.append(f"{name} believes {interval_words(one['believed_of_members'])} of the images made against its members")
    for level, words in (("99", ".99"), ("9999", ".9999")):
        each = {source: medians[level] for source, medians in one["evaluations"].items()}
        if name in each:
            others = ", ".join(f"{source} {median_words(each[source])}" for source in each if source != name)
            beside = f"; on its members: {others}" if others else ""
            said.append(f"an attack on {name} reaches {words} after {median_words(each[name])} images, median{beside}")
    if one["evaluations"]:
        said.append(f"each image that {name} scores is scored by {len(one['members'])} members")
    return said


# --- page ---------------------------------------------------------------------------------------------------------------
def transfer(source: Source) -> Content:
    """The matrix of sources and classifiers."""
    found = source.found
    rows, names = found["rows"], [one["name"] for one in found["classifiers"]]
    others = [(row, cell) for row in rows for cell in row["cells"] if not cell["related"] and cell["believed"]]
    most = max(others, key=lambda pair: pair[1]["believed"]["share"], default=None)
    verdict = "No image that was made against one classifier was shown to another."
    if found["transferred"] and most:
        row, cell = most
        verdict = (
            f"{100 * found['transferred']['share']:.3g} % of successful images are also believed by at least one classifier "
            f"that was not attacked; most of those against {row['source']} by {cell['classifier']}: "
            f"{100 * cell['believed']['share']:.3g} %."
        )
    text = "successful images that at least one classifier believes that was not attacked"
    number = share_of("transferred", found["transferred"], text)
    figures = [
        share_of(f"{row['source']}_{row['kind']}_{cell['classifier']}", cell["believed"], f"believed by {cell['classifier']}")
        for row, cell in others
    ]
    return Content(
        title=f"Transfer between {len(names)} classifiers",
        verdict=verdict,
        number=number,
        figures=[number, *figures, *ensemble_figures(found["ensembles"])],
        pictures=source.pictures(
            (
                "transfer.png",
                "A row for each attacked classifier, a column for each that looks at its images",
                "Who believes what",
            )
        ),
        charts=chart(others),
        tables=[matrix(found, names), arg_max(found, names), *evaluations(rows), *map(ensemble, found["ensembles"])],
        limits=[*LIMITS, *found["notes"]],
        steps=[
            "Images that transfer are a risk without access to the classifier: keep them as a test set (fooling export).",
            "Compare an ensemble: classifiers=[…, {name: ensemble, members: [a,b], title: both}].",
        ],
        facts={"classifier": ", ".join(names)} | {one["name"]: facts(one) for one in found["classifiers"]},
    )


def facts(one: Found) -> str:
    """A classifier in a line."""
    members = f", {one['combine']} of {len(one['members'])} members" if one["members"] else ""
    return f"{one['fingerprint'][:12]}…{members}" + (f", {one['path']}" if one["path"] else "")


def matrix(found: Found, names: Sequence[str]) -> Table:
    """Who believes what."""
    note = (
        f"believed: a score of {found['threshold']:g} or more, which is also the largest; *: attacked itself, or a member of it"
    )
    columns = ["made against", "prior", "succeeded", *names]
    rows: list[Sequence[Cell]] = [
        [row["source"], row["kind"], interval(row["succeeded"]), *(marked(cell, "believed") for cell in row["cells"])]
        for row in found["rows"]
    ]
    return Table("Successful images that a classifier believes", columns, rows, note)


def arg_max(found: Found, names: Sequence[str]) -> Table:
    """Who reads what, at any score."""
    rows: list[Sequence[Cell]] = [
        [row["source"], row["kind"], *(marked(cell, "read") for cell in row["cells"])] for row in found["rows"]
    ]
    return Table("The same at any score: the class has the largest one", ["made against", "prior", *names], rows)


def marked(cell: Found, key: str) -> Number:
    """A share, with a star where the classifier was attacked itself."""
    found = interval(cell[key])
    return Number(f"{found.text} *", found.value) if cell["related"] else found


def evaluations(rows: Sequence[Found]) -> list[Table]:
    """How long the attacks took."""
    cells: list[Sequence[Cell]] = [
        [
            row["source"],
            row["kind"],
            *(
                cell
                for level in ("99", "9999")
                for cell in (median(row["evaluations"][level]), interval(row["evaluations"][level]["reached"]))
            ),
        ]
        for row in rows
    ]
    columns = ["attack on", "prior", "to .99", "reached", "to .9999", "reached"]
    note = "medians of all runs; a run that ended without the confidence counts as censored"
    return [Table("Images until a confidence", columns, cells, note)]


def median(found: Found) -> Number:
    """A median as a cell."""
    return Number(median_words(found), found["value"])


def ensemble(one: Found) -> Table:
    """What an ensemble buys."""
    rows: list[Sequence[Cell]] = [
        [
            name,
            "ensemble" if name == one["name"] else "member",
            interval(one["believed"][name]),
            *(median(one["evaluations"][name][level]) if name in one["evaluations"] else "–" for level in ("99", "9999")),
        ]
        for name in (one["name"], *one["members"])
    ]
    title = f"What {one['name']} buys: {one['combine']} of {len(one['members'])} members"
    columns = ["classifier", "", "believes of images made against others", "attack to .99", "attack to .9999"]
    note = f"images shown; one that the ensemble scores is scored by {len(one['members'])} members"
    return Table(title, columns, rows, note)


def ensemble_figures(ensembles: Sequence[Found]) -> list[Figure]:
    """Shares and evaluations of ensembles."""
    found = []
    for one in ensembles:
        name = one["name"]
        found.append(share_of(f"{name}_believes", one["believed"][name], f"images made against others that {name} believes"))
        for level in ("99", "9999"):
            if name in one["evaluations"]:
                of = one["evaluations"][name][level]
                text = f"images until an attack on {name} reaches .{level}, median"
                found.append(
                    Figure(
                        f"{name}_evaluations_{level}", of["value"], of["low"], of["high"], "evaluations", text, of.get("above")
                    )
                )
    return found


def chart(others: Sequence[tuple[Found, Found]]) -> list[Chart]:
    """The shares with their intervals, the largest first."""
    ranked = sorted(others, key=lambda pair: -pair[1]["believed"]["share"])[:ROWS]
    sources = list(dict.fromkeys(row["source"] for row, _ in others))
    shown = [
        Interval(
            f"{row['source']} → {cell['classifier']}",
            cell["believed"]["share"],
            cell["believed"]["low"],
            cell["believed"]["high"],
            sources.index(row["source"]),
        )
        for row, cell in ranked
    ]
    if not shown:
        return []
    alt = "; ".join(f"{one.label}: {100 * one.value:.0f} %" for one in shown)
    title = "Believed by another classifier" + (f": the {ROWS} largest of {len(others)} pairs" if len(others) > ROWS else "")
    return [intervals(title, shown, "share of the successful images (bars: 95 %)", f"{alt}.")]
