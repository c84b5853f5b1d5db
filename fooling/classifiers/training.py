"""Training of the built-in networks in JAX: SGD with momentum and a cosine schedule, and the perceptron rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from sklearn import metrics

from fooling.classifiers.base import BATCH, Classifier, predict
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.classifiers.dense import FRACTION_BITS, GAP, NONE, SIGMOID, DenseNetwork, quantize
from fooling.classifiers.trainable import Layers, Trainable, convolutional_model, dense_model, init_weights
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels.reference.network import network_sums
from fooling.kernels.tables import Floats

MOMENTUM = 0.9


class State(NamedTuple):
    """A training between two epochs."""

    layers: Layers
    velocity: Layers
    epoch: int  # epochs that are done


@dataclass(frozen=True)
class Training:
    """Hyperparameters of a training."""

    epochs: int
    batch: int  # images per step
    learning_rate: float  # at the start; falls to 0 along a quarter of a cosine
    decay: float  # L2 weight decay of the weights (not the biases)
    seed: int
    shift: int = 0  # augmentation: images move at random by up to so many pixels in each direction
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None  # called with the mean loss of each epoch


def train_mlp(data: ImageSet, training: Training, *, hidden: int, made: str = "") -> DenseNetwork:
    """One hidden layer of sigmoid units, cross-entropy of sigmoid outputs; trained in floats, then quantised."""
    shape, classes = data.images.shape[1:], len(data.classes)
    key_start, key_order = jax.random.split(jax.random.key(training.seed), 2)
    layers = init_weights(
        key_start,
        {
            "weights1": (int(np.prod(shape)), hidden),
            "bias1": (hidden,),
            "weights2": (hidden, classes),
            "bias2": (classes,),
        },
        gain=1.0,
    )

    def error(layers: Layers, pixels: Any, targets: Any) -> Any:
        hidden = jax.nn.sigmoid(pixels.reshape(len(pixels), -1) / 255 @ layers["weights1"] + layers["bias1"])
        logits = hidden @ layers["weights2"] + layers["bias2"]
        # cross-entropy of K independent sigmoids: −Σ t·log σ(z) + (1 − t)·log σ(−z)
        return -(targets * jax.nn.log_sigmoid(logits) + (1 - targets) * jax.nn.log_sigmoid(-logits)).sum(axis=1).mean()

    trained = sgd(layers, error, data, training, key_order)
    return quantize(trained, (shape[0], shape[1], shape[2]), data.classes, "sigmoid", SIGMOID, made=made)


def train_dense(
    data: ImageSet, training: Training, *, hidden: tuple[int, ...] = (), activation: str = NONE, made: str = ""
) -> DenseNetwork:
    """Hidden layers of these widths, cross-entropy of a softmax; see `dense_model`."""
    network: DenseNetwork = trained(dense_model(data, data.classes, hidden, activation, made), data, training)
    return network


def train_cnn(
    data: ImageSet, training: Training, *, kernel: int, channels: tuple[int, int], hidden: int, made: str = ""
) -> ConvolutionalNetwork:
    """Two convolutions of kernel×kernel and a hidden layer, cross-entropy of a softmax."""
    model = convolutional_model(data, data.classes, kernel, channels, hidden, made)
    network: ConvolutionalNetwork = trained(model, data, training)
    return network


def trained(model: Trainable, data: ImageSet, training: Training) -> Any:
    """A network of a kind, trained with the cross-entropy of a softmax."""
    key_start, key_order = jax.random.split(jax.random.key(training.seed), 2)

    def error(layers: Layers, pixels: Any, targets: Any) -> Any:
        return -(targets * jax.nn.log_softmax(model.logits(layers, pixels))).sum(axis=1).mean()

    return model.finish(sgd(model.start(key_start), error, data, training, key_order))


def sgd(
    layers: Layers, error: Callable[[Layers, Any, Any], Any], data: ImageSet, training: Training, key: Any
) -> dict[str, npt.NDArray[np.float32]]:
    """Layers after training; `error(layers, pixels [B, H, W, C] of 0…255, targets [B, K])` is the mean over a batch.

    Raises UserError when the loss is no longer finite.
    """
    images, labels, classes = jnp.asarray(data.images), jnp.asarray(data.labels), len(data.classes)

    def loss(layers: Layers, places: Any, key: Any) -> Any:
        pixels = shift_images(images[places], training.shift, key).astype(jnp.float32)
        return error(layers, pixels, jax.nn.one_hot(labels[places], classes)) + weight_decay(layers, training.decay)

    return descend(begun(layers), loss, len(images), training, key, lambda state, mean: training.on_epoch(state.epoch, mean))


def weight_decay(layers: Layers, decay: float) -> Any:
    """The L2 penalty of the weights; biases have none."""
    return 0.5 * decay * sum((layer**2).sum() for layer in layers.values() if layer.ndim > 1)


def begun(layers: Layers) -> State:
    """The state before the first epoch."""
    layers = {name: jnp.asarray(layer, dtype=jnp.float32) for name, layer in layers.items()}
    return State(layers, {name: jnp.zeros_like(layer) for name, layer in layers.items()}, 0)


def descend(
    state: State,
    loss: Callable[[Layers, Any, Any], Any],
    number: int,
    descent: Any,
    key: Any,
    on_epoch: Callable[[State, float], None],
) -> dict[str, npt.NDArray[np.float32]]:
    """Layers after the epochs that `state` lacks; `loss(layers, places [B] of the images, key)` is the mean over a batch.

    `descent` has epochs, batch and learning_rate; each epoch passes the `number` images once. Each epoch's random numbers
    depend on `key` and its number alone. Raises UserError when the loss is no longer finite.
    """
    batch = min(descent.batch, number)
    steps = number // batch

    def step(carry: tuple[Layers, Layers], at: tuple[Any, Any, Any]) -> tuple[tuple[Layers, Layers], Any]:
        layers, velocity = carry
        places, rate, key = at
        value, gradient = jax.value_and_grad(loss)(layers, places, key)
        velocity = {name: MOMENTUM * velocity[name] - rate * gradient[name] for name in layers}
        return ({name: layers[name] + velocity[name] for name in layers}, velocity), value

    @jax.jit
    def run_epoch(carry: tuple[Layers, Layers], key: Any, epoch: Any) -> tuple[tuple[Layers, Layers], Any]:
        order = jax.random.permutation(key, number)[: steps * batch].reshape(steps, -1)
        progress = (epoch * steps + jnp.arange(steps)) / (descent.epochs * steps)
        rates = descent.learning_rate * jnp.cos(progress * jnp.pi / 2)
        carry, losses = jax.lax.scan(step, carry, (order, rates, jax.random.split(jax.random.fold_in(key, 0), steps)))
        return carry, losses.mean()

    for epoch in range(state.epoch, descent.epochs):
        (layers, velocity), mean_loss = run_epoch((state.layers, state.velocity), jax.random.fold_in(key, epoch), epoch)
        state = State(layers, velocity, epoch + 1)
        on_epoch(state, float(mean_loss))
        if not np.isfinite(mean_loss):
            raise UserError(f"epoch {epoch + 1}: expected a finite loss, got {float(mean_loss)}; give a smaller learning_rate")
    return {name: np.asarray(value) for name, value in state.layers.items()}


def shift_images(images: Any, shift: int, key: Any) -> Any:
    """Images [B, H, W, C], each moved at random by −shift … shift pixels in both directions, padded with black."""
    if not shift:
        return images
    padded = jnp.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    corners = jax.random.randint(key, (len(images), 2), 0, 2 * shift + 1)
    return jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (at[0], at[1], 0), images.shape[1:]))(padded, corners)


def confusion_matrix(network: Classifier, data: ImageSet) -> npt.NDArray[np.int64]:
    """Counts [K, K]: row = label, column = the class with the largest score."""
    predicted = predict(network, data.images).argmax(axis=1)
    counts = metrics.confusion_matrix(data.labels, predicted, labels=range(network.num_classes))
    return np.asarray(counts, dtype=np.int64)


Carry = tuple[Any, Any]  # weights [K, P + 1], and the sum of all corrections, each × the fraction of the training before it


def train_perceptron(data: ImageSet, training: Training, *, average: bool, made: str = "") -> DenseNetwork:
    """One layer of K weighted sums, trained by the perceptron rule (Rosenblatt 1958), then quantised.

    Weights start at 0. Images come one by one, in a new random order each epoch. Where the largest sum is not that of the
    label, learning_rate × image (0 … 1) is added to the label's weights and subtracted from those of the largest sum.
    `average`: the result is the mean of the weights after every image (Freund & Schapire 1999), not the last ones.

    Scores are a softmax of the sums ÷ `temperature`, for which the mean gap between the largest and the second sum is
    5 on the training images (odds of 148 : 1). Scores do not depend on learning_rate, which only scales all weights. The batch
    and decay of `training` are not used. Raises UserError for weights that are too large or too small to quantise.
    """
    height, width, channels = data.images.shape[1:]
    weights = perceptron_weights(data, training, average)
    if not np.isfinite(weights).all():
        raise UserError("the perceptron's weights are not finite; give a smaller learning_rate")
    layers = {"weights1": weights[:, :-1].T, "bias1": weights[:, -1]}
    network = quantize(layers, (height, width, channels), data.classes, made=made)
    gap = mean_gap(network, data)
    if network.fraction_bits == FRACTION_BITS[-1] or not gap > 0:
        raise UserError(
            "the perceptron's weights are too small for the fixed-point grid; give a larger learning_rate or more epochs"
        )
    return quantize(layers, (height, width, channels), data.classes, temperature=gap / GAP, made=made)


def perceptron_weights(data: ImageSet, training: Training, average: bool) -> Floats:
    """Weights [K, P + 1] after training, the bias last."""
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    number, key = len(images), jax.random.key(training.seed)

    def correct(carry: Carry, at: tuple[Any, Any, Any]) -> tuple[Carry, Any]:
        weights, early = carry
        place, before, key = at
        image = shift_images(images[place][None], training.shift, key)[0].reshape(-1) / jnp.float32(255)
        pixels, label = jnp.append(image, jnp.float32(1)), labels[place]
        predicted = (weights @ pixels).argmax()
        step = jnp.where(predicted == label, 0, training.learning_rate) * pixels
        weights = weights.at[label].add(step).at[predicted].add(-step)
        if average:
            early = early.at[label].add(before * step).at[predicted].add(-before * step)
        return (weights, early), predicted != label

    @jax.jit
    def run_epoch(carry: Carry, key: Any, epoch: Any) -> tuple[Carry, Any]:
        key_order, key_shift = jax.random.split(key)
        before = (epoch + jnp.arange(number) / number) / training.epochs
        shift_keys = jax.random.split(key_shift, number)
        carry, mistakes = jax.lax.scan(correct, carry, (jax.random.permutation(key_order, number), before, shift_keys))
        return carry, mistakes.mean()

    zeros = jnp.zeros((len(data.classes), int(np.prod(images.shape[1:])) + 1), dtype=jnp.float32)
    carry: Carry = (zeros, zeros)
    for epoch in range(training.epochs):
        carry, mistakes = run_epoch(carry, jax.random.fold_in(key, epoch), epoch)
        training.on_epoch(epoch + 1, float(mistakes))
    weights, early = carry
    return np.asarray(weights - early)  # a correction after a fraction s of the training acts for 1 − s of it


def mean_gap(network: DenseNetwork, data: ImageSet) -> float:
    """Mean gap between the largest and the second logit over the images."""
    total = 0.0
    for first in range(0, len(data.images), BATCH):
        sums = np.sort(network_sums(data.images[first : first + BATCH], *network.linear_head), axis=1)
        total += float((sums[:, -1].astype(np.float64) - sums[:, -2]).sum())
    return total / len(data.images) * float(network.scale)
