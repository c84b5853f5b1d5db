"""`fooling ladder`: every prior, with the classifier, without it and against it, in one picture."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from fooling.classifiers.judges import load_judges
from fooling.commands.console import show_table
from fooling.commands.grid import Command, run_all
from fooling.errors import UserError
from fooling.plots.captions import percent
from fooling.plots.ladder import draw_ladder
from fooling.records.files import read_json, write_json
from fooling.run import prepare, run_job
from fooling.search.job import Job, Pair, digits
from fooling.search.loaders import get_classifier, get_statistics
from fooling.search.prior import percentiles
from fooling.search.result import Result
from fooling.settings import load, validate
from fooling.settings.commands import LadderSettings
from fooling.settings.help import help_text
from fooling.settings.overrides import read_words
from fooling.settings.schema import RunSettings
from fooling.settings.tree import flat, merge
from fooling.statistics.intervals import mean_pairwise_distance, proportion_with_ci

RUNGS = ("none", "histogram", "variogram", "exemplar", "regional", "eigen")  # priors, the weakest first
ARMS = {
    "with": "with the classifier",
    "control": "without it (control)",
    "mismatched": "prior of this digit, target the next",
}


def chosen(setting: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The rungs or arms that are asked for, in the ladder's order."""
    if not names:
        raise UserError(f"{setting}=[]: expected at least one of {', '.join(known)}")
    for name in names:
        if name == "all" and len(names) > 1:
            raise UserError(f"{setting}: all stands for every one of them; leave the others out, got {', '.join(names)}")
        if name not in known and name != "all":
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"{setting}: {hint}expected all, or of {', '.join(known)}; got {name}")
    return [name for name in known if name in names or list(names) == ["all"]]


def ladder_jobs(rungs: Mapping[str, RunSettings], arms: Sequence[str]) -> list[Job]:
    """A job for each rung, arm and digit, in this order; each rung with its own settings."""
    first = next(iter(rungs.values()))
    classifier = get_classifier(first, lambda: get_statistics(first))
    judges = load_judges(first.judges, classifier)
    wanted = digits(first, classifier.num_classes)
    fitted: dict[tuple[int, int], Any] = {}
    jobs = []
    for rung, settings in rungs.items():
        fit = settings.prior.bins, settings.prior.lags
        fitted[fit] = fitted.get(fit) or get_statistics(settings)
        for arm in arms:
            own = validate({**settings.model_dump(), "control": arm == "control"}, RunSettings)
            pairs = targets(wanted, arm, classifier.num_classes)
            found = prepare(own, classifier, fitted[fit], judges=judges, pairs=pairs)
            jobs += [replace(job, rung=rung, arm=arm) for job in found]
    return jobs


def targets(wanted: Sequence[int], arm: str, classes: int) -> list[Pair]:
    """Of each job of a row the prior's class, None where it is the wanted one, and the wanted class."""
    if arm != "mismatched":
        return [(None, digit) for digit in wanted]
    following = [*wanted[1:], wanted[0]] if len(wanted) > 1 else [(wanted[0] + 1) % classes]
    return list(zip(wanted, following, strict=True))


def summary(settings: LadderSettings, jobs: Sequence[Job], results: Sequence[Result]) -> dict[str, Any]:
    """All of ladder.json."""
    rows: dict[tuple[str, str], list[tuple[Job, Result]]] = {}
    for job, result in zip(jobs, results, strict=True):
        rows.setdefault((job.rung, job.arm), []).append((job, result))
    return {
        "settings": settings.model_dump(mode="json", exclude={"out", "resume", "overwrite", "quiet"}),
        "labels": list(jobs[0].objective.classifier.labels),
        "judges": list(jobs[0].judges),
        "arms": ARMS,
        "rows": [row(found) for found in rows.values()],
        "cells": [cell(job, result) for job, result in zip(jobs, results, strict=True)],
    }


def cell(job: Job, result: Result) -> dict[str, Any]:
    """What ladder.json says of a job; medians are over its images."""
    prior, number = job.prior_digit, len(result.images)
    classes = {name: scores.argmax(axis=1) for name, scores in result.judges.items()}
    return {
        "rung": job.rung,
        "arm": job.arm,
        "prior": prior,
        "digit": result.digit,
        "folder": job.name,
        "images": number,
        "shown": median_confidence_image(result),
        "confidence": float(np.median(result.confidence)),
        "converged": proportion_with_ci(int(result.converged.sum()), number),
        "read": proportion_with_ci(int(read(job, result).sum()), number) if classes else None,
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
        "percentiles": ranks(job, result),
    }


