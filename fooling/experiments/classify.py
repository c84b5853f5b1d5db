"""Pictures of one's own before a classifier: as they are and fitted as MNIST was, what it reads, and when it reads nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, ask, probes
from fooling.drawings import Drawing, read_drawing
from fooling.errors import UserError
from fooling.experiment_settings import ClassifySettings
from fooling.experiments.given import opened, told
from fooling.experiments.outcome import Outcome, Task, Watch
from fooling.paths import user_path
from fooling.record import png
from fooling.report import percent

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# From which score on an answer is taken: sigmoids are each on or off by themselves, and of noise all of them are off; a softmax
# must share 1 out among its classes, so the largest is high by construction.
THRESHOLD, THRESHOLD_OF_SUM = 0.5, 0.9
WAYS = {"plain": "as it is", "fitted": "fitted and centred"}


def prepare(settings: ClassifySettings) -> Task:
    """Opens the classifier and reads the pictures: a bad one is told before anything is written."""
    if not settings.files:
        raise UserError("fooling classify: expected pictures, as in fooling classify two.png photo.jpg")
    classifier = opened(settings.classifier, None)
    height, width, _ = classifier.input_shape
    drawings = [read_drawing(user_path(name), (height, width)) for name in settings.files]
    return lambda watch: perform(settings, classifier, drawings, watch)


def perform(settings: ClassifySettings, classifier: Classifier, drawings: Sequence[Drawing], watch: Watch) -> Outcome:
    """Asks the classifier about each picture."""
    from fooling.experiments.classify_chart import chart

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
                **read(classifier, image_of(drawing, way, classifier), threshold),
            }
        pictures.append(entry)
    result = {
        "classifier": told(classifier, settings.classifier),
        "labels": list(classifier.labels),
        "threshold": threshold,
        "pictures": pictures,
    }
    return Outcome(
        result=result,
        picture=chart(result, drawings),
        columns=["picture", *(WAYS[way] for way in ways)],
        rows=[[entry["file"], *(verdict(entry[way]) for way in ways)] for entry in pictures],
        said=[*(in_words(entry, ways) for entry in pictures), f"rejected: no score reaches the threshold of {threshold:g}"],
        files=shown,
    )


def usual_threshold(classifier: Classifier) -> float:
    """The threshold where none is given."""
    sums = ask(classifier, probes(classifier.input_shape)).sum(axis=1)
    return THRESHOLD_OF_SUM if bool((np.abs(sums - 1) < 1e-3).all()) else THRESHOLD


def image_of(drawing: Drawing, way: str, classifier: Classifier) -> Bytes:
    """What the classifier is shown, [H, W, C]: grey in every channel."""
    image = drawing.plain if way == "plain" else drawing.fitted
    return np.repeat(image[:, :, None], classifier.input_shape[2], axis=2)


def read(classifier: Classifier, image: Bytes, threshold: float) -> dict[str, Any]:
    """What a classifier says of one image [H, W, C]."""
    scores = ask(classifier, image[None])[0]
    best = int(scores.argmax())
    return {
        "read": best,
        "label": classifier.labels[best],
        "score": float(scores[best]),
        "rejected": bool(scores[best] < threshold),
        "scores": [float(score) for score in scores],
    }


def verdict(found: dict[str, Any]) -> str:
    """What it was read as, in a word."""
    if found["rejected"]:
        return f"rejected (best: {found['label']}, {percent(found['score'])})"
    return f"{found['label']}, {percent(found['score'])}"


def in_words(entry: dict[str, Any], ways: Sequence[str]) -> str:
    """What was done to a picture."""
    parts = ["; ".join(entry["done"]), *(f"{WAYS[way]}: {', '.join(entry[way]['done'])}" for way in ways)]
    return f"{Path(entry['file']).name}: {'. '.join(part[:1].upper() + part[1:] for part in parts)}"
