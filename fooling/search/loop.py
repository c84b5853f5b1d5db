"""The only generation loop: it counts, stops, logs and saves checkpoints. A search computes what happens in a generation."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fooling.errors import Doubt, Interrupted, UserError
from fooling.kernels.numba.compile import working_time
from fooling.kernels.reference.penalties import confidence
from fooling.kernels.tables import Floats
from fooling.records.record import Record
from fooling.search import Search
from fooling.search.checkpoint import restore
from fooling.search.state import COLUMNS, History, Metrics, State, is_filmed, is_logged
from fooling.search.stopping import StoppingCriteria, converged, ended_runs, unchanged

CHECKPOINT_SECONDS = 10.0
PICTURE_SECONDS = 60.0  # between two looks at the images, at least
PICTURE_SHARE = 0.02  # of the time, at most, for looks and for checkpoints each
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


class Watcher(Silent):
    """Progress that passes the metrics of each generation to a function."""

    def __init__(self, watch: Callable[[Metrics], None]) -> None:
        self.watch = watch

    def observe(self, metrics: Metrics) -> None:
        """Passes them on."""
        self.watch(metrics)


@dataclass(frozen=True)
class Stage:
    """A job at one of its generations."""

    history: History
    generation: int
    seconds: float  # of search so far
    stopped_by: str | None  # what ended the last runs: the criterion `stop`, generations, budget or seconds; None: some go on


def stages(
    search: Search, criteria: StoppingCriteria, record: Record | None = None, progress: Progress = SILENT, each: bool = False
) -> Iterator[Stage]:
    """Evolves all runs side by side until each has ended; from the record's checkpoint if it has one.

    → the job when its images are worth a look (`each`: after each generation), before an error or an interruption, and at its
    end, which is the last. What is done with it takes a fiftieth of the time. Raises Interrupted once `progress` requests it.
    """
    saved, clock = record.load_checkpoint() if record else None, Clock(each)

    def stage() -> Stage:
        return Stage(history, state.generation, clock.observed, stopped_by(history, criteria, state, clock))

    def conclude(state: State, previous: State) -> State:
        clock.observe()
        remaining = observe(history, criteria, state, previous, is_last(criteria, state, clock))
        by = stopped_by(history, criteria, remaining, clock)
        progress.observe(log(history, criteria, state.generation, clock, record, over=by is not None))
        return remaining

    if saved:
        history, state = restore(saved, criteria)
        clock.resume(history, saved)
    else:
        state = search.init(np.arange(criteria.runs, dtype=np.uint32))
        history = History.start(criteria.runs, state, criteria.whole)
    is_extended = bool(saved and "loop_over" in saved and saved["loop_over"]) and stage().stopped_by is None
    if is_extended:
        state = reopen(history, criteria, state)
    if record:
        record.restart_metrics(history.rows())
    if is_extended:
        log(history, criteria, state.generation, clock, record, over=history.done)
    if not saved:
        state = conclude(state, state)
    while (now := stage()).stopped_by is None:
        if progress.stop_requested():
            save_checkpoint(record, now, state)
            yield now
            raise Interrupted
        if clock.due():
            save_checkpoint(record, now, state)
            clock.wrote()
        if clock.shows():
            yield now
            clock.shown()
        previous = state
        try:
            state = search.step(state)
        except UserError as error:  # of an external classifier: the completed generations are not lost
            save_checkpoint(record, now, state)
            yield now
            raise UserError(f"{error}{RESUME_HINT if record else ''}") from error
        state = conclude(state, previous)
    save_checkpoint(record, now, state)
    for note in closing_notes(criteria, now):
        progress.note(note)
        if record:
            record.about["notes"] = [*record.about.get("notes", []), note]
    yield now


def is_last(criteria: StoppingCriteria, state: State, clock: "Clock") -> bool:
    """Whether no run goes on after a generation, whatever it found."""
    return state.generation >= criteria.last or (criteria.seconds is not None and clock.observed >= criteria.seconds)


def stopped_by(history: History, criteria: StoppingCriteria, state: State, clock: "Clock") -> str | None:
    """What ended the last runs: the criterion `stop`, or the limit that was reached; None while some go on."""
    if history.done and criteria.stop != "end":
        return criteria.stop
    if history.done or state.generation >= criteria.last:
        return criteria.limit
    return "seconds" if is_last(criteria, state, clock) else None


def closing_notes(criteria: StoppingCriteria, stage: Stage) -> list[str]:
    """What the user should know of how a job ended."""
    notes, scores = [], stage.history.scores
    targets = criteria.targets(np.arange(len(scores)))
    if stage.stopped_by == "seconds":
        notes.append(
            f"stopped by seconds={criteria.seconds:g} after generation {stage.generation:,} of {criteria.last:,}; how many "
            "there are differs from machine to machine; resume=true with more seconds continues"
        )
    constant = unchanged(criteria, scores)
    if criteria.joint and constant.any():
        notes.append(Doubt(f"of {int(constant.sum()):,} of {len(constant):,} classes the score never changed"))
    elif constant.all():
        notes.append(Doubt(f"the target's score never changed: it is {confidence(scores, targets)[0]:g} for every image"))
    return notes


def observe(history: History, criteria: StoppingCriteria, state: State, previous: State, last: bool) -> State:
    """Adds a generation to the history, the last one or not; → the state without the runs that met the criterion `stop`."""
    if not np.isfinite(state.costs).all():
        raise UserError(f"generation {state.generation}: the costs of a whole population are not finite numbers")
    evaluations = criteria.first + state.generation * criteria.population
    history.changed[state.runs] += state.changed
    if last and criteria.returns == "worst":  # the 2015 program does not evaluate its last children
        history.observe(previous, -1, evaluations, criteria.targets(state.runs))
        remaining = state
    else:
        remaining = settle(history, criteria, state)
    if last:
        history.keep(remaining)
    return remaining


def settle(history: History, criteria: StoppingCriteria, state: State) -> State:
    """The best images of a state become those of its runs; → the state without the runs that met the criterion `stop`."""
    evaluations = criteria.first + state.generation * criteria.population
    history.observe(state, 0, evaluations, criteria.targets(state.runs))
    ends = ended_runs(criteria, state)
    history.end(state, ends)
    return state if criteria.joint else state.select_runs(~ends)  # joint runs end together, and are written together


def reopen(history: History, criteria: StoppingCriteria, state: State) -> State:
    """Undoes what the end of a job changed, whose limit was raised since; → the state without the runs that ended before."""
    history.drop(state.generation)
    return settle(history, criteria, state)


class Clock:
    """Seconds of search, also those before an interruption, and when the next checkpoint and the next pictures are due."""

    def __init__(self, each: bool = False) -> None:
        self.each = each  # whether the images are worth a look after each generation
        self.before = self.observed = 0.0  # `observed`: at the end of the last generation, without compilation
        self.cost = self.writing = 0.0  # of the last look at the images, of the last checkpoint
        self.started = working_time()
        self.saved = self.looked = time.perf_counter()

    def resume(self, history: History, saved: Mapping[str, npt.NDArray[Any]]) -> None:
        """Adds the seconds up to the checkpoint; those of before this key are only known by the metrics."""
        known = saved.get("loop_seconds", history.history[-1, COLUMNS.index("seconds")])
        self.before = self.observed = float(known)
        self.looked = -np.inf  # a job that goes on shows at once what it has

    def observe(self) -> None:
        """A generation ends."""
        self.observed = self.before + working_time() - self.started

    def due(self) -> bool:
        """Whether a checkpoint is due: the last is CHECKPOINT_SECONDS ago, and as long that writing takes a small share."""
        now = time.perf_counter()
        if now - self.saved < max(CHECKPOINT_SECONDS, self.writing / PICTURE_SHARE):
            return False
        self.saved = now
        return True

    def wrote(self) -> None:
        """A checkpoint that was due is written."""
        self.writing = time.perf_counter() - self.saved

    def shows(self) -> bool:
        """Whether the images are worth a look again."""
        if not self.each and time.perf_counter() - self.looked < max(PICTURE_SECONDS, self.cost / PICTURE_SHARE):
            return False
        self.looked = time.perf_counter()
        return True

    def shown(self) -> None:
        """They were looked at: what this took decides when the next look is due."""
        self.cost = time.perf_counter() - self.looked
        self.started += self.cost  # no time of the search


def log(
    history: History, criteria: StoppingCriteria, generation: int, clock: Clock, record: Record | None, *, over: bool
) -> Metrics:
    """The generation's metrics; some generations, and that after which no run goes on, are also recorded and filmed."""
    evaluations, seconds = criteria.total(history.evaluations), clock.observed
    confident = confidence(history.scores, criteria.targets(np.arange(len(history.scores))))
    row: Metrics = {
        "generation": generation,
        "evaluations": evaluations,
        "running": 0 if over else int((~history.ended).sum()),
        "converged": int(converged(criteria, history.costs, history.scores, history.images).sum()),
        "best_cost": float(history.costs.min()),
        "median_cost": median(history.costs),
        "confidence": median(confident),
        "seconds": round(seconds, 3),
        "evaluations_per_second": round(evaluations / max(seconds, 1e-9)),
    }
    if over or is_filmed(generation, criteria.last, criteria.round):
        history.film(generation)
    if over or is_logged(generation, criteria.last):
        history.add_row(row)
        if record:
            record.add_metrics(row)
    return row


def median(values: Floats) -> float:
    """The median; of few values np.median takes ten times as long, which every generation would pay."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def save_checkpoint(record: Record | None, stage: Stage, state: State) -> None:
    """Writes a checkpoint."""
    if record:
        own = {"loop_seconds": np.asarray(stage.seconds), "loop_over": np.asarray(stage.stopped_by is not None)}
        record.save_checkpoint({**stage.history.arrays(), **state.arrays(), **own})
