"""What a foreign model answers, as scores in [0, 1]: which kind of numbers it is, and what becomes of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
Layout = Literal["NHWC", "NCHW", "NHW", "flat"]


@dataclass(frozen=True)
class Preprocessing:
    """x = (grey level · scale − mean) ÷ std, as [N, …] of the layout; mean and std are one number, or one a channel."""

    layout: Layout
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: npt.DTypeLike = np.float32

    @cached_property
    def numbers(self) -> Array:
        """What each of 256 grey levels becomes, float64 [1 or C, 256]."""
        mean, std = (np.array(values)[:, None] for values in (self.mean, self.std))
        with np.errstate(over="ignore"):
            return np.asarray((np.arange(256) * self.scale - mean) / std)

    @cached_property
    def table(self) -> Array:
        """The same as the model's numbers."""
        return self.numbers.astype(self.dtype)

    def __call__(self, images: Bytes) -> Array:
        """Inputs of images uint8 [N, H, W, C]."""
        return np.ascontiguousarray(LAYOUTS[self.layout](self.scaled(images)))

    def scaled(self, images: Bytes) -> Array:
        """The same, still [N, H, W, C]."""
        if len(self.table) == 1:
            return np.asarray(self.table[0][images])
        return np.stack([self.table[c][images[..., c]] for c in range(len(self.table))], axis=-1)

    def __str__(self) -> str:
        """Such as NCHW, scale=0.00392157 mean=0 std=1."""
        mean, std = (",".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        return f"{self.layout}, scale={self.scale:.6g} mean={mean} std={std}"


LAYOUTS: dict[str, Any] = {
    "NHWC": lambda x: x,
    "NCHW": lambda x: x.transpose(0, 3, 1, 2),
    "NHW": lambda x: x[..., 0],
    "flat": lambda x: x.reshape(len(x), -1),
}


def dims_of(shape: Shape, layout: str) -> tuple[int, ...]:
    """What a model is shown of an image (H, W, C): (C, H, W) for NCHW, and so on."""
    height, width, channels = shape
    dims = {"NHWC": shape, "NCHW": (channels, height, width), "NHW": (height, width), "flat": (height * width * channels,)}
    return dims[layout]


def layout_of(dims: tuple[int | None, ...]) -> Layout | None:
    """The layout that a model's input dimensions without the batch tell, None if they do not."""
    if len(dims) == 1:
        return "flat"
    if len(dims) == 2:
        return "NHW"
    if len(dims) == 3 and dims[2] in (1, 3) and dims[0] not in (1, 3):
        return "NHWC"
    return "NCHW" if len(dims) == 3 and dims[0] in (1, 3) else None


def shape_in(dims: tuple[int | None, ...], layout: str) -> Shape | None:
    """The images (H, W, C) that a model's input dimensions tell in a layout, None if they leave it open."""
    if layout == "flat" or None in dims:
        return None
    places = {"NHWC": (0, 1, 2), "NCHW": (1, 2, 0), "NHW": (0, 1)}[layout]
    if len(dims) != len(places):
        return None
    found = [int(dims[place] or 0) for place in places]
    return found[0], found[1], found[2] if layout != "NHW" else 1


Output = Literal["probability", "logit", "sigmoid", "label"]
SLACK = 1e-3  # of sums of probabilities, and of what may stick out of [0, 1]


def as_table(answer: Any, rows: int, name: str) -> Array:
    """An answer as an array [N, K], or labels [N]. Raises UserError for another shape or number of rows."""
    try:
        found = np.asarray(answer)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name}: expected an array [{rows}, classes], got {type(answer).__name__} ({error})") from error
    while found.ndim > 2 and found.shape[-1] == 1:
        found = found[..., 0]
    if not found.ndim or len(found) != rows:
        got = f"{found.dtype} {list(found.shape)}"
        raise UserError(f"{name}: expected a row of scores for each of {rows} images, got {got}")
    if found.dtype == object:
        found = found if found.ndim == 1 and all(isinstance(one, str) for one in found) else as_numbers(found, rows, name)
    if found.ndim > 2 or found.dtype.kind not in "fiubUOS" or (found.dtype.kind in "US" and found.size != rows):
        raise UserError(f"{name}: expected scores [{rows}, classes], got {found.dtype} {list(found.shape)}")
    return found


