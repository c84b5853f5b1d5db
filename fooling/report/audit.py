"""The page of `fooling audit`: what audit.json says of one classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted
from fooling.plots import percent, whole_percent, words
from fooling.records.ownership import image_names
from fooling.report.card import attacked, model_name
from fooling.report.charts import Interval, Series, curves, intervals
from fooling.report.content import (
    Cell,
    Chart,
    Content,
    Figure,
    Number,
    Picture,
    Source,
    Table,
    decimal,
    figure_of,
    interval,
    name_in,
    sure,
    whole,
)
from fooling.report.nothing import nothing_chart, nothing_table
from fooling.report.steps import next_steps

Found = Mapping[str, Any]
PICTURES = 24  # of the classes that fall first, at most
CURVES = {"99": "99 %", "9999": "99.99 %"}
SCALED = {"temperature": "fitted temperature", "ece_unscaled": "calibration error of the images that it was not fitted to"}
SCALED |= {"ece_scaled": "the same at that temperature"}
CHECKS = {"more_budget": "more budget is never worse", "gradients": "gradients are not beaten by scores alone"}
CHECKS |= {"noise": "noise does not succeed where the search fails"}
ABOUT_Q = (
    "This is Q: how many images an attack shows to the classifier until it is so sure of a class; the median over the attacks "
    "on a class, then over the classes{}. More is better."
)
LIMITS = (
    "Few evaluations prove that the classifier is easy to fool; many prove nothing, as another search may need fewer.",
    "The images are those that a search selected, or synthetic: how often inputs like them occur in use is not measured.",
    "Nothing here says that the classifier is right or wrong on real images beyond the accuracy on the data given.",
    "Detectors were not known to the search: an attack that knows them can avoid them.",
)


def audit(source: Source) -> Content:
    """The page of an audit."""
    found = source.found
    figures = [figure_of(name, one) for name, one in found["figures"].items()]
    model, protocol, labels = found["model"], found["protocol"], found["model"]["labels"]
    q: Found = found.get("q") or {}
    every = f", counted in steps of {q['generation']:,} images, a generation" if q.get("generation") else ""
    name = next((one for one in ("q9999", "q99") if any(figure.name == one for figure in figures)), "")
    first = next((one for one in figures if one.name == name), figures[0] if figures else Figure("images", None))
    return Content(
        title=f"Audit of {model_name(model)}",
        verdict=found["verdict"],
        number=first,
        about=ABOUT_Q.format(every) if first.name in ("q9999", "q99") else "",
        figures=figures,
        pictures=[
            *source.pictures(("audit.png", "The figures of the audit in one picture", "The audit in one picture")),
            *class_pictures(source, q, labels),
        ],
        charts=[*q_chart(q), *nothing_chart(found), *calibration_chart(found["facts"]), *detector_chart(found)],
        tables=tables(found, q, labels),
        limits=[*LIMITS, *left_out(found)],
        steps=next_steps(found, figures),
        facts={
            "model": str(model.get("path") or model["name"]),
            "fingerprint of the weights": str(model["fingerprint"] or "")[:16],
            "input": "×".join(map(str, model["input_shape"])),
            "classes searched": f"{attacked(protocol)}, {counted(protocol['runs'], 'seed')} each",
            "search": f"{protocol['search']}, genome {protocol['genome'] or '–'}",
            "budget of an image": f"{protocol['budget']:,} evaluations",
        },
    )


def left_out(found: Found) -> list[str]:
    """A line for everything that was not measured; what parts that were measured lack is among it."""
    return list(dict.fromkeys(f"Left out: {one['part']} ({one['why']})." for one in found.get("left_out") or ()))


def class_pictures(source: Source, q: Found, labels: Sequence[str]) -> list[Picture]:
    """The shown image of each class, those that fall first at the front."""
    rows = sorted(q.get("classes", ()), key=lambda row: (row["median9999"] is None, row["median9999"] or 0, row["digit"]))
    found = []
    for row in rows:
        folder, shown = row.get("folder"), row.get("shown")
        if folder in source.jobs and isinstance(shown, int) and shown >= 0:
            name = row.get("name") or name_in(labels, row["digit"])
            alt = f"Evolved image for {name}, confidence {percent(row['confidence'])}"
            file = f"{folder}/{image_names(shown + 1)[-1]}"
            found.append(Picture(file, alt, f"{name}: {percent(row['confidence'])}", small=True))
    return [picture for picture in found if source.has(picture.file)][:PICTURES]


# --- charts -------------------------------------------------------------------------------------------------------------
def q_chart(q: Found) -> list[Chart]:
    """Kaplan–Meier: the share of the searches that have not reached the confidence, over the evaluations."""
    survival = q.get("survival") or {}
    series = [
        Series(f"below {CURVES.get(level, level)}", [max(1, x) for x, _ in points], [y for _, y in points], step=True)
        for level, points in survival.items()
        if points
    ]
    if not series:
        return []
    ends = "; ".join(f"{one.label} at the end: {whole_percent(one.y[-1])}" for one in series)
    title = "Searches that have not reached the confidence yet (Kaplan–Meier)"
    return [curves(title, series, "evaluations of an image", "not yet reached", f"{ends}.", log=True)]


def calibration_chart(facts: Found) -> list[Chart]:
    """Accuracy over confidence in bins."""
    bins = [one for one in facts.get("bins") or () if one["images"]]
    if not bins:
        return []
    series = Series("", [one["confidence"] for one in bins], [one["accuracy"] for one in bins])
    alt = "; ".join(
        f"confidence {whole_percent(one['confidence'])}: accuracy {whole_percent(one['accuracy'])} ({one['images']} images)"
        for one in bins
    )
    return [curves("Calibration on real images", [series], "mean confidence of a bin", "accuracy", f"{alt}.", diagonal=True)]


def detector_chart(found: Found) -> list[Chart]:
    """AUROC of the detectors."""
    rows = [row for row in (found.get("detectors") or {}).get("rows", ()) if row["auroc"] is not None]
    against = list(dict.fromkeys(row["against"] for row in rows))
    shown = [
        Interval(
            f"{words(row['name'])}, {row['against']}", row["auroc"], row["low"], row["high"], against.index(row["against"])
        )
        for row in rows
    ]
    alt = "; ".join(f"{row.label}: {row.value:.2f}" for row in shown)
    marks = {"chance": 0.5}
    title = "Detectors: evolved against real images"
    return [intervals(title, shown, "AUROC (.5: chance; bars: 95 %)", f"{alt}.", marks=marks)] if shown else []


# --- tables -------------------------------------------------------------------------------------------------------------
def tables(found: Found, q: Found, labels: Sequence[str]) -> list[Table]:
    """Every part of the audit that has rows."""
    parts = [checks_table(found), q_table(q, labels), nothing_table(found, labels), readings_table(found)]
    return [table for table in (*parts, priors_table(found), detectors_table(found)) if table.rows]


def checks_table(found: Found) -> Table:
    """Sanity of the evaluation itself."""
    answers = {True: "passed", False: "FAILED", None: "not checked"}
    rows = [
        [CHECKS.get(one["name"], words(one["name"])), answers.get(one["passed"], "–"), one["text"]]
        for one in found.get("checks") or ()
    ]
    return Table("Checks of the evaluation itself", ["check", "result", "what was seen"], rows)


def q_table(q: Found, labels: Sequence[str]) -> Table:
    """Evaluations for each class."""
    rows: list[list[Cell]] = [
        [
            str(row.get("name") or name_in(labels, row["digit"])),
            whole(row["median99"], "not reached"),
            whole(row["median9999"], "not reached"),
            interval(row["reached9999"]),
        ]
        for row in q.get("classes", ())
    ]
    return Table("Evaluations for each class (medians)", ["class", "to 99 %", "to 99.99 %", "reached 99.99 %"], rows)


def readings_table(found: Found) -> Table:
    """Accuracy, calibration and speed."""
    facts, rows = found["facts"], list[list[Cell]]()
    if facts.get("accuracy"):
        rows.append(["accuracy on real images", interval(facts["accuracy"])])
    for one in facts.get("readings") or ():
        share = one["share"]
        cell = interval(share) if isinstance(share, Mapping) else sure(share)
        settings = one["settings"]
        texts = (
            " ".join(f"{key}={value}" for key, value in settings.items()) if isinstance(settings, Mapping) else str(settings)
        )
        rows.append([f"images read {one['way']}" + (f" ({texts})" if texts else ""), cell])
    ece = found["figures"].get("ece", {}).get("value")
    if ece is not None:
        rows.append(["expected calibration error", decimal(ece, 4)])
    for key, text in SCALED.items():
        if facts.get(key) is not None:
            rows.append([text, decimal(facts[key], 4)])
    if facts.get("images_per_second") is not None:
        rows.append(["images per second", whole(facts["images_per_second"])])
    return Table("Facts", ["measure", "value"], rows, ". ".join(map(str, facts.get("notes") or ())))


def priors_table(found: Found) -> Table:
    """Each prior with its control."""
    rows: list[list[Cell]] = []
    terms = list(
        dict.fromkeys(term for row in (found.get("priors") or {}).get("rows", ()) for term in row["percentiles"] or {})
    )
    for row in (found.get("priors") or {}).get("rows", ()):
        percentiles = [decimal((row["percentiles"] or {}).get(term), 0) for term in terms]
        rows.append(
            [row["rung"], row["arm"], whole(row["images"]), sure(row["confidence"]), interval(row["read"]), *percentiles]
        )
    columns = [
        "prior",
        "arm",
        "images",
        "confidence",
        "read by held-out classifiers",
        *(f"{term}, percentile" for term in terms),
    ]
    return Table("Priors and their controls", columns, rows)


def detectors_table(found: Found) -> Table:
    """AUROC, and evolved images that pass."""
    rows: list[list[Cell]] = []
    for row in (found.get("detectors") or {}).get("rows", ()):
        low, high = row["fpr95_low"], row["fpr95_high"]
        text = "–" if row["fpr95"] is None else f"{100 * row['fpr95']:.1f} %"
        text += "" if low is None or high is None else f" ({100 * low:.1f} %–{100 * high:.1f} %)"
        area = "–" if row["auroc"] is None else f"{row['auroc']:.3f}"
        area += "" if row["low"] is None or row["high"] is None else f" ({row['low']:.3f}–{row['high']:.3f})"
        rows.append([words(row["name"]), row["against"], Number(area, row["auroc"]), Number(text, row["fpr95"])])
    return Table(
        "Detectors",
        ["detector", "against prior", "AUROC (95 %)", "evolved images that pass where 95 % of the real ones do (95 %)"],
        rows,
    )
