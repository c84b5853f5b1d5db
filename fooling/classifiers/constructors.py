"""`fooling.Classifier`: the protocol, and functions that make one of any model: `Classifier.from_torch(module)`."""

from pathlib import Path
from typing import Any, Protocol

from fooling.classifiers import base, load_classifier
from fooling.classifiers.adapters import object_kind
from fooling.errors import UserError

NAMES = {"python": "function"}  # of functions here, where they differ from classifier=


class Constructors(type(Protocol)):  # type: ignore[misc]
    """The functions of the class itself, so that no classifier needs to have them.

    `settings` are those of the group classifier: shape=(H, W, C), layout="NCHW", scale=1/255, mean, std, channels="BGR",
    output="logit", labels, batch_size and others. What a model declares, or `docs/classifiers.md` calls the default,
    may be left out. All raise UserError, a ValueError, for what cannot be opened.
    """

    def from_torch(self, module: Any, **settings: Any) -> base.Classifier:
        """Of a torch.nn.Module, or the file of a TorchScript (.pt) or torch.export (.pt2) program."""
        return opened("torch", "a torch.nn.Module or a file", module, settings)

    def from_keras(self, model: Any, **settings: Any) -> base.Classifier:
        """Of a Keras model, a file (.keras, .h5), or the folder of a SavedModel."""
        return opened("keras", "a keras.Model or a file", model, settings)

    def from_onnx(self, model: Any, **settings: Any) -> base.Classifier:
        """Of an ONNX file, an onnx.ModelProto or an onnxruntime.InferenceSession."""
        return opened("onnx", "a file, an onnx.ModelProto or an onnxruntime.InferenceSession", model, settings)

    def from_sklearn(self, estimator: Any, **settings: Any) -> base.Classifier:
        """Of a fitted estimator or pipeline of scikit-learn, or a file of skops."""
        return opened("sklearn", "an estimator of scikit-learn or a file", estimator, settings)

    def from_function(self, function: Any, **settings: Any) -> base.Classifier:
        """Of a function of inputs [N, …] that returns scores, logits or labels."""
        return opened("python", "a function of inputs [N, …]", function, settings)

    def from_tflite(self, path: str | Path, **settings: Any) -> base.Classifier:
        """Of a TensorFlow Lite file."""
        return opened("tflite", "a file", path, settings)

    def from_openvino(self, path: str | Path, **settings: Any) -> base.Classifier:
        """Of an OpenVINO model (.xml)."""
        return opened("openvino", "a file", path, settings)

    def from_huggingface(self, path: str | Path, **settings: Any) -> base.Classifier:
        """Of an image classifier of transformers in a folder or on a hub (owner/name)."""
        return opened("huggingface", "a folder or owner/name", path, settings)

    def from_timm(self, path: str | Path, **settings: Any) -> base.Classifier:
        """Of a folder with a model of timm, or an architecture's name with `weights`, a file of safetensors."""
        return opened("timm", "a folder or an architecture", path, settings)

    def from_http(self, url: str, **settings: Any) -> base.Classifier:
        """Of a server: an address that takes images and returns scores."""
        return opened("http", "an address", url, settings)


class Classifier(base.Classifier, Protocol, metaclass=Constructors):
    """The model under test. `Classifier.from_torch`, `from_keras` and others make one; so is any object with these parts:

    `input_shape` (H, W, C), `num_classes` K, `labels` (K names), `fingerprint` (a text), and a call: images uint8
    [N, H, W, C] → scores float32 [N, K] in [0, 1]. Optional parts are those of `fooling.classifiers.base.Classifier`.
    """


def opened(kind: str, expected: str, thing: Any, settings: dict[str, Any]) -> base.Classifier:
    """A model of a kind, by its path or as an object. Raises UserError for an object of another kind."""
    if isinstance(thing, str | Path):
        return load_classifier(kind, thing, **settings)
    other = object_kind(thing)
    if other != kind:
        advice = f"; use from_{NAMES.get(other, other)}" if other else "; it is a classifier already"
        raise UserError(f"from_{NAMES.get(kind, kind)}: expected {expected}, got {type(thing).__name__}{advice}")
    return load_classifier(thing, **settings)
