"""A classifier looked at before a search is spent on it: what it is like, and whether it is shown images as it should be."""

from dataclasses import asdict
from typing import Any

from fooling.classifiers.base import Classifier, Examination, examine
from fooling.errors import UserError
from fooling.settings import RunSettings

MOST = 1000  # labelled images that are asked about


def first_look(settings: RunSettings, classifier: Classifier) -> tuple[Examination, dict[str, Any], tuple[str, ...]]:
    """The examination, what run.json says of it, and what a user must know. Refuses what cannot be searched against."""
    found = examine(classifier)
    if getattr(classifier, "gives_labels", False):
        said = f"classifier={settings.classifier.name} gives labels only (classifier.output=label)"
        raise UserError(f"{said}: a search needs scores to climb; export the model with its probabilities or logits")
    notes = list(getattr(classifier, "notes", ()))
    if found.shown:
        notes.append(f"classifier: is shown {found.shown}; its answers are read as {READ[found.output]}")
    right, warning = accuracy(settings, classifier)
    return found, {**asdict(found), **right}, (*notes, *([warning] if warning else []))


READ = {"probability": "probabilities", "logit": "logits (softmax)", "sigmoid": "logits (a sigmoid each)"}


def accuracy(settings: RunSettings, classifier: Classifier) -> tuple[dict[str, Any], str]:
    """How often it is right on the data's test images, where data are given, and a warning where it would be more often."""
    data = settings.data
    if data.path is None and data.kind == "auto":
        return {}, ""
    from fooling.classifiers.examination import accuracies, better, check_data
    from fooling.data import load_data

    try:
        images = load_data(data.path, data.kind, "test")
    except UserError:  # a set too small to have test images
        return {}, ""
    check_data(classifier, images)
    rows = accuracies(classifier, images, MOST)
    return {"accuracy": rows[0].share, "accuracy_of": len(rows[0].right)}, better(rows)
