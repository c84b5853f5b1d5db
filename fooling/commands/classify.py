"""Pictures of one's own before a classifier: as they are and fitted as MNIST was, what it reads, and when it reads nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier, predict_batch, probes
from fooling.commands import experiment
from fooling.commands.inputs import opened, os_errors
from fooling.commands.outcome import ExperimentResult, ProgressCallback, Task
from fooling.data.drawings import Drawing, read_drawing
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.plots.classify import PREPARATIONS, FigureData, answer, chart, steps_taken
from fooling.records.files import png
from fooling.settings import validate
from fooling.settings.experiments import ClassifySettings
from fooling.settings.fields import user_path
from fooling.settings.overrides import collect

# From which score on an answer is taken: sigmoids are each on or off by themselves, and of noise all of them are off; a softmax
# must share 1 out among its classes, so the largest is high by construction.
THRESHOLD, THRESHOLD_OF_SUM = 0.5, 0.9


def prepare(settings: ClassifySettings) -> Task:
    """Opens the classifier and reads the pictures: a bad one is told before anything is written."""
    if not settings.files:
        raise UserError("fooling classify: expected pictures, as in fooling classify two.png photo.jpg")
    classifier = opened(settings.classifier, None)
    height, width, _ = classifier.input_shape
    drawings = [read_drawing(user_path(name), (height, width)) for name in settings.files]
    return lambda watch: perform(settings, classifier, drawings, watch)


def perform(
    settings: ClassifySettings, classifier: Classifier, drawings: Sequence[Drawing], watch: ProgressCallback
) -> ExperimentResult:
    """Asks the classifier about each picture."""
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
        "classifier": os_errors(classifier, settings.classifier),
        "labels": list(classifier.labels),
        "threshold": threshold,
        "pictures": pictures,
    }
    return ExperimentResult(
        result=result,
        picture=chart(result, figure_data(drawings, ways)),
        columns=["picture", *(PREPARATIONS[way] for way in ways)],
        rows=[[entry["file"], *(answer(entry[way]) for way in ways)] for entry in pictures],
        said=[*(steps_taken(entry, ways) for entry in pictures), f"rejected: no score reaches the threshold of {threshold:g}"],
        files=shown,
    )


def figure_data(drawings: Sequence[Drawing], ways: Sequence[str]) -> FigureData:
    """The images of the picture."""
    prepared = {way: [getattr(drawing, way)[:, :, None] for drawing in drawings] for way in ways}
    return FigureData([drawing.original[:, :, None] for drawing in drawings], prepared)


def usual_threshold(classifier: Classifier) -> float:
    """The threshold where none is given."""
    sums = predict_batch(classifier, probes(classifier.input_shape)).sum(axis=1)
    return THRESHOLD_OF_SUM if bool((np.abs(sums - 1) < 1e-3).all()) else THRESHOLD


def image_of(drawing: Drawing, way: str, classifier: Classifier) -> Bytes:
    """What the classifier is shown, [H, W, C]: grey in every channel."""
    image = drawing.plain if way == "plain" else drawing.fitted
    return np.repeat(image[:, :, None], classifier.input_shape[2], axis=2)


def reading(classifier: Classifier, image: Bytes, threshold: float) -> dict[str, Any]:
    """What a classifier says of one image [H, W, C]."""
    scores = predict_batch(classifier, image[None])[0]
    best = int(scores.argmax())
    return {
        "read": best,
        "label": classifier.labels[best],
        "score": float(scores[best]),
        "rejected": bool(scores[best] < threshold),
        "scores": [float(score) for score in scores],
    }


SUMMARY = "what a classifier reads in your own drawings and photos"
USAGE = "fooling classify FILES… key=value …   (pictures: PNG, JPEG, …; colour, alpha, 16 bits)"
CLASSIFY = experiment.Experiment("classify", USAGE, ClassifySettings, prepare, ("shown",))


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    return experiment.main(CLASSIFY, arguments, read_words)


def read_words(arguments: Sequence[str]) -> Any:
    """Settings of words of which those without a =, and those that name a file, are pictures."""
    pictures = [word for word in arguments if is_picture(word)]
    tree = collect([word for word in arguments if not is_picture(word)], ClassifySettings, "classify")
    return validate({**tree, "files": pictures or tree["files"]}, ClassifySettings)


def is_picture(word: str) -> bool:
    """Whether a word is no setting: it has no =, or is the name of a file; .yaml is one of settings."""
    if word.startswith("-") or word.endswith((".yaml", ".yml")):
        return False
    return "=" not in word or Path(word).is_file()
