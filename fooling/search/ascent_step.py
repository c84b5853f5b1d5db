"""One compiled step of the gradient searches: what it ascends, its loss, and the change of the pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fooling.classifiers.gradients import raising_failures
from fooling.classifiers.layers import LOGITS, SCORES, layer_function
from fooling.kernels.jax import differentiable
from fooling.kernels.jax.differentiable import gaussian_blur, gaussian_kernel, roll
from fooling.kernels.tables import Floats, Ints
from fooling.search.continuous import Shifts, StepSize

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam, as its authors recommend
Index = tuple[int, ...] | None  # of a part of a layer: a channel, or the place of a unit
BATCH = 16  # images of a call, at most …
PIXELS = BATCH * 28 * 28  # … and their pixels, about: how many depends on nothing else, so no image does on the others


class IdentityKey:
    """An object compared by identity, as a key of compiled programs."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass(frozen=True)
class AscentObjective:
    """What a step ascends. Jobs with equal objectives share one compiled program."""

    classifier: IdentityKey
    objective: IdentityKey | None  # its penalties are descended; None: it has none
    weight: float  # of the target term, or of the layer
    free: float  # the target term counts only above this
    climb: str  # log or target: of the scores; layer: activation maximisation
    layer: str = LOGITS  # the layer …
    index: Index = None  # … and its channel (1 number) or unit (a number for each axis); None: all of it
    of_digit: bool = False  # the output of the target class instead
    total_variation: float = 0.0  # its weight
    blur_sd: float = 0.0  # of the blur before a step, pixels
    adam: bool = False  # whether each pixel moves by its own moments


def device_kind() -> str:
    """The kind of device that JAX computes on."""
    return str(jax.devices()[0].device_kind)


