"""An external model as a classifier: preprocessing, batches, and the meaning of its output."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
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
    is_one_hot,
    layout_of,
    of_classes,
    shape_in,
    to_scores,
)
from fooling.classifiers.adapters.reading import PROBABILITIES, Reading, reading_of
from fooling.classifiers.base import ShapeHint, probes, varied_probes
from fooling.errors import Doubt, UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.classifiers import ExternalSettings

MAX_SIDE = 4096  # of an image
BATCH_SIZE, NUMBERS = 4096, 1 << 23  # images a call, and all their pixels, unless the model or classifier.batch_size says


@dataclass(frozen=True)
class Model:
    """An external model as its adapter opened it, and what it declares."""

    predict: Callable[[Any], Any]  # inputs [n, …] → scores [n, K] or labels [n]
    name: str  # in messages
    fingerprint: str  # SHA-256
    layout: Layout  # unless settings or dims say otherwise
    dims: tuple[int | None, ...] | None = None  # of its inputs without the batch; None: unknown, as a whole or in one place
    batch: int | None = None  # the only batch size that it accepts
    dtype: npt.DTypeLike = np.float32
    batch_size: int = BATCH_SIZE  # images a call, unless classifier.batch_size says otherwise
    halve_after: type[Exception] = Exception  # failures after which a smaller batch may succeed
    output: Output | None = None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()  # for the user
    partial: bool = False  # whether the fingerprint covers only a part of the model: no code, say
    bound: float = 1.0  # that no score exceeds


@dataclass
class AdaptedClassifier:
    """A classifier: an external model with its preprocessing, its batches and the meaning of its output."""

    model: Model
    inputs: Preprocessing
    input_shape: Shape
    output: Output
    labels: tuple[str, ...]
    batch_size: int  # images a call; halved after a failure
    fixed: bool = False  # exactly so many: a smaller batch is padded with black
    reading: Reading = PROBABILITIES  # what the output's numbers mean
    order: tuple[int, ...] = ()  # the output of each class; (): as they come

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model."""
        return self.model.fingerprint

    @property
    def partial_fingerprint(self) -> bool:
        """Whether the fingerprint covers only a part of the model."""
        return self.model.partial

    @property
    def bound(self) -> float:
        """What no score exceeds."""
        return self.model.bound if self.output == "logit" else 1.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        notes = [*self.model.notes, *([self.reading.note] if self.reading.note else [])]
        if self.bound < 1:
            below = np.floor(self.bound * 20 - 1) / 20
            what = f"these logits are bounded: no score exceeds {self.bound:.1%}"
            notes.append(
                Doubt(f"classifier: {what}; give threshold={below:g}, or fit it with probabilities (CalibratedClassifierCV)")
            )
        return tuple(notes)

    @property
    def gives_labels(self) -> bool:
        """Whether the output is the class alone: scores are then 0 and 1 and cannot be attacked."""
        return self.output == "label"

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        if not len(images):
            return np.empty((0, self.num_classes), dtype=np.float32)
        if self.gives_labels:
            return from_labels(self.raw_output(images), self.labels, self.model.name)
        return to_scores(self.numbers(images), self.output, self.model.name, self.reading.total)

    @property
    def logits(self) -> Callable[[Bytes], Floats]:
        """The inputs of the softmax or sigmoids, for a model that outputs them: images → float32 [N, K]."""
        if self.output not in ("logit", "sigmoid"):
            raise AttributeError("logits")
        return lambda images: self.numbers(images).astype(np.float32)

    def numbers(self, images: Bytes) -> Any:
        """The model's output as numbers [N, K] in the order of the classes. Raises UserError for another number of classes."""
        answer, total = self.raw_output(images), self.reading.total
        numbers = of_classes(answer / total if total != 1 and answer.dtype.kind in "fiub" else answer, self.output)
        if self.labels and (numbers.ndim != 2 or numbers.shape[1] != self.num_classes):
            got = f"{numbers.shape[1] if numbers.ndim == 2 else 'one number'}"
            raise UserError(f"{self.model.name}: expected {self.num_classes} scores an image, got {got}")
        return numbers[:, self.order] if self.order else numbers

    def raw_output(self, images: Bytes) -> Any:
        """The model's output: numbers [N, K] or labels [N].

        After a failure of a batch of more than one image the batch size is halved. The error is the one of the first failure,
        if no smaller batch succeeds.
        """
        parts: list[Any] = []
        start, size, first_error = 0, self.batch_size, None
        while start < len(images):
            batch = images[start : start + size]
            inputs = self.padded_inputs(batch)
            try:
                output = self.model.predict(inputs)
            except self.model.halve_after as error:
                first_error = first_error or error
                if self.fixed or len(batch) < 2:
                    raise first_error from first_error.__cause__
                size = len(batch) // 2
                continue
            table = as_table(output, len(inputs), self.model.name)[: len(batch)]
            if parts and table.shape[1:] != parts[0].shape[1:]:
                got = f"{list(parts[0].shape[1:])} for one batch and {list(table.shape[1:])} for another"
                raise UserError(f"{self.model.name}: expected as many scores for every image, got {got}")
            parts.append(np.array(table))  # a copy: the model may reuse its memory for the next batch
            start, self.batch_size, first_error = start + size, size, None
        return np.concatenate(parts)

    def padded_inputs(self, images: Bytes) -> Any:
        """The model's inputs for a batch, filled up with black where its size is fixed."""
        inputs = self.inputs(images)
        missing = self.batch_size - len(images) if self.fixed else 0
        if not missing:
            return inputs
        return np.concatenate([inputs, np.repeat(self.inputs(np.zeros_like(images[:1])), missing, axis=0)])

    def with_preprocessing(self, inputs: Preprocessing) -> "AdaptedClassifier":
        """The same model with another preprocessing."""
        return replace(self, inputs=inputs)


