"""Images to an external model's inputs, and its output to scores in [0, 1]."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import as_array, common_sum
from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.fields import foreign_code

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
Layout = Literal["NHWC", "NCHW", "NHW", "flat"]


@dataclass(frozen=True)
class Preprocessing:
    """x = (grey level · scale − mean) ÷ std in a layout [N, …]; mean and std: one number, or one per channel of the model."""

    layout: Layout
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: npt.DTypeLike = np.float32
    channels: Literal["RGB", "BGR"] = "RGB"  # of the model; images are RGB
    transpose: bool = False  # height and width are exchanged

    @cached_property
    def numbers(self) -> Array:
        """The input of each of 256 grey levels, float64 [1 or C, 256]."""
        mean, std = (np.array(values)[:, None] for values in (self.mean, self.std))
        with np.errstate(over="ignore"):
            return np.asarray((np.arange(256) * self.scale - mean) / std)

    @cached_property
    def table(self) -> Array:
        """The same in the model's type of numbers."""
        return self.numbers.astype(self.dtype)

    def __call__(self, images: Bytes) -> Array:
        """Inputs of images uint8 [N, H, W, C]."""
        return np.ascontiguousarray(LAYOUTS[self.layout](self.scaled(images)))

    def scaled(self, images: Bytes) -> Array:
        """The same, still [N, H, W, C], or [N, W, H, C] if transposed."""
        images = images[..., ::-1] if self.channels == "BGR" else images
        images = images.swapaxes(1, 2) if self.transpose else images
        if len(self.table) == 1:
            return np.asarray(self.table[0][images])
        return np.stack([self.table[c][images[..., c]] for c in range(len(self.table))], axis=-1)

    def __str__(self) -> str:
        """Such as NCHW, scale=0.00392157 mean=0 std=1."""
        mean, std = (",".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        turned = f"{' channels=BGR' * (self.channels == 'BGR')}{' transpose=true' * self.transpose}"
        return f"{self.layout}, scale={self.scale:.6g} mean={mean} std={std}{turned}"


LAYOUTS: dict[str, Any] = {
    "NHWC": lambda x: x,
    "NCHW": lambda x: x.transpose(0, 3, 1, 2),
    "NHW": lambda x: x[..., 0],
    "flat": lambda x: x.reshape(len(x), -1),
}


def dims_of(shape: Shape, layout: str) -> tuple[int, ...]:
    """The input dimensions for an image (H, W, C): (C, H, W) for NCHW, and so on."""
    height, width, channels = shape
    dims = {"NHWC": shape, "NCHW": (channels, height, width), "NHW": (height, width), "flat": (height * width * channels,)}
    return dims[layout]


def layout_of(dims: tuple[int | None, ...]) -> Layout | None:
    """The layout by a model's input dimensions without the batch, None if they leave it open."""
    if len(dims) == 1:
        return "flat"
    if len(dims) == 2:
        return "NHW"
    if len(dims) == 3 and dims[2] in (1, 3) and dims[0] not in (1, 3):
        return "NHWC"
    return "NCHW" if len(dims) == 3 and dims[0] in (1, 3) else None


def shape_in(dims: tuple[int | None, ...], layout: str) -> Shape | None:
    """The images (H, W, C) by a model's input dimensions in a layout, None if they leave it open."""
    if layout == "flat" or None in dims:
        return None
    places = {"NHWC": (0, 1, 2), "NCHW": (1, 2, 0), "NHW": (0, 1)}[layout]
    if len(dims) != len(places):
        return None
    sides = [int(dims[place] or 0) for place in places]
    return sides[0], sides[1], sides[2] if layout != "NHW" else 1


Output = Literal["probability", "logit", "sigmoid", "label"]
SLACK = 1e-3  # by which probabilities may leave [0, 1]


def as_table(answer: Any, rows: int, name: str) -> Array:
    """An output as an array [N, K], or labels [N]. Raises UserError for another shape or number of rows."""
    table: Array = as_array(answer, f"{name}: expected an array [{rows}, classes], got {type(answer).__name__}")
    while table.ndim > 2 and table.shape[-1] == 1:
        table = table[..., 0]
    if not table.ndim or len(table) != rows:
        got = f"{table.dtype} {list(table.shape)}"
        raise UserError(f"{name}: expected a row of scores for each of {rows} images, got {got}")
    if table.dtype == object:
        table = table if table.ndim == 1 and all(isinstance(one, str) for one in table) else as_numbers(table, rows, name)
    is_text = table.dtype.kind in "US" or table.dtype == object
    if table.ndim > 2 or not table.size or table.dtype.kind not in "fiubUOS" or (is_text and table.size != rows):
        raise UserError(f"{name}: expected scores [{rows}, classes], got {table.dtype} {list(table.shape)}")
    return table


def as_numbers(table: Array, rows: int, name: str) -> Array:
    """Python objects as numbers."""
    kind = type(table.flat[0]).__name__ if table.size else "none"
    with foreign_code(f"{name}: expected scores [{rows}, classes], got objects ({kind}) that are no numbers, "):
        return table.astype(np.float64)


def of_classes(answer: Array, output: Output) -> Array:
    """Numbers [N, K]. One number per image is the score of the second of two classes: [N] or [N, 1] → [N, 2]."""
    if output == "label" or answer.dtype.kind not in "fiub" or (answer.ndim == 2 and answer.shape[1] != 1):
        return answer
    flat = answer.reshape(len(answer)).astype(np.float64)
    if output == "probability":
        return np.stack([1 - flat, flat], axis=1)
    part = 1.0 if output == "sigmoid" else 0.5  # so that both sigmoids, or the softmax, give σ(z)
    return np.stack([-part * flat, part * flat], axis=1)


def to_scores(answer: Array, output: Output, name: str, total: float = 1.0) -> Floats:
    """Scores float32 [N, K] of an output of numbers; `total` is what rounded probabilities were multiplied by.

    Raises UserError for other output.
    """
    from scipy.special import expit, softmax  # not needed by built-in networks, whose start-up would pay for it

    if answer.ndim != 2 or answer.dtype.kind not in "fiub":
        got = f"{answer.dtype} {list(answer.shape)}"
        raise UserError(
            f"{name}: expected {output} numbers [{len(answer)}, classes], got {got}; for labels give classifier.output=label"
        )
    if output == "probability":
        low, high = (float(answer.min()), float(answer.max())) if answer.size else (0.0, 0.0)
        if low < -SLACK or high > 1 + max(SLACK, 1 / total if total >= 100 else 0):  # whole numbers were rounded
            shares = "leave classifier.output out" if common_sum(answer) else ""  # of a sum that the test images did not show
            doubt = "" if low < -SLACK else "; divide percentages by 100, bytes by 255 in the model"
            advice = shares or f"for logits give classifier.output=logit, or sigmoid for independent classes{doubt}"
            raise UserError(
                f"{name}: expected probabilities in [0, {total:g}], got {low * total:.4g} … {high * total:.4g}; {advice}"
            )
        return np.clip(answer, 0, 1).astype(np.float32)
    numbers = answer.astype(np.float64)
    if output == "sigmoid":
        return np.asarray(expit(numbers), dtype=np.float32)
    with np.errstate(invalid="ignore"):  # infinite logits become NaN, which `predict` refuses
        return np.asarray(softmax(numbers, axis=1), dtype=np.float32)


def from_labels(answer: Array, labels: tuple[str, ...], name: str) -> Floats:
    """One-hot scores float32 [N, K] of labels [N], which are indices or names of classes."""
    if is_one_hot(answer) and answer.shape[1] == len(labels):
        return np.asarray(answer, dtype=np.float32)
    if answer.ndim == 2 and answer.shape[1] != 1:
        raise UserError(
            f"{name}: expected a label an image, got {answer.dtype} {list(answer.shape)}; leave classifier.output out"
        )
    flat = answer.reshape(len(answer))
    if flat.dtype.kind == "f" and np.array_equal(flat, np.rint(flat)):
        flat = flat.astype(np.int64)
    places = {label: k for k, label in enumerate(labels)}
    numbers = flat.dtype.kind in "iub"
    classes = [places.get(printable(label), int(label) if numbers and 0 <= int(label) < len(labels) else -1) for label in flat]
    if -1 in classes:
        unknown = str(flat[classes.index(-1)])
        raise UserError(f"{name}: expected labels {', '.join(labels[:12])} (classifier.labels), got {unknown!r}")
    return np.eye(len(labels), dtype=np.float32)[classes]


def is_one_hot(answer: Array) -> bool:
    """Whether each row [N, K ≥ 2] is a single 1 among zeros."""
    if answer.ndim != 2 or answer.shape[1] < 2 or answer.dtype.kind not in "fiub":
        return False
    return bool(np.isin(answer, (0, 1)).all() and (answer.sum(axis=1) == 1).all())
