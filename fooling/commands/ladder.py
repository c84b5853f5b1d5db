"""`fooling ladder`: every prior under three conditions, in one picture: attack, control, prior of another class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.judges import left_out, load_judges
from fooling.classifiers.labels import refuse_two_meanings
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.progress import ProgressCallback
from fooling.data.matching import without_none
from fooling.errors import UserError
from fooling.plots import percent
from fooling.plots.ladder import FILES, draw_ladder
from fooling.records.ownership import SWEEP
from fooling.run import prepare
from fooling.search.inputs import get_classifier, get_statistics
from fooling.search.job import Job, Pair, digits
from fooling.search.prior import percentiles
from fooling.search.result import Result, median_confidence_index
from fooling.settings import PLACES, load, validate
from fooling.settings.commands import LadderSettings
from fooling.settings.files import flat, merge, nearest
from fooling.settings.overrides import read_words
from fooling.settings.schema import RunSettings
from fooling.statistics.intervals import mean_pairwise_distance, proportion_with_ci

RUNGS = ("none", "histogram", "variogram", "exemplar", "regional", "eigen")  # priors, the weakest first
ARMS = {
    "with": "with the classifier",
    "control": "without it (control)",
    "mismatched": "prior of this digit, target the next",
}


def chosen(setting: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The chosen priors or conditions, in the order of the table."""
    if not names:
        raise UserError(f"{setting}=[]: expected at least one of {', '.join(known)}")
    for name in names:
        if name == "all" and len(names) > 1:
            raise UserError(f"{setting}: all already includes every value; give all alone, got {', '.join(names)}")
        if name not in known and name != "all":
            near = nearest(name, known)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"{setting}: {hint}expected all, or of {', '.join(known)}; got {name}")
    return [name for name in known if name in names or list(names) == ["all"]]


def ladder_entries(rungs: Mapping[str, RunSettings], arms: Sequence[str]) -> list[GridEntry]:
    """A job for each rung, arm and digit, in this order; each rung with its own settings."""
    first = next(iter(rungs.values()))
    classifier = get_classifier(first)
    refuse_two_meanings(first.digit, classifier.labels)
    judges = load_judges(first.judges, classifier)
    fitted: dict[tuple[int, int], Any] = {}
    fitted[first.prior.bins, first.prior.lags] = get_statistics(first, classifier)
    target_classes = digits(first, classifier.labels, fitted[first.prior.bins, first.prior.lags])
    entries = []
    for rung, settings in rungs.items():
        fit = settings.prior.bins, settings.prior.lags
        fitted[fit] = fitted.get(fit) or get_statistics(settings, classifier)
        for arm in arms:
            own = validate({**settings.model_dump(), "control": arm == "control"}, RunSettings)
            pairs = targets(target_classes, arm, len(without_none(classifier.labels)))
            found = prepare(own, classifier, fitted[fit], judges=judges, pairs=pairs)
            entries += [GridEntry(job, {"rung": rung, "arm": arm}) for job in found]
    return entries


def targets(target_classes: Sequence[int], arm: str, classes: int) -> list[Pair]:
    """(prior class, target class) of each job of a row; the prior class is None where it is the target."""
    if arm != "mismatched":
        return [(None, digit) for digit in target_classes]
    first, *others = target_classes
    following = [*others, first] if others else [(first + 1) % classes]
    return list(zip(target_classes, following, strict=True))


def content(settings: LadderSettings, entries: Sequence[GridEntry], results: Sequence[Result]) -> dict[str, Any]:
    """All of ladder.json."""
    rows: dict[str, list[tuple[GridEntry, Result]]] = {}
    for entry, result in zip(entries, results, strict=True):
        rows.setdefault(entry.row, []).append((entry, result))
    first = entries[0].job
    return {
        "settings": settings.model_dump(mode="json", exclude={*PLACES, "quiet"}),
        "labels": list(first.objective.classifier.labels),
        "judges": list(first.judges),
        "arms": ARMS,
        "rows": [row(found) for found in rows.values()],
        "cells": [cell(entry, result) for entry, result in zip(entries, results, strict=True)],
    }


def cell(entry: GridEntry, result: Result) -> dict[str, Any]:
    """A job in ladder.json; medians are over its images."""
    prior, number = entry.job.prior_digit, len(result.images)
    classes = {name: scores.argmax(axis=1) for name, scores in result.judges.items()}
    return {
        **entry.axes,
        "prior": prior,
        "digit": result.digit,
        "folder": entry.folder,
        "images": number,
        "shown": median_confidence_index(result.confidence),
        "confidence": float(np.median(result.confidence)),
        "converged": proportion_with_ci(int(result.converged.sum()), number),
        "read": proportion_with_ci(int(read(entry.job, result).sum()), number) if classes else None,
        "judges": {
            name: {
                "prior": proportion_with_ci(int((found == prior).sum()), number),
                "digit": proportion_with_ci(int((found == result.digit).sum()), number),
            }
            for name, found in classes.items()
        },
        "evaluations": float(np.median(result.evaluations)),
        "seconds_per_image": round(result.seconds / number, 3),
        "distance": mean_pairwise_distance(result.images) if number > 1 else None,
        "terms": {name: float(np.median(values)) for name, values in result.terms.items()},
        "percentiles": ranks(entry.job, result),
    }


