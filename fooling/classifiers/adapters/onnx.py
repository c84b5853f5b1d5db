"""classifier=onnx: a model for onnxruntime. A model file brings no code."""

import re
import weakref
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from fooling.classifiers.adapters.autograd import pulling_by_torch
from fooling.classifiers.adapters.files import advice, digest_of_files, model_file, one_input
from fooling.classifiers.adapters.layers import mean_over_places, session_with_layer
from fooling.classifiers.adapters.model import Model
from fooling.errors import UserError
from fooling.settings.classifiers import OnnxSettings
from fooling.settings.fields import foreign_code, shortened
from fooling.settings.files import check_file, read_whole

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
LONGEST_PATH = 4096  # bytes of the name of a file of weights
NO_GRADIENTS = "those of an ONNX model need onnx2torch: pip install '.[onnx-gradients]' in a clone of fooling"
QUIET = 4  # onnxruntime's log level for fatal messages only: its errors come as exceptions


def open_onnx(settings: OnnxSettings, threads: int) -> Model:
    """The model in a file, with what it declares about its input and outputs. Raises UserError."""
    path, where = model_file(settings.path, "onnx", "expected an ONNX model (.onnx)")
    return model_of(path, where, settings, threads)


def object_as_model(thing: Any, where: str, settings: OnnxSettings, threads: int) -> Model:
    """An onnx.ModelProto, or the model of an onnxruntime.InferenceSession, as a model in a file. Raises UserError."""
    known = getattr(thing, "_model_path", None)
    if known:
        return model_of_session(thing, Path(known), where, settings, threads)
    folder = TemporaryDirectory(prefix="fooling-")
    path = Path(folder.name) / "model.onnx"
    content = getattr(thing, "_model_bytes", None)
    if content is not None:
        path.write_bytes(content)
    elif isinstance(thing, onnxruntime.InferenceSession):
        raise UserError(f"{where}: expected a session made from a file or from bytes; give the file, or an onnx.ModelProto")
    else:
        import_module("onnx").save(thing, str(path))
    found = model_of(path, where, settings, threads)
    weakref.finalize(found.predict, folder.cleanup)  # gradients and layers read the file later
    return found


def model_of_session(session: Any, path: Path, where: str, settings: OnnxSettings, threads: int) -> Model:
    """The model in the file of a session. Raises UserError where the file is gone, or holds another model by now."""
    if not path.is_file():
        raise UserError(f"{where}: the session's file is not there any more ({path}); give an onnx.ModelProto")
    found = model_of(path, where, settings, threads)
    inputs = session.get_inputs()[0]
    sides = [side if isinstance(side, int) and side > 0 else 1 if not place else 32 for place, side in enumerate(inputs.shape)]
    probe = np.random.default_rng(0).uniform(0, 1, sides).astype(TYPES[inputs.type])
    names = [one.name for one in session.get_outputs()]
    output = choose_output(session.get_outputs(), settings.output_name, settings.output == "label", where)
    with foreign_code(f"{where}: the session failed on inputs {sides}: "):
        now, then = np.asarray(found.predict(probe)), np.asarray(session.run(names, {inputs.name: probe})[names.index(output)])
    if now.shape != then.shape or not np.allclose(now, then, rtol=1e-3, atol=1e-5, equal_nan=True):
        raise UserError(f"{where}: the session's file {path} holds another model by now; give an onnx.ModelProto")
    return found


