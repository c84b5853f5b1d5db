"""classifier=openvino: a model in OpenVINO's format, .xml and .bin. A model file brings no code.

OpenVINO reports its use to its makers when it is imported; without the package that does so it is silent. This program contacts
only servers that a user names.
"""

import sys
from contextlib import suppress
from typing import Any

import numpy as np

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as if it were not installed

import openvino

from fooling.classifiers.adapters.files import advice, choose_named, digest_of_files, is_file, model_file, one_input
from fooling.classifiers.adapters.model import Model
from fooling.errors import UserError
from fooling.settings.classifiers import OpenvinoSettings
from fooling.settings.fields import described
from fooling.settings.files import check_file

EXPECTED = "expected an OpenVINO model (.xml, with its .bin beside it)"
PLACE = ("model_info", "labels")  # where OpenVINO's tools write class names, separated by spaces


def open_openvino(settings: OpenvinoSettings, threads: int) -> Model:
    """The model in a file, with what it declares about its input and outputs. Raises UserError."""
    path, where = model_file(settings.path, "openvino", EXPECTED)
    weights = path.with_suffix(".bin")
    files = [path, *([weights] if is_file(weights) else [])]
    for file in files:
        check_file(file, "model")
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": ""}
    try:
        core = openvino.Core()
        model = core.read_model(path)
        inputs, outputs = ([(name_of(port), shape_of(port)) for port in ports] for ports in (model.inputs, model.outputs))
        one_input(inputs, where)
        place = choose_named(outputs, settings.output_name, where)
        compiled = core.compile_model(model, "CPU", options)
    except UserError:
        raise
    except Exception as error:  # of a foreign library
        missing = "" if is_file(weights) else f"; no file {weights.name} beside it"
        reason = f"OpenVINO cannot read it ({described(error)}){missing}"
        raise UserError(f"{where}: {EXPECTED}, {reason}{advice(path, 'openvino')}") from error
    request, port = compiled.create_infer_request(), compiled.outputs[place]
    batch, *dims = inputs[0][1]

    def predict(numbers: Any) -> Any:
        try:
            return np.array(request.infer([numbers])[port])
        except Exception as error:
            raise UserError(f"{where}: OpenVINO failed on inputs {list(numbers.shape)} ({described(error)})") from error

    dtype = np.dtype(model.inputs[0].element_type.to_dtype())
    return Model(predict, where, digest_of_files(files), "NCHW", tuple(dims), batch, dtype, labels=labels_in(model))


def name_of(port: Any) -> str:
    """The name of an input or output; its place where it has none."""
    with suppress(RuntimeError):
        return str(port.any_name)
    return str(port.get_index())


def shape_of(port: Any) -> tuple[int | None, ...]:
    """The sides of an input or output, None where they are open."""
    return tuple(side.get_length() if side.is_static else None for side in port.partial_shape)


def labels_in(model: Any) -> tuple[str, ...] | None:
    """The class names in the model's own metadata, if it has them."""
    if not model.has_rt_info(list(PLACE)):
        return None
    names = str(model.get_rt_info(list(PLACE)).astype(str)).split()
    return tuple(name.replace("_", " ") for name in names) or None
