"""The terms of the prior as functions of pixels that are real numbers, for gradients: in JAX, the same names as in `reference`.

Images are float32 [N, H, W, C] of grey levels 0…255. Of whole levels every term has the reference's value to the rounding of
float32, and its slope is that of sums of real numbers. Only the histogram's counts are steps, whose slope is 0: there it is
that of the earth mover's distance.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.kernels.jax.penalties import emd, stripes
from fooling.kernels.jax.philox import Array
from fooling.kernels.reference.network import Layers
from fooling.kernels.reference.penalties import PROJECTION_UNIT, pair_counts, region_count, regional_counts
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints, TermTarget


def blurred(images: Array, kernel: npt.NDArray[np.float32]) -> Array:
    """Gaussian blur, beyond the edges the nearest pixels: [N, H, W, C] with the weights of `gaussian_kernel`."""
    reach = len(kernel) // 2
    for axis in (1, 2):
        room = [(0, 0)] * 4
        room[axis] = (reach, reach)
        wide, side = jnp.pad(images, room, mode="edge"), images.shape[axis]
        images = sum(weight * jax.lax.slice_in_dim(wide, i, i + side, axis=axis) for i, weight in enumerate(kernel))
    return images


def gaussian_kernel(sd: float) -> npt.NDArray[np.float32]:
    """Weights of a Gaussian blur of this standard deviation, pixels, cut off after four of them: odd in number, their sum 1."""
    reach = max(1, round(4 * sd))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def shifted(images: Array, shifts: Array) -> Array:
    """Images [N, H, W, C] rolled by whole pixels [N, 2], down and to the right; what leaves on one side enters on the other."""
    return jax.vmap(lambda image, shift: jnp.roll(image, (shift[0], shift[1]), axis=(0, 1)))(images, shifts)


def resized(images: Array, height: int, width: int) -> Any:
    """Images [N, H, W, C] scaled to another size, cubic, antialiased where they shrink."""
    if images.shape[1:3] == (height, width):
        return images
    return jax.image.resize(images, (len(images), height, width, images.shape[3]), "cubic")


def zoomed(images: Array, factor: float) -> Any:
    """Images [N, H, W, C] enlarged about their middle, cubic; what lies outside then is cut off."""
    scale = jnp.array([factor, factor], dtype=jnp.float32)
    middle = jnp.array(images.shape[1:3], dtype=jnp.float32) * ((1 - factor) / 2)
    return jax.image.scale_and_translate(jnp.asarray(images), images.shape, (1, 2), scale, middle, "cubic")


def histogram_term(images: Array, which: Array, bins: Bytes, wanted: TermTarget) -> Array:
    """Histogram term, [N]: of the bins' counts, with the slope of how far pixels must move for the wanted shares.

    That is 2/B times Rubner's (2000) earth mover's distance in bins, Σ|cumulative share − wanted|, of counts that pass linearly
    from bin to bin. The slope of these counts alone is 0 between two bins that both have too many pixels.
    """
    size, places = wanted.targets.shape[2], images.shape[1] * images.shape[2]
    flat = images.reshape(len(images), places, images.shape[3])
    own = jnp.asarray(bins.astype(np.int32))[jnp.rint(jax.lax.stop_gradient(flat)).astype(jnp.int32)]
    counts = jax.nn.one_hot(own, size, dtype=jnp.float32).sum(axis=1)  # [N, C, B]
    term = emd(counts, np.full(size, float(places)), which, wanted, size)
    targets = jnp.asarray(wanted.targets.astype(np.float32))
    surplus = soft_counts(flat, size) / places - (targets[which] if len(targets) > 1 else targets)
    way = jnp.abs(jnp.cumsum(surplus, axis=2)).sum(axis=2).mean(axis=1) * np.float32(2 / size)
    return term + jnp.where(term > 0, way - jax.lax.stop_gradient(way), 0)


def soft_counts(flat: Array, size: int) -> Array:
    """Pixels a bin, each shared linearly between the two bins whose middles it lies between: [N, P, C] → [N, C, B]."""
    place = jnp.clip(flat * np.float32(size / 255) - np.float32(0.5), 0, size - 1)
    away = jnp.abs(place[..., None] - np.arange(size, dtype=np.float32))
    return jnp.maximum(1 - away, 0).sum(axis=1)


def soft_distance(one: Array, other: Array) -> Array:
    """|one − other|, whose slope is 0 where they are equal: that of `jnp.abs` is 1, which would move even ground."""
    return jnp.maximum(one, other) - jnp.minimum(one, other)


def variogram_term(images: Array, which: Array, wanted: TermTarget, quirk_lag1: bool) -> Array:
    """Variogram term, [N]."""
    lags, (height, width) = wanted.targets.shape[2] // 2, images.shape[1:3]
    reach = range(1, lags + 1)
    if quirk_lag1:
        right, down = soft_distance(images[:, :, 1:], images[:, :, :-1]), soft_distance(images[:, 1:], images[:, :-1])
        parts = [right[:, :, : width - k].sum(axis=(1, 2)) for k in reach]
        parts += [down[:, : height - k].sum(axis=(1, 2)) for k in reach]
    else:
        parts = [soft_distance(images[:, :, k:], images[:, :, :-k]).sum(axis=(1, 2)) for k in reach]
        parts += [soft_distance(images[:, k:], images[:, :-k]).sum(axis=(1, 2)) for k in reach]
    return emd(jnp.stack(parts, axis=2), pair_counts(images.shape[1:], lags).reshape(-1), which, wanted, lags)


def regional_term(images: Array, which: Array, grid: int, wanted: TermTarget) -> Array:
    """Regional term, [N]."""
    shape = images.shape[1:]
    number = region_count(shape, grid)
    reach = (wanted.targets.shape[2] // number - 1) // 2
    maps = [images]
    for axis in (2, 1):
        for k in range(1, reach + 1):
            side = images.shape[axis]
            near, far = jnp.split(images, [max(0, side - k)], axis=axis)[0], jnp.split(images, [min(k, side)], axis=axis)[1]
            room = [(0, 0)] * 4
            room[axis] = (0, min(k, side))
            maps.append(jnp.pad(soft_distance(far, near), room))
    stacked = jnp.stack(maps, axis=-1)  # [N, H, W, C, 1 + 2·reach]
    rows = jnp.stack([stacked[:, lo:hi].sum(axis=1) for lo, hi in stripes(shape[0], grid)], axis=1)
    parts = jnp.stack([rows[:, :, lo:hi].sum(axis=2) for lo, hi in stripes(shape[1], grid)], axis=2)
    flat = parts.transpose(0, 3, 1, 2, 4).reshape(len(images), shape[2], -1)
    return emd(flat, regional_counts(shape, grid, reach), which, wanted, number)


def eigen_term(
    images: Array,
    which: Array,
    weights: npt.NDArray[np.int32],
    centre: Ints,
    mean: npt.NDArray[np.int32],
    variance: Doubles,
    residual: float,
    free: float,
) -> Array:
    """Eigen term, [N]: projections and energy about the mean, pixels scaled to [0, 1]."""
    del which
    about = (images.reshape(len(images), -1) - (mean / 256).astype(np.float32)) / np.float32(255)
    unit = np.float32(PROJECTION_UNIT * 256 * 255)  # of the weights
    parts = jnp.matmul(about, jnp.asarray(weights[:, : len(centre)] * unit, dtype=jnp.float32), precision="highest")
    near = (parts**2 / variance.astype(np.float32)).sum(axis=1) / max(1, len(variance))
    outside = jnp.maximum((about**2).sum(axis=1) - (parts**2).sum(axis=1), 0) / np.float32(residual)
    return jnp.maximum(near - np.float32(free), 0) + jnp.maximum(outside - np.float32(free), 0)


PENALTIES: dict[str, Callable[..., Array]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}


def total_variation(images: Array) -> Array:
    """Mean difference of neighbours, pixels scaled to [0, 1]: along rows plus along columns, [N] (Rudin et al. 1992)."""
    right, down = soft_distance(images[:, :, 1:], images[:, :, :-1]), soft_distance(images[:, 1:], images[:, :-1])
    return (right.mean(axis=(1, 2, 3)) + down.mean(axis=(1, 2, 3))) / 255


def binary_cross_entropy(scores: Array, own: Array) -> Array:
    """−log likelihood of the wanted answer, scores taken one by one: Σ −w·log s − (1 − w)·log(1 − s), [N, K] → [N].

    What of it a network's last layer saturates, the logarithm restores: the slope of the score itself is 0 where the
    classifier is surely wrong. Outputs that sum to 1 are taken one by one too. `own` [N] are the wanted classes.
    """
    wanted = (np.arange(scores.shape[1]) == own[:, None]).astype(jnp.float32)
    with_it = jnp.log(jnp.maximum(scores, np.float32(1e-30)))
    without = jnp.log(jnp.maximum(1 - scores, np.float32(1e-7)))
    return -(wanted * with_it + (1 - wanted) * without).sum(axis=1)


UNITS: dict[str, Callable[[Array], Array]] = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}


def dense_layers(
    images: Array, first: tuple[Floats, Floats], scale: np.float32, rest: Layers, hidden: str, softmax: bool
) -> dict[str, Array]:
    """What every layer of a dense network makes of images, [N, units] each, in their order; the scores to 1e-5.

    The sums are the library's, in any order: `jax_.dense_scores` adds one by one, whose slope takes 20 s to compile.
    """
    sums: Array = (images.reshape(len(images), -1).astype(jnp.float32) @ first[0] + first[1]) * scale
    found = {}
    for i, (weights, bias) in enumerate(rest, 1):
        found[f"dense{i}"] = sums
        found[f"{hidden}{i}"] = units = UNITS[hidden](sums)
        sums = units @ weights + bias
    scores = jax.nn.softmax(sums, axis=1) if softmax else jax.nn.sigmoid(sums)
    return {**found, "logits": sums, "scores": scores}
