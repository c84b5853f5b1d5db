"""What a job found: the finished images, valued by the classifier and every term, and what run.json says of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers.judges import predict_all
from fooling.kernels.reference.penalties import target_classes
from fooling.kernels.tables import Floats
from fooling.search.job import Job
from fooling.search.pareto_front import ParetoFront, make_front
from fooling.search.pareto_front import summary as front_summary
from fooling.search.state import AT_PASS, COLUMNS, MILESTONES, PASSES, History
from fooling.search.stopping import converged
from fooling.search.weight_feedback import measure, totals


@dataclass(frozen=True)
class Result:
    """R finished images and how they came about."""

    digit: int | Literal["any"]  # the wanted class; any: whichever an image got to
    prior_digit: int | None  # the class whose statistics were wanted, if there was one
    images: npt.NDArray[np.uint8]  # [R, H, W, C]
    scores: Floats  # [R, K]
    cost: Floats  # [R], Σ weight·term
    terms: dict[str, Floats]  # [R] each, unweighted
    converged: npt.NDArray[np.bool_]  # [R]
    evaluations: npt.NDArray[np.int64]  # [R]
    changed: npt.NDArray[np.int64]  # [R], evaluations of images that equalled none of those they came from
    evaluations_to: npt.NDArray[np.int64]  # [R, 4], to the confidences .9, .99, .999, .9999; −1 where never reached
    generations: int  # of the run that took most
    seconds: float  # of search, compilation included
    passes: npt.NDArray[np.float64]  # [R, passes, AT_PASS], of gradient searches; −1 where never passed; others: [R, 0, …]
    own: dict[str, npt.NDArray[Any]]  # [R] each, what this kind of search knows of its images
    history: dict[str, npt.NDArray[np.float64]]  # [lines] each: the columns of metrics.jsonl
    judges: dict[str, Floats]  # [R, K] each, what the judges say
    exemplars: npt.NDArray[np.int64] | None = None  # [R], whose statistics were each run's target, with prior.exemplar
    folder: str | None = None  # the record, if one was written
    front: ParetoFront | None = None  # of search=pareto

    @property
    def confidence(self) -> Floats:
        """The classifier's score for the class of `classes`, [R]."""
        return self.scores[np.arange(len(self.scores)), self.classes]

    confidences = confidence

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The wanted class of each image, [R]: `digit`, or with any the class that it got to."""
        return self.predicted if self.digit == "any" else np.full(len(self.scores), self.digit)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class with the largest score, [R]."""
        return np.asarray(self.scores.argmax(axis=1))

    @property
    def runner_up(self) -> npt.NDArray[np.int64]:
        """The class with the largest score but for that of `classes`, [R]."""
        others = self.scores.copy()
        others[np.arange(len(others)), self.classes] = -1
        return np.asarray(others.argmax(axis=1))


def make_result(track: History, images: npt.NDArray[np.uint8], job: Job, folder: str | None) -> Result:
    """Values the images, which are those of the track as read back from the record, by the objective, and asks the judges."""
    plan = job.plan
    cost, terms, scores = job.objective.value(images)
    lines = track.history
    classes = target_classes(scores, plan.digit)
    return Result(
        digit=job.digit,
        prior_digit=job.prior_digit if job.has_prior else None,
        images=images,
        scores=scores,
        cost=cost,
        terms=terms,
        converged=converged(plan, cost, scores),
        evaluations=track.evaluations,
        changed=track.changed,
        evaluations_to=track.reached,
        generations=int(lines[-1, COLUMNS.index("generation")]),
        seconds=float(lines[-1, COLUMNS.index("seconds")]),
        passes=track.passes,
        own=measure(job.settings.search.name, images, classes, job.objective.classifier, track.evaluations),
        history={name: lines[:, i].copy() for i, name in enumerate(COLUMNS)},
        judges=predict_all(job.judges, images),
        exemplars=job.objective.which(np.arange(len(images), dtype=np.uint32)) if job.objective.targets > 1 else None,
        folder=folder,
        front=make_front(job.objective, job.fitted.levels[job.prior_digit], track.populations) if plan.whole else None,
    )


def summary(result: Result, files: Sequence[str]) -> dict[str, Any]:
    """The totals and images of run.json."""
    evaluations = int(result.evaluations.sum())
    return {
        "evaluations": evaluations,
        "changed_evaluations": int(result.changed.sum()),
        "generations": result.generations,
        "seconds": round(result.seconds, 3),
        "evaluations_per_second": round(evaluations / max(result.seconds, 1e-9), 1),
        "converged": int(result.converged.sum()),
        **totals(result.own),
        "judge_evaluations": {name: len(scores) for name, scores in result.judges.items()},
        "judges": read_as(result, result.classes),
        **({"judges_prior": read_as(result, result.prior_digit)} if result.prior_digit not in (None, result.digit) else {}),
        **(front_summary(result.front) if result.front else {}),
        "images": [describe(result, i, file) for i, file in enumerate(files)],
    }


def read_as(result: Result, classes: Any) -> dict[str, float]:
    """The share of the images that each judge reads as a class, or as a class [R] each."""
    return {name: float(np.mean(scores.argmax(axis=1) == classes)) for name, scores in result.judges.items()}


def describe(result: Result, i: int, file: str) -> dict[str, Any]:
    """What run.json says of image i."""
    reached, digit = [None if n < 0 else int(n) for n in result.evaluations_to[i]], int(result.classes[i])
    return {
        "file": file,
        "digit": digit,
        "confidence": float(result.confidence[i]),
        "predicted": int(result.predicted[i]),
        "runner_up": int(result.runner_up[i]),
        "cost": float(result.cost[i]),
        "terms": {name: float(values[i]) for name, values in result.terms.items()},
        "converged": bool(result.converged[i]),
        **({"exemplar": int(result.exemplars[i])} if result.exemplars is not None else {}),
        "judges": {name: verdict(scores[i], digit) for name, scores in result.judges.items()},
        **{name: values[i].item() for name, values in result.own.items()},
        **({"first_passes": first_passes(result.passes[i])} if result.passes.shape[1] else {}),
        "evaluations": int(result.evaluations[i]),
        "evaluations_to": {f"{level:g}": n for level, n in zip(MILESTONES, reached, strict=True)},
    }


def first_passes(passes: npt.NDArray[np.float64]) -> dict[str, Any]:
    """What was noted when an image first passed each confidence, [passes, AT_PASS]; null where it never did."""
    return {
        name: None
        if values[0] < 0
        else {AT_PASS[0]: int(values[0]), **dict(zip(AT_PASS[1:], values[1:].tolist(), strict=True))}
        for name, values in zip(PASSES, passes, strict=True)
    }


def verdict(scores: Floats, digit: int) -> dict[str, Any]:
    """What a judge says of one image [K]: the class it sees, how surely, and its score for the wanted class."""
    return {"predicted": int(scores.argmax()), "score": float(scores.max()), "confidence": float(scores[digit])}
