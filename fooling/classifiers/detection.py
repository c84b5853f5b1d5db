"""Plausibility: how well simple features and scores separate evolved images from real ones of the class."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from fooling.classifiers.base import BATCH, Classifier, predict, predict_logits
from fooling.data import ImageSet
from fooling.errors import UserError, counted
from fooling.kernels import numba
from fooling.kernels.numba.linear_penalties import eigen_parts
from fooling.kernels.reference.penalties import eigen_distances, pair_counts
from fooling.kernels.tables import Bytes, Doubles
from fooling.statistics import Statistics
from fooling.statistics.intervals import auroc, auroc_ci
from fooling.statistics.pca import PrincipalComponents, kernel_arguments

LAGS = 14
DIAGONALS = (1, 2, 4, 8)  # pixels down, and as many across
LIGHT = 127  # pixels above this level form the connected components
DIRECTIONS = (0, 45, 90, 135)  # of edges, degrees: horizontal, rising to the right, vertical, falling to the right
MIN_IMAGES = 10  # on either side; with fewer, an AUROC says nothing
PIXELS = 1 << 22  # of the images whose features are computed at once; bounds the memory
MAX_IMAGES = 1000  # on either side, for run.json
FOLDS = 5
TRUE_POSITIVE_RATE = 95  # per cent of the evolved images, at which `fpr95` is measured
OOD_SCORES = {  # the classifier's scores as detectors, and which images each flags
    "largest_score": "low",  # Hendrycks & Gimpel 2017
    "energy": "high",  # −log Σ exp(logit), Liu et al. 2020
}
Features = dict[str, Doubles]  # [N] by name


# --- features ---------------------------------------------------------------------------------------------------------
def features(images: Bytes, components: PrincipalComponents | None) -> dict[str, Features]:
    """Every feature of images uint8 [N, H, W, C], N > 0, by group and name; `components` are those of the class.

    Without components, as of images of several classes, those that need them are left out.
    """
    size = max(1, min(BATCH, PIXELS // prod(images.shape[1:])))
    parts = [images[lo : lo + size] for lo in range(0, len(images), size)]
    groups: dict[str, Features] = {}
    for group, all_functions in FEATURES.items():
        functions = [function for function in all_functions if components or function is not pca_residual]
        chunks = [{name: x for function in functions for name, x in function(part, components).items()} for part in parts]
        groups[group] = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return groups


def greys(images: Bytes, _components: PrincipalComponents) -> Features:
    """Mean grey level in [0, 1] and the share of pixels of level 0, over all channels."""
    axes = (1, 2, 3)
    return {"mean_grey": images.mean(axis=axes) / 255, "black_share": np.asarray((images == 0).mean(axis=axes))}


def lags(images: Bytes, _components: PrincipalComponents) -> Features:
    """Variogram: mean |I(p) − I(p + k)| along rows (x) and columns (y), k = 1…14 within the image, over all channels."""
    limit = min(LAGS, min(images.shape[1:3]) - 1)
    sums = numba.variogram_sums(np.ascontiguousarray(images), limit)
    means = (sums / pair_counts(images.shape[1:], limit)).mean(axis=1)
    return {f"variogram_{direction}_{k + 1}": means[:, axis, k] for axis, direction in enumerate("xy") for k in range(limit)}


def pca_residual(images: Bytes, components: PrincipalComponents) -> Features:
    """Energy outside of the class's components ÷ its mean over the training images, as in the eigen term."""
    weights, centre, mean, variance, residual, _ = kernel_arguments(components, 0.0)
    parts = eigen_parts(np.ascontiguousarray(images), weights, centre, mean)
    return {"pca_residual": eigen_distances(parts, variance, residual)[1]}


def diagonals(images: Bytes, _components: PrincipalComponents) -> Features:
    """Mean |I(p) − I(p + (k, k))| in [0, 1], down and up to the right, over all channels."""
    grey, values = images.astype(np.int16), {}
    for k in (k for k in DIAGONALS if k < min(images.shape[1:3])):
        values[f"diagonal_down_{k}"] = np.abs(grey[:, k:, k:] - grey[:, :-k, :-k]).mean(axis=(1, 2, 3)) / 255
        values[f"diagonal_up_{k}"] = np.abs(grey[:, :-k, k:] - grey[:, k:, :-k]).mean(axis=(1, 2, 3)) / 255
    return values


