"""The result of a job: the finished images, scored by the classifier and every term."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier
from fooling.classifiers.judges import predict_all
from fooling.classifiers.labels import class_name, classes_in_words
from fooling.errors import counted, printable
from fooling.kernels.reference.penalties import target_classes
from fooling.kernels.tables import ANY, Floats
from fooling.search import Search, part_of
from fooling.search.loop import Stage
from fooling.search.objective import Objective
from fooling.search.pareto_front import ParetoFront, make_front
from fooling.search.state import COLUMNS, History
from fooling.search.stopping import StoppingCriteria, converged
from fooling.statistics import Statistics

HTML = "fooling.report.notebook:result_html"  # loaded where a notebook shows a result: it draws


@dataclass(frozen=True)
class Result:
    """R finished images, their scores, and the history of the runs."""

    digit: int | Literal["any", "all"]  # the target class; any: whichever an image reached; all: each has its own
    prior_digit: int | None  # the class of the term targets, if there was one
    images: npt.NDArray[np.uint8]  # [R, H, W, C]
    scores: Floats  # [R, K]
    cost: Floats  # [R], Σ weight·term
    terms: dict[str, Floats]  # [R] each, unweighted
    converged: npt.NDArray[np.bool_]  # [R]
    evaluations: npt.NDArray[np.int64]  # [R]
    changed: npt.NDArray[np.int64]  # [R], evaluations of images that differed from those they were made of
    evaluations_to: npt.NDArray[np.int64]  # [R, 4], to the confidences .9, .99, .999, .9999; −1 where never reached
    generations: int  # of the longest run
    seconds: float  # of search, without compilation
    passes: npt.NDArray[np.float64]  # [R, passes, AT_PASS], of gradient searches; −1 where never passed; of others [R, 0, …]
    own: dict[str, npt.NDArray[Any]]  # [R] each, what the search measures of its images
    history: dict[str, npt.NDArray[np.float64]]  # [lines] each: the columns of metrics.jsonl
    judges: dict[str, Floats]  # [R, K] each, scores of the held-out classifiers
    exemplars: npt.NDArray[np.int64] | None = None  # [R], the training image of each run, with prior.exemplar
    folder: str | None = None  # the record, if one was written
    front: ParetoFront | None = None  # of search=pareto
    labels: tuple[str, ...] = ()  # names of the K classes; (): numbers
    unit: str = ""  # what a dream maximises instead of a class: it has no target then
    notes: tuple[str, ...] = ()  # for the user: those of run.json
    targets: npt.NDArray[np.int64] | None = None  # [R], the class of each image, with digit=all
    evaded: Sequence[Mapping[str, Any]] | None = None  # [R], what the detectors say of each image, where they were evaded

    def __repr__(self) -> str:
        """In brief: Result(2: 20 images 28×28×1, 19 converged, median confidence 99.99 %, in runs/NAME)."""
        size, converged = "×".join(map(str, self.images.shape[1:])), int(self.converged.sum())
        reached = "" if self.unit else f", {converged} converged, median confidence {self.median_confidence:.4f}"
        where = f", in {self.folder}" if self.folder else ""
        return f"Result({self.target}: {counted(len(self.images), 'image')} {size}{reached}{where})"

    def _repr_html_(self) -> str:
        """For notebooks: a sheet of the images and the totals."""
        html: str = resolve_name(HTML)(self)
        return html

    @property
    def median_confidence(self) -> float:
        """Of all images; NaN without any."""
        return float(np.median(self.confidence)) if len(self.images) else float("nan")

    @property
    def confidence(self) -> Floats:
        """The classifier's score for the class of `classes`, [R]."""
        return self.scores[np.arange(len(self.scores)), self.classes]

    confidences = confidence

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The target class of each image, [R]: `digit`, or with any the class that it reached."""
        if self.targets is not None:
            return self.targets
        return self.predicted if self.digit == "any" else np.full(len(self.scores), self.digit)

    @property
    def total_evaluations(self) -> int:
        """Of all runs together; with digit=all every image is offered to each."""
        return int(self.evaluations.sum() if self.targets is None else self.evaluations.max(initial=0))

    @property
    def total_changed(self) -> int:
        """The same of images that differed from those they were made of."""
        return int(self.changed.sum() if self.targets is None else self.changed.max(initial=0))

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class with the largest score, [R]."""
        return np.asarray(self.scores.argmax(axis=1))

    @property
    def runner_up(self) -> npt.NDArray[np.int64]:
        """The class with the second largest score, [R]: the largest but for that of `predicted`, which it never equals."""
        others = self.scores.copy()
        others[np.arange(len(others)), self.predicted] = -1
        return np.asarray(others.argmax(axis=1))

    def label(self, k: int) -> str:
        """The name of a class."""
        return self.labels[k] if self.labels else str(k)

    @property
    def target(self) -> str:
        """The target in tables: the name of its class, any, or the unit that a dream maximises."""
        if self.digit == "all":
            return classes_in_words(len(self.scores))
        return self.unit or ("any" if self.digit == "any" else class_name(self.digit, self.label(self.digit)))