def row(found: Sequence[tuple[GridEntry, Result]]) -> dict[str, Any]:
    """A condition of a prior in ladder.json: over the images of all jobs; distance and percentiles over the jobs."""
    first, results = found[0][0], [result for _, result in found]
    number = sum(len(result.images) for result in results)
    of_jobs = [ranks(entry.job, result) for entry, result in found]
    distances = [mean_pairwise_distance(result.images) for result in results if len(result.images) > 1]
    judged = sum(int(read(entry.job, result).sum()) for entry, result in found) if first.job.judges else None
    return {
        **first.axes,
        "images": number,
        "confidence": float(np.median(np.concatenate([result.confidence for result in results]))),
        "converged": proportion_with_ci(sum(int(result.converged.sum()) for result in results), number),
        "read": None if judged is None else proportion_with_ci(judged, number),
        "evaluations": float(np.median(np.concatenate([result.evaluations for result in results]))),
        "seconds_per_image": round(sum(result.seconds for result in results) / number, 3),
        "distance": float(np.mean(distances)) if distances else None,
        "percentiles": {name: float(np.median([rank[name] for rank in of_jobs])) for name in of_jobs[0]},
    }


def read(job: Job, result: Result) -> npt.NDArray[np.bool_]:
    """Whether every held-out classifier assigns an image to the prior's class, [R]."""
    prior = job.prior_digit
    return np.asarray(np.logical_and.reduce([scores.argmax(axis=1) == prior for scores in result.judges.values()]))


def ranks(job: Job, result: Result) -> dict[str, float]:
    """Of each penalty, measured against the class's means: how many per cent of its training images have less, median."""
    prior = job.settings.prior
    found = percentiles(job.fitted, job.prior_digit, result.images, prior.lags, prior.bins)
    return {name: 100 * float(np.median(share)) for name, share in found.items()}


def plan(settings: LadderSettings, words: Sequence[str]) -> Plan:
    """A job for each prior, condition and class. config.yaml holds only what the words set: the rest differs by prior."""
    rungs = {name: rung(words, name) for name in chosen("rungs", settings.rungs, RUNGS)}
    entries = ladder_entries(rungs, chosen("arms", settings.arms, list(ARMS)))
    written = dict.fromkeys(("digit", "runs", "seed", "rungs", "arms"))
    return Plan(entries, written={**written, **dict(flat(merge(*read_words(words, LadderSettings))))})


def rung(words: Sequence[str], name: str) -> RunSettings:
    """The settings of a rung: those of the main job with this prior, whose file may choose search, budget, threshold, stop."""
    whole = load([*words, f"prior={name}"], LadderSettings, "ladder", partial=True)
    return validate(whole.model_dump(include=set(RunSettings.model_fields)), RunSettings)


def compute(settings: LadderSettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """ladder.json and the table."""
    found = content(settings, plan.entries, results)
    judges = f"read: {' and '.join(found['judges'])} assign the prior's class; " if found["judges"] else ""
    line = f"over the images of a row; {judges}distance: between two images of a digit; percentile: among real images"
    job = plan.entries[0].job
    missing = left_out(job.settings.judges, job.judges, job.objective.classifier)
    return Summary(found, *table(found), [line, *missing], left=0)


def draw(folder: Path, _summary: Summary) -> None:
    """ladder.png and means.png."""
    draw_ladder(folder)


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table on the terminal."""
    terms = list(found["rows"][0]["percentiles"])
    columns = ["rung", "arm", "converged", "confidence", *(["read"] if found["judges"] else []), "evaluations", "seconds/image"]
    rows = [
        [
            row["rung"],
            row["arm"],
            f"{row['converged']['part']}/{row['images']}",
            percent(row["confidence"]),
            *([f"{row['read']['share']:.0%}"] if row["read"] else []),
            f"{row['evaluations']:,.0f}",
            f"{row['seconds_per_image']:.3f}",
            "" if row["distance"] is None else f"{row['distance']:.2f}",
            *(f"{row['percentiles'][term]:.0f}" for term in terms),
        ]
        for row in found["rows"]
    ]
    return [*columns, "distance", *(f"{term} percentile" for term in terms)], rows


COMMAND = Experiment(
    "ladder",
    plan,
    compute,
    draw,
    ("ladder.json", *FILES),
    SWEEP,
    closing="ladder.png, means.png, ladder.json, a folder a job",
)
