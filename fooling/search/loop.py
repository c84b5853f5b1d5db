"""The only generation loop: counts, stops, logs and checkpoints; what happens within a generation is the engine's."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels.reference.penalties import confidence, target_classes
from fooling.kernels.tables import Flags, Floats
from fooling.records import Record
from fooling.search.state import COLUMNS, Engine, History, Metrics, State, is_filmed, is_logged

CHECKPOINT_SECONDS = 10.0
SETTLED = 10  # generations in which no pixel's grey level changes, until a run is settled
RESUME_HINT = "; what was done until then is kept: the same command with resume=true goes on"


class Interrupted(Exception):  # noqa: N818
    """The user asked to stop; the record holds a checkpoint."""


@dataclass(frozen=True)
class StoppingCriteria:
    """When runs end and what they give back."""

    runs: int
    first: int  # evaluations of a run in generation 0 …
    population: int  # … and in each later one
    last: int  # the last generation
    stop: Literal["end", "threshold", "tol", "settled"]
    threshold: float  # confidence
    tol: float | None  # cost
    returns: Literal["best", "worst"]  # of the last selection, for a run that went to the end
    digit: int  # the wanted class, or tables.ANY
    whole: bool = False  # whether a run gives back all of its last selection
    round: int | None = None  # generations of a round, at whose ends frames are filmed; None: there are no rounds


def run_loop(
    engine: Engine,
    plan: StoppingCriteria,
    record: Record | None = None,
    watch: Callable[[Metrics], None] = lambda row: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> History:
    """Evolves all runs side by side until each has ended; from the record's checkpoint if it has one.

    `watch` hears of every generation; `interrupted` is asked after each, and if it says yes, Interrupted is raised.
    """
    saved = record.load_checkpoint() if record else None
    clock = Clock()
    if saved:
        track, state = restore(saved, plan)
        clock.resume(track)
    else:
        state = engine.init(np.arange(plan.runs, dtype=np.uint32))
        track = History.start(plan.runs, state, plan.whole)

    def seen(state: State, previous: State) -> State:
        going = observe(track, plan, state, previous)
        watch(log(track, plan, state.generation, clock, record))
        return going

    if record:
        record.restart_metrics(track.rows())
    if not saved:
        state = seen(state, state)
    while not track.done:
        if interrupted():
            save_checkpoint(record, track, state)
            raise Interrupted
        if clock.due():
            save_checkpoint(record, track, state)
        previous = state
        try:
            state = engine.step(state)
        except UserError as error:  # of a foreign classifier: what is done is not lost
            save_checkpoint(record, track, state)
            raise UserError(f"{error}{RESUME_HINT if record else ''}") from error
        state = seen(state, previous)
    save_checkpoint(record, track, state)
    return track


def restore(saved: Mapping[str, npt.NDArray[Any]], plan: StoppingCriteria) -> tuple[History, State]:
    """What a checkpoint holds. Raises UserError if it is not one of this job."""
    advice = "overwrite=true starts the job anew"
    try:
        track, state = History.restore(saved), State.restore(saved)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the checkpoint is not one of this program ({error}); {advice}") from error
    fits = (
        track.fits(plan.runs)
        and np.array_equal(np.flatnonzero(~track.ended), state.runs)
        and len(state.runs) == len(state.images) == len(state.costs) == len(state.scores)
        and state.images.shape[2:] == track.images.shape[1:]
    )
    if not fits:
        raise UserError(f"the checkpoint is not one of this job: its arrays are of other sizes; {advice}")
    return track, state


def observe(track: History, plan: StoppingCriteria, state: State, previous: State) -> State:
    """Takes note of a generation; gives back the state without the runs that end with it."""
    if not np.isfinite(state.costs).all():
        raise UserError(f"generation {state.generation}: the costs of a whole population are not finite numbers")
    evaluations = plan.first + state.generation * plan.population
    last = state.generation >= plan.last
    if last and plan.returns == "worst":  # the 2015 program never looks at its last children
        track.note(previous, -1, evaluations, plan.digit)
    else:
        track.note(state, 0, evaluations, plan.digit)
    track.changed[state.runs] += state.changed
    ends = np.ones(len(state.runs), dtype=np.bool_) if last else ended_runs(plan, state)
    track.end(state, ends)
    return state.only(~ends)


def ended_runs(plan: StoppingCriteria, state: State) -> Flags:
    """Which runs of the state have what they were to reach, [R]."""
    if plan.stop == "tol" and plan.tol is not None:
        return np.asarray(state.costs[:, 0] < plan.tol)
    if plan.stop == "threshold":
        return success(state.scores[:, 0], plan.digit, plan.threshold)
    if plan.stop == "settled" and "still" in state.carried:
        return np.asarray(state.carried["still"] >= SETTLED)
    return np.zeros(len(state.runs), dtype=np.bool_)


def success(scores: Floats, digit: int, threshold: float) -> Flags:
    """Confidence ≥ threshold and the wanted class is the largest: scores [N, K] → [N]."""
    first = scores.argmax(axis=1) == target_classes(scores, digit)
    return np.asarray((confidence(scores, digit) >= np.float32(threshold)) & first)


def converged(plan: StoppingCriteria, costs: Floats, scores: Floats) -> Flags:
    """Where `tol` is set: cost < tol; otherwise success. Costs [N], scores [N, K] → [N]."""
    return np.asarray(costs < plan.tol) if plan.tol is not None else success(scores, plan.digit, plan.threshold)


class Clock:
    """Seconds of search, also those before an interruption, and when the next checkpoint is due."""

    def __init__(self) -> None:
        self.before = 0.0
        self.started = self.saved = time.perf_counter()

    def resume(self, track: History) -> None:
        """Adds the seconds up to the checkpoint."""
        self.before = float(track.history[-1, COLUMNS.index("seconds")])

    def seconds(self) -> float:
        """Seconds of search so far."""
        return self.before + time.perf_counter() - self.started

    def due(self) -> bool:
        """Whether a checkpoint is due; if so, the next is due CHECKPOINT_SECONDS later."""
        now = time.perf_counter()
        if now - self.saved < CHECKPOINT_SECONDS:
            return False
        self.saved = now
        return True


def log(track: History, plan: StoppingCriteria, generation: int, clock: Clock, record: Record | None) -> Metrics:
    """The generation's line of metrics; it is written, and the film goes on, where the schedule says so."""
    evaluations, seconds = int(track.evaluations.sum()), clock.seconds()
    row: Metrics = {
        "generation": generation,
        "evaluations": evaluations,
        "running": int((~track.ended).sum()),
        "converged": int(converged(plan, track.costs, track.scores).sum()),
        "best_cost": float(track.costs.min()),
        "median_cost": median(track.costs),
        "confidence": median(confidence(track.scores, plan.digit)),
        "seconds": round(seconds, 3),
        "evaluations_per_second": round(evaluations / max(seconds, 1e-9)),
    }
    if track.done or is_filmed(generation, plan.last, plan.round):
        track.film(generation)
    if track.done or is_logged(generation, plan.last):
        track.add_row(row)
        if record:
            record.add_metrics(row)
    return row


def median(values: Floats) -> float:
    """The median; of few values np.median takes ten times as long, which every generation would pay."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def save_checkpoint(record: Record | None, track: History, state: State) -> None:
    """Writes a checkpoint."""
    if record:
        record.save_checkpoint({**track.arrays(), **state.arrays()})
