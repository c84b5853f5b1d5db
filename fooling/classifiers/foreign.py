"""Foreign classifiers by name: a new adapter is one file in this folder, a row here and a file in configs/classifier/."""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from fooling.classifiers.adapted import Adapted, Like, adapt
from fooling.errors import UserError
from fooling.groups import Classifier as Chosen


class Adapter(NamedTuple):
    """How a kind of model is opened."""

    module: str
    function: str  # (settings, threads) -> Model
    package: str | None  # what its extra installs


ADAPTERS = {
    "onnx": Adapter("fooling.classifiers.onnx_", "open_onnx", "onnxruntime"),
    "sklearn": Adapter("fooling.classifiers.sklearn_", "open_sklearn", "skops"),
    "torch": Adapter("fooling.classifiers.torch_", "open_torch", "torch"),
    "python": Adapter("fooling.classifiers.python_", "open_python", None),
    "http": Adapter("fooling.classifiers.http_", "open_http", "httpx"),
}


def open_foreign(chosen: Chosen, like: Like, threads: int) -> Adapted:
    """The model that the settings choose, fitted to its images; `like` tells of those at hand. Raises UserError."""
    name, adapter = chosen.name, ADAPTERS[chosen.name]
    if adapter.package and find_spec(adapter.package) is None:
        advice = f"pip install 'fooling[{name}]' (in a checkout '.[{name}]')"
        raise UserError(f"classifier={name} needs {adapter.package}: {advice}")
    return adapt(getattr(import_module(adapter.module), adapter.function)(chosen, threads), chosen, like)
