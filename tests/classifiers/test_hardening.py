"""Training against outliers: losses by hand, the inner maximisation, going on from a network and from a checkpoint."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import convolutional, random_dense

from fooling.classifiers.hardening import METHODS, Hardening, begin, harden, most_believed
from fooling.classifiers.trainable import convolutional_model, dense_model, with_classes
from fooling.classifiers.training import State
from fooling.data import ImageSet
from fooling.errors import UserError

SHAPE = (4, 4, 1)
TINY = Hardening("none_class", 4, 20, 0.1, 0.0, 1.0, 60.0, 2, 0, 3)


def stripes(number: int = 200, seed: int = 0) -> ImageSet:
    """Images of two classes: a bright upper or lower half on black."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, number)
    images = np.zeros((number, *SHAPE), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] = random.integers(150, 256, (2, 4, 1))
    return ImageSet(images, labels, ("upper", "lower"), "stripes")


def noise(number: int = 100, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (number, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("none_class", -np.log(0.2)),
        ("uniform", -(np.log(0.5) + np.log(0.3) + np.log(0.2)) / 3),
        ("margin", np.log(0.5)),
    ],
)
def test_losses_by_hand(method: str, expected: float) -> None:
    log_p = jnp.log(jnp.array([[0.5, 0.3, 0.2]]))
    assert float(METHODS[method].loss(log_p)[0]) == pytest.approx(expected, rel=1e-6)


# --- the inner maximisation ---------------------------------------------------------------------------------------------
def linear(pixels: Any) -> Any:
    """Logits of three classes: the first rises with the first pixel, the last, none, with all others."""
    flat = pixels.reshape(len(pixels), -1) / 255
    return jnp.stack([8 * flat[:, 0], -8 * flat[:, 0], 8 * flat[:, 1:].mean(axis=1)], axis=1)


def test_outliers_move_towards_what_is_believed_and_stay_in_the_ball() -> None:
    images = jnp.full((6, *SHAPE), 100.0)
    moved = np.asarray(most_believed(linear, images, 2, replace(TINY, radius=30.0, steps=6), jax.random.key(0)))
    far = np.abs(moved - 100).reshape(6, -1).max(axis=1)
    assert far[::2].tolist() == [0, 0, 0]  # every other one stays
    assert far[1::2].min() > 0
    assert far[1::2].max() <= 30
    assert len(set(far[1::2])) == 3
    assert np.allclose(
        moved[1::2].reshape(3, -1)[:, 1:], (100 - far[1::2])[:, None]
    )  # away from none, to believe in which is no harm
    assert np.allclose(np.abs(moved[1::2, 0, 0, 0] - 100), far[1::2])


def test_outliers_keep_to_grey_levels_and_without_steps_to_themselves() -> None:
    images = jnp.asarray(noise(4).astype(np.float32))
    moved = most_believed(linear, images, 2, replace(TINY, radius=255.0, steps=2), jax.random.key(0))
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 255
    assert most_believed(linear, images, 2, replace(TINY, steps=0), jax.random.key(0)) is images


# --- networks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["two layers", "cnn"])
def test_a_training_goes_on_from_a_network(kind: str) -> None:
    shape = (8, 8, 1)
    data = ImageSet(
        np.random.default_rng(0).integers(0, 256, (30, *shape), dtype=np.uint8), np.arange(30) % 4, tuple("abcd"), ""
    )
    hidden = (7, 5)
    network: Any = convolutional(shape) if kind == "cnn" else random_dense(shape, hidden)
    labels = (*network.labels, "none")
    if kind == "cnn":
        channels = tuple(len(network.layers[f"bias{i}"]) for i in (1, 2))
        model = convolutional_model(data, labels, len(network.layers["kernels1"]), channels, len(network.layers["bias3"]))
    else:
        model = dense_model(data, labels, hidden, network.activation)
    again = model.finish({name: np.asarray(a) for name, a in begin(model, 0, network).layers.items()})
    before, after = (one.logits(data.images) for one in (network, again))
    assert after.shape == (30, 5)
    assert np.abs(after[:, :4] - before).max() < 0.01 * np.ptp(before)
    assert again.labels[-1] == "none"


def test_a_missing_class_begins_with_weights_of_zero() -> None:
    layers = {"weights1": np.ones((3, 2)), "bias1": np.ones(2)}
    assert with_classes(layers, 2)["weights1"].tolist() == layers["weights1"].tolist()
    padded = with_classes(layers, 3)
    assert padded["weights1"][:, 2].tolist() == [0, 0, 0]
    assert padded["bias1"].tolist() == [1, 1, 0]


# --- training -----------------------------------------------------------------------------------------------------------
def test_outliers_are_none_and_real_images_are_not() -> None:
    data, losses = stripes(), []
    model = dense_model(data, (*data.classes, "none"), (8,), "relu")
    hardening = replace(TINY, on_epoch=lambda state, loss: losses.append((state.epoch, loss)))
    network = harden(data, [noise(), noise(30, 6)], model, hardening, begin(model, 3))
    assert [epoch for epoch, _ in losses] == [1, 2, 3, 4]
    assert losses[-1][1] < losses[0][1]
    assert (network(data.images).argmax(axis=1) == data.labels).mean() > 0.95
    assert (network(noise(200, 9)).argmax(axis=1) == 2).mean() > 0.95


@pytest.mark.exhaustive
def test_a_resumed_training_is_the_same() -> None:
    data, states = stripes(), []
    model = dense_model(data, (*data.classes, "none"), (8,), "relu")
    hardening = replace(TINY, epochs=2, on_epoch=lambda state, loss: states.append(state))
    whole = harden(data, [noise()], model, hardening, begin(model, 3))
    middle = State(*({name: jnp.asarray(a) for name, a in part.items()} for part in states[0][:2]), 1)
    assert harden(data, [noise()], model, hardening, middle).fingerprint == whole.fingerprint


@pytest.mark.exhaustive
def test_a_loss_that_is_not_finite_is_refused() -> None:
    data = stripes(40)
    model = dense_model(data, data.classes, (4,), "relu")
    with pytest.raises(UserError, match="learning_rate"):
        harden(data, [noise()], model, replace(TINY, method="margin", learning_rate=1e30, steps=0), begin(model, 0))
