"""`fooling run`: evolves images of one class, or of several as a sweep."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooling.commands.console import ProgressCallback
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.plots import SWEEP_FILES, draw_sweep, percent
from fooling.records.ownership import SWEEP
from fooling.run import prepare
from fooling.search import SEARCHES
from fooling.search.result import Result, read_as
from fooling.search.state import PASSES
from fooling.settings.schema import RunSettings

LONGEST = 40  # letters of a classifier in the name of a folder
ABOUT_FRONT = "front: its images; hypervolume: dominated below target term 2 and the prior distance of noise → front.png"


def plan(settings: RunSettings, _words: Sequence[str]) -> Plan:
    """A job for each class."""
    return Plan([GridEntry(job) for job in prepare(settings)], name=folder_name(settings))


def folder_name(settings: RunSettings) -> str:
    """The name of a folder that nobody named: target, prior, and what is not the usual: 2-eigen-anneal-onnx-vgg-control."""
    prior, classifier = settings.prior, settings.classifier
    engine = settings.engine.name if len(SEARCHES[settings.search.name]) > 1 else "numba"  # else the search says it
    parts = ["sweep" if settings.sweeps else f"digit={settings.digit}"]
    parts.append(prior.name if prior.digit is None else f"{prior.name}-of-{prior.digit}")
    usual = ((settings.preset, None), (settings.search.name, "ga"), (engine, "numba"), (classifier.name, "mnist_mlp"))
    parts += [name for name, expected in usual if name not in (None, expected)]
    parts += [short_name(classifier.path)] if classifier.path else []
    return "-".join([*parts, *(["control"] if settings.control else [])])


def short_name(path: str) -> str:
    """What a classifier's path is called in the name of a folder: a file's stem, a function, a server's host."""
    place = path.partition("://")[2]
    name = re.split("[/?#]", place)[0].rpartition("@")[2] if place else Path(path.replace(":", "-")).stem
    return re.sub(r"[^\w.,=+]+", "_", name)[:LONGEST]


def compute(settings: RunSettings, plan: Plan, results: list[Result], _watch: ProgressCallback) -> Summary:
    """The table: medians over the images of each job."""
    weights = settings.prior.weights.model_dump()
    weighted = [name for name, weight in weights.items() if weight > 0]
    judges = results[0].judges
    front = ("front", "hypervolume") if results[0].front else ()
    columns = ["digit", "converged", "confidence", *judges, "cost", *weighted, *front, "evaluations", "seconds"]
    lines = ["medians over the images; cost and its terms: 0 is ideal"]
    lines += [f"any: {classes_reached(result)}" for result in results if result.digit == "any"]
    for result in results:
        lines += [f"{result.digit}: {line}" if len(results) > 1 else line for line in measures(result)]
    if judges:
        lines.append(f"{', '.join(judges)}: share of the images that the held-out classifier assigns to the class")
    if front:
        lines.append(ABOUT_FRONT)
    rows = [cells(result, weighted) for result in results]
    return Summary({}, columns, rows, lines, figure=[entry.folder for entry in plan.entries], left=0)


def cells(result: Result, weighted: Sequence[str]) -> list[str]:
    """A row of the table."""
    medians = [float(np.median(values)) for values in (result.cost, *(result.terms[name] for name in weighted))]
    return [
        str(result.digit),
        f"{int(result.converged.sum())}/{len(result.images)}",
        percent(float(np.median(result.confidence))),
        *(agreement(result, name) for name in result.judges),
        *(f"{median:.4f}" for median in medians),
        *((f"{np.median(result.front.sizes):.0f}", f"{np.median(result.front.hypervolumes):.4f}") if result.front else ()),
        f"{result.evaluations.sum():,}",
        f"{result.seconds:.1f}",
    ]


def measures(result: Result) -> list[str]:
    """What gradient and feedback searches measure besides."""
    lines = []
    if result.passes.shape[1]:
        lines.append("first passed (median step, norm, distance from the start): " + ", ".join(first_passages(result)))
    if "weight_correlation" in result.own:
        value = float(np.median(result.own["weight_correlation"]))
        lines.append(f"correlation of the image with the weights of its class: {value:.3f} → feedback.png, feedback.webp")
    return lines


def first_passages(result: Result) -> list[str]:
    """Medians over the runs that passed each confidence, and how many did if not all."""
    texts = []
    for number, name in enumerate(PASSES):
        there = result.passes[result.passes[:, number, 0] >= 0, number]
        if not len(there):
            texts.append(f"{name} never")
            continue
        step, norm, distance, _ = np.median(there, axis=0)
        some = "" if len(there) == len(result.passes) else f" in {len(there)} of {len(result.passes)}"
        texts.append(f"{name} at {step:g} ({norm:.1f}, {distance:.1f}){some}")
    return texts


def classes_reached(result: Result) -> str:
    """How many images reached each class, the most frequent first."""
    numbers, counts = np.unique(result.classes, return_counts=True)
    pairs = sorted(zip(counts.tolist(), numbers.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return "the images reached " + ", ".join(f"{number} ({count})" for count, number in pairs)


def agreement(result: Result, name: str) -> str:
    """The share of the images that a held-out classifier assigns to the target, and to the class of the prior if another."""
    share = f"{read_as(result, result.classes)[name]:.0%}"
    if result.prior_digit in (None, result.digit):
        return share
    return f"{share}, {read_as(result, result.prior_digit)[name]:.0%} a {result.prior_digit}"


def draw(folder: Path, summary: Summary) -> None:
    """A contact sheet over all jobs, and their success."""
    draw_sweep(folder, summary.figure)


COMMAND = Experiment(
    "run",
    plan,
    compute,
    draw,
    SWEEP_FILES,
    SWEEP,
    closing="contact_sheet.png, success.png, sweep.json, a folder a job",
    closing_alone="contact_sheet.png, mean.png, images/, run.json, …",
    command="python -m fooling.run",
    alone=lambda settings: not settings.sweeps,
)
