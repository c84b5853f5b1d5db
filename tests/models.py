"""Models as users bring them, made of the bundled convolutional network, so that their scores are known."""

from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers import load_classifier
from fooling.classifiers.adapters.adapter import AdaptedClassifier, adapt
from fooling.classifiers.adapters.model import Model
from fooling.settings import load
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings


def write_onnx(path: Path, *, batch: int | str = "N", extra: str = "", logits: bool = True, network: Any = "mnist_cnn") -> Path:
    """A convolutional network as ONNX, [N, 1, 28, 28] → logits [N, 10]; `extra`: input, output or scale."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    layers = load_classifier(network).layers  # type: ignore[attr-defined]
    tensors = {name: np.asarray(layer) for name, layer in layers.items()}
    for name in ("kernels1", "kernels2"):
        tensors[name] = np.ascontiguousarray(tensors[name].transpose(3, 2, 0, 1))
    tensors["shape"] = np.array([batch if isinstance(batch, int) else -1, tensors["weights3"].shape[0]])
    same = {"auto_pad": "SAME_UPPER"}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["images", "kernels1", "bias1"], ["c1"], **same),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], **pool),
        helper.make_node("Conv", ["p1", "kernels2", "bias2"], ["c2"], **same),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], **pool),
        helper.make_node("Transpose", ["p2"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["t", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights3", "bias3"], ["h"]),
        helper.make_node("Relu", ["h"], ["r3"]),
        helper.make_node("Gemm", ["r3", "weights4", "bias4"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    number = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("images", number, [batch, 1, 28, 28])]
    outputs = [helper.make_tensor_value_info("logits" if logits else "probabilities", number, [batch, 10])]
    if extra == "input":
        inputs.append(helper.make_tensor_value_info("mask", number, [batch, 10]))
        nodes.append(helper.make_node("Add", ["logits", "mask"], ["masked"]))
        outputs = [helper.make_tensor_value_info("masked", number, [batch, 10])]
    if extra == "output":
        outputs.append(helper.make_tensor_value_info("r3", number, [batch, len(tensors["bias3"])]))
    weights = [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    graph = helper.make_graph(nodes, "lenet", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_means(path: Path) -> Path:
    """An ONNX model of three classes that takes images of any size: its logits are ten times the means of the channels."""
    from onnx import TensorProto, helper, numpy_helper

    number = TensorProto.FLOAT
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("Mul", ["means", "ten"], ["logits"]),
    ]
    images = helper.make_tensor_value_info("images", number, ["N", 3, "H", "W"])
    logits = helper.make_tensor_value_info("logits", number, ["N", 3])
    ten = numpy_helper.from_array(np.array([10], np.float32), "ten")
    model = helper.make_model(
        helper.make_graph(nodes, "means", [images], [logits], [ten]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


def write_sklearn(path: Path, estimator: Any, scale: float = 16 / 255) -> Path:
    """An estimator fitted to scikit-learn's digits, saved by skops; it expects grey levels 0…255 times `scale`."""
    import skops.io

    from fooling.data import load_data

    data = load_data(None, "sklearn")
    estimator.fit(data.images.reshape(len(data.images), -1) * scale, data.labels)
    skops.io.dump(estimator, path)
    return path


def make_scorer() -> Any:
    """A plain function for classifier=python: images [N, 28, 28, 1] in [0, 1] → probabilities."""
    network = load_classifier("mnist_cnn")
    return lambda inputs: network(np.rint(np.asarray(inputs) * 255).astype(np.uint8))


def make_module() -> Any:
    """The bundled convolutional network as a torch module of random weights, [N, 1, 28, 28] → logits."""
    import torch
    from torch import nn

    layers = load_classifier("mnist_cnn").layers  # type: ignore[attr-defined]
    side, first, second = len(layers["kernels1"]), len(layers["bias1"]), len(layers["bias2"])
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, first, side, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, side, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(layers["weights3"].shape[0], len(layers["bias3"])),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(len(layers["bias3"]), 10),
    )


def write_torch(path: Path) -> Path:
    """The weights of the bundled network for `make_module`."""
    import torch
    from safetensors.torch import save_file

    layers = load_classifier("mnist_cnn").layers  # type: ignore[attr-defined]
    units, side = len(layers["bias2"]), 7
    dense = np.asarray(layers["weights3"]).reshape(side, side, units, -1).transpose(2, 0, 1, 3).reshape(side * side * units, -1)
    tensors = {
        "0.weight": np.asarray(layers["kernels1"]).transpose(3, 2, 0, 1),
        "0.bias": layers["bias1"],
        "3.weight": np.asarray(layers["kernels2"]).transpose(3, 2, 0, 1),
        "3.bias": layers["bias2"],
        "7.weight": dense.T,
        "7.bias": layers["bias3"],
        "10.weight": np.asarray(layers["weights4"]).T,
        "10.bias": layers["bias4"],
    }
    save_file({name: torch.from_numpy(np.ascontiguousarray(tensor)) for name, tensor in tensors.items()}, path)
    return path


class Odd:
    """An object of a type that skops does not trust."""

    def __init__(self) -> None:
        self.value = 1

    def predict(self, inputs: Any) -> Any:
        return np.zeros(len(inputs))


class SumModel:
    """A model of three classes whose answers depend on what is given."""

    def __init__(self, change: Any = lambda inputs, scores: scores, limit: int = 10**9) -> None:
        self.change, self.limit, self.sizes = change, limit, [0]

    def __call__(self, inputs: np.ndarray) -> Any:
        self.sizes.append(len(inputs))
        if len(inputs) > self.limit:
            raise MemoryError
        sums = inputs.reshape(len(inputs), -1).astype(float) @ np.linspace(-1, 1, inputs[0].size * 3).reshape(-1, 3)
        return self.change(inputs, sums)


def toy(change: Any = lambda inputs, scores: scores, limit: int = 10**9, **settings: Any) -> AdaptedClassifier:
    """A classifier of 4×5 images with three classes."""
    words = as_words("classifier", settings)
    chosen = load(["classifier=python", "classifier.path=a:b", *words], RunSettings, "run").classifier
    return adapt(Model(SumModel(change, limit), "toy", "0" * 64, "NHWC"), chosen, lambda: ((4, 5, 1), ("a", "b", "c")))


class Toy:
    """A classifier that can be broken in one way."""

    input_shape, num_classes, labels, fingerprint = (8, 8, 1), 2, ("a", "b"), "toy"

    def __init__(self, answer: Any = None, **changed: Any) -> None:
        self.answer, self.calls = answer, 0
        for name, value in changed.items():
            setattr(self, name, value)

    def __call__(self, images: np.ndarray) -> Any:
        self.calls += 1
        scores = np.full((len(images), 2), 0.5, np.float32)
        return self.answer(self, images, scores) if self.answer else scores
