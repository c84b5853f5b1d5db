"""Detectors that are fitted to training images: each takes what is seen of them and their labels, and returns a score.

A score is a function of what is seen of images that is higher the less they look like training images. Where a fit says
nothing, its reason is returned instead. Fits are by NumPy, SciPy and scikit-learn; no evolved image takes part in one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from scipy.special import entr, logsumexp, softmax

from fooling.classifiers.base import BATCH, common_sum
from fooling.classifiers.calibration import SMALLEST, fit_temperature, scalable
from fooling.classifiers.detection import features as simple_features
from fooling.classifiers.features import Evidence
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints

NEIGHBOURS = 10  # k: Sun et al. 2022 have 50 of 50,000 training images, and 10 where 1 % of them is kept
COMPONENTS = 50  # of pixels, at most
LEAST_VARIANCE = 1e-10  # of pixels on [0, 1] or of features, as a share of the largest: below it a direction says nothing
LINEAR = 1e-3  # by which logits may differ from a linear function of the features, in their standard deviations


@dataclass(frozen=True)
class Score:
    """A fitted detector."""

    value: Callable[[Evidence], Doubles]  # of N images → [N]


def numbers(array: Any) -> Doubles:
    """An array as float64."""
    return np.asarray(array, dtype=np.float64)


def flat_pixels(images: Bytes) -> Floats:
    """Pixels on [0, 1], [N, P]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


# --- scores and logits ----------------------------------------------------------------------------------------------------
def temperature_scaled(seen: Evidence, labels: Ints) -> Score | str:
    """−max softmax(logits / T), T by the likelihood of the labels (Guo et al. 2017, § 4.2; Liang et al. 2018, eq. 1)."""
    logits, why = scalable(seen.scores, seen.logits, common_sum(seen.scores) == 1)
    found, reason = (None, why) if logits is None else fit_temperature(logits, labels)
    if found is None:
        return reason
    temperature = found

    def value(new: Evidence) -> Doubles:
        scaled, _ = scalable(new.scores, new.logits, True)
        return numbers(-softmax(numbers(scaled) / temperature, axis=1).max(axis=1))

    return Score(value)


def kl_matching(seen: Evidence, labels: Ints) -> Score | str:
    """min_k KL(scores ‖ d_k), d_k the mean scores of the training images that are read as k (Hendrycks et al. 2022, § 3.2)."""
    del labels
    read = seen.scores.argmax(axis=1)
    means = np.stack([numbers(seen.scores[read == k]).mean(axis=0) for k in np.unique(read)])
    logarithms = np.log(np.maximum(means, SMALLEST))

    def value(new: Evidence) -> Doubles:
        scores = numbers(new.scores)
        return numbers(-entr(scores).sum(axis=1) - (scores @ logarithms.T).max(axis=1))

    return Score(value)


# --- features -------------------------------------------------------------------------------------------------------------
def whitening(centred: Doubles) -> Doubles:
    """W [D, d] of centred rows [N, D] with WWᵀ their inverse covariance, on the d directions in which they vary at all."""
    variance, vectors = eigh(centred.T @ centred / len(centred))
    kept = variance > LEAST_VARIANCE * variance.max(initial=0)
    return numbers(vectors[:, kept] / np.sqrt(variance[kept]))


def class_means(features: Doubles, labels: Ints) -> tuple[Doubles, Ints]:
    """Means of the classes that there are, [K, D], and the place of each image's class among them, [N]."""
    _, place = np.unique(labels, return_inverse=True)
    return np.stack([features[place == k].mean(axis=0) for k in range(place.max() + 1)]), place


def squared_distances(features: Doubles, means: Doubles, whiten: Doubles) -> Doubles:
    """Squared Mahalanobis distances [N, K] of features [N, D] from means [K, D]."""
    return numbers(cdist(features @ whiten, means @ whiten, "sqeuclidean"))


def mahalanobis(seen: Evidence, labels: Ints) -> Score | str:
    """min_k (f − μ_k)ᵀ Σ⁻¹ (f − μ_k), one Σ for all classes (Lee et al. 2018, eq. 2), without perturbation of the input."""
    features = numbers(seen.features)
    means, place = class_means(features, labels)
    whiten = whitening(features - means[place])
    return Score(lambda new: squared_distances(numbers(new.features), means, whiten).min(axis=1))


def relative_mahalanobis(seen: Evidence, labels: Ints) -> Score | str:
    """The same less the distance from the mean of all images, by their own covariance (Ren et al. 2021, eq. 2)."""
    features = numbers(seen.features)
    means, place = class_means(features, labels)
    middle = features.mean(axis=0, keepdims=True)
    whiten, whiten_all = whitening(features - means[place]), whitening(features - middle)

    def value(new: Evidence) -> Doubles:
        own = squared_distances(numbers(new.features), means, whiten).min(axis=1)
        return numbers(own - squared_distances(numbers(new.features), middle, whiten_all)[:, 0])

    return Score(value)


