"""External models as classifiers: one file per framework, one row in the table."""

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from fooling.classifiers.base import Classifier, ShapeHint
from fooling.classifiers.labels import read_labels
from fooling.errors import UserError, printable
from fooling.settings.schema import ExternalSettings


class AdapterRow(NamedTuple):
    """How a kind of model is opened."""

    function: str  # module:function (settings, threads) → Model
    package: str | None = None  # that its extra installs


ADAPTERS = {
    "onnx": AdapterRow("fooling.classifiers.adapters.onnx:open_onnx", "onnxruntime"),
    "sklearn": AdapterRow("fooling.classifiers.adapters.sklearn:open_sklearn", "skops"),
    "torch": AdapterRow("fooling.classifiers.adapters.torch:open_torch", "torch"),
    "python": AdapterRow("fooling.classifiers.adapters.python:open_python"),
    "http": AdapterRow("fooling.classifiers.adapters.http:open_http", "httpx"),
}


def open_external(settings: ExternalSettings, hint: ShapeHint, threads: int) -> Classifier:
    """The external model that the settings choose; `hint` describes the data at hand. Raises UserError."""
    row = ADAPTERS[settings.name]
    if row.package and find_spec(row.package) is None:
        raise UserError(
            f"classifier={settings.name} needs {row.package}: pip install '.[{settings.name}]' in a clone of fooling"
        )
    settings = settings.model_copy(update={"labels": read_labels(settings.labels)})
    module, _, function = row.function.partition(":")
    model = getattr(import_module(module), function)(settings, threads)
    if model.labels:
        model = replace(model, labels=tuple(map(printable, model.labels)))
    adapter = import_module("fooling.classifiers.adapters.adapter")
    classifier: Classifier = adapter.adapt(model, settings, hint)
    return classifier
