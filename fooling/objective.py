"""What an image costs: named terms, their weights, one sum."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, ask
from fooling.eigen import arguments as eigen_arguments
from fooling.errors import UserError
from fooling.kernels import reference
from fooling.kernels.tables import bin_of_level
from fooling.statistics import Statistics

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

TERMS = ("target", *reference.PENALTIES)  # the order in which they are summed


@dataclass(frozen=True)
class Objective:
    """cost = Σ weight·term of an image, to be minimised; every term is ≥ 0 and 0 is ideal."""

    classifier: Classifier
    digit: int  # the wanted class
    weights: Mapping[str, float]  # of TERMS; a term of weight 0 is not computed in the search
    free: float  # the target term counts only above this
    arguments: Mapping[str, tuple[Any, ...]]  # of each penalty's kernel: its target and switches

    @property
    def penalties(self) -> tuple[str, ...]:
        """The penalties that the search computes."""
        return tuple(name for name in reference.PENALTIES if self.weights[name] > 0)

    def value(self, images: Bytes) -> tuple[Floats, dict[str, Floats], Floats]:
        """Cost [N], every term {name: [N]} unweighted, and scores [N, K] of images uint8 [N, H, W, C]: the definition."""
        scores = ask(self.classifier, images)
        terms = {"target": reference.target_term(scores, self.digit, self.free)}
        for name, penalty in reference.PENALTIES.items():
            terms[name] = penalty(images, *self.arguments[name])
        weights = np.array([self.weights[name] for name in TERMS])
        return reference.weighted_sum(np.stack(list(terms.values()), axis=1), weights), terms, scores


def make_objective(
    classifier: Classifier,
    statistics: Statistics,
    *,
    digit: int,
    weights: Mapping[str, float],
    prior_digit: int | None = None,
    lags: int = 14,
    bins: int = 10,
    hinge: bool = False,
    target_free: float = 0.0,
    quirk_lag1: bool = False,
    quirk_axes: bool = False,
) -> Objective:
    """The objective for one class. `prior_digit` is the class whose statistics are wanted, by default `digit`.

    `target_free`: the target term counts only above this. `hinge`: the parts of the eigen term cost nothing below what the
    class's images have in the mean. `quirk_lag1` and `quirk_axes` are quirks 1 and 3 of the 2015 program: lag-1 differences at
    every lag, and targets whose axes are exchanged.
    """
    check_fit(classifier, statistics, digit, prior_digit)
    wanted = digit if prior_digit is None else prior_digit
    lags = min(lags, min(classifier.input_shape[:2]) - 1)
    if lags > statistics.lags:
        raise UserError(f"prior.lags={lags}: the statistics hold lags 1…{statistics.lags}; fit them with lags={lags}")
    variogram = statistics.variogram(wanted, lags)
    arguments = {
        "histogram": (bin_of_level(bins), statistics.bins(wanted, bins)),
        "variogram": (np.ascontiguousarray(variogram[:, ::-1] if quirk_axes else variogram), quirk_lag1),
        "eigen": eigen_arguments(statistics.eigen_images(wanted), hinge),
    }
    return Objective(classifier, digit, {name: float(weights.get(name, 0.0)) for name in TERMS}, target_free, arguments)


def check_fit(classifier: Classifier, statistics: Statistics, digit: int, prior_digit: int | None) -> None:
    """Refuses classes that do not exist and statistics of images of another size."""
    check_digit("digit", digit, classifier.num_classes, "the classifier")
    wanted = "digit" if prior_digit is None else "prior.digit"
    check_digit(wanted, digit if prior_digit is None else prior_digit, len(statistics.count), "the statistics")
    expected, got = tuple(classifier.input_shape), tuple(int(side) for side in statistics.shape)
    if expected != got:
        sizes = f"the classifier takes images {expected}, the statistics are of images {got} (height, width, channels)"
        raise UserError(f"prior.statistics: {sizes}; fit them on the classifier's data: fooling stats data.path=…")


def check_digit(name: str, digit: int, classes: int, whose: str) -> None:
    """Refuses a class that does not exist."""
    if not 0 <= digit < classes:
        raise UserError(f"{name}={digit}: expected a class from 0 to {classes - 1} of {whose}, got {digit}")
