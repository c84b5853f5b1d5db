"""Training against images that show nothing, in JAX: a "none" class, uniform scores, or low confidence on outliers.

The loss is that of a usual training, cross-entropy on real images, plus `weight` × the loss of a method on as many outliers.
With `steps` each outlier is first moved towards what the network believes most (the inner maximisation of Hein et al. 2019 and
of Madry et al. 2018): otherwise the training suppresses confidence only at the outliers themselves, and a search finds the gaps
between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fooling.classifiers.trainable import Layers, Trainable
from fooling.classifiers.training import State, begun, descend, shift_images, weight_decay
from fooling.data import ImageSet
from fooling.data.matching import without_none
from fooling.kernels.tables import LEVELS, Bytes

STEP = 2.5  # a step of the inner maximisation: so many times radius ÷ steps, as in Madry et al. 2018


class Method(NamedTuple):
    """What outliers are to be scored as."""

    loss: Callable[[Any], Any]  # log-probabilities [B, K], or with a class "none" [B, K + 1] → [B]
    none: bool  # whether the network has a class "none", the last
    source: str


METHODS = {
    "none_class": Method(lambda log_p: -log_p[:, -1], True, "Nguyen et al. 2015"),
    "uniform": Method(lambda log_p: -log_p.mean(axis=1), False, "Hendrycks et al. 2019, outlier exposure"),
    "margin": Method(lambda log_p: log_p.max(axis=1), False, "Hein et al. 2019, ACET"),
}


@dataclass(frozen=True)
class Hardening:
    """Hyperparameters of a training against outliers."""

    method: str  # of METHODS
    epochs: int
    batch: int  # real images per step, and as many outliers
    learning_rate: float  # at the start; falls to 0 along a quarter of a cosine
    decay: float  # L2 weight decay of the weights
    weight: float  # of the outliers' loss
    radius: float  # grey levels, 0 … 255, by which a pixel of every other outlier may move, at most
    steps: int  # of it; 0 = none
    shift: int  # augmentation, as in `Training`
    seed: int
    on_epoch: Callable[[State, float], None] = lambda state, loss: None  # called with the state and the mean loss of each


# --- training -----------------------------------------------------------------------------------------------------------
def harden(data: ImageSet, pools: Sequence[Bytes], model: Trainable, hardening: Hardening, start: State) -> Any:
    """The network after training on real images and as many outliers a step, drawn at random from each pool alike.

    Pools are images uint8 [M, H, W, C]. `start` is the state that `begin` makes, or that of an interrupted training: the result
    is the same. Raises UserError when the loss is no longer finite.
    """
    images, labels, outliers = jnp.asarray(data.images), jnp.asarray(data.labels), jnp.asarray(np.concatenate(pools))
    method, classes = METHODS[hardening.method], len(without_none(data.classes))
    sizes = np.array([len(pool) for pool in pools])
    firsts = np.cumsum(sizes) - sizes

    def loss(layers: Layers, places: Any, key: Any) -> Any:
        key_shift, key_place, key_pool, key_search = jax.random.split(key, 4)
        real = shift_images(images[places], hardening.shift, key_shift).astype(jnp.float32)
        chosen = jax.random.randint(key_pool, places.shape, 0, len(sizes))
        within = jax.random.randint(key_place, places.shape, 0, jnp.asarray(sizes)[chosen])
        drawn = outliers[jnp.asarray(firsts)[chosen] + within].astype(jnp.float32)
        fixed = jax.lax.stop_gradient(layers)  # the outliers are given to the training
        nothing = most_believed(lambda pixels: model.logits(fixed, pixels), drawn, classes, hardening, key_search)
        log_p = jax.nn.log_softmax(model.logits(layers, jnp.concatenate([real, nothing])))
        of_real = -jnp.take_along_axis(log_p[: len(real)], labels[places][:, None], axis=1).mean()
        of_nothing = hardening.weight * method.loss(log_p[len(real) :]).mean()
        return of_real + of_nothing + weight_decay(layers, hardening.decay)

    key = jax.random.split(jax.random.key(hardening.seed), 2)[1]
    return model.finish(descend(start, loss, len(images), hardening, key, hardening.on_epoch))


def begin(model: Trainable, seed: int, network: Any = None) -> State:
    """The state before the first epoch: random weights, or those of a network of the same kind and size."""
    return begun(model.start(jax.random.split(jax.random.key(seed), 2)[0]) if network is None else model.layers(network))


def most_believed(logits: Callable[[Any], Any], images: Any, classes: int, hardening: Hardening, key: Any) -> Any:
    """Images float [B, H, W, C], moved towards the largest log-probability of a class; every other one stays as it is.

    Of the first `classes` only: belief in "none" is no harm. Projected gradient ascent by signs from a random place in the
    ball; steps of STEP·r/steps. Each image has its own r, uniform in 0 … `radius` grey levels: with one and the same r smooth
    outliers occur only with noise on them, and a network that was trained so believes smooth images of nothing.
    """
    if not hardening.steps:
        return images
    key_radius, key_start = jax.random.split(key)
    radius = hardening.radius * jax.random.uniform(key_radius, (len(images), 1, 1, 1))
    radius = radius.at[::2].set(0.0)
    low, high = jnp.maximum(images - radius, 0), jnp.minimum(images + radius, LEVELS - 1.0)
    size = STEP * radius / hardening.steps

    def belief(pixels: Any) -> Any:
        return jax.nn.log_softmax(logits(pixels))[:, :classes].max(axis=1).sum()

    def ascend(pixels: Any, _: Any) -> tuple[Any, None]:
        return jnp.clip(pixels + size * jnp.sign(jax.grad(belief)(pixels)), low, high), None

    begun = jnp.clip(images + jax.random.uniform(key_start, images.shape, minval=-1, maxval=1) * radius, low, high)
    return jax.lax.scan(ascend, begun, None, length=hardening.steps)[0]
