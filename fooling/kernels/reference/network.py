"""Dense networks, the definition in NumPy: additions and multiplications alone, so the bits are equal on every machine.

The first layer lies on a fixed-point grid: its weights are W·2ᵏ and its bias b·2ᵏ·255, rounded to integers, so the sums over
pixels 0…255 are integers below 2²⁴: exact in float32, in any order. The layers after it are summed unit by unit.
"""

from collections.abc import Sequence

import numpy as np

from fooling.kernels.tables import Bytes, Floats

Layers = Sequence[tuple[Floats, Floats]]  # weights [in, out] and bias [out] of each
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
ROUND = np.float32(12582912.0)  # 1.5·2²³: adding and subtracting it rounds a float32 to an integer
EXP = tuple(np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5))


def exponential(x: Floats) -> Floats:
    """e^x of x clipped to −87 … 87, from additions and multiplications alone: the same bits on every machine and engine.

    e^x = 2^n·e^r with |r| ≤ ln 2 / 2 and a polynomial of degree 7 in Horner form (Cephes, Moshier 1992).
    """
    x = np.minimum(np.maximum(x, np.float32(-87.0)), np.float32(87.0))
    n = (x * LOG2E + ROUND) - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = np.full_like(r, EXP[0])
    for coefficient in EXP[1:]:
        p = p * r + coefficient
    p = (p * r) * r + r + np.float32(1.0)
    power = ((n.astype(np.int32) + 127) << 23).view(np.float32)  # 2ⁿ, by its bits
    return np.asarray(p * power, dtype=np.float32)


def sigmoid(z: Floats) -> Floats:
    """1/(1 + e⁻ᶻ), within 4e-7."""
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + exponential(-z)), dtype=np.float32)


def softmax(z: Floats) -> Floats:
    """e^z ÷ Σ e^z over the classes, [N, K] → [N, K]; the largest z is subtracted first, the sum is taken class by class."""
    powers = exponential(z - z.max(axis=1, keepdims=True))
    total = np.zeros((len(z), 1), dtype=np.float32)
    for k in range(z.shape[1]):
        total += powers[:, k : k + 1]
    return np.asarray(powers / total, dtype=np.float32)


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the grid, [N, H, W, C] × [P, M] + [M] → [N, M]: integers below 2²⁴, so exact."""
    return images.reshape(len(images), len(weights)).astype(np.float32) @ weights + bias


def dense_scores(sums: Floats, scale: np.float32, layers: Layers, relu: bool, softmax_output: bool) -> Floats:
    """Scores [N, K] in [0, 1] of first-layer sums [N, M]; a softmax, which sums to 1, or K independent sigmoids.

    `scale` turns sums into pre-activations. `layers` are those after the first; without any, M = K. Before each of them,
    pre-activations z become max(0, z) if `relu`, else sigmoid(z).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logits = dense_logits(sums, scale, layers, relu)
        return softmax(logits) if softmax_output else sigmoid(logits)


def dense_logits(sums: Floats, scale: np.float32, layers: Layers, relu: bool) -> Floats:
    """The pre-activations of the last layer, [N, K]."""
    z = sums * scale
    for weights, bias in layers:
        z = dense(np.maximum(z, np.float32(0.0)) if relu else sigmoid(z), weights, bias)
    return z


def dense(hidden: Floats, weights: Floats, bias: Floats) -> Floats:
    """bias + hidden·weights, [N, M] × [M, K] + [K] → [N, K]: summed unit by unit."""
    output = np.broadcast_to(bias, (len(hidden), len(bias))).copy()
    with np.errstate(over="ignore", invalid="ignore"):  # the search refuses scores that are not finite
        for unit in range(weights.shape[0]):
            output += hidden[:, unit : unit + 1] * weights[unit]
    return output
