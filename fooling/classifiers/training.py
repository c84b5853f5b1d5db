"""Training of the built-in networks, in JAX: stochastic gradient descent with momentum on the cross-entropy of sigmoids."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.networks import SigmoidNetwork, on_lattice
from fooling.data import ImageSet

Layers = dict[str, Any]
MOMENTUM = 0.9


def train_mlp(
    data: ImageSet,
    *,
    hidden: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    decay: float,
    seed: int,
    made: str = "",
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> SigmoidNetwork:
    """A network with one hidden layer of sigmoid units, trained on all images of `data` and rounded to the lattice.

    The learning rate falls to 0 along a quarter of a cosine; `decay` is the L2 weight decay of the weights (not the biases).
    `on_epoch(epoch, loss)` hears the mean loss of each epoch.
    """
    import jax
    import jax.numpy as jnp

    shape, classes = data.images.shape[1:], len(data.classes)
    images, labels = jnp.asarray(data.images.reshape(len(data.images), -1)), jnp.asarray(data.labels)
    key_start, key_order = jax.random.split(jax.random.key(seed), 2)
    layers = start_layers(key_start, int(np.prod(shape)), hidden, classes)
    steps = max(1, len(images) // batch)

    def loss(layers: Layers, picked: Any) -> Any:
        logits = forward(layers, images[picked].astype(jnp.float32) / 255)
        wanted = jax.nn.one_hot(labels[picked], classes)
        # cross-entropy of K independent sigmoids: −Σ w·log σ(z) + (1 − w)·log σ(−z)
        error = -(wanted * jax.nn.log_sigmoid(logits) + (1 - wanted) * jax.nn.log_sigmoid(-logits)).sum(axis=1).mean()
        return error + 0.5 * decay * sum((layers[name] ** 2).sum() for name in ("weights1", "weights2"))

    def step(carry: tuple[Layers, Layers], picked_and_rate: tuple[Any, Any]) -> tuple[tuple[Layers, Layers], Any]:
        layers, velocity = carry
        picked, rate = picked_and_rate
        value, slope = jax.value_and_grad(loss)(layers, picked)
        velocity = {name: MOMENTUM * velocity[name] - rate * slope[name] for name in layers}
        return ({name: layers[name] + velocity[name] for name in layers}, velocity), value

    @jax.jit
    def run_epoch(carry: tuple[Layers, Layers], key: Any, epoch: Any) -> tuple[tuple[Layers, Layers], Any]:
        order = jax.random.permutation(key, len(images))[: steps * batch].reshape(steps, -1)
        progress = (epoch * steps + jnp.arange(steps)) / (epochs * steps)
        carry, losses = jax.lax.scan(step, carry, (order, learning_rate * jnp.cos(progress * jnp.pi / 2)))
        return carry, losses.mean()

    carry = (layers, {name: jnp.zeros_like(value) for name, value in layers.items()})
    for epoch in range(epochs):
        carry, mean_loss = run_epoch(carry, jax.random.fold_in(key_order, epoch), epoch)
        on_epoch(epoch + 1, float(mean_loss))
    trained = {name: np.asarray(value) for name, value in carry[0].items()}
    return on_lattice(trained, (shape[0], shape[1], shape[2]), data.classes, made)


def start_layers(key: Any, pixels: int, hidden: int, classes: int) -> Layers:
    """Normal weights of variance 1/inputs, biases 0."""
    import jax
    import jax.numpy as jnp

    key_first, key_second = jax.random.split(key, 2)
    return {
        "weights1": jax.random.normal(key_first, (pixels, hidden)) / pixels**0.5,
        "bias1": jnp.zeros(hidden),
        "weights2": jax.random.normal(key_second, (hidden, classes)) / hidden**0.5,
        "bias2": jnp.zeros(classes),
    }


def forward(layers: Layers, pixels: Any) -> Any:
    """Logits [N, K] of pixels [N, P] in [0, 1]."""
    import jax

    hidden = jax.nn.sigmoid(pixels @ layers["weights1"] + layers["bias1"])
    return hidden @ layers["weights2"] + layers["bias2"]


def confusion(network: SigmoidNetwork, data: ImageSet) -> npt.NDArray[np.int64]:
    """Counts [K, K]: row = label, column = the class with the largest score."""
    predicted = np.concatenate([network(data.images[i : i + 1000]).argmax(axis=1) for i in range(0, len(data.images), 1000)])
    counts = np.zeros((network.num_classes, network.num_classes), dtype=np.int64)
    np.add.at(counts, (data.labels, predicted), 1)
    return counts
