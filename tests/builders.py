"""What tests are made of: images, classifiers and statistics at random, and whether MNIST is there."""

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.classifiers.dense import SIGMOID, DenseNetwork, quantize
from fooling.classifiers.pca import ComponentSets, PcaClassifier, fit_pca, make_pca
from fooling.data import ImageSet
from fooling.kernels.tables import TermTarget
from fooling.statistics import Statistics
from fooling.statistics.pca import fit_components, kernel_arguments

ROOT = Path(__file__).parent.parent
SHAPES = [(8, 8, 1), (9, 13, 1), (28, 28, 1), (32, 32, 3)]
DATA = os.environ.get("FOOLING_DATA")
needs_mnist = pytest.mark.skipif(not DATA, reason="FOOLING_DATA names no folder with MNIST")


def still_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops time.perf_counter; → what moves it on by so many seconds. No test depends on how busy a machine is."""
    now = [time.perf_counter()]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def random_images(shape: tuple[int, int, int], number: int, seed: int = 0) -> np.ndarray:
    """Noise, mostly black, and the extremes: black, white, a checkerboard, one white pixel."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (number, *shape)) * (random.random((number, *shape)) < 0.4)
    checkerboard = np.indices(shape).sum(axis=0) % 2 * 255
    pixel = np.zeros(shape)
    pixel[-1, -1, -1] = 255
    extremes = np.stack([np.zeros(shape), np.full(shape, 255), checkerboard, pixel])
    return np.concatenate([noise, extremes]).astype(np.uint8)


def random_network(shape: tuple[int, int, int], classes: int = 4, hidden: int = 12, seed: int = 0) -> DenseNetwork:
    random = np.random.default_rng(seed)
    pixels = int(np.prod(shape))
    layers = {
        "weights1": random.normal(size=(pixels, hidden)) * 4 / pixels**0.5,
        "bias1": random.normal(size=hidden),
        "weights2": random.normal(size=(hidden, classes)) * 2,
        "bias2": random.normal(size=classes),
    }
    layers = {name: value.astype(np.float32) for name, value in layers.items()}
    labels = tuple(f"class {k}" for k in range(classes))
    return quantize(layers, shape, labels, "sigmoid", SIGMOID, made="random, for tests")


@cache
def random_statistics(shape: tuple[int, int, int], classes: int = 4, seed: int = 1) -> Statistics:
    images = random_images(shape, 10 * classes, seed)
    labels = np.arange(len(images)) % classes
    return Statistics.fit(ImageSet(images, labels, tuple(f"class {k}" for k in range(classes)), "random, for tests"))


def random_eigen(shape: tuple[int, int, int], components: int, free: float) -> tuple:
    """Arguments of the eigen term, fitted to a few images."""
    return kernel_arguments(fit_components(random_images(shape, components + 4), components), free)


def random_wanted(channels: int, size: int, targets: int = 1, free: float = 0.0, scale: float = 1.0) -> TermTarget:
    """Targets and weights at random."""
    random = np.random.default_rng(3)
    return TermTarget(random.random((targets, channels, size)) * scale, 0.5 + random.random((channels, size)), free)


def random_dense(
    shape: tuple[int, int, int],
    hidden: tuple[int, ...] = (12,),
    activation: str = "relu",
    classes: int = 4,
    temperature: float = 1,
) -> DenseNetwork:
    random = np.random.default_rng(0)
    widths, layers = [int(np.prod(shape)), *hidden, classes], {}
    for i in range(1, len(widths)):
        layers[f"weights{i}"] = (random.normal(size=(widths[i - 1], widths[i])) * 3 / widths[i - 1] ** 0.5).astype(np.float32)
        layers[f"bias{i}"] = random.normal(size=widths[i]).astype(np.float32)
    labels = tuple(f"class {k}" for k in range(classes))
    settings = {"activation": activation if hidden else "none", "temperature": temperature}
    return quantize(layers, shape, labels, **settings, made="random, for tests")


def convolutional(
    shape: tuple[int, int, int] = (8, 8, 1),
    classes: int = 4,
    kernel: int = 3,
    channels: tuple[int, int] = (3, 5),
    hidden: int = 6,
) -> ConvolutionalNetwork:
    random = np.random.default_rng(0)
    tensors = tensor_shapes(shape, classes, kernel, channels, hidden)
    layers = {name: random.normal(size=size).astype(np.float32) / 2 for name, size in tensors.items()}
    return ConvolutionalNetwork(shape, tuple(f"class {k}" for k in range(classes)), layers)


@cache
def fitted(shape: tuple[int, int, int], components: int) -> tuple[ComponentSets, ImageSet]:
    images = random_images(shape, 56)
    labels = np.arange(len(images)) % 4
    images[labels == 2, 1:3, 1:4] = 255  # else classes of noise are alike
    data = ImageSet(images, labels, ("a", "b", "c", "d"), "made")
    return fit_pca(data, components), data


def random_pca(shape: tuple[int, int, int], method: str, components: int = 5) -> tuple[PcaClassifier, ImageSet]:
    of, data = fitted(shape, components)
    return make_pca(of, data, method, components), data
