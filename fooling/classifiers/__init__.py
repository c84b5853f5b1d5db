"""Classifiers by name. A new adapter is one file in this folder and one row here."""

from collections.abc import Callable

from fooling.classifiers.base import Classifier
from fooling.classifiers.networks import BUNDLED, load_network
from fooling.errors import UserError
from fooling.paths import user_path


def load_mnist_mlp(path: str | None) -> Classifier:
    """The bundled sigmoid network 784-100-10, or one of its kind that `fooling train` wrote to `path`."""
    return load_network(user_path(path) if path else BUNDLED["mnist_mlp"])


CLASSIFIERS: dict[str, Callable[[str | None], Classifier]] = {"mnist_mlp": load_mnist_mlp}


def load_classifier(name: str = "mnist_mlp", path: str | None = None) -> Classifier:
    """A classifier by name, with weights from `path` or, by default, the bundled ones. Raises UserError."""
    if name not in CLASSIFIERS:
        raise UserError(f"classifier={name}: expected one of {', '.join(CLASSIFIERS)}")
    return CLASSIFIERS[name](path)
