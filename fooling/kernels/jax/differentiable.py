"""Differentiable twins of the penalties, image filters and losses in JAX, for gradient searches.

Images are float32 [N, H, W, C] of grey levels 0…255. At integer levels every term equals the reference to the rounding of
float32. Gradients are those of the sums over real pixels, except for the histogram: its counts are step functions with
gradient 0, so its gradient is that of the earth mover's distance.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.kernels.jax.penalties import absolute_difference, regional_sums, weighted_l1
from fooling.kernels.jax.philox import Array
from fooling.kernels.reference.penalties import PROJECTION_UNIT, pair_counts, region_count, regional_counts
from fooling.kernels.tables import Bytes, Doubles, Ints, TermTarget


def gaussian_blur(images: Array, kernel: npt.NDArray[np.float32]) -> Array:
    """Separable Gaussian blur, edges replicated: [N, H, W, C] with the weights of `gaussian_kernel`."""
    reach = len(kernel) // 2
    for axis in (1, 2):
        padding = [(0, 0)] * 4
        padding[axis] = (reach, reach)
        padded, side = jnp.pad(images, padding, mode="edge"), images.shape[axis]
        images = sum(weight * jax.lax.slice_in_dim(padded, i, i + side, axis=axis) for i, weight in enumerate(kernel))
    return images


def gaussian_kernel(sd: float) -> npt.NDArray[np.float32]:
    """Normalised weights of a Gaussian of standard deviation `sd` (pixels), truncated at 4·sd: float32 [2·reach + 1]."""
    reach = max(1, round(4 * sd))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def roll(images: Array, shifts: Array) -> Array:
    """Images [N, H, W, C] rolled by integer shifts [N, 2] (down, right), with wrap-around."""
    return jax.vmap(lambda image, shift: jnp.roll(image, (shift[0], shift[1]), axis=(0, 1)))(images, shifts)


def resize(images: Array, height: int, width: int) -> Any:
    """Images [N, H, W, C] resampled to height × width, cubic, antialiased when shrinking."""
    if images.shape[1:3] == (height, width):
        return images
    return jax.image.resize(images, (len(images), height, width, images.shape[3]), "cubic")


def zoom(images: Array, factor: float) -> Any:
    """Images [N, H, W, C] enlarged about their centre by `factor` ≥ 1, cubic, cropped to their size."""
    scale = jnp.array([factor, factor], dtype=jnp.float32)
    middle = jnp.array(images.shape[1:3], dtype=jnp.float32) * ((1 - factor) / 2)
    return jax.image.scale_and_translate(jnp.asarray(images), images.shape, (1, 2), scale, middle, "cubic")


def histogram_term(images: Array, target_index: Array, bins: Bytes, target: TermTarget) -> Array:
    """Histogram term, [N]: the value of hard counts, the gradient of the earth mover's distance to the target.

    The gradient is that of 2/B times the 1-D earth mover's distance in bins (Rubner et al. 2000), Σ|cumulative surplus|, of
    counts shared linearly between neighbouring bins. The L1 distance of such counts has gradient 0 between two overfull bins.
    """
    size, places = target.targets.shape[2], images.shape[1] * images.shape[2]
    flat = images.reshape(len(images), places, images.shape[3])
    bin_index = jnp.asarray(bins.astype(np.int32))[jnp.rint(jax.lax.stop_gradient(flat)).astype(jnp.int32)]
    counts = jax.nn.one_hot(bin_index, size, dtype=jnp.float32).sum(axis=1)  # [N, C, B]
    term = weighted_l1(counts, np.full(size, float(places)), target_index, target, size)
    targets = jnp.asarray(target.targets.astype(np.float32))
    surplus = soft_counts(flat, size) / places - (targets[target_index] if len(targets) > 1 else targets)
    emd = jnp.abs(jnp.cumsum(surplus, axis=2)).sum(axis=2).mean(axis=1) * np.float32(2 / size)
    return term + jnp.where(term > 0, emd - jax.lax.stop_gradient(emd), 0)


def soft_counts(flat: Array, size: int) -> Array:
    """Pixels per bin, each shared linearly between the two nearest bin centres: [N, P, C] → [N, C, B]."""
    place = jnp.clip(flat * np.float32(size / 255) - np.float32(0.5), 0, size - 1)
    offset = jnp.abs(place[..., None] - np.arange(size, dtype=np.float32))
    return jnp.maximum(1 - offset, 0).sum(axis=1)


def variogram_term(images: Array, target_index: Array, target: TermTarget, quirk_lag1: bool) -> Array:
    """Variogram term, [N]."""
    lags, (height, width) = target.targets.shape[2] // 2, images.shape[1:3]
    reach = range(1, lags + 1)
    if quirk_lag1:
        right, down = (
            absolute_difference(images[:, :, 1:], images[:, :, :-1]),
            absolute_difference(images[:, 1:], images[:, :-1]),
        )
        parts = [right[:, :, : width - k].sum(axis=(1, 2)) for k in reach]
        parts += [down[:, : height - k].sum(axis=(1, 2)) for k in reach]
    else:
        parts = [absolute_difference(images[:, :, k:], images[:, :, :-k]).sum(axis=(1, 2)) for k in reach]
        parts += [absolute_difference(images[:, k:], images[:, :-k]).sum(axis=(1, 2)) for k in reach]
    return weighted_l1(jnp.stack(parts, axis=2), pair_counts(images.shape[1:], lags).reshape(-1), target_index, target, lags)


def regional_term(images: Array, target_index: Array, grid: int, target: TermTarget) -> Array:
    """Regional term, [N]."""
    number = region_count(images.shape[1:], grid)
    reach = (target.targets.shape[2] // number - 1) // 2
    counts = regional_counts(images.shape[1:], grid, reach)
    return weighted_l1(regional_sums(images, grid, reach), counts, target_index, target, number)


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
    """Eigen term, [N]: projections and energy about the mean, pixels scaled to [0, 1]."""
    del target_index
    about = (images.reshape(len(images), -1) - (mean / 256).astype(np.float32)) / np.float32(255)
    unit = np.float32(PROJECTION_UNIT * 256 * 255)  # of the weights
    parts = jnp.matmul(about, jnp.asarray(weights[:, : len(centre)] * unit, dtype=jnp.float32), precision="highest")
    near = (parts**2 / variance.astype(np.float32)).sum(axis=1) / max(1, len(variance))
    outside = jnp.maximum((about**2).sum(axis=1) - (parts**2).sum(axis=1), 0) / np.float32(residual)
    return jnp.maximum(near - np.float32(margin), 0) + jnp.maximum(outside - np.float32(margin), 0)


def total_variation(images: Array) -> Array:
    """Anisotropic total variation (Rudin et al. 1992), pixels scaled to [0, 1]: mean along rows plus along columns, [N]."""
    right, down = absolute_difference(images[:, :, 1:], images[:, :, :-1]), absolute_difference(images[:, 1:], images[:, :-1])
    return (right.mean(axis=(1, 2, 3)) + down.mean(axis=(1, 2, 3))) / 255


def binary_cross_entropy(scores: Array, classes: Array) -> Array:
    """−Σ y·log s + (1 − y)·log(1 − s) with one-hot y of `classes` [N]: scores [N, K] → [N].

    Its gradient does not vanish where a sigmoid or softmax output saturates, as that of the score itself does. Softmax
    outputs are treated as K independent ones too.
    """
    one_hot = (np.arange(scores.shape[1]) == classes[:, None]).astype(jnp.float32)
    log_score = jnp.log(jnp.maximum(scores, np.float32(1e-30)))
    log_complement = jnp.log(jnp.maximum(1 - scores, np.float32(1e-7)))
    return -(one_hot * log_score + (1 - one_hot) * log_complement).sum(axis=1)


# The twins of `reference.PENALTIES` for gradients.
PENALTIES: dict[str, Callable[..., Array]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}
