"""The kinds of networks that are trained in JAX: how each starts, what it computes in floats, what network it becomes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.classifiers.dense import NONE, DenseNetwork, quantize
from fooling.data import ImageSet
from fooling.kernels.jax.network import convolutional_activations, convolve_by_patches

Layers = dict[str, Any]
ENERGY = 25.0  # mean squared length of centred images: one learning_rate then fits any size and brightness
GAINS = {"sigmoid": 1.0, "relu": 2.0}  # initial variance of a dense network's weights × inputs of the layer
START = 0.25  # factor of the initial variance of the first layer's sums; with 1 and ENERGY 50, two ReLU layers died at batch=20


class Trainable(NamedTuple):
    """A kind of network as its training sees it."""

    logits: Callable[[Layers, Any], Any]  # of images float [B, H, W, C], 0 … 255
    start: Callable[[Any], Layers]  # random key → initial layers
    layers: Callable[[Any], Layers]  # of a network of this kind, to go on from
    finish: Callable[[Layers], Any]  # the network


def dense_model(
    data: ImageSet, labels: tuple[str, ...], hidden: tuple[int, ...], activation: str = NONE, made: str = ""
) -> Trainable:
    """Hidden layers of these widths and a softmax; trained in floats, then quantised.

    Without hidden layers it is softmax regression, whose weights start at 0 (the problem is convex). Training images are
    centred and scaled; the first layer absorbs both afterwards. Weight decay acts on the weights of the centred images.
    """
    shape = (data.images.shape[1], data.images.shape[2], data.images.shape[3])
    mean, factor = centring(data)
    widths, depth = (int(np.prod(shape)), *hidden, len(labels)), len(hidden) + 1
    sizes: dict[str, tuple[int, ...]] = {}
    for i in range(1, depth + 1):
        sizes |= {f"weights{i}": (widths[i - 1], widths[i]), f"bias{i}": (widths[i],)}
    act = jax.nn.relu if activation == "relu" else jax.nn.sigmoid

    def logits(layers: Layers, pixels: Any) -> Any:
        z = (pixels.reshape(len(pixels), -1) / 255 - mean) * factor @ layers["weights1"] + layers["bias1"]
        for i in range(2, depth + 1):
            z = act(z) @ layers[f"weights{i}"] + layers[f"bias{i}"]
        return z

    def start(key: Any) -> Layers:
        if not hidden:
            return {name: np.zeros(size) for name, size in sizes.items()}
        layers = init_weights(key, sizes, GAINS[activation])
        layers["weights1"] *= (START * widths[0] / ENERGY) ** 0.5
        return layers

    def layers_of(network: DenseNetwork) -> Layers:
        unit = 2.0**network.fraction_bits
        weights = (network.weights1 / unit).astype(np.float32)
        bias = (network.bias1 / (255 * unit)).astype(np.float32) + mean @ weights
        later = {name: tensor for name, tensor in network.tensors.items() if name not in ("weights1", "bias1")}
        return with_classes({"weights1": weights / factor, "bias1": bias, **later}, len(labels))

    def finish(layers: Layers) -> DenseNetwork:
        weights = layers["weights1"] * factor
        own = {**layers, "weights1": weights, "bias1": layers["bias1"] - mean @ weights}
        return quantize(own, shape, labels, activation, made=made)

    return Trainable(logits, start, layers_of, finish)


def convolutional_model(
    data: ImageSet, labels: tuple[str, ...], kernel: int, channels: tuple[int, int], hidden: int, made: str = ""
) -> Trainable:
    """Two convolutions of kernel×kernel, a hidden layer and a softmax."""
    shape = (data.images.shape[1], data.images.shape[2], data.images.shape[3])
    sizes = tensor_shapes(shape, len(labels), kernel, channels, hidden)
    return Trainable(
        lambda layers, pixels: convolutional_activations(layers, pixels, convolve_by_patches)["logits"],
        lambda key: init_weights(key, sizes, gain=2.0),
        lambda network: with_classes(network.layers, len(labels)),
        lambda layers: ConvolutionalNetwork(shape, labels, layers, made),
    )


def with_classes(layers: Mapping[str, Any], classes: int) -> Layers:
    """Layers whose last has as many units as there are classes: a missing one, "none", starts with weights of 0."""
    last = f"{len(layers) // 2}"
    missing = classes - len(layers[f"bias{last}"])
    weights, bias = layers[f"weights{last}"], layers[f"bias{last}"]
    padded = {f"weights{last}": np.pad(weights, ((0, 0), (0, missing))), f"bias{last}": np.pad(bias, (0, missing))}
    return {**layers, **padded}


def centring(data: ImageSet) -> tuple[npt.NDArray[np.float32], np.float32]:
    """The mean image [P], 0 … 1, and the factor that gives centred images the mean squared length ENERGY."""
    flat, square = data.images.reshape(len(data.images), -1), 0.0
    mean = np.asarray(flat.mean(axis=0, dtype=np.float64) / 255, dtype=np.float32)
    for first in range(0, len(flat), 1000):  # the size of these batches is part of the result
        square += float(((flat[first : first + 1000] / np.float32(255) - mean) ** 2).sum(dtype=np.float64))
    return mean, np.float32((ENERGY / max(square / len(flat), 1e-6)) ** 0.5)


def init_weights(key: Any, sizes: dict[str, tuple[int, ...]], gain: float) -> Layers:
    """Biases 0, weights normal of variance gain/inputs (gain 2 for ReLU: He et al. 2015)."""
    weights = [name for name, size in sizes.items() if len(size) > 1]
    layers = {name: jnp.zeros(size) for name, size in sizes.items()}
    for name, one in zip(weights, jax.random.split(key, len(weights)), strict=True):
        layers[name] = jax.random.normal(one, sizes[name]) / float(np.prod(sizes[name][:-1]) / gain) ** 0.5
    return layers
