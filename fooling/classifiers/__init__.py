"""Classifiers: built-in networks, their training and files, adapters to external models, checks, held-out classifiers."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from fooling.classifiers.adapters import FILES, kind_of_path, object_kind, object_name, open_external, open_object
from fooling.classifiers.base import Classifier, ShapeHint
from fooling.classifiers.labels import rename
from fooling.classifiers.serialization import HINT, conversion, read
from fooling.errors import UserError
from fooling.settings import load
from fooling.settings.choices import CLOSED
from fooling.settings.classifiers import BuiltinClassifierSettings, EnsembleSettings, ExternalSettings
from fooling.settings.fields import user_path
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings

# Loaders of built-in networks, by the format in a file's header: module:function (path, header, tensors) → Classifier.
FORMATS = {
    "fooling sigmoid network 1": "fooling.classifiers.dense:load_dense",
    "fooling dense network 1": "fooling.classifiers.dense:load_dense",
    "fooling convolutional network 1": "fooling.classifiers.cnn:load_convolutional",
    "fooling pca classifier 1": "fooling.classifiers.pca:load_pca",
}
ENSEMBLE = "fooling.classifiers.ensemble:open_ensemble"  # loaded where there is one: its members are opened by this module
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


def load_classifier(name: Any = "mnist_mlp", path: str | Path | None = None, **settings: Any) -> Classifier:
    """A classifier by name: a built-in network, with weights from `path` or the bundled ones, or an external model at `path`.

    `name` may also be an object: a torch module, an estimator of scikit-learn, or a function of images [N, …] that returns
    scores. `settings` are those of the group `classifier` (shape, layout, scale, mean, std, output, …). Raises UserError.
    """
    words = [*words_for(name), *([f"classifier.path={path}"] if path else [])]
    words += [word for key, value in settings.items() for word in as_words(f"classifier.{key}", value)]
    chosen = load(words, RunSettings, "run").classifier
    return open_classifier(chosen) if isinstance(name, str | Path | dict) else open_given(name, chosen)


def open_classifier(
    settings: BuiltinClassifierSettings | ExternalSettings | EnsembleSettings,
    hint: ShapeHint = lambda: (None, ()),
    threads: int | None = None,
) -> Classifier:
    """The classifier that the settings choose. Raises UserError.

    `hint` returns shape and class names of the data at hand, for an external model that does not declare its own. `threads` is
    the number for a local external model, by default all cores.
    """
    if isinstance(settings, BuiltinClassifierSettings):
        network: Classifier = rename(CLASSIFIERS[settings.name](settings.path), settings.labels)
        return network
    if isinstance(settings, EnsembleSettings):
        ensemble: Classifier = resolve_name(ENSEMBLE)(settings, hint)
        return ensemble
    return open_external(settings, hint, threads or os.cpu_count() or 1)


# --- what a program gives ---------------------------------------------------------------------------------------------
def words_for(classifier: Any) -> list[str]:
    """The words that choose a classifier given by name, by the path of a file, by a dictionary, or as an object."""
    if isinstance(classifier, Path) or (isinstance(classifier, str) and kind_of_path(classifier)):
        kind = kind_of_path(str(classifier))
        if kind is None:
            advice = conversion(Path(classifier)) or '; for others name the kind: {"name": "mlp", "path": "net.safetensors"}'
            raise UserError(f"classifier: expected a file of {', '.join(FILES)}, got {classifier}{advice}")
        return [f"classifier={kind}", f"classifier.path={classifier}"]
    if isinstance(classifier, str) and Path(classifier).suffix.lower() in CLOSED:
        return words_for(Path(classifier))
    if isinstance(classifier, str | dict):
        return as_words("classifier", classifier)
    if classifier is None:
        return []
    # a classifier itself has no settings: those of a bundled one replace what a file of settings may hold
    return [f"classifier={BUNDLED[0]}"] if object_kind(classifier) is None else object_words(classifier)


def object_words(thing: Any) -> list[str]:
    """The words that choose the kind of an object's preprocessing."""
    return [f"classifier={object_kind(thing)}", f"classifier.path={object_name(thing)}"]


def open_given(
    thing: Any,
    settings: BuiltinClassifierSettings | ExternalSettings | EnsembleSettings,
    hint: ShapeHint = lambda: (None, ()),
    threads: int | None = None,
) -> Classifier:
    """An object as a classifier: itself if it is one, else with the preprocessing of the settings. Raises UserError."""
    if object_kind(thing) is None or not isinstance(settings, ExternalSettings):
        return thing  # type: ignore[no-any-return]
    return open_object(thing, settings, hint, threads or os.cpu_count() or 1)
