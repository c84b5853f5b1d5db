"""`fooling detect`: how well known detectors tell the evolved images of records from real ones, by genome and prior."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.detection import MIN_IMAGES
from fooling.classifiers.detectors import (
    DETECTORS,
    EVOLVED,
    Training,
    fit_all,
    limit_of,
    row_of,
    split_training,
    training_of,
    values,
)
from fooling.classifiers.features import Evidence, Features, evidence, find_features, of_classes
from fooling.classifiers.fitted_detectors import Score
from fooling.commands.evolved import EvolvedGroup, classifier_of, groups_of, targets_of
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import describe_classifier, real_images
from fooling.commands.progress import ProgressCallback
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles
from fooling.plots.detect import draw_detect
from fooling.records.collection import saved_jobs
from fooling.search.result import Result
from fooling.settings.detect import DetectSettings
from fooling.statistics.intervals import proportion_with_ci

POINTS = 51  # of a curve
FEWEST_TRAINING = 100  # images
Row = dict[str, Any]


def plan(settings: DetectSettings, _words: Sequence[str]) -> Plan:
    """Reads the records, the classifier and the data."""
    jobs, notes = saved_jobs(settings.folders, "folders")
    classifier, chosen = classifier_of(jobs, settings.classifier)
    settings = settings.model_copy(update={"classifier": chosen})
    features, why = find_features(classifier, settings.layer)
    train, test = real_images(settings, "fooling detect", "train", "test", classifier=classifier)
    check_training(train)
    real = images_of_classes(test, targets_of(jobs))
    groups = groups_of(jobs, settings.images, settings.seed)
    if all(len(group.images) < MIN_IMAGES for group in groups):
        most = max(len(group.images) for group in groups)
        raise UserError(
            f"folders: expected at least {MIN_IMAGES} images of a kind that succeeded, got {most}; evolve more: runs=100"
        )
    notes += [f"no features: {why}"] if why else []
    return Plan(inputs=(classifier, features, train, real, groups, notes), settings=settings)


def compute(settings: DetectSettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Fits the detectors, and compares every kind of evolved images with real ones."""
    classifier, features, train, (test, classes), groups, notes = plan.inputs
    names = list(DETECTORS) if settings.detectors == ("all",) else list(settings.detectors)
    total = len(groups) + 2
    watch("training images", 0, total)
    seen_of = training_of(classifier, train, features)
    training, held_out = split_training(seen_of._replace(seen=of_classes(classifier, seen_of.seen)))
    fitted = fit_all(names, training)
    limits = {name: limit_of(score.value(held_out.seen)) for name, score in fitted.items() if isinstance(score, Score)}
    watch("test images", 1, total)
    real = of_classes(classifier, evidence(classifier, drawn(test, settings), features))
    rows: list[Row] = []
    curves: list[Row] = []
    left_out: list[Row] = []
    for number, group in enumerate(groups):
        watch(group.name, number + 2, total)
        is_enough = len(group.images) >= MIN_IMAGES
        seen = of_classes(classifier, evidence(classifier, group.images, features)) if is_enough else None
        for name in names:
            if seen is None:
                found, why = None, f"{len(group.images)} of {group.made} images succeeded, expected at least {MIN_IMAGES}"
            else:
                found, why = values(name, seen, real, fitted[name])
            if found is None:
                left_out.append({"part": f"detectors: {name}", "against": group.name, "why": why})
                continue
            rows.append(row_of(name, *found, group.name) | at_limit(*found, limits.get(name)))
            curves.append({"name": name, "against": group.name, **roc_curve(*found)})
    if not rows:
        raise UserError(f"no detector applies: {'; '.join(dict.fromkeys(one['why'] for one in left_out))}")
    found_all = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "data": train.source,
        **about(features, training, real),
        "real_classes": [str(classifier.labels[k]) for k in classes],
        "limit_images": len(held_out.labels),
        "detectors": {
            name: {"title": one.title, "source": one.source, "fitted": one.fitted}
            for name, one in DETECTORS.items()
            if name in names
        },
        "groups": [describe(group) for group in groups],
        "rows": rows,
        "curves": curves,
        "winners": {group.name: winner([row for row in rows if row["against"] == group.name]) for group in groups},
        "winner": winner(worst_cases(rows)),
        "left_out": left_out,
        "notes": notes,
    }
    return Summary(found_all, *table(found_all), lines(found_all))


def check_training(data: ImageSet) -> None:
    """Refuses so few training images that no detector is fitted to them, and no limit is decided by them."""
    if len(data.images) < FEWEST_TRAINING:
        got = f"expected at least {FEWEST_TRAINING} training images, which decide the limits, got {len(data.images)}"
        raise UserError(f"data.path: {data.source}: {got}; give a folder with more")


def images_of_classes(data: ImageSet, targets: Sequence[int] | None) -> tuple[Bytes, list[int]]:
    """The images of the target classes, None for all, and the classes that they are of. Raises UserError for too few."""
    chosen = np.isin(data.labels, np.unique(data.labels) if targets is None else targets)
    if chosen.sum() < MIN_IMAGES:
        of = "any class" if targets is None else f"the classes {', '.join(map(str, targets))}, which the records aim for"
        got = f"expected at least {MIN_IMAGES} test images of {of}, got {int(chosen.sum())}"
        raise UserError(f"data.path: {data.source}: {got}; give a folder with more")
    return data.images[chosen], np.unique(data.labels[chosen]).tolist()


def drawn(images: Bytes, settings: DetectSettings) -> Bytes:
    """Test images, of many `images`, drawn by the seed."""
    number = min(len(images), settings.images)
    places = np.sort(np.random.default_rng(settings.seed).choice(len(images), number, replace=False))
    return np.ascontiguousarray(images[places])


