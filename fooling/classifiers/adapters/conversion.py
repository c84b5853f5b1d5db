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


@dataclass(frozen=True)
class Reading:
    """What an output means."""

    output: Output
    total: float = 1.0  # that probabilities are divided by
    note: str = ""  # for the user


PROBABILITIES = Reading("probability")


def kind_of(answer: Array) -> Output:
    """The kind of numbers of an output [N, K] or [N]."""
    return reading_of(answer).output


def reading_of(answer: Array, stated: Output | None = None, name: str = "classifier", classes: int | None = None) -> Reading:
    """What an output [N, K] or [N] for a few images means, `stated` or by its numbers; `classes`: how many, if known.

    One number per row is a label if it is whole, else the score of the second of two classes. Rows ≥ 0 that share one sum are
    shares of it. Numbers in [0, 1] are probabilities, even if they do not sum to 1. Others are logits, log-probabilities
    included: a softmax inverts them. Raises UserError where two meanings are equally likely.
    """
    if stated == "label" or answer.dtype.kind not in "fiub":
        return Reading("label")
    rows = answer.reshape(len(answer), -1)
    rows = rows[~np.isnan(rows).any(axis=1) & (rows < np.inf).all(axis=1)]
    if not len(rows) or rows.min() == -np.inf:
        return Reading(stated or "logit")
    total, seen = common_sum(rows), f"in the outputs for {len(rows)} test images"
    if stated in ("logit", "sigmoid"):
        shares = f"classifier.output={stated} is stated, but {seen} no number is negative and each row sums to {total or 0:g}"
        advice = "they look like shares, and further softmax or sigmoids distort them; leave classifier.output out"
        return Reading(stated, note=f"classifier: {shares}; {advice}" if total else "")
    if rows.shape[1] == 1 and stated is None:
        return single(rows, answer.dtype.kind == "f", seen, name, classes)
    if stated is None and is_one_hot(rows) and (answer.dtype.kind in "iub" or len(np.unique(rows, axis=0)) > 1):
        doubt = "; for saturated probabilities give classifier.output=probability" if answer.dtype.kind == "f" else ""
        return Reading("label", note=f"classifier: {seen} each row is a single 1 among zeros; read as labels{doubt}")
    if answer.dtype == np.uint8 and total and 255 - rows.shape[1] <= total <= 255:
        total = 255.0  # by chance all rows lost the same by rounding
    if total is not None:
        return Reading("probability", total, shares_note(total, seen) if total != 1 else "")
    if answer.dtype == np.uint8 and rows.max() > 1:
        meant = "bytes are read as probabilities, 255 being 1; for logits give classifier.output=logit"
        return Reading("probability", 255.0, f"classifier: {seen} the sums differ; {meant}")
    if rows.min() >= -SLACK and rows.max() <= 1 + SLACK:
        return Reading("probability")
    if stated:  # and no probabilities: percentages, or bytes
        total = 255.0 if np.array_equal(rows, np.rint(rows)) and rows.max() > 100 else 100.0
        is_share = rows.min() >= -SLACK and rows.max() <= total + 1
        note = f"classifier: {seen} the largest number is {rows.max():.4g}; read as probabilities times {total:g}"
        return Reading("probability", total, note) if is_share else Reading("probability")
    return as_logits(rows, answer.dtype, seen, name)


def shares_note(total: float, seen: str) -> str:
    """A note on shares that do not sum to 1."""
    return f"classifier: {seen} each row sums to {total:g} and no number is negative; read as shares, divided by {total:g}"


def single(rows: Array, is_float: bool, seen: str, name: str, classes: int | None) -> Reading:
    """What one number per image means, rows [N, 1]."""
    whole = not is_float or np.array_equal(rows, np.rint(rows))
    if is_float and np.isin(rows, (0, 1)).all() and classes in (None, 2):
        meanings = "labels (classifier.output=label) or the probability of the second of two classes"
        raise UserError(
            f"{name}: {seen} there is one number an image, always 0 or 1: {meanings} (classifier.output=probability); "
            "state which"
        )
    if whole and rows.min() >= 0:
        return Reading("label")
    if rows.min() >= -SLACK and rows.max() <= 1 + SLACK:
        return Reading("probability")
    return as_logits(rows, rows.dtype, seen, name)


def as_logits(rows: Array, dtype: npt.DTypeLike, seen: str, name: str) -> Reading:
    """Numbers that are no probabilities, rows [N, K]: logits, with a note where that is doubtful."""
    if dtype == np.int8 and common_sum(rows.astype(np.int64) + 128):
        meant = "shares in steps of 1/256, of which 128 has been subtracted"
        raise UserError(
            f"{name}: {seen} int8 numbers look like {meant}; return (x + 128) / 256, or give classifier.output=logit"
        )
    if rows.min() < 0:
        return Reading("logit")
    numbers, largest = f"no number is negative, the largest is {rows.max():.4g} and the sums differ", rows.max()
    if 50 < largest <= 100 + SLACK or (100 < largest <= 255 and np.array_equal(rows, np.rint(rows))):
        kind = "percentages" if largest <= 100 + SLACK else "bytes"
        meanings = f"{kind} (classifier.output=probability divides them) or logits (classifier.output=logit)"
        raise UserError(f"{name}: {seen} {numbers}: {meanings}; state which")
    advice = "if they are percentages, give classifier.output=probability, else scores near 1 mean nothing"
    return Reading("logit", note=f"classifier: {seen} {numbers}; read as logits; {advice}")


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
