"""`fooling transfer`: who else is fooled by images that were made against each of several classifiers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fooling.classifiers import words_for
from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.entries import Entry, entry_name, entry_settings, open_entry
from fooling.classifiers.labels import refuse_two_meanings
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.progress import ProgressCallback
from fooling.commands.transfer_content import Attack, Listed, attacks_by, content, from_result, from_saved
from fooling.errors import UserError
from fooling.plots import shorten
from fooling.plots.transfer import draw_transfer
from fooling.records.collection import SavedJob, saved_jobs
from fooling.report.transfer import interval_words, sentences
from fooling.run import prepare
from fooling.search.inputs import shape_and_labels
from fooling.search.result import Result
from fooling.settings import load
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings
from fooling.settings.transfer import TransferSettings
from fooling.statistics import BUNDLED, Statistics

BUDGET = 40_200  # of an attack without a prior, as in audits
SURE = ("threshold=0.9999", "stop=threshold")  # how attacks without a prior end
LETTERS = 24  # of a name in the table


@dataclass(frozen=True)
class Inputs:
    """The classifiers that score the images, and the images of records."""

    listed: Sequence[Listed]
    attacks: Sequence[Attack]  # [] = those of the jobs
    notes: Sequence[str]


# --- classifiers --------------------------------------------------------------------------------------------------------
def open_listed(entries: Sequence[Entry], shape: tuple[int, int, int] | None) -> list[Listed]:
    """The classifiers, and the members of ensembles among them. `shape` is that of the images of records.

    Raises UserError for the same one twice and for others than the first in images or classes.
    """
    found: list[Listed] = []

    def hint() -> Any:
        if found:
            return tuple(map(int, found[0].classifier.input_shape)), tuple(found[0].classifier.labels)
        return (shape, ()) if shape else shape_and_labels(Statistics.load(BUNDLED))

    for entry in entries:
        found.append(checked(entry, open_entry(entry, hint, "classifiers"), found))
    for one in list(found):
        inner = one.entry.get("members", ()) if isinstance(one.entry, dict) else ()
        for entry, member in zip(inner, getattr(one.classifier, "members", {}).values(), strict=True):
            if all(other.classifier.fingerprint != member.fingerprint for other in found):
                found.append(checked(entry, member, found))
    return found


def checked(entry: Entry, classifier: Classifier, others: Sequence[Listed]) -> Listed:
    """A classifier that fits the others."""
    name = short_name(entry)
    if any(other.name == name for other in others):
        name = entry_name(entry)
    if any(other.name == name for other in others):
        raise UserError(f"classifiers: two have the name {name}; give each its title, such as {{name: onnx, title: second}}")
    for other in others:
        if other.classifier.fingerprint == classifier.fingerprint:
            raise UserError(f"classifiers: {name} is the same as {other.name}; name each once")
        takes = [f"images {tuple(map(int, c.input_shape))} of {c.num_classes} classes" for c in (classifier, other.classifier)]
        if takes[0] != takes[1]:
            raise UserError(
                f"classifiers: expected the same images and classes; {name} takes {takes[0]}, {other.name} {takes[1]}"
            )
        try:
            check_class_order(classifier.labels, other.classifier.labels, other.name)
        except UserError as error:
            raise UserError(f"classifiers: {name}: {error}") from error
    return Listed(name, entry, classifier)


def short_name(entry: Entry) -> str:
    """A classifier in tables: its title, the name of its file, or its kind."""
    name = entry_name(entry)
    is_titled = isinstance(entry, dict) and entry.get("title")
    return name if is_titled or "://" in name else Path(name).name


# --- what is planned ----------------------------------------------------------------------------------------------------
def plan(settings: TransferSettings, _words: Sequence[str]) -> Plan:
    """Opens the classifiers; reads the images of records, or plans an attack on each class of each classifier."""
    jobs, notes = saved_jobs(settings.records) if settings.records else ([], [])
    listed = open_listed(settings.classifiers, shape_of(jobs[0]) if jobs else None)
    if not jobs:
        refuse_two_meanings(settings.digit, listed[0].classifier.labels)
        entries = [
            entry for one, name in zip(listed, folder_names(listed), strict=True) for entry in against(settings, one, name)
        ]
        return Plan(entries, Inputs(listed, [], []))
    for one in listed:
        try:
            check_classifier(one.classifier)
        except UserError as error:
            raise UserError(f"classifiers: {one.name}: {error}") from error
    refuse_others(jobs, listed[0])
    return Plan(inputs=Inputs(listed, attacks_by([from_saved(job, listed) for job in jobs]), notes))


def shape_of(job: SavedJob) -> tuple[int, int, int]:
    """(H, W, C) of a job's images."""
    height, width, channels = job.read(job.images[:1]).shape[1:]
    return height, width, channels


