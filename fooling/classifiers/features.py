"""Features: the activations of a classifier's inner layer, and all else that detectors see of images.

By default the layer is the last one before the logits, whose outputs the last layer adds up. Of layers with places the
features are the means over the places (Lee et al. 2018, § 2.1).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fooling.classifiers.adapters.adapter import AdaptedClassifier
from fooling.classifiers.adapters.layers import mean_over_places, unknown_layer
from fooling.classifiers.base import BATCH, Classifier, predict, predict_logits, unwrapped
from fooling.classifiers.layers import LOGITS, SCORES, layer_function, layer_shapes
from fooling.classifiers.queries import QueriedClassifier
from fooling.data.matching import without_none
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Floats
from fooling.settings.fields import foreign_code

PIXELS = "pixels"  # the layer of a network without hidden layers: what its only layer adds up
BEFORE_LAST = "input of the last layer"  # the usual one of models of torch and ONNX models
BATCHES = (16, 128, BATCH)  # images a call: each size is compiled once, smaller batches are padded
MOST = 8192  # activations of an image, at most


class Evidence(NamedTuple):
    """What detectors see of N images. None: the classifier has no such part, or no detector needs it."""

    images: Bytes  # [N, H, W, C]
    scores: Floats  # [N, K]
    logits: Doubles | None = None  # [N, K]
    features: Doubles | None = None  # [N, D]


@dataclass(frozen=True)
class Features:
    """A layer of a classifier: images uint8 [N, H, W, C] → activations [N, D]."""

    layer: str
    function: Callable[[Bytes], Any]  # of at most BATCH images

    def __call__(self, images: Bytes) -> Doubles:
        """The activations of any number of images. Raises UserError for such as are no finite numbers [N, D]."""
        parts = [self.batch(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, 0))

    def batch(self, images: Bytes) -> Doubles:
        """The same of one batch."""
        with foreign_code(f"layer={self.layer}: raised on images uint8 {list(images.shape)}: "):
            found = np.asarray(self.function(images), dtype=np.float64)
        if found.ndim != 2 or len(found) != len(images) or not np.isfinite(found).all():
            got = f"{list(found.shape)}{'' if np.isfinite(found).all() else ' with NaN or infinity'}"
            raise UserError(
                f"layer={self.layer}: expected finite activations [{len(images)}, D], got {got}; name another layer"
            )
        if found.shape[1] > MOST:
            raise UserError(f"layer={self.layer}: expected at most {MOST} activations an image, got {found.shape[1]}")
        return found


def evidence(classifier: Classifier, images: Bytes, features: Features | None = None) -> Evidence:
    """What detectors see of images uint8 [N, H, W, C]. Scores, logits and features take N evaluations each."""
    seen = Evidence(images, predict(classifier, images), predict_logits(classifier, images))
    return seen if features is None else seen._replace(features=features(images))


def of_classes(classifier: Classifier, seen: Evidence) -> Evidence:
    """What detectors see without the class "none": a high score of it is no sign of a real image."""
    number = len(without_none(classifier.labels))
    return seen._replace(scores=seen.scores[:, :number], logits=None if seen.logits is None else seen.logits[:, :number])


def find_features(classifier: Any, layer: str | None = None) -> tuple[Features | None, str]:
    """The features of a classifier, by default those before its last layer; or None, and why it has none.

    Raises UserError for a named layer that it has not.
    """
    shapes = layer_shapes(classifier) if hasattr(classifier, "jax_layers") else {}
    if shapes:
        return of_network(classifier, shapes, layer), ""
    inner = unwrapped(classifier)
    if isinstance(inner, AdaptedClassifier) and inner.model.layer:
        try:
            predict_layer = inner.model.layer(layer)
        except UserError as error:
            if layer is not None:
                raise
            return None, str(error)
        return Features(layer or BEFORE_LAST, replace(inner, model=replace(inner.model, predict=predict_layer)).raw_output), ""
    if callable(getattr(classifier, "features", None)) and layer is None:
        return Features("features", classifier.features), ""
    why = "the classifier shows no layers; built-in networks, models of torch and ONNX models do"
    if isinstance(inner, QueriedClassifier):  # whose bill counts no layers
        why = "none, with classifier.price, cache, samples or votes"
    if layer is not None:
        raise UserError(f"layer={layer}: {why}; leave layer out")
    return None, why


def of_network(classifier: Any, shapes: dict[str, tuple[int, ...]], layer: str | None) -> Features:
    """A layer of a classifier with `jax_layers`. Raises UserError for a name that it has not."""
    hidden = [name for name in shapes if name not in (SCORES, LOGITS)]
    if layer is not None and layer != PIXELS and layer not in shapes:
        raise unknown_layer(layer, [PIXELS, *shapes])
    name = layer or (hidden[-1] if hidden else PIXELS)
    if name == PIXELS:
        return Features(PIXELS, lambda images: images.reshape(len(images), -1) / 255)
    return Features(name, compiled(classifier, name))


def compiled(classifier: Any, name: str) -> Callable[[Bytes], Any]:
    """The JAX function of a layer, for at most BATCH images a call."""
    import jax

    function: Any = jax.jit(lambda images: mean_over_places(layer_function(classifier)(images)[name]))

    def activations(images: Bytes) -> Any:
        padded = np.zeros((next(size for size in BATCHES if size >= len(images)), *images.shape[1:]), dtype=np.uint8)
        padded[: len(images)] = images
        return np.asarray(function(padded))[: len(images)]

    return activations
