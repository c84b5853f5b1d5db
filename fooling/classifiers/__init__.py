"""Classifiers by name. A new adapter is one file in this folder and one row here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fooling.classifiers import convolutional, dense, networks
from fooling.classifiers.base import Classifier
from fooling.classifiers.files import HINT, read
from fooling.errors import UserError
from fooling.paths import user_path

# Kinds of built-in networks, by the format in a file's header.
FORMATS: dict[str, Callable[[Path, dict[str, str], dict[str, Any]], Classifier]] = {
    networks.FORMAT: networks.load_sigmoid,
    dense.FORMAT: dense.load_dense,
    convolutional.FORMAT: convolutional.load_convolutional,
}
ASSETS = Path(__file__).parent.parent / "assets"


def load_network(path: Path) -> Classifier:
    """Reads a network that `fooling train` wrote; a file that is none is refused with what was expected."""
    about, tensors = read(path)
    if about.get("format") not in FORMATS:
        raise UserError(f"classifier.path={path}: {HINT}, got format {about.get('format')!r}")
    return FORMATS[about["format"]](path, about, tensors)


def bundled(name: str) -> Callable[[str | None], Classifier]:
    """Loads a network from a given file, by default the bundled one of this name."""
    return lambda path: load_network(user_path(path) if path else ASSETS / f"{name}.safetensors")


def yours(name: str) -> Callable[[str | None], Classifier]:
    """Loads a network of a kind of which none is bundled."""

    def load(path: str | None) -> Classifier:
        if not path:
            made = f"a network that `fooling train classifier={name} …` wrote"
            raise UserError(f"classifier={name} has no bundled weights: it needs classifier.path=FILE, {made}")
        return load_network(user_path(path))

    return load


BUNDLED = ("mnist_mlp", "mnist_mlp2", "mnist_cnn", "mnist_cnn2")
CLASSIFIERS: dict[str, Callable[[str | None], Classifier]] = {
    **{name: bundled(name) for name in BUNDLED},
    **{name: yours(name) for name in ("softmax", "perceptron", "mlp", "cnn")},
}


def load_classifier(name: str = "mnist_mlp", path: str | None = None) -> Classifier:
    """A classifier by name, with weights from `path` or, by default, the bundled ones. Raises UserError."""
    if name not in CLASSIFIERS:
        raise UserError(f"classifier={name}: expected one of {', '.join(CLASSIFIERS)}")
    return CLASSIFIERS[name](path)
