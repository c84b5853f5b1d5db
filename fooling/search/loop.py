"""The only generation loop: it counts, stops, logs and saves checkpoints. A search computes what happens in a generation.

`StoppingCriteria` say when runs end and which of them have succeeded.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fooling.errors import Interrupted, UserError
from fooling.kernels.numba.compile import working_time
from fooling.kernels.reference.penalties import confidence, target_classes
from fooling.kernels.tables import Flags, Floats
from fooling.records.record import Record
from fooling.search import Search, load_search
from fooling.search.state import COLUMNS, History, Metrics, State, is_filmed, is_logged
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
    flat: tuple[float, float] | None = None  # the target's score, and its noise, where all images of the checks get the same
    round: int | None = None  # generations of a round, at whose ends frames are filmed; None: there are no rounds

    @staticmethod
    def from_settings(settings: RunSettings, digit: int) -> "StoppingCriteria":
        """The criteria for runs with the target class `digit`. A control runs to the end; a budget is never exceeded."""
        schedule = load_search(settings.search.name, settings.engine.name).schedule(settings)
        last, budget = schedule.last, settings.budget
        if budget is not None:
            if budget < schedule.minimum_budget:
                raise UserError(f"budget: expected at least {schedule.minimum_budget}, got {budget}")
            last = min(last, (budget - schedule.first) // schedule.population)
        return StoppingCriteria(
            runs=settings.runs,
            first=schedule.first,
            population=schedule.population,
            last=last,
            stop="end" if settings.control else settings.stop,
            threshold=settings.threshold,
            tol=settings.tol,
            returns=schedule.returns,
            digit=digit,
            whole=schedule.whole,
            round=schedule.round,
        )


def ended_runs(criteria: StoppingCriteria, state: State) -> Flags:
    """Which runs of the state meet the criterion `stop`, [R]."""
    if criteria.stop == "tol" and criteria.tol is not None:
        return np.asarray(state.costs[:, 0] < criteria.tol)
    if criteria.stop == "threshold":
        return success(state.scores[:, 0], criteria.digit, criteria.threshold)
    if criteria.stop == "settled" and "still" in state.aux:
        return np.asarray(state.aux["still"] >= SETTLED)
    return np.zeros(len(state.runs), dtype=np.bool_)


def success(scores: Floats, digit: int, threshold: float) -> Flags:
    """Confidence ≥ threshold and the target class is the arg-max: scores [N, K] → [N]."""
    is_largest = scores.argmax(axis=1) == target_classes(scores, digit)
    return np.asarray((confidence(scores, digit) >= np.float32(threshold)) & is_largest)


def converged(criteria: StoppingCriteria, costs: Floats, scores: Floats) -> Flags:
    """With `tol`: cost < tol; otherwise success, which a score that no image changes is not. Costs [N], scores [N, K] → [N]."""
    if criteria.tol is not None:
        return np.asarray(costs < criteria.tol)
    return success(scores, criteria.digit, criteria.threshold) & ~unchanged(criteria, scores)


def unchanged(criteria: StoppingCriteria, scores: Floats) -> Flags:
    """Whether the target's score is the one that all images of the checks get: scores [N, K] → [N]."""
    if criteria.flat is None:
        return np.zeros(len(scores), dtype=np.bool_)
    score, noise = criteria.flat
    return np.asarray(np.abs(confidence(scores, criteria.digit) - np.float32(score)) <= noise)


CHECKPOINT_SECONDS = 10.0
RESUME_HINT = "; completed generations are saved: the same command with resume=true continues"


class Progress(Protocol):
    """Follows a job while it runs, and can stop it between two generations."""

    def observe(self, metrics: Metrics) -> None:
        """Receives the metrics of each generation."""

    def note(self, text: str) -> None:
        """Receives a sentence on how the job is computed."""

    def stop_requested(self) -> bool:
        """Whether to stop before the next generation."""


class Silent:
    """Progress that shows nothing and never stops a job."""

    def observe(self, metrics: Metrics) -> None:
        """Ignores the metrics."""

    def note(self, text: str) -> None:
        """Ignores the note."""

    def stop_requested(self) -> bool:
        """Never."""
        return False


SILENT: Progress = Silent()


def run_loop(search: Search, criteria: StoppingCriteria, record: Record | None = None, progress: Progress = SILENT) -> History:
    """Evolves all runs side by side until each has ended; from the record's checkpoint if it has one.

    Raises Interrupted once `progress` requests a stop.
    """
    saved = record.load_checkpoint() if record else None
    clock = Clock()
    if saved:
        history, state = restore(saved, criteria)
        clock.resume(history)
    else:
        state = search.init(np.arange(criteria.runs, dtype=np.uint32))
        history = History.start(criteria.runs, state, criteria.whole)

    def conclude(state: State, previous: State) -> State:
        remaining = observe(history, criteria, state, previous)
        progress.observe(log(history, criteria, state.generation, clock, record))
        return remaining

    if record:
        record.restart_metrics(history.rows())
    if not saved:
        state = conclude(state, state)
    while not history.done:
        if progress.stop_requested():
            save_checkpoint(record, history, state)
            raise Interrupted
        if clock.due():
            save_checkpoint(record, history, state)
        previous = state
        try:
            state = search.step(state)
        except UserError as error:  # of an external classifier: the completed generations are not lost
            save_checkpoint(record, history, state)
            raise UserError(f"{error}{RESUME_HINT if record else ''}") from error
        state = conclude(state, previous)
    save_checkpoint(record, history, state)
    if unchanged(criteria, history.scores).all():
        note = f"the target's score never changed: it is {confidence(history.scores, criteria.digit)[0]:g} for every image"
        progress.note(note)
        if record:
            record.about["notes"] = [*record.about.get("notes", []), note]
    return history


