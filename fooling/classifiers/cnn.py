"""The built-in convolutional network, similar to LeNet-5 (LeCun et al. 1998), in JAX."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from fooling.classifiers.serialization import check_sizes, read_face, write
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Floats

Layers = dict[str, Any]
FORMAT = "fooling convolutional network 1"
TENSORS = ("kernels1", "bias1", "kernels2", "bias2", "weights3", "bias3", "weights4", "bias4")
BATCHES = (1, 16, 128, 1024)  # images a call: each size is compiled once, smaller batches are padded


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
        return lambda images: jax.nn.softmax(forward(self.layers, images), axis=1)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """Activations of each layer for images [N, H, W, C] of grey levels, by name, in pure JAX; see `layers`."""
        values = activations(self.layers, images)
        return {**values, "scores": jax.nn.softmax(values["logits"], axis=1)}

    @cached_property
    def compiled(self) -> Callable[[Any], Any]:
        """Logits of a batch."""
        return partial(compiled_forward(), self.layers)

    def logits(self, images: Bytes) -> Floats:
        """Logits float32 [N, K] of images uint8 [N, H, W, C]."""
        parts = [self.batch_logits(images[lo : lo + BATCHES[-1]]) for lo in range(0, len(images), BATCHES[-1])]
        return np.concatenate(parts) if parts else np.empty((0, self.num_classes), dtype=np.float32)

    def batch_logits(self, images: Bytes) -> Floats:
        """The same for at most as many as the largest batch."""
        size = next(size for size in BATCHES if size >= len(images))
        padded = np.zeros((size, *self.input_shape), dtype=np.uint8)
        padded[: len(images)] = images
        return np.asarray(self.compiled(padded))[: len(images)]

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K], which sum to 1."""
        return np.asarray(softmax(self.logits(images), axis=1), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_convolutional` reads."""
        write(path, FORMAT, self.input_shape, self.labels, self.made, {}, {name: self.layers[name] for name in TENSORS})


@cache
def compiled_forward() -> Callable[[Layers, Any], Any]:
    """`forward`, compiled once for all networks of the same sizes."""
    return jax.jit(forward)


def forward(layers: Layers, images: Any, convolve: Callable[[Any, Any], Any] | None = None) -> Any:
    """Logits [N, K] of images [N, H, W, C] of grey levels 0…255; `convolve` is `convolve_directly` by default."""
    return activations(layers, images, convolve)["logits"]


def activations(layers: Layers, images: Any, convolve: Callable[[Any, Any], Any] | None = None) -> dict[str, Any]:
    """Activations [N, …] of every layer, in order: sums before the ReLU (conv, dense), after it (relu), max pooling (pool)."""
    x, values = images.astype(jnp.float32) / 255, {}
    for i in (1, 2):
        values[f"conv{i}"] = (convolve or convolve_directly)(x, layers[f"kernels{i}"]) + layers[f"bias{i}"]
        values[f"relu{i}"] = x = jax.nn.relu(values[f"conv{i}"])
        n, height, width, channels = x.shape
        squares = x[:, : height // 2 * 2, : width // 2 * 2].reshape(n, height // 2, 2, width // 2, 2, channels)
        values[f"pool{i}"] = x = squares.max(axis=(2, 4))
    values["dense3"] = x.reshape(len(x), -1) @ layers["weights3"] + layers["bias3"]
    values["relu3"] = jax.nn.relu(values["dense3"])
    values["logits"] = values["relu3"] @ layers["weights4"] + layers["bias4"]
    return values


def convolve_directly(x: Any, kernels: Any) -> Any:
    """Convolution of [N, H, W, in] with [k, k, in, out] → [N, H, W, out], padded with black."""
    return jax.lax.conv_general_dilated(x, kernels, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def convolve_by_patches(x: Any, kernels: Any) -> Any:
    """The same as one matrix product: in a compiled loop on a CPU a training step takes 32 instead of 363 ms."""
    side, (height, width) = len(kernels), x.shape[1:3]
    low, high = (side - 1) // 2, side // 2
    wide = jnp.pad(x, ((0, 0), (low, high), (low, high), (0, 0)))
    patches = [wide[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    return jnp.concatenate(patches, axis=3) @ kernels.reshape(-1, kernels.shape[3])


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
