"""classifier=onnx: a model for onnxruntime. A model file brings no code."""

import hashlib
from typing import Any

import numpy as np

from fooling.classifiers.adapters.adapter import Model
from fooling.errors import UserError
from fooling.settings.classifiers import OnnxSettings as Chosen
from fooling.settings.fields import user_path

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
SCORES = ("tensor(float)", "tensor(double)", "tensor(float16)")
QUIET = 4  # of onnxruntime's levels of messages: its errors come as exceptions


def open_onnx(chosen: Chosen, threads: int) -> Model:
    """The model in a file, with what it says of its input and outputs. Raises UserError."""
    import onnxruntime

    path = user_path(chosen.path or "")
    where = f"classifier.path={path}"
    if not path.is_file():
        raise UserError(f"{where}: no such file; expected an ONNX model (.onnx)")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, QUIET
    onnxruntime.set_default_logger_severity(QUIET)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime has a class of its own for each status
        raise UserError(f"{where}: expected an ONNX model, onnxruntime cannot read it ({in_short(error)})") from error
    given = session.get_inputs()
    if len(given) != 1:
        names = ", ".join(f"{one.name} {one.shape}" for one in given)
        raise UserError(f"{where}: expected a model with one input, got {len(given)} ({names}); export it with images alone")
    if given[0].type not in TYPES or len(given[0].shape) < 2:
        raise UserError(f"{where}: expected an input of numbers [N, …], got {given[0].type} {given[0].shape}")
    batch, *dims = (side if isinstance(side, int) and side > 0 else None for side in given[0].shape)
    output = choose_output(session.get_outputs(), chosen.output_name, chosen.output == "label", where)

    def predict(inputs: Any) -> Any:
        try:
            return session.run([output], {given[0].name: inputs})[0]
        except Exception as error:
            raise UserError(f"{where}: onnxruntime failed on inputs {list(inputs.shape)} ({in_short(error)})") from error

    digest = hashlib.sha256(path.read_bytes())
    for beside in (path.with_name(f"{path.name}{ending}") for ending in (".data", "_data")):  # where exporters put weights
        digest.update(beside.read_bytes() if beside.is_file() else b"")
    fingerprint = digest.hexdigest()
    return Model(predict, where, fingerprint, "NCHW", tuple(dims), batch, TYPES[given[0].type])


def choose_output(outputs: Any, name: str | None, labels: bool, where: str) -> str:
    """The name of the output with scores [N, K]: the given one, or the only one that can be it."""
    known = ", ".join(f"{one.name} {one.type.removeprefix('tensor')}{one.shape}" for one in outputs)
    if name is not None:
        if name not in [one.name for one in outputs]:
            raise UserError(f"{where}: classifier.output_name={name}: expected one of its outputs: {known}")
        return name
    if any(one.type.startswith("seq(map") for one in outputs):
        raise UserError(f"{where}: gives its scores as dictionaries; export it with zipmap=False")
    fit = [one.name for one in outputs if (one.type in SCORES and len(one.shape) >= 2) != labels]
    found = fit if len(outputs) > 1 else [outputs[0].name]
    if len(found) != 1:
        what = "labels" if labels else "scores [N, classes]"
        raise UserError(f"{where}: expected one output of {what}, got {known}; choose with classifier.output_name=…")
    return str(found[0])


def in_short(error: Exception) -> str:
    """The gist of one of onnxruntime's messages: their first line, without the codes before it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition(" : ")[2][:200]