def neighbours(vectors: Floats, of: Callable[[Evidence], Floats]) -> Score:
    """The distance from the k-th nearest of the training vectors float32 [N, D]."""
    count, squares = min(NEIGHBOURS, len(vectors)), (vectors**2).sum(axis=1)

    def kth(new: Floats) -> Doubles:
        squared = (new**2).sum(axis=1, keepdims=True) - 2 * (new @ vectors.T) + squares
        return np.sqrt(np.maximum(numbers(np.partition(squared, count - 1, axis=1)[:, count - 1]), 0))

    def value(seen: Evidence) -> Doubles:
        new = of(seen)
        parts = [kth(new[first : first + BATCH]) for first in range(0, len(new), BATCH)]
        return np.concatenate(parts) if parts else np.empty(0)

    return Score(value)


def unit_length(features: Any) -> Floats:
    """Features [N, D] of length 1; 0 stays 0."""
    vectors = numbers(features)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0), dtype=np.float32)


def feature_neighbours(seen: Evidence, labels: Ints) -> Score | str:
    """k-nearest neighbours of features of length 1 (Sun et al. 2022, § 3.1)."""
    del labels
    return neighbours(unit_length(seen.features), lambda new: unit_length(new.features))


def virtual_logit(seen: Evidence, labels: Ints) -> Score | str:
    """ViM: α·‖residual of the features‖ − log Σ exp(logit) (Wang et al. 2022, eq. 5 to 7).

    The weights W and the bias b of the last layer are found by least squares, as logits = Wf + b. The residual is that outside
    of the principal space of f + W⁺b, of half as many dimensions; of 768 and more features 512, of 2048 and more 1000.
    """
    del labels
    features, logits = numbers(seen.features), numbers(seen.logits)
    middle = features.mean(axis=0)  # without it nearly constant features are fitted badly
    weights, *_ = np.linalg.lstsq(features - middle, logits - logits.mean(axis=0), rcond=None)
    fitted = (features - middle) @ weights + logits.mean(axis=0)
    if np.sqrt(((fitted - logits) ** 2).mean()) > LINEAR * logits.std():
        return "the logits are no linear function of the features; name the layer before the last one"
    bias = logits.mean(axis=0) - middle @ weights
    origin = -np.linalg.pinv(weights.T) @ bias
    size = features.shape[1]
    principal = 1000 if size >= 2048 else 512 if size >= 768 else size // 2
    _, vectors = eigh((features - origin).T @ (features - origin) / len(features))  # the smallest first
    rest = vectors[:, : size - principal]
    lengths = np.linalg.norm((features - origin) @ rest, axis=1).mean()
    if not lengths > 0:
        return "the features have no residual outside of their principal space"
    scale = float(logits.max(axis=1).mean() / lengths)

    def value(new: Evidence) -> Doubles:
        virtual = scale * np.linalg.norm((numbers(new.features) - origin) @ rest, axis=1)
        return numbers(virtual - logsumexp(numbers(new.logits), axis=1))

    return Score(value)


# --- pixels ---------------------------------------------------------------------------------------------------------------
def pixel_neighbours(seen: Evidence, labels: Ints) -> Score | str:
    """k-nearest neighbours of pixels: the detector of `feature_neighbours` without a network."""
    del labels
    return neighbours(flat_pixels(seen.images), lambda new: flat_pixels(new.images))


def pixel_density(seen: Evidence, labels: Ints) -> Score | str:
    """−log p of pixels by probabilistic principal components, but for a constant (Tipping & Bishop 1999, eq. 4 to 8)."""
    from sklearn.decomposition import PCA

    del labels
    pixels = flat_pixels(seen.images)
    model = PCA(min(COMPONENTS, min(pixels.shape) - 1), random_state=0).fit(pixels)
    components, mean = numbers(model.components_), numbers(model.mean_)
    noise = max(float(model.noise_variance_), LEAST_VARIANCE)
    variance = np.maximum(numbers(model.explained_variance_), noise)

    def value(new: Evidence) -> Doubles:
        centred = numbers(flat_pixels(new.images)) - mean
        along = centred @ components.T
        rest = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        return numbers(((along**2 / variance).sum(axis=1) + rest / noise) / 2)

    return Score(value)


def simple_table(images: Bytes) -> Doubles:
    """Simple statistics of images, [N, F]; see `detection.FEATURES`, without the components of a single class."""
    groups = simple_features(images, None).values()
    return np.stack([values for group in groups for values in group.values()], axis=1)


def statistics_distance(seen: Evidence, labels: Ints) -> Score | str:
    """Squared Mahalanobis distance of simple statistics from their mean: the Gaussian of Lee et al. 2018, without classes."""
    del labels
    table = simple_table(seen.images)
    mean, spread = table.mean(axis=0, keepdims=True), np.maximum(table.std(axis=0), np.sqrt(LEAST_VARIANCE))
    whiten = whitening((table - mean) / spread) / spread[:, None]
    return Score(lambda new: squared_distances(simple_table(new.images), mean, whiten)[:, 0])
