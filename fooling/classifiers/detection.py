"""Plausibility: how well simple detectors tell evolved images from real ones of the class."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.judges import BATCH, predict_all
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles
from fooling.statistics import Statistics
from fooling.statistics.features import Features, features
from fooling.statistics.intervals import auroc, auroc_ci

LEAST = 10  # images on either side; with fewer, an AUROC says nothing
MOST = 1000  # images on either side that are compared for run.json
FOLDS = 5
TRUE_POSITIVE_RATE = 95  # per cent of the evolved images that the detector of `fpr95` flags


@dataclass(frozen=True)
class DetectorResult:
    """How far a number x tells evolved images from real ones. An AUROC is P(evolved > real), ties half: 0.5 is not at all.

    Intervals are of 95 % (Hanley & McNeil 1982; without width at exactly 0 and 1).
    """

    group: str  # term, none (no term uses it), together (logistic regression), classifier (its own scores)
    flagged: str  # which images the detector of fpr95 takes for evolved: far (from the real median), low or high x
    auroc: float  # of x
    auroc_interval: tuple[float, float]
    auroc_distance: float | None  # of |x − median of the real images|; None where x is made to tell them apart
    auroc_distance_interval: tuple[float, float] | None
    fpr95: float  # share of the real images that the detector flags when it flags 95 % of the evolved ones
    median_evolved: float
    median_real: float

    @property
    def telling(self) -> float:
        """From 0.5 to 1: how well the best of x, −x, distance and nearness tells them apart."""
        both = [self.auroc, self.auroc if self.auroc_distance is None else self.auroc_distance]
        return max(max(value, 1 - value) for value in both)


def plausibility(
    evolved: Bytes, real: Bytes, statistics: Statistics, digit: int, classifier: Classifier | None = None
) -> dict[str, DetectorResult]:
    """Evolved against real images, uint8 [N, H, W, C], at least ten each: every simple statistic, all together, and scores.

    `digit` is the class whose eigen-images in `statistics` the PCA residual is about, that of the real images. With a
    `classifier`, also its largest score and, where it has `logits`, its energy. Raises UserError.
    """
    check(evolved, real, statistics, digit)
    eigen = statistics.eigen_images(digit)
    ours, theirs = features(evolved, eigen), features(real, eigen)
    rows = {name: compare(x, theirs[group][name], group) for group, found in ours.items() for name, x in found.items()}
    for name, groups in (("together", tuple(ours)), ("together_none", ("none",))):
        x, y = (np.stack([v for group in groups for v in found[group].values()], axis=1) for found in (ours, theirs))
        rows[name] = compare(*cross_validated_scores(x, y), "together", "high")
    if classifier is not None:
        x_own, y_own = ood_scores(classifier, evolved), ood_scores(classifier, real)
        for name, flagged in OOD_SCORES.items():
            if name in x_own:
                rows[name] = compare(x_own[name], y_own[name], "classifier", flagged)
    return rows


def check(evolved: Bytes, real: Bytes, statistics: Statistics, digit: int) -> None:
    """Refuses images that cannot be compared."""
    shape = tuple(int(side) for side in statistics.shape)
    for name, images in (("evolved", evolved), ("real", real)):
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            expected = f"expected uint8 images [N, {', '.join(map(str, shape))}], as the statistics are of"
            raise UserError(f"plausibility: {expected}, got {name} ones {images.dtype} {list(images.shape)}")
        if len(images) < LEAST:
            raise UserError(f"plausibility needs at least {LEAST} images on either side: got {len(images)} {name} ones")
    if not 0 <= digit < len(statistics.count):
        raise UserError(f"digit={digit}: expected a class from 0 to {len(statistics.count) - 1} of the statistics")


def compare(evolved: Doubles, real: Doubles, group: str, flagged: str = "far") -> DetectorResult:
    """A number of the evolved images [N] against that of the real ones [M]."""
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


def fpr_at_95_tpr(evolved: Doubles, real: Doubles) -> float:
    """Share of the real images that score at least as high as the lowest of the best 95 % (rounded up) of the evolved ones."""
    caught = -(-TRUE_POSITIVE_RATE * len(evolved) // 100)
    return float((real >= np.sort(evolved)[len(evolved) - caught]).mean())


def cross_validated_scores(evolved: Doubles, real: Doubles) -> tuple[Doubles, Doubles]:
    """What a logistic regression on all columns of [N, F] and [M, F] says of images that it was not fitted to: [N], [M]."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, is_evolved = np.concatenate([evolved, real]), np.arange(len(evolved) + len(real)) < len(evolved)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, is_evolved, cv=folds, method="decision_function")
    return scores[: len(evolved)], scores[len(evolved) :]


# The classifier's own scores as detectors, and which images each takes for strange.
OOD_SCORES = {
    "largest_score": "low",  # Hendrycks & Gimpel 2017
    "energy": "high",  # −log Σ exp(logit), Liu et al. 2020
}


def ood_scores(classifier: Classifier, images: Bytes) -> Features:
    """Largest score and, of a classifier that gives logits, energy: [N] each."""
    (scores,) = predict_all({"": classifier}, images).values()
    found = {"largest_score": scores.max(axis=1).astype(np.float64)}
    if hasattr(classifier, "logits"):
        starts = range(0, len(images), BATCH)
        logits = np.concatenate([np.asarray(classifier.logits(images[lo : lo + BATCH]), dtype=np.float64) for lo in starts])
        if logits.shape != scores.shape or not np.isfinite(logits).all():
            raise UserError(f"classifier: expected finite logits {list(scores.shape)}, got {list(logits.shape)} or NaN")
        highest = logits.max(axis=1)
        found["energy"] = -(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)))
    return found


# --- real images, and what is kept of it ------------------------------------------------------------------------------
def of_class(data: ImageSet, digit: int) -> Bytes:
    """The images of a class of a set, or a refusal."""
    if digit >= len(data.classes):
        raise UserError(f"class {digit} is not in the data ({data.source}), which have classes 0 to {len(data.classes) - 1}")
    return np.ascontiguousarray(data.images[data.labels == digit])


def summary(rows: Mapping[str, DetectorResult]) -> dict[str, Any]:
    """What run.json says of it."""
    return {name: {"auroc": row.auroc, "auroc_distance": row.auroc_distance, "fpr95": row.fpr95} for name, row in rows.items()}


def to_dict(rows: Mapping[str, DetectorResult]) -> dict[str, Any]:
    """What plausibility.json says of it."""
    return {name: asdict(row) for name, row in rows.items()}


def most_separating(rows: Mapping[str, DetectorResult]) -> str:
    """The single statistic, of those that look at the image alone, that gives the evolved images away most."""
    return max((name for name, row in rows.items() if row.group in ("term", "none")), key=lambda name: rows[name].telling)
