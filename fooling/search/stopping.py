"""When runs end, and which of them have succeeded."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels.reference.penalties import confidence, target_classes
from fooling.kernels.tables import Bytes, Flags, Floats, Ints
from fooling.search import load_search
from fooling.search.evasion import Evasion
from fooling.search.state import State
from fooling.settings.schema import RunSettings

SETTLED = 10  # generations in which no pixel's grey level changes, until a run is settled


@dataclass(frozen=True)
class StoppingCriteria:
    """When runs end and what they return."""

    runs: int
    first: int  # evaluations of a run in generation 0 …
    population: int  # … and in each later one
    last: int  # the last generation
    stop: Literal["end", "threshold", "tol", "settled"]
    threshold: float  # confidence
    tol: float | None  # cost
    returns: Literal["best", "worst"]  # of the last selection, for a run that went to the end
    digit: int  # the target class, or kernels.tables.ANY
    whole: bool = False  # whether a run returns all of its last selection
    flat: tuple[Any, Any] | None = None  # the target's score, and its noise, where all images of the checks get the same
    round: int | None = None  # generations of a round, at whose ends frames are filmed; None: there are no rounds
    limit: Literal["generations", "budget"] = "generations"  # the setting that `last` is from
    seconds: float | None = None  # of search, of all runs together: the generation that passes them is the last
    classes: tuple[int, ...] = ()  # of joint runs, the target class of each: every image is offered to all of them
    evasion: Evasion | None = None  # detectors that an image must pass, too

    @property
    def joint(self) -> bool:
        """Whether every image counts for all runs, each of another target class."""
        return bool(self.classes)

    def targets(self, runs: npt.NDArray[Any]) -> int | Ints:
        """The target class: of all runs, or of each of `runs` [R]."""
        return np.array(self.classes, dtype=np.int64)[runs] if self.classes else self.digit

    def total(self, counts: npt.NDArray[Any]) -> int:
        """How many images counts [R] are in all."""
        return int(counts.max() if self.classes else counts.sum())

    @staticmethod
    def from_settings(settings: RunSettings, digit: int, classes: tuple[int, ...] = (), images: int = 1) -> "StoppingCriteria":
        """The criteria for runs with the target class `digit`, or of joint runs with one of `classes` each.

        `images`: that the model sees for the scores of one; all of them count. A control runs to the end; a budget is
        never exceeded.
        """
        schedule = load_search(settings.search.name, settings.engine.name).schedule(settings)
        last, budget = schedule.last, settings.budget
        if budget is not None:
            if budget < schedule.minimum_budget * images:
                raise UserError(f"budget: expected at least {schedule.minimum_budget * images}, got {budget}")
            last = min(last, (budget // images - schedule.first) // schedule.population)
        limit: Literal["generations", "budget"] = "budget" if last < schedule.last else "generations"
        return StoppingCriteria(
            runs=len(classes) or settings.runs,
            first=schedule.first * images,
            population=schedule.population * images,
            last=last,
            stop="end" if settings.control else settings.stop,
            threshold=settings.threshold,
            tol=settings.tol,
            returns=schedule.returns,
            digit=digit,
            whole=schedule.whole,
            round=schedule.round,
            limit=limit,
            seconds=settings.seconds,
            classes=classes,
        )


def ended_runs(criteria: StoppingCriteria, state: State) -> Flags:
    """Which runs of the state meet the criterion `stop`, [R]."""
    if criteria.stop == "tol" and criteria.tol is not None:
        below = passing(criteria, np.asarray(state.costs[:, 0] < criteria.tol), state.images[:, 0], state.scores[:, 0])
        return np.full(len(below), below.all()) if criteria.joint else below
    if criteria.stop == "threshold":
        reached = success(state.scores[:, 0], criteria.targets(state.runs), criteria.threshold)
        reached = passing(criteria, reached, state.images[:, 0], state.scores[:, 0])
        return np.full(len(reached), reached.all()) if criteria.joint else reached
    if criteria.stop == "settled" and "still" in state.aux:
        return np.asarray(state.aux["still"] >= SETTLED)
    return np.zeros(len(state.runs), dtype=np.bool_)


def success(scores: Floats, digit: int | Ints, threshold: float) -> Flags:
    """Confidence ≥ threshold and the target class is the arg-max: scores [N, K] → [N]."""
    is_largest = scores.argmax(axis=1) == target_classes(scores, digit)
    return np.asarray((confidence(scores, digit) >= np.float32(threshold)) & is_largest)


def converged(criteria: StoppingCriteria, costs: Floats, scores: Floats, images: Bytes) -> Flags:
    """With `tol`: cost < tol; otherwise success, which a score that no image changes is not. Costs [R], scores [R, K] → [R].

    Where detectors are evaded, the images [R, H, W, C] pass them, too.
    """
    if criteria.tol is not None:
        return passing(criteria, np.asarray(costs < criteria.tol), images, scores)
    reached = success(scores, criteria.targets(np.arange(len(scores))), criteria.threshold) & ~unchanged(criteria, scores)
    return passing(criteria, reached, images, scores)


def passing(criteria: StoppingCriteria, reached: Flags, images: Bytes, scores: Floats) -> Flags:
    """Which of the images that have reached their target [R] pass the detectors, too; all where none is evaded."""
    return reached if criteria.evasion is None else criteria.evasion.passing(reached, images, scores)


def unchanged(criteria: StoppingCriteria, scores: Floats) -> Flags:
    """Whether the target's score is the one that all images of the checks get: scores [R, K] → [R]."""
    if criteria.flat is None:
        return np.zeros(len(scores), dtype=np.bool_)
    score, noise = criteria.flat
    found = confidence(scores, criteria.targets(np.arange(len(scores))))
    return np.asarray(np.abs(found - np.float32(score)) <= noise)
