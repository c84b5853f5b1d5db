"""The figures of an audit by name, its three checks of itself, and its verdict in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fooling.errors import counted
from fooling.plots import whole_percent
from fooling.report.gate import interval, number
from fooling.search.result import Result
from fooling.settings.gate import DETECTORS, known_figures

Figures = dict[str, dict[str, Any]]
Content = Mapping[str, Any]  # of audit.json, so far
SLACK = 1e-6  # by which rounding may change a cost
NEARLY, LESS = 0.99, 0.1  # confidence of success by gradients, and the share by which they may succeed less often
OFTEN = 0.01  # share of images of nothing from which on the verdict names them
CERTAINTIES = {"blank": "blank images", "even_noise": "even noise", "shuffled": "shuffled images"} | {
    "phase_scrambled": "phase-scrambled images",
    "foreign": "images of other things",
}
SHORT = {"even_noise": "noise", "phase_scrambled": "scrambled"}  # in names of figures


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
    return figure(name, proportion["share"], proportion["low"], proportion["high"])


def q_figures(q: Content | None) -> Figures:
    """Evaluations that attacks without a prior take, and how many succeed."""
    found: Figures = {}
    if q is None:
        return found
    for level in ("99", "9999"):
        name, (low, high) = f"q{level}", q[f"interval{level}"]
        found |= figure(name, q[name], q["budget"] if low is None else low, high)  # what was not reached is more than was tried
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
            found |= share(f"{SHORT.get(row['kind'], row['kind'])}{level}", row[f"at_{level}"])
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


# --- checks -----------------------------------------------------------------------------------------------------------
def checks(content: Content, results: Sequence[Result], gradient_results: Sequence[Result]) -> list[dict[str, Any]]:
    """Whether the attacks are worth believing (Carlini et al. 2019, "On evaluating adversarial robustness", section 4)."""
    return [more_budget(results), gradients(content["q"], gradient_results), noise(content)]


def check(name: str, passed: bool | None, text: str) -> dict[str, Any]:
    """A check; `passed` is None where it could not be made."""
    return {"name": name, "passed": passed, "text": text}


def more_budget(results: Sequence[Result]) -> dict[str, Any]:
    """More budget is never worse: the best image of no class becomes worse while its attacks go on."""
    if not results:
        return check("more_budget", None, "no attack ran")
    curves = [result.history["best_cost"] for result in results]
    worse = sum(bool((np.diff(curve) > SLACK).any()) for curve in curves)
    text = f"the cost of the best image rose during the attacks on {worse} of {len(results)} classes"
    return check("more_budget", worse == 0, text)


def gradients(q: Content | None, results: Sequence[Result]) -> dict[str, Any]:
    """Gradients are not beaten by scores alone; where they are, they are masked or the attacks by them too weak."""
    if not results or q is None:
        return check("gradients", None, "no attack by gradients ran")
    sure = float(np.concatenate([result.confidence >= NEARLY for result in results]).mean())
    by_scores = float(np.mean([row["reached99"]["share"] for row in q["classes"]]))
    text = f"{whole_percent(sure)} of the attacks by gradients reach 99 %, {whole_percent(by_scores)} of those by scores alone"
    return check("gradients", sure >= by_scores - LESS, text)


def noise(content: Content) -> dict[str, Any]:
    """Noise does not succeed where the attacks fail."""
    rows = [row for row in content["nothing"]["rows"] if row["kind"] == "even_noise"]
    if not rows or content["q"] is None:
        return check("noise", None, "no attack ran")
    failed = {row["digit"] for row in content["q"]["classes"] if row["reached99"]["part"] == 0}
    sure = rows[0]["at_99"]["part"]
    found = [answer["class"] for answer in rows[0]["answers"] if answer["class"] in failed] if sure else []
    text = f"the attacks fail on {len(failed)} classes at 99 %; noise reaches it for {len(found)} of them"
    return check("noise", not found, text)


# --- verdict ----------------------------------------------------------------------------------------------------------
def verdict(content: Content) -> str:
    """What was found, in a sentence or two."""
    q = content["q"]
    if q is None:
        return "No attack ran in the time that was given."
    reached, nearly = q["reached9999"], q["reached99"]
    tried = f"{reached['part']} of {counted(reached['of'], 'attack')}"
    if q["q9999"] is not None:
        first = (
            f"{tried} from noise made it 99.99 % sure of a class; of the median class half succeed by {q['q9999']:,.0f} images."
        )
    elif q["q99"] is not None:
        first = f"Of the median class half of the attacks from noise made it 99 % sure by {q['q99']:,.0f} images; "
        first += f"{tried} reach 99.99 %."
    else:
        some = f"{nearly['part']} of {counted(nearly['of'], 'attack')} from noise made it 99 % sure of a class"
        first = f"{some} within {q['budget']:,} images; of the median class less than half did."
    sure = [row for row in content["nothing"]["rows"] if row["at_99"]["share"] > OFTEN]
    if not sure:
        return f"{first} Without an attack, images of nothing hardly ever reach 99 %."
    worst = max(sure, key=lambda row: float(row["at_99"]["share"]))
    part = whole_percent(worst["at_99"]["share"])
    return f"{first} Without any attack it is 99 % sure of {part} of all {CERTAINTIES[worst['kind']]}."


# --- on the terminal --------------------------------------------------------------------------------------------------
def table(found: Figures) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the figures; of the detectors those against images without a prior."""
    names = [name for name in found if not name.startswith(("auroc_", "fpr95_")) or name.partition("_")[2] in DETECTORS]
    rows = [[name, in_words(found[name]), interval(found[name]).strip(" ()"), found[name]["text"]] for name in names]
    return ["figure", "value", "interval", "what it is"], rows


def in_words(found: Mapping[str, Any]) -> str:
    """The value of a figure in its unit."""
    return f"> {found['above']:,.0f}" if found["value"] is None else number(found["value"], found["unit"])