def model_of(path: Path, where: str, settings: OnnxSettings, threads: int) -> Model:
    """The model in a file; `where` begins messages. Raises UserError."""
    others = external_files(path, read_whole(path, "model"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, QUIET
    onnxruntime.set_default_logger_severity(QUIET)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime has an exception class for each status
        reason = without_codes(error)
        raise UserError(
            f"{where}: expected an ONNX model, onnxruntime cannot read it ({reason}){advice(path, 'onnx') or advice_on(reason)}"
        ) from error
    declared_inputs = session.get_inputs()
    one_input([(one.name, one.shape) for one in declared_inputs], where)
    (declared,) = declared_inputs
    if declared.type not in TYPES or len(declared.shape) < 2:
        raise UserError(f"{where}: expected an input of numbers [N, …], got {declared.type} {declared.shape}")
    batch, *dims = (side if isinstance(side, int) and side > 0 else None for side in declared.shape)
    output = choose_output(session.get_outputs(), settings.output_name, settings.output == "label", where)

    def predict(inputs: Any) -> Any:
        try:
            return session.run([output], {declared.name: inputs})[0]
        except Exception as error:
            reason = without_codes(error)
            failed = f"{where}: onnxruntime failed on inputs {list(inputs.shape)} ({reason}){advice_on(reason)}"
            raise UserError(failed) from error

    def layer(name: str | None) -> Any:
        with_layer, chosen = session_with_layer(path, name, options, where)
        return lambda inputs: mean_over_places(with_layer.run([chosen], {declared.name: inputs})[0], channels=1)

    sizes, pull = (tuple(dims), batch, TYPES[declared.type]), None
    if declared.type in SCORES and settings.output != "label":
        pull = pulling_by_torch(path, [one.name for one in session.get_outputs()], output, predict, threads, where)
    digest = digest_of_files([path, *others])
    return Model(predict, where, digest, "NCHW", *sizes, layer=layer, pull=pull, without_gradients="" if pull else NO_GRADIENTS)


LOCATION = re.compile(rb"\x0a\x08location\x12")  # a TensorProto's external_data entry: key=location, value=…


def external_files(path: Path, content: bytes) -> list[Path]:
    """The files with weights that a model names (`external_data`), below its folder. Raises UserError for pipes and devices.

    The bytes of each such entry are searched for, as reading a model needs no package `onnx`.
    """
    found = set()
    for match in LOCATION.finditer(content):
        length, start = varint(content, match.end())
        name = content[start : start + length].decode(errors="replace")
        other = path.parent / name
        if 0 < length <= LONGEST_PATH and "\0" not in name and other.exists() and not other.is_dir():
            check_file(other, "model")
            found.add(other)
    return sorted(found - {path})


def varint(content: bytes, start: int) -> tuple[int, int]:
    """A number of protobuf, seven bits a byte, and where it ends; at most two bytes are read."""
    low, high = (*content[start : start + 2], 0, 0)[:2]
    return (low, start + 1) if low < 128 else ((low & 127) | (high << 7), start + 2)


def choose_output(outputs: Any, name: str | None, labels: bool, where: str) -> str:
    """The name of the output with scores [N, K]: that of the settings, or the only possible one. Raises UserError."""
    if not outputs:
        raise UserError(f"{where}: expected a model with an output of scores [N, classes], got one without outputs")
    known = ", ".join(f"{one.name} {one.type.removeprefix('tensor')}{one.shape}" for one in outputs)
    if name is not None:
        if name not in [one.name for one in outputs]:
            raise UserError(f"{where}: classifier.output_name={name}: expected one of its outputs: {known}")
        return name
    if any(one.type.startswith("seq(map") for one in outputs):
        raise UserError(f"{where}: expected scores as an array, got dictionaries; export it with zipmap=False")
    candidates = [one.name for one in outputs if (one.type in SCORES and len(one.shape) >= 2) != labels]
    names = candidates if len(outputs) > 1 else [outputs[0].name]
    if len(names) != 1:
        what = "labels" if labels else "scores [N, classes]"
        raise UserError(f"{where}: expected one output of {what}, got {known}; choose with classifier.output_name=…")
    return str(names[0])


CODES = re.compile(r"^\s*\[ONNXRuntimeError\] : \d+ : \w+ : ")
SOURCES = re.compile(r"[\w./-]*onnxruntime[\w./-]*\.(?:cc|h|cpp|cu):\d+\s+(?:[\w:<>~, *&]+\([^()]*\)(?: const)?\s*)?")
ADVICE = (  # words of a message, what helps
    (r"Unsupported model IR version|opset", "pip install -U onnxruntime, or export the model with an older opset_version"),
    (
        r"No Op registered|not a registered function|NOT_IMPLEMENTED|No implementation|Could not find an implementation",
        "pip install -U onnxruntime, or export the model with standard operators (an older opset_version)",
    ),
    (
        r"external data|External data|\.data\b.*(?:No such file|doesn.t exist)",
        "keep the file of weights beside the model, under its name",
    ),
    (
        r"Protobuf parsing failed|No graph was found",
        "the file is damaged or no ONNX model; export it again",
    ),
    (
        r"Got invalid dimensions|cannot be reshaped|Got: \d+ Expected: \d+",
        "give classifier.shape=H,W,C and classifier.layout as the model needs, or classifier.batch_size=fixed:N",
    ),
    (r"bad_alloc|[Ff]ailed to allocate", "give a smaller classifier.batch_size"),
)


def without_codes(error: Exception) -> str:
    """A message of onnxruntime on one line, without status codes and places in its source; its end is kept."""
    text = CODES.sub("", str(error))
    return shortened(SOURCES.sub("", text) or text)


def advice_on(reason: str) -> str:
    """What helps against a failure, where it is known."""
    return next((f"; {advice}" for words, advice in ADVICE if re.search(words, reason)), "")
