"""The archive of search=map_elites beside its images: which class's image became which, and confidences over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.tables import Floats, Ints
from fooling.records.record import Record
from fooling.search.state import CARRIED, GENOME

ARCHIVE = "archive.npz"  # in the record
VALUE = "value"  # what is minimised in each cell: float64 [R]
LONGEST, GENES = 8, 4096  # ancestors of an elite that are kept, and the longest genomes of which they are
MARKS = np.unique(np.rint(10 ** (np.arange(81) / 10)).astype(np.int64))  # generations + 1 whose confidences are kept

# Names of a state's arrays, a row for each cell: the classes (as cells) from whose elites it came, the oldest first, −1: none;
# the genomes of these elites; how often an elite of another cell took it over; its confidence at MARKS, −1: not yet.
PATH, ANCESTORS, SWITCHES, CURVE = "path", "ancestors", "switches", "curve"
LINEAGE = (PATH, ANCESTORS, SWITCHES, CURVE)


def first_lineage(number: int, size: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of so many empty cells, whose genomes have `size` numbers."""
    kept = LONGEST if size <= GENES else 0
    return {
        PATH: np.full((number, LONGEST), -1, dtype=np.int32),
        ANCESTORS: np.zeros((number, kept, size if kept else 0), dtype=np.float32),
        SWITCHES: np.zeros(number, dtype=np.int64),
        CURVE: np.full((number, len(MARKS)), -1, dtype=np.float32),
    }


def take_over(arrays: Mapping[str, npt.NDArray[Any]], cells: Ints, parents: Ints) -> None:
    """Notes that cells [n] take children of the elites of the cells `parents`, whose genomes `arrays` still holds.

    A child of another cell's elite is a goal switch: it inherits the path of its parent, whose end the parent becomes.
    """
    switched = (parents >= 0) & (parents != cells)
    cells, parents = cells[switched], parents[switched]
    path, ancestors = arrays[PATH], arrays[ANCESTORS]
    inherited, genomes = path[parents, 1:], ancestors[parents, 1:]  # copies: a parent's cell may be among those that change
    path[cells] = np.concatenate([inherited, parents[:, None]], axis=1)
    if ancestors.shape[1]:
        ancestors[cells] = np.concatenate([genomes, arrays[GENOME][parents][:, None]], axis=1)
    arrays[SWITCHES][cells] += 1


def keep_confidence(arrays: Mapping[str, npt.NDArray[Any]], generation: int, confidence: Floats) -> None:
    """Keeps the confidences [R] after a generation, if it is one of MARKS."""
    place = int(np.searchsorted(MARKS, generation + 1))
    if place < len(MARKS) and MARKS[place] == generation + 1:
        arrays[CURVE][:, place] = confidence


def save_archive(
    record: Record, saved: Mapping[str, Any], classes: Ints, labels: list[str], first: int, population: int
) -> None:
    """Writes archive.npz of a finished job from its checkpoint, and the number of goal switches to run.json."""
    arrays = {name: saved[CARRIED + name] for name in LINEAGE}
    seen = int((arrays[CURVE] >= 0).any(axis=0).sum())
    record.about["goal_switches"] = int(arrays[SWITCHES].sum())
    record.save_arrays(
        ARCHIVE,
        {
            "classes": classes,
            "labels": np.array(labels),
            "path": arrays[PATH],
            "ancestors": arrays[ANCESTORS],
            "goal_switches": arrays[SWITCHES],
            "confidence": arrays[CURVE][:, :seen],
            "evaluations": first + (MARKS[:seen] - 1) * population,
        },
    )
