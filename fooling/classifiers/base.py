"""A classifier that counts: what an examination and a valuation cost, beside what the search counts itself."""

from typing import Any, Protocol

import numpy as np

from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats


class Classifier(Protocol):
    """Batch of images in, scores out. Any object with this face can be fooled; see also `dense.DenseNetwork`.

    Optional: `logits(images) -> float32 [N, K]`, what the scores are made of; `fooling plausibility` looks at their energy.
    """

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images that it takes."""

    @property
    def num_classes(self) -> int:
        """K, the number of scores an image."""

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each class, K in all."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights, in hexadecimal: tells in a record which classifier was fooled."""

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] in [0, 1] of images uint8 [N, H, W, C]; they need not sum to 1."""


class CountingClassifier:
    """A classifier that counts the images that it is shown; all else is the classifier's own."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier, self.evaluations = classifier, 0

    def __call__(self, images: Bytes) -> Any:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        self.evaluations += len(images)
        return self.classifier(images)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.classifier, name)
        return self.counting(found) if name == "logits" else found

    def counting(self, logits: Any) -> Any:
        """`logits` of the classifier, which sees the images too."""

        def counted(images: Bytes) -> Any:
            self.evaluations += len(images)
            return logits(images)

        return counted


def probes(shape: tuple[int, ...]) -> Bytes:
    """Five images to ask about: black, white, and three of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    return np.concatenate([np.zeros((1, *shape), np.uint8), np.full((1, *shape), 255, np.uint8), noise])


def ask(classifier: Classifier, images: Bytes) -> Floats:
    """The classifier's scores, float32 [N, K], after checking that they are such."""
    expected = (len(images), classifier.num_classes)
    shown = images.view()
    shown.flags.writeable = False  # what is scored must not change
    answer = classifier(shown)
    try:
        scores = np.asarray(answer)
    except ValueError as error:
        raise UserError(f"classifier: expected float scores {list(expected)}, got no array ({error})") from error
    if scores.shape != expected or scores.dtype.kind != "f":
        raise UserError(f"classifier: expected float scores {list(expected)}, got {scores.dtype} {list(scores.shape)}")
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise UserError(f"classifier: scores of {bad} of {len(images)} images are not finite numbers (NaN or infinite)")
    if scores.min() < 0 or scores.max() > 1.00001:
        low, high = float(scores.min()), float(scores.max())
        raise UserError(f"classifier: expected scores in [0, 1], got {low:.4g} … {high:.4g}; logits need a softmax first")
    return np.ascontiguousarray(scores, dtype=np.float32)
