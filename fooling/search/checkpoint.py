"""Checkpoints read back: every array is checked, and one that does not say of which job it is, is compared with its record."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.records.ownership import CHECKPOINT, METRICS
from fooling.records.record import ANEW, is_proven, load_checkpoint
from fooling.search.state import AT_PASS, CARRIED, COLUMNS, MILESTONES, PASSES, History, State, filmed
from fooling.search.stopping import StoppingCriteria
from fooling.settings.files import read_whole

Saved = Mapping[str, npt.NDArray[Any]]
NAMED = {"9": len(COLUMNS), "4": len(MILESTONES), "passes": len(PASSES), "at": len(AT_PASS)}  # sizes that are always the same
OPTIONAL = ("loop_seconds", "loop_over", "track_genomes")  # that earlier versions did not write


class Expected(NamedTuple):
    """What an array of a checkpoint must be. All numbers are finite."""

    dtype: Any
    shape: str  # sizes by name: equal names are equal sizes; a|b: one of two
    least: float = 0
    largest: float = np.inf


# R runs, L of them go on, S images each; F frames of M runs; N lines of metrics; K classes; D numbers of a genome
ARRAYS = {
    "state_generation": Expected(np.int64, ""),
    "state_runs": Expected(np.uint32, "L"),
    "state_images": Expected(np.uint8, "L S H W C"),
    "state_costs": Expected(np.float32, "L S"),
    "state_scores": Expected(np.float32, "L S K", 0, 1),
    "state_changed": Expected(np.int64, "L"),
    "track_images": Expected(np.uint8, "R H W C"),
    "track_costs": Expected(np.float32, "R"),
    "track_scores": Expected(np.float32, "R K", 0, 1),
    "track_evaluations": Expected(np.int64, "R"),
    "track_changed": Expected(np.int64, "R"),
    "track_reached": Expected(np.int64, "R 4", -1),
    "track_passes": Expected(np.float64, "R passes|0 at", -1),
    "track_genomes": Expected(np.float32, "R D", -np.inf),
    "track_ended": Expected(np.bool_, "R"),
    "track_populations": Expected(np.uint8, "R S|0 H W C"),
    "track_frames": Expected(np.uint8, "F M H W C"),
    "track_frame_generations": Expected(np.int64, "F"),
    "track_history": Expected(np.float64, "N 9"),
    "loop_seconds": Expected(np.float64, ""),
    "loop_over": Expected(np.bool_, ""),
}


def restore(
    saved: Saved, criteria: StoppingCriteria, shape: tuple[int, ...] | None = None, classes: int | None = None
) -> tuple[History, State]:
    """History and state in a checkpoint of a job of these runs and generations. Raises UserError for any other.

    `shape`: of its images, H, W, C, and `classes` of its classifier, where they are known.
    """
    runs, last = criteria.runs, criteria.last
    sizes = NAMED | {"R": runs} | ({} if classes is None else {"K": classes})
    sizes |= dict(zip("HWC", shape, strict=True)) if shape else {}
    for name, expected in ARRAYS.items():
        if name == "track_frames":
            sizes["M"] = filmed(runs, (sizes["H"], sizes["W"], sizes["C"]))
        if name in saved:
            check_array(name, saved[name], expected, sizes)
        elif name not in OPTIONAL:
            raise UserError(f"the checkpoint is not one of this program: {name} is missing; {ANEW}")
    for name in saved:
        if name.startswith(CARRIED):
            check_numbers(name, saved[name], -np.inf, np.inf)
            check_size(name, saved[name].shape[:1], (sizes["L"],))
    history, state = History.restore(saved), State.restore(saved)
    generations = [*history.frame_generations.tolist(), *history.history[:, 0].tolist(), state.generation]
    going_on = np.arange(runs) if criteria.joint else np.flatnonzero(~history.ended)
    if not np.array_equal(going_on, state.runs):
        raise UserError(f"the checkpoint is not one of this job: other runs go on than have not ended; {ANEW}")
    if max(generations) > last or not len(history.history):
        raise UserError(f"the checkpoint is damaged: expected generations from 0 to {last}, got {max(generations):g}; {ANEW}")
    return history, state


def check_array(name: str, array: npt.NDArray[Any], expected: Expected, sizes: dict[str, int]) -> None:
    """Refuses an array of another type, size or range; sizes that are not known yet become so."""
    if array.dtype != expected.dtype:
        raise UserError(f"the checkpoint is damaged: {name}: expected {np.dtype(expected.dtype)}, got {array.dtype}; {ANEW}")
    names = expected.shape.split()
    if array.ndim != len(names):
        raise UserError(f"the checkpoint is damaged: {name}: expected {len(names)} dimensions, got {array.ndim}; {ANEW}")
    for one, size in zip(names, array.shape, strict=True):
        sizes.setdefault(one, size) if one.isalpha() and len(one) == 1 else None
    right = tuple(size_of(one, size, sizes) for one, size in zip(names, array.shape, strict=True))
    check_size(name, array.shape, right)
    check_numbers(name, array, expected.least, expected.largest)


def size_of(name: str, size: int, sizes: Mapping[str, int]) -> int:
    """The size that an array must have where it has `size`: by its name, of a|0 either."""
    first, _, other = name.partition("|")
    return 0 if other and size == 0 else sizes[first]


def check_size(name: str, found: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Refuses an array of other sizes."""
    if found != right:
        expected, got = (" × ".join(map(str, sides)) or "one number" for sides in (right, found))
        raise UserError(f"the checkpoint is not one of this job: {name}: expected {expected}, got {got}; {ANEW}")


def check_numbers(name: str, array: npt.NDArray[Any], least: float, largest: float) -> None:
    """Refuses an array with other values than finite numbers in a range."""
    is_number = array.dtype.kind in "buif"
    if not is_number or not np.isfinite(array).all() or ((array < least) | (array > largest)).any():
        raise UserError(f"the checkpoint is damaged: {name}: expected finite numbers from {least:g} to {largest:g}; {ANEW}")


def read_checkpoint(
    folder: Path, owner: str, criteria: StoppingCriteria, shape: tuple[int, ...], classes: int
) -> tuple[History, State] | None:
    """History and state of a record, None if it has no checkpoint. Raises UserError for a damaged or another job's.

    `owner`: see `records.resume.identity`; `shape` and `classes` as in `restore`.
    """
    saved = load_checkpoint(folder, owner)
    if saved is None:
        return None
    history, state = restore(saved, criteria, shape, classes)
    if not is_proven(folder):
        compare_with_record(folder, criteria, history, state)
    return history, state


def compare_with_record(folder: Path, criteria: StoppingCriteria, history: History, state: State) -> None:
    """Refuses a checkpoint that shows itself to be of another job than its record: by its evaluations or its metrics."""
    here = criteria.first + state.generation * criteria.population
    there = {row.get("generation"): row.get("best_cost") for row in metrics_of(folder)}
    costs = zip(history.history[:-1, 0], history.history[:-1, COLUMNS.index("best_cost")], strict=True)
    others = [int(generation) for generation, cost in costs if there.get(generation, cost) != cost]
    if (history.evaluations > here).any() or (history.evaluations[state.runs] != here).any() or others:
        what = f"the costs of generation {others[0]}" if others else "the evaluations"
        path = folder / CHECKPOINT
        raise UserError(f"{path}: is the checkpoint of another job: {what} differ from those of its record; {ANEW}")


def metrics_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl that can be read, but the last, which the end of a job may have changed."""
    path = folder / METRICS
    lines = read_whole(path, "table").splitlines() if path.exists() else []
    for line, _ in pairwise(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
