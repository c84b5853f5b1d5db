"""Judges: classifiers that take no part in the search and are asked afterwards what they see."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fooling.classifiers import BUNDLED, load_classifier, load_network
from fooling.classifiers.base import Classifier, ask
from fooling.classifiers.checks import check_classifier
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.fields import user_path

BATCH = 1024  # images a call


def load_judges(names: Sequence[str], classifier: Classifier) -> dict[str, Classifier]:
    """Judges by name, bundled classifiers or files of `fooling train`, for what `classifier` sees. Raises UserError."""
    judges: dict[str, Classifier] = {}
    for name in names:
        judge = one_judge(name)
        if judge.fingerprint == classifier.fingerprint:
            others = ",".join(other for other in names if other != name) or "[]"
            advice = f"a judge takes no part in the search; leave it out: judges={others}"
            raise UserError(f"judges: {name} is the classifier that is to be fooled; {advice}")
        same = [other for other, known in judges.items() if known.fingerprint == judge.fingerprint]
        if same or name in judges:
            raise UserError(f"judges: {name} is the same network as {(same or [name])[0]}; name each once")
        check_sight(name, judge, classifier)
        judges[name] = judge
    return judges


def check_sight(name: str, judge: Classifier, classifier: Classifier) -> None:
    """Refuses a judge of other images or classes, or one that fails the examination."""
    if tuple(judge.input_shape) != tuple(classifier.input_shape) or judge.num_classes != classifier.num_classes:
        sees, wanted = (f"images {tuple(c.input_shape)} of {c.num_classes} classes" for c in (judge, classifier))
        advice = "give one that was trained on its data, or judges=[]"
        raise UserError(f"judges: {name} takes {sees}, the classifier {wanted}; {advice}")
    try:
        check_classifier(judge)
    except UserError as error:
        raise UserError(f"judges: {name}: {error}") from error


def one_judge(name: str) -> Classifier:
    """A judge by name or file."""
    if name in BUNDLED:
        return load_classifier(name)
    if Path(name).suffix == ".safetensors":
        try:
            return load_network(user_path(name))
        except UserError as error:
            raise UserError(str(error).replace("classifier.path=", "judges: ")) from error
    raise UserError(f"judges: expected of {', '.join(BUNDLED)} or a file of `fooling train` (.safetensors), got {name}")


def predict_all(judges: Mapping[str, Classifier], images: Bytes) -> dict[str, Floats]:
    """The scores [N, K] that each judge gives to images [N, H, W, C]."""
    starts = range(0, len(images), BATCH)
    return {name: np.concatenate([ask(judge, images[lo : lo + BATCH]) for lo in starts]) for name, judge in judges.items()}