def connected_components(images: Bytes, _components: PrincipalComponents) -> Features:
    """Connected components (8 neighbours) of pixels whose mean over channels is > 127: their number, share of the largest."""
    from scipy.ndimage import label

    number, largest = np.zeros(len(images)), np.zeros(len(images))
    for i, light in enumerate(images.mean(axis=3) > LIGHT):
        labels, number[i] = label(light, structure=np.ones((3, 3)))
        largest[i] = np.bincount(labels.ravel())[1:].max(initial=0) / light.size
    return {"components": number, "largest_component": largest}


def edges(images: Bytes, _components: PrincipalComponents) -> Features:
    """Shares of the edge directions, weighted by the length of the gradient (central differences); 0 without edges."""
    grey = images.mean(axis=3)
    right, up = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
    length = np.hypot(right, up)
    along = np.rint((np.degrees(np.arctan2(up, right)) + 90) / 45).astype(np.int64) % len(DIRECTIONS)  # across the gradient
    total = length.sum(axis=(1, 2))
    shares = {}
    for i, degrees in enumerate(DIRECTIONS):
        part = np.where(along == i, length, 0.0).sum(axis=(1, 2))
        shares[f"edges_{degrees}"] = np.divide(part, total, out=np.zeros(len(images)), where=total > 0)
    return shares


# Groups: a term of the cost pulls the features of `term` towards the class's; no term uses those of `none`.
FEATURES: dict[str, tuple[Callable[[Bytes, Any], Features], ...]] = {
    "term": (greys, lags, pca_residual),
    "none": (diagonals, connected_components, edges),
}


# --- detectors --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class DetectorResult:
    """How well a number x separates evolved images from real ones.

    An AUROC is P(evolved > real), ties half: 0.5 is chance. Intervals are of 95 % (Hanley & McNeil 1982; without width at
    exactly 0 and 1). The names of the fields are keys of plausibility.json.
    """

    group: str  # term, none (no term uses it), together (logistic regression), classifier (its scores)
    flagged: str  # images that the detector of fpr95 flags: far (from the real median), low or high x
    auroc: float  # of x
    auroc_interval: tuple[float, float]
    auroc_distance: float | None  # of |x − median of the real images|; None where x was fitted to separate them
    auroc_distance_interval: tuple[float, float] | None
    fpr95: float  # share of the real images that the detector flags when it flags 95 % of the evolved ones
    median_evolved: float
    median_real: float

    @property
    def separability(self) -> float:
        """From 0.5 to 1: AUROC of the best of x, −x, distance and nearness."""
        both = [self.auroc, self.auroc if self.auroc_distance is None else self.auroc_distance]
        return max(max(value, 1 - value) for value in both)


def plausibility(
    evolved: Bytes, real: Bytes, statistics: Statistics, digit: int, classifier: Classifier | None = None
) -> dict[str, DetectorResult]:
    """Evolved against real images, uint8 [N, H, W, C], at least ten each: every feature, all of them together, and scores.

    `digit` is the class of the real images, whose components in `statistics` the PCA residual uses. With a `classifier`, also
    its largest score and, where it has `logits`, its energy. Raises UserError for images that cannot be compared.
    """
    check_images(evolved, real, statistics, digit)
    components = statistics.eigen_images(statistics.row(digit))
    of_evolved, of_real = features(evolved, components), features(real, components)
    rows = {name: compare(x, of_real[group][name], group) for group, values in of_evolved.items() for name, x in values.items()}
    for name, groups in (("together", tuple(of_evolved)), ("together_none", ("none",))):
        x, y = (np.stack([v for group in groups for v in table[group].values()], axis=1) for table in (of_evolved, of_real))
        rows[name] = compare(*cross_validated_scores(x, y), "together", "high")
    if classifier is not None:
        x_scores, y_scores = ood_scores(classifier, evolved), ood_scores(classifier, real)
        for name, flagged in OOD_SCORES.items():
            if name in x_scores:
                rows[name] = compare(x_scores[name], y_scores[name], "classifier", flagged)
    return rows


