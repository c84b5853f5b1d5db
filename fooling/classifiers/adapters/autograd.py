"""Gradients of ONNX models: onnx2torch converts them for torch's autograd, which is compared with onnxruntime first."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fooling.errors import UserError
from fooling.settings.fields import foreign_code

NEEDED = ("onnx2torch", "torch", "onnx")
TOLERANCE = 1e-3  # between the numbers of both, as a share of the largest; EfficientNet-Lite0: 1e-6


def pulling_by_torch(
    path: Path, outputs: list[str], output: str, predict: Callable[[Any], Any], threads: int, where: str
) -> Callable[[Any, Any], Any] | None:
    """The function inputs, weights [N, K] → gradient of an ONNX model, which is converted at its first call; None without
    onnx2torch. Raises UserError then where the model cannot be converted, or other numbers come of it."""
    if not all(find_spec(name) for name in NEEDED):
        return None
    converted: list[Callable[[Any, Any], Any]] = []

    def pull(inputs: Any, weights: Any) -> Any:
        if not converted:
            converted.append(convert(inputs))
        return converted[0](inputs, weights)

    def convert(inputs: Any) -> Callable[[Any, Any], Any]:
        torch_adapter = import_module("fooling.classifiers.adapters.torch")
        with foreign_code(f"{where}: onnx2torch cannot convert it for gradients: "):
            whole = import_module("onnx2torch").convert(with_initializers(import_module("onnx").load(path)))
        placed = torch_adapter.placed(torch_adapter.OneOutput(whole, outputs.index(output)), where, threads)
        ours, theirs = (np.asarray(function(inputs), dtype=np.float64) for function in (predict, placed.predict))
        apart = np.abs(ours - theirs).max() / max(np.abs(ours).max(), 1e-30) if ours.shape == theirs.shape else np.inf
        if not apart <= TOLERANCE:
            raise UserError(
                f"{where}: what onnx2torch makes of it gives other numbers (by {apart:.2g}); no gradients are taken"
            )
        return placed.pull  # type: ignore[no-any-return]

    return pull


def with_initializers(model: Any) -> Any:
    """A model whose constants are initializers, where onnx2torch looks for weights; some exporters write nodes."""
    graph = model.graph
    for node in [one for one in graph.node if one.op_type == "Constant"]:
        for tensor in [attribute.t for attribute in node.attribute if attribute.name == "value"]:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)
    return model
