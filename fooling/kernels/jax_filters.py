"""What gradient searches do to whole pictures of real numbers, in JAX: blur, shift, scale."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.kernels.jax_words import Array


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
