"""Delta evaluation: candidates are scored from their parents' statistics and their changed pixels, else in full.

A term has it if the numba kernels have a sufficient statistic for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels import numba
from fooling.kernels.numba import DELTA_PENALTIES, delta_operators
from fooling.kernels.numba.delta_penalties import (
    DELTA_SCORES,
    Changes,
    Statistic,
    apply_changes,
    fill_from_parents,
    padded_weights,
    transpose,
    transposed_update,
)
from fooling.kernels.numba.operators import GenerationInputs
from fooling.kernels.tables import Bytes, Flags, Floats, Ints
from fooling.search.objective import Objective

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
SCORES = "scores"  # the term that is not a penalty
NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class DeltaTerm:
    """One term of the evaluation of every candidate: the scores of a classifier with a linear head, or a penalty."""

    name: str
    columns: int  # numbers for each candidate: K scores, or one
    statistic: Statistic | None
    arguments: tuple[Any, ...]

    def in_full(self, images: Bytes, which: Ints) -> Array:
        """Its values of images [N, H, W, C] with the targets `which` [N]."""
        if self.statistic is None:
            return numba.PENALTIES[self.name](images, which, *self.arguments)
        found = self.statistic.measure(images, *self.arguments)
        return self.statistic.value(found, images.shape[1:], which, *self.arguments)


def make_delta_terms(objective: Objective) -> list[DeltaTerm]:
    """The penalties of an objective, and first its classifier's scores if that has a linear head."""
    classifier, terms = objective.classifier, []
    if hasattr(classifier, "linear_head") and hasattr(classifier, "scores_of_sums"):
        weights, bias = classifier.linear_head
        arguments = (weights, bias, padded_weights(weights), classifier.scores_of_sums(numba))
        terms.append(DeltaTerm(SCORES, classifier.num_classes, DELTA_SCORES, arguments))
    return terms + [DeltaTerm(name, 1, DELTA_PENALTIES.get(name), objective.arguments[name]) for name in objective.penalties]


@dataclass(frozen=True)
class Parents:
    """The selected images of all runs, Q = R·S, from which their children are scored."""

    images: Bytes  # [Q, P]
    statistics: Mapping[str, Array]  # [Q, …] of each term that has one, and the transposed images
    values: Mapping[str, Floats]  # [Q, columns] of each term that has a statistic
    which: Ints  # [Q], the number of each's target


@dataclass(frozen=True)
class Candidates:
    """n candidates: copies of parents, copies with changes, and whole images."""

    rows: Ints  # [n], the parent of each; −1 if it has none
    which: Ints  # [n], the number of its target
    fresh: Flags  # [n], whether it equals neither of its parents
    changed: Ints  # [m], those with changes
    changes: Changes
    whole: Ints  # [w], those that are whole
    images: Bytes  # [w, H, W, C]


