"""Dense networks: kernels equal to the reference, the file, and every engine."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from builders import SHAPES, random_dense, random_images
from objectives import LIGHT, alike, equal
from objectives import small_search as make
from pairwise import pairwise
from safetensors.numpy import load_file, save_file

from fooling import load_classifier
from fooling.classifiers import load_network
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.dense import DenseNetwork
from fooling.errors import UserError
from fooling.kernels import numba, reference
from fooling.kernels.reference.network import exponential, softmax
from fooling.search.genetic import ReferenceEngine
from fooling.search.genetic.jax import JaxEngine
from fooling.search.genetic.numba import NumbaEngine

SHAPE = (8, 8, 1)
NETWORKS: list[dict[str, Any]] = [
    {"hidden": ()},
    {"hidden": (), "classes": 17, "temperature": 33.3},
    {"hidden": (1,), "classes": 2},
    {"hidden": (12,), "activation": "sigmoid"},
    {"hidden": (100, 50), "activation": "sigmoid", "classes": 10},
    {"hidden": (33, 5), "classes": 17},
    {"hidden": (6, 70, 3, 9), "activation": "sigmoid", "classes": 3},
]


def test_exponential_and_softmax() -> None:
    x = np.concatenate([np.linspace(-87, 87, 20_001), [0, -0.0, 1e-30]]).astype(np.float32)
    assert exponential(x) == pytest.approx(np.exp(x.astype(np.float64)), rel=3e-7)
    z = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32) * 30
    powers = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    assert softmax(z) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)
    assert softmax(np.array([[1e38, -1e38, 1e38]], np.float32)).tolist() == [[0.5, pytest.approx(0, abs=1e-37), 0.5]]


@pytest.mark.parametrize("words", NETWORKS, ids=str)
def test_scores_are_those_of_the_float_network(words: dict[str, Any]) -> None:
    network, images = random_dense(SHAPE, **words), random_images(SHAPE, 20)
    w, b = network.weights1 / 2.0**network.fraction_bits, network.bias1 / 2.0**network.fraction_bits / 255
    z = (images.reshape(len(images), -1) / 255 @ w + b) / network.temperature
    for weights, bias in network.later_layers:
        z = (np.maximum(z, 0) if network.activation == "relu" else 1 / (1 + np.exp(-z))) @ weights.astype(float) + bias
    assert network.logits(images) == pytest.approx(z, rel=1e-5, abs=1e-5)
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    assert network(images) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)


@pytest.mark.parametrize("words", NETWORKS, ids=str)
def test_kernels_equal_the_reference(shape: tuple[int, int, int], words: dict[str, Any]) -> None:
    network, images = random_dense(shape, **words), random_images(shape, 71)  # more than go side by side
    scores = network(images)
    sums = numba.network_sums(images, *network.linear_head)
    assert np.array_equal(network.scores_of_sums(numba)(sums), scores)
    assert np.array_equal(network.scores_of_sums(numba)(sums[3:4]), scores[3:4])
    assert np.array_equal(network(images[3:4]), scores[3:4])
    assert check_classifier(network).exact


@pytest.mark.parametrize(("shape", "words"), pairwise(SHAPES, NETWORKS))
def test_in_jax_scores_are_the_same(shape: tuple[int, int, int], words: dict[str, Any]) -> None:
    network, images = random_dense(shape, **words), random_images(shape, 5)
    assert np.asarray(jax.jit(network.jax_fn)(images)) == pytest.approx(network(images), abs=1e-5)


@pytest.mark.parametrize("kernels", [reference, numba])
def test_logits_beyond_float32_are_refused(kernels: ModuleType) -> None:
    network = random_dense(SHAPE, (5,))
    wild = replace(network, later_layers=tuple((weights * np.float32(1e38), bias) for weights, bias in network.later_layers))
    scores = wild.scores_of_sums(kernels)(np.full((3, 5), 1e7, np.float32))
    assert not np.isfinite(scores).all()


@pytest.mark.parametrize("words", NETWORKS, ids=str)
def test_file_round_trip(tmp_path: Path, words: dict[str, Any]) -> None:
    network, path = random_dense((9, 13, 1), **words), tmp_path / "n.safetensors"
    network.save(path)
    loaded = load_classifier("mlp", str(path))
    assert isinstance(loaded, DenseNetwork)
    assert (loaded.fingerprint, loaded.labels, loaded.made) == (network.fingerprint, network.labels, network.made)
    assert (loaded.temperature, loaded.activation) == (network.temperature, network.activation)
    images = random_images((9, 13, 1), 3)
    assert np.array_equal(loaded(images), network(images))


def test_fingerprint_knows_every_weight_and_what_is_done_with_them() -> None:
    network = random_dense(SHAPE, (5, 6))
    prints = {network.fingerprint}
    prints |= {
        replace(network, **change).fingerprint
        for change in ({"temperature": 2.0}, {"activation": "sigmoid"}, {"fraction_bits": 3})
    }
    for name, tensor in network.tensors.items():
        tensor.reshape(-1)[-1] += 1
        prints.add(replace(network, made=name).fingerprint)
    assert len(prints) == 10


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights2": np.full((5, 4), np.nan, np.float32)}, "tensor weights2 holds numbers that are not finite"),
        ({"bias2": np.zeros(7, np.float32)}, r"tensor bias2: expected float32 \[4\], got float32 \[7\]"),
        ({"weights2": np.zeros((6, 4), np.float32)}, r"tensor weights2: expected float32 \[5, 4\], got float32 \[6, 4\]"),
        ({"weights1": np.full((64, 5), 2000, np.int16)}, "first-layer sums reach 2²⁴"),
        ({"weights1": np.zeros((64, 5), np.float32)}, r"tensor weights1: expected int16 \[64, 5\], got float32"),
        ({"bias2": None}, "its header is damaged"),
        ({"bias2": None, "weights2": None}, "its header is damaged"),
        ({"more": np.zeros(3, np.float32)}, "expected tensors weights1, bias1, weights2, bias2, got bias1, bias2, more"),
    ],
    ids=str,
)
def test_damaged_tensors_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = tmp_path / "n.safetensors"
    random_dense(SHAPE, (5,)).save(path)
    tensors = {name: tensor for name, tensor in {**load_file(path), **changed}.items() if tensor is not None}
    save_file(tensors, path, header(path))
    with pytest.raises(UserError, match=message):
        load_network(path)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ({}, "activation", "tanh"),
        ({}, "activation", "none"),
        ({"hidden": ()}, "activation", "relu"),
        ({}, "divisor", "0"),
        ({}, "divisor", "nan"),
        ({}, "divisor", "-1.0"),
        ({}, "divisor", "x"),
        ({}, "lattice", "99"),
        ({}, "input_shape", "[8, 8]"),
        ({}, "labels", "7"),
        ({}, "activation", None),
        ({}, "divisor", None),
    ],
    ids=str,
)
def test_damaged_headers_are_refused(tmp_path: Path, words: dict[str, Any], key: str, value: str | None) -> None:
    path = tmp_path / "n.safetensors"
    random_dense(SHAPE, **words).save(path)
    about = {**header(path), key: value}
    save_file(load_file(path), path, {name: text for name, text in about.items() if text is not None})
    with pytest.raises(UserError, match="its header is damaged"):
        load_network(path)


def header(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return dict(file.metadata())


@pytest.mark.exhaustive
@pytest.mark.parametrize(  # in pairs: JAX compiles each for a quarter of a minute
    ("shape", "words"), [(SHAPE, {"hidden": (9, 7), "activation": "sigmoid"}), ((6, 7, 3), {"hidden": ()})], ids=str
)
def test_engines_step_as_the_reference(shape: tuple[int, int, int], words: dict[str, Any]) -> None:
    objective, breeding = make(shape, random_dense(shape, **words), LIGHT)
    first, fast, other = (kind(objective, breeding) for kind in (ReferenceEngine, NumbaEngine, JaxEngine))
    runs = np.array([0, 7], dtype=np.uint32)
    state = first.init(runs)
    for _ in range(3):
        following = first.step(state)
        assert equal(fast.step(state), following)
        assert alike(other.step(state), following)
        state = following


@pytest.mark.parametrize("name", ["softmax", "perceptron", "mlp", "cnn"])
def test_kinds_without_bundled_weights_say_what_they_need(name: str) -> None:
    message = rf"^classifier={name}: expected classifier.path=FILE, .* `fooling train classifier={name} …`"
    with pytest.raises(UserError, match=message):
        load_classifier(name)