def adapt(model: Model, settings: ExternalSettings, hint: ShapeHint) -> AdaptedClassifier:
    """A model as a classifier, by the settings, by what the model declares, and by its output for a few images.

    Raises UserError where these contradict each other.
    """
    layout: Layout = choose_layout(model, settings)
    shape = choose_shape(model, settings, layout, hint)
    if layout == "NHW" and shape[2] != 1:
        raise UserError(f"{model.name}: classifier.layout=NHW: expected grey images, got {shape}; give NHWC, NCHW or flat")
    for name in ("mean", "std"):
        if len(getattr(settings, name)) not in (1, shape[2]):
            raise UserError(f"classifier.{name} must be one number, or one for each of {shape[2]} channels")
    inputs = Preprocessing(
        layout, settings.scale, settings.mean, settings.std, model.dtype, settings.channels, settings.transpose
    )
    check_preprocessing(inputs, model)
    batch_size, fixed = choose_batch_size(model, settings.batch_size, prod(shape))
    trial = AdaptedClassifier(model, inputs, shape, "probability", (), batch_size, fixed)
    numbers = try_out(trial, settings)
    stated = model.output if settings.output == "auto" or settings.output == "top" else settings.output
    known = settings.labels or model.labels
    reading = reading_of(numbers, stated, model.name, len(known) if known else None)
    labels = choose_labels(model, settings, of_classes(numbers, reading.output), reading.output, hint)
    order = choose_order(model, settings.order, len(labels), reading.output)
    return replace(trial, output=reading.output, labels=labels, reading=reading, order=order)


def try_out(trial: AdaptedClassifier, settings: ExternalSettings) -> Any:
    """The output for a few images. Raises UserError; where their size is not the model's own, it is named."""
    shape = trial.input_shape
    try:
        return trial.raw_output(np.concatenate([probes(shape), varied_probes(shape)]))
    except UserError as error:
        if settings.shape or (trial.model.dims and None not in trial.model.dims):
            raise
        advice = f"the images {shape} are those of the data or statistics; give classifier.shape=H,W,C if the model's differ"
        raise UserError(f"{error}; {advice}") from error


def choose_order(model: Model, order: tuple[int, ...], classes: int, output: Output) -> tuple[int, ...]:
    """The output of each class. Raises UserError for other numbers than 0 … K − 1, each once."""
    if order and output == "label":
        raise UserError(f"{model.name}: classifier.order: expected scores to be put in order, got labels; leave it out")
    if order and sorted(order) != list(range(classes)):
        got = ",".join(map(str, order[:12]))
        raise UserError(f"{model.name}: classifier.order={got}: expected each of 0 … {classes - 1} once")
    return order