def changed_children(inputs: GenerationInputs, parents: Parents, numbers: Ints, limit: int, shape: Shape) -> Candidates:
    """The candidates of candidates numbers (see `kernels.numba.operators`), as changes if there are at most `limit` of them.

    limit = −1: all children are whole. Those of generation 0 always are.
    """
    which = inputs.target_index[numbers // inputs.stride] if len(inputs.tables) > 1 else np.zeros(len(numbers), dtype=np.int64)
    if inputs.generation == 0:
        images, fresh = numba.start(inputs, int(np.prod(shape)), numbers), np.ones(len(numbers), dtype=np.bool_)
        nothing = Changes(parents.images, parents.images, NONE, np.zeros(1, np.int64), NONE.astype(np.int32), images[0, :0])
        rows, whole = np.full(len(numbers), -1, dtype=np.int64), np.arange(len(numbers))
        return Candidates(rows, which, fresh, NONE, nothing, whole, images.reshape(-1, *shape))
    found = delta_operators.changed_children(inputs, limit, numbers)
    images, found.is_new[found.whole] = numba.breed(inputs, numbers[found.whole])
    transposed = parents.statistics.get("transposed", parents.images)
    changes = Changes(parents.images, transposed, found.rows[found.changed], found.ends, found.pixels, found.levels)
    return Candidates(found.rows, which, found.is_new, found.changed, changes, found.whole, images.reshape(-1, *shape))


def evaluate(term: DeltaTerm, parents: Parents, candidates: Candidates) -> Floats:
    """A term of the candidates, [n, columns]."""
    statistic, shape = term.statistic, candidates.images.shape[1:]
    if statistic is None:
        return term.in_full(all_images(parents, candidates), candidates.which).reshape(-1, term.columns)
    whole: Floats = np.empty((0, term.columns), dtype=np.float32)
    if len(candidates.whole):
        whole = term.in_full(candidates.images, candidates.which[candidates.whole]).reshape(-1, term.columns)
    if len(candidates.whole) == len(candidates.rows):
        return whole
    counts = statistic.update(parents.statistics[term.name], candidates.changes, shape, *term.arguments)
    changed = statistic.value(counts, shape, candidates.which[candidates.changed], *term.arguments).reshape(-1, term.columns)
    result = np.empty((len(candidates.rows), term.columns), dtype=np.float32)
    gather(parents.values[term.name], candidates, changed, whole, result)
    return result


def all_images(parents: Parents, candidates: Candidates, images: Bytes | None = None) -> Bytes:
    """The candidates as images [n, H, W, C], written to `images` if given."""
    if len(candidates.whole) == len(candidates.rows):
        if images is not None:
            images[:] = candidates.images
        return candidates.images
    if images is None:
        images = np.empty((len(candidates.rows), *candidates.images.shape[1:]), dtype=np.uint8)
    fill_from_parents(flat(images), parents.images, candidates.rows, candidates.whole, flat(candidates.images))
    apply_changes(flat(images), candidates.changed, candidates.changes)
    return images


def measure(terms: list[DeltaTerm], images: Bytes) -> dict[str, Array]:
    """The statistics of images [N, H, W, C]."""
    found: dict[str, Array] = {"transposed": transpose(images)}
    for term in terms:
        if term.statistic:
            found[term.name] = term.statistic.measure(images, *term.arguments)
    return found


def update_statistics(terms: list[DeltaTerm], parents: Parents, candidates: Candidates, found: Mapping[str, Array]) -> None:
    """Writes the statistics of the candidates, from those of their parents, to `found`, [n, …] each."""
    whole = measure(terms, candidates.images)
    if len(candidates.whole) == len(candidates.rows):
        for name, array in whole.items():
            found[name][:] = array
        return
    shape, changes = candidates.images.shape[1:], candidates.changes
    transposed = transposed_update(changes.transposed, changes, shape[0], shape[1])
    gather(changes.transposed, candidates, transposed, whole["transposed"], found["transposed"])
    for term in terms:
        if term.statistic:
            old = parents.statistics[term.name]
            changed = term.statistic.update(old, changes, shape, *term.arguments)
            gather(old, candidates, changed, whole[term.name], found[term.name])


def gather(old: Array, candidates: Candidates, changed: Array, whole: Array, result: Array) -> None:
    """Writes `result` [n, …] from what the parents [Q, …], the changed [m, …] and the whole candidates [w, …] have."""
    fill_from_parents(flat(result), flat(old), candidates.rows, candidates.changed, flat(changed))
    if len(candidates.whole):
        result[candidates.whole] = whole


def parents_of(terms: list[DeltaTerm], images: Bytes, scores: Floats, statistics: Mapping[str, Array], which: Ints) -> Parents:
    """Parents: selected images [Q, H, W, C], their scores [Q, K], statistics [Q, …] and targets [Q].

    `value_parents` fills in the values of the penalties.
    """
    values = {term.name: np.empty((len(images), 1), np.float32) for term in terms if term.statistic and term.name != SCORES}
    return Parents(flat(images), statistics, {SCORES: scores, **values}, which)


def value_parents(terms: list[DeltaTerm], parents: Parents, shape: Shape, lo: int, hi: int) -> None:
    """Fills in the values of the penalties of parents lo…hi − 1."""
    for term in terms:
        if term.statistic and term.name != SCORES and term.name in parents.values:
            found = term.statistic.value(parents.statistics[term.name][lo:hi], shape, parents.which[lo:hi], *term.arguments)
            parents.values[term.name][lo:hi, 0] = found


def flat(array: Array) -> Array:
    """A view [n, …] → [n, m], also where n = 0."""
    return array.reshape(len(array), math.prod(array.shape[1:]))
