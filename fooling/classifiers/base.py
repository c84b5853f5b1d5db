"""What a classifier is, and how images are scored: one batch, or any number of images in batches."""

import math
import time
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any, Protocol

import numpy as np

from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes, Doubles, Flags, Floats
from fooling.settings.fields import foreign_code

BATCH = 1024  # images a call, wherever a batch has no size of its own
SLACK = 1e-5  # by which rounding may lift a score above 1
TOTALS = (1, 100, 255, 256, 1000, 65535)  # usual sums of shares, which rounding may miss
SAME = 1e-3  # by which sums of equal shares may differ, as a share of them
ROUNDED = 1e-2  # the same where they were rounded, near one of TOTALS

ShapeHint = Callable[[], tuple[tuple[int, int, int] | None, tuple[str, ...]]]  # (H, W, C) and class names of the data at hand


class Classifier(Protocol):
    """The model under test: batch of images in, scores out. Any object with these five parts can be attacked.

    The scores of an image must depend on nothing but the image: not on the batch it comes in, not on its place there. `checks`
    measures this; run.json says `reproducible: exact` or `approximate`.

    Optional parts, each of which some feature uses where it exists:

    - `logits(images) -> float32 [N, K]`: the numbers whose softmax or sigmoid the scores are; for the energy detector.
    - `jax_fn(images) -> float32 [N, K]`: the scores as a pure JAX function; for engine=jax and the gradient searches.
    - `gradient(images, weights) -> float32 [N, H, W, C]`: of Σ weights · scores, of float32 images of grey levels and weights
      float32 [N, K]; for the gradient searches, where there is no `jax_fn`.
    - `jax_layers(images) -> {name: [N, …]}`: the activations of the layers, in order; for search=dream, see `layers`.
    - `members`: the classifiers that an ensemble combines, by their names.
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


def unwrapped(classifier: Any) -> Any:
    """A classifier without those around it that count its images or give its classes other names."""
    while isinstance(classifier, CountingClassifier | NamedClassifier):
        classifier = classifier.classifier
    return classifier


def images_a_score(classifier: Any) -> int:
    """How many images a classifier shows its model for the scores of one: noisy copies, repeated calls, else 1."""
    classifier = unwrapped(classifier)
    own = hasattr(type(classifier), "images_a_score")  # of its class: an object's __getattr__ may answer for every name
    return int(classifier.images_a_score) if own else 1


class CountingClassifier:
    """A classifier that counts the images that its model sees. All other attributes are those of the wrapped classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier, self.evaluations = classifier, 0
        self.seconds: dict[int, float] = {}  # the shortest call, by its number of images

    def __call__(self, images: Bytes) -> Any:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        self.evaluations += len(images) * images_a_score(self.classifier)
        start = time.perf_counter()
        scores = self.classifier(images)
        self.seconds[len(images)] = min(time.perf_counter() - start, self.seconds.get(len(images), math.inf))
        return scores

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.classifier, name)
        return self.count_calls(attribute) if name == "logits" else attribute

    def count_calls(self, logits: Callable[[Bytes], Any]) -> Callable[[Bytes], Any]:
        """`logits` of the classifier: its images count too."""

        def counting_logits(images: Bytes) -> Any:
            self.evaluations += len(images)
            return logits(images)

        return counting_logits


class NamedClassifier:
    """A classifier with other names of its classes. All other attributes are those of the wrapped classifier."""

    def __init__(self, classifier: Classifier, labels: tuple[str, ...]) -> None:
        self.classifier, self.labels = classifier, labels

    def __call__(self, images: Bytes) -> Any:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        return self.classifier(images)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.classifier, name)


WHOLE_IMAGES = (  # a note
    "the classifier scores whole images: faster updates from the changed pixels need a dense network of fooling, as mnist_mlp"
)


def member_fingerprints(classifier: Any) -> dict[str, str]:
    """The fingerprints of the members of an ensemble by their names; {} of any other classifier."""
    members = getattr(classifier, "members", None)
    return {name: member.fingerprint for name, member in members.items()} if isinstance(members, dict) else {}


def fingerprints(classifier: Any) -> set[str]:
    """The fingerprint of a classifier and, of an ensemble, those of its members and theirs."""
    members = classifier.members.values() if member_fingerprints(classifier) else ()
    return {classifier.fingerprint}.union(*map(fingerprints, members))