def check_preprocessing(inputs: Preprocessing, model: Model) -> None:
    """Raises UserError for inputs that are all equal, or outside of the model's type of numbers."""
    numbers, dtype = inputs.numbers, np.dtype(model.dtype)
    if not np.isfinite(numbers).all() or (np.ptp(numbers, axis=1) == 0).any():
        raise UserError(f"{model.name}: {inputs} tell no grey levels apart; give another classifier.scale, mean or std")
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if not np.array_equal(numbers, np.rint(numbers)) or numbers.min() < low or numbers.max() > high:
            what = f"takes whole numbers {low} … {high} ({dtype}), grey levels become {numbers.min():.6g} … {numbers.max():.6g}"
            raise UserError(f"{model.name}: {what}, by {inputs}; give classifier.scale=1, or a mean that fits")


def choose_layout(model: Model, settings: ExternalSettings) -> Layout:
    """The layout of the settings, of the model, or the framework's usual one."""
    if settings.layout != "auto":
        return settings.layout
    return (layout_of(model.dims) if model.dims else None) or model.layout


def choose_shape(model: Model, settings: ExternalSettings, layout: Layout, hint: ShapeHint) -> Shape:
    """The shape (H, W, C) of the settings, of the model, or of the data at hand. Raises UserError if the model takes others."""
    declared = shape_in(model.dims, layout) if model.dims else None
    choice = settings.shape or (turned(declared, settings.transpose) if declared else None) or hint()[0]
    if not choice:
        advice = "give classifier.shape=H,W,C (in Python shape=(28, 28, 1))"
        raise UserError(f"{model.name}: does not declare the size of its images; {advice}")
    shape = choice[0], choice[1], choice[2]
    if shape[2] not in (1, 3):
        takes = " × ".join(map(str, model.dims or shape))
        raise UserError(
            f"{model.name}: takes {takes} an image, as {layout} that is {shape[2]} channels; give classifier.layout"
        )
    if max(shape) > MAX_SIDE:
        raise UserError(f"{model.name}: takes images of {shape[0]} × {shape[1]} pixels; expected sides up to {MAX_SIDE}")
    dims = dims_of(turned(shape, settings.transpose), layout)
    if model.dims and not (len(dims) == len(model.dims) and all(map(agrees, dims, model.dims))):
        takes = " × ".join("?" if side is None else str(side) for side in model.dims)
        got = " × ".join(map(str, dims))
        advice = "give classifier.shape=H,W,C and classifier.layout, or data or statistics of the model's images"
        raise UserError(f"{model.name}: takes {takes} per image; images {shape} with layout {layout} are {got}; {advice}")
    return shape


def turned(shape: Shape, transpose: bool) -> Shape:
    """A shape (H, W, C) with height and width exchanged, if so."""
    return (shape[1], shape[0], shape[2]) if transpose else shape


def agrees(side: int, known: int | None) -> bool:
    """Whether a side is the one that the model declares, if it declares one."""
    return known in (None, side)


def choose_labels(model: Model, settings: ExternalSettings, numbers: Any, output: Output, hint: ShapeHint) -> tuple[str, ...]:
    """The class names of the settings, of the model, of the data at hand, or numbers."""
    labels = settings.labels or model.labels
    if output == "label" and not is_one_hot(numbers):
        if not (labels or hint()[1]):
            raise UserError(f"{model.name}: outputs labels only, not how many there are; give classifier.labels=[a,b,…]")
        return tuple(labels or hint()[1])
    classes = numbers.shape[1] if numbers.ndim == 2 else 0
    if classes < 2:
        got = f"{numbers.dtype} {list(numbers.shape)}"
        raise UserError(
            f"{model.name}: expected scores of two or more classes, got {got}; for labels give classifier.output=label"
        )
    if labels and len(labels) != classes:
        source = "classifier.labels" if settings.labels else "its labels"
        raise UserError(f"{model.name}: outputs {classes} scores an image, but {source} are {len(labels)}")
    at_hand = () if labels else hint()[1]
    return tuple(labels or (at_hand if len(at_hand) == classes else map(str, range(classes))))


def choose_batch_size(model: Model, text: str, pixels: int) -> tuple[int, bool]:
    """Images of so many pixels a call, and whether exactly so many, of the model or of the setting (auto, 64 or fixed:64)."""
    word, _, number = text.rpartition(":")
    if model.batch:
        if text not in ("auto", f"fixed:{model.batch}"):
            raise UserError(f"{model.name}: takes exactly {model.batch} images a call; leave classifier.batch_size={text} out")
        return model.batch, True
    most = max(1, min(model.batch_size, NUMBERS // pixels))
    return (most, False) if text == "auto" else (int(number), word == "fixed")
