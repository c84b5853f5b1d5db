"""Damaged networks: so many neurons, by what, within which range; exact, saved and used like any other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from builders import random_dense, random_images, random_network
from builders import random_pca as make_pca

import fooling
from fooling.classifiers import FORMATS, load_network
from fooling.classifiers.ablation import ABLATIONS, KINDS, ablate, neuron_access, neurons_of
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.classifiers.dense import EXACT, LARGEST
from fooling.errors import UserError

SHAPE = (8, 8, 1)


def convolutional() -> ConvolutionalNetwork:
    random = np.random.default_rng(0)
    made = {name: random.normal(size=size).astype(np.float32) for name, size in tensor_shapes(SHAPE, 4, 3, (5, 6), 9).items()}
    return ConvolutionalNetwork(SHAPE, ("a", "b", "c", "d"), made)


NETWORKS: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "sigmoid": (lambda: random_network(SHAPE), {"weights1": 12, "weights2": 4}),
    "softmax": (lambda: random_dense(SHAPE, ()), {"weights1": 4}),
    "dense": (lambda: random_dense(SHAPE, (7, 5), temperature=2.0), {"weights1": 7, "weights2": 5, "weights3": 4}),
    "convolutional": (convolutional, {"kernels1": 5, "kernels2": 6, "weights3": 9, "weights4": 4}),
    "pca means": (lambda: make_pca(SHAPE, "means")[0], {"eigen": 5}),
    "pca residual": (lambda: make_pca(SHAPE, "residual")[0], {"eigen": 20}),
}


def test_every_built_in_network_can_be_damaged() -> None:
    assert len(KINDS) == len(set(FORMATS.values()))
    assert {type(make()) for make, _ in NETWORKS.values()} == set(KINDS)
    assert all(neuron_access(make()).neurons for make, _ in NETWORKS.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_neurons(name: str) -> None:
    make, expected = NETWORKS[name]
    assert neurons_of(make()) == expected


def test_neurons_of_the_bundled_networks() -> None:
    assert neurons_of(fooling.load_classifier()) == {"weights1": 100, "weights2": 10}
    found = neurons_of(fooling.load_classifier("mnist_cnn"))
    assert found == {"kernels1": 16, "kernels2": 32, "weights3": 96, "weights4": 10}


@pytest.mark.parametrize("substance", ABLATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_so_many_neurons_change_and_only_within_their_layers_range(name: str, substance: Any) -> None:
    network = NETWORKS[name][0]()
    before = neuron_access(network).take(network)
    for number in (0, 1, 3, sum(neurons_of(network).values())):
        damaged = ablate(network, number, substance, np.random.default_rng(number))
        after = neuron_access(network).take(damaged)
        step = 2.0 ** -getattr(damaged, "fraction_bits", 12)
        changed = 0
        for layer, weights in before.items():
            rounding = step if layer in ("weights1", "eigen") else 1e-6
            different = np.abs(after[layer] - weights).max(axis=0) > rounding
            changed += int(different.sum())
            assert after[layer].min() >= min(0.0, weights.min()) - rounding
            assert after[layer].max() <= max(0.0, weights.max()) + rounding
            if substance == "zero":
                assert (after[layer][:, different] == 0).all()
        assert changed == number
        assert f"damaged: {number} of" in damaged.made
        if number == 0:
            assert damaged.fingerprint == network.fingerprint


def test_which_neurons_follows_from_the_seed() -> None:
    network = random_network(SHAPE)
    one, same, other = (ablate(network, 3, "random", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    hurt = set()
    for seed in range(200):
        after = ablate(network, 1, "zero", np.random.default_rng(seed))
        columns = np.concatenate([(after.weights1 == 0).all(axis=0), (after.tensors["weights2"] == 0).all(axis=0)])
        hurt.add(int(np.flatnonzero(columns)[0]))
    assert hurt == set(range(16))  # each has its turn


@pytest.mark.parametrize(("substance", "deviation"), [("random", 1 / 12**0.5), ("noise", None), ("zero", 0.0)])
def test_what_the_substances_do(substance: str, deviation: float | None) -> None:
    layer = np.random.default_rng(0).normal(0, 1, (4000, 3))
    layer[0] = -30, 30, 0  # a wide range
    columns = layer[:, :2]
    new = ABLATIONS[substance](layer, columns, np.random.default_rng(1))
    if deviation is not None:
        assert new.std() == pytest.approx(60 * deviation, rel=0.03, abs=1e-9)
    else:
        assert (new - columns)[1:].std() == pytest.approx(layer.std(), rel=0.03)
        assert np.abs(new).max() <= 30


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "dense"])
def test_first_layers_stay_exact(name: str) -> None:
    network = NETWORKS[name][0]()
    wide = network.weights1.copy()
    wide[0, 0] = LARGEST * 0.9  # one large weight makes the range wide, and random weights large
    network = replace(network, weights1=wide)
    damaged = ablate(network, 2, "random", np.random.default_rng(0))
    sums = 255 * np.abs(damaged.weights1.astype(np.int64)).sum(axis=0) + np.abs(damaged.bias1.astype(np.int64))
    assert sums.max() < EXACT
    assert np.abs(damaged.weights1).max() <= LARGEST
    assert check_classifier(damaged).exact
    assert np.array_equal(damaged.bias1, np.rint(network.bias1 * 2.0 ** (damaged.fraction_bits - network.fraction_bits)))


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_used_like_any_other(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name][0]()
    damaged = ablate(network, 2, "random", np.random.default_rng(0))
    damaged.save(tmp_path / "d.safetensors")
    loaded = load_network(tmp_path / "d.safetensors")
    images = random_images(SHAPE, 9)
    assert loaded.fingerprint == damaged.fingerprint != network.fingerprint
    assert np.array_equal(loaded(images), damaged(images))
    assert np.asarray(jax.jit(loaded.jax_fn)(images)) == pytest.approx(damaged(images), abs=5e-5)  # type: ignore[attr-defined]
    assert np.abs(damaged(images) - network(images)).max() > 1e-4


def test_refusals() -> None:
    with pytest.raises(UserError, match="neurons=17: expected at most 16"):
        ablate(random_network(SHAPE), 17, "zero", np.random.default_rng(0))

    class Foreign:
        pass

    said = r"expected a built-in network \(mnist_mlp, .*got Foreign"
    with pytest.raises(UserError, match=said):
        neurons_of(Foreign())  # type: ignore[arg-type]