def name_of(classifier: Any) -> str:
    """What messages call a classifier: where an external model comes from, or the class of an object."""
    name = getattr(getattr(classifier, "model", None), "name", None) if hasattr(classifier, "with_preprocessing") else None
    return name if isinstance(name, str) else type(classifier).__name__


def with_printable_labels(classifier: Classifier) -> Any:
    """A classifier whose class names can be shown anywhere: the same one, or one that has them in printable letters."""
    with foreign_code("classifier: expected labels of text, got others: "):
        labels = tuple(map(printable, classifier.labels))
    same = all(type(old) is str and old == new for old, new in zip(classifier.labels, labels, strict=True))
    if same:
        return classifier
    return replace(classifier, labels=labels) if is_dataclass(classifier) else NamedClassifier(classifier, labels)


def probes(shape: tuple[int, ...]) -> Bytes:
    """Five test images uint8 [5, *shape]: black, white and three of noise, always the same."""
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    return np.concatenate([np.zeros((1, *shape), np.uint8), np.full((1, *shape), 255, np.uint8), noise])


def varied_probes(shape: tuple[int, int, int]) -> Bytes:
    """Thirty more test images uint8 [30, H, W, C]: sparse noise, patches and faint noise, always the same."""
    random, each = np.random.default_rng(1), 10
    height, width, _ = shape
    shares = np.linspace(0.02, 0.6, each)[:, None, None, None]
    sparse = (random.random((each, *shape)) < shares) * 255
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    patches = random.integers(0, 256, (each, 4, 4, shape[2]))[:, rows][:, :, columns]
    faint = random.integers(0, 256, (each, *shape)) * shares
    return np.concatenate([sparse, patches, faint]).astype(np.uint8)


def predict(classifier: Classifier, images: Bytes) -> Floats:
    """Checked scores float32 [N, K] of any number of images uint8 [N, H, W, C], at most `BATCH` of them a call.

    Raises UserError where the classifier's output is no such scores.
    """
    parts = [predict_batch(classifier, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, classifier.num_classes), dtype=np.float32)


def predict_batch(classifier: Classifier, images: Bytes) -> Floats:
    """The same in a single call, for searches, whose populations are batches already.

    An image of one colour may have no finite scores, since a model that divides by the deviation of the image has none: they
    count as 0, the worst.
    """
    scores = finite_or_refused(raw_scores(classifier, images), images)
    if scores.size and (scores.min() < 0 or scores.max() > 1 + SLACK):
        low, high = float(scores.min()), float(scores.max())
        raise UserError(f"classifier: expected scores in [0, 1], got {low:.4g} … {high:.4g}; {advice_on(scores)}")
    return np.ascontiguousarray(scores, dtype=np.float32)


