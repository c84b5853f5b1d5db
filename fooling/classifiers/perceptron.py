"""Training of a perceptron by error correction (Rosenblatt 1958), in JAX, one image after the other."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.dense import DenseNetwork, dense_on_lattice
from fooling.classifiers.networks import LATTICES
from fooling.classifiers.training import Training, moved
from fooling.data import ImageSet
from fooling.errors import UserError
from fooling.kernels import reference

Floats = npt.NDArray[np.float32]
Carry = tuple[Any, Any]  # weights [K, P + 1], and the sum of all corrections, each times the share of the training before it

GAP = 5.0  # what the mean gap between the largest and the second sum of a training image is worth, in logits
BATCH = 1000  # images whose gaps are measured together


def train_perceptron(data: ImageSet, training: Training, *, average: bool, made: str = "") -> DenseNetwork:
    """One layer of K weighted sums, which the error correction rule trains; then rounded to the lattice.

    Weights start at 0. Images come one by one, in an order drawn anew each epoch; where the largest sum is of another class
    than the wanted one, learning_rate times the image (0 … 1) is added to the wanted class's weights and subtracted from the
    other's. `average`: the result is the mean of the weights after every image (Freund & Schapire 1999), not the last ones.

    Scores are a softmax of the sums ÷ `divisor`, which is chosen so that over the training images the mean gap between the
    largest and the second sum becomes 5 (odds of 148 : 1): the order of the classes is the perceptron's, and as learning_rate
    is but a factor of all weights, scores do not depend on it. The batch and decay of `training` are not used.
    """
    height, width, channels = data.images.shape[1:]
    weights = corrected(data, training, average)
    if not np.isfinite(weights).all():
        raise UserError("the perceptron's weights are not finite; give a smaller learning_rate")
    layers = {"weights1": weights[:, :-1].T, "bias1": weights[:, -1]}
    network = dense_on_lattice(layers, (height, width, channels), data.classes, made=made)
    gap = mean_gap(network, data)
    if network.lattice == LATTICES[-1] or not gap > 0:
        raise UserError("the perceptron's weights are too small for the lattice; give a larger learning_rate or more epochs")
    return dense_on_lattice(layers, (height, width, channels), data.classes, divisor=gap / GAP, made=made)


def corrected(data: ImageSet, training: Training, average: bool) -> Floats:
    """Weights [K, P + 1] after training, the bias last."""
    import jax
    import jax.numpy as jnp

    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    number, key = len(images), jax.random.key(training.seed)

    def correct(carry: Carry, at: tuple[Any, Any, Any]) -> tuple[Carry, Any]:
        weights, early = carry
        picked, before, key = at
        image = moved(images[picked][None], training.shift, key)[0].reshape(-1) / jnp.float32(255)
        pixels, wanted = jnp.append(image, jnp.float32(1)), labels[picked]
        found = (weights @ pixels).argmax()
        step = jnp.where(found == wanted, 0, training.learning_rate) * pixels
        weights = weights.at[wanted].add(step).at[found].add(-step)
        if average:
            early = early.at[wanted].add(before * step).at[found].add(-before * step)
        return (weights, early), found != wanted

    @jax.jit
    def run_epoch(carry: Carry, key: Any, epoch: Any) -> tuple[Carry, Any]:
        key_order, key_moves = jax.random.split(key)
        before = (epoch + jnp.arange(number) / number) / training.epochs
        moves = jax.random.split(key_moves, number)
        carry, mistakes = jax.lax.scan(correct, carry, (jax.random.permutation(key_order, number), before, moves))
        return carry, mistakes.mean()

    nothing = jnp.zeros((len(data.classes), int(np.prod(images.shape[1:])) + 1), dtype=jnp.float32)
    carry: Carry = (nothing, nothing)
    for epoch in range(training.epochs):
        carry, mistakes = run_epoch(carry, jax.random.fold_in(key, epoch), epoch)
        training.on_epoch(epoch + 1, float(mistakes))
    weights, early = carry
    return np.asarray(weights - early)  # a correction after the share s of the training has been there for 1 − s of it


def mean_gap(network: DenseNetwork, data: ImageSet) -> float:
    """The mean over the images of the largest minus the second of the logits."""
    total = 0.0
    for lo in range(0, len(data.images), BATCH):
        sums = np.sort(reference.network_sums(data.images[lo : lo + BATCH], *network.linear_head), axis=1)
        total += float((sums[:, -1].astype(np.float64) - sums[:, -2]).sum())
    return total / len(data.images) * float(network.scale)
