"""`fooling matrix`: how often an image that held-out classifiers assign to class a is class b to the network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.judges import advice_on
from fooling.classifiers.labels import class_name, refuse_two_meanings
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.progress import ProgressCallback
from fooling.errors import UserError
from fooling.kernels.tables import Flags
from fooling.plots import shorten
from fooling.plots.sheets import GROUND, contact_sheet, read_shown
from fooling.plots.style import to_png
from fooling.records.files import read_json, write_atomically
from fooling.records.ownership import SWEEP
from fooling.run import prepare
from fooling.search.inputs import get_classifier, get_statistics
from fooling.search.job import digits
from fooling.search.result import Result
from fooling.settings.commands import MatrixSettings
from fooling.statistics.intervals import proportion_with_ci

NOTE = "rows: class of the prior and of the held-out classifiers; columns: target class; below: images that fool"

LETTERS = 40  # of a class name, at most
OWN = ("fooling.classifiers.dense", "fooling.classifiers.cnn", "fooling.classifiers.pca")  # modules of built-in networks
SURE = 0.9  # from this score on a judge reads the prior's class


def split_judges(judges: Mapping[str, Classifier], attacked: Classifier) -> tuple[list[str], list[str]]:
    """Judges of another kind than the attacked network, and those of its kind, which measure whether the error transfers."""
    transfer = [name for name, judge in judges.items() if same_kind(judge, attacked)]
    others = [name for name in judges if name not in transfer]
    if not others:
        raise UserError(f"judges: the matrix needs one of another kind than the attacked network, {advice_on(attacked)}")
    return others, transfer


def same_kind(judge: Classifier, attacked: Classifier) -> bool:
    """Whether both are built-in networks of one kind; of models and objects of others the kind is unknown."""
    return type(judge) is type(attacked) and type(judge).__module__ in OWN


def fooled(result: Result, prior_digit: int, threshold: float, judges: Sequence[str]) -> Flags:
    """Whether the network is certain of the target while every held-out classifier is certain of the prior's class, [R]."""
    sure = (result.confidence >= threshold) & (result.predicted == result.digit)
    return np.asarray(np.logical_and.reduce([sure, *(result.judges[name][:, prior_digit] >= SURE for name in judges)]))


def pair(entry: GridEntry, result: Result, judges: Sequence[str], transfer: Sequence[str]) -> dict[str, Any]:
    """What matrix.json says of a pair; `shown` is the image that fools best, by the least sure of network and judges."""
    job, prior_digit = entry.job, entry.job.prior_digit
    fools = fooled(result, prior_digit, job.criteria.threshold, judges)
    also = np.logical_and.reduce([fools, *(result.judges[name].argmax(axis=1) == result.digit for name in transfer)])
    sure = np.min([result.confidence, *(result.judges[name][:, prior_digit] for name in judges)], axis=0)
    best = int(np.argmax(fools + sure / 2))
    return {
        "prior": prior_digit,
        "digit": result.digit,
        "folder": entry.folder,
        "images": len(fools),
        "fooled": int(fools.sum()),
        "transferred": int(also.sum()),
        "shown": best,
    }


def content(entries: Sequence[GridEntry], results: Sequence[Result]) -> dict[str, Any]:
    """All of matrix.json: the pairs, and the shares with their 95 % intervals (Wilson)."""
    first = entries[0].job
    judges, transfer = split_judges(first.judges, first.objective.classifier)
    pairs = [pair(entry, result, judges, transfer) for entry, result in zip(entries, results, strict=True)]
    images, fools = (sum(entry[name] for entry in pairs) for name in ("images", "fooled"))
    transferred = sum(entry["transferred"] for entry in pairs)
    return {
        "labels": list(first.objective.classifier.labels),
        "judges": judges,
        "transfer": transfer,
        "control": first.settings.control,
        "threshold": first.criteria.threshold,
        "sure": SURE,
        "pairs_fooled": proportion_with_ci(sum(entry["fooled"] > 0 for entry in pairs), len(pairs)),
        "images_fooled": proportion_with_ci(fools, images),
        "images_transferred": proportion_with_ci(transferred, fools) if transfer and fools else None,
        "seconds_per_image": round(sum(result.seconds for result in results) / images, 3),
        "pairs": pairs,
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """The results in sentences."""

    def counted(entry: Mapping[str, Any], what: str) -> str:
        return f"{entry['part']} of {entry['of']} {what} ({entry['share']:.0%}, 95 %: {entry['low']:.0%}–{entry['high']:.0%})"

    said = ["control: the classifier had the weight 0"] if found["control"] else []
    said += [
        counted(found["pairs_fooled"], "pairs with at least one image that fools"),
        counted(found["images_fooled"], "images fool"),
    ]
    if found["images_transferred"]:
        said.append(counted(found["images_transferred"], f"of these also fool {', '.join(found['transfer'])}"))
    return said


def plan(settings: MatrixSettings, _words: Sequence[str]) -> Plan:
    """A job for each pair of different classes, the prior of one and the target of the other."""
    if not settings.sweeps or (isinstance(settings.digit, tuple) and len(settings.digit) < 2):
        raise UserError(f"digit={settings.digit}: expected two classes or more, for example digit=3,4 or digit=all")
    classifier = get_classifier(settings)
    statistics = get_statistics(settings, classifier) if settings.data.given or settings.prior.statistics else None
    refuse_two_meanings(settings.digit, classifier.labels)
    classes = digits(settings, classifier.labels, statistics)
    jobs = prepare(settings, classifier, statistics, pairs=[(a, b) for a in classes for b in classes if a != b])
    split_judges(jobs[0].judges, jobs[0].objective.classifier)
    return Plan([GridEntry(job) for job in jobs])


def compute(_settings: MatrixSettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """matrix.json and the table of counts."""
    found = content(plan.entries, results)
    counts = {(entry["prior"], entry["digit"]): f"{entry['fooled']}/{entry['images']}" for entry in found["pairs"]}
    classes = sorted({b for _, b in counts})
    names = [shorten(class_name(k, found["labels"][k]), LETTERS) for k in classes]
    rows = [[f"prior of {name}", *(counts.get((a, b), "") for b in classes)] for name, a in zip(names, classes, strict=True)]
    return Summary(found, ["", *(f"sure of {name}" for name in names)], rows, lines(found), left=0)


def draw(folder: Path, _summary: Summary) -> None:
    """matrix.png from matrix.json: the best image of each pair of prior and target class, and how many images fool.

    Rows and columns are named.
    """
    summary = read_json(folder / "matrix.json")
    pairs = {(entry["prior"], entry["digit"]): entry for entry in summary["pairs"]}
    classes = sorted({target for _, target in pairs})
    cells = [(prior, target) for prior in classes for target in classes]
    images = {pair: read_shown(folder, entry) for pair, entry in pairs.items()}
    blank = np.full_like(next(iter(images.values())), GROUND)
    captions = [f"{pairs[cell]['fooled']} of {pairs[cell]['images']}" if cell in pairs else "" for cell in cells]
    names = [shorten(class_name(k, summary["labels"][k]), LETTERS) for k in classes]
    sheet = contact_sheet(
        np.stack([images.get(cell, blank) for cell in cells]),
        captions,
        NOTE,
        columns=len(classes),
        row_names=[f"prior of {name}" for name in names],
        column_names=[f"sure of {name}" for name in names],
    )
    write_atomically(folder / "matrix.png", to_png(sheet))


COMMAND = Experiment(
    "matrix",
    plan,
    compute,
    draw,
    ("matrix.json", "matrix.png"),
    SWEEP,
    closing="matrix.png, matrix.json, a folder a pair",
)
