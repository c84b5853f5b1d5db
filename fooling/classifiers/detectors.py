"""Out-of-distribution detectors: do known ones tell evolved images from real ones?

Positives are the real images, as in the literature (Hendrycks & Gimpel 2017; Liu et al. 2020): `fpr95` is the share of the
evolved images that are accepted at the threshold that accepts 95 % of the real ones. 0 is best, and .95 is what a detector
that knows nothing has. (`detection`, of `fooling plausibility`, has it the other way round: the share of the real images that
are flagged where 95 % of the evolved ones are.) The AUROC does not depend on which are the positives: it is the share of pairs
in which the evolved image looks less real, ties half.

Detectors by scores depend on where the search stopped: images that were evolved until the target's score is .9999, and no
further, have scores of about .9999. What is fitted is fitted to training images, but for simple statistics: their regression
is fitted to evolved and real images, which says what differs at all, not what a detector would find that knows no attack.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import entr

from fooling.classifiers import fitted_detectors as fits
from fooling.classifiers.base import Classifier, common_sum
from fooling.classifiers.detection import FOLDS, MIN_IMAGES, TRUE_POSITIVE_RATE, cross_validated_scores, energy, false_positives
from fooling.classifiers.features import Evidence, Features, evidence
from fooling.classifiers.fitted_detectors import Score, simple_table
from fooling.data import ImageSet
from fooling.kernels.tables import Bytes, Doubles, Flags, Floats, Ints
from fooling.settings.detectors import AUDITED
from fooling.statistics.intervals import auroc, auroc_score_interval, proportion_with_ci

FEWEST_AT_95 = 100 // (100 - TRUE_POSITIVE_RATE)  # real images; the threshold that accepts 95 % of fewer accepts all of them
TRAINING_IMAGES, PIXELS = 12_000, 1 << 26  # at most, and all of their pixels
HELD_OUT = 6  # every sixth of them decides the limits, and takes no part in the fits
Needs = Literal["scores", "shares", "logits", "features", "pixels"]  # shares: scores that sum to 1
TRAINING, EVOLVED = "training images", "evolved and real images"  # what a detector is fitted to


class Training(NamedTuple):
    """What detectors are fitted to."""

    seen: Evidence  # of N training images
    labels: Ints  # [N]


@dataclass(frozen=True)
class Detector:
    """A number for each image that is higher the less it looks like a real one."""

    title: str
    source: str
    needs: tuple[Needs, ...]
    score: Callable[[Evidence], Doubles] | None = None  # of one that is fitted to nothing: what is seen of N images → [N]
    fit: Callable[[Evidence, Ints], Score | str] | None = (
        None  # of one that is fitted to training images, see `fitted_detectors`
    )

    @property
    def fitted(self) -> str:
        """What it is fitted to, '' for nothing."""
        return TRAINING if self.fit else "" if self.score else EVOLVED


def detector_rows(
    evolved: Evidence, real: Evidence, against: str = "none", fitted: Mapping[str, Score | str] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A row for each detector that applies, and for the others the part and why it is left out.

    `against` names what the evolved images resembled: a rung of the ladder of priors, or none. Images of one run resemble each
    other, and intervals are as for independent images. `fitted`: the detectors, see `fit_all`; None: those of AUDITED.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    for name in AUDITED if fitted is None else fitted:
        row, why = compare(name, evolved, real, against, None if fitted is None else fitted[name])
        if row is None:
            left_out.append({"part": f"detectors: {name} against prior={against}", "why": why})
        else:
            rows.append(row)
    return rows, left_out


def training_of(classifier: Classifier, data: ImageSet, features: Features | None, most: int = TRAINING_IMAGES) -> Training:
    """What is seen of the training images, of many images `most`, evenly spaced, and of large ones fewer."""
    number = min(len(data.images), most, max(MIN_IMAGES, PIXELS // int(np.prod(data.images.shape[1:]))))
    chosen = np.linspace(0, len(data.images) - 1, number).astype(np.int64)
    return Training(evidence(classifier, data.images[chosen], features), data.labels[chosen].astype(np.int64))


def split_training(training: Training) -> tuple[Training, Training]:
    """The training images that detectors are fitted to, and those that decide their limits."""
    is_held_out = np.arange(len(training.labels)) % HELD_OUT == HELD_OUT - 1
    return part_of(training, ~is_held_out), part_of(training, is_held_out)


def part_of(training: Training, chosen: Flags) -> Training:
    """Some of the training images."""
    images, scores, *others = training.seen
    logits, features = (None if part is None else part[chosen] for part in others)
    return Training(Evidence(images[chosen], scores[chosen], logits, features), training.labels[chosen])


def limit_of(values: Doubles) -> float:
    """The value up to which images pass a detector: at least 95 % of these values [N], N ≥ 1, of held-out training images."""
    return float(np.quantile(values, TRUE_POSITIVE_RATE / 100, method="higher"))


def fit_all(names: Iterable[str], training: Training | None) -> dict[str, Score | str]:
    """Detectors by name, fitted to training images; in place of one that cannot be, the reason."""
    return {name: fit_one(DETECTORS[name], training) for name in names}


def fit_one(detector: Detector, training: Training | None) -> Score | str:
    """A detector that needs no evolved images, or the reason why there is none."""
    if detector.score:
        return Score(detector.score)
    if detector.fit is None:
        return ""
    if training is None or len(training.labels) < MIN_IMAGES:
        return "it is fitted to training images, and there are none"
    missing = lacks(detector, training.seen)
    return missing or detector.fit(*training)


def lacks(detector: Detector, seen: Evidence) -> str:
    """What a detector needs of images and the classifier has not, '' for nothing."""
    if "logits" in detector.needs and seen.logits is None:
        return "the classifier has no logits"
    if "features" in detector.needs and seen.features is None:
        return "the classifier has no features; layer=NAME names a layer"
    if "shares" in detector.needs and common_sum(seen.scores) != 1:
        return "the scores do not sum to 1"
    return ""


def values(
    name: str, evolved: Evidence, real: Evidence, score: Score | str | None = None
) -> tuple[tuple[Doubles, Doubles] | None, str]:
    """The values of a detector for evolved [N] and real [M] images; or None, and why."""
    detector, sizes = DETECTORS[name], (len(evolved.images), len(real.images))
    if min(sizes) < MIN_IMAGES:
        return None, f"expected at least {MIN_IMAGES} images on either side, got {sizes[0]} evolved and {sizes[1]} real ones"
    missing = lacks(detector, evolved) or lacks(detector, real)
    if missing:
        return None, missing
    score = fit_one(detector, None) if score is None else score
    if isinstance(score, str) and detector.fitted != EVOLVED:
        return None, score
    x, y = (
        simple_statistics(evolved.images, real.images) if isinstance(score, str) else (score.value(evolved), score.value(real))
    )
    if np.ptp(np.concatenate([x, y])) == 0:
        return None, "its value is the same for all images"
    return (x, y), ""


def compare(
    name: str, evolved: Evidence, real: Evidence, against: str, score: Score | str | None = None
) -> tuple[dict[str, Any] | None, str]:
    """The row of a detector; or None, and why."""
    found, why = values(name, evolved, real, score)
    return (None, why) if found is None else (row_of(name, *found, against), "")


def row_of(name: str, evolved: Doubles, real: Doubles, against: str) -> dict[str, Any]:
    """AUROC and rate with their intervals, of values [N] and [M]."""
    sizes, area = (len(evolved), len(real)), auroc(evolved, real)
    low, high = auroc_score_interval(area, *sizes)
    accepted = proportion_with_ci(false_positives(-real, -evolved), sizes[0]) if sizes[1] >= FEWEST_AT_95 else None
    at_95 = {f"fpr95{end}": accepted and accepted[key] for end, key in (("", "share"), ("_low", "low"), ("_high", "high"))}
    row = {"name": name, "against": against, "auroc": area, "low": low, "high": high, **at_95}
    return {**row, "evolved": sizes[0], "real": sizes[1]}


# --- values: high for what looks unlike real images ---------------------------------------------------------------------
def largest(numbers: Floats | Doubles) -> Doubles:
    """−max of scores or logits [N, K]."""
    return np.asarray(-numbers.max(axis=1).astype(np.float64))


def entropy(scores: Floats) -> Doubles:
    """−Σ p log p of scores [N, K] that sum to 1."""
    return np.asarray(entr(scores.astype(np.float64)).sum(axis=1))


def of_logits(function: Callable[[Doubles], Doubles]) -> Callable[[Evidence], Doubles]:
    """A number of the logits [N, K]."""
    return lambda seen: function(np.asarray(seen.logits))


def simple_statistics(evolved: Bytes, real: Bytes) -> tuple[Doubles, Doubles]:
    """Decision values of a logistic regression on simple features of the pixels, each of an image left out of the fit.

    Grey levels, variogram, diagonals, connected components and directions of edges, as of `detection`, without the components
    of a single class. It has seen evolved images, unlike the other detectors: what it tells apart is there to be seen.
    """
    return cross_validated_scores(simple_table(evolved), simple_table(real))


REGRESSION = f"logistic regression, {FOLDS}-fold cross-validation"
# The keys are names of rows, of figures (auroc_NAME, fpr95_NAME) and of settings.
DETECTORS: dict[str, Detector] = {
    "largest_score": Detector("maximum softmax", "Hendrycks & Gimpel 2017", ("scores",), lambda seen: largest(seen.scores)),
    "entropy": Detector("entropy of the scores", "Hendrycks & Gimpel 2017", ("shares",), lambda seen: entropy(seen.scores)),
    "energy": Detector("energy", "Liu et al. 2020", ("logits",), of_logits(energy)),
    "largest_logit": Detector("maximum logit", "Hendrycks et al. 2022", ("logits",), of_logits(largest)),
    "simple_statistics": Detector("simple statistics", REGRESSION, ("pixels",)),
    "temperature": Detector("softmax at a fitted temperature", "Guo et al. 2017", ("shares",), fit=fits.temperature_scaled),
    "kl_matching": Detector("KL matching", "Hendrycks et al. 2022", ("shares",), fit=fits.kl_matching),
    "mahalanobis": Detector("Mahalanobis distance of features", "Lee et al. 2018", ("features",), fit=fits.mahalanobis),
    "relative_mahalanobis": Detector(
        "relative Mahalanobis distance", "Ren et al. 2021", ("features",), fit=fits.relative_mahalanobis
    ),
    "knn_features": Detector("nearest neighbours of features", "Sun et al. 2022", ("features",), fit=fits.feature_neighbours),
    "vim": Detector("virtual logit (ViM)", "Wang et al. 2022", ("features", "logits"), fit=fits.virtual_logit),
    "knn_pixels": Detector(
        "nearest neighbours of pixels", "Sun et al. 2022, of pixels", ("pixels",), fit=fits.pixel_neighbours
    ),
    "pixel_density": Detector(
        "density of pixels by principal components", "Tipping & Bishop 1999", ("pixels",), fit=fits.pixel_density
    ),
    "statistics_distance": Detector(
        "Mahalanobis distance of simple statistics", "Lee et al. 2018, of pixels", ("pixels",), fit=fits.statistics_distance
    ),
}
