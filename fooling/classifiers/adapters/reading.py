"""What the numbers of an external model mean: probabilities, shares of a sum, logits or labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.adapters.conversion import SLACK, Output, is_one_hot
from fooling.classifiers.base import common_sum, shifted_sum
from fooling.errors import Doubt, UserError

Array = npt.NDArray[Any]
BYTES = 256  # levels of a byte: int8 numbers are often shares of 255 or 256, less 128
LOGARITHMS = {"log2": np.log(2), "log10": np.log(10), "10·log10 (decibels)": np.log(10) / 10}  # with the factor to ln


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
        return Reading(stated, note=Doubt(f"classifier: {shares}; {advice}") if total else "")
    if rows.shape[1] == 1 and stated is None:
        return single(rows, answer.dtype.kind == "f", seen, name, classes)
    if stated is None and is_one_hot(rows) and (answer.dtype.kind in "iub" or len(np.unique(rows, axis=0)) > 1):
        doubt = "; for saturated probabilities give classifier.output=probability" if answer.dtype.kind == "f" else ""
        return Reading("label", note=Doubt(f"classifier: {seen} each row is a single 1 among zeros; read as labels{doubt}"))
    if answer.dtype == np.uint8 and total and 255 - rows.shape[1] <= total <= 255:
        total = 255.0  # by chance all rows lost the same by rounding
    if total is not None:
        return Reading("probability", total, shares_note(total, seen) if total != 1 else "")
    if answer.dtype == np.uint8 and rows.max() > 1:
        meant = "bytes are read as probabilities, 255 being 1; for logits give classifier.output=logit"
        return Reading("probability", 255.0, Doubt(f"classifier: {seen} the sums differ; {meant}"))
    if rows.shape[1] > 1 and np.isin(rows, (0, 1)).all():
        return zeros_and_ones(stated, seen, name)
    if rows.min() >= -SLACK and rows.max() <= 1 + SLACK:
        return Reading("probability")
    if stated:  # and no probabilities: percentages, or bytes
        total = 255.0 if np.array_equal(rows, np.rint(rows)) and rows.max() > 100 else 100.0
        is_share = rows.min() >= -SLACK and rows.max() <= total + 1
        note = Doubt(f"classifier: {seen} the largest number is {rows.max():.4g}; read as probabilities times {total:g}")
        return Reading("probability", total, note) if is_share else Reading("probability")
    return as_logits(rows, answer.dtype, seen, name)


def shares_note(total: float, seen: str) -> Doubt:
    """A note on shares that do not sum to 1."""
    shares = f"each row sums to {total:g} and no number is negative; read as shares, divided by {total:g}"
    return Doubt(f"classifier: {seen} {shares}")


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
    """Numbers that are no probabilities, rows [N, K]: logits, with a note where that is doubtful.

    Raises UserError for what may be shares.
    """
    numbers = rows.astype(np.float64)
    whole, largest = np.array_equal(numbers, np.rint(numbers)), numbers.max()
    if numbers.min() < 0:
        shares = changed_shares(numbers, dtype, whole=whole)
        if shares:
            raise UserError(f"{name}: {seen} {shares}; logits are meant by classifier.output=logit; state which")
        return Reading("logit")
    said = f"no number is negative, the largest is {largest:.4g} and the sums differ"
    if 50 < largest <= 100 + SLACK or (100 < largest <= 255 and whole):
        kind = "percentages" if largest <= 100 + SLACK else "bytes"
        meanings = f"{kind} (classifier.output=probability divides them) or logits (classifier.output=logit)"
        raise UserError(f"{name}: {seen} {said}: {meanings}; state which")
    if whole:
        shares = "shares that were rounded to whole numbers (return them unrounded, as probabilities)"
        raise UserError(f"{name}: {seen} all are whole, {said}: {shares} or logits (classifier.output=logit); state which")
    advice = "if they are percentages, give classifier.output=probability, else scores near 1 mean nothing"
    return Reading("logit", note=Doubt(f"classifier: {seen} {said}; read as logits; {advice}"))


def changed_shares(numbers: Array, dtype: npt.DTypeLike, *, whole: bool) -> str:
    """What shares may have been changed into numbers [N, K], some of them negative, and the remedy; '' for plain logits."""
    classes = numbers.shape[1]
    if whole and classes > 1 and numbers.min() >= -BYTES / 2 and numbers.max() < BYTES / 2:
        sums = numbers.sum(axis=1) + classes * BYTES / 2
        most = min(2 * BYTES, BYTES + classes / 2)  # by rounding, which doubles a share of half a step
        if sums.min() >= BYTES - 1 - classes and sums.max() <= most:
            kind = np.dtype(dtype).name
            return f"{kind} numbers look like shares in steps of 1/256, less 128; return (x + 128) / 256"
    total = shifted_sum(numbers)
    if total is not None:
        text = f"each row sums to {total:.6g} and some numbers are negative, like shares that were multiplied and shifted"
        return f"{text}; return the probabilities themselves"
    if classes > 1 and numbers.max() <= SLACK:
        for logarithm, factor in LOGARITHMS.items():
            if np.abs(np.exp(numbers * factor).sum(axis=1) - 1).max() <= SLACK:
                return f"the numbers are {logarithm} of probabilities; return these, or natural logarithms"
    return ""


def zeros_and_ones(stated: Output | None, seen: str, name: str) -> Reading:
    """Rows of only 0 and 1 with unequal sums, which percentages may have been rounded to. Raises UserError unless stated."""
    if stated == "probability":
        doubt = "if they are percentages rounded to whole numbers, return them unrounded: 1 is 1 % then"
        return Reading("probability", note=Doubt(f"classifier: {seen} all numbers are 0 or 1; read as probabilities; {doubt}"))
    meanings = (
        "shares or percentages rounded to whole numbers (return them unrounded), or probabilities of exactly 0 and 1 "
        "(classifier.output=probability: 1 is then certain)"
    )
    raise UserError(f"{name}: {seen} all numbers are 0 or 1 and the sums differ: {meanings}; state which")