def about(features: Features | None, training: Training, real: Evidence) -> dict[str, Any]:
    """What the detectors were fitted to and compared with."""
    return {
        "layer": features and features.layer,
        "features": None if training.seen.features is None else int(training.seen.features.shape[1]),
        "training_images": len(training.labels),
        "real_images": len(real.images),
    }


def at_limit(evolved: Doubles, real: Doubles, limit: float | None) -> Row:
    """The shares of the evolved and of the real images that pass at the limit of held-out training images, None without one."""
    if limit is None:
        return {"limit": None, "passes": None, "real_passes": None}
    passes, real_passes = (proportion_with_ci(int((one <= limit).sum()), len(one)) for one in (evolved, real))
    return {"limit": limit, "passes": passes, "real_passes": real_passes}


def describe(group: EvolvedGroup) -> dict[str, Any]:
    """A kind of evolved images."""
    return {
        "name": group.name,
        "plain": group.plain,
        "genome": group.genome,
        "prior": group.prior,
        "evade": list(group.evades),
        "images": len(group.images),
        "made": group.made,
        "evaluations": float(np.median(group.evaluations)) if len(group.evaluations) else None,
        "records": list(group.records),
    }


def roc_curve(evolved: Doubles, real: Doubles) -> dict[str, list[float]]:
    """Shares of the evolved and of the real images that are accepted, at thresholds from the lowest to the highest."""
    everything = np.sort(np.concatenate([evolved, real]))
    thresholds = np.unique(np.quantile(real, np.linspace(0, 1, POINTS), method="higher"))
    thresholds = np.concatenate([[everything[0] - 1], thresholds, [everything[-1]]])
    accepted = [np.searchsorted(np.sort(one), thresholds, side="right") / len(one) for one in (evolved, real)]
    return {"evolved": accepted[0].tolist(), "real": accepted[1].tolist()}


# --- the winner -----------------------------------------------------------------------------------------------------------
def worst_cases(rows: Sequence[Row]) -> list[Row]:
    """Of each detector that applies to every kind of evolved images the row with the smallest AUROC."""
    against = {row["against"] for row in rows}
    of_name: dict[str, list[Row]] = {}
    for row in rows:
        of_name.setdefault(row["name"], []).append(row)
    return [min(found, key=lambda row: row["auroc"]) for found in of_name.values() if len(found) == len(against)]


def winner(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The detector with the largest AUROC, whether it leads, above chance, and the rivals whose intervals meet its own.

    It wins where there are no rivals among several that are ranked. A detector that was fitted to evolved images takes no part.
    None: no detector applies.
    """
    ranked = sorted(
        (row for row in rows if DETECTORS[row["name"]].fitted != EVOLVED),
        key=lambda row: (row["auroc"], row["low"]),
        reverse=True,
    )
    if not ranked:
        return None
    best, *others = ranked
    rivals = [row["name"] for row in others if row["high"] >= best["low"]]
    return {**best, "rivals": rivals, "leads": best["low"] > 0.5, "ranked": len(ranked)}


# --- what is shown --------------------------------------------------------------------------------------------------------
def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line a detector: AUROC, and the share of the evolved images that pass, for each kind."""
    groups = [group["name"] for group in found["groups"]]
    cells = {(row["name"], row["against"]): row for row in found["rows"]}
    columns = ["detector", *groups]
    return columns, [[name, *(cell(cells.get((name, group))) for group in groups)] for name in found["detectors"]]


def cell(row: Row | None) -> str:
    """AUROC with its interval and the rate."""
    if row is None:
        return "–"
    rate = "" if row["fpr95"] is None else f"  {row['fpr95']:.0%}"
    return f"{row['auroc']:.3f} ({row['low']:.2f}–{row['high']:.2f}){rate}"


def lines(found: Mapping[str, Any]) -> list[str]:
    """What the table means, and which detector wins."""
    said = [
        "AUROC (95 % interval) of evolved against real test images, .5 is chance; share of the evolved images that pass where"
    ]
    said[0] += " 95 % of the real ones do"
    seen = [name for name, one in found["detectors"].items() if one["fitted"] == EVOLVED]
    said += [f"fitted to {EVOLVED}, what no defender has: {', '.join(seen)}"] if seen else []
    said += [f"{group}: {in_words(one)}" for group, one in found["winners"].items() if one]
    if len(found["groups"]) > 1 and found["winner"]:
        said.append(f"worst kind of images each: {in_words(found['winner'])}")
    missing: dict[str, list[str]] = {}
    for one in found["left_out"]:
        missing.setdefault(one["why"], []).append(one["part"].removeprefix("detectors: "))
    said += [f"left out: {', '.join(dict.fromkeys(names))}: {why}" for why, names in missing.items()]
    return [*said, *found["notes"]]


def in_words(one: Mapping[str, Any]) -> str:
    """The detector that leads, and whether it wins."""
    value = f"{one['name']}, AUROC {one['auroc']:.3f} ({one['low']:.3f}–{one['high']:.3f})"
    if not one["leads"]:
        return f"no detector is better than chance; the best is {value}"
    if one["rivals"]:
        return f"{value} leads; as good may be {', '.join(one['rivals'])}"
    return f"{value} wins" if one["ranked"] > 1 else f"{value}; no other detector is ranked"


def draw(folder: Path, summary: Summary) -> None:
    """detect.png."""
    draw_detect(folder, summary.content)


COMMAND = Experiment("detect", plan, compute, draw, ("detect.json", "detect.png"))
