"""Classifiers: built-in networks, their training and files, adapters to external models, checks, held-out classifiers."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from fooling.classifiers.adapters import open_external
from fooling.classifiers.base import Classifier, ShapeHint
from fooling.classifiers.labels import rename
from fooling.classifiers.serialization import HINT, read
from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.fields import user_path
from fooling.settings.names import as_words
from fooling.settings.schema import BuiltinClassifierSettings, ExternalSettings, RunSettings

# Loaders of built-in networks, by the format in a file's header: module:function (path, header, tensors) → Classifier.
FORMATS = {
    "fooling sigmoid network 1": "fooling.classifiers.dense:load_dense",
    "fooling dense network 1": "fooling.classifiers.dense:load_dense",
    "fooling convolutional network 1": "fooling.classifiers.cnn:load_convolutional",
    "fooling pca classifier 1": "fooling.classifiers.pca:load_pca",
}
ASSETS = Path(__file__).parent / "weights"


def load_network(path: Path) -> Classifier:
    """Reads a network that `fooling train` or `fooling eigen` wrote. Raises UserError for any other file."""
    header, tensors = read(path)
    if header.get("format") not in FORMATS:
        raise UserError(f"classifier.path={path}: {HINT}, got format {header.get('format')!r}")
    module, _, function = FORMATS[header["format"]].partition(":")
    network: Classifier = getattr(import_module(module), function)(path, header, tensors)
    return network


def bundled(name: str) -> Callable[[str | None], Classifier]:
    """A loader of a network file, by default of the bundled network of this name."""
    return lambda path: load_network(user_path(path) if path else ASSETS / f"{name}.safetensors")


def trained(name: str, command: str = "train") -> Callable[[str | None], Classifier]:
    """A loader of a kind of network that is not bundled, but written by a command."""

    def load_file(path: str | None) -> Classifier:
        if not path:
            source = f"`fooling train classifier={name} …`" if command == "train" else f"`fooling {command}`"
            raise UserError(
                f"classifier={name}: expected classifier.path=FILE, as no weights are bundled; write one with {source}"
            )
        return load_network(user_path(path))

    return load_file


BUNDLED = ("mnist_mlp", "mnist_mlp2", "mnist_cnn", "mnist_cnn2", "digits_perceptron")
CLASSIFIERS: dict[str, Callable[[str | None], Classifier]] = {
    **{name: bundled(name) for name in BUNDLED},
    **{name: trained(name) for name in ("softmax", "perceptron", "mlp", "cnn")},
    "pca": trained("pca", "eigen"),
}


def load_classifier(name: str = "mnist_mlp", path: str | None = None, **settings: Any) -> Classifier:
    """A classifier by name: a built-in network, with weights from `path` or the bundled ones, or an external model at `path`.

    `settings` are those of the group `classifier` (layout, scale, mean, std, output, …). Raises UserError.
    """
    words = [f"classifier={name}", *([f"classifier.path={path}"] if path else [])]
    words += [word for key, value in settings.items() for word in as_words(f"classifier.{key}", value)]
    return open_classifier(load(words, RunSettings, "run").classifier)


def open_classifier(
    settings: BuiltinClassifierSettings | ExternalSettings, hint: ShapeHint = lambda: (None, ()), threads: int | None = None
) -> Classifier:
    """The classifier that the settings choose. Raises UserError.

    `hint` returns shape and class names of the data at hand, for an external model that does not declare its own. `threads` is
    the number for a local external model, by default all cores.
    """
    if isinstance(settings, BuiltinClassifierSettings):
        network: Classifier = rename(CLASSIFIERS[settings.name](settings.path), settings.labels)
        return network
    return open_external(settings, hint, threads or os.cpu_count() or 1)
