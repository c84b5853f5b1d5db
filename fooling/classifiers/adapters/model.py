"""An external model as its adapter opened it, and what follows from it, the settings and the data at hand together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.adapters.conversion import (
    Layout,
    Output,
    Preprocessing,
    Shape,
    dims_of,
    is_one_hot,
    layout_of,
    shape_in,
)
from fooling.classifiers.base import ShapeHint
from fooling.errors import UserError
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
    paced: bool = False  # whether `predict` keeps classifier.rate itself, in each repetition of a call too
    partial: bool = False  # whether the fingerprint covers only a part of the model: no code, say
    bound: float = 1.0  # that no score exceeds
    scale: float | None = None  # the preprocessing that it declares, where classifier.scale, mean and std leave it open
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layer: Callable[[str | None], Callable[[Any], Any]] | None = None  # see `features`: a name → inputs → activations [n, D]
    jax_fn: Callable[[Any], Any] | None = None  # inputs [n, …] → what `predict` returns, as a pure JAX function
    without_gradients: str = ""  # why it has none, where something could be done about that
    pull: Callable[[Any, Any], Any] | None = None  # inputs, weights [n, K] → the gradient of Σ weights · what `predict` returns


def choose_preprocessing(model: Model, settings: ExternalSettings, layout: Layout, channels: int) -> Preprocessing:
    """The preprocessing of the settings, else of the model, else 0 … 1. Raises UserError for other channels."""
    scale = settings.scale if settings.scale is not None else model.scale
    mean = settings.mean if settings.mean is not None else model.mean or (0.0,)
    std = settings.std if settings.std is not None else model.std or (1.0,)
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise UserError(f"classifier.{name} must be one number, or one for each of {channels} channels")
    factor = scale if scale is not None else 1 / 255
    return Preprocessing(layout, factor, mean, std, model.dtype, settings.channels, settings.transpose)


def choose_order(model: Model, order: tuple[int, ...], classes: int, output: Output) -> tuple[int, ...]:
    """The output of each class. Raises UserError for other numbers than 0 … K − 1, each once."""
    if order and output == "label":
        raise UserError(f"{model.name}: classifier.order: expected scores to be put in order, got labels; leave it out")
    if order and sorted(order) != list(range(classes)):
        got = ",".join(map(str, order[:12]))
        raise UserError(f"{model.name}: classifier.order={got}: expected each of 0 … {classes - 1} once")
    return order


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
