"""The cost of an image: the weighted sum of named terms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, predict_batch
from fooling.errors import UserError
from fooling.kernels import reference
from fooling.kernels.reference.operators import philox
from fooling.kernels.tables import ANY, Bytes, Doubles, Floats, Ints
from fooling.search.evasion import Evasion
from fooling.search.prior import TermTargets, arguments
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

BATCH = 16384  # images whose values are computed at a time: the definition takes many bytes a pixel
EVADE = "evade"  # the term of the detectors
TERMS = ("target", *reference.PENALTIES)  # the order in which they are summed


@dataclass(frozen=True)
class Objective:
    """cost = Σ weight·term of an image, to be minimised; every term is ≥ 0 and 0 is ideal."""

    classifier: Classifier
    digit: int  # the target class, or kernels.tables.ANY
    weights: Mapping[str, float]  # of TERMS; a term of weight 0 is not computed in the search
    free: float  # the target term counts only above this
    arguments: Mapping[str, tuple[Any, ...]]  # of each penalty's kernel: its targets and switches; empty without a class
    targets: int = 1  # T: all runs have the same, or each run draws one of T
    seed: int = 0  # of that draw
    classes: tuple[int, ...] = ()  # of joint runs, the target class of each
    evasion: Evasion | None = None  # the detectors that the search evades

    @property
    def penalties(self) -> tuple[str, ...]:
        """The penalties that the search computes."""
        return tuple(name for name in reference.PENALTIES if self.weights[name] > 0)

    def which(self, runs: npt.NDArray[np.uint32]) -> Ints:
        """The number of each run's target, [R] → [R]: all targets in an order drawn from the seed, again and again.

        A run's target does not depend on the other runs, and few runs miss fewer targets than if each drew its own.
        """
        if self.targets == 1:
            return np.zeros(len(runs), dtype=np.int64)
        words = philox(0, np.arange(self.targets), 0, 0, self.seed, "exemplar")[:, 0]
        return np.argsort(words, kind="stable")[runs.astype(np.int64) % self.targets]

    def target_of(self, runs: npt.NDArray[Any]) -> int | Ints:
        """The target class: of all runs, or of joint runs that of each, [R]."""
        return np.array(self.classes, dtype=np.int64)[runs] if self.classes else self.digit

    def cost(
        self, images: Bytes, which: Ints, kernels: ModuleType = reference, target: int | Ints | None = None
    ) -> tuple[Floats, Floats]:
        """Cost [N] and scores [N, K] of images uint8 [N, H, W, C] with the targets `which` [N], by the kernels of an engine.

        `target`: the target class of each, where it is not that of all; the reference takes it.
        """
        scores = predict_batch(self.classifier, images)
        terms = [kernels.target_term(scores, self.digit if target is None else target, self.free)]
        terms += [kernels.PENALTIES[name](images, which, *self.arguments[name]) for name in self.penalties]
        weights = np.array([self.weights[name] for name in ("target", *self.penalties)])
        costs = kernels.weighted_sum(np.stack(terms, axis=1), weights)
        return costs if self.evasion is None else self.evasion.added(costs, images, scores), scores

    def value(self, images: Bytes, runs: npt.NDArray[np.uint32] | None = None) -> tuple[Floats, dict[str, Floats], Floats]:
        """Cost [N], every term {name: [N]} unweighted, and scores [N, K] of images uint8 [N, H, W, C]: the definition.

        The classifier scores each image once. Without term targets the target term is the only one.

        `runs` [N] are the runs of the images, by default 0…N − 1.
        """
        runs = np.arange(len(images), dtype=np.uint32) if runs is None else runs
        parts = [self.value_of(images[lo : lo + BATCH], runs[lo : lo + BATCH]) for lo in range(0, len(images) or 1, BATCH)]
        if len(parts) == 1:
            return parts[0]
        terms = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
        return np.concatenate([part[0] for part in parts]), terms, np.concatenate([part[2] for part in parts])

    def value_of(self, images: Bytes, runs: npt.NDArray[np.uint32]) -> tuple[Floats, dict[str, Floats], Floats]:
        """The same of one batch."""
        which, target = self.which(runs), self.target_of(runs)
        cost, scores = self.cost(images, which, target=target)
        terms = {"target": reference.target_term(scores, target, self.free)}
        for name, found in self.arguments.items():
            terms[name] = reference.PENALTIES[name](images, which, *found)
        if self.evasion:
            terms[EVADE] = self.evasion.excess(images, scores).astype(np.float32)
        return cost, terms, scores


def make_objective(
    classifier: Classifier,
    statistics: Statistics | None,
    targets: TermTargets | None,
    *,
    digit: int | Literal["any"],
    weights: Mapping[str, float],
    target_free: float = 0.0,
    seed: int = 0,
) -> Objective:
    """The objective for one target class, or for any, whichever is reached.

    `targets`: what the terms besides the target are measured against; without them, or without statistics, there are none.
    `target_free`: the target term counts only above this. With `targets.exemplar`, `seed` draws the training image of each run.
    Raises UserError for a class that does not exist, or statistics of images of another size.
    """
    target = ANY if digit == "any" else digit
    if target != ANY:
        check_digit("digit", target, classifier.num_classes, "the classifier")
    if statistics and targets:
        row = statistics.row(targets.digit, "digit" if targets.digit == digit else "prior.digit")
        targets = replace(targets, digit=row)
    if statistics:
        check_fit(classifier, statistics)
    used = {name: float(weights.get(name, 0.0)) for name in TERMS}
    if targets is None or statistics is None:
        if (targets and targets.exemplar) or any(used[name] for name in reference.PENALTIES):
            raise UserError(f"digit={digit}: terms besides the target need the statistics of a class: prior.digit=…")
        return Objective(classifier, target, used, target_free, {})
    targets = replace(targets, lags=min(targets.lags, min(classifier.input_shape[:2]) - 1))
    number = statistics.exemplars if targets.exemplar else 1
    return Objective(classifier, target, used, target_free, arguments(statistics, targets), number, seed)


def objective_from_settings(
    settings: RunSettings, classifier: Classifier, statistics: Statistics | None, classes: tuple[int, ...] = ()
) -> Objective:
    """The objective of a job, whose `digit` is one class or any, or which has joint runs with one of `classes` each.

    In a control the classifier's weight is 0.
    """
    prior, digit = settings.prior, "any" if classes else settings.digit
    for k in classes:
        check_digit("digit", k, classifier.num_classes, "the classifier")
    if not isinstance(digit, int) and digit != "any":
        raise UserError(f"digit={digit}: expected the index of one class, or any")
    weights = {**prior.weights.model_dump(), **({"target": 0.0} if settings.control else {})}
    objective = make_objective(
        classifier,
        statistics,
        TermTargets.from_settings(prior, digit),
        digit=digit if isinstance(digit, int) else "any",
        weights=weights,
        target_free=prior.target_free,
        seed=settings.seed,
    )
    return replace(objective, classes=classes)


def logarithmic_losses(scores: Floats) -> Doubles:
    """For each class −ln(its score), scores [N, K] → [N, K], and for scores above ½ by how much another one is above it.

    The second part, at most half of what the first has gained since ½, is for scores that are independent of each other. Of
    others it is 0: with the distance to the largest score 4 of 20 ImageNet classes reached .9 within 2,500 evaluations of
    search=es, without it 8.
    """
    least = np.finfo(np.float32).smallest_subnormal
    numbers = np.log(np.maximum(scores, least).astype(np.float64))
    above = numbers.max(axis=1, keepdims=True) - numbers
    return np.asarray(np.minimum(above, np.maximum(numbers - np.log(0.5), 0) / 2) - numbers)


def check_fit(classifier: Classifier, statistics: Statistics) -> None:
    """Refuses statistics of images of another size."""
    expected, got = tuple(classifier.input_shape), tuple(int(side) for side in statistics.shape)
    if expected != got:
        sizes = f"the classifier takes images {expected}, the statistics are of images {got} (height, width, channels)"
        raise UserError(f"prior.statistics: {sizes}; fit them on the classifier's data: fooling stats data.path=…")


def check_digit(name: str, digit: int, classes: int, whose: str) -> None:
    """Refuses a class that does not exist."""
    if not 0 <= digit < classes:
        raise UserError(f"{name}={digit}: expected a class from 0 to {classes - 1} of {whose}, got {digit}")
