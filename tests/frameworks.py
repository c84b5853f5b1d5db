"""Tiny models of other frameworks, made by these: scores are the softmax of ten times the means of the channels."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (4, 5, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (9, *SHAPE), dtype=np.uint8)


def expected(images: np.ndarray, scale: float = 10 / 255) -> np.ndarray:
    """The scores [N, 3] of images uint8 [N, H, W, 3]."""
    powers = np.exp(images.mean(axis=(1, 2)) * scale)
    return powers / powers.sum(axis=1, keepdims=True)


def keras_model(*, rescales: bool = False, more: Any = ()) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    layers = keras.layers
    first = [layers.Rescaling(1 / 255, name="levels")] if rescales else []
    last = [layers.GlobalAveragePooling2D(), layers.Rescaling(10.0), *more, layers.Softmax()]
    return keras.Sequential([keras.Input(SHAPE), *first, *last])


def write_tflite(path: Path, *, byte: str = "", batch: int = 1, is_open: bool = False, labels: str = "") -> Path:
    """A TensorFlow Lite model; `byte`: int8 or uint8 inputs and outputs."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    types, low = schema.TensorType, {"": 0, "int8": -128, "uint8": 0}[byte]
    kind = {"": types.FLOAT32, "int8": types.INT8, "uint8": types.UINT8}[byte]

    def tensor(name: str, shape: list[int], step: float, code: int = kind, buffer: int = 0) -> Any:
        one = schema.TensorT()
        one.name, one.shape, one.type, one.buffer, one.hasRank = name, shape, code, buffer, True
        if byte and code == kind:
            one.quantization = schema.QuantizationParametersT()
            one.quantization.scale, one.quantization.zeroPoint = [step], [low]
        if is_open and shape[0] == batch:
            one.shapeSignature = [-1, *shape[1:]]
        return one

    def operator(code: int, inputs: list[int], output: int, options: Any, options_type: int) -> Any:
        one = schema.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs = code, inputs, [output]
        one.builtinOptions, one.builtinOptionsType = options, options_type
        return one

    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors = [
        tensor("images", [batch, *SHAPE], 1 / 255),
        tensor("axes", [2], 0, types.INT32, 1),
        tensor("means", [batch, 3], 1 / 255),
        tensor("scores", [batch, 3], 1 / 256),
    ]
    reducer, softmax = schema.ReducerOptionsT(), schema.SoftmaxOptionsT()
    reducer.keepDims, softmax.beta = False, 10.0
    kinds = schema.BuiltinOptions
    graph.operators = [
        operator(0, [0, 1], 2, reducer, kinds.ReducerOptions),
        operator(1, [2], 3, softmax, kinds.SoftmaxOptions),
    ]
    graph.inputs, graph.outputs = [0], [3]
    codes = []
    for builtin in (schema.BuiltinOperator.MEAN, schema.BuiltinOperator.SOFTMAX):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 2
        codes.append(code)
    axes = schema.BufferT()
    axes.data = np.frombuffer(np.array([1, 2], np.int32).tobytes(), np.uint8)
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], codes, [schema.BufferT(), axes]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if labels:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labels.txt", labels)
    return path


def write_openvino(path: Path, labels: str = "") -> Path:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as classifiers/adapters/openvino.py does
    import openvino
    from openvino import opset13

    images = opset13.parameter([-1, 3, *SHAPE[:2]], np.float32, name="images")
    means = opset13.reduce_mean(images, opset13.constant([2, 3]), keep_dims=False)
    model = openvino.Model([opset13.multiply(means, opset13.constant(np.float32(10)))], [images], "means")
    if labels:
        model.set_rt_info(labels, ["model_info", "labels"])
    openvino.save_model(model, path, compress_to_fp16=False)
    return path


def write_transformers(folder: Path, **processor: Any) -> Any:
    """A small vision transformer of random weights, with its processor's file; → the model."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    names = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.ViTConfig(image_size=8, patch_size=4, num_channels=3, id2label=names, **sizes)
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(folder)
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return model


def means_module() -> Any:
    """A torch module, [N, 3, H, W] → logits."""
    import torch

    class Means(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) * 10

    return Means()
