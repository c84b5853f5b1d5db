"""External models as classifiers: one file per framework, one row in the table."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from fooling.classifiers.adapters.pace import Pace
from fooling.classifiers.adapters.top import dense
from fooling.classifiers.base import Classifier, ShapeHint
from fooling.classifiers.labels import read_labels
from fooling.errors import UserError, printable
from fooling.settings.choices import KIND_OF_FILE
from fooling.settings.classifiers import ExternalSettings
from fooling.settings.fields import described, foreign_code, read_rate


class AdapterRow(NamedTuple):
    """How a kind of model is opened."""

    function: str  # module:function (settings, threads) → Model
    package: str | None = None  # that its extra installs
    advice: str = ""  # on installing it, before the extra
    of_object: str = ""  # module:function (object, its name in messages, settings, threads) → Model


OBJECTS = "fooling.classifiers.adapters.python"
CPU_WHEEL = (  # PyPI's wheel for Linux brings 5.4 GB of CUDA
    "without a GPU first `pip install torch --index-url https://download.pytorch.org/whl/cpu`, then (the plain wheel brings "
    "5.4 GB of CUDA) "
)
ADAPTERS = {
    "onnx": AdapterRow(
        "fooling.classifiers.adapters.onnx:open_onnx",
        "onnxruntime",
        of_object="fooling.classifiers.adapters.onnx:object_as_model",
    ),
    "sklearn": AdapterRow(
        "fooling.classifiers.adapters.sklearn:open_sklearn", "skops", of_object=f"{OBJECTS}:estimator_as_model"
    ),
    "torch": AdapterRow(
        "fooling.classifiers.adapters.torch:open_torch",
        "torch",
        CPU_WHEEL,
        "fooling.classifiers.adapters.torch:object_as_model",
    ),
    "keras": AdapterRow(
        "fooling.classifiers.adapters.keras:open_keras",
        "keras",
        of_object="fooling.classifiers.adapters.keras:object_as_model",
    ),
    "tflite": AdapterRow("fooling.classifiers.adapters.tflite:open_tflite", "ai_edge_litert"),
    "huggingface": AdapterRow("fooling.classifiers.adapters.huggingface:open_huggingface", "transformers", CPU_WHEEL),
    "timm": AdapterRow(
        "fooling.classifiers.adapters.timm:open_timm", "timm", CPU_WHEEL.replace("torch ", "torch torchvision ", 1)
    ),
    "openvino": AdapterRow("fooling.classifiers.adapters.openvino:open_openvino", "openvino"),
    "python": AdapterRow(f"{OBJECTS}:open_python", of_object=f"{OBJECTS}:function_as_model"),
    "http": AdapterRow("fooling.classifiers.adapters.http:open_http", "httpx"),
}


FILES = {end: kind for end, kind in KIND_OF_FILE.items() if kind in ADAPTERS}  # the kind of a model by its file's name
CLASSES = (  # the kind of the objects of a package's class, if the program has imported it
    ("keras", "keras", "Model"),  # before torch: computed by torch it is a module, too
    ("torch", "torch", "nn.Module"),
    ("onnx", "onnx", "ModelProto"),
    ("onnx", "onnxruntime", "InferenceSession"),
)
MEMBERS = ("input_shape", "num_classes", "labels", "fingerprint", "__call__")  # of `Classifier`


def open_external(settings: ExternalSettings, hint: ShapeHint, threads: int) -> Classifier:
    """The external model that the settings choose; `hint` describes the data at hand. Raises UserError."""
    row = ADAPTERS[settings.name]
    install = f"{row.advice}pip install '.[{settings.name}]' in a clone of fooling"
    if row.package and find_spec(row.package) is None:
        raise UserError(f"classifier={settings.name} needs {row.package}: {install}")
    try:
        function = load_function(row.function)
    except Exception as error:  # a package that its package needs may lack, or be of another build
        raise UserError(f"classifier={settings.name}: cannot be imported ({described(error)}); {install}") from error
    return adapted(function(settings, threads), settings, hint)


def open_object(thing: Any, settings: ExternalSettings, hint: ShapeHint, threads: int) -> Classifier:
    """An object of Python as a classifier, its preprocessing and output as the settings say. Raises UserError."""
    row = ADAPTERS[object_kind(thing) or "python"]
    return adapted(load_function(row.of_object)(thing, f"classifier: {object_name(thing)}", settings, threads), settings, hint)


def adapted(model: Any, settings: ExternalSettings, hint: ShapeHint) -> Classifier:
    """A model as a classifier."""
    settings = settings.model_copy(update={"labels": read_labels(settings.labels)})
    if model.labels:
        model = replace(model, labels=tuple(map(printable, model.labels)))
    if not model.paced:
        model = replace(model, predict=Pace(read_rate(settings.rate)).paced(model.predict))
    read = settings
    if settings.output == "top":
        labels = settings.labels or model.labels or hint()[1]
        model, read = with_best_classes(model, labels), settings.model_copy(update={"output": "probability"})
    model, bill = load_function("fooling.classifiers.queries:billed")(model, settings)
    classifier = load_function("fooling.classifiers.adapters.adapter:adapt")(model, read, hint)
    return load_function("fooling.classifiers.queries:queried")(classifier, settings, bill)  # type: ignore[no-any-return]


def with_best_classes(model: Any, labels: Sequence[str]) -> Any:
    """A model whose answers name the best classes alone, with these class names. Raises UserError without any."""
    if not labels:
        raise UserError(f"{model.name}: names the best classes only, not all there are; give classifier.labels=[a,b,…]")
    return replace(model, predict=dense(model.predict, labels, model.name), labels=tuple(labels))


def load_function(name: str) -> Any:
    """The function that module:function of this package names."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


