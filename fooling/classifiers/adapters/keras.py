"""classifier=keras: a Keras model, computed by JAX unless KERAS_BACKEND says otherwise. A model file brings no code.

With JAX the model is a pure function: `engine=jax` scores inside its compiled loop, and gradients are at hand.
"""

import inspect
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import jax
import keras
import numpy as np

from fooling.classifiers.adapters.files import advice, choose_named, digest_of_files, is_file, model_file, objects, one_input
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.python import source_of
from fooling.data.npz import archive_of, check_total
from fooling.errors import Doubt, UserError, printable
from fooling.settings.classifiers import KerasSettings
from fooling.settings.fields import described, foreign_code, user_path
from fooling.settings.files import check_size, parse_json

EXPECTED = "expected a Keras model (.keras or .h5), or the folder of a SavedModel"
WITH_CODE = {  # classes of Keras whose configuration holds code, or names other files that are read
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "function", "__lambda__"),
    *("StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"),
}
OTHER_WAY = "give classifier=python with a function that builds the model"
RESCALES = 0.05  # a Rescaling layer with a smaller factor takes grey levels 0 … 255
EACH = 64  # images: larger batches are filled up to a multiple, smaller ones to a power of two, so that few are compiled


class Head(NamedTuple):
    """What a Keras model computes, and which of its outputs counts."""

    model: Any
    place: int

    def __call__(self, answer: Any) -> Any:
        """The output with the scores."""
        parts = list(answer.values()) if isinstance(answer, dict) else answer
        return parts[self.place] if isinstance(parts, list | tuple) else parts


def open_keras(settings: KerasSettings, threads: int) -> Model:
    """The model in a file or folder, with what it declares about its input and output. Raises UserError."""
    del threads  # JAX has one pool of threads for the process
    folder = user_path(settings.path or "")
    if folder.is_dir():
        return open_saved_model(folder, f"classifier.path={folder}", settings.output_name)
    path, where = model_file(settings.path, "keras", EXPECTED)
    refuse_code(config_of(path, where), where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            reason = f"Keras {keras.__version__} cannot read it ({described(error)})"
            raise UserError(f"{where}: {EXPECTED}, {reason}{advice(path, 'keras')}") from error
    return model_of(model, digest_of_files([path]), where, settings)


def object_as_model(model: Any, where: str, settings: KerasSettings, threads: int) -> Model:
    """A model that a program made: its fingerprint is of its weights and its configuration. Raises UserError."""
    del threads
    if not model.built:
        raise UserError(f"{where}: expected a model that is built, got one without weights; model.build((None, H, W, C))")
    whole = True
    with foreign_code(f"{where}: its configuration or weights cannot be read: "):
        try:
            digest = sha256(unnamed(model).encode())
        except (NotImplementedError, TypeError):  # of a class that has no get_config
            digest, whole = sha256(source_of(type(model)).encode()), False
        for weights in model.weights:
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weights.value)).tobytes())
    note = f"{where}: its fingerprint is partial: its weights and the source of its class"
    found = model_of(model, digest.hexdigest(), where, settings)
    return found if whole else replace(found, partial=True, notes=(*found.notes, note))


def unnamed(model: Any) -> str:
    """The configuration of a model as JSON, its layers numbered: their names count what the program has made before."""
    text: str = model.to_json()
    for number, name in enumerate(dict.fromkeys(layer.name for layer in model._flatten_layers())):
        text = text.replace(json.dumps(name), f'"layer {number}"')
    return text


def model_of(model: Any, digest: str, where: str, settings: KerasSettings) -> Model:
    """A Keras model with what it declares about its input and output. Raises UserError."""
    inputs = [(one.name, tuple(one.shape)) for one in getattr(model, "inputs", None) or []]
    if inputs:
        one_input(inputs, where)
    names = getattr(model, "output_names", None) or ["output"]
    outputs = [(name, tuple(one.shape)) for name, one in zip(names, getattr(model, "outputs", None) or [], strict=False)]
    place = choose_named(outputs, settings.output_name, where) if outputs else 0
    batch, *dims = inputs[0][1] if inputs else (None,)
    dtype = np.dtype(model.inputs[0].dtype if inputs and "int" in str(model.inputs[0].dtype) else np.float32)
    layer = rescaling(model)
    scale = 1.0 if layer or dtype.kind in "iu" else None
    predict, jax_fn = functions(Head(model, place), where)
    return Model(
        predict,
        where,
        digest,
        "NHWC",
        tuple(dims) if inputs else None,
        batch,
        dtype,
        notes=scale_notes(layer, settings.scale),
        scale=scale,
        jax_fn=jax_fn,
    )


def scale_notes(layer: str, scale: float | None) -> tuple[str, ...]:
    """Notes on a model that rescales grey levels itself."""
    if not layer:
        return ()
    if scale is None:
        return (f"classifier: its layer {layer} rescales grey levels 0…255, so classifier.scale is 1",)
    if scale < RESCALES:
        said = f"its layer {layer} rescales grey levels 0…255, classifier.scale={scale:.6g} does so before it"
        return (Doubt(f"classifier: {said}; leave classifier.scale out"),)
    return ()


