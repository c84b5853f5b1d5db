"""Adaptive attacks: a term of the cost for detectors that the search evades (Carlini & Wagner 2017).

An image passes a detector if its value is at most the limit that accepts 95 % of held-out training images. Above it the term
grows: ln(1 + (value − limit)/scale), summed over the detectors; 0 for an image that passes all. The scale is the distance of
the limit from the median of the held-out images. The logarithm keeps the order of the images; without it the first images of
noise cost hundreds, and so does the redraw rate of mutation, which grows with the cost.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier, predict_logits
from fooling.classifiers.detectors import DETECTORS, HELD_OUT, Training, fit_all, lacks, limit_of, split_training, training_of
from fooling.classifiers.features import Evidence, Features, find_features
from fooling.classifiers.fitted_detectors import Score
from fooling.data import load_data, seen_by
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Flags, Floats
from fooling.settings.schema import RunSettings, data_options


@dataclass(frozen=True)
class Limit:
    """A detector with the value up to which an image passes."""

    name: str
    score: Score
    value: float
    scale: float  # above 0


@dataclass(frozen=True)
class Evasion:
    """The detectors that a search evades."""

    classifier: Classifier  # whose calls here are no evaluations of the search
    features: Features | None
    limits: tuple[Limit, ...]
    weight: float
    fingerprints: Mapping[str, str]  # SHA-256 of what each is fitted to, by name: threads round the fits themselves

    def values(self, images: Bytes, scores: Floats) -> Doubles:
        """The value of each detector [N, M] for images uint8 [N, H, W, C] with scores [N, K]."""
        if not len(images):
            return np.empty((0, len(self.limits)))
        needed = {part for limit in self.limits for part in DETECTORS[limit.name].needs}
        # the temperature takes logits where the classifier has them
        logits = predict_logits(self.classifier, images) if needed & {"logits", "shares"} else None
        features = self.features(images) if self.features and "features" in needed else None
        seen = Evidence(images, scores, logits, features)
        return np.stack([limit.score.value(seen) for limit in self.limits], axis=1)

    def excess(self, images: Bytes, scores: Floats) -> Doubles:
        """The term [N]: 0 for images that pass every detector."""
        limits, scales = (np.array([getattr(limit, key) for limit in self.limits]) for key in ("value", "scale"))
        above = np.maximum(self.values(images, scores) - limits, 0) / scales
        return np.asarray(np.log1p(above).sum(axis=1))

    def added(self, costs: Floats, images: Bytes, scores: Floats) -> Floats:
        """Costs [N] with the weighted term."""
        return costs + (self.weight * self.excess(images, scores)).astype(np.float32)

    def passes(self, images: Bytes, scores: Floats) -> Flags:
        """Which images pass every detector, [N]."""
        return self.within(self.values(images, scores))

    def within(self, values: Doubles) -> Flags:
        """Which of the images with values [N, M] pass every detector, [N]."""
        return np.asarray((values <= np.array([limit.value for limit in self.limits])).all(axis=1))

    def passing(self, candidates: Flags, images: Bytes, scores: Floats) -> Flags:
        """Those of the candidates [N] that pass every detector; the others are not looked at."""
        found = np.zeros(len(candidates), dtype=np.bool_)
        found[candidates] = self.passes(images[candidates], scores[candidates])
        return found

    def describe(self, images: Bytes, scores: Floats) -> list[dict[str, Any]]:
        """The keys of each image in run.json: the values of the detectors, and whether it passes them all."""
        values = self.values(images, scores)
        return [
            {"detectors": {limit.name: float(x) for limit, x in zip(self.limits, row, strict=True)}, "passes": bool(passes)}
            for row, passes in zip(values, self.within(values), strict=True)
        ]

    @property
    def about(self) -> dict[str, Any]:
        """The limit of each detector in run.json."""
        return {limit.name: {"limit": limit.value, "scale": limit.scale} for limit in self.limits}


def fingerprint(name: str, training: Training, classifier: Classifier, layer: str) -> str:
    """SHA-256 of a detector's name, training images, labels, classifier and layer, '' for none."""
    digest = hashlib.sha256(f"{name} {classifier.fingerprint} {layer} ".encode())
    for part in (training.seen.images, training.labels):
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def open_evasion(settings: RunSettings, classifier: Classifier) -> Evasion | None:
    """The detectors that the settings evade, fitted to the training images of the data; None for none. Raises UserError."""
    search: Any = settings.search
    names: Sequence[str] = getattr(search, "evade", ())
    if not names:
        return None
    data = load_data(settings.data.path, settings.data.kind, "train", **(data_options(settings) | seen_by(classifier)))
    features, why = None, ""
    if any("features" in DETECTORS[name].needs for name in names):
        features, why = find_features(classifier, search.evade_layer)
    training = training_of(classifier, data, features)
    known, held_out = split_training(training)
    fitted = fit_all(names, known)
    limits = []
    for name, score in fitted.items():
        missing = score if isinstance(score, str) else lacks(DETECTORS[name], held_out.seen)
        if isinstance(score, str) or missing:
            reason = why if why and "features" in DETECTORS[name].needs else missing
            raise UserError(f"search.evade: {name} does not apply: {reason}; leave it out")
        limits.append(scaled_limit(name, score, score.value(held_out.seen)))
    layers = {name: features.layer if features and "features" in DETECTORS[name].needs else "" for name in fitted}
    fingerprints = {name: fingerprint(name, training, classifier, layer) for name, layer in layers.items()}
    return Evasion(classifier, features, tuple(limits), float(search.evade_weight), fingerprints)


def scaled_limit(name: str, score: Score, values: Doubles) -> Limit:
    """The detector with the limit and the scale of these values [N], of held-out training images."""
    if not len(values):
        raise UserError(f"search.evade: {name}: expected at least {HELD_OUT} training images, which decide its limit")
    limit = limit_of(values)
    scale = limit - float(np.median(values)) or float(np.abs(values).mean()) or 1.0
    return Limit(name, score, limit, scale)
