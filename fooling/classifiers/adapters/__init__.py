"""Foreign classifiers by name: a new adapter is one file in this folder, a row here and a file in configs/classifier/."""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from fooling.classifiers.adapters.adapter import AdaptedClassifier, ShapeHint, adapt
from fooling.errors import UserError
from fooling.settings.classifiers import ExternalSettings as Chosen


class Adapter(NamedTuple):
    """How a kind of model is opened."""

    module: str
    function: str  # (settings, threads) -> Model
    package: str | None  # what its extra installs


ADAPTERS = {
    "onnx": Adapter("fooling.classifiers.adapters.onnx", "open_onnx", "onnxruntime"),
    "sklearn": Adapter("fooling.classifiers.adapters.sklearn", "open_sklearn", "skops"),
    "torch": Adapter("fooling.classifiers.adapters.torch", "open_torch", "torch"),
    "python": Adapter("fooling.classifiers.adapters.python", "open_python", None),
    "http": Adapter("fooling.classifiers.adapters.http", "open_http", "httpx"),
}


def open_foreign(chosen: Chosen, like: ShapeHint, threads: int) -> AdaptedClassifier:
    """The model that the settings choose, fitted to its images; `like` tells of those at hand. Raises UserError."""
    name, adapter = chosen.name, ADAPTERS[chosen.name]
    if adapter.package and find_spec(adapter.package) is None:
        advice = f"pip install 'fooling[{name}]' (in a checkout '.[{name}]')"
        raise UserError(f"classifier={name} needs {adapter.package}: {advice}")
    return adapt(getattr(import_module(adapter.module), adapter.function)(chosen, threads), chosen, like)
