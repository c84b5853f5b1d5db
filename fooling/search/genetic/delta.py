"""How the numba engine values candidates: by difference from their parents where a term has a statistic, else in full."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels import numba
from fooling.kernels.numba import DELTA_PENALTIES, delta_operators
from fooling.kernels.numba.delta_images import Changes, apply_changes, fill_from_parents, transpose, transposed_update
from fooling.kernels.numba.delta_penalties import DELTA_SCORES, Statistic, padded_weights
from fooling.kernels.numba.operators import GenerationInputs
from fooling.kernels.tables import Bytes, Flags, Floats, Ints
from fooling.search.objective import Objective

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
SCORES = "scores"  # the part that is not a penalty
NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class DeltaTerm:
    """What is computed of every candidate: the scores of a classifier with a linear head, or a penalty."""

    name: str
    columns: int  # numbers a candidate: K scores, or one
    statistic: Statistic | None
    arguments: tuple[Any, ...]

    def in_full(self, images: Bytes, which: Ints) -> Array:
        """Its values of images [N, H, W, C], `which` [N] target being each's."""
        if self.statistic is None:
            return numba.PENALTIES[self.name](images, which, *self.arguments)
        found = self.statistic.measure(images, *self.arguments)
        return self.statistic.value(found, images.shape[1:], which, *self.arguments)


def make_delta_terms(objective: Objective) -> list[DeltaTerm]:
    """The penalties of an objective, and first its classifier's scores if that has a linear head."""
    classifier, parts = objective.classifier, []
    if hasattr(classifier, "linear_head") and hasattr(classifier, "scores_of_sums"):
        weights, bias = classifier.linear_head
        arguments = (weights, bias, padded_weights(weights), classifier.scores_of_sums(numba))
        parts.append(DeltaTerm(SCORES, classifier.num_classes, DELTA_SCORES, arguments))
    return parts + [DeltaTerm(name, 1, DELTA_PENALTIES.get(name), objective.arguments[name]) for name in objective.penalties]


@dataclass(frozen=True)
class Parents:
    """The selected images of all runs, Q = R·S, as what their children are scored from."""

    images: Bytes  # [Q, P]
    statistics: Mapping[str, Array]  # [Q, …] of each part that has one, and the images transposed
    values: Mapping[str, Floats]  # [Q, columns] of each part that has a statistic
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


