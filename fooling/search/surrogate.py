"""A surrogate: a classifier whose gradients are followed in place of the attacked one's (Papernot et al. 2017)."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier, fingerprints
from fooling.classifiers.entries import Entry, entry_name, entry_settings, open_entry
from fooling.classifiers.gradients import has_gradients
from fooling.data.matching import without_none
from fooling.errors import UserError
from fooling.settings.fields import user_path
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
    text, shape = json.dumps(entry, sort_keys=True), (height, width, channels)
    surrogate = opened(text, state_of_file(entry), shape, tuple(map(str, classifier.labels)))
    name = entry_name(entry)
    if not has_gradients(surrogate):
        raise UserError(f"{SETTING}: {name} has no gradients; give one that has, such as a network of `fooling train`")
    number, expected = (len(without_none(one.labels)) for one in (surrogate, classifier))
    if tuple(surrogate.input_shape) != tuple(classifier.input_shape) or number != expected:
        counts = (surrogate, number), (classifier, expected)
        takes, wanted = (f"images {tuple(c.input_shape)} of {classes} classes" for c, classes in counts)
        raise UserError(f"{SETTING}: {name} takes {takes}, the attacked classifier {wanted}; give one of the same data")
    check_class_order(surrogate.labels, classifier.labels, "attacked classifier")
    return surrogate


def check_surrogate(
    settings: RunSettings, classifier: Classifier, judges: Mapping[str, Classifier], targets: Sequence[Any]
) -> None:
    """Refuses a surrogate that is a held-out classifier, too, or lacks a target class, such as "none"."""
    surrogate = open_surrogate(settings, classifier)
    if surrogate is None:
        return
    for name, judge in judges.items():
        if fingerprints(judge) & fingerprints(surrogate):
            raise UserError(f"judges: {name} is the surrogate, which takes part in the search; leave it out of judges")
    missing = [k for k in targets if isinstance(k, int) and k >= surrogate.num_classes]
    if missing:
        has = f"it has {surrogate.num_classes} classes, not the target {missing[0]}"
        raise UserError(f"{SETTING}: {has}; give another surrogate")


def state_of_file(entry: Entry) -> tuple[int, int]:
    """When the file of an entry was changed last, and its size: a network that is trained again is opened again."""
    path = entry_settings(entry).get("path")
    try:
        about = user_path(str(path)).stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=4)
def opened(entry: str, _state: tuple[int, int], shape: tuple[int, int, int], labels: tuple[str, ...]) -> Classifier:
    """The classifier that an entry in JSON names."""
    found: Any = open_entry(json.loads(entry), lambda: (shape, labels), SETTING)
    return found  # type: ignore[no-any-return]
