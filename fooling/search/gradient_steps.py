"""One step along a gradient, compiled: blur, the slope of what is climbed, decay.

Pixels move by `rate` grey levels in the root mean square, wherever the slope points: its size, which differs by orders of
magnitude between networks and images, plays no part. They are cut off at black and white.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.layers import LOGITS, SCORES, layer_function
from fooling.kernels.tables import Floats, Ints

Shifts = npt.NDArray[np.int32]
Index = tuple[int, ...] | None  # of a part of a layer: a channel, or the place of a unit
BATCH = 16  # images of a call, at most …
PIXELS = BATCH * 28 * 28  # … and their pixels, about: how many depends on nothing else, so no image does on the others


class IdentityKey:
    """An object as what it is, not by what it holds: two are equal if they are one."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)


@dataclass(frozen=True)
class AscentObjective:
    """What a step climbs. Jobs that agree in all of it share one compiled program."""

    classifier: IdentityKey
    objective: IdentityKey | None  # whose penalties are climbed down too; None: it has none
    weight: float  # of the target term, or of the layer
    free: float  # the target term counts only above this
    climb: str  # log or target: of the scores; layer: a layer is raised
    layer: str = LOGITS  # which
    index: Index = None  # and of it this channel (1 number) or unit (as many as it has axes); None: all of it
    of_digit: bool = False  # or the wanted class's output
    total_variation: float = 0.0  # its weight
    blur_sd: float = 0.0  # of the blur before a step, pixels


@dataclass(frozen=True)
class StepSize:
    """How far a step goes."""

    rate: float  # grey levels, root mean square
    decay: float  # share of the distance from `ground` that is lost
    ground: float  # grey level


def take_step(
    slope: AscentObjective, pace: StepSize, pixels: Floats, which: Ints, digit: int, shifts: Shifts, blur: bool
) -> tuple[Floats, Floats]:
    """A step of pixels [N, H, W, C] with the targets `which` [N] towards the class `digit`, seen shifted by `shifts` [N, 2].

    → the pixels after it, and the largest slope of each image [N]; both may hold numbers that are not finite.
    """
    found = []
    numbers = np.float32(pace.rate), np.float32(pace.decay), np.float32(pace.ground)
    size = min(BATCH, max(1, PIXELS // (pixels.shape[1] * pixels.shape[2])))
    for lo in range(0, len(pixels), size):
        rows = np.minimum(np.arange(lo, lo + size), len(pixels) - 1)  # the last image fills up
        made = compiled(slope)(pixels[rows], which[rows].astype(np.int32), np.int32(digit), shifts[rows], *numbers, blur=blur)
        found.append([np.asarray(array)[: len(pixels) - lo] for array in made])
    after, peaks = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return after, peaks


@lru_cache(maxsize=16)
def compiled(slope: AscentObjective) -> Callable[..., Any]:
    """The step, compiled for each size of pictures once."""
    import jax

    return jax.jit(partial(step, slope), static_argnames="blur")


def step(
    slope: AscentObjective, pixels: Any, which: Any, digit: Any, shifts: Any, rate: Any, decay: Any, ground: Any, blur: bool
) -> tuple[Any, Any]:
    """One step of a batch [B, H, W, C]; → it after the step, and its largest slopes [B]."""
    import jax
    import jax.numpy as jnp

    from fooling.kernels.jax.differentiable import gaussian_blur, gaussian_kernel, roll

    if blur:
        pixels = gaussian_blur(pixels, gaussian_kernel(slope.blur_sd))
    uphill = jax.grad(lambda seen: -loss(slope, seen, which, digit).sum())(roll(pixels, shifts))
    uphill = roll(uphill, -shifts)
    peaks = jnp.abs(uphill).max(axis=(1, 2, 3))
    uphill = uphill / jnp.where(peaks > 0, peaks, 1)[:, None, None, None]  # first, so that squares of small ones are not 0
    size = jnp.sqrt((uphill**2).mean(axis=(1, 2, 3), keepdims=True))
    pixels = pixels + rate * uphill / jnp.where(size > 0, size, 1)
    return jnp.clip(pixels + decay * (ground - pixels), 0, 255), peaks


def loss(slope: AscentObjective, pixels: Any, which: Any, digit: Any) -> Any:
    """What is climbed down, [B]: weight·(what is wanted of the classifier) + Σ weight·penalty + the total variation."""
    from fooling.kernels.jax import differentiable

    total = slope.weight * (activation if slope.climb == "layer" else scores_climbed)(slope, pixels, digit)
    if slope.objective:
        objective = slope.objective.it
        for name in objective.penalties:
            penalty = differentiable.PENALTIES[name](pixels, which, *objective.arguments[name])
            total += objective.weights[name] * penalty
    if slope.total_variation:
        total += slope.total_variation * differentiable.total_variation(pixels)
    return total


def scores_climbed(slope: AscentObjective, pixels: Any, digit: Any) -> Any:
    """The target term, or its logarithmic twin, [B]; nothing where the target term is within what is free."""
    import jax.numpy as jnp

    from fooling.kernels.jax import differentiable

    scores = scores_of(slope.classifier.it, pixels).astype(jnp.float32)
    own = target_class(scores, digit)
    apart = jnp.abs(scores - (np.arange(scores.shape[1]) == own[:, None])).sum(axis=1)
    climbed = differentiable.binary_cross_entropy(scores, own) if slope.climb == "log" else apart
    return jnp.where(apart > slope.free, climbed, 0)


def scores_of(classifier: Any, pixels: Any) -> Any:
    """The scores [B, K]; seen through windows, of each class the largest."""
    scores = layer_function(classifier)(pixels)[SCORES]
    return scores.reshape(len(pixels), -1, scores.shape[-1]).max(axis=1)


def activation(slope: AscentObjective, pixels: Any, digit: Any) -> Any:
    """−(mean square of a layer), −(mean of a channel over its places) or −(a unit), [B]; through windows the mean over them.

    A whole layer by its squares, as in the first Deep Dream: what is strong becomes stronger. A channel or unit by itself.
    """
    import jax.numpy as jnp

    values = layer_function(slope.classifier.it)(pixels)[slope.layer].astype(jnp.float32)
    if slope.of_digit:
        of_windows = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
        return -jnp.take_along_axis(of_windows, target_class(of_windows, digit)[:, None], axis=1)[:, 0]
    chosen = values if slope.index is None else values[(..., *slope.index)]
    strength = chosen**2 if slope.index is None else chosen
    return -strength.reshape(len(values), -1).mean(axis=1)


def target_class(scores: Any, digit: Any) -> Any:
    """The wanted class of each image [B]: the given one, or (tables.ANY) that of the largest score."""
    import jax.numpy as jnp

    return jnp.where(digit < 0, jnp.argmax(scores, axis=1), digit)