def changed_children(recipe: GenerationInputs, parents: Parents, numbers: Ints, limit: int, shape: Shape) -> Candidates:
    """The candidates of these numbers (see `kernels.numba.operators`), as changes if there are at most `limit` of them.

    limit = −1: all children are whole. Those of generation 0 always are.
    """
    which = recipe.target_index[numbers // recipe.stride] if len(recipe.tables) > 1 else np.zeros(len(numbers), dtype=np.int64)
    if recipe.generation == 0:
        images, fresh = numba.start(recipe, int(np.prod(shape)), numbers), np.ones(len(numbers), dtype=np.bool_)
        nothing = Changes(parents.images, parents.images, NONE, np.zeros(1, np.int64), NONE.astype(np.int32), images[0, :0])
        rows, whole = np.full(len(numbers), -1, dtype=np.int64), np.arange(len(numbers))
        return Candidates(rows, which, fresh, NONE, nothing, whole, images.reshape(-1, *shape))
    found = delta_operators.changed_children(recipe, limit, numbers)
    images, found.is_new[found.whole] = numba.breed(recipe, numbers[found.whole])
    transposed = parents.statistics.get("transposed", parents.images)
    changes = Changes(parents.images, transposed, found.rows[found.changed], found.ends, found.pixels, found.levels)
    return Candidates(found.rows, which, found.is_new, found.changed, changes, found.whole, images.reshape(-1, *shape))


def evaluate(part: DeltaTerm, parents: Parents, these: Candidates) -> Floats:
    """A part of the candidates, [n, columns]."""
    statistic, shape = part.statistic, these.images.shape[1:]
    if statistic is None:
        return part.in_full(all_images(parents, these), these.which).reshape(-1, part.columns)
    whole: Floats = np.empty((0, part.columns), dtype=np.float32)
    if len(these.whole):
        whole = part.in_full(these.images, these.which[these.whole]).reshape(-1, part.columns)
    if len(these.whole) == len(these.rows):
        return whole
    counts = statistic.update(parents.statistics[part.name], these.changes, shape, *part.arguments)
    changed = statistic.value(counts, shape, these.which[these.changed], *part.arguments).reshape(-1, part.columns)
    result = np.empty((len(these.rows), part.columns), dtype=np.float32)
    gather(parents.values[part.name], these, changed, whole, result)
    return result


def all_images(parents: Parents, these: Candidates, images: Bytes | None = None) -> Bytes:
    """The candidates as images [n, H, W, C], written to `images` if given."""
    if len(these.whole) == len(these.rows):
        if images is not None:
            images[:] = these.images
        return these.images
    if images is None:
        images = np.empty((len(these.rows), *these.images.shape[1:]), dtype=np.uint8)
    fill_from_parents(flat(images), parents.images, these.rows, these.whole, flat(these.images))
    apply_changes(flat(images), these.changed, these.changes)
    return images


def measure(parts: list[DeltaTerm], images: Bytes) -> dict[str, Array]:
    """The statistics of images [N, H, W, C], counted anew."""
    found: dict[str, Array] = {"transposed": transpose(images)}
    for part in parts:
        if part.statistic:
            found[part.name] = part.statistic.measure(images, *part.arguments)
    return found


def update_statistics(parts: list[DeltaTerm], parents: Parents, these: Candidates, found: Mapping[str, Array]) -> None:
    """Writes the statistics of the candidates, from those of their parents, to `found`, [n, …] each."""
    whole = measure(parts, these.images)
    if len(these.whole) == len(these.rows):
        for name, array in whole.items():
            found[name][:] = array
        return
    shape, changes = these.images.shape[1:], these.changes
    transposed = transposed_update(changes.transposed, changes, shape[0], shape[1])
    gather(changes.transposed, these, transposed, whole["transposed"], found["transposed"])
    for part in parts:
        if part.statistic:
            old = parents.statistics[part.name]
            changed = part.statistic.update(old, changes, shape, *part.arguments)
            gather(old, these, changed, whole[part.name], found[part.name])


def gather(old: Array, these: Candidates, changed: Array, whole: Array, result: Array) -> None:
    """Writes `result` [n, …] from what the parents [Q, …], the changed [m, …] and the whole candidates [w, …] have."""
    fill_from_parents(flat(result), flat(old), these.rows, these.changed, flat(changed))
    if len(these.whole):
        result[these.whole] = whole


def parents_of(parts: list[DeltaTerm], images: Bytes, scores: Floats, statistics: Mapping[str, Array], which: Ints) -> Parents:
    """What children are scored from: selected images [Q, H, W, C], their scores [Q, K], statistics [Q, …] and targets [Q].

    The values of the penalties are still to be filled in by `value_parents`.
    """
    values = {part.name: np.empty((len(images), 1), np.float32) for part in parts if part.statistic and part.name != SCORES}
    return Parents(flat(images), statistics, {SCORES: scores, **values}, which)


def value_parents(parts: list[DeltaTerm], parents: Parents, shape: Shape, lo: int, hi: int) -> None:
    """Fills in the values of the penalties of parents lo…hi − 1."""
    for part in parts:
        if part.statistic and part.name != SCORES and part.name in parents.values:
            found = part.statistic.value(parents.statistics[part.name][lo:hi], shape, parents.which[lo:hi], *part.arguments)
            parents.values[part.name][lo:hi, 0] = found


def flat(array: Array) -> Array:
    """A view [n, …] → [n, m], also where n = 0."""
    return array.reshape(len(array), math.prod(array.shape[1:]))
