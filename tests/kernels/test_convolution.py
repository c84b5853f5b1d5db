"""Convolutional networks: the compiled kernel has the bits of the definition, and nearly the numbers of JAX."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from builders import ROOT, random_images
from pairwise import pairwise, rare

from fooling.classifiers.checks import check_classifier
from fooling.classifiers.cnn import ConvolutionalNetwork, tensor_shapes
from fooling.kernels import reference
from fooling.kernels.jax.network import convolutional_activations
from fooling.kernels.numba.convolution import BLOCK, FEW, convolutional_logits, pack
from fooling.kernels.numba.lanes import LANES, NARROW
from fooling.kernels.reference.convolution import ConvolutionalLayers, multiply_add
from fooling.kernels.tables import Bytes

SIZES = [(4, 4), (5, 9), (13, 7), (8, 28), (32, 15)]
CHANNELS = [(1, 33), (3, 16), (16, 5), (17, 32), (33, 1)]


def random_layers(
    shape: tuple[int, int, int], kernel: int, channels: tuple[int, int], hidden: int, classes: int = 4
) -> ConvolutionalLayers:
    random = np.random.default_rng(kernel)
    sizes = tensor_shapes(shape, classes, kernel, channels, hidden)
    scales = {name: np.prod(size[:-1]) ** -0.5 if len(size) > 1 else 0.3 for name, size in sizes.items()}
    return ConvolutionalLayers(**{name: random.normal(0, scales[name], size).astype("f4") for name, size in sizes.items()})


def extreme_images(shape: tuple[int, int, int]) -> Bytes:
    """Noise, black, white and one white pixel."""
    images = np.concatenate([random_images(shape, 2), np.zeros((3, *shape), np.uint8)])
    images[3], images[4, -1, 1] = 255, 255
    return images


@pytest.mark.parametrize(
    ("size", "colours", "kernel", "channels", "hidden"), pairwise(SIZES, (1, 3), range(1, 8), CHANNELS, (1, 7, 130))
)
def test_the_kernel_has_the_bits_of_the_definition(
    size: tuple[int, int], colours: int, kernel: int, channels: tuple[int, int], hidden: int
) -> None:
    shape = (*size, colours)
    layers, images = random_layers(shape, kernel, channels, hidden), extreme_images(shape)
    found = convolutional_logits(images, pack(layers, shape))
    assert np.array_equal(found, reference.convolution.convolutional_logits(images, layers))


OF_JAX = [((13, 7), 3, 4), rare((28, 28), 1, 5), rare((4, 9), 3, 1), rare((9, 4), 1, 7)]


@pytest.mark.parametrize(("size", "colours", "kernel"), OF_JAX)
def test_the_kernel_has_nearly_the_numbers_of_jax(size: tuple[int, int], colours: int, kernel: int) -> None:
    shape = (*size, colours)
    layers, images = random_layers(shape, kernel, (9, 17), 30), extreme_images(shape)
    found = convolutional_logits(images, pack(layers, shape))
    expected = convolutional_activations(layers._asdict(), images)["logits"]
    assert found == pytest.approx(np.asarray(expected), abs=2e-5)
    assert np.ptp(found, axis=0).min() > 0


def test_products_and_sums_are_rounded_once() -> None:
    random = np.random.default_rng(0)
    one, two = (np.exp2(random.integers(-8, 9, 4000)) * random.normal(size=4000) for _ in range(2))
    one, two = one.astype(np.float32), two.astype(np.float32)
    exact = -one.astype(np.float64) * two
    near = (exact * (1 + np.exp2(random.integers(-40, 2, 4000)))).astype(np.float32)  # sums that nearly cancel, and others
    half = np.float32(2**24) * np.sign(exact)  # sums half-way between two numbers, but for less than float64 shows
    one, two, to = np.r_[one, [1 + 2**-12, -3]], np.r_[two, [1 + 2**-12, 0.5]], np.r_[near, half[:1], 2**24 + 2]
    found = multiply_add(one.astype("f4"), two.astype("f4"), to.astype("f4"))
    for a, b, c, got in zip(*(values.astype("f4").tolist() for values in (one, two, to)), found.tolist(), strict=True):
        value = Fraction(a) * Fraction(b) + Fraction(c)
        nearest = [np.nextafter(np.float32(got), np.float32(side)) for side in (-np.inf, np.inf)]
        gaps = [abs(value - Fraction(float(other))) for other in (got, *nearest)]
        assert gaps[0] == min(gaps)
        if gaps[0] == max(gaps[0], min(gaps[1:])):  # a tie goes to the even one
            assert np.float32(got).view(np.uint32) % 2 == 0


def test_double_rounding_is_avoided() -> None:
    one, two = np.array([1 + 2**-23], np.float32), np.float32(2**-24 * (1 - 2**-23))
    assert multiply_add(one, two, one) == one  # 1 + 2⁻²³ + 2⁻²⁴ − 2⁻⁷⁰: half-way up, but for what float64 does not show
    assert one + one.astype(np.float64) * two == 1 + 2**-23 + 2**-24
    assert multiply_add(one, np.float32(2**-24), one) > one


@pytest.fixture(scope="module")
def network() -> ConvolutionalNetwork:
    layers = random_layers((12, 10, 1), 5, (6, 20), 40)
    return ConvolutionalNetwork((12, 10, 1), ("a", "b", "c", "d"), layers._asdict())


def test_scores_depend_on_nothing_but_the_image(network: ConvolutionalNetwork) -> None:
    images = random_images(network.input_shape, 3 * BLOCK + 5)
    scores, logits = network(images), network.logits(images)
    assert network.slices.threads == 1 or len(images) > FEW
    for size in (1, 2, FEW, FEW + 1, BLOCK, BLOCK + 1, 40):
        parts = [network(images[lo : lo + size]) for lo in range(0, len(images), size)]
        assert np.array_equal(np.concatenate(parts), scores)
    assert np.array_equal(network(images[::-1])[::-1], scores)
    assert np.array_equal(network.logits(images[:, :, ::-1][:, :, ::-1]), logits)  # not contiguous
    assert network(images[:0]).shape == (0, 4)
    assert check_classifier(network).exact
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(scores, reference.network.softmax(logits))


DIGEST = """
import hashlib, numpy as np
from fooling import load_classifier
from fooling.kernels.numba.lanes import LANES
images = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
print(LANES, hashlib.sha256(load_classifier("mnist_cnn2")(images).tobytes()).hexdigest())
"""


OTHERS = [{"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}, {"NUMBA_CPU_NAME": "generic"}]


@pytest.mark.exhaustive
@pytest.mark.parametrize("processor", OTHERS)
def test_the_bits_are_those_of_other_processors(processor: dict[str, str]) -> None:
    def digest(**more: str) -> list[str]:
        words, about = [sys.executable, "-c", DIGEST], {**os.environ, "PYTHONPATH": str(ROOT), **more}
        return subprocess.run(words, env=about, check=True, capture_output=True, text=True).stdout.split()

    here, there = digest(), digest(**processor)
    assert (here[0], there[0]) == (str(LANES), str(NARROW))
    assert here[1] == there[1]
