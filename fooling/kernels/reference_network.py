"""The built-in network: the definition, in NumPy, of additions and multiplications alone."""

import numpy as np

from fooling.kernels.arrays import Bytes, Floats

LOG2E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
ROUND = np.float32(12582912.0)  # 1.5·2²³: adding and subtracting it rounds a float32 to an integer
EXP = tuple(np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5))


def sigmoid(z: Floats) -> Floats:
    """1/(1 + e⁻ᶻ), within 4e-7, from additions and multiplications alone: the same bits on every machine and engine.

    e^x = 2^n·e^r with |r| ≤ ln 2 / 2 and a polynomial of degree 7 in Horner form (Cephes, Moshier 1992).
    """
    x = np.minimum(np.maximum(-z, np.float32(-87.0)), np.float32(87.0))
    n = (x * LOG2E + ROUND) - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = np.full_like(r, EXP[0])
    for coefficient in EXP[1:]:
        p = p * r + coefficient
    p = (p * r) * r + r + np.float32(1.0)
    power = ((n.astype(np.int32) + 127) << 23).view(np.float32)  # 2ⁿ, by its bits
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + p * power), dtype=np.float32)


def network_sums(images: Bytes, weights: Floats, bias: Floats) -> Floats:
    """First-layer sums in units of the lattice, [N, H, W, C] × [P, M] + [M] → [N, M]: integers below 2²⁴, so exact."""
    return images.reshape(len(images), len(weights)).astype(np.float32) @ weights + bias


def network_scores(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """The rest of the sigmoid network: lattice sums [N, M], weights [M, K], bias [K] → scores [N, K] in [0, 1]."""
    return sigmoid(network_logits(sums, scale, weights, bias))


def network_logits(sums: Floats, scale: np.float32, weights: Floats, bias: Floats) -> Floats:
    """What the scores are the sigmoid of, [N, K]: summed unit by unit."""
    hidden = sigmoid(sums * scale)
    output = np.broadcast_to(bias, (len(sums), len(bias))).copy()
    with np.errstate(over="ignore", invalid="ignore"):  # `ask` refuses scores that are not finite
        for unit in range(weights.shape[0]):
            output += hidden[:, unit : unit + 1] * weights[unit]
    return output
