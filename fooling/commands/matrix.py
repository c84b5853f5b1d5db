"""The matrix of mismatched pairs: how often an image that others read as class a fools the network into class b."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fooling.classifiers.base import Classifier
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.commands.console import show_table
from fooling.commands.grid import Command, run_all
from fooling.errors import UserError
from fooling.kernels.tables import Flags
from fooling.plots.gallery import draw_matrix
from fooling.records.files import read_json, write_json
from fooling.run import prepare, run_job
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.settings import load
from fooling.settings.commands import MatrixSettings
from fooling.settings.help import help_text
from fooling.statistics.intervals import proportion_with_ci

SURE = 0.9  # from this score on a judge reads the prior's class


def split_judges(judges: Mapping[str, Classifier], attacked: Classifier) -> tuple[list[str], list[str]]:
    """Those that judge, and those asked whether the error transfers: networks of the attacked one's kind share it."""
    transfer = [name for name, judge in judges.items() if type(judge) is type(attacked)]
    others = [name for name in judges if name not in transfer]
    if not others:
        other = "mnist_mlp" if isinstance(attacked, ConvolutionalNetwork) else "mnist_cnn"
        raise UserError(f"judges: the matrix needs one of another kind than the attacked network, for example judges={other}")
    return others, transfer


def fooled(result: Result, prior_digit: int, threshold: float, judges: Sequence[str]) -> Flags:
    """Whether the network is sure of the wanted class while every judge is sure of the prior's, [R]."""
    sure = (result.confidence >= threshold) & (result.predicted == result.digit)
    return np.asarray(np.logical_and.reduce([sure, *(result.judges[name][:, prior_digit] >= SURE for name in judges)]))


def pair(job: Job, result: Result, judges: Sequence[str], transfer: Sequence[str]) -> dict[str, Any]:
    """What matrix.json says of a pair; `shown` is the image that fools best, by the least sure of network and judges."""
    prior_digit = job.prior_digit
    fools = fooled(result, prior_digit, job.criteria.threshold, judges)
    also = np.logical_and.reduce([fools, *(result.judges[name].argmax(axis=1) == result.digit for name in transfer)])
    sure = np.min([result.confidence, *(result.judges[name][:, prior_digit] for name in judges)], axis=0)
    best = int(np.argmax(fools + sure / 2))
    return {
        "prior": prior_digit,
        "digit": result.digit,
        "folder": job.name,
        "images": len(fools),
        "fooled": int(fools.sum()),
        "transferred": int(also.sum()),
        "shown": best,
    }


def summary(jobs: Sequence[Job], results: Sequence[Result]) -> dict[str, Any]:
    """All of matrix.json: the pairs, and the shares with their 95 % intervals (Wilson)."""
    judges, transfer = split_judges(jobs[0].judges, jobs[0].objective.classifier)
    pairs = [pair(job, result, judges, transfer) for job, result in zip(jobs, results, strict=True)]
    images, fools = (sum(entry[name] for entry in pairs) for name in ("images", "fooled"))
    transferred = sum(entry["transferred"] for entry in pairs)
    return {
        "labels": list(jobs[0].objective.classifier.labels),
        "judges": judges,
        "transfer": transfer,
        "control": jobs[0].settings.control,
        "threshold": jobs[0].criteria.threshold,
        "sure": SURE,
        "pairs_fooled": proportion_with_ci(sum(entry["fooled"] > 0 for entry in pairs), len(pairs)),
        "images_fooled": proportion_with_ci(fools, images),
        "images_transferred": proportion_with_ci(transferred, fools) if transfer and fools else None,
        "seconds_per_image": round(sum(result.seconds for result in results) / images, 3),
        "pairs": pairs,
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """What is said of it in words."""

    def told(entry: Mapping[str, Any], what: str) -> str:
        return f"{entry['part']} of {entry['of']} {what} ({entry['share']:.0%}, 95 %: {entry['low']:.0%}–{entry['high']:.0%})"

    said = ["control: the classifier had the weight 0"] if found["control"] else []
    said += [
        told(found["pairs_fooled"], "pairs with at least one image that fools"),
        told(found["images_fooled"], "images fool"),
    ]
    if found["images_transferred"]:
        said.append(told(found["images_transferred"], f"of these also fool {', '.join(found['transfer'])}"))
    return said


SUMMARY = "images that others read as one class and the classifier as another, for every pair"
USAGE = "fooling matrix [digit=0,1,2] key=value …   (preset=mismatched unless another is given)"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        sys.stdout.write(help_text(MatrixSettings, "matrix", USAGE, arguments, ("prior.digit",)))
        return 0
    settings = read(arguments)

    jobs = prepare(settings, mismatched=True)
    split_judges(jobs[0].judges, jobs[0].objective.classifier)
    command = Command("fooling matrix", "matrix", finish=partial(finish, quiet=settings.quiet), leave=leave)
    return run_all(settings, jobs, run_job, arguments, command)


def read(arguments: list[str]) -> MatrixSettings:
    """The settings, by default those of preset=mismatched for all classes."""
    settings = load(arguments, MatrixSettings, "matrix")
    if settings.prior.digit is not None:
        raise UserError(f"prior.digit={settings.prior.digit}: the matrix takes every class's prior; leave it out")
    if not settings.sweeps or (isinstance(settings.digit, tuple) and len(settings.digit) < 2):
        raise UserError(f"digit={settings.digit}: expected two classes or more, for example digit=3,4 or digit=all")
    return settings


def leave(folder: Path, jobs: list[Job], results: list[Result]) -> None:
    """Writes matrix.json and matrix.png."""

    write_json(folder / "matrix.json", summary(jobs, results))
    draw_matrix(folder)


def finish(console: Console, jobs: list[Job], results: list[Result], folder: Path, *, quiet: bool) -> None:
    """Shows the table."""

    del jobs, results
    found = read_json(folder / "matrix.json")
    if quiet:
        return
    counts = {(entry["prior"], entry["digit"]): f"{entry['fooled']}/{entry['images']}" for entry in found["pairs"]}
    classes = sorted({b for _, b in counts})
    rows = [[f"prior of {a}", *(counts.get((a, b), "") for b in classes)] for a in classes]
    show_table(console, ["", *(f"sure of {b}" for b in classes)], rows)
    for line in lines(found):
        console.print(line, soft_wrap=True)
    console.print(f"→ {folder}: matrix.png, matrix.json, a folder a pair", markup=False, soft_wrap=True)
