"""`fooling run`: evolves images of one class, or of several as a sweep."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooling.classifiers.gradients import has_gradients
from fooling.classifiers.labels import class_name
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import GridEntry
from fooling.commands.progress import ProgressCallback
from fooling.plots import SWEEP_FILES, draw_sweep, percent, shorten
from fooling.records.ownership import SWEEP
from fooling.run import prepare
from fooling.search import SEARCHES
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.search.state import PASSES
from fooling.search.stopping import unchanged
from fooling.search.summary import read_as
from fooling.settings.rules import has_penalties, uses_classifier
from fooling.settings.schema import RunSettings
from fooling.settings.searches import GradientSettings

LONGEST = 40  # letters of a classifier in the name of a folder
ABOUT_FRONT = "front: its images; hypervolume: dominated below target term 2 and the prior distance of noise → front.png"
LETTERS = 40  # of a class name in the table, at most
MOST = 5  # jobs of a sweep with a line of their own
END, LEAST = 0.1, 10  # share of the search that is its end, and the least number of generations
MOVED = 0.01  # change of log10 of the odds of the median confidence, or of the cost as a share of it, from which on it moved


def plan(settings: RunSettings, words: Sequence[str]) -> Plan:
    """A job for each class."""
    jobs = prepare(settings, words=words)
    found = jobs[0].settings  # with the index of a class that was given by name, and the search that suits the classifier
    named = found.model_copy(update={"digit": settings.digit}) if settings.sweeps else found
    return Plan([GridEntry(job) for job in jobs], name=folder_name(named), settings=named)


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
    named = any(result.target != str(result.digit) for result in results)
    reached = () if results[0].unit else ("converged", score_name(plan.entries[0].job), *judges)
    target = ["maximised"] if results[0].unit else ["digit", *(["target"] if named else [])]
    cost = () if results[0].unit else ("cost",)  # the cost and its target term are of a class
    weighted = [name for name in weighted if cost or name != "target"]
    columns = [*target, *reached, *cost, *weighted, *front, "evaluations", "seconds"]
    lines = ["medians over the images; cost and its terms: 0 is ideal"] if cost or weighted else []
    meaning = getattr(plan.entries[0].job.objective.classifier, "meaning", "")
    lines += [meaning] if meaning else []
    if settings.control:
        lines.append(f"control: nothing searches for the target; converged: {aim(plan.entries[0].job)}, reached by chance")
    lines += [f"any: {classes_reached(result)}" for result in results if result.digit == "any"]
    for result in results:
        lines += [f"{result.target}: {line}" if len(results) > 1 else line for line in measures(result)]
    if judges and not results[0].unit:
        lines.append(f"{', '.join(judges)}: share of the images that the held-out classifier assigns to the class")
    if front:
        lines.append(ABOUT_FRONT)
    rows = [cells(result, weighted, named=named) for result in results]
    figure, last = [entry.folder for entry in plan.entries], verdicts(plan, results)
    closing = "mosaic.png, family.png, curves.png, images/, run.json, …" if settings.search.joint else ""
    return Summary({}, columns, rows, lines, figure=figure, left=0, last=last, closing=closing)


def cells(result: Result, weighted: Sequence[str], *, named: bool) -> list[str]:
    """A row of the table."""
    cost = [] if result.unit else [result.cost]
    medians = [float(np.median(values)) for values in (*cost, *(result.terms[name] for name in weighted))]
    reached = [
        f"{int(result.converged.sum())}/{len(result.images)}",
        percent(float(np.median(result.confidence))),
        *(agreement(result, name) for name in result.judges),
    ]
    target = [result.unit] if result.unit else [str(result.digit), *([shorten(result.target, LETTERS)] if named else [])]
    return [
        *target,
        *([] if result.unit else reached),
        *(f"{median:.4f}" for median in medians),
        *((f"{np.median(result.front.sizes):.0f}", f"{np.median(result.front.hypervolumes):.4f}") if result.front else ()),
        f"{result.total_evaluations:,}",
        f"{result.seconds:.1f}",
    ]


def score_name(job: Job) -> str:
    """What the score of the target is called: confidence, unless it comes from votes over noisy copies."""
    return "vote share" if getattr(job.objective.classifier, "votes", 1) > 1 else "confidence"


def measures(result: Result) -> list[str]:
    """What gradient and feedback searches measure besides."""
    lines = []
    if result.passes.shape[1] and not result.unit:
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
    return "the images reached " + ", ".join(f"{class_name(k, result.label(k))} ({count})" for count, k in pairs)


def agreement(result: Result, name: str) -> str:
    """The share of the images that a held-out classifier assigns to the target, and to the class of the prior if another."""
    share = f"{read_as(result, result.classes)[name]:.0%}"
    prior = result.prior_digit
    if prior is None or prior == result.digit:
        return share
    return f"{share}, {read_as(result, prior)[name]:.0%} a {class_name(prior, result.label(prior))}"


# --- what was not reached ----------------------------------------------------------------------------------------------
def verdicts(plan: Plan, results: Sequence[Result]) -> list[str]:
    """A line for each job some of whose images have not converged; none for controls and for dreams without a target."""
    jobs = [entry.job for entry in plan.entries]
    missed = [
        (job, result) for job, result in zip(jobs, results, strict=True) if has_target(job) and not result.converged.all()
    ]
    missed.sort(key=lambda pair: not pair[1].converged.any())  # those that failed altogether come last
    lines = [f"{f'{result.target}: ' if len(results) > 1 else ''}{shortfall(job, result)}" for job, result in missed]
    more = [f"{len(lines) - MOST} more targets with images that have not converged"] if len(lines) > MOST else []
    return [*more, *lines[-MOST:]]


def has_target(job: Job) -> bool:
    """Whether a job searches for a class."""
    return not job.unit and uses_classifier(job.settings)


def aim(job: Job) -> str:
    """What an image must reach."""
    if job.criteria.tol is not None:
        return f"a cost below tol={job.criteria.tol:g}"
    largest = "" if job.digit == "any" else " with the target as the class of the largest score"
    return f"threshold={job.criteria.threshold:g}{largest}"


def shortfall(job: Job, result: Result) -> str:
    """How many images have not converged; where none has, how far they came and what to try."""
    number = len(result.images)
    if result.converged.any():
        return f"{int((~result.converged).sum())} of {number} images did not reach {aim(job)}"
    none = "the image did not reach" if number == 1 else f"none of {number} images reached"
    if job.criteria.tol is None and unchanged(job.criteria, result.scores).all():
        flat = "a score that no image changes, which is no success; try another target or classifier (fooling examine)"
        return f"failed: {none} {aim(job)} by a search; {best(job, result)} is {flat}"
    return f"failed: {none} {aim(job)}; best {best(job, result)}, {movement(job, result)}; try {advice(job, result)}"


def best(job: Job, result: Result) -> str:
    """The lowest cost, or the highest confidence on a logarithmic scale."""
    if job.criteria.tol is not None:
        return f"cost {result.cost.min():.4g}"
    at = int(result.confidence.argmax())
    is_other = result.predicted[at] != result.classes[at]
    other = ", but another class has a larger score" if is_other else ""
    return f"{score_name(job)} {on_log_scale(float(result.confidence[at]))}{other}"


def on_log_scale(confidence: float) -> str:
    """A confidence with its order of magnitude: 1.2e-3 = 10^-2.9, 99.85 % = 1 − 10^-2.8."""
    if confidence <= 0:
        return "0"
    if confidence >= 1:
        return percent(confidence)
    if confidence > 0.5:
        return f"{percent(confidence)} = 1 − 10^{math.log10(1 - confidence):.1f}"
    digits, _, exponent = f"{confidence:.1e}".partition("e")
    text = percent(confidence) if confidence >= 0.01 else f"{digits}e{int(exponent)}"
    return f"{text} = 10^{math.log10(confidence):.1f}"


def last_generations(result: Result) -> int:
    """How many generations are the end of a search."""
    generations = int(result.history["generation"][-1])
    return max(round(END * generations), min(LEAST, generations))


def change(job: Job, result: Result) -> float:
    """How much better the median image became at the end of the search: above MOVED it still moved, below −MOVED it fell."""
    generations = result.history["generation"]
    first = int(np.searchsorted(generations, generations[-1] - last_generations(result), side="right")) - 1
    if job.criteria.tol is not None:
        before, after = result.history["median_cost"][[first, -1]]
        return float((before - after) / max(before, 1e-12))
    before, after = np.clip(result.history["confidence"][[first, -1]], 1e-12, 1 - 1e-7)
    return float(np.log10(after / (1 - after)) - np.log10(before / (1 - before)))


def movement(job: Job, result: Result) -> str:
    """Whether the search still moved at its end."""
    moved = change(job, result)
    cost = job.criteria.tol is not None
    if moved > MOVED:
        return f"still {'falling' if cost else 'rising'} at the end"
    if moved < -MOVED:
        return f"{'rising' if cost else 'falling'} at the end"
    last = last_generations(result)
    return f"unchanged over the last {last:,} generations" if last else "there was no generation after the first images"


def advice(job: Job, result: Result) -> str:
    """What may help, and this job can do."""
    settings = job.settings
    tried, is_pareto = [], settings.search.name == "pareto"  # which needs a prior and a class
    if change(job, result) > MOVED:
        tried.append(longer(job, result))
    if not isinstance(settings.search, GradientSettings) and has_gradients(job.objective.classifier):
        tried.append("gradients (search=ascent)")
    if has_penalties(settings) and not is_pareto:
        tried.append("a weaker prior (prior=none)")
    elif not (is_pareto or settings.search.joint or settings.digit == "any" or settings.prior.exemplar):
        tried.append("whichever class is easiest (digit=any)")
    if not tried:
        tried.append(longer(job, result))
    return ", ".join(tried[:-1]) + (" or " if len(tried) > 1 else "") + tried[-1]


def longer(job: Job, result: Result) -> str:
    """The limit that ended the job, raised."""
    if job.settings.seconds is not None and result.generations < job.criteria.last:
        return "more time (seconds=…)"
    return "a larger budget (budget=…)" if job.criteria.limit == "budget" else "more generations (generations=…)"


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
