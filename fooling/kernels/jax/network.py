"""Networks as pure JAX functions. Dense ones: first-layer sums equal to the reference's, scores to 1e-5."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fooling.kernels.jax.penalties import UNROLLED, exact_product, sequential_sum
from fooling.kernels.jax.philox import Array
from fooling.kernels.reference.network import EXP, LN2_HIGH, LN2_LOW, LOG2E, Layers
from fooling.kernels.tables import Floats

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}


def network_sums(images: Array, weights: Floats, bias: Floats) -> Array:
    """First-layer sums in units of the grid, [N, H, W, C] → [N, M]: integers below 2²⁴, so exact."""
    return exact_product(images.reshape(len(images), -1).astype(jnp.float32), weights) + bias


def dense_scores(sums: Array, scale: np.float32, layers: Layers, relu: bool, softmax_output: bool) -> Array:
    """Scores [N, K] of first-layer sums [N, M]; see `reference.dense_scores`."""
    z = sums * scale
    for weights, bias in layers:
        z = dense(jnp.maximum(z, 0) if relu else sigmoid(z), weights, bias)
    if not softmax_output:
        return sigmoid(z)
    powers = exponential(z - z.max(axis=1, keepdims=True))
    return powers / sequential_sum(powers)[:, None]


def dense(hidden: Array, weights: Floats, bias: Floats) -> Array:
    """bias + hidden·weights, [N, M] × [M, K] + [K] → [N, K]: summed unit by unit."""
    return jax.lax.scan(
        lambda total, unit: (total + unit[0][:, None] * unit[1], None),
        jnp.broadcast_to(bias, (len(hidden), len(bias))),
        (hidden.T, jnp.asarray(weights)),
        unroll=UNROLLED,
    )[0]


def sigmoid(z: Array) -> Array:
    """1/(1 + e⁻ᶻ); see `reference.network.sigmoid`."""
    return np.float32(1.0) / (np.float32(1.0) + exponential(-z))


def exponential(x: Array) -> Array:
    """e^x; see `reference.network.exponential`."""
    x = jnp.clip(x, -87.0, 87.0)
    n = jnp.rint(x * LOG2E)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = jnp.full_like(r, EXP[0])
    for coefficient in EXP[1:]:
        p = p * r + coefficient
    p = (p * r) * r + r + np.float32(1.0)
    return p * jax.lax.bitcast_convert_type((n.astype(jnp.int32) + 127) << 23, jnp.float32)


def dense_activations(
    images: Array,
    first_layer: tuple[Floats, Floats],
    scale: np.float32,
    layers: Layers,
    activation: str,
    softmax_output: bool,
) -> dict[str, Array]:
    """Every layer's output for images of real grey levels, {name: [N, units]} in their order; the scores to 1e-5.

    Differentiable. Sums are the library's, in any order: `dense_scores` adds one by one, whose gradient takes 20 s to compile.
    """
    weights, bias = first_layer
    sums: Array = (images.reshape(len(images), -1).astype(jnp.float32) @ weights + bias) * scale
    outputs = {}
    for i, (weights, bias) in enumerate(layers, 1):
        outputs[f"dense{i}"] = sums
        outputs[f"{activation}{i}"] = units = ACTIVATIONS[activation](sums)
        sums = units @ weights + bias
    scores = jax.nn.softmax(sums, axis=1) if softmax_output else jax.nn.sigmoid(sums)
    return {**outputs, "logits": sums, "scores": scores}


# --- convolutional networks -------------------------------------------------------------------------------------------
def convolutional_activations(
    layers: Mapping[str, Any], images: Array, convolve: Callable[[Array, Any], Array] | None = None
) -> dict[str, Array]:
    """Activations [N, …] of every layer of a convolutional network for images [N, H, W, C] of grey levels 0…255, in order.

    They are sums before the ReLU (conv, dense), after it (relu), max pooling (pool), logits, scores. `layers`: the tensors of
    `reference.ConvolutionalLayers` by their names. `convolve` is `convolve_directly` by default.
    """
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
    values["scores"] = jax.nn.softmax(values["logits"], axis=1)
    return values


def convolve_directly(x: Array, kernels: Any) -> Array:
    """Convolution of [N, H, W, in] with [k, k, in, out] → [N, H, W, out], padded with black."""
    return jax.lax.conv_general_dilated(x, kernels, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def convolve_by_patches(x: Array, kernels: Any) -> Array:
    """The same as one matrix product: in a compiled loop on a CPU a training step takes 32 instead of 363 ms."""
    side, (height, width) = len(kernels), x.shape[1:3]
    low, high = (side - 1) // 2, side // 2
    wide = jnp.pad(x, ((0, 0), (low, high), (low, high), (0, 0)))
    patches = [wide[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    return jnp.concatenate(patches, axis=3) @ kernels.reshape(-1, kernels.shape[3])
