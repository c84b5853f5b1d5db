"""A foreign model as a classifier: what it is shown, in which batches, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.adapters.conversion import (
    Layout,
    Output,
    Preprocessing,
    Shape,
    as_table,
    dims_of,
    from_labels,
    kind_of,
    layout_of,
    of_classes,
    shape_in,
    to_scores,
)
from fooling.classifiers.base import probes
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.classifiers import ExternalSettings as Chosen

ShapeHint = Callable[[], tuple[Shape | None, tuple[str, ...]]]  # shape and names of the classes of the images at hand
LARGEST = 4096  # images a call, where nobody says how many


@dataclass(frozen=True)
class Model:
    """A foreign model as its adapter opened it, and what it says of itself."""

    predict: Callable[[Any], Any]  # inputs [n, …] → scores [n, K] or labels [n]
    name: str  # in messages
    fingerprint: str  # SHA-256
    layout: Layout  # where neither settings nor dims say
    dims: tuple[int | None, ...] | None = None  # of its inputs without the batch; None: unknown, also of one of them
    batch: int | None = None  # it takes exactly so many
    dtype: npt.DTypeLike = np.float32
    most: int = LARGEST  # images a call, where nobody says how many
    output: Output | None = None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()  # what a user must know


@dataclass
class AdaptedClassifier:
    """A classifier: a foreign model with what is needed to show it images and to read its answers."""

    model: Model
    inputs: Preprocessing
    input_shape: Shape
    output: Output
    labels: tuple[str, ...]
    most: int  # images a call; halved where memory runs out
    fixed: bool = False  # exactly so many: fewer are filled up with black

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model."""
        return self.model.fingerprint

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user must know."""
        return self.model.notes

    @property
    def gives_labels(self) -> bool:
        """Whether it says only which class: scores are 0 and 1, and nothing can be searched for."""
        return self.output == "label"

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        if not len(images):
            return np.empty((0, self.num_classes), dtype=np.float32)
        if self.gives_labels:
            return from_labels(self.answer(images), self.labels, self.model.name)
        scores = to_scores(of_classes(self.answer(images), self.output), self.output, self.model.name)
        if scores.shape[1] != self.num_classes:
            raise UserError(f"{self.model.name}: expected {self.num_classes} scores an image, got {scores.shape[1]}")
        return scores

    @property
    def logits(self) -> Callable[[Bytes], Floats]:
        """What the scores are made of, where the model gives that: images → float32 [N, K]."""
        if self.output not in ("logit", "sigmoid"):
            raise AttributeError("logits")
        return lambda images: of_classes(self.answer(images), self.output).astype(np.float32)

    def answer(self, images: Bytes) -> Any:
        """The model's own numbers [N, K], or labels [N]."""
        parts: list[Any] = []
        at = 0
        while at < len(images):
            some = images[at : at + self.most]
            try:
                parts.append(self.one_batch(some))
            except Exception as error:
                if not self.halved(error, len(some)):
                    raise
            else:
                at += self.most
        return np.concatenate(parts)

    def one_batch(self, images: Bytes) -> Any:
        """The same for at most as many as one call takes."""
        rows = self.most if self.fixed else len(images)
        shown = self.inputs(images)
        if len(shown) < rows:
            shown = np.concatenate([shown, np.repeat(self.inputs(np.zeros_like(images[:1])), rows - len(shown), axis=0)])
        answer = as_table(self.model.predict(shown), rows, self.model.name)[: len(images)]
        return np.array(answer)  # the model may use its memory again for the next batch

    def halved(self, error: Exception, size: int) -> bool:
        """Whether a call may be repeated with half as many: memory ran out, and no size is prescribed."""
        if self.fixed or size < 2 or not (isinstance(error, TooManyError) or out_of_memory(error)):
            return False
        self.most = max(1, size // 2)
        return True

    def seen_as(self, inputs: Preprocessing) -> "AdaptedClassifier":
        """The same model, shown images in another way."""
        return replace(self, inputs=inputs)


class TooManyError(UserError):
    """A server takes no batch of that size."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or its cause, says that memory ran out: libraries have many words for it."""
    if error is None:
        return False
    said = str(error).lower()
    words = ("out of memory", "out_of_memory", "alloc_failed", "bad_alloc", "failed to allocate", "allocate memory")
    return isinstance(error, MemoryError) or any(word in said for word in words) or out_of_memory(error.__cause__)


def adapt(model: Model, chosen: Chosen, like: ShapeHint) -> AdaptedClassifier:
    """Fits a model to images, by the settings, by what it says of itself, and by its answers to the first images."""
    layout: Layout = choose_layout(model, chosen)
    shape = choose_shape(model, chosen, layout, like)
    if layout == "NHW" and shape[2] != 1:
        raise UserError(f"{model.name}: classifier.layout=NHW is of grey images, got {shape}; give NHWC, NCHW or flat")
    for name in ("mean", "std"):
        if len(getattr(chosen, name)) not in (1, shape[2]):
            raise UserError(f"classifier.{name} must be one number, or one for each of {shape[2]} channels")
    inputs = Preprocessing(layout, chosen.scale, chosen.mean, chosen.std, model.dtype)
    refuse_unfit(inputs, model)
    most, fixed = batches(model, chosen.batch_size)
    first = AdaptedClassifier(model, inputs, shape, "probability", (), most, fixed)
    answer = first.answer(probes(shape))
    output = model.output or kind_of(answer) if chosen.output == "auto" else chosen.output
    labels = choose_labels(model, chosen, of_classes(answer, output), output, like)
    return replace(first, output=output, labels=labels, most=first.most)


def refuse_unfit(inputs: Preprocessing, model: Model) -> None:
    """Refuses inputs that all look alike, or that the numbers of a model do not hold."""
    numbers, dtype = inputs.numbers, np.dtype(model.dtype)
    if not np.isfinite(numbers).all() or (np.ptp(numbers, axis=1) == 0).any():
        raise UserError(f"{model.name}: {inputs} tell no grey levels apart; give another classifier.scale, mean or std")
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if not np.array_equal(numbers, np.rint(numbers)) or numbers.min() < low or numbers.max() > high:
            what = f"takes whole numbers {low} … {high} ({dtype}); grey levels become {numbers.min():.6g} … {numbers.max():.6g}"
            raise UserError(f"{model.name}: {what}, by {inputs}; give classifier.scale=1, or a mean that fits")


def choose_layout(model: Model, chosen: Chosen) -> Layout:
    """What the settings say, or the model, or what is usual."""
    if chosen.layout != "auto":
        return chosen.layout
    return (layout_of(model.dims) if model.dims else None) or model.layout


def choose_shape(model: Model, chosen: Chosen, layout: Layout, like: ShapeHint) -> Shape:
    """The images (H, W, C): what the settings say, or the model, or those at hand. Refuses what the model does not take."""
    found = chosen.shape or (shape_in(model.dims, layout) if model.dims else None) or like()[0]
    if not found:
        raise UserError(f"{model.name}: does not say how large its images are; give classifier.shape=H,W,C")
    shape = found[0], found[1], found[2]
    if shape[2] not in (1, 3):
        takes = " × ".join(map(str, model.dims or shape))
        raise UserError(
            f"{model.name}: takes {takes} an image, as {layout} that is {shape[2]} channels; give classifier.layout"
        )
    dims = dims_of(shape, layout)
    if model.dims and not (len(dims) == len(model.dims) and all(map(agrees, dims, model.dims))):
        takes = " × ".join("?" if side is None else str(side) for side in model.dims)
        shown = " × ".join(map(str, dims))
        advice = "give classifier.layout and classifier.shape=H,W,C as the model needs, or statistics and data of such images"
        raise UserError(f"{model.name}: takes {takes} an image; images {shape} as {layout} are {shown}; {advice}")
    return shape


def agrees(side: int, known: int | None) -> bool:
    """Whether a side is what the model says of it, if it does."""
    return known in (None, side)


def choose_labels(model: Model, chosen: Chosen, answer: Any, output: Output, like: ShapeHint) -> tuple[str, ...]:
    """The names of the classes: given, the model's own, those of the images at hand, or numbers."""
    labels = chosen.labels or model.labels
    if output == "label":
        if not (labels or like()[1]):
            raise UserError(f"{model.name}: gives labels only, and not how many there are; give classifier.labels=[a,b,…]")
        return tuple(labels or like()[1])
    classes = answer.shape[1] if answer.ndim == 2 else 0
    if classes < 2:
        got = f"{answer.dtype} {list(answer.shape)}"
        raise UserError(f"{model.name}: expected scores of two or more classes, got {got}; labels are classifier.output=label")
    if labels and len(labels) != classes:
        whose = "classifier.labels" if chosen.labels else "its labels"
        raise UserError(f"{model.name}: gives {classes} scores an image, but {whose} are {len(labels)}")
    at_hand = () if labels else like()[1]
    return tuple(labels or (at_hand if len(at_hand) == classes else map(str, range(classes))))


def batches(model: Model, text: str) -> tuple[int, bool]:
    """Images a call, and whether exactly so many: of the model, or of the setting auto, 64 or fixed:64."""
    word, _, number = text.rpartition(":")
    if model.batch:
        if text not in ("auto", f"fixed:{model.batch}"):
            raise UserError(f"{model.name}: takes exactly {model.batch} images a call; leave classifier.batch_size={text} out")
        return model.batch, True
    return (model.most, False) if text == "auto" else (int(number), word == "fixed")
