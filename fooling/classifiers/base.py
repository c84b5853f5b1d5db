"""What a classifier is, and how images are scored: one batch, or any number of images in batches."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.fields import same_folder

BATCH = 1024  # images a call, wherever a batch has no size of its own
SLACK = 1e-5  # by which rounding may lift a score above 1

ShapeHint = Callable[[], tuple[tuple[int, int, int] | None, tuple[str, ...]]]  # (H, W, C) and class names of the data at hand


class Classifier(Protocol):
    """The model under test: batch of images in, scores out. Any object with these five parts can be attacked.

    The scores of an image must depend on nothing but the image: not on the batch it comes in, not on its place there. `checks`
    measures this; run.json says `reproducible: exact` or `approximate`.

    Optional parts, each of which some feature uses where it exists:

    - `logits(images) -> float32 [N, K]`: the numbers whose softmax or sigmoid the scores are; for the energy detector.
    - `jax_fn(images) -> float32 [N, K]`: the scores as a pure JAX function; for engine=jax and the gradient searches.
    - `jax_layers(images) -> {name: [N, …]}`: the activations of the layers, in order; for search=dream, see `layers`.
    - `linear_head`: weights float32 [P, M] and bias [M] of a first layer on a fixed-point grid; for delta evaluation.
    """

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images, C = 1 or 3."""

    @property
    def num_classes(self) -> int:
        """K, the number of scores per image, at least 2."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the K classes."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights, in hexadecimal. A record names the classifier by it."""

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] in [0, 1] of images uint8 [N, H, W, C]. They need not sum to 1."""


class CountingClassifier:
    """A classifier that counts the images that are scored. All other attributes are those of the wrapped classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier, self.evaluations = classifier, 0

    def __call__(self, images: Bytes) -> Any:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        self.evaluations += len(images)
        return self.classifier(images)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.classifier, name)
        return self.count_calls(attribute) if name == "logits" else attribute

    def count_calls(self, logits: Callable[[Bytes], Any]) -> Callable[[Bytes], Any]:
        """`logits` of the classifier: its images count too."""

        def counting_logits(images: Bytes) -> Any:
            self.evaluations += len(images)
            return logits(images)

        return counting_logits


def probes(shape: tuple[int, ...]) -> Bytes:
    """Five test images uint8 [5, *shape]: black, white and three of noise, always the same."""
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    return np.concatenate([np.zeros((1, *shape), np.uint8), np.full((1, *shape), 255, np.uint8), noise])


def predict(classifier: Classifier, images: Bytes) -> Floats:
    """Checked scores float32 [N, K] of any number of images uint8 [N, H, W, C], at most `BATCH` of them a call.

    Raises UserError where the classifier's output is no such scores.
    """
    parts = [predict_batch(classifier, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, classifier.num_classes), dtype=np.float32)


def predict_batch(classifier: Classifier, images: Bytes) -> Floats:
    """The same in a single call, for searches, whose populations are batches already."""
    expected = (len(images), classifier.num_classes)
    read_only = images.view()
    read_only.flags.writeable = False  # a classifier must not change the images that are recorded
    with same_folder():
        output = classifier(read_only)
    try:
        scores = np.asarray(output)
    except ValueError as error:
        raise UserError(f"classifier: expected float scores {list(expected)}, got no array ({error})") from error
    if scores.shape != expected or scores.dtype.kind != "f":
        raise UserError(f"classifier: expected float scores {list(expected)}, got {scores.dtype} {list(scores.shape)}")
    if not np.isfinite(scores).all():
        count = int((~np.isfinite(scores).all(axis=1)).sum())
        raise UserError(f"classifier: expected finite scores, got NaN or infinity for {count} of {len(images)} images")
    if scores.size and (scores.min() < 0 or scores.max() > 1 + SLACK):
        low, high = float(scores.min()), float(scores.max())
        raise UserError(f"classifier: expected scores in [0, 1], got {low:.4g} … {high:.4g}; logits need a softmax first")
    return np.ascontiguousarray(scores, dtype=np.float32)