def predict_logits(classifier: Any, images: Bytes) -> Doubles | None:
    """The finite logits [N, K] of any number of images uint8 [N, H, W, C]; None of a classifier that has none.

    Raises UserError where they are of another shape or not finite.
    """
    if not hasattr(classifier, "logits"):
        return None
    with foreign_code("classifier: its logits raised "):
        parts = [classifier.logits(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        logits = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    expected = [len(images), classifier.num_classes]
    if list(logits.shape) != expected or not np.isfinite(logits).all():
        raise UserError(f"classifier: expected finite logits {expected}, got {list(logits.shape)} or NaN")
    return logits


def raw_scores(classifier: Classifier, images: Bytes) -> Floats:
    """The classifier's output for images uint8 [N, H, W, C], of the right shape and type, but of any values."""
    expected = [len(images), classifier.num_classes]
    read_only = images.view()
    read_only.flags.writeable = False  # a classifier must not change the images that are recorded
    with foreign_code(f"classifier: raised on images uint8 {list(images.shape)}: "):
        output = classifier(read_only)
    scores = as_array(output, f"classifier: expected float scores {expected}, got no array")
    if list(scores.shape) != expected or scores.dtype.kind != "f":
        hint = "; divide whole numbers by what stands for 1" if scores.dtype.kind in "iu" and scores.ndim == 2 else ""
        raise UserError(f"classifier: expected float scores {expected}, got {scores.dtype} {list(scores.shape)}{hint}")
    return np.asarray(scores)


def as_array(output: Any, what: str) -> Any:
    """An output as an array, also of tensors that track gradients or lie on a GPU. Raises UserError beginning with `what`."""
    with foreign_code(f"{what} ({type(output).__name__}): "):
        if hasattr(output, "detach") and hasattr(output, "cpu"):  # of torch
            output = output.detach().cpu()
            if output.dtype.is_floating_point and output.dtype.itemsize < np.float32().itemsize:
                output = output.float()  # NumPy has no bfloat16
        return np.asarray(output)


def undefined(scores: Floats) -> Flags:
    """Which rows of scores [N, K] are not finite, [N]."""
    return np.asarray(~np.isfinite(scores).all(axis=1))


def finite_or_refused(scores: Floats, images: Bytes) -> Floats:
    """Scores with 0 for images of one colour that have none. Raises UserError for others that are not finite."""
    missing = undefined(scores)
    if not missing.any():
        return scores
    of_one_colour = (images == images[:, :1, :1]).all(axis=(1, 2, 3))
    if (missing & ~of_one_colour).any():
        count = int(missing.sum())
        raise UserError(f"classifier: expected finite scores, got NaN or infinity for {count} of {len(images)} images")
    return np.where(missing[:, None], scores.dtype.type(0), scores)


def common_sum(numbers: Any) -> float | None:
    """The sum that rows of numbers ≥ 0 [N, K] share, to rounding; None where they share none.

    Rows that are all alike share a sum by chance: then only a usual sum counts.
    """
    if numbers.ndim != 2 or numbers.shape[1] < 2 or not len(numbers) or not numbers.min() >= -SAME:
        return None
    sums = numbers.astype(np.float64).sum(axis=1)
    total, classes = float(np.median(sums)), numbers.shape[1]
    spread, error = float(np.ptp(numbers.astype(np.float64), axis=0).max()), float(np.abs(sums - total).max())
    if total > 0 and np.abs(sums - 1).max() <= SAME:
        return 1.0
    if -np.minimum(numbers, 0).sum(axis=1, dtype=np.float64).min() > SAME * abs(total):
        return None  # shares from which something was subtracted
    whole = np.array_equal(numbers, np.rint(numbers))
    if total > 0 and error <= (0 if whole else SAME * total) and spread > max(10 * error, SAME * total):
        nearest = min(TOTALS, key=lambda usual: abs(usual - total))
        return float(nearest) if abs(nearest - total) <= SAME * total else total
    for usual in TOTALS[1:]:
        low, high = (classes, classes / 2) if whole else (ROUNDED * usual, ROUNDED * usual)  # whole numbers may be cut off
        if (usual >= 4 * classes or not whole) and sums.min() >= usual - low and sums.max() <= usual + high:
            return float(usual)
    return total if whole and 0 < error <= classes / 4 and spread > 3 * error else None


def shifted_sum(numbers: Any) -> float | None:
    """The sum other than 0 that rows [N, K] with negative numbers share, to rounding: that of shares · a + b; else None.

    Rows of logits share no sum, or 0 where their mean is subtracted. Rows that hardly differ share one by chance.
    """
    if numbers.ndim != 2 or numbers.shape[1] < 2 or len(numbers) < 2:
        return None
    values = numbers.astype(np.float64)
    sums, reach, varied = values.sum(axis=1), float(np.ptp(values)), float(np.ptp(values, axis=0).max())
    total, rounding = float(np.median(sums)), numbers.shape[1] / 2 if np.array_equal(values, np.rint(values)) else 0.0
    error = float(np.abs(sums - total).max())
    if error > max(SAME * reach, min(rounding, ROUNDED * reach)) or varied <= max(10 * error, SAME * reach):
        return None
    return total if abs(total) > max(10 * error, SAME * reach) else None


def advice_on(numbers: Any) -> str:
    """What to do with numbers [N, K] that are no scores in [0, 1], so that they become such."""
    total = common_sum(numbers)
    if total is not None and total != 1:
        return f"divide them by {total:g}, which the scores of each image sum to"
    shifted = shifted_sum(numbers) if numbers.min() < 0 else None
    if shifted is not None:
        return f"each row sums to {shifted:.6g}, like shares · a + b: return the probabilities themselves"
    if numbers.min() < 0:
        return "logits need a softmax, or a sigmoid each, first"
    return "logits need a softmax, or a sigmoid each, first; percentages a division by 100, bytes by 255"
