"""How often a classifier is certain of images that show nothing, and what it takes them for."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier, common_sum, predict
from fooling.data.matching import without_none
from fooling.data.nothing import Nothing
from fooling.kernels.tables import Floats
from fooling.statistics.intervals import proportion_with_ci

LEVELS = {"at_90": 0.9, "at_99": 0.99}  # of the largest score
ANSWERS = 3


def certainty_of_nothing(classifier: Classifier, kinds: Mapping[str, Nothing]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each kind of images, and why rows are left out."""
    rows, reasons, classes = [], [], len(without_none(classifier.labels))
    for kind, (images, note) in kinds.items():
        row, reason = certainty(kind, predict(classifier, images), note, classes)
        if row is None:
            reasons.append(reason)
        else:
            rows.append(row)
    return rows, list(dict.fromkeys(reasons))


def certainty(kind: str, scores: Floats, note: str = "", number: int | None = None) -> tuple[dict[str, Any] | None, str]:
    """The row of images with scores [N, K]: shares whose largest is at least .9 and .99, with Wilson intervals, and answers.

    The answers are the most frequent classes of the largest score, whatever it is, and their shares of all N images; `sure` are
    the classes of scores of .99 or more. Classes from `number` on, such as "none", are answers, but no image counts as certain
    by their scores. None, and why, where the scores are no confidences.
    """
    if not len(scores):
        return None, f"{kind}: no images"
    if np.isin(scores, (0, 1)).all() and (scores.max(axis=1) == 1).all():
        return None, "the scores are 0 and 1 alone, so that every answer would count as certain"
    largest, classes = scores.max(axis=1), scores.argmax(axis=1)
    counts, is_class = np.bincount(classes, minlength=scores.shape[1]), classes < (number or scores.shape[1])
    sure = np.unique(classes[is_class & (largest >= LEVELS["at_99"])])
    shares = {
        name: proportion_with_ci(int((is_class & (largest >= level)).sum()), len(scores)) for name, level in LEVELS.items()
    }
    most = np.argsort(-counts, kind="stable")[:ANSWERS]
    answers = [{"class": int(k), "share": float(counts[k] / len(scores))} for k in most if counts[k]]
    notes = [note] if note else []
    if common_sum(scores) != 1:
        notes.append("the largest of scores that do not sum to 1")
    if len(scores) > 1 and not np.ptp(scores, axis=0).any():
        notes.append("the scores are the same for all of them")
    return {
        "kind": kind,
        "images": len(scores),
        **shares,
        "answers": answers,
        "sure": sure.tolist(),
        "note": "; ".join(notes),
    }, ""
