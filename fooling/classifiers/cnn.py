"""The built-in convolutional network, similar to LeNet-5 (LeCun et al. 1998).

Its scores are sums in one order, so they depend neither on the batch nor on the machine; see `reference.convolution`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.serialization import check_sizes, read_face, write
from fooling.errors import UserError
from fooling.kernels.numba.compile import ThreadSlices
from fooling.kernels.numba.convolution import FEW, PackedConvolutions, convolutional_logits, pack
from fooling.kernels.reference.convolution import ConvolutionalLayers
from fooling.kernels.reference.network import softmax
from fooling.kernels.tables import Bytes, Floats

FORMAT = "fooling convolutional network 1"
TENSORS = ConvolutionalLayers._fields
WORTH = 64  # candidates of a dense network that take as long as an image


@dataclass(frozen=True)
class ConvolutionalNetwork:
    """A classifier: two convolutions, each with ReLU and 2×2 max pooling, a hidden ReLU layer, a softmax of K classes."""

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    layers: dict[str, Floats] = field(repr=False)  # of TENSORS; kernels [k, k, in, out], weights [in, out]
    made: str = ""  # how it was made, and its accuracy

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape and weights."""
        digest = hashlib.sha256(json.dumps(list(self.input_shape)).encode())
        for name in TENSORS:
            digest.update(np.ascontiguousarray(self.layers[name]).tobytes())
        return digest.hexdigest()

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """A pure function: images uint8 [N, H, W, C] → scores float32 [N, K], for use inside other JAX programs."""
        from fooling.kernels.jax.network import convolutional_activations

        return lambda images: convolutional_activations(self.layers, images)["scores"]

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """Activations of each layer for images [N, H, W, C] of grey levels, by name, in pure JAX; see `layers`."""
        from fooling.kernels.jax.network import convolutional_activations

        return convolutional_activations(self.layers, images)

    @cached_property
    def packed(self) -> PackedConvolutions:
        """The network as the compiled kernels take it."""
        return pack(ConvolutionalLayers(**{name: self.layers[name] for name in TENSORS}), self.input_shape)

    @cached_property
    def slices(self) -> ThreadSlices:
        """Threads for batches."""
        return ThreadSlices()

    def logits(self, images: Bytes) -> Floats:
        """Logits float32 [N, K] of images uint8 [N, H, W, C]."""
        view = np.ascontiguousarray(images).view()
        view.flags.writeable = False  # of one type for numba
        if len(view) <= FEW:
            return convolutional_logits(view, self.packed)
        parts = self.slices.map(lambda lo, hi: convolutional_logits(view[lo:hi], self.packed), 0, len(view), WORTH)
        return np.concatenate(parts)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K], which sum to 1."""
        return softmax(self.logits(images))

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_convolutional` reads."""
        write(path, FORMAT, self.input_shape, self.labels, self.made, {}, {name: self.layers[name] for name in TENSORS})


def tensor_shapes(
    shape: tuple[int, int, int], classes: int, kernel: int, channels: tuple[int, int], hidden: int
) -> dict[str, Any]:
    """The shape of each tensor of a network."""
    first, second = channels
    inputs = (shape[0] // 4) * (shape[1] // 4) * second
    return {
        "kernels1": (kernel, kernel, shape[2], first),
        "bias1": (first,),
        "kernels2": (kernel, kernel, first, second),
        "bias2": (second,),
        "weights3": (inputs, hidden),
        "bias3": (hidden,),
        "weights4": (hidden, classes),
        "bias4": (classes,),
    }


def load_convolutional(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> ConvolutionalNetwork:
    """The network in a file's header and tensors. Raises UserError for what cannot be one."""
    shape, labels = read_face(path, about)
    if min(shape[:2]) < 4:
        raise UserError(f"classifier.path={path}: its header is damaged (input_shape); two poolings need 4×4 pixels")
    if tensors.keys() == set(TENSORS) and all(tensors[name].ndim for name in TENSORS):
        kernel, channels = len(tensors["kernels1"]), (len(tensors["bias1"]), len(tensors["bias2"]))
        expected = tensor_shapes(shape, len(labels), kernel, channels, len(tensors["bias3"]))
    else:
        expected = dict.fromkeys(TENSORS, ())
    check_sizes(path, tensors, {name: (np.float32, size) for name, size in expected.items()})
    return ConvolutionalNetwork(shape, labels, tensors, about.get("made", ""))