def check_images(evolved: Bytes, real: Bytes, statistics: Statistics, digit: int) -> None:
    """Raises UserError for images that cannot be compared."""
    shape = tuple(int(side) for side in statistics.shape)
    for name, images in (("evolved", evolved), ("real", real)):
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            expected = f"expected uint8 images [N, {', '.join(map(str, shape))}], as the statistics are of"
            raise UserError(f"plausibility: {expected}, got {name} images {images.dtype} {list(images.shape)}")
        if len(images) < MIN_IMAGES:
            got = counted(len(images), f"{name} image")
            raise UserError(f"plausibility: expected at least {MIN_IMAGES} images on either side, got {got}")
    statistics.row(digit)


def compare(evolved: Doubles, real: Doubles, group: str, flagged: str = "far") -> DetectorResult:
    """A number x of the evolved images [N] against that of the real ones [M]."""
    middle = float(np.median(real))
    far = np.abs(evolved - middle), np.abs(real - middle)
    scores = {"far": far, "low": (-evolved, -real), "high": (evolved, real)}[flagged]
    value, distance = auroc(evolved, real), None if group == "together" else auroc(*far)
    sizes = len(evolved), len(real)
    return DetectorResult(
        group=group,
        flagged=flagged,
        auroc=value,
        auroc_interval=auroc_ci(value, *sizes),
        auroc_distance=distance,
        auroc_distance_interval=None if distance is None else auroc_ci(distance, *sizes),
        fpr95=fpr_at_95_tpr(*scores),
        median_evolved=float(np.median(evolved)),
        median_real=middle,
    )


def fpr_at_95_tpr(positives: Doubles, negatives: Doubles) -> float:
    """False positive rate at 95 % true positives: the share of `false_positives` among the negatives [M]."""
    return false_positives(positives, negatives) / len(negatives)


def false_positives(positives: Doubles, negatives: Doubles) -> int:
    """How many of the negatives [M] score at least as high as the lowest of the highest 95 % (rounded up) of the positives [N].

    Which images are the positives is the caller's choice: the evolved ones here, so that the false positives are real images
    that are flagged; in `detectors` the real ones, as the literature on out-of-distribution detection has it.
    """
    true_positives = -(-TRUE_POSITIVE_RATE * len(positives) // 100)
    return int((negatives >= np.sort(positives)[len(positives) - true_positives]).sum())


def cross_validated_scores(evolved: Doubles, real: Doubles) -> tuple[Doubles, Doubles]:
    """Decision values [N], [M] of a logistic regression on [N, F] and [M, F], each of an image left out of the fit."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, is_evolved = np.concatenate([evolved, real]), np.arange(len(evolved) + len(real)) < len(evolved)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, is_evolved, cv=folds, method="decision_function")
    return scores[: len(evolved)], scores[len(evolved) :]


def ood_scores(classifier: Classifier, images: Bytes) -> Features:
    """Largest score and, of a classifier with `logits`, energy: [N] each."""
    values = {"largest_score": predict(classifier, images).max(axis=1).astype(np.float64)}
    logits = predict_logits(classifier, images)
    return values if logits is None else {**values, "energy": energy(logits)}


def energy(logits: Doubles) -> Doubles:
    """−log Σ exp(logit) of logits [N, K] (Liu et al. 2020, eq. 4 at T = 1): [N], high for what is unlike the training data."""
    from scipy.special import logsumexp  # start-up of every run would pay for it

    return np.asarray(-logsumexp(logits, axis=1))


# --- real images and records ------------------------------------------------------------------------------------------
def of_class(data: ImageSet, digit: int) -> Bytes:
    """The images uint8 [n, H, W, C] of a class. Raises UserError for a class that the data lack."""
    if digit >= len(data.classes):
        raise UserError(f"class {digit}: expected 0 to {len(data.classes) - 1}, the classes of the data ({data.source})")
    return np.ascontiguousarray(data.images[data.labels == digit])


def summary(rows: Mapping[str, DetectorResult]) -> dict[str, Any]:
    """The rows in run.json."""
    return {name: {"auroc": row.auroc, "auroc_distance": row.auroc_distance, "fpr95": row.fpr95} for name, row in rows.items()}


def to_dict(rows: Mapping[str, DetectorResult]) -> dict[str, Any]:
    """The rows in plausibility.json."""
    return {name: asdict(row) for name, row in rows.items()}


def most_separating(rows: Mapping[str, DetectorResult]) -> str:
    """The single feature of the image alone that separates evolved from real images best."""
    return max((name for name, row in rows.items() if row.group in ("term", "none")), key=lambda name: rows[name].separability)
