"""The built-in network, its lattice, its file, its training; and the examination before use."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from builders import DATA, needs_mnist, random_images, random_network
from models import Toy
from pairwise import rare
from safetensors import safe_open
from safetensors.numpy import save_file

from fooling import load_classifier
from fooling.classifiers import ASSETS, load_network
from fooling.classifiers.checks import check_classifier
from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.classifiers.dense import EXACT, LARGEST, quantize
from fooling.classifiers.training import Training, confusion_matrix, shift_images, train_cnn, train_mlp
from fooling.data import ImageSet, load_data
from fooling.errors import UserError
from fooling.kernels.jax.network import convolve_by_patches, convolve_directly

SHAPE = (8, 8, 1)


def test_bundled_network() -> None:
    network = load_classifier()
    assert network.input_shape == (28, 28, 1)
    assert network.labels == tuple("0123456789")
    assert check_classifier(network).exact
    assert "right of 10000 test images" in network.made
    assert (ASSETS / "mnist_mlp.safetensors").stat().st_size <= 400_000


@needs_mnist
def test_bundled_network_is_right_on_the_test_set() -> None:
    counts = confusion_matrix(load_classifier(), load_data(DATA, split="test"))
    assert counts.sum() == 10_000
    assert np.trace(counts) / 10_000 >= 0.978


def test_lattice_is_the_finest_that_is_exact() -> None:
    network = random_network((28, 28, 1), hidden=30)
    sums = 255 * np.abs(network.weights1.astype(int)).sum(axis=0) + np.abs(network.bias1.astype(int))
    largest = np.abs(network.weights1).max()
    assert sums.max() < EXACT
    assert largest <= LARGEST
    assert sums.max() * 2 > EXACT * 0.99 or largest * 2 > LARGEST * 0.99


def test_weights_too_large_for_any_lattice_are_refused() -> None:
    layers = {"weights1": np.full((64, 2), 1e9), "bias1": np.zeros(2), "weights2": np.zeros((2, 2)), "bias2": np.zeros(2)}
    with pytest.raises(UserError, match="too large for the"):
        quantize(layers, SHAPE, ("a", "b"), "sigmoid", "sigmoid")


def test_scores_are_those_of_the_float_network() -> None:
    network, images = random_network(SHAPE), random_images(SHAPE, 20)
    w1, b1 = network.weights1 / 2.0**network.fraction_bits, network.bias1 / 2.0**network.fraction_bits / 255
    hidden = 1 / (1 + np.exp(-(images.reshape(len(images), -1) / 255 @ w1 + b1)))
    ((weights2, bias2),) = network.later_layers
    expected = 1 / (1 + np.exp(-(hidden @ weights2.astype(float) + bias2)))
    assert network(images) == pytest.approx(expected, abs=2e-6)


def test_file_round_trip(tmp_path: Path) -> None:
    network = random_network((9, 13, 1))
    network.save(tmp_path / "n.safetensors")
    loaded = load_classifier(path=str(tmp_path / "n.safetensors"))
    assert loaded.fingerprint == network.fingerprint
    assert (loaded.input_shape, loaded.labels, loaded.made) == (network.input_shape, network.labels, network.made)


@pytest.mark.parametrize("name", ["weights1", "bias1", "weights2", "bias2"])
def test_fingerprint_knows_every_weight(name: str) -> None:
    network = random_network(SHAPE)
    before = network.fingerprint
    network.tensors[name].reshape(-1)[0] += 1
    assert replace(network).fingerprint != before


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "])
def test_files_that_are_no_network_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "n.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="expected a network written by `fooling train`"):
        load_network(path)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    network, path = random_network(SHAPE), tmp_path / "n.safetensors"
    ((weights2, bias2),) = network.later_layers
    replace(network, later_layers=((np.full_like(weights2, np.nan), bias2),)).save(path)
    with pytest.raises(UserError, match="tensor weights2 holds numbers that are not finite"):
        load_network(path)
    replace(network, later_layers=((weights2, np.zeros(7, np.float32)),)).save(path)
    with pytest.raises(UserError, match=r"tensor bias2: expected float32 \[4\], got float32 \[7\]"):
        load_network(path)
    replace(network, weights1=np.full_like(network.weights1, 2000)).save(path)
    with pytest.raises(UserError, match="first-layer sums reach 2²⁴"):
        load_network(path)
    replace(network, fraction_bits=-2000).save(path)
    with pytest.raises(UserError, match="its header is damaged"):
        load_network(path)
    none = {"weights1": network.weights1[:, :0], "bias1": network.bias1[:0], "later_layers": ((weights2[:0], bias2),)}
    replace(network, **none).save(path)
    with pytest.raises(UserError, match="tensor weights1: expected int16"):
        load_network(path)
    network.save(path)
    with safe_open(path, framework="numpy") as file:
        about = {**file.metadata(), "labels": "[" * 5000}
    save_file({"x": np.zeros(3)}, path, about)
    with pytest.raises(UserError, match="its header is damaged"):
        load_network(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(UserError, match="got format None"):
        load_network(path)


def test_missing_file_and_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; expected a network"):
        load_network(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match=r"classifier.*expected one of cnn, digits_perceptron, ensemble, http, .*vgg"):
        load_classifier("vgg")


@pytest.mark.exhaustive
def test_training_learns_and_is_seeded() -> None:
    data = load_data(None, "sklearn")
    few = ImageSet(data.images[:600], data.labels[:600], data.classes, data.source)
    once = Training(epochs=15, batch=20, learning_rate=0.1, decay=1e-5, seed=1)
    network = train_mlp(few, once, hidden=20)
    counts = confusion_matrix(network, load_data(None, "sklearn", "test"))
    assert np.trace(counts) / counts.sum() > 0.85
    assert train_mlp(few, once, hidden=20).fingerprint == network.fingerprint
    assert train_mlp(few, replace(once, seed=2), hidden=20).fingerprint != network.fingerprint


# --- convolutional networks -------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_convolutions_learn_and_are_seeded() -> None:
    data = load_data(None, "sklearn")
    few = ImageSet(data.images[:600], data.labels[:600], data.classes, data.source)
    once = Training(epochs=25, batch=20, learning_rate=0.05, decay=1e-5, seed=1, shift=1)
    network = train_cnn(few, once, kernel=3, channels=(6, 12), hidden=24)
    counts = confusion_matrix(network, load_data(None, "sklearn", "test"))
    assert np.trace(counts) / counts.sum() > 0.85
    assert train_cnn(few, once, kernel=3, channels=(6, 12), hidden=24).fingerprint == network.fingerprint


@pytest.mark.parametrize("train", [train_mlp, rare(partial(train_cnn, kernel=3, channels=(2, 3)), name=lambda value: "cnn")])
def test_a_loss_that_is_lost_is_told(train: Callable[..., Any]) -> None:
    data = load_data(None, "sklearn")
    with pytest.raises(UserError, match=r"epoch 1: expected a finite loss, got (nan|inf); give a smaller learning_rate"):
        train(data, Training(epochs=2, batch=50, learning_rate=1e30, decay=1e-4, seed=0), hidden=5)


def test_training_images_move_both_ways_and_black_comes_in() -> None:
    images = np.zeros((200, 5, 6, 1), np.uint8)
    images[:, 2, 3] = 255
    found = np.asarray(shift_images(images, 2, jax.random.key(0)))
    assert (found.sum(axis=(1, 2, 3), dtype=int) == 255).all()
    places = {tuple(place) for place in np.argwhere(found)[:, 1:3].tolist()}
    assert places == {(y, x) for y in range(5) for x in range(1, 6)}
    assert shift_images(images, 0, jax.random.key(0)) is images


def random_convolutions(shape: tuple[int, int, int], kernel: int = 3) -> ConvolutionalNetwork:
    random = np.random.default_rng(0)
    layers = {
        name: random.normal(size=size).astype(np.float32) / 3
        for name, size in tensor_shapes(shape, 4, kernel, (3, 5), 7).items()
    }
    return ConvolutionalNetwork(shape, ("a", "b", "c", "d"), layers, "random, for tests")


@pytest.mark.parametrize("kernel", [rare(1), 2, rare(5)])
def test_convolutions_are_those_of_the_definition(shape: tuple[int, int, int], kernel: int) -> None:
    network, images = random_convolutions(shape, kernel), random_images(shape, 2)
    x, layers = images / 255, {name: layer.astype(float) for name, layer in network.layers.items()}
    for kernels, bias in (("kernels1", "bias1"), ("kernels2", "bias2")):
        low, high = (kernel - 1) // 2, kernel // 2
        wide = np.pad(x, ((0, 0), (low, high), (low, high), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(wide, (kernel, kernel), axis=(1, 2))
        x = np.maximum(np.einsum("nyxcij,ijcd->nyxd", windows, layers[kernels]) + layers[bias], 0)
        x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
        x = np.max([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)
    logits = np.maximum(x.reshape(len(x), -1) @ layers["weights3"] + layers["bias3"], 0) @ layers["weights4"] + layers["bias4"]
    assert network.logits(images) == pytest.approx(logits, rel=1e-4, abs=1e-4)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert network(images) == pytest.approx(scores, abs=1e-4)
    assert np.asarray(jax.jit(network.jax_fn)(images)) == pytest.approx(scores, abs=1e-4)


def test_ways_to_convolve_agree() -> None:
    random = np.random.default_rng(0)
    images, kernels = random.random((2, 9, 13, 3), np.float32), random.random((4, 4, 3, 5), np.float32)
    direct = np.asarray(convolve_directly(images, kernels))
    assert np.asarray(convolve_by_patches(images, kernels)) == pytest.approx(direct, rel=1e-5)


def test_convolutional_file_round_trip_and_refusals(tmp_path: Path) -> None:
    network, path = random_convolutions(SHAPE), tmp_path / "n.safetensors"
    network.save(path)
    loaded = load_classifier("mnist_cnn", str(path))
    assert (loaded.fingerprint, loaded.labels) == (network.fingerprint, network.labels)
    images = random_images(SHAPE, 3)
    assert np.array_equal(loaded(images), network(images))
    assert loaded(images[:0]).shape == (0, 4)
    replace(network, layers={**network.layers, "bias3": np.zeros(9, np.float32)}).save(path)
    with pytest.raises(UserError, match="tensor weights3: expected float32"):
        load_network(path)
    replace(network, layers={**network.layers, "bias4": np.full(4, np.nan, np.float32)}).save(path)
    with pytest.raises(UserError, match="tensor bias4 holds numbers that are not finite"):
        load_network(path)
    replace(network, input_shape=(2, 2, 1)).save(path)
    with pytest.raises(UserError, match="its header is damaged"):
        load_network(path)


@pytest.mark.parametrize(
    ("name", "least", "size"), [("mnist_cnn", 0.992, 2e6), ("mnist_cnn2", 0.99, 5e5), ("mnist_mlp2", 0.97, 4e5)]
)
def test_bundled_judges(name: str, least: float, size: float) -> None:
    judge = load_classifier(name)
    said = float(re.search(r"([0-9.]+) right of 10000", judge.made)[1])
    assert said >= least
    assert (ASSETS / f"{name}.safetensors").stat().st_size <= size
    if DATA:
        data = load_data(DATA, split="test")
        assert (judge(data.images).argmax(axis=1) == data.labels).mean() == pytest.approx(said, abs=2e-4)


# --- examination ------------------------------------------------------------------------------------------------------


def test_a_sound_classifier_passes() -> None:
    assert check_classifier(Toy()).exact


@pytest.mark.parametrize(
    ("toy", "message"),
    [
        (Toy(input_shape=(8, 8)), r"expected input_shape \(H, W, C\) with 1 or 3 channels, got \(8, 8\)"),
        (Toy(input_shape=(8, 8, 2)), r"with 1 or 3 channels, got \(8, 8, 2\)"),
        (Toy(input_shape="28x"), r"expected input_shape \(H, W, C\) with 1 or 3 channels, got 28x"),
        (Toy(input_shape=(8.0, 8.0, 1.0)), "with 1 or 3 channels, got"),
        (Toy(num_classes=1), "expected num_classes of at least 2, got 1"),
        (Toy(num_classes=None), "expected num_classes of at least 2, got None"),
        (Toy(labels=("a",)), r"expected 2 labels, got \('a',\)"),
        (Toy(labels=None), "expected 2 labels, got None"),
        (Toy(fingerprint=b"x"), "expected a fingerprint of text, got bytes"),
        (lambda images: images, "got one without input_shape"),
        (Toy(lambda toy, images, scores: [[1.0], [1.0, 2.0]]), r"expected float scores \[5, 2\], got no array"),
        (Toy(lambda toy, images, scores: scores[:, :1]), r"expected float scores \[5, 2\], got float32 \[5, 1\]"),
        (Toy(lambda toy, images, scores: scores.argmax(axis=1)), r"got int64 \[5\]"),
        (Toy(lambda toy, images, scores: scores * np.nan), "got NaN or infinity for 5 of 5 images"),
        (Toy(lambda toy, images, scores: scores * 9), r"expected scores in \[0, 1\], got 4.5 … 4.5; logits need a softmax"),
        (Toy(lambda toy, images, scores: scores + toy.calls * np.float32(0.1)), "got other scores the second time"),
        (Toy(lambda toy, images, scores: scores / len(images)), "change by 0.4 with the batch"),
    ],
)
def test_an_unsound_classifier_is_refused(toy: Toy, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_classifier(toy)


def test_a_little_rounding_in_batches_is_told() -> None:
    result = check_classifier(Toy(lambda toy, images, scores: scores + np.float32(1e-5) * (len(images) > 1)))
    assert not result.exact
    assert result.deviation == pytest.approx(1e-5, rel=0.1)


def test_a_classifier_cannot_change_what_it_is_shown() -> None:
    def paint(toy: Toy, images: np.ndarray, scores: np.ndarray) -> np.ndarray:
        images[:] = 0
        return scores

    with pytest.raises(ValueError, match="read-only"):
        check_classifier(Toy(paint))
