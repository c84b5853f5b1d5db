"""An external model as a classifier: preprocessing, batches, and the meaning of its output."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from fooling.classifiers.adapters.conversion import (
    Layout,
    Output,
    Preprocessing,
    Shape,
    as_table,
    from_labels,
    of_classes,
    to_scores,
)
from fooling.classifiers.adapters.model import (
    Model,
    choose_batch_size,
    choose_labels,
    choose_layout,
    choose_order,
    choose_preprocessing,
    choose_shape,
)
from fooling.classifiers.adapters.reading import PROBABILITIES, Reading, reading_of
from fooling.classifiers.base import ShapeHint, probes, varied_probes
from fooling.errors import Doubt, UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.classifiers import ExternalSettings

IN_JAX = "fooling.classifiers.adapters.differentiable"  # imported where it is used: it imports JAX


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

    def __repr__(self) -> str:
        """In brief: AdaptedClassifier(classifier.path=net.onnx: 224×224×3, 1,000 classes)."""
        size = "×".join(map(str, self.input_shape))
        return f"{type(self).__name__}({self.model.name}: {size}, {self.num_classes:,} classes)"

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
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != tuple(self.input_shape):
            got = f"{getattr(images, 'dtype', type(images).__name__)} {list(np.shape(images))}"
            expected = f"expected an array of images uint8 [N, {', '.join(map(str, self.input_shape))}]"
            raise UserError(f"{self.model.name}: {expected}, grey levels 0 … 255; got {got}")
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

    @property
    def without_gradients(self) -> str:
        """Why there are no gradients; '' where nothing more is known."""
        return self.model.without_gradients

    @property
    def jax_fn(self) -> Callable[[Any], Any]:
        """The scores as a pure JAX function, for a model that is one; see `differentiable`."""
        if not self.model.jax_fn or self.gives_labels:
            raise AttributeError("jax_fn")
        function: Callable[[Any], Any] = import_module(IN_JAX).scores_in_jax(self, self.model.jax_fn)
        return function

    @property
    def callback_fn(self) -> Callable[[Any], Any]:
        """The same with calls back to the model, for one that tells its gradients itself; see `differentiable`."""
        if not self.model.pull or self.gives_labels:
            raise AttributeError("callback_fn")
        return lambda images: import_module(IN_JAX).scores_by_callbacks(self)(images)  # which asks the model, and imports JAX

    @property
    def gradient(self) -> Callable[[Any, Any], Any]:
        """Images float32 [N, H, W, C] of grey levels, weights float32 [N, K] → the gradient of Σ weights · scores."""
        if not (self.model.pull or self.model.jax_fn) or self.gives_labels:
            raise AttributeError("gradient")
        return lambda images, weights: import_module(IN_JAX).gradient_of(self)(images, weights)

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
    inputs = choose_preprocessing(model, settings, layout, shape[2])
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
