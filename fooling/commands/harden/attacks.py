"""The attacks of `fooling harden`: images that are evolved against one network, in memory, for training or for measuring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from fooling.classifiers.base import Classifier
from fooling.classifiers.labels import class_name
from fooling.commands.audit.protocol import SURE, entries_of
from fooling.commands.console import InterruptHandler
from fooling.commands.harden.figures import BELIEVED
from fooling.commands.jobs import GridEntry, classes_of
from fooling.commands.progress import ProgressDisplay
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.run import run_job
from fooling.search.job import Pair
from fooling.search.result import Result, median_confidence_index
from fooling.settings.harden import ATTACKS, BUDGETS, CLIMBING, PRIOR_BUDGET, SHIFTED, HardenSettings
from fooling.statistics import Statistics
from fooling.statistics.intervals import proportion_with_ci

Found = list[tuple[GridEntry, Result]]


@dataclass(frozen=True)
class Terminal:
    """Where progress goes and signals come from."""

    console: Console
    signals: InterruptHandler
    quiet: bool


def attack_entries(
    settings: HardenSettings,
    network: Classifier,
    statistics: Statistics | None,
    name: str,
    *,
    runs: int,
    budget: int,
    seed: int,
) -> list[GridEntry]:
    """The jobs of an attack, one for each class. Raises UserError where the network or its images allow none."""
    words = [*ATTACKS[name], f"runs={runs}", *budget_words(name, budget)]
    classes = classes_of(settings.digit, network.labels)
    pairs: list[Pair] = [(None, k) for k in classes]
    if name in SHIFTED:
        if len(classes) < 2:
            raise UserError("one class has no pairs")
        pairs = list(zip(classes, [*classes[1:], classes[0]], strict=True))
    chosen = settings.model_copy(update={"seed": seed, "quiet": True, "resume": False, "overwrite": False})
    return entries_of(chosen, network, statistics, words, {"attack": name}, pairs)


def budget_words(name: str, budget: int) -> list[str]:
    """Evaluations of an image, at most; a gradient search ends by itself."""
    if name in CLIMBING:
        return []
    most = BUDGETS.get(name, PRIOR_BUDGET)
    words = [f"budget={budget if name == 'none' else min(budget, most)}"]
    return [*words, f"threshold={SURE}", "stop=threshold"] if name == "none" else words


def carry_out(entries: Sequence[GridEntry], terminal: Terminal, title: str) -> Found:
    """The jobs with their results, in this order. Raises Interrupted after a signal."""
    found = []
    for number, entry in enumerate(entries, 1):
        place = f"{title}, {number}/{len(entries)} {entry.job.target}"
        display = ProgressDisplay(terminal.console, "", entry.job.criteria, terminal.signals, terminal.quiet, place)
        with display:
            found.append((entry, run_job(entry.job, None, display)))
    return found


def images_of(found: Found) -> Bytes:
    """All images [N, H, W, C]."""
    return np.concatenate([result.images for _, result in found])


def row(name: str, found: Found, accepted: float, *, trained: bool) -> dict[str, Any]:
    """An attack in round-N.json. `accepted`: the confidence that 95 % of the real test images reach."""
    results = [result for _, result in found]
    confidence = np.concatenate([result.confidence for result in results])
    is_target = np.concatenate([result.predicted == result.digit for result in results])
    return {
        "name": name,
        "trained": trained,
        **shares(confidence, is_target, accepted),
        "confidence": float(np.median(confidence)),
        "evaluations": float(np.median(np.concatenate([result.evaluations for result in results]))),
        "seconds": round(sum(result.seconds for result in results), 3),
    }


def shares(confidence: Floats, is_target: Any, accepted: float) -> dict[str, Any]:
    """How many images are believed: at a confidence of .9, of .9999, and at that which 95 % of the real images reach."""
    levels = {"believed": BELIEVED, "sure": SURE, "accepted": accepted}
    counts = {name: int((is_target & (confidence >= np.float32(level))).sum()) for name, level in levels.items()}
    return {name: proportion_with_ci(count, len(confidence)) for name, count in counts.items()}


def samples(found: Found) -> tuple[Bytes, list[dict[str, Any]]]:
    """Of each class the image of median confidence: images [K, H, W, C], and what it is."""
    places = [median_confidence_index(result.confidence) for _, result in found]
    images = np.stack([result.images[place] for (_, result), place in zip(found, places, strict=True)])
    about: list[dict[str, Any]] = [
        {
            "digit": result.digit,
            "name": class_name(entry.job.objective.digit, str(entry.job.label)),
            "confidence": float(result.confidence[place]),
        }
        for (entry, result), place in zip(found, places, strict=True)
    ]
    return images, about