def as_numbers(found: Array, rows: int, name: str) -> Array:
    """Python objects as the numbers that they are."""
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: expected scores [{rows}, classes], got objects such as {str(found.flat[0])[:80]}") from error


def kind_of(answer: Array) -> Output:
    """Which kind of numbers the answers [N, K] or [N] to the first images are.

    One a row are labels if they are whole, else those of the second of two classes. Numbers in [0, 1] are probabilities, also
    where they do not sum to 1; others are logits. Logarithms of probabilities count as logits: a softmax gives them back.
    """
    one = answer.ndim == 1 or answer.shape[1] == 1
    if one and (answer.dtype.kind != "f" or np.array_equal(answer, np.rint(answer))):
        return "label"
    within = answer.min() >= -SLACK and answer.max() <= 1 + SLACK
    return "probability" if within else "logit"


def of_classes(answer: Array, output: Output) -> Array:
    """Numbers [N, K]; one number an image, of the second of two classes, becomes one for each: [N] or [N, 1] → [N, 2]."""
    if output == "label" or answer.dtype.kind != "f" or (answer.ndim == 2 and answer.shape[1] != 1):
        return answer
    flat = answer.reshape(len(answer)).astype(np.float64)
    if output == "probability":
        return np.stack([1 - flat, flat], axis=1)
    part = 1.0 if output == "sigmoid" else 0.5  # so that both sigmoids, or the softmax, give σ(z)
    return np.stack([-part * flat, part * flat], axis=1)


def to_scores(answer: Array, output: Output, name: str) -> Floats:
    """Scores float32 [N, K] of an answer that is no label."""
    if answer.ndim != 2 or answer.dtype.kind not in "fiub":
        got = f"{answer.dtype} {list(answer.shape)}"
        raise UserError(
            f"{name}: expected {output} numbers [{len(answer)}, classes], got {got}; labels are classifier.output=label"
        )
    if output == "probability":
        low, high = (float(answer.min()), float(answer.max())) if answer.size else (0.0, 0.0)
        if low < -SLACK or high > 1 + SLACK:
            advice = "give classifier.output=logit, or sigmoid for outputs of their own"
            raise UserError(f"{name}: expected probabilities in [0, 1], got {low:.4g} … {high:.4g}; {advice}")
        return np.clip(answer, 0, 1).astype(np.float32)
    numbers = answer.astype(np.float64)
    if output == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(numbers, -700, 700))), dtype=np.float32)
    with np.errstate(invalid="ignore"):  # infinite ones become not a number, which `ask` refuses
        powers = np.exp(numbers - numbers.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def from_labels(answer: Array, labels: tuple[str, ...], name: str) -> Floats:
    """1 for the class that a label names, by its index or its name, 0 for the others: [N] → float32 [N, K]."""
    if answer.ndim == 2 and answer.shape[1] != 1:
        raise UserError(
            f"{name}: expected a label an image, got {answer.dtype} {list(answer.shape)}; leave classifier.output out"
        )
    flat = answer.reshape(len(answer))
    if flat.dtype.kind == "f" and np.array_equal(flat, np.rint(flat)):
        flat = flat.astype(np.int64)
    places = {label: k for k, label in enumerate(labels)}
    numbers = flat.dtype.kind in "iub"
    found = [places.get(str(label), int(label) if numbers and 0 <= int(label) < len(labels) else -1) for label in flat]
    if -1 in found:
        odd = str(flat[found.index(-1)])
        raise UserError(f"{name}: got the label {odd!r}; expected one of {', '.join(labels[:12])} (classifier.labels)")
    return np.eye(len(labels), dtype=np.float32)[found]
