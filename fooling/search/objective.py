"""What an image costs: named terms, their weights, one sum."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, predict_batch
from fooling.errors import UserError
from fooling.kernels import reference
from fooling.kernels.reference.operators import philox
from fooling.kernels.tables import ANY, Bytes, Floats, Ints
from fooling.search.prior import TermTargets, arguments
from fooling.statistics import Statistics

TERMS = ("target", *reference.PENALTIES)  # the order in which they are summed


@dataclass(frozen=True)
class Objective:
    """cost = Σ weight·term of an image, to be minimised; every term is ≥ 0 and 0 is ideal."""

    classifier: Classifier
    digit: int  # the wanted class, or tables.ANY
    weights: Mapping[str, float]  # of TERMS; a term of weight 0 is not computed in the search
    free: float  # the target term counts only above this
    arguments: Mapping[str, tuple[Any, ...]]  # of each penalty's kernel: its targets and switches; none: of no class
    targets: int = 1  # T: all runs have the same, or each run draws one of T
    seed: int = 0  # of that draw

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

    def cost(self, images: Bytes, which: Ints, kernels: ModuleType = reference) -> tuple[Floats, Floats]:
        """Cost [N] and scores [N, K] of images uint8 [N, H, W, C] with the targets `which` [N], by the kernels of an engine."""
        scores = predict_batch(self.classifier, images)
        terms = [kernels.target_term(scores, self.digit, self.free)]
        terms += [kernels.PENALTIES[name](images, which, *self.arguments[name]) for name in self.penalties]
        weights = np.array([self.weights[name] for name in ("target", *self.penalties)])
        return kernels.weighted_sum(np.stack(terms, axis=1), weights), scores

    def value(self, images: Bytes, runs: npt.NDArray[np.uint32] | None = None) -> tuple[Floats, dict[str, Floats], Floats]:
        """Cost [N], every term {name: [N]} unweighted, and scores [N, K] of images uint8 [N, H, W, C]: the definition.

        Each image is shown to the classifier once. Without a class whose statistics are wanted the only term is the target.

        `runs` [N] are those that the images come from, by default 0…N − 1.
        """
        which = self.which(np.arange(len(images), dtype=np.uint32) if runs is None else runs)
        cost, scores = self.cost(images, which)
        terms = {"target": reference.target_term(scores, self.digit, self.free)}
        for name, found in self.arguments.items():
            terms[name] = reference.PENALTIES[name](images, which, *found)
        return cost, terms, scores


def make_objective(
    classifier: Classifier,
    statistics: Statistics | None,
    *,
    digit: int | Literal["any"],
    weights: Mapping[str, float],
    prior_digit: int | None = None,
    lags: int = 14,
    bins: int = 10,
    hinge: Collection[str] = (),
    exemplar: bool = False,
    lag_weights: str = "equal",
    target_free: float = 0.0,
    quirk_lag1: bool = False,
    quirk_axes: bool = False,
    seed: int = 0,
) -> Objective:
    """The objective for one class, or for any, whichever gets there. `prior_digit` is the class whose statistics are wanted, by
    default `digit`; without one, any can have no term besides the target, nor can a class without statistics.

    `target_free`: the target term counts only above this. For the others see `wanted.Prior`; with `exemplar`, which image's
    statistics a run is drawn towards depends on `seed`.
    """
    wanted, own = (ANY, prior_digit) if digit == "any" else (digit, digit if prior_digit is None else prior_digit)
    if wanted != ANY:
        check_digit("digit", wanted, classifier.num_classes, "the classifier")
    if statistics:
        check_fit(classifier, statistics, own, "digit" if prior_digit is None else "prior.digit")
    used = {name: float(weights.get(name, 0.0)) for name in TERMS}
    if own is None or statistics is None:
        if exemplar or any(used[name] for name in reference.PENALTIES):
            raise UserError(f"digit={digit}: terms besides the target need a class whose statistics are wanted: prior.digit=…")
        return Objective(classifier, wanted, used, target_free, {})
    prior = TermTargets(
        digit=own,
        lags=min(lags, min(classifier.input_shape[:2]) - 1),
        bins=bins,
        hinge=tuple(hinge),
        exemplar=exemplar,
        lag_weights=lag_weights,
        quirk_lag1=quirk_lag1,
        quirk_axes=quirk_axes,
    )
    targets = statistics.exemplars if exemplar else 1
    return Objective(classifier, wanted, used, target_free, arguments(statistics, prior), targets, seed)


def check_fit(classifier: Classifier, statistics: Statistics, own: int | None, whose: str) -> None:
    """Refuses a class without statistics, and those of images of another size; `whose` setting names the class."""
    if own is not None:
        check_digit(whose, own, len(statistics.count), "the statistics")
    expected, got = tuple(classifier.input_shape), tuple(int(side) for side in statistics.shape)
    if expected != got:
        sizes = f"the classifier takes images {expected}, the statistics are of images {got} (height, width, channels)"
        raise UserError(f"prior.statistics: {sizes}; fit them on the classifier's data: fooling stats data.path=…")


def check_digit(name: str, digit: int, classes: int, whose: str) -> None:
    """Refuses a class that does not exist."""
    if not 0 <= digit < classes:
        raise UserError(f"{name}={digit}: expected a class from 0 to {classes - 1} of {whose}, got {digit}")
