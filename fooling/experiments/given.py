"""What experiments are given: classifiers, real images, and how right a classifier is on them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.classifiers import open_classifier
from fooling.classifiers.base import Classifier, ask, examine
from fooling.classifiers.examination import check_data
from fooling.data import ImageSet, Split, load_data
from fooling.errors import UserError
from fooling.groups import Classifier as Chosen
from fooling.groups import Data
from fooling.judges import share

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BATCH = 1024  # images a call


def has_data(data: Data) -> bool:
    """Whether real images are given."""
    return data.path is not None or data.kind != "auto"


def real_images(data: Data, split: Split, command: str) -> ImageSet:
    """The images of a split of the data. Refuses to go on without."""
    if not has_data(data):
        advice = "give data.path=FOLDER (fooling data get mnist mnist, then data.path=mnist) or data.kind=sklearn"
        raise UserError(f"{command} needs real images: {advice}")
    return load_data(data.path, data.kind, split)


def opened(chosen: Chosen, data: ImageSet | None) -> Classifier:
    """The classifier, examined; the data, or else MNIST's statistics, tell the size of its images where it does not say."""

    def like() -> Any:
        if data:
            return tuple(data.images.shape[1:]), data.classes
        from fooling.statistics import BUNDLED, Statistics

        statistics = Statistics.load(BUNDLED)
        return tuple(int(side) for side in statistics.shape), tuple(str(label) for label in statistics.labels)

    classifier = open_classifier(chosen, like)
    examine(classifier)
    if data:
        check_data(classifier, data)
    return classifier


def classes_of(digit: int | tuple[int, ...] | Literal["all"], classes: int) -> list[int]:
    """The wanted classes as a list. Refuses one that does not exist."""
    wanted = list(range(classes)) if digit == "all" else [digit] if isinstance(digit, int) else list(digit)
    if max(wanted) >= classes:
        raise UserError(f"digit={max(wanted)}: expected classes from 0 to {classes - 1}")
    return wanted


def drawn(data: ImageSet, classes: Sequence[int], number: int, seed: int, least: int = 1) -> ImageSet:
    """At most so many images of these classes, drawn by the seed, in the order of the set. Refuses fewer than `least`."""
    places = np.flatnonzero(np.isin(data.labels, classes))
    if len(places) < least:
        raise UserError(f"{data.source}: has {len(places)} images of class {', '.join(map(str, classes))}, expected {least}")
    if len(places) > number:
        places = np.sort(np.random.default_rng(seed).choice(places, number, replace=False))
    return replace(data, images=np.ascontiguousarray(data.images[places]), labels=data.labels[places])


def scores_of(classifier: Classifier, images: Bytes) -> Floats:
    """Scores [N, K] of images [N, H, W, C], a batch at a time."""
    return np.concatenate([ask(classifier, images[lo : lo + BATCH]) for lo in range(0, len(images), BATCH)])


def reading(scores: Floats, labels: Ints) -> dict[str, Any]:
    """How right scores [N, K] are for labels [N]: accuracy with its 95 % interval, and the confidence in the right class.

    `confidence` is the mean over the images; `quartiles` are those of the images.
    """
    confidence = scores[np.arange(len(scores)), labels]
    return {
        "accuracy": share(int((scores.argmax(axis=1) == labels).sum()), len(labels)),
        "confidence": float(confidence.mean()),
        "quartiles": [float(q) for q in np.quantile(confidence, [0.25, 0.5, 0.75])],
    }


def as_file(network: Any) -> bytes:
    """The bytes of a built-in network's file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        network.save(path)
        return path.read_bytes()


def told(classifier: Classifier, chosen: Chosen) -> dict[str, Any]:
    """What a result says of a classifier."""
    shape = [int(side) for side in classifier.input_shape]
    return {"name": chosen.name, "path": chosen.path, "fingerprint": classifier.fingerprint, "input_shape": shape}