def row(found: Sequence[tuple[Job, Result]]) -> dict[str, Any]:
    """What ladder.json says of an arm of a rung: over the images of all its jobs; distance and percentiles over the jobs."""
    job, first = found[0]
    results = [result for _, result in found]
    number = sum(len(result.images) for result in results)
    of_jobs = [ranks(job, result) for job, result in found]
    distances = [mean_pairwise_distance(result.images) for result in results if len(result.images) > 1]
    return {
        "rung": job.rung,
        "arm": job.arm,
        "images": number,
        "confidence": float(np.median(np.concatenate([result.confidence for result in results]))),
        "converged": proportion_with_ci(sum(int(result.converged.sum()) for result in results), number),
        "read": proportion_with_ci(sum(int(read(*one).sum()) for one in found), number) if first.judges else None,
        "evaluations": float(np.median(np.concatenate([result.evaluations for result in results]))),
        "seconds_per_image": round(sum(result.seconds for result in results) / number, 3),
        "distance": float(np.mean(distances)) if distances else None,
        "percentiles": {name: float(np.median([rank[name] for rank in of_jobs])) for name in of_jobs[0]},
    }


def read(job: Job, result: Result) -> npt.NDArray[np.bool_]:
    """Whether every judge reads an image as the prior's class, [R]."""
    prior = job.prior_digit
    return np.asarray(np.logical_and.reduce([scores.argmax(axis=1) == prior for scores in result.judges.values()]))


def median_confidence_image(result: Result) -> int:
    """The image of median confidence; of an even number, the lower one of the two in the middle."""
    return int(np.argsort(result.confidence, kind="stable")[(len(result.confidence) - 1) // 2])


def ranks(job: Job, result: Result) -> dict[str, float]:
    """Of each penalty, measured against the class's means: how many per cent of its training images have less, median."""
    prior = job.settings.prior
    found = percentiles(job.fitted, job.prior_digit, result.images, prior.lags, prior.bins)
    return {name: 100 * float(np.median(share)) for name, share in found.items()}


SUMMARY = "every prior, with the classifier, without it and against it, in one picture"
USAGE = "fooling ladder [digit=0,1,2] [rungs=…] [arms=…] key=value …   (settings hold for every rung)"
OURS = {
    "control": "the ladder runs every arm itself; choose with arms=[with,control,mismatched]",
    "prior.name": "the ladder climbs every prior itself; choose with rungs=[…]",
    "preset": "a preset chooses a prior, and the ladder climbs every one; give its other settings themselves",
    "prior.digit": "the ladder chooses the priors' classes itself; choose with digit=0,1,2 and arms=[…]",
}


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        sys.stdout.write(help_text(LadderSettings, "ladder", USAGE, arguments, OURS))
        return 0
    said = given(arguments)
    settings = load(arguments, LadderSettings, "ladder", partial=True)  # one rung may have a setting that another lacks

    arms = chosen("arms", settings.arms, list(ARMS))
    rungs = {name: rung(arguments, name) for name in chosen("rungs", settings.rungs, RUNGS)}
    command = Command(
        "fooling ladder",
        "ladder",
        only=(*dict.fromkeys(["digit", "runs", "seed", "rungs", "arms", *said]),),
        finish=partial(finish, quiet=settings.quiet),
        leave=partial(leave, settings=settings),
    )
    return run_all(settings, ladder_jobs(rungs, arms), run_job, arguments, command)


def given(arguments: list[str]) -> list[str]:
    """The full names of the settings that the words and the file give; those that the ladder makes itself are refused.

    No others stand in its config.yaml: they would be the same for every rung.
    """
    names = [name for name, _ in flat(merge(*read_words(arguments, LadderSettings)))]
    for name, advice in OURS.items():
        if name in names:
            raise UserError(f"{name.removesuffix('.name')}: {advice}")
    return names


def rung(arguments: list[str], name: str) -> RunSettings:
    """The settings of a rung: those of the main job with this prior, whose file may choose search, budget, threshold, stop."""
    whole = load([*arguments, f"prior={name}"], LadderSettings, "ladder", partial=True)
    return validate(whole.model_dump(include=set(RunSettings.model_fields)), RunSettings)


def leave(folder: Path, jobs: list[Job], results: list[Result], *, settings: LadderSettings) -> None:
    """Writes ladder.json and the pictures."""

    write_json(folder / "ladder.json", summary(settings, jobs, results))
    draw_ladder(folder)


def finish(console: Console, jobs: list[Job], results: list[Result], folder: Path, *, quiet: bool) -> None:
    """Shows the table."""
    del jobs, results

    if quiet:
        return
    found = read_json(folder / "ladder.json")
    columns, rows = table(found)
    show_table(console, columns, rows)
    judges = f"read: {' and '.join(found['judges'])} read the prior's class; " if found["judges"] else ""
    told = f"over the images of a row; {judges}distance: between two images of a digit; percentile: among real images"
    console.print(told, style="dim", markup=False, soft_wrap=True)
    console.print(f"→ {folder}: ladder.png, means.png, ladder.json, a folder a job", markup=False, soft_wrap=True)


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
