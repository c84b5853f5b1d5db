"""Accuracy of a classifier on labelled images: as configured, and under whatever else may be what it was trained with.

The usual preprocessings, rows and columns exchanged, channels reversed, ink inverted, classes in another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.base import BATCH, Classifier, predict
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Flags, Floats, Ints

# Usual preprocessings of grey levels: name → scale, mean, std; None is the mean or deviation of the data.
USUAL: dict[str, tuple[float, float | None, float | None]] = {
    "0…1": (1 / 255, 0.0, 1.0),
    "0…255": (1.0, 0.0, 1.0),
    "−1…1": (1 / 255, 0.5, 0.5),
    "0…16": (16 / 255, 0.0, 1.0),
    "dark ink on light": (-1 / 255, -1.0, 1.0),
    "0…1 less the mean": (1 / 255, None, 1.0),
    "0…255 less the mean": (1.0, None, 1.0),
    "mean 0, deviation 1": (1 / 255, None, None),
}
HIGH = 0.95  # of what is possible above chance; below it, more is tried than other preprocessings
FEWEST = 10  # images from which on accuracy is compared with chance …
ONE_CLASS = 0.9  # … unless a larger share of them is of one class
MAX_CLASSES = 2000  # among which an order is sought
TURNED, REVERSED = "rows and columns exchanged", "channels reversed"


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a classifier under one preprocessing."""

    preprocessing: str  # the name in USUAL, or "as stated", or what else was tried
    settings: str  # that choose it
    predicted: Ints  # [N]
    labels: Ints  # [N]
    advice: str = "check classifier.scale, mean and std"
    scores: Floats | None = None  # [N, K], as stated
    scored: bool = True  # whether it took evaluations

    @property
    def is_correct(self) -> Flags:
        """Whether the largest score is the label's, for each image [N]."""
        return np.asarray(self.predicted == self.labels)

    @property
    def share(self) -> float:
        """Accuracy, 0 … 1."""
        return float(self.is_correct.mean())

    @property
    def chance(self) -> float:
        """Accuracy of as many predictions of each class, made without regard to the image (Cohen 1960)."""
        classes = 1 + max(self.labels.max(), self.predicted.max())
        shares = [np.bincount(values, minlength=classes) / len(values) for values in (self.labels, self.predicted)]
        return float(shares[0] @ shares[1])

    @property
    def above_chance(self) -> float:
        """Accuracy above chance, as a share of what is possible."""
        return (self.share - self.chance) / max(1 - self.chance, 1e-9)

    @property
    def is_far_above_chance(self) -> bool:
        """By a quarter of what is possible, and by three standard deviations."""
        return self.above_chance > 0.25 and self.share > self.chance + self.three_deviations

    @property
    def is_of_one_class(self) -> bool:
        """Whether (nearly) all labels are the same: accuracy says nothing against chance then."""
        return bool(np.bincount(self.labels).max() > ONE_CLASS * len(self.labels))

    @property
    def is_near_chance(self) -> bool:
        """By less than a tenth of what is possible, and no more than twice chance; of few images by less than a quarter.

        Very few images, or those of one class, say nothing against chance.
        """
        if len(self.labels) < FEWEST or self.is_of_one_class:
            return False
        margin = max(min(0.1 * (1 - self.chance), self.chance), self.three_deviations)
        return self.share <= self.chance + min(margin, 0.25 * (1 - self.chance))

    @property
    def three_deviations(self) -> float:
        """Three standard deviations of the accuracy of guessing."""
        return float(3 * (self.chance * (1 - self.chance) / len(self.labels)) ** 0.5)

    def exceeds(self, other: "Accuracy") -> bool:
        """Whether it is more accurate than another on the same images, beyond chance (McNemar 1947).

        Of the images that exactly one of two classifies correctly, chance would give each half; by two standard deviations.
        """
        mine, others = (int((a.is_correct & ~b.is_correct).sum()) for a, b in ((self, other), (other, self)))
        return bool(mine - others > 2 * (mine + others) ** 0.5)


