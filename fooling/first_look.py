"""A classifier looked at before a search is spent on it: what it is like, and whether it is shown images as it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fooling.classifiers.base import Classifier, Examination, check_face, examine
from fooling.classifiers.counted import Counted
from fooling.errors import UserError
from fooling.settings import RunSettings

if TYPE_CHECKING:
    from fooling.classifiers.examination import Accuracy

MOST = 1000  # labelled images that are asked about


@dataclass(frozen=True)
class FirstLook:
    """What was found."""

    examination: Examination
    about: Mapping[str, Any]  # what run.json says of it
    notes: tuple[str, ...]  # what a user must know
    evaluations: int  # images that the classifier was shown


def first_look(settings: RunSettings, classifier: Classifier) -> FirstLook:
    """Examines a classifier. Refuses what cannot be searched against."""
    check_face(classifier)
    counted: Any = Counted(classifier)
    found = examine(counted)
    if getattr(classifier, "gives_labels", False):
        said = f"classifier={settings.classifier.name} gives labels only (classifier.output=label)"
        raise UserError(f"{said}: a search needs scores to climb; export the model with its probabilities or logits")
    notes = list(getattr(classifier, "notes", ()))
    if found.shown:
        notes.append(f"classifier: is shown {found.shown}; its answers are read as {READ[found.output]}")
    rows, about = right(settings, classifier), asdict(found)
    if rows:
        from fooling.classifiers.examination import better

        about |= {"accuracy": rows[0].share, "accuracy_of": len(rows[0].right)}
        about["accuracy_otherwise"] = {row.settings: row.share for row in rows[1:]}
        notes += [better(rows)] if better(rows) else []
    return FirstLook(found, about, tuple(notes), counted.evaluations + sum(len(row.right) for row in rows))


READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (a sigmoid each)"}


def right(settings: RunSettings, classifier: Classifier) -> "Sequence[Accuracy]":
    """How often it is right on the data's test images, where data are given, as stated and otherwise."""
    data = settings.data
    if data.path is None and data.kind == "auto":
        return []
    from fooling.classifiers.examination import accuracies, check_data
    from fooling.data import load_data

    try:
        images = load_data(data.path, data.kind, "test")
    except UserError:  # a set too small to have test images
        return []
    check_data(classifier, images)
    return accuracies(classifier, images, MOST)
