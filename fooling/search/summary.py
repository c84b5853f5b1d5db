"""The keys of run.json that say what a job found: its totals, and each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Floats
from fooling.search.loop import Stage
from fooling.search.pareto_front import summary as front_summary
from fooling.search.result import Result, unfinished_result
from fooling.search.state import AT_PASS, MILESTONES, PASSES
from fooling.search.stopping import StoppingCriteria

AFTER_GENERATION = "after_generation"  # the key whose images are those of an unfinished job


def summary(result: Result, files: Sequence[str]) -> dict[str, Any]:
    """The totals and images of run.json."""
    evaluations = result.total_evaluations
    return {
        "evaluations": evaluations,
        "changed_evaluations": result.total_changed,
        "generations": result.generations,
        "seconds": round(result.seconds, 3),
        "evaluations_per_second": round(evaluations / max(result.seconds, 1e-9), 1),
        "converged": int(result.converged.sum()),
        **({"passes": sum(one["passes"] for one in result.evaded)} if result.evaded else {}),
        **(quality(result) if result.digit == "all" else {}),
        **totals(result.own),
        "judge_evaluations": {name: len(scores) for name, scores in result.judges.items()},
        "judges": read_as(result, result.classes),
        **({"judges_prior": read_as(result, result.prior_digit)} if result.prior_digit not in (None, result.digit) else {}),
        **(front_summary(result.front) if result.front else {}),
        "images": [describe(result, i, file) for i, file in enumerate(files)],
    }


def quality(result: Result) -> dict[str, Any]:
    """Of an archive: the sum of its confidences (QD-score; Pugh et al. 2015), and how many images are read as their class."""
    return {"qd_score": float(result.confidence.sum()), "coverage": int((result.predicted == result.classes).sum())}


def so_far(
    stage: Stage, criteria: StoppingCriteria, files: Sequence[str], labels: tuple[str, ...] = (), unit: str = ""
) -> dict[str, Any]:
    """The totals and images of run.json while some runs go on."""
    return {AFTER_GENERATION: stage.generation, **summary(unfinished_result(stage, criteria, labels, unit), files)}


def totals(measures: Mapping[str, npt.NDArray[Any]]) -> dict[str, float | int]:
    """Of all images together: the sum of whole numbers, the median of others."""
    return {name: int(v.sum()) if v.dtype.kind in "iu" else float(np.median(v)) for name, v in measures.items()}


def read_as(result: Result, classes: Any) -> dict[str, float]:
    """The share of the images that each judge reads as a class, or as a class [R] each."""
    return {name: float(np.mean(scores.argmax(axis=1) == classes)) for name, scores in result.judges.items()}


def describe(result: Result, i: int, file: str) -> dict[str, Any]:
    """The keys of image i in run.json."""
    reached, digit = [None if n < 0 else int(n) for n in result.evaluations_to[i]], int(result.classes[i])
    predicted, runner_up = int(result.predicted[i]), int(result.runner_up[i])
    return {
        "file": file,
        "digit": digit,
        "label": result.label(digit),
        "confidence": float(result.confidence[i]),
        "predicted": predicted,
        "predicted_label": result.label(predicted),
        "runner_up": runner_up,
        "runner_up_label": result.label(runner_up),
        "cost": float(result.cost[i]),
        "terms": {name: float(values[i]) for name, values in result.terms.items()},
        "converged": bool(result.converged[i]),
        **(result.evaded[i] if result.evaded else {}),
        **({"exemplar": int(result.exemplars[i])} if result.exemplars is not None else {}),
        "judges": {name: verdict(scores[i], digit) for name, scores in result.judges.items()},
        **{name: values[i].item() for name, values in result.own.items()},
        **({"first_passes": first_passes(result.passes[i])} if result.passes.shape[1] else {}),
        "evaluations": int(result.evaluations[i]),
        "evaluations_to": {f"{level:g}": n for level, n in zip(MILESTONES, reached, strict=True)},
    }


def first_passes(passes: npt.NDArray[np.float64]) -> dict[str, Any]:
    """AT_PASS at the first passage of each confidence, [passes, AT_PASS]; null where there was none."""
    return {
        name: None
        if values[0] < 0
        else {AT_PASS[0]: int(values[0]), **dict(zip(AT_PASS[1:], values[1:].tolist(), strict=True))}
        for name, values in zip(PASSES, passes, strict=True)
    }


def verdict(scores: Floats, digit: int) -> dict[str, Any]:
    """A judge's arg-max for one image [K], its score, and the score of the target class."""
    return {"predicted": int(scores.argmax()), "score": float(scores.max()), "confidence": float(scores[digit])}
