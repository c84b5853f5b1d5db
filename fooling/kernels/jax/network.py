"""Dense networks as pure JAX functions, equal to the reference."""

import jax
import jax.numpy as jnp
import numpy as np

from fooling.kernels.jax.penalties import UNROLLED, exact_product, sequential_sum
from fooling.kernels.jax.philox import Array
from fooling.kernels.reference.network import EXP, LN2_HIGH, LN2_LOW, LOG2E, Layers
from fooling.kernels.tables import Floats


# --- the built-in networks --------------------------------------------------------------------------------------------
def network_scores(images: Array, first: tuple[Floats, Floats], scale: np.float32, weights: Floats, bias: Floats) -> Array:
    """Scores [N, K] of the built-in network: its first layer's sums are whole numbers below 2²⁴, so exact in any order."""
    return sigmoid(dense(sigmoid(fixed_point_sums(images, first) * scale), weights, bias))


def dense_scores(images: Array, first: tuple[Floats, Floats], scale: np.float32, layers: Layers, relu: bool) -> Array:
    """Scores [N, K] of a dense network; see `reference_network.dense_scores`."""
    z = fixed_point_sums(images, first) * scale
    for weights, bias in layers:
        z = dense(jnp.maximum(z, 0) if relu else sigmoid(z), weights, bias)
    powers = exponential(z - z.max(axis=1, keepdims=True))
    return powers / sequential_sum(powers)[:, None]


def fixed_point_sums(images: Array, first: tuple[Floats, Floats]) -> Array:
    """First-layer sums, [N, H, W, C] → [N, M]."""
    head, start = first
    return exact_product(images.reshape(len(images), -1).astype(jnp.float32), head) + start


def dense(hidden: Array, weights: Floats, bias: Floats) -> Array:
    """bias + hidden·weights, [N, M] × [M, K] + [K] → [N, K]: summed unit by unit."""
    return jax.lax.scan(
        lambda total, unit: (total + unit[0][:, None] * unit[1], None),
        jnp.broadcast_to(bias, (len(hidden), len(bias))),
        (hidden.T, jnp.asarray(weights)),
        unroll=UNROLLED,
    )[0]


def sigmoid(z: Array) -> Array:
    """1/(1 + e⁻ᶻ); see `reference_network.sigmoid`."""
    return np.float32(1.0) / (np.float32(1.0) + exponential(-z))


def exponential(x: Array) -> Array:
    """e^x; see `reference_network.exponential`."""
    x = jnp.clip(x, -87.0, 87.0)
    n = jnp.rint(x * LOG2E)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = jnp.full_like(r, EXP[0])
    for coefficient in EXP[1:]:
        p = p * r + coefficient
    p = (p * r) * r + r + np.float32(1.0)
    return p * jax.lax.bitcast_convert_type((n.astype(jnp.int32) + 127) << 23, jnp.float32)
