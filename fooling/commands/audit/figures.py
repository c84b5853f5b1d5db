"""The figures of an audit by name and what it left out in parts."""

from collections.abc import Mapping
from typing import Any

from fooling.commands.audit.facts import NOT_CALIBRATED
from fooling.report.figures import q_interval
from fooling.report.figures import share as figure_of_share
from fooling.report.gate import interval, number
from fooling.settings.detectors import AUDITED
from fooling.settings.gate import NOTHING, known_figures

Figures = dict[str, dict[str, Any]]
Content = Mapping[str, Any]  # of audit.json, so far


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
    """Shares of images without any of the classes that the classifier is sure about."""
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
    """What parts that were measured lack: calibration, kinds of images without any class, detectors. Each reason once."""
    found = [("facts: calibration", note) for note in content["facts"]["notes"] if note.startswith(NOT_CALIBRATED)]
    found = [(part, note.removeprefix(NOT_CALIBRATED)) for part, note in found]
    measured = {row["kind"] for row in content["nothing"]["rows"]}
    for why in content["nothing"].get("left_out") or ():
        kind, _, own = why.partition(": ")
        kinds = [kind] if kind in NOTHING else [kind for kind in NOTHING if kind not in measured]
        found += [(f"nothing: {one}", own if kind in NOTHING else why) for one in kinds]
    found += [(one["part"], one["why"]) for one in (content["detectors"] or {}).get("left_out") or ()]
    return [{"part": part, "why": why} for part, why in dict.fromkeys(found)]


# --- on the terminal --------------------------------------------------------------------------------------------------
def table(found: Figures) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the figures; of the detectors those against images without a prior."""
    names = [name for name in found if not name.startswith(("auroc_", "fpr95_")) or name.partition("_")[2] in AUDITED]
    rows = [[name, in_words(found[name]), interval(found[name]).strip(" ()"), found[name]["text"]] for name in names]
    return ["figure", "value", "interval", "what it is"], rows


def in_words(found: Mapping[str, Any]) -> str:
    """The value of a figure in its unit."""
    return f"> {found['above']:,.0f}" if found["value"] is None else number(found["value"], found["unit"])
