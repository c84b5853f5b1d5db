"""Held-out classifiers (`judges=`): they take no part in the search and evaluate the finished images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fooling.classifiers import BUNDLED, load_classifier, load_network
from fooling.classifiers.base import Classifier, predict
from fooling.classifiers.checks import check_classifier
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats
from fooling.settings.fields import user_path


def load_judges(names: Sequence[str], classifier: Classifier) -> dict[str, Classifier]:
    """Held-out classifiers by name: bundled ones or files of `fooling train`.

    Raises UserError for one that is `classifier` itself, that is named twice, or whose images or classes differ.
    """
    judges: dict[str, Classifier] = {}
    for name in names:
        judge = load_judge(name)
        if judge.fingerprint == classifier.fingerprint:
            others = ",".join(other for other in names if other != name) or "[]"
            advice = f"a held-out classifier takes no part in the search; leave it out: judges={others}"
            raise UserError(f"judges: expected others than the attacked classifier, got {name}, which is the same; {advice}")
        equal = [other for other, known in judges.items() if known.fingerprint == judge.fingerprint]
        if equal or name in judges:
            raise UserError(f"judges: {name} is the same network as {(equal or [name])[0]}; name each once")
        check_judge(name, judge, classifier)
        judges[name] = judge
    return judges


def check_judge(name: str, judge: Classifier, classifier: Classifier) -> None:
    """Raises UserError for a held-out classifier of other images or classes, and for one that fails the checks."""
    if tuple(judge.input_shape) != tuple(classifier.input_shape) or judge.num_classes != classifier.num_classes:
        takes, expected = (f"images {tuple(c.input_shape)} of {c.num_classes} classes" for c in (judge, classifier))
        advice = "give one that was trained on the same data, or judges=[]"
        raise UserError(f"judges: {name} takes {takes}, the attacked classifier {expected}; {advice}")
    try:
        check_classifier(judge)
    except UserError as error:
        raise UserError(f"judges: {name}: {error}") from error


def load_judge(name: str) -> Classifier:
    """A held-out classifier by name or file."""
    if name in BUNDLED:
        return load_classifier(name)
    if Path(name).suffix == ".safetensors":
        try:
            return load_network(user_path(name))
        except UserError as error:
            raise UserError(str(error).replace("classifier.path=", "judges: ")) from error
    raise UserError(f"judges: expected one of {', '.join(BUNDLED)} or a .safetensors file of `fooling train`, got {name}")


def predict_all(judges: Mapping[str, Classifier], images: Bytes) -> dict[str, Floats]:
    """The scores [N, K] that each held-out classifier gives to images uint8 [N, H, W, C]."""
    return {name: predict(judge, images) for name, judge in judges.items()}