def take_step(
    ascent: AscentObjective,
    step_size: StepSize,
    pixels: Floats,
    which: Ints,
    digit: int,
    shifts: Shifts,
    blur: bool,
    moments: Floats | None = None,
    number: int = 1,
) -> tuple[Floats, ...]:
    """A step of pixels [N, H, W, C] with the targets `which` [N] towards the class `digit`, seen shifted by `shifts` [N, 2].

    → the pixels after it, and the largest absolute gradient of each image [N]; both may hold numbers that are not finite. With
    the `moments` of Adam before its step `number`, [N, 2, H, W, C], also those after it.
    """
    found = []
    adam = () if moments is None else (moments,)
    numbers = np.float32(step_size.rate), np.float32(step_size.decay), np.float32(step_size.ground)
    size = min(BATCH, max(1, PIXELS // (pixels.shape[1] * pixels.shape[2])))
    with raising_failures():
        for lo in range(0, len(pixels), size):
            rows = np.minimum(np.arange(lo, lo + size), len(pixels) - 1)  # the last image fills up
            now = pixels[rows], which[rows].astype(np.int32), np.int32(digit), shifts[rows]
            more = [*(array[rows] for array in adam), *([np.float32(number)] if adam else [])]
            parts = compiled(ascent)(*now, *numbers, *more, blur=blur)
            found.append([np.asarray(array)[: len(pixels) - lo] for array in parts])
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


@lru_cache(maxsize=16)
def compiled(ascent: AscentObjective) -> Callable[..., Any]:
    """The step, compiled for each size of pictures once."""
    return jax.jit(partial(step, ascent), static_argnames="blur")


def step(
    ascent: AscentObjective,
    pixels: Any,
    which: Any,
    digit: Any,
    shifts: Any,
    rate: Any,
    decay: Any,
    ground: Any,
    moments: Any = None,
    number: Any = None,
    *,
    blur: bool,
) -> tuple[Any, ...]:
    """One step of a batch [B, H, W, C]; → it after the step, its largest absolute gradients [B], and Adam's moments."""
    if blur:
        pixels = gaussian_blur(pixels, gaussian_kernel(ascent.blur_sd))
    uphill = jax.grad(lambda seen: -loss(ascent, seen, which, digit).sum())(roll(pixels, shifts))
    uphill = roll(uphill, -shifts)
    peaks = jnp.abs(uphill).max(axis=(1, 2, 3))
    uphill = uphill / jnp.where(peaks > 0, peaks, 1)[:, None, None, None]  # first, so that squares of small ones are not 0
    if ascent.adam:
        change, moments = adam_step(uphill, moments, number)
        pixels = pixels + rate * change
        return jnp.clip(pixels + decay * (ground - pixels), 0, 255), peaks, moments
    size = jnp.sqrt((uphill**2).mean(axis=(1, 2, 3), keepdims=True))
    pixels = pixels + rate * uphill / jnp.where(size > 0, size, 1)
    return jnp.clip(pixels + decay * (ground - pixels), 0, 255), peaks


def adam_step(uphill: Any, moments: Any, number: Any) -> tuple[Any, Any]:
    """The change of Adam (Kingma & Ba 2015, algorithm 1) in units of its rate, and the moments [B, 2, H, W, C] after it.

    `number` counts the steps from 1. Each gradient is scaled to a largest value of 1 first: that of a log score vanishes as the
    score nears 1, and moments that remember the first ones would stop the search there (no image at .9999 after 200 steps).
    """
    first = BETA1 * moments[:, 0] + (1 - BETA1) * uphill
    second = BETA2 * moments[:, 1] + (1 - BETA2) * uphill**2
    change = first / (1 - BETA1**number) / (jnp.sqrt(second / (1 - BETA2**number)) + EPSILON)
    return change, jnp.stack([first, second], axis=1)


def loss(ascent: AscentObjective, pixels: Any, which: Any, digit: Any) -> Any:
    """The loss [B]: weight·(the classifier's loss) + Σ weight·penalty + the total variation."""
    total = ascent.weight * (activation if ascent.climb == "layer" else score_loss)(ascent, pixels, digit)
    if ascent.objective:
        objective = ascent.objective.value
        for name in objective.penalties:
            penalty = differentiable.PENALTIES[name](pixels, which, *objective.arguments[name])
            total += objective.weights[name] * penalty
    if ascent.total_variation:
        total += ascent.total_variation * differentiable.total_variation(pixels)
    return total


def score_loss(ascent: AscentObjective, pixels: Any, digit: Any) -> Any:
    """The target term, or its logarithmic twin, [B]; nothing where the target term is within what is free."""
    scores = scores_of(ascent.classifier.value, pixels).astype(jnp.float32)
    own = target_class(scores, digit)
    apart = jnp.abs(scores - (np.arange(scores.shape[1]) == own[:, None])).sum(axis=1)
    climbed = differentiable.binary_cross_entropy(scores, own) if ascent.climb == "log" else apart
    return jnp.where(apart > ascent.free, climbed, 0)


def scores_of(classifier: Any, pixels: Any) -> Any:
    """The scores [B, K]; seen through windows, of each class the largest."""
    scores = layer_function(classifier)(pixels)[SCORES]
    return scores.reshape(len(pixels), -1, scores.shape[-1]).max(axis=1)


def activation(ascent: AscentObjective, pixels: Any, digit: Any) -> Any:
    """−(mean square of a layer), −(mean of a channel over its places) or −(a unit), [B]; through windows the mean over them.

    A whole layer by its squares, as in the first Deep Dream: what is strong becomes stronger. A channel or unit by itself.
    """
    values = layer_function(ascent.classifier.value)(pixels)[ascent.layer].astype(jnp.float32)
    if ascent.of_digit:
        of_windows = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
        return -jnp.take_along_axis(of_windows, target_class(of_windows, digit)[:, None], axis=1)[:, 0]
    chosen = values if ascent.index is None else values[(..., *ascent.index)]
    strength = chosen**2 if ascent.index is None else chosen
    return -strength.reshape(len(values), -1).mean(axis=1)


def target_class(scores: Any, digit: Any) -> Any:
    """The target class of each image [B]: `digit`, or with kernels.tables.ANY the class of the largest score."""
    return jnp.where(digit < 0, jnp.argmax(scores, axis=1), digit)
