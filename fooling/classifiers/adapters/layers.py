"""Inner layers of external models: their names, and the outputs of an ONNX model's inner nodes."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fooling.errors import UserError, printable
from fooling.settings.fields import foreign_code

NAMED = 24  # layers that a message names, at most
LINEAR = ("Gemm", "MatMul")  # operators of linear layers


def mean_over_places(values: Any, channels: int = -1) -> Any:
    """Activations [N, …] as [N, D]: means over all axes but the first and that of the channels."""
    if values.ndim <= 2:
        return values.reshape(len(values), -1)
    places = tuple(axis for axis in range(1, values.ndim) if axis != channels % values.ndim)
    return values.mean(axis=places)


def unknown_layer(layer: str, names: Sequence[str]) -> UserError:
    """The refusal of a layer that a model has not, with the names that it has, the last ones of many."""
    shown = [printable(name) for name in names[-NAMED:]]
    more = f" (and {len(names) - NAMED} before them)" if len(names) > NAMED else ""
    return UserError(f"layer={printable(layer)}: expected a layer of the model: {', '.join(shown) or 'it has none'}{more}")


def session_with_layer(path: Path, name: str | None, options: Any, where: str) -> tuple[Any, str]:
    """A session of the ONNX model in a file with an inner output more, and its name; the file stays as it is.

    `name` is that of the inner output, None: what the last linear layer takes. Raises UserError for a name
    that the model has not.
    """
    if find_spec("onnx") is None:
        raise UserError(f"{where}: inner outputs of an ONNX model need onnx: pip install '.[onnx]' in a clone of fooling")
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    with foreign_code(f"{where}: the model cannot be read with its inner outputs: "):
        model = onnx.load(str(path))
        names = [one for node in model.graph.node for one in node.output if one]
        chosen = name or input_of_last(model.graph)
        if chosen is None:
            raise UserError("the model has no linear layer; name an inner output: layer=NAME")
        if chosen not in names:
            raise unknown_layer(chosen, names)
        if chosen not in [one.name for one in model.graph.output]:
            model.graph.output.append(onnx.ValueInfoProto(name=chosen))
        providers = runtime.get_available_providers()
        return runtime.InferenceSession(model.SerializeToString(), options, providers=providers), chosen


def input_of_last(graph: Any) -> str | None:
    """The name of what the last linear layer of a graph takes; None where there is none, or it takes the model's input."""
    made = {one for node in graph.node for one in node.output}
    taken = [node.input[0] for node in graph.node if node.op_type in LINEAR and node.input[0] in made]
    return taken[-1] if taken else None
