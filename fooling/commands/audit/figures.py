"""The figures of an audit by name, what it left out in parts, and its verdict in a sentence or two."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.commands.audit.facts import NOT_CALIBRATED
from fooling.errors import counted
from fooling.plots import words
from fooling.report.figures import q_interval
from fooling.report.figures import share as figure_of_share
from fooling.report.gate import interval, number
from fooling.settings.detectors import AUDITED
from fooling.settings.gate import NOTHING, SHARE, known_figures

Figures = dict[str, dict[str, Any]]
Content = Mapping[str, Any]  # of audit.json, so far
OFTEN = 0.01  # share of images of nothing from which on the verdict names them
HARDLY = 0.02  # upper limits of all shares up to which the verdict says hardly ever
FROM_NOISE = ("ga",)  # searches whose first images are noise, with genome=pixels


def figures(content: Content) -> Figures:
    """All figures of an audit: value, interval, unit, which direction is better, and what it is."""
    return {**q_figures(content["q"]), **fact_figures(content["facts"]), **nothing_figures(content["nothing"])} | {
        **prior_figures(content["priors"]),
        **mismatch_figures(content["mismatch"]),
        **detector_figures(content["detectors"]),
    }


def figure(name: str, value: float | None, low: float | None = None, high: float | None = None) -> Figures:
    """A figure of the table of all figures, by its name."""
    known = known_figures()[name]
    return {name: {"value": value, "low": low, "high": high, "better": known.better, "unit": known.unit, "text": known.text}}


def share(name: str, proportion: Mapping[str, Any]) -> Figures:
    """The same of a proportion."""
    known = known_figures()[name]
    return {name: figure_of_share(proportion, known.text, known.better)}


def q_figures(q: Content | None) -> Figures:
    """Evaluations that attacks without a prior take, and how many succeed."""
    found: Figures = {}
    if q is None:
        return found
    for level in ("99", "9999"):
        name = f"q{level}"
        found |= figure(name, q[name], *q_interval(q, level))
        if q[name] is None:
            found[name]["above"] = q["budget"]
        found |= share(f"reached{level}", q[f"reached{level}"])
    return found


def fact_figures(facts: Content) -> Figures:
    """Accuracy, calibration, speed."""
    found: Figures = {}
    if facts["accuracy"]:
        found |= share("accuracy", facts["accuracy"])
    if facts.get("ece"):
        found |= figure("ece", *(facts["ece"][key] for key in ("value", "low", "high")))
    return found | figure("images_per_second", facts["images_per_second"])


def nothing_figures(nothing: Content) -> Figures:
    """Shares of images of nothing that the classifier is sure about."""
    found: Figures = {}
    for row in nothing["rows"]:
        for level in ("90", "99"):
            found |= share(f"{NOTHING[row['kind']].figure}{level}", row[f"at_{level}"])
    return found


def prior_figures(priors: Content | None) -> Figures:
    """Of each prior, how many images other classifiers read as their class, with the classifier and without it."""
    found: Figures = {}
    for row in priors["rows"] if priors else ():
        if row["arm"] == "with":
            found |= share(f"success_{row['rung']}", row["converged"])
        if row["read"]:
            found |= share(f"read_{row['rung']}{'' if row['arm'] == 'with' else '_control'}", row["read"])
    return found


def mismatch_figures(mismatch: Content | None) -> Figures:
    """Images that are one class to others and another to the classifier."""
    return share("mismatch", mismatch["pairs"]) if mismatch else {}


def detector_figures(detectors: Content | None) -> Figures:
    """How well scores separate evolved images from real ones."""
    found: Figures = {}
    for row in detectors["rows"] if detectors else ():
        name = row["name"] if row["against"] == "none" else f"{row['name']}_{row['against']}"
        found |= figure(f"auroc_{name}", row["auroc"], row["low"], row["high"])
        if row["fpr95"] is not None:
            found |= figure(f"fpr95_{name}", row["fpr95"], row["fpr95_low"], row["fpr95_high"])
    return found


# --- what is left out -------------------------------------------------------------------------------------------------
def left_out_within(content: Content) -> list[dict[str, str]]:
    """What parts that were measured lack: calibration, kinds of images of nothing, detectors. Each reason once."""
    found = [("facts: calibration", note) for note in content["facts"]["notes"] if note.startswith(NOT_CALIBRATED)]
    found = [(part, note.removeprefix(NOT_CALIBRATED)) for part, note in found]
    measured = {row["kind"] for row in content["nothing"]["rows"]}
    for why in content["nothing"].get("left_out") or ():
        kind, _, own = why.partition(": ")
        kinds = [kind] if kind in NOTHING else [kind for kind in NOTHING if kind not in measured]
        found += [(f"nothing: {one}", own if kind in NOTHING else why) for one in kinds]
    found += [(one["part"], one["why"]) for one in (content["detectors"] or {}).get("left_out") or ()]
    return [{"part": part, "why": why} for part, why in dict.fromkeys(found)]


# --- verdict ----------------------------------------------------------------------------------------------------------
def verdict(content: Content) -> str:
    """What was found, in a sentence or two."""
    if content["q"] is None:
        return "No attack ran in the time that was given."
    failed = [words(check["name"]) for check in content.get("checks", ()) if check["passed"] is False]
    doubt = f"Do not cite these figures, as a check of the audit itself failed ({', '.join(failed)}). " if failed else ""
    return f"{doubt}{of_attacks(content['q'], started(content['protocol']))} {of_nothing(content['nothing']['rows'])}"


def started(protocol: Content) -> str:
    """What the attacks begin with or, where that is no noise, which they are."""
    search, genome = protocol["search"], protocol["genome"]
    return "from noise" if search in FROM_NOISE and genome == "pixels" else f"by search={search} with genome={genome}"


def of_attacks(q: Content, how: str) -> str:
    """How many attacks succeeded and how soon."""
    reached, nearly = q["reached9999"], q["reached99"]
    tried = f"{reached['part']} of {counted(reached['of'], 'attack')}"
    if q["q9999"] is not None:
        return f"{tried} {how} made it 99.99 % sure of a class; of a typical class half within {q['q9999']:,.0f} images."
    if q["q99"] is not None:
        first = f"Of a typical class half of the attacks {how} made it 99 % sure within {q['q99']:,.0f} images"
        return f"{first}; {tried} reach 99.99 %."
    some = f"{nearly['part']} of {counted(nearly['of'], 'attack')} {how} made it 99 % sure of a class"
    return f"{some} within {q['budget']:,} images; of a typical class less than half did."


def of_nothing(rows: Sequence[Content]) -> str:
    """How often it is sure of images of nothing; that it hardly ever is only where enough images say so."""
    if not rows:
        return "How sure it is of images of nothing could not be measured."
    worst = max(rows, key=lambda row: float(row["at_99"]["share"]))
    if worst["at_99"]["share"] > OFTEN:
        found, kind, note = worst["at_99"], NOTHING[worst["kind"]], str(worst["note"]).partition("; ")[0]
        share = f"{number(found['share'], SHARE)} of the {kind.name} ({found['part']:,} of {found['of']:,}"
        return f"Without any attack it is 99 % sure of {share}: {note if note and worst['kind'] == 'foreign' else kind.what})."
    least = max(rows, key=lambda row: float(row["at_99"]["high"]))
    found = least["at_99"]
    if found["high"] <= HARDLY:
        kinds = ", ".join(NOTHING[row["kind"]].name.removesuffix(" images") for row in rows)
        return f"Without an attack, images of nothing ({kinds}) hardly ever reach 99 %."
    kind = NOTHING[least["kind"]]
    some = f"{found['part']:,} of {found['of']:,} {kind.name} ({kind.what}) reach 99 %"
    return f"Without an attack, {some}: up to {number(found['high'], SHARE)} may (95 % interval)."


# --- on the terminal --------------------------------------------------------------------------------------------------
def table(found: Figures) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the figures; of the detectors those against images without a prior."""
    names = [name for name in found if not name.startswith(("auroc_", "fpr95_")) or name.partition("_")[2] in AUDITED]
    rows = [[name, in_words(found[name]), interval(found[name]).strip(" ()"), found[name]["text"]] for name in names]
    return ["figure", "value", "interval", "what it is"], rows


def in_words(found: Mapping[str, Any]) -> str:
    """The value of a figure in its unit."""
    return f"> {found['above']:,.0f}" if found["value"] is None else number(found["value"], found["unit"])
