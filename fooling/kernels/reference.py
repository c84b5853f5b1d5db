"""What happens to pixels: the definition, in NumPy. Every fast engine is compared with it.

Images are uint8 [N, H, W, C]. *Breeding* is integer arithmetic on a counter-based generator, equal in every engine bit for
bit. *Scoring* has integer parts (difference sums, histogram counts) that are equal everywhere; what follows is one
fixed-order computation per image, so that no score depends on the batch.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference_breeding import OPERATORS as OPERATORS  # breeding is part of the definition
from fooling.kernels.reference_breeding import Bytes as Bytes
from fooling.kernels.reference_breeding import Floats as Floats
from fooling.kernels.reference_breeding import Ints as Ints
from fooling.kernels.reference_breeding import Rates as Rates
from fooling.kernels.reference_breeding import breed as breed
from fooling.kernels.reference_breeding import fresh as fresh
from fooling.kernels.reference_breeding import philox as philox
from fooling.kernels.reference_breeding import philox_rounds as philox_rounds
from fooling.kernels.reference_breeding import select as select
from fooling.kernels.reference_breeding import start as start

Doubles = npt.NDArray[np.float64]

PROJECTION_UNIT, ENERGY_UNIT = 1 / (256 * 4096 * 255), 1 / (256 * 255) ** 2  # of the eigen term, pixels scaled to [0, 1]

# --- scoring: integer parts -----------------------------------------------------------------------------------------


def histogram_counts(images: Bytes, bins: Bytes) -> Ints:
    """Pixels per bin and channel, [N, H, W, C] → [N, C, B]; `bins` is the bin of each grey level, [256]."""
    binned = np.moveaxis(bins[images], 3, 1).reshape(images.shape[0], images.shape[3], 1, -1)
    return np.asarray(np.sum(binned == np.arange(int(bins.max()) + 1)[:, None], axis=-1, dtype=np.int64))


def variogram_sums(images: Bytes, lags: int) -> Ints:
    """Sums of |I(p) − I(p + k)| for k = 1…lags, [N, H, W, C] → [N, C, 2, lags]; axis 2: x (along rows), y (along columns)."""
    grey = images.astype(np.int64)
    x = [np.abs(grey[:, :, k:] - grey[:, :, :-k]).sum(axis=(1, 2)) for k in range(1, lags + 1)]
    y = [np.abs(grey[:, k:] - grey[:, :-k]).sum(axis=(1, 2)) for k in range(1, lags + 1)]
    return np.stack([np.stack(x, axis=-1), np.stack(y, axis=-1)], axis=2)


def variogram_sums_lag1(images: Bytes, lags: int) -> Ints:
    """Quirk 1 of the 2015 program: for every k the lag-1 differences over the first cols − k columns (rows − k rows)."""
    grey = images.astype(np.int64)
    height, width = grey.shape[1:3]
    right, down = np.abs(grey[:, :, 1:] - grey[:, :, :-1]), np.abs(grey[:, 1:] - grey[:, :-1])
    x = [right[:, :, : width - k].sum(axis=(1, 2)) for k in range(1, lags + 1)]
    y = [down[:, : height - k].sum(axis=(1, 2)) for k in range(1, lags + 1)]
    return np.stack([np.stack(x, axis=-1), np.stack(y, axis=-1)], axis=2)


def pair_counts(shape: tuple[int, ...], lags: int) -> Doubles:
    """255 × the number of pixel pairs per lag, [2, lags]: what turns a sum of differences into a mean on [0, 1]."""
    height, width = shape[:2]
    k = np.arange(1, lags + 1)
    return np.stack([255.0 * height * (width - k), 255.0 * (height - k) * width])


# --- scoring: terms -------------------------------------------------------------------------------------------------


def histogram_term(images: Bytes, bins: Bytes, target: Doubles) -> Floats:
    """Histogram term, (1/B)·Σ|h − ĥ|, mean over channels; `target` [C, B] are shares. → [N], 0 is ideal."""
    shares = histogram_counts(images, bins) / float(images.shape[1] * images.shape[2])
    return in_order(np.abs(shares - target)) / np.float32(target.shape[1])


def variogram_term(images: Bytes, target: Doubles, quirk_lag1: bool) -> Floats:
    """Variogram term, (1/L)·Σ over both directions and all lags of |g − ĝ|, mean over channels; `target` [C, 2, L]. → [N]."""
    lags = target.shape[2]
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    distance = np.abs(sums / pair_counts(images.shape[1:], lags) - target)
    return in_order(distance.reshape(*distance.shape[:2], -1)) / np.float32(lags)


def eigen_parts(images: Bytes, weights: npt.NDArray[np.int32], centre: Ints, mean: npt.NDArray[np.int32]) -> Ints:
    """Projections on the eigen-images and energy about the mean: [N, H, W, C] → [N, M + 1], integers.

    `weights` [P, M] in units of 2⁻¹², `mean` [P] in units of 1/256 grey level, `centre` = meanᵀ·weights.
    """
    grey = images.reshape(len(images), -1).astype(np.int64)
    sums = grey.astype(np.float64) @ weights.astype(np.float64)  # whole numbers below 2⁵³: exact in any order
    energy = ((256 * grey - mean) ** 2).sum(axis=1)
    return np.concatenate([256 * sums.astype(np.int64) - centre, energy[:, None]], axis=1)


def eigen_term(
    images: Bytes,
    weights: npt.NDArray[np.int32],
    centre: Ints,
    mean: npt.NDArray[np.int32],
    variance: Doubles,
    residual: float,
    hinge: bool,
) -> Floats:
    """Eigen term: (1/M)·Σ p²/variance, plus the energy outside of the M eigen-images ÷ its mean `residual`. → [N].

    The first is the squared Mahalanobis distance from the class's mean, ÷ M; both are about 1 for the class's images. `hinge`:
    of each only what is above 1 counts.
    """
    return eigen_distance(eigen_parts(images, weights, centre, mean), variance, residual, hinge)


def eigen_distance(parts: Ints, variance: Doubles, residual: float, hinge: bool) -> Floats:
    """The eigen term of projections and energy [N, M + 1]; one after the other, pixels scaled to [0, 1]."""
    near, outside = np.zeros(len(parts)), parts[:, -1] * ENERGY_UNIT
    for k in range(len(variance)):
        square = (parts[:, k] * PROJECTION_UNIT) ** 2
        near, outside = near + square / variance[k], outside - square
    near, outside = near / max(1, len(variance)), np.maximum(outside, 0) / residual
    if hinge:
        near, outside = np.maximum(near - 1, 0), np.maximum(outside - 1, 0)
    return np.asarray(near + outside, dtype=np.float32)


def in_order(parts: Doubles) -> Floats:
    """Σ over the last axis, then the mean over channels, one after the other: [N, C, M] → [N]. A fixed order, fixed bits."""
    total = np.zeros(len(parts))
    for channel in range(parts.shape[1]):
        for part in range(parts.shape[2]):
            total += parts[:, channel, part]
    return np.asarray(total / parts.shape[1], dtype=np.float32)


def target_term(scores: Floats, wanted: int, free: float = 0.0) -> Floats:
    """The 2015 target term, Σ|output − wanted output| with a one-hot wanted output: scores [N, K] → [N].

    Only what is above `free` counts.
    """
    total = np.zeros(len(scores))
    for k in range(scores.shape[1]):
        total += np.abs(scores[:, k].astype(np.float64) - float(k == wanted))
    return np.maximum(total - free, 0).astype(np.float32)


def weighted_sum(terms: Floats, weights: Doubles) -> Floats:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    total = np.zeros(len(terms))
    for t, weight in enumerate(weights):
        total += weight * terms[:, t].astype(np.float64)
    with np.errstate(over="ignore"):  # the loop refuses costs that are not finite
        return total.astype(np.float32)


# A penalty looks at the images alone: (images, *its arguments) → float32 [N]. Engines, tests and errors walk this table.
PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "eigen": eigen_term,
}

# --- the built-in network -------------------------------------------------------------------------------------------

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
    hidden = sigmoid(sums * scale)
    output = np.broadcast_to(bias, (len(sums), len(bias))).copy()
    with np.errstate(over="ignore", invalid="ignore"):  # `ask` refuses scores that are not finite
        for unit in range(weights.shape[0]):
            output += hidden[:, unit : unit + 1] * weights[unit]
    return sigmoid(output)
