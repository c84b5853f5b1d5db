"""What a classifier is, and its examination before use."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Classifier(Protocol):
    """Batch of images in, scores out. Any object with this face can be fooled; see also `networks.SigmoidNetwork`.

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


@dataclass(frozen=True)
class Examination:
    """What the examination found. `exact`: an image's scores depend neither on the batch it comes in nor on its place there."""

    exact: bool
    deviation: float  # largest difference between an image's scores alone, in a batch, in it turned round, and in a large one
    classes: int
    sums_to_one: bool  # the scores of each image, to 0.001
    output: str  # what its scores are made of: probability, logit, sigmoid, label
    shown: str  # how a foreign classifier is shown images; '' of others


MANY = 12  # times as many images in a large batch: 60
TOLERANCE = 1e-3  # foreign classifiers may round differently in a batch; more than this is another answer


def examine(classifier: Classifier, images: Bytes | None = None) -> Examination:
    """Asks the classifier about a few images and refuses one that cannot be searched against.

    Checks: answers float [N, K], finite, in [0, 1], the same twice, and for one image what it says of it in a batch, in any
    order (to 0.001). `images` uint8 [N, H, W, C] stand in for the noise, black and white that are asked by default.
    """
    check_face(classifier)
    batch = probes(classifier.input_shape) if images is None else images
    scores = ask(classifier, batch)
    if not np.array_equal(scores, ask(classifier, batch)):
        raise UserError("classifier: the same images got other scores the second time; switch off dropout and the like")
    alone = np.concatenate([ask(classifier, batch[i : i + 1]) for i in range(len(batch))])
    turned = ask(classifier, np.ascontiguousarray(batch[::-1]))[::-1]
    many = ask(classifier, np.concatenate([batch] * MANY)).reshape(MANY, *scores.shape)
    deviation = float(max(np.abs(other - scores).max() for other in (alone, turned, many)))
    if deviation > TOLERANCE:
        raise UserError(
            f"classifier: an image's scores change by {deviation:.3g} with the batch it comes in; "
            "expected at most 0.001 (is batch normalisation in training mode?)"
        )
    sums_to_one = bool(np.abs(scores.sum(axis=1) - 1).max() <= TOLERANCE)
    output, shown = getattr(classifier, "output", "probability"), str(getattr(classifier, "inputs", ""))
    return Examination(deviation == 0.0, deviation, classifier.num_classes, sums_to_one, output, shown)


def check_face(classifier: Any) -> None:
    """Refuses an object that lacks a part of the face of a classifier, or has a strange one."""
    for name in ("input_shape", "num_classes", "labels", "fingerprint", "__call__"):
        if not hasattr(classifier, name):
            raise UserError(f"classifier: expected an object with the face of fooling.Classifier, this one has no {name}")
    shape, classes, labels = classifier.input_shape, classifier.num_classes, classifier.labels
    whole = isinstance(shape, tuple | list) and len(shape) == 3 and all(isinstance(side, int | np.integer) for side in shape)
    if not whole or min(shape) < 1 or shape[2] not in (1, 3):
        raise UserError(f"classifier: expected input_shape (H, W, C) with 1 or 3 channels, got {shape}")
    if not isinstance(classes, int | np.integer) or classes < 2:
        raise UserError(f"classifier: expected num_classes of at least 2, got {classes}")
    if not isinstance(labels, tuple | list) or len(labels) != classes:
        raise UserError(f"classifier: expected {classes} labels, got {labels}")
    if not isinstance(classifier.fingerprint, str):
        raise UserError(f"classifier: expected a fingerprint of text, got {type(classifier.fingerprint).__name__}")


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
