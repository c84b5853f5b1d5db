"""`fooling classify`: your own drawings and photos, as they are and fitted as MNIST was; low scores are rejected."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier, predict_batch, probes
from fooling.commands.console import ProgressCallback
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.inputs import describe_classifier, open_checked
from fooling.data.drawings import Drawing, read_drawing
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.plots.classify import FILES, PREPARATIONS, FigureData, answer, chart, steps_taken
from fooling.records.files import png, write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import ClassifySettings
from fooling.settings.fields import user_path

# From which score on an answer is taken: sigmoids are each on or off by themselves, and of noise all of them are off; a softmax
# must share 1 out among its classes, so the largest is high by construction.
THRESHOLD, THRESHOLD_OF_SUM = 0.5, 0.9


def plan(settings: ClassifySettings, _words: Sequence[str]) -> Plan:
    """Opens the classifier and reads the images, so that a bad one is refused before anything is written."""
    if not settings.files:
        raise UserError("fooling classify: expected image files, as in fooling classify two.png photo.jpg")
    classifier = open_checked(settings.classifier, None)
    height, width, _ = classifier.input_shape
    return Plan(inputs=(classifier, [read_drawing(user_path(name), (height, width)) for name in settings.files]))


def compute(settings: ClassifySettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Classifies each image."""
    classifier, drawings = plan.inputs
    threshold = settings.threshold or usual_threshold(classifier)
    ways = ("plain", "fitted") if settings.centre else ("plain",)
    pictures, shown = [], {}
    for number, (name, drawing) in enumerate(zip(settings.files, drawings, strict=True)):
        watch("pictures", number, len(drawings))
        entry: dict[str, Any] = {"file": name, "done": list(drawing.done)}
        for way in ways:
            file = f"shown/{number:04d}-{way}.png"
            shown[file] = png(image_of(drawing, way, classifier))
            entry[way] = {
                "image": file,
                "done": list(drawing.done_plain if way == "plain" else drawing.done_fitted),
                **reading(classifier, image_of(drawing, way, classifier), threshold),
            }
        pictures.append(entry)
    result = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "labels": list(classifier.labels),
        "threshold": threshold,
        "pictures": pictures,
    }
    rows = [[entry["file"], *(answer(entry[way]) for way in ways)] for entry in pictures]
    lines = [*(steps_taken(entry, ways) for entry in pictures), f"rejected: no score reaches the threshold of {threshold:g}"]
    columns = ["picture", *(PREPARATIONS[way] for way in ways)]
    return Summary(result, columns, rows, lines, figure_data(drawings, ways), shown)


def figure_data(drawings: Sequence[Drawing], ways: Sequence[str]) -> FigureData:
    """The images of the picture."""
    prepared = {way: [getattr(drawing, way)[:, :, None] for drawing in drawings] for way in ways}
    return FigureData([drawing.original[:, :, None] for drawing in drawings], prepared)


def usual_threshold(classifier: Classifier) -> float:
    """The threshold where none is given."""
    sums = predict_batch(classifier, probes(classifier.input_shape)).sum(axis=1)
    return THRESHOLD_OF_SUM if bool((np.abs(sums - 1) < 1e-3).all()) else THRESHOLD


def image_of(drawing: Drawing, way: str, classifier: Classifier) -> Bytes:
    """The classifier's input [H, W, C]: grey in every channel."""
    image = drawing.plain if way == "plain" else drawing.fitted
    return np.repeat(image[:, :, None], classifier.input_shape[2], axis=2)


def reading(classifier: Classifier, image: Bytes, threshold: float) -> dict[str, Any]:
    """The scores of one image [H, W, C]."""
    scores = predict_batch(classifier, image[None])[0]
    best = int(scores.argmax())
    return {
        "read": best,
        "label": classifier.labels[best],
        "score": float(scores[best]),
        "rejected": bool(scores[best] < threshold),
        "scores": [float(score) for score in scores],
    }


def draw(folder: Path, summary: Summary) -> None:
    """classify.png."""
    write_atomically(folder / "classify.png", chart(summary.content, summary.figure))


COMMAND = Experiment("classify", plan, compute, draw, ("classify.json", "shown", *FILES))