def make_result(
    history: History,
    images: npt.NDArray[np.uint8],
    objective: Objective,
    criteria: StoppingCriteria,
    search: type[Search],
    *,
    judges: Mapping[str, Classifier],
    statistics: Statistics | None = None,
    prior_digit: int | None = None,
    folder: str | None = None,
    unit: str = "",
) -> Result:
    """Scores the images, which are those of the history as read back from the record, by the objective and the judges.

    `prior_digit` is the class of the term targets, None without. `unit` is what a dream maximises instead of a class.
    """
    cost, terms, scores = objective.value(images)
    lines, runs = history.history, np.arange(len(images), dtype=np.uint32)
    measure = part_of(search, "measure")
    generations = (history.evaluations - criteria.first) // criteria.population  # of each run
    return Result(
        digit=target_of(criteria),
        prior_digit=prior_digit,
        images=images,
        scores=scores,
        cost=cost,
        terms=terms,
        converged=converged(criteria, cost, scores, images),
        evaluations=history.evaluations,
        changed=history.changed,
        evaluations_to=history.reached,
        generations=int(lines[-1, COLUMNS.index("generation")]),
        seconds=float(lines[-1, COLUMNS.index("seconds")]),
        passes=history.passes,
        own=measure(images, target_classes(scores, criteria.targets(runs)), objective.classifier, generations),
        history={name: lines[:, i].copy() for i, name in enumerate(COLUMNS)},
        judges=predict_all(judges, images),
        exemplars=objective.which(runs) if objective.targets > 1 else None,
        folder=folder,
        front=front_of(history, objective, criteria, statistics, prior_digit),
        labels=tuple(map(printable, objective.classifier.labels)),
        unit=unit,
        targets=class_of_each(criteria),
        evaded=objective.evasion.describe(images, scores) if objective.evasion else None,
    )


def target_of(criteria: StoppingCriteria) -> int | Literal["any", "all"]:
    """The target class, any, or of joint runs all."""
    if criteria.joint:
        return "all"
    return "any" if criteria.digit == ANY else criteria.digit


def class_of_each(criteria: StoppingCriteria) -> npt.NDArray[np.int64] | None:
    """The target class of each of joint runs, [R]; None of others."""
    return np.array(criteria.classes, dtype=np.int64) if criteria.joint else None


def front_of(
    history: History, objective: Objective, criteria: StoppingCriteria, statistics: Statistics | None, prior_digit: int | None
) -> ParetoFront | None:
    """The front of the last selections, if the runs return all of them."""
    if not criteria.whole or statistics is None or prior_digit is None:
        return None
    return make_front(objective, statistics.levels[statistics.row(prior_digit)], history.populations)


def unfinished_result(stage: Stage, criteria: StoppingCriteria, labels: tuple[str, ...] = (), unit: str = "") -> Result:
    """The result while some runs go on, by the scores of the search: no image is evaluated again."""
    history = stage.history
    return Result(
        digit=target_of(criteria),
        prior_digit=None,
        images=history.images.copy(),
        scores=history.scores.copy(),
        cost=history.costs.copy(),
        terms={},
        converged=converged(criteria, history.costs, history.scores, history.images),
        evaluations=history.evaluations.copy(),
        changed=history.changed.copy(),
        evaluations_to=history.reached.copy(),
        generations=stage.generation,
        seconds=stage.seconds,
        passes=history.passes.copy(),
        own={},
        history={},
        judges={},
        labels=labels,
        unit=unit,
        targets=class_of_each(criteria),
    )


def median_confidence_index(confidence: Floats) -> int:
    """The image of median confidence, of confidences [N]; of an even number, the lower one of the two in the middle."""
    return int(np.argsort(confidence, kind="stable")[(len(confidence) - 1) // 2])
