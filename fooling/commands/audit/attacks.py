"""What the attacks of an audit found: evaluations without a prior, priors with their controls, and readable mismatches."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.detectors import detector_rows
from fooling.classifiers.features import evidence, of_classes
from fooling.classifiers.labels import class_name
from fooling.commands import ladder, matrix
from fooling.commands.audit.protocol import GRADIENTS, MISMATCH, PRIORS, Attacks, Protocol, Q
from fooling.commands.jobs import GridEntry
from fooling.data import ImageSet
from fooling.errors import UserError, counted
from fooling.kernels.tables import Bytes, Flags, Ints
from fooling.report.verdict import search_words
from fooling.search.result import Result, median_confidence_index
from fooling.search.state import MILESTONES
from fooling.settings.audit import AuditSettings
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.survival import median_over, survival_curve

LEVELS = {"99": MILESTONES.index(0.99), "9999": MILESTONES.index(0.9999)}  # names in keys, columns of `evaluations_to`
Found = Sequence[tuple[GridEntry, Result]]  # jobs that have run, with their results


def of_part(attacks: Attacks, results: Sequence[Result], part: str) -> list[tuple[GridEntry, Result]]:
    """The jobs of a part that have run, with their results."""
    return [pair for pair in zip(attacks.entries, results, strict=False) if pair[0].axes["part"] == part]


def missing(attacks: Attacks, results: Sequence[Result], minutes: float) -> list[dict[str, str]]:
    """The parts that are left out, and how much of the others the time did not allow."""
    said = [{"part": part, "why": why} for part, why in attacks.left_out.items()]
    for part in (Q, GRADIENTS, PRIORS, MISMATCH):
        planned, ran = len(attacks.of_part(part)), len(of_part(attacks, results, part))
        if ran < planned:
            why = f"{planned - ran} of {planned} jobs did not run{of_rungs(attacks, results, part)}"
            said.append({"part": part, "why": f"{why}, as the time was over; minutes={4 * minutes:g} resume=true goes on"})
    return said


def of_rungs(attacks: Attacks, results: Sequence[Result], part: str) -> str:
    """How many of the jobs that have not run are of each prior; '' for parts without."""
    ran = {entry.folder for entry, _ in of_part(attacks, results, part)}
    rungs = Counter(entry.axes["rung"] for entry in attacks.of_part(part) if "rung" in entry.axes and entry.folder not in ran)
    return "".join(f", {number} with the prior {rung}" for rung, number in rungs.items())


# --- without a prior --------------------------------------------------------------------------------------------------
def times(results: Sequence[Result], level: str) -> tuple[Ints, Flags]:
    """Evaluations of all runs [N] until a confidence, or until they ended without it, and whether they reached it [N]."""
    reached_at = np.concatenate([result.evaluations_to[:, LEVELS[level]] for result in results])
    ended = np.concatenate([result.evaluations for result in results])
    return np.where(reached_at >= 0, reached_at, ended), reached_at >= 0


def class_row(entry: GridEntry, result: Result) -> dict[str, Any]:
    """What audit.json says of a class."""
    row: dict[str, Any] = {"digit": result.digit, "name": class_name(entry.job.objective.digit, str(entry.job.label))}
    for level in LEVELS:
        at, reached = times([result], level)
        row |= {
            f"median{level}": survival_curve(at, reached).median.value,
            f"reached{level}": proportion_with_ci(int(reached.sum()), len(reached)),
        }
    shown = median_confidence_index(result.confidence)
    return {**row, "folder": entry.folder, "shown": shown, "confidence": float(result.confidence[shown])}


def q_content(found: Found) -> dict[str, Any]:
    """Q: the median over classes of the median evaluations to a confidence, and how it comes about."""
    results = [result for _, result in found]
    rows = sorted((class_row(entry, result) for entry, result in found), key=lambda row: int(row["digit"]))
    most = int(max(result.evaluations.max() for result in results))  # of an attack
    step = found[0][0].job.criteria.population
    content: dict[str, Any] = {"classes": rows, "survival": {}, "budget": most, "generation": step}
    for level in LEVELS:
        at, reached = times(results, level)
        found_median = median_over([row[f"median{level}"] for row in rows])
        content |= {f"q{level}": found_median.value, f"interval{level}": list(found_median[1:])}
        content[f"reached{level}"] = proportion_with_ci(int(reached.sum()), len(reached))
        content["survival"][level] = survival_curve(at, reached).steps()
    ranked = sorted(rows, key=difficulty)
    return content | {"first": ranked[0]["digit"], "last": ranked[-1]["digit"]}


def difficulty(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """By what classes are ranked: median evaluations to .9999, those to .99, and the confidence that was missed."""
    sure, nearly = (np.inf if row[key] is None else float(row[key]) for key in ("median9999", "median99"))
    return sure, nearly, 1 - row["confidence"]


# --- priors -----------------------------------------------------------------------------------------------------------
def priors_content(found: Found) -> dict[str, Any]:
    """A row for each prior and condition, over the images of all classes."""
    rows: dict[str, list[tuple[GridEntry, Result]]] = {}
    for entry, result in found:
        rows.setdefault(entry.row, []).append((entry, result))
    return {"rows": [prior_row(several) for several in rows.values()], "judges": list(found[0][0].job.judges)}


def prior_row(several: Sequence[tuple[GridEntry, Result]]) -> dict[str, Any]:
    """A condition of a prior, as `fooling ladder` has it, and the image of each class."""
    row = ladder.row(several)
    cells = [
        {"digit": result.digit, "folder": entry.folder, "shown": median_confidence_index(result.confidence)}
        for entry, result in several
    ]
    return {**{key: value for key, value in row.items() if key != "part"}, "cells": cells}


# --- mismatches -------------------------------------------------------------------------------------------------------
def mismatch_content(found: Found) -> dict[str, Any] | str:
    """How often held-out classifiers read one class and the classifier believes another; or why it cannot be said."""
    try:
        content = matrix.content([entry for entry, _ in found], [result for _, result in found])
    except UserError as error:
        return str(error)
    keys = ("judges", "transfer", "threshold", "sure")
    shown = [pair for pair in content["pairs"] if pair["fooled"]]
    shares = {"pairs": content["pairs_fooled"], "images": content["images_fooled"]}
    return {**{key: content[key] for key in keys}, **shares, "shown": shown, "rows": content["pairs"]}


# --- detectors --------------------------------------------------------------------------------------------------------
def detector_content(
    classifier: Classifier, real: ImageSet | None, found: Found, settings: AuditSettings
) -> dict[str, Any] | str:
    """How well detectors tell the images that succeeded from real ones, for each prior; or why it cannot be said."""
    if real is None:
        return "no real images; give data.path=PATH"
    if len(np.unique(real.labels)) < 2:
        return "the real images are all of one class; give data of several classes"
    images: dict[str, list[Bytes]] = {}
    for entry, result in found:
        if entry.axes.get("arm", "with") == "with" and entry.axes.get("rung", "") != "none":
            images.setdefault(entry.axes.get("rung", "none"), []).append(result.images[result.converged])
    random = np.random.default_rng(settings.seed)
    number = min(len(real.images), settings.images)
    shown = real.images[np.sort(random.choice(len(real.images), number, replace=False))]
    known = of_classes(classifier, evidence(classifier, shown))
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    for against, several in images.items():
        evolved = np.concatenate(several)
        evolved = evolved[np.sort(random.choice(len(evolved), min(len(evolved), settings.images), replace=False))]
        if not len(evolved):
            left_out.append({"part": f"detectors: all against prior={against}", "why": "no image succeeded"})
            continue
        of_rung, missing_ones = detector_rows(of_classes(classifier, evidence(classifier, evolved)), known, against)
        rows, left_out = [*rows, *of_rung], [*left_out, *missing_ones]
    if rows:
        return {"rows": rows, "left_out": left_out}
    reasons = dict.fromkeys(f"{one['part'].partition(' against ')[2]}: {one['why']}" for one in left_out)
    return "; ".join(reasons) or "no attack ran"


def protocol_note(protocol: Protocol) -> str:
    """How the attacks without a prior work, in words."""
    chosen = len(protocol.classes)
    number = f"all {protocol.number} classes" if chosen == protocol.number else f"{chosen} of {protocol.number:,} classes"
    number += ", drawn at random" if protocol.is_sample else ""
    attack = f"{counted(protocol.runs, 'attack')} each, at most {protocol.budget:,} images an attack"
    return f"{number}, {attack}, by {search_words({'search': protocol.search})}"
