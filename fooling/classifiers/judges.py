"""Held-out classifiers (`judges=`): they take no part in the search and evaluate the finished images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fooling.classifiers import load_classifier
from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.adapters import object_kind, object_name
from fooling.classifiers.base import Classifier, fingerprints, predict
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.entries import Entry, entry_name, entry_settings, open_entry
from fooling.data.matching import without_none
from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.choices import defaults

DEFAULTS = ("ladder", "preset/mismatched")  # files of configs/ that name judges of MNIST


def load_judges(
    entries: Sequence[Entry], classifier: Classifier, objects: Mapping[str, Any] | None = None
) -> dict[str, Classifier]:
    """Held-out classifiers of any kind by their names in tables and records; `objects` by their titles.

    Of the defaults of a command only those that can evaluate the classifier's images count. Raises UserError for one that is
    `classifier` itself, that is named twice, or whose images or classes differ.
    """
    judges: dict[str, Classifier] = {}
    names = [entry_name(entry) for entry in entries]
    height, width, channels = (int(side) for side in classifier.input_shape)
    for name, entry in zip(names, entries, strict=True):
        judge = open_entry(entry, lambda: ((height, width, channels), tuple(classifier.labels)), "judges", objects)
        shared = fingerprints(judge) & fingerprints(classifier)
        if are_defaults(entries) and (shared or not takes_same(judge, classifier)):
            continue
        if shared:
            same = "is the same" if judge.fingerprint == classifier.fingerprint else "has a member in common with it"
            advice = f"a held-out classifier takes no part in the search; leave {name} out of judges"
            raise UserError(f"judges: expected others than the attacked classifier, got {name}, which {same}; {advice}")
        equal = [other for other, known in judges.items() if known.fingerprint == judge.fingerprint]
        if equal:
            raise UserError(f"judges: {name} is the same network as {equal[0]}; name each once")
        if name in judges:
            raise UserError(f"judges: two have the name {name}; give each its own title, such as {{name: onnx, title: second}}")
        check_judge(name, judge, classifier)
        judges[name] = judge
    return judges


def are_defaults(entries: Sequence[Entry]) -> bool:
    """Whether these are the judges that a command or preset has by default."""
    return any(list(entries) == defaults(name)["judges"] for name in DEFAULTS)


def takes_same(judge: Classifier, classifier: Classifier) -> bool:
    """Whether a judge takes the classifier's images and has as many classes, besides "none"."""
    number, expected = (len(without_none(one.labels)) for one in (judge, classifier))
    return tuple(judge.input_shape) == tuple(classifier.input_shape) and number == expected


def notes_on(entries: Sequence[Entry], judges: Mapping[str, Classifier], classifier: Classifier) -> list[str]:
    """Which default judges are left out, and what the judges say of themselves."""
    said = [f"judges: {name}: {note}" for name, judge in judges.items() for note in getattr(judge, "notes", ())]
    return [*left_out(entries, judges, classifier), *said]


def left_out(entries: Sequence[Entry], judges: Mapping[str, Classifier], classifier: Classifier) -> list[str]:
    """A note where default judges are left out, with what to give instead if none is left."""
    missing = [entry_name(entry) for entry in entries if entry_name(entry) not in judges]
    if not missing or not are_defaults(entries):
        return []
    height, width, channels = classifier.input_shape
    images = f"images ({height}, {width}, {channels}) of {classifier.num_classes} classes"
    reason = f"a held-out classifier is another one that takes {images}"
    return [f"judges: {', '.join(missing)} left out: {reason}{'' if judges else '; ' + advice_on(classifier)}"]


def advice_on(classifier: Any) -> str:
    """How to come by a held-out classifier of another kind than a classifier."""
    of_convolutions = type(classifier).__name__ == "ConvolutionalNetwork"
    name = "mnist_mlp" if of_convolutions else "mnist_cnn"
    if takes_same(load_classifier(name), classifier):
        return f"for example judges={name}"
    kind = "mlp" if of_convolutions else "cnn"
    trained = (
        f"`fooling train classifier={kind} data.path=… out={kind}.safetensors` on its data, then judges={kind}.safetensors"
    )
    return f"for example {trained}; or judges=[{{name: onnx, path: FILE.onnx}}]"


def check_judge(name: str, judge: Classifier, classifier: Classifier) -> None:
    """Raises UserError for a held-out classifier of other images or classes, and for one that fails the checks."""
    if not takes_same(judge, classifier):
        takes, expected = (f"images {tuple(c.input_shape)} of {c.num_classes} classes" for c in (judge, classifier))
        advice = f"give one that was trained on the same data, {advice_on(classifier)}"
        raise UserError(f"judges: {name} takes {takes}, the attacked classifier {expected}; {advice}")
    try:
        check_class_order(judge.labels, classifier.labels, "attacked classifier")
        check_classifier(judge)
    except UserError as error:
        raise UserError(f"judges: {name}: {error}") from error


def separate_objects(judges: Any) -> tuple[list[Entry], dict[str, Any]]:
    """Judges as a program gives them, as settings, and the objects among them by their titles. Raises UserError.

    A name, the settings of a classifier, an object, a list of these, or a dictionary of these by their titles.
    """
    single = isinstance(judges, dict) and isinstance(judges.get("name"), str)
    if isinstance(judges, Mapping) and not single:
        pairs = [(str(title), judge) for title, judge in judges.items()]
    else:
        pairs = [("", judge) for judge in (judges if isinstance(judges, list | tuple) else [judges])]
    entries: list[Entry] = []
    objects: dict[str, Any] = {}
    for title, judge in pairs:
        if isinstance(judge, str | Path):
            text = str(judge)
            entries.append({"title": title, **entry_settings(text)} if title and title != text else text)
        elif isinstance(judge, Mapping):
            entries.append({**({"title": title} if title else {}), **judge})
        else:
            try:
                object_kind(judge)
            except UserError as error:
                raise UserError(str(error).replace("classifier: ", "judges: ", 1)) from error
            name = printable(title or object_name(judge).removeprefix("object "))
            if name in objects:
                raise UserError(f"judges: two have the name {name}; give a dictionary by names, judges={{'first': …}}")
            entries.append({"title": name, "name": object_name(judge)})
            objects[name] = judge
    return entries, objects


def predict_all(judges: Mapping[str, Classifier], images: Bytes) -> dict[str, Floats]:
    """The scores [N, K] that each held-out classifier gives to images uint8 [N, H, W, C]."""
    return {name: predict(judge, images) for name, judge in judges.items()}