def accuracies(classifier: Classifier, data: ImageSet, limit: int = BATCH) -> list[Accuracy]:
    """Accuracy as configured, under the usual other preprocessings of an external model, and by what else may help.

    On at most `limit` images. Raises UserError where the classes or sizes of the data are not the classifier's.
    """
    check_data(classifier, data)
    classifier = getattr(classifier, "plain", classifier)  # its answers for the images themselves
    places = np.linspace(0, len(data.labels) - 1, min(limit, len(data.labels))).astype(int)
    images, labels = data.images[places], data.labels[places].astype(np.int64)
    scores, ways = predict(classifier, images), other_preprocessings(classifier, images)
    rows = [Accuracy("as stated", "", scores.argmax(axis=1), labels, scores=scores)]
    rows += [row for name, inputs in ways.items() for row in measure(classifier, name, inputs, images, labels)]
    best = max(rows, key=lambda row: row.share)
    if best.above_chance < HIGH:
        external: Any = classifier
        start = [external.inputs, ways.get(best.preprocessing, external.inputs)] if hasattr(classifier, "inputs") else []
        for inputs in start[: 1 + (best is not rows[0])]:
            for name, other in other_arrangements(inputs, images.shape).items():
                word = f"transpose={str(other.transpose).lower()}" if name == TURNED else f"channels={other.channels}"
                more = "" if inputs is start[0] else ", and those scale, mean and std"
                rows += measure(classifier, name, other, images, labels, f"give classifier.{word}{more}")
        rows += [] if start else other_images(classifier, images, labels)
    return rows + [other for row in rows for other in renumbered(classifier, row)]


def measure(
    classifier: Any, name: str, inputs: Any, images: Bytes, labels: Ints, advice: str = Accuracy.advice
) -> list[Accuracy]:
    """Accuracy of an external model under another preprocessing; none where the model cannot handle such numbers."""
    try:
        predicted = predict(classifier.with_preprocessing(inputs), images).argmax(axis=1)
    except UserError:
        return []
    return [Accuracy(name, str(inputs).partition(", ")[2], predicted, labels, advice)]


