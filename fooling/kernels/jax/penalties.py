"""Penalties in JAX, with the names of the reference: integer statistics are equal, terms agree to 1e-5.

Images are uint8 [N, H, W, C] and `target_index` int32 [N], both traced; other arguments are NumPy's and become constants.
Floats are summed in a fixed order, so that no score depends on the batch.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.kernels.jax.philox import Array
from fooling.kernels.reference.penalties import PROJECTION_UNIT, pair_counts, region_count, regional_counts
from fooling.kernels.tables import ANY, Bytes, Doubles, Ints, TermTarget

EXACT = 1 << 24  # sums of float32 are exact below
CHUNK = 2048  # pixels of a product
UNROLLED = 128  # additions in a row
FEW = 16  # bins that are counted side by side; compiling takes 40 ms for each


# --- integer parts --------------------------------------------------------------------------------------------------
def histogram_counts(images: Array, bins: Bytes) -> Array:
    """Pixels per bin and channel, [N, H, W, C] → int32 [N, C, B].

    Bins are intervals of grey levels: a count is the difference of two cumulative counts.
    """
    starts = np.searchsorted(bins, np.arange(int(bins.max()) + 2), side="left")[1:-1].astype(np.uint8)
    grey = planes(images)

    def above(start: Any) -> Array:
        return line_sums(lambda line: grey[line] >= start, len(grey))

    counts = [above(start) for start in starts] if len(starts) <= FEW else jax.lax.map(above, jnp.asarray(starts))
    all_places = jnp.full(grey.shape[2:], images.shape[1] * images.shape[2], dtype=jnp.int32)
    reached = jnp.stack([all_places, *counts, jnp.zeros_like(all_places)])  # [B + 1, C, N]
    return (reached[:-1] - reached[1:]).transpose(2, 1, 0)


def variogram_sums(images: Array, lags: int) -> Array:
    """Sums of |I(p) − I(p + k)| for k = 1…lags, [N, H, W, C] → int32 [N, C, 2, lags]; see the reference."""
    grey, sums = planes(images), []
    for axis in (1, 0):
        for k in range(1, lags + 1):

            def difference(line: Any, axis: int = axis, k: int = k) -> Array:
                one, other = (jax.lax.dynamic_index_in_dim(grey, place, axis, False) for place in (line, line + k))
                return jnp.maximum(one, other) - jnp.minimum(one, other)

            sums.append(line_sums(difference, grey.shape[axis] - k))
    return jnp.stack(sums).reshape(2, lags, *grey.shape[2:]).transpose(3, 2, 0, 1)


def planes(images: Array) -> Array:
    """Images side by side, [N, H, W, C] → [H, W, C, N]: compilers then vectorise over images."""
    return jnp.transpose(images, (1, 2, 3, 0))


def line_sums(line: Callable[[Any], Array], lines: int) -> Array:
    """Sums of the first `lines` arrays line(i), each [M, C, N] of grey levels or flags: → int32 [C, N].

    Loops, because XLA's reductions on CPUs are scalar; in 16 bits while these hold the sums. That halves a whole generation.
    """
    short = np.uint16 if 255 * lines < 1 << 16 else np.int32
    first = jnp.zeros_like(line(0), dtype=short)
    columns = jax.lax.fori_loop(0, lines, lambda number, total: total + line(number).astype(short), first)
    total = jnp.zeros(columns.shape[1:], dtype=jnp.int32)
    return jax.lax.fori_loop(0, len(columns), lambda number, total: total + columns[number].astype(jnp.int32), total)


def variogram_sums_lag1(images: Array, lags: int) -> Array:
    """Quirk 1 of the 2015 program: for every k the lag-1 differences over the first cols − k columns (rows − k rows)."""
    grey = images.astype(jnp.int32)
    height, width = grey.shape[1:3]
    right = jnp.abs(grey[:, :, 1:] - grey[:, :, :-1]).sum(axis=1).cumsum(axis=1)  # [N, W − 1, C]
    down = jnp.abs(grey[:, 1:] - grey[:, :-1]).sum(axis=2).cumsum(axis=1)
    k = np.arange(1, lags + 1)
    return jnp.stack([right[:, width - k - 1], down[:, height - k - 1]], axis=2).transpose(0, 3, 2, 1)


def regional_parts(images: Array, grid: int, reach: int) -> Array:
    """Sums of levels and of differences of each region, int32 [N, C, regions·(1 + 2·reach)]; see the reference."""
    return regional_sums(images.astype(jnp.int32), grid, reach)


def regional_sums(levels: Array, grid: int, reach: int) -> Array:
    """`regional_parts` of levels [N, H, W, C] of any type, which the sums have too; differentiable."""
    height, width, channels = levels.shape[1:]
    maps = [levels]
    for axis, side in ((2, width), (1, height)):
        for k in range(1, reach + 1):
            near, far = jnp.split(levels, [max(0, side - k)], axis=axis)[0], jnp.split(levels, [min(k, side)], axis=axis)[1]
            padding = [(0, 0)] * 4
            padding[axis] = (0, min(k, side))
            maps.append(jnp.pad(absolute_difference(far, near), padding))
    stacked = jnp.stack(maps, axis=-1)  # [N, H, W, C, 1 + 2·reach]
    rows = jnp.stack([stacked[:, lo:hi].sum(axis=1) for lo, hi in region_bounds(height, grid)], axis=1)  # [N, lines, W, C, …]
    parts = jnp.stack([rows[:, :, lo:hi].sum(axis=2) for lo, hi in region_bounds(width, grid)], axis=2)
    return parts.transpose(0, 3, 1, 2, 4).reshape(len(levels), channels, -1)


def absolute_difference(one: Array, other: Array) -> Array:
    """|one − other| with gradient 0 where both are equal: that of `jnp.abs` is 1 there, which would change uniform areas."""
    return jnp.maximum(one, other) - jnp.minimum(one, other)


def region_bounds(side: int, grid: int) -> list[tuple[int, int]]:
    """First place and the one after the last of each row or column of regions; see `reference.penalties.regions`."""
    count = min(grid, side)
    bounds = [-(-stripe * side // count) for stripe in range(count + 1)]
    return list(pairwise(bounds))


def projections(images: Array, weights: npt.NDArray[np.int32]) -> Array:
    """Grey levels times principal components in units of 2⁻¹², [N, H, W, C] × [P, M] → int32 [N, M], exact: digit by digit."""
    grey = images.reshape(len(images), -1).astype(jnp.float32)
    total = jnp.zeros((len(images), weights.shape[1]), dtype=jnp.int32)
    for lo in range(0, len(weights), CHUNK):
        bits, digits = split_float32(weights[lo : lo + CHUNK])
        for place, digit in enumerate(digits):
            total += exact_product(grey[:, lo : lo + CHUNK], digit).astype(jnp.int32) << place * bits
    return total


def split_float32(weights: npt.NDArray[np.int32]) -> tuple[int, list[Ints]]:
    """Weights [P, M] = Σ digit·2^(bits·place), digits so small that sums of 255·|digit| are exact in float32."""
    for bits in range(12, 5, -1):  # of 6 bits the digits are at most 32, and 255·32·CHUNK < 2²⁴
        digits, rest, half = [], weights.astype(np.int64), 1 << bits - 1
        while rest.any():
            digits.append((rest + half) % (1 << bits) - half)
            rest = (rest - digits[-1]) >> bits
        if all(255 * np.abs(digit).sum(axis=0).max() < EXACT for digit in digits):
            break
    return bits, digits


def exact_product(grey: Array, weights: npt.NDArray[Any]) -> Array:
    """Grey levels [N, P] times integers [P, M] whose sums are below 2²⁴: → float32 [N, M], exact integers.

    Factors have at most 11 bits, which TF32 keeps; bfloat16 does not, so TPUs take the highest precision.
    """
    precision = "highest" if jax.default_backend() == "tpu" else None
    return jnp.matmul(grey, jnp.asarray(weights.astype(np.float32)), precision=precision)


def energy(images: Array, mean: npt.NDArray[np.int32]) -> Array:
    """Σ (256·grey − mean)² in units of (256·255)², [N, H, W, C] → float32 [N]; exact within each column of an image."""
    squares = jnp.square(256 * images.astype(jnp.int32) - mean.reshape(images.shape[1:])).astype(jnp.uint32)  # < 2³²
    high, low = (part.astype(jnp.int32).sum(axis=1) for part in (squares >> 16, squares & 0xFFFF))
    columns = high.astype(jnp.float32) * np.float32(2**16 / 65280**2) + low.astype(jnp.float32) * np.float32(1 / 65280**2)
    return sequential_sum(columns.reshape(len(images), -1))


# --- terms ----------------------------------------------------------------------------------------------------------
def sequential_sum(values: Array) -> Array:
    """Sums of rows in a fixed order: [N, M] → [N]."""
    first = jnp.zeros(len(values), dtype=jnp.float32)
    return jax.lax.scan(lambda total, value: (total + value, None), first, values.T, unroll=UNROLLED)[0]


def histogram_term(images: Array, target_index: Array, bins: Bytes, target: TermTarget) -> Array:
    """Histogram term, [N]; see the reference."""
    size = target.targets.shape[2]
    places = np.full(size, float(images.shape[1] * images.shape[2]))
    return weighted_l1(histogram_counts(images, bins), places, target_index, target, size)


def variogram_term(images: Array, target_index: Array, target: TermTarget, quirk_lag1: bool) -> Array:
    """Variogram term, [N]; see the reference."""
    lags = target.targets.shape[2] // 2
    sums = (variogram_sums_lag1 if quirk_lag1 else variogram_sums)(images, lags)
    pairs = pair_counts(images.shape[1:], lags).reshape(-1)
    return weighted_l1(sums.reshape(*sums.shape[:2], 2 * lags), pairs, target_index, target, lags)


def regional_term(images: Array, target_index: Array, grid: int, target: TermTarget) -> Array:
    """Regional term, [N]; see the reference."""
    number = region_count(images.shape[1:], grid)
    reach = (target.targets.shape[2] // number - 1) // 2
    counts = regional_counts(images.shape[1:], grid, reach)
    return weighted_l1(regional_parts(images, grid, reach), counts, target_index, target, number)


def eigen_term(
    images: Array,
    target_index: Array,
    weights: npt.NDArray[np.int32],
    centre: Ints,
    mean: npt.NDArray[np.int32],
    variance: Doubles,
    residual: float,
    margin: float,
) -> Array:
    """Eigen term, [N]; see the reference. Integers are subtracted before the conversion to float."""
    del target_index
    whole = np.rint(centre / 256).astype(np.int64)
    about = projections(images, weights[:, : len(centre)]) - whole.astype(np.int32)
    parts = (256 * about.astype(jnp.float32) - (centre - 256 * whole).astype(np.float32)) * np.float32(PROJECTION_UNIT)
    near = sequential_sum(parts**2 / variance.astype(np.float32)) / max(1, len(variance))
    outside = jnp.maximum(energy(images, mean) - sequential_sum(parts**2), 0) / np.float32(residual)
    return jnp.maximum(near - np.float32(margin), 0) + jnp.maximum(outside - np.float32(margin), 0)


def weighted_l1(parts: Array, denominators: Doubles, target_index: Array, target: TermTarget, scale: int) -> Array:
    """Weighted L1 distance from the target above its margin, [N, C, M] → [N]; see `reference.penalties.weighted_l1`."""
    targets = jnp.asarray(target.targets.astype(np.float32))
    expected = targets[target_index] if len(targets) > 1 else targets
    difference = jnp.abs(parts.astype(jnp.float32) / denominators.astype(np.float32) - expected) * target.weights.astype(
        np.float32
    )
    total = sequential_sum(difference.reshape(len(parts), -1)) / np.float32(parts.shape[1] * scale)
    return jnp.maximum(total - np.float32(target.margin), 0)


def target_term(scores: Array, target: int, margin: float = 0.0) -> Array:
    """L1 distance of scores [N, K] from the one-hot target, above `margin`: → [N]; see the reference."""
    classes = jnp.argmax(scores, axis=1)[:, None] if target == ANY else target
    difference = jnp.abs(scores - (np.arange(scores.shape[1]) == classes).astype(np.float32))
    return jnp.maximum(sequential_sum(difference) - np.float32(margin), 0)


def weighted_sum(terms: Array, weights: Doubles) -> Array:
    """cost = Σ weight·term, in the order of the terms: [N, T] × [T] → [N]."""
    return sequential_sum(terms * weights.astype(np.float32))
