"""Training against images that show nothing, in JAX: a "none" class, uniform scores, or low confidence on outliers.

The loss is that of a usual training, cross-entropy on real images, plus `weight` × the loss of a method on as many outliers.
With `steps` each outlier is first moved towards what the network believes most (the inner maximisation of Hein et al. 2019 and
of Madry et al. 2018): otherwise the training suppresses confidence only at the outliers themselves, and a search finds the gaps
between them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.classifiers.dense import DenseNetwork, quantize
from fooling.classifiers.training import ENERGY, GAINS, MOMENTUM, START, centring, init_weights, shift_images
from fooling.data import ImageSet
from fooling.data.matching import without_none
from fooling.errors import UserError
from fooling.kernels.jax.network import convolutional_activations, convolve_by_patches
from fooling.kernels.tables import LEVELS, Bytes

Layers = dict[str, Any]
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
    on_epoch: Callable[["State", float], None] = lambda state, loss: None  # called with the state and the mean loss of each


class State(NamedTuple):
    """A training between two epochs."""

    layers: Layers
    velocity: Layers
    epoch: int  # epochs that are done


class Model(NamedTuple):
    """A kind of network as its training sees it."""

    logits: Callable[[Layers, Any], Any]  # of images float [B, H, W, C], 0 … 255
    start: Callable[[Any], Layers]  # random key → initial layers
    layers: Callable[[Any], Layers]  # of a network of this kind, to go on from
    finish: Callable[[Layers], Any]  # the network


def dense_model(data: ImageSet, labels: tuple[str, ...], hidden: tuple[int, ...], activation: str, made: str = "") -> Model:
    """Hidden layers and a softmax, as `train_dense` trains them."""
    shape = (data.images.shape[1], data.images.shape[2], data.images.shape[3])
    mean, factor = centring(data)
    widths = (int(np.prod(shape)), *hidden, len(labels))
    sizes: dict[str, tuple[int, ...]] = {}
    for i in range(1, len(widths)):
        sizes |= {f"weights{i}": (widths[i - 1], widths[i]), f"bias{i}": (widths[i],)}
    act = jax.nn.relu if activation == "relu" else jax.nn.sigmoid

    def logits(layers: Layers, pixels: Any) -> Any:
        z = (pixels.reshape(len(pixels), -1) / 255 - mean) * factor @ layers["weights1"] + layers["bias1"]
        for i in range(2, len(widths)):
            z = act(z) @ layers[f"weights{i}"] + layers[f"bias{i}"]
        return z

    def start(key: Any) -> Layers:
        layers = init_weights(key, sizes, GAINS[activation])
        layers["weights1"] *= (START * widths[0] / ENERGY) ** 0.5
        return layers

    def layers_of(network: DenseNetwork) -> Layers:
        unit = 2.0**network.fraction_bits
        weights = (network.weights1 / unit).astype(np.float32)
        bias = (network.bias1 / (255 * unit)).astype(np.float32) + mean @ weights
        later = {name: tensor for name, tensor in network.tensors.items() if name not in ("weights1", "bias1")}
        return with_classes({"weights1": weights / factor, "bias1": bias, **later}, len(labels))

    def finish(layers: Layers) -> DenseNetwork:
        weights = layers["weights1"] * factor
        own = {**layers, "weights1": weights, "bias1": layers["bias1"] - mean @ weights}
        return quantize(own, shape, labels, activation, made=made)

    return Model(logits, start, layers_of, finish)


def convolutional_model(
    data: ImageSet, labels: tuple[str, ...], kernel: int, channels: tuple[int, int], hidden: int, made: str = ""
) -> Model:
    """Two convolutions, a hidden layer and a softmax, as `train_cnn` trains them."""
    shape = (data.images.shape[1], data.images.shape[2], data.images.shape[3])
    sizes = tensor_shapes(shape, len(labels), kernel, channels, hidden)
    return Model(
        lambda layers, pixels: convolutional_activations(layers, pixels, convolve_by_patches)["logits"],
        lambda key: init_weights(key, sizes, gain=2.0),
        lambda network: with_classes(network.layers, len(labels)),
        lambda layers: ConvolutionalNetwork(shape, labels, layers, made),
    )


def with_classes(layers: Mapping[str, Any], classes: int) -> Layers:
    """Layers whose last has as many units as there are classes: a missing one, "none", starts with weights of 0."""
    last = f"{len(layers) // 2}"
    missing = classes - len(layers[f"bias{last}"])
    weights, bias = layers[f"weights{last}"], layers[f"bias{last}"]
    padded = {f"weights{last}": np.pad(weights, ((0, 0), (0, missing))), f"bias{last}": np.pad(bias, (0, missing))}
    return {**layers, **padded}


# --- training -----------------------------------------------------------------------------------------------------------
def harden(data: ImageSet, pools: Sequence[Bytes], model: Model, hardening: Hardening, start: State) -> Any:
    """The network after training on real images and as many outliers a step, drawn at random from each pool alike.

    Pools are images uint8 [M, H, W, C]. `start` is the state that `begin` makes, or that of an interrupted training: the result
    is the same. Raises UserError when the loss is no longer finite.
    """
    images, labels, outliers = jnp.asarray(data.images), jnp.asarray(data.labels), jnp.asarray(np.concatenate(pools))
    method, batch = METHODS[hardening.method], min(hardening.batch, len(data.images))
    steps, classes = len(images) // batch, len(without_none(data.classes))
    sizes = np.array([len(pool) for pool in pools])
    firsts = np.cumsum(sizes) - sizes

    def loss(layers: Layers, real: Any, right: Any, nothing: Any) -> Any:
        log_p = jax.nn.log_softmax(model.logits(layers, jnp.concatenate([real, nothing])))
        of_real = -jnp.take_along_axis(log_p[:batch], right[:, None], axis=1).mean()
        decay = 0.5 * hardening.decay * sum((layer**2).sum() for layer in layers.values() if layer.ndim > 1)
        return of_real + hardening.weight * method.loss(log_p[batch:]).mean() + decay

    def step(carry: tuple[Layers, Layers], at: tuple[Any, Any, Any]) -> tuple[tuple[Layers, Layers], Any]:
        layers, velocity = carry
        places, rate, key = at
        key_shift, key_place, key_pool, key_search = jax.random.split(key, 4)
        real = shift_images(images[places], hardening.shift, key_shift).astype(jnp.float32)
        chosen = jax.random.randint(key_pool, (batch,), 0, len(sizes))
        within = jax.random.randint(key_place, (batch,), 0, jnp.asarray(sizes)[chosen])
        drawn = outliers[jnp.asarray(firsts)[chosen] + within].astype(jnp.float32)
        nothing = most_believed(lambda pixels: model.logits(layers, pixels), drawn, classes, hardening, key_search)
        value, gradient = jax.value_and_grad(loss)(layers, real, labels[places], nothing)
        velocity = {name: MOMENTUM * velocity[name] - rate * gradient[name] for name in layers}
        return ({name: layers[name] + velocity[name] for name in layers}, velocity), value

    @jax.jit
    def run_epoch(carry: tuple[Layers, Layers], key: Any, epoch: Any) -> tuple[tuple[Layers, Layers], Any]:
        order = jax.random.permutation(key, len(images))[: steps * batch].reshape(steps, -1)
        progress = (epoch * steps + jnp.arange(steps)) / (hardening.epochs * steps)
        rates = hardening.learning_rate * jnp.cos(progress * jnp.pi / 2)
        carry, losses = jax.lax.scan(step, carry, (order, rates, jax.random.split(jax.random.fold_in(key, 0), steps)))
        return carry, losses.mean()

    key, state = jax.random.split(jax.random.key(hardening.seed), 2)[1], start
    for epoch in range(start.epoch, hardening.epochs):
        (layers, velocity), mean_loss = run_epoch((state.layers, state.velocity), jax.random.fold_in(key, epoch), epoch)
        state = State(layers, velocity, epoch + 1)
        hardening.on_epoch(state, float(mean_loss))
        if not np.isfinite(mean_loss):
            raise UserError(f"epoch {epoch + 1}: expected a finite loss, got {float(mean_loss)}; give a smaller learning_rate")
    return model.finish({name: np.asarray(value) for name, value in state.layers.items()})


def begin(model: Model, seed: int, network: Any = None) -> State:
    """The state before the first epoch: random weights, or those of a network of the same kind and size."""
    layers = model.start(jax.random.split(jax.random.key(seed), 2)[0]) if network is None else model.layers(network)
    layers = {name: jnp.asarray(layer, dtype=jnp.float32) for name, layer in layers.items()}
    return State(layers, {name: jnp.zeros_like(layer) for name, layer in layers.items()}, 0)


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