def other_arrangements(inputs: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """A preprocessing with rows and columns exchanged, for square images, and with its channels reversed, for colour."""
    _, height, width, channels = shape
    ways = {TURNED: replace(inputs, transpose=not inputs.transpose)} if height == width else {}
    if channels == 3:
        ways[REVERSED] = replace(inputs, channels="RGB" if inputs.channels == "BGR" else "BGR")
    return ways


def other_images(classifier: Classifier, images: Bytes, labels: Ints) -> list[Accuracy]:
    """Accuracy of a classifier without a preprocessing of ours on images that are changed themselves."""
    changed = {"ink inverted": 255 - images}
    if images.shape[1] == images.shape[2]:
        changed[TURNED] = np.ascontiguousarray(images.swapaxes(1, 2))
    if images.shape[3] == 3:
        changed[REVERSED] = np.ascontiguousarray(images[..., ::-1])
    advice = "the data are not as the classifier learned them; change the data, or the classifier's preprocessing"
    return [Accuracy(name, "", predict(classifier, others).argmax(axis=1), labels, advice) for name, others in changed.items()]


def renumbered(classifier: Any, row: Accuracy) -> list[Accuracy]:
    """Accuracy with the classes in the order that fits the labels best, where that is better beyond chance.

    The order is chosen on one half of the images and evaluated on the other.
    """
    classes, mixed = classifier.num_classes, np.random.default_rng(0).permutation(len(row.labels))
    if classes > MAX_CLASSES:
        return []
    predicted = row.predicted.copy()
    for known, other in ((mixed[::2], mixed[1::2]), (mixed[1::2], mixed[::2])):
        predicted[other] = np.argsort(best_order(row.predicted[known], row.labels[known], classes))[row.predicted[other]]
    order = best_order(row.predicted, row.labels, classes)
    configured = getattr(classifier, "order", ()) or range(classes)
    words = ",".join(str(configured[k]) for k in order)
    settings, advice = f"{row.settings} order={words}".strip(), f"give classifier.order={words}"
    if not hasattr(classifier, "with_preprocessing"):
        settings, advice = "", f"the scores of its classes in the data's order are {words}; renumber the classes of either"
    name = ", ".join([*([row.preprocessing] if row.settings else []), "classes in another order"])
    other_row = Accuracy(name, settings, predicted, row.labels, advice, scored=False)
    return [other_row] if other_row.exceeds(row) and other_row.above_chance > 0.5 else []


def best_order(predicted: Ints, labels: Ints, classes: int) -> Ints:
    """The output for each class, [K], that makes the most predictions right; of equals, the order as it is."""
    from scipy.optimize import linear_sum_assignment  # takes as long to import as a short search takes

    counts = np.zeros((classes, classes)) + np.eye(classes) / 2
    np.add.at(counts, (labels, predicted), 1)
    return np.asarray(linear_sum_assignment(-counts)[1])


def other_preprocessings(classifier: Any, images: Bytes) -> dict[str, Any]:
    """The usual preprocessings but the configured one, with mean and deviation of these images per channel.

    Only an external model (`adapters.adapter.AdaptedClassifier`) has any.
    """
    if not hasattr(classifier, "with_preprocessing"):
        return {}
    configured, others = classifier.inputs, {}
    for name, (scale, mean, std) in USUAL.items():
        means = tuple(images.mean(axis=(0, 1, 2)) * scale) if mean is None else (mean,)
        deviations = tuple(np.maximum(images.std(axis=(0, 1, 2)), 1) * abs(scale)) if std is None else (std,)
        if np.dtype(configured.dtype).kind in "iu" and (scale, mean, std) != USUAL["0…255"]:
            continue
        inputs = replace(configured, scale=scale, mean=means, std=deviations)
        if not np.allclose(inputs.table, configured.table):
            others[name] = inputs
    return others


def preprocessing_note(rows: Sequence[Accuracy]) -> str:
    """A note where accuracy is near chance, or where another way is more accurate beyond chance and far above it, else ''."""
    configured, *others = rows
    best = max([row for row in others if row.scored], key=lambda row: row.share, default=configured)
    best = max([row for row in others if row.exceeds(best)], key=lambda row: row.share, default=best)
    chance = f", near chance ({100 * configured.chance:.1f} %)," if configured.is_near_chance else ""
    found = f"classifier: accuracy is {100 * configured.share:.1f} %{chance} with the configured preprocessing"
    images = f"on {len(configured.labels)} images"
    if best.exceeds(configured) and best.is_far_above_chance:
        way = f"{best.settings} ({best.preprocessing})" if best.settings else best.preprocessing
        return f"{found} but {100 * best.share:.1f} % with {way}, {images}; {best.advice}"
    if configured.is_of_one_class and len(configured.labels) >= FEWEST:
        number = len(np.unique(configured.labels))
        which = "the labelled data have one class" if number == 1 else f"nearly all labelled data are of one class of {number}"
        return f"{found}, {images}; {which}, so that it says nothing against chance"
    tried = "no usual preprocessing, arrangement of the pixels or order of the classes makes it much better"
    return f"{found}, {images}; {tried}; were its classes and images others?" if chance else ""


def check_data(classifier: Classifier, data: ImageSet) -> None:
    """Raises UserError for images of another size, or of other classes."""
    expected, got = tuple(classifier.input_shape), tuple(data.images.shape[1:])
    if expected != got:
        advice = f"data.size={','.join(map(str, expected))} makes them so"
        raise UserError(
            f"data: the classifier takes images {expected}, the data's are {got} (height, width, channels); {advice}"
        )
    if len(data.classes) != classifier.num_classes:
        have = f"the classifier has {classifier.num_classes} classes, the data have {len(data.classes)}"
        raise UserError(
            f"data: {have}; data.classes=[…] gives the classifier's number or label of each of them, in their order"
        )
    check_class_order(classifier.labels, data.classes, "data")


def check_class_order(labels: Sequence[str], others: Sequence[str], source: str) -> None:
    """Raises UserError for the same class names in another order: an index would mean another class."""
    if sorted(labels) == sorted(others) and list(labels) != list(others):
        k = next(k for k, (one, other) in enumerate(zip(labels, others, strict=True)) if one != other)
        difference = f"class {k} is {labels[k]} for the classifier, {others[k]} in the {source}"
        raise UserError(f"{difference}; give statistics and data whose classes are in the classifier's order")
