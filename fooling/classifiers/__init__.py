"""Classifiers by name. A new adapter is one file in this folder and one row here."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fooling.classifiers import cnn as convolutional
from fooling.classifiers import dense, pca
from fooling.classifiers.adapters import open_foreign
from fooling.classifiers.adapters.adapter import ShapeHint
from fooling.classifiers.base import Classifier
from fooling.classifiers.serialization import HINT, read
from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.classifiers import BuiltinClassifierSettings
from fooling.settings.classifiers import Classifier as Chosen
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings

# Kinds of built-in networks, by the format in a file's header.
FORMATS: dict[str, Callable[[Path, dict[str, str], dict[str, Any]], Classifier]] = {
    dense.SIGMOID_FORMAT: dense.load_dense,
    dense.SOFTMAX_FORMAT: dense.load_dense,
    convolutional.FORMAT: convolutional.load_convolutional,
    pca.FORMAT: pca.load_pca,
}
ASSETS = Path(__file__).parent / "weights"


def load_network(path: Path) -> Classifier:
    """Reads a network that `fooling train` wrote; a file that is none is refused with what was expected."""
    about, tensors = read(path)
    if about.get("format") not in FORMATS:
        raise UserError(f"classifier.path={path}: {HINT}, got format {about.get('format')!r}")
    return FORMATS[about["format"]](path, about, tensors)


def bundled(name: str) -> Callable[[str | None], Classifier]:
    """Loads a network from a given file, by default the bundled one of this name."""
    return lambda path: load_network(user_path(path) if path else ASSETS / f"{name}.safetensors")


def yours(name: str, command: str = "train") -> Callable[[str | None], Classifier]:
    """Loads a network of a kind of which none is bundled, and which a command of ours writes."""

    def load(path: str | None) -> Classifier:
        if not path:
            made = f"`fooling train classifier={name} …`" if command == "train" else f"`fooling {command}`"
            raise UserError(
                f"classifier={name} has no bundled weights: it needs classifier.path=FILE, a network that {made} wrote"
            )
        return load_network(user_path(path))

    return load


BUNDLED = ("mnist_mlp", "mnist_mlp2", "mnist_cnn", "mnist_cnn2", "digits_perceptron")
CLASSIFIERS: dict[str, Callable[[str | None], Classifier]] = {
    **{name: bundled(name) for name in BUNDLED},
    **{name: yours(name) for name in ("softmax", "perceptron", "mlp", "cnn")},
    "pca": yours("pca", "eigen"),
}


def load_classifier(name: str = "mnist_mlp", path: str | None = None, **settings: Any) -> Classifier:
    """A classifier by name: a built-in network, with weights from `path` or the bundled ones, or a foreign one at `path`.

    `settings` are those of the group `classifier` (layout, scale, mean, std, output, …). Raises UserError.
    """

    words = [f"classifier={name}", *([f"classifier.path={path}"] if path else [])]
    words += [f"classifier.{key}={as_word(value)}" for key, value in settings.items()]
    return open_classifier(load(words, RunSettings, "run").classifier)


def as_word(value: Any) -> str:
    """A value as the command line has it."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def open_classifier(chosen: Chosen, like: ShapeHint = lambda: (None, ()), threads: int | None = None) -> Classifier:
    """The classifier that the settings choose. Raises UserError.

    `like` tells shape and classes of the images at hand; it is asked where a foreign model does not say. `threads`: how many a
    model on this machine may take, by default all cores.
    """
    if isinstance(chosen, BuiltinClassifierSettings):
        return CLASSIFIERS[chosen.name](chosen.path)
    return open_foreign(chosen, like, threads or os.cpu_count() or 1)