# --- what a user gives ------------------------------------------------------------------------------------------------
def kind_of_path(text: str) -> str | None:
    """The kind of model that a file or URL holds, by its name; None where that says nothing."""
    return "http" if text.lower().startswith(("http://", "https://")) else FILES.get(Path(text).suffix.lower())


@foreign_code("classifier: expected an object like fooling.Classifier, got one whose parts cannot be read: ")
def object_kind(thing: Any) -> str | None:
    """The kind of an object that is no `Classifier` itself, such as torch; None for one that is, or tries to be.

    Raises UserError for an object that can be neither.
    """
    if isinstance(thing, type):
        raise UserError(f"classifier: expected an object, got the class {thing.__name__}; give {thing.__name__}()")
    own = [name for name in MEMBERS[:-1] if hasattr(thing, name)]
    if len(own) < len(MEMBERS) - 1:
        for kind, package, name in CLASSES:
            known = class_of(sys.modules.get(package), name)
            if known is not None and isinstance(thing, known):
                return kind
        if is_estimator(thing):
            return "sklearn"
    if len(own) > 1 or own == ["fingerprint"]:
        return None
    if callable(thing):
        return "python"
    expected = "a name, a dictionary of its settings, a torch module, an estimator, a function of images, or fooling.Classifier"
    raise UserError(f"classifier: expected {expected}; got {type(thing).__name__}")


def is_estimator(thing: Any) -> bool:
    """Whether an object is a classifier of scikit-learn."""
    return hasattr(thing, "get_params") and any(hasattr(thing, n) for n in ("predict_proba", "decision_function", "predict"))


def class_of(package: Any, name: str) -> Any:
    """The class that a.b names in a package; None where there is no package, or not such a one."""
    for part in name.split("."):
        package = getattr(package, part, None)
    return package


def object_name(thing: Any) -> str:
    """What a record calls an object: object Net, object make_scores."""
    try:
        name = getattr(thing, "__name__", None)
        if hasattr(thing, "with_preprocessing"):  # made by `adapted`: what it was made of
            name = str(thing.model.name).removeprefix("classifier: object ").removeprefix("classifier.path=")
    except Exception:  # a __getattr__ may raise anything
        name = None
    return f"object {printable(name if isinstance(name, str) else type(thing).__name__, 60)}"
