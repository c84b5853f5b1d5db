"""A surrogate: a classifier whose gradients are followed in place of the attacked one's (Papernot et al. 2017)."""

import json
from functools import lru_cache
from typing import Any

from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier
from fooling.classifiers.entries import Entry, entry_name, open_entry
from fooling.classifiers.gradients import has_gradients
from fooling.data.matching import without_none
from fooling.errors import UserError
from fooling.settings.schema import RunSettings

SETTING = "search.surrogate"


def entry_of(settings: RunSettings) -> Entry | None:
    """The surrogate in the settings, as held-out classifiers are written; None: the search has none."""
    entries: tuple[Entry, ...] = getattr(settings.search, "surrogate", ())
    return entries[0] if entries else None


def open_surrogate(settings: RunSettings, classifier: Classifier) -> Classifier | None:
    """The surrogate of a job, opened once for all jobs of a command. Raises UserError for one that does not fit."""
    entry = entry_of(settings)
    if entry is None:
        return None
    height, width, channels = (int(side) for side in classifier.input_shape)
    surrogate = opened(json.dumps(entry, sort_keys=True), (height, width, channels), tuple(map(str, classifier.labels)))
    name = entry_name(entry)
    if not has_gradients(surrogate):
        raise UserError(f"{SETTING}: {name} has no gradients; give one that has, such as a network of `fooling train`")
    number, expected = (len(without_none(one.labels)) for one in (surrogate, classifier))
    if tuple(surrogate.input_shape) != tuple(classifier.input_shape) or number != expected:
        takes, wanted = (f"images {tuple(c.input_shape)} of {c.num_classes} classes" for c in (surrogate, classifier))
        raise UserError(f"{SETTING}: {name} takes {takes}, the attacked classifier {wanted}; give one of the same data")
    check_class_order(surrogate.labels, classifier.labels, "attacked classifier")
    return surrogate


@lru_cache(maxsize=4)
def opened(entry: str, shape: tuple[int, int, int], labels: tuple[str, ...]) -> Classifier:
    """The classifier that an entry in JSON names."""
    found: Any = open_entry(json.loads(entry), lambda: (shape, labels), SETTING)
    return found  # type: ignore[no-any-return]