def rescaling(model: Any) -> str:
    """The name of the first layer that rescales grey levels 0 … 255; '' if there is none."""
    layers = model._flatten_layers(include_self=False) if hasattr(model, "_flatten_layers") else []
    for layer in layers:
        factor: Any = getattr(layer, "scale", None)
        if type(layer).__name__ == "Rescaling" and np.size(factor) and np.abs(np.asarray(factor, float)).max() < RESCALES:
            return printable(layer.name, 60)
    return ""


def functions(head: Head, where: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any] | None]:
    """The function inputs → numbers of a model and, where JAX computes it, the same as a pure JAX function."""
    model = head.model
    failed = f"{where}: Keras failed on inputs "
    taken = inspect.signature(model.call).parameters.values()
    accepts = any(one.name == "training" or one.kind is one.VAR_KEYWORD for one in taken)
    inference = {"training": False} if accepts else {}
    if keras.backend.backend() != "jax":

        def predict(inputs: Any) -> Any:
            with foreign_code(f"{failed}{list(inputs.shape)}: "):
                return np.asarray(keras.ops.convert_to_numpy(head(model(inputs, **inference))))

        return predict, None
    state = [one.value for one in model.trainable_variables], [one.value for one in model.non_trainable_variables]

    def pure(variables: Any, inputs: Any) -> Any:
        return head(model.stateless_call(*variables, inputs, **inference)[0])

    compiled = jax.jit(pure)

    def predict_compiled(inputs: Any) -> Any:
        number = len(inputs)
        size = 1 << (number - 1).bit_length() if number <= EACH else -(-number // EACH) * EACH
        filled = np.concatenate([inputs, np.zeros((size - number, *inputs.shape[1:]), inputs.dtype)])
        with foreign_code(f"{failed}{list(inputs.shape)}: "):
            return np.asarray(compiled(state, filled))[:number]

    return predict_compiled, lambda inputs: pure(state, inputs)


# --- what is in a file, before Keras reads it ---------------------------------------------------------------------------
def config_of(path: Path, where: str) -> Any:
    """The configuration of the model in a file. Raises UserError for a file without one.

    The name chooses the reader, as in Keras: a file may be a zip file and HDF5 at once.
    """
    try:
        if path.name.endswith(".keras"):
            with archive_of(path) as archive:
                check_total(path, archive, "model")
                check_size(f"{path}: config.json", "JSON", archive.getinfo("config.json").file_size)
                return parse_json(archive.read("config.json"))
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                raise UserError(f"{where}: {EXPECTED}, got weights alone; save the whole model: model.save('model.keras')")
            return parse_json(file.attrs["model_config"])
    except UserError:
        raise
    except Exception as error:  # of three readers
        raise UserError(f"{where}: {EXPECTED}, it cannot be read ({described(error)}){advice(path, 'keras')}") from error


def refuse_code(config: Any, where: str) -> None:
    """Raises UserError for layers that hold code or read other files, and for classes that are not Keras's own."""
    for part in (one for one in objects(config) if "class_name" in one):
        name, module = str(part["class_name"]), part.get("module")
        if name in WITH_CODE:
            raise UserError(f"{where}: holds a layer {printable(name, 60)}, which may run code and is not opened; {OTHER_WAY}")
        registered = str(part.get("registered_name") or "")
        if (module is not None and module != "keras" and not str(module).startswith("keras.")) or ">" in registered:
            custom = printable(registered or f"{module}.{name}", 80)
            raise UserError(f"{where}: holds a class that is not Keras's own, {custom}, which is not opened; {OTHER_WAY}")


# --- folders of TensorFlow ----------------------------------------------------------------------------------------------
def open_saved_model(folder: Path, where: str, output_name: str | None) -> Model:
    """The serving signature of a SavedModel, which TensorFlow computes. Raises UserError."""
    if not is_file(folder / "saved_model.pb"):
        raise UserError(f"{where}: {EXPECTED}, got a folder without saved_model.pb{advice(folder, 'keras')}")
    if find_spec("tensorflow") is None:
        ways = "pip install tensorflow, or save the model as .keras, .tflite or .onnx (tf2onnx)"
        raise UserError(f"{where}: a SavedModel needs TensorFlow, which is not installed; {ways}")
    with foreign_code(f"{where}: TensorFlow cannot read it: "):
        loaded = import_module("tensorflow").saved_model.load(str(folder))
        signature = loaded.signatures["serving_default"]
        inputs = signature.structured_input_signature[1]
        outputs = list(signature.structured_outputs.items())
    one_input([(name, one.shape.as_list()) for name, one in inputs.items()], where)
    ((name, declared),) = inputs.items()
    place = choose_named([(one, spec.shape.as_list()) for one, spec in outputs], output_name, where)
    batch, *dims = declared.shape.as_list()
    dtype = np.dtype(declared.dtype.as_numpy_dtype)

    def predict(inputs: Any) -> Any:
        with foreign_code(f"{where}: TensorFlow failed on inputs {list(inputs.shape)}: "):
            return np.asarray(loaded.signatures["serving_default"](**{name: inputs})[outputs[place][0]])

    files = sorted(path for path in folder.rglob("*") if is_file(path))
    scale = 1.0 if dtype.kind in "iu" else None
    return Model(predict, where, digest_of_files(files), "NHWC", tuple(dims), batch, dtype, scale=scale)