def restore(saved: Mapping[str, npt.NDArray[Any]], criteria: StoppingCriteria) -> tuple[History, State]:
    """History and state in a checkpoint. Raises UserError if it is of another job."""
    advice = "overwrite=true starts the job anew"
    try:
        history, state = History.restore(saved), State.restore(saved)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the checkpoint is not one of this program ({error}); {advice}") from error
    fits = (
        history.fits(criteria.runs)
        and np.array_equal(np.flatnonzero(~history.ended), state.runs)
        and len(state.runs) == len(state.images) == len(state.costs) == len(state.scores)
        and state.images.shape[2:] == history.images.shape[1:]
    )
    if not fits:
        raise UserError(f"the checkpoint is not one of this job: its arrays are of other sizes; {advice}")
    for name, values, kind, least, largest in (
        ("state_images", state.images, np.uint8, 0, 255),
        ("state_costs", state.costs, np.float32, 0, np.inf),
        ("state_scores", state.scores, np.float32, 0, 1),
        ("track_images", history.images, np.uint8, 0, 255),
        ("track_scores", history.scores, np.float32, 0, 1),
        ("track_evaluations", history.evaluations, np.int64, 0, np.inf),
        ("state_generation", np.int64(state.generation), np.int64, 0, criteria.last),
    ):
        array: npt.NDArray[Any] = np.asarray(values)
        if array.dtype != kind or not np.isfinite(array).all() or ((array < least) | (array > largest)).any():
            expected = f"{np.dtype(kind)} from {least:g} to {largest:g}"
            raise UserError(f"the checkpoint is damaged: {name}: expected {expected}, finite; {advice}")
    return history, state


def observe(history: History, criteria: StoppingCriteria, state: State, previous: State) -> State:
    """Adds a generation to the history; → the state without the runs that end with it."""
    if not np.isfinite(state.costs).all():
        raise UserError(f"generation {state.generation}: the costs of a whole population are not finite numbers")
    evaluations = criteria.first + state.generation * criteria.population
    last = state.generation >= criteria.last
    if last and criteria.returns == "worst":  # the 2015 program does not evaluate its last children
        history.observe(previous, -1, evaluations, criteria.digit)
    else:
        history.observe(state, 0, evaluations, criteria.digit)
    history.changed[state.runs] += state.changed
    ends = np.ones(len(state.runs), dtype=np.bool_) if last else ended_runs(criteria, state)
    history.end(state, ends)
    return state.select_runs(~ends)


class Clock:
    """Seconds of search, also those before an interruption, and when the next checkpoint is due."""

    def __init__(self) -> None:
        self.before = 0.0
        self.started, self.saved = working_time(), time.perf_counter()

    def resume(self, history: History) -> None:
        """Adds the seconds up to the checkpoint."""
        self.before = float(history.history[-1, COLUMNS.index("seconds")])

    def seconds(self) -> float:
        """Seconds of search so far; compilation does not count."""
        return self.before + working_time() - self.started

    def due(self) -> bool:
        """Whether a checkpoint is due; if so, the next is due CHECKPOINT_SECONDS later."""
        now = time.perf_counter()
        if now - self.saved < CHECKPOINT_SECONDS:
            return False
        self.saved = now
        return True


def log(history: History, criteria: StoppingCriteria, generation: int, clock: Clock, record: Record | None) -> Metrics:
    """The generation's metrics; some generations are also written to the record and filmed."""
    evaluations, seconds = int(history.evaluations.sum()), clock.seconds()
    row: Metrics = {
        "generation": generation,
        "evaluations": evaluations,
        "running": int((~history.ended).sum()),
        "converged": int(converged(criteria, history.costs, history.scores).sum()),
        "best_cost": float(history.costs.min()),
        "median_cost": median(history.costs),
        "confidence": median(confidence(history.scores, criteria.digit)),
        "seconds": round(seconds, 3),
        "evaluations_per_second": round(evaluations / max(seconds, 1e-9)),
    }
    if history.done or is_filmed(generation, criteria.last, criteria.round):
        history.film(generation)
    if history.done or is_logged(generation, criteria.last):
        history.add_row(row)
        if record:
            record.add_metrics(row)
    return row


def median(values: Floats) -> float:
    """The median; of few values np.median takes ten times as long, which every generation would pay."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def save_checkpoint(record: Record | None, history: History, state: State) -> None:
    """Writes a checkpoint."""
    if record:
        record.save_checkpoint({**history.arrays(), **state.arrays()})
