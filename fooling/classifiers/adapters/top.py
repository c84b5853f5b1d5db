"""classifier.output=top: answers that name the best classes alone, best first, with or without their scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fooling.errors import UserError, first_line, printable
from fooling.kernels.tables import Floats

LABELS, SCORES = ("label", "class", "name"), ("score", "probability", "confidence")  # keys of an answer's objects
WHAT = 'the best classes of each image, best first: ["cat", "dog"], [["cat", 0.9], …] or [{"label": "cat", "score": 0.9}, …]'


def dense(predict: Callable[[Any], Any], labels: Sequence[str], name: str) -> Callable[[Any], Floats]:
    """A function of inputs [N, …] → scores float32 [N, K]: 0 for the classes that an answer does not name.

    Without scores the class at place r of k has the score (k − r) ÷ k, r from 0 (Ilyas et al. 2018, section 3.3, scaled).
    """
    places = {label: k for k, label in enumerate(labels)}

    def scores(inputs: Any) -> Floats:
        answers = predict(inputs)
        answers = answers.tolist() if isinstance(answers, np.ndarray) else answers
        if not isinstance(answers, Sequence) or isinstance(answers, str) or len(answers) != len(inputs):
            got = f"{len(answers)} answers" if isinstance(answers, Sequence) else type(answers).__name__
            raise UserError(f"{name}: expected {WHAT}; for {len(inputs)} images, got {got}")
        return np.stack([row(answer, places, name) for answer in answers])

    return scores


def row(answer: Any, places: Mapping[str, int], name: str) -> Floats:
    """The scores float32 [K] in the answer for one image. Raises UserError."""
    entries = answer if isinstance(answer, Sequence) and not isinstance(answer, str) else [answer]
    if is_pair(entries):
        entries = [entries]  # a single pair
    found = np.zeros(len(places), dtype=np.float32)
    for rank, entry in enumerate(entries):
        label, score = parts(entry, name)
        k = place_of(label, places)
        if k is None or (score is not None and not 0 <= score <= 1):
            wrong = f"label {printable(label)!r}" if k is None else f"score {printable(score, 40)}"
            known = f"labels {', '.join(list(places)[:12])} (classifier.labels) and scores in [0, 1]"
            raise UserError(f"{name}: expected {known}, got the {wrong}")
        found[k] = (len(entries) - rank) / len(entries) if score is None else score
    if not len(entries):
        raise UserError(f"{name}: expected {WHAT}; got an empty answer")
    return found


def parts(entry: Any, name: str) -> tuple[Any, float | None]:
    """The label and the score in an entry of an answer; None where it has no score. Raises UserError."""
    if isinstance(entry, Mapping):
        label = next((entry[key] for key in LABELS if key in entry), first_line(str(dict(entry)), 60))
        key = next((key for key in SCORES if key in entry), None)
        if key is not None and not is_number(entry[key]):
            raise UserError(
                f"{name}: expected a number in [0, 1] as the {key} of each label, got {printable(repr(entry[key]), 40)}"
            )
        return label, None if key is None else entry[key]
    return (entry[0], entry[1]) if is_pair(entry) else (entry, None)


def is_pair(entry: Any) -> bool:
    """Whether an entry is [label, score]; a whole number is a score behind a text alone, else it is a label too."""
    if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 2 or not is_number(entry[1]):
        return False
    return isinstance(entry[0], str) or (not isinstance(entry[1], int | np.integer) and isinstance(entry[0], int | np.integer))


def is_number(value: Any) -> bool:
    """Whether a value is a number, not a bool."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def place_of(label: Any, places: Mapping[str, int]) -> int | None:
    """The index of a class given by its name or its index, None where there is none."""
    known = places.get(printable(label))
    if known is not None or not isinstance(label, int | np.integer) or isinstance(label, bool):
        return known
    return int(label) if 0 <= label < len(places) else None
