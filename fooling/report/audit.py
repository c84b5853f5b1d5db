"""The page of `fooling audit`: what audit.json says of one classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted, duration, printable
from fooling.plots import percent, whole_percent, words
from fooling.records.ownership import image_names
from fooling.report.audit_tables import tables
from fooling.report.card import attacked, model_name
from fooling.report.charts import Interval, Series, curves, intervals
from fooling.report.content import Chart, Content, Figure, Picture, Source, figure_of, name_in
from fooling.report.nothing import nothing_chart
from fooling.report.steps import CLASSES, SIDE, is_large, left_out, next_steps
from fooling.report.verdict import is_single, verdict

Found = Mapping[str, Any]
PICTURES = 24  # of the classes that fall first, at most
CURVES = {"99": "99 %", "9999": "99.99 %"}
SURE, ALMOST = 0.9999 - 1e-6, 0.99 - 1e-6  # confidences of an image whose caption says what it reached
REFERENCE = "For comparison: networks of MNIST audited by this project in the same way have 500 to 2,300 (docs/audit.md)."
REFERRED = {"search": "ga", "genome": "pixels", "runs": 10, "budget": 40_200, "threshold": 0.9999}  # protocol of these
NO_SUM = "The scores of this model do not sum to 1: “confidence” is the score of a class, and no probability."
READING = (
    "an attack is a search that changes an image until the classifier (the model) is sure of a chosen class; "
    "an evaluation is one image shown to it; Q is the number of evaluations that a typical attack needs."
)
DOUBTED = "classifier: accuracy is"  # a note on the accuracy that asks whether the preprocessing is right
FOLDED = "Every figure by its name: for gates in CI (fail_under=) and for programs; the tables above say the same"
LIMITS = (
    "Few evaluations prove that the classifier is easy to fool; many prove nothing, as another search may need fewer.",
    "The images are those that a search selected, or synthetic: how often inputs like them occur in use is not measured.",
)
ACCURATE = "Nothing here says that the classifier is right or wrong on real images beyond the accuracy on the data given."
UNKNOWN = (
    "Nothing here says whether the classifier is right or wrong on real images: none with labels were given. So its "
    "preprocessing (scale, mean, order of channels) is unchecked; if it is wrong, these numbers describe another model."
)
KNOWN = "Detectors were not known to the search: an attack that knows them can avoid them."


def audit(source: Source) -> Content:
    """The page of an audit."""
    found = source.found
    figures = [figure_of(name, one) for name, one in found["figures"].items()]
    model, protocol, labels = found["model"], found["protocol"], found["model"]["labels"]
    q: Found = found.get("q") or {}
    name = next((one for one in ("q9999", "q99") if any(figure.name == one for figure in figures)), "")
    first = next((one for one in figures if one.name == name), figures[0] if figures else Figure("images", None))
    pictures = class_pictures(source, q, labels)
    accurate = ACCURATE if found["facts"].get("accuracy") else UNKNOWN
    return Content(
        title=f"Audit of {model_name(model)}",
        verdict=verdict(found),
        reading=READING,
        number=first,
        about=about_q(found, name) if name else "",
        beside=beside(source, found, name),
        figures=figures,
        strip=strip(found) if pictures else "",
        pictures=[
            *source.pictures(("audit.png", "The figures of the audit in one picture", "The audit in one picture")),
            *pictures,
        ],
        charts=[*q_chart(q), *nothing_chart(found), *calibration_chart(found["facts"]), *detector_chart(found)],
        tables=tables(found, labels, evaluations(source)),
        limits=[*LIMITS, accurate, *([KNOWN] if found.get("detectors") else []), *left_out(found)],
        steps=next_steps(found, figures),
        facts={
            "model": str(model.get("path") or model["name"]),
            "fingerprint of the weights": str(model["fingerprint"] or "")[:16],
            "input": "×".join(map(str, model["input_shape"])),
            "classes searched": f"{attacked(protocol)}, {counted(protocol['runs'], 'attack')} each",
            "search": f"{protocol['search']}, genome {protocol['genome'] or '–'}",
            "budget of an image": f"{protocol['budget']:,} evaluations",
        },
        figures_note=FOLDED,
        idle=idle(found),
    )


def idle(found: Found) -> list[str]:
    """Settings that took no part."""
    read = any((found.get(part) or {}).get("judges") for part in ("priors", "mismatch"))
    return [] if read else ["judges"]


def evaluations(source: Source) -> dict[str, int]:
    """The evaluations of each job by its folder, where the status file says them."""
    jobs = source.about.get("jobs") or ()
    return {str(job["folder"]): int(job["evaluations"]) for job in jobs if job.get("evaluations") is not None}


# --- beside the number --------------------------------------------------------------------------------------------------
def about_q(found: Found, name: str) -> str:
    """What Q is, and how its medians are taken."""
    q, level = found["q"], CURVES[name.removeprefix("q")]
    every = f" Images are counted in steps of {q['generation']:,} images, a generation." if q.get("generation") else ""
    of = "the median over the classes" if is_single(q) else "the median over the attacks on a class, then over the classes"
    lower = "of two middle values the lower one counts, as at least half of all are no larger (Kaplan–Meier)"
    return (
        f"This is Q: how many images an attack shows to the classifier until it is {level} sure of a class; {of}; {lower}."
        f"{every} More is better."
    )


def beside(source: Source, found: Found, name: str) -> list[str]:
    """What must be known to read the number: what confidence is, attacks that failed, protocol, time, other models."""
    protocol, q = found["protocol"], found.get("q")
    doubts = [note for note in found["facts"].get("notes", ()) if note.startswith(DOUBTED)]
    lines = [f"Check this first: {printable(note.removeprefix('classifier: '), 600)}." for note in doubts]
    lines += [NO_SUM] if found["facts"].get("sums_to_one") is False else []
    if q and name:
        reached = q[f"reached{name.removeprefix('q')}"]
        missed = reached["of"] - reached["part"]
        level = CURVES[name.removeprefix("q")]
        out = f"{missed} of {counted(reached['of'], 'attack')} ended without {level}, within {protocol['budget']:,} images each"
        effort = "so “more than” says where the effort ended, not how strong the classifier is"
        lines += [f"{out}{f', {effort}' if q[name] is None else ''}."] if missed else []
        lines.append("Q is comparable only with audits by the same search and the same budget.")
    lines.append(protocol_words(source, found))
    is_referred = name == "q9999" and all(protocol.get(key) == value for key, value in REFERRED.items())
    return [*lines, *([REFERENCE] if is_referred else [])]


def protocol_words(source: Source, found: Found) -> str:
    """How many classes were attacked how often, why so many, and how long it took."""
    protocol, seconds = found["protocol"], source.about.get("seconds")
    kind = (
        f"images above {SIDE}×{SIDE} pixels or more than {CLASSES} classes"
        if is_large(found)
        else "small images and few classes"
    )
    is_default = source.settings and all(source.settings.get(key) is None for key in ("runs", "budget", "sample"))
    why = f": the defaults for {kind}, so that an audit takes minutes" if is_default else ""
    took = f" Measuring and attacking took {duration(seconds)}." if isinstance(seconds, int | float) else ""
    each = f"{counted(protocol['runs'], 'attack')} each with at most {protocol['budget']:,} images"
    return f"{attacked(protocol)} classes were attacked, {each}{why}.{took}"


# --- pictures -----------------------------------------------------------------------------------------------------------
def strip(found: Found) -> str:
    """What the pictures are."""
    score = "" if found["facts"].get("sums_to_one") is not False else ", a score and no probability"
    return f"Evolved images by class, those that were reached first in front, with the model’s confidence in the class{score}:"


def class_pictures(source: Source, q: Found, labels: Sequence[str]) -> list[Picture]:
    """The shown image of each class, those that fall first at the front."""
    rows = sorted(q.get("classes", ()), key=lambda row: (row["median9999"] is None, row["median9999"] or 0, row["digit"]))
    found = []
    for row in rows:
        folder, shown = row.get("folder"), row.get("shown")
        if folder in source.jobs and isinstance(shown, int) and shown >= 0:
            name, sure = numbered(row, labels), row["confidence"]
            reached = "" if sure >= SURE else " (99 % reached, 99.99 % not)" if sure >= ALMOST else " (not reached)"
            alt = f"Evolved image for {name}, confidence {percent(sure)}{reached}"
            file = f"{folder}/{image_names(shown + 1)[-1]}"
            found.append(Picture(file, alt, f"{name}: {percent(sure)}{reached}", small=True))
    return [picture for picture in found if source.has(picture.file)][:PICTURES]


def numbered(row: Found, labels: Sequence[str]) -> str:
    """A class by its name and its number, or its number alone where that is its name."""
    name, k = str(row.get("name") or name_in(labels, row["digit"])), str(row["digit"])
    if name == k:
        return f"class {k}"
    return name if name.endswith((f"(class {k})", f"({k})")) else f"{name} ({k})"


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
    halves = [(CURVES.get(level, level), next((x for x, y in points if y <= 0.5), None)) for level, points in survival.items()]
    middle = "; ".join(f"half of them reach {level} within {x:,.0f} images" for level, x in halves if x is not None)
    ends = "; ".join(f"{one.label} at the end: {whole_percent(one.y[-1])}" for one in series)
    title = "Attacks that have not reached the confidence yet (Kaplan–Meier)"
    alt = f"Of all attacks, {middle}. {ends}." if middle else f"Fewer than half of all attacks reach 99 %. {ends}."
    chart = curves(title, series, "evaluations of an attack", "not yet reached", alt, log=True)
    return [
        chart._replace(note="All attacks on all classes together: their median need not be Q, the median over the classes.")
    ]


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
    error = (facts.get("ece") or {}).get("value")
    alt = alt if error is None else f"Accuracy and confidence differ by {100 * error:.2g} % on average. {alt}"
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
    if not shown:
        return []
    best = max(shown, key=lambda row: row.value)
    alt = f"The best detector is {best.label}. " + "; ".join(f"{row.label}: {row.value:.2f}" for row in shown)
    title = "Detectors: evolved against real images, by prior"
    return [intervals(title, shown, "AUROC (.5: chance, more is better; bars: 95 %)", f"{alt}.", marks={"chance": 0.5})]