def refuse_others(jobs: Sequence[SavedJob], first: Listed) -> None:
    """Refuses records whose images or classes are not those of the classifiers."""
    expected, labels = tuple(map(int, first.classifier.input_shape)), list(first.classifier.labels)
    for job in jobs:
        if shape_of(job) != expected:
            raise UserError(f"records: {job.name} holds images {shape_of(job)}, the classifiers take {expected}; leave it out")
        for entry in job.images:
            k, label = entry["digit"], entry.get("label")
            if not 0 <= k < len(labels) or label not in (None, labels[k], str(k)):
                there = (
                    f"the classifiers have {labels[k]}"
                    if 0 <= k < len(labels)
                    else f"the classifiers have {len(labels)} classes"
                )
                raise UserError(f"records: {job.name} aims for class {k}, {label}; {there}; leave it out")


def folder_names(listed: Sequence[Listed]) -> list[str]:
    """A name for the folders of each classifier's jobs, of plain letters."""
    plain = [re.sub(r"[^A-Za-z0-9_-]+", "-", one.name).strip("-")[:40] or "classifier" for one in listed]
    return [name if plain.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(plain)]


def against(settings: TransferSettings, one: Listed, folder: str) -> list[GridEntry]:
    """The attacks on a classifier, one job for each class."""
    limits = [f"budget={settings.budget}"] if settings.budget else []
    if settings.prior == "none":
        limits = [*SURE, f"budget={settings.budget or BUDGET}"]
    words = [*words_for(entry_settings(one.entry)), f"prior={settings.prior}", f"runs={settings.runs}", f"seed={settings.seed}"]
    words += [*as_words("digit", settings.digit), *limits]
    shared = {"resume": settings.resume, "overwrite": settings.overwrite, "quiet": settings.quiet}
    try:
        jobs = prepare(load(words, RunSettings, "run").model_copy(update=shared), one.classifier, words=words)
    except UserError as error:
        raise UserError(f"classifiers: {one.name}: {error}") from error
    return [GridEntry(job, {"classifier": folder}) for job in jobs]


# --- what is found ------------------------------------------------------------------------------------------------------
def compute(settings: TransferSettings, plan: Plan, results: list[Result], watch: ProgressCallback) -> Summary:
    """Shows the images to every classifier: transfer.json and the table."""
    inputs: Inputs = plan.inputs
    of = {one.classifier.fingerprint: one.name for one in inputs.listed}
    attacks = list(inputs.attacks) or attacks_by(
        [
            from_result(entry.job, result, of[entry.job.objective.classifier.fingerprint], entry.folder)
            for entry, result in zip(plan.entries, results, strict=True)
        ]
    )
    found = content(inputs.listed, attacks, settings.threshold, watch) | {"notes": list(inputs.notes)}
    names = [shorten(one.name, LETTERS) for one in inputs.listed]
    columns = ["made against", "prior", "images", "succeeded", *names]
    rows = [
        [
            shorten(row["source"], LETTERS),
            row["kind"],
            f"{row['images']:,}",
            f"{row['succeeded']['part']:,}",
            *("–" if cell["believed"] is None else interval_words(cell["believed"]) for cell in row["cells"]),
        ]
        for row in found["rows"]
    ]
    shown = [attack.images[attack.succeeded][:1] if attack.succeeded.any() else attack.images[:1] for attack in attacks]
    lines, files = [*sentences(found), *inputs.notes], "transfer.png, transfer.json"
    closing = files if inputs.attacks else f"{files}, a folder a job"
    return Summary(found, columns, rows, lines, figure=shown, left=2, closing=closing)


def draw(folder: Path, summary: Summary) -> None:
    """transfer.png: the matrix, with an image of each row."""
    draw_transfer(folder, summary.figure)


COMMAND = Experiment("transfer", plan, compute, draw, ("transfer.json", "transfer.png"))
