"""What a foreign model answers, as scores in [0, 1]: which kind of numbers it is, and what becomes of them."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
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
    if found.ndim > 2 or found.dtype.kind not in "fiubUOS":
        raise UserError(f"{name}: expected scores [{rows}, classes], got {found.dtype} {list(found.shape)}")
    return found


def kind_of(answer: Array, name: str) -> Output:
    """Which kind of numbers the answers [N, K] or [N] to the first images are.

    One a row are labels; those in [0, 1] are probabilities, also where they do not sum to 1; others are logits. Logarithms of
    probabilities count as logits: a softmax gives back the probabilities.
    """
    if answer.ndim == 1 or answer.shape[1] == 1:
        if answer.dtype.kind == "f" and not np.array_equal(answer, np.rint(answer)):
            raise UserError(f"{name}: got one number an image; expected a score for each of two or more classes")
        return "label"
    within = answer.min() >= -SLACK and answer.max() <= 1 + SLACK
    return "probability" if within else "logit"


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
