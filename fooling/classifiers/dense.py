"""Dense networks of any depth: mnist_mlp with sigmoid outputs; softmax regression, perceptrons and others with a softmax.

The first layer lies on a fixed-point grid: with weights W·2ᵏ rounded to integers and pixels 0…255, its sums are integers
below 2²⁴, exact in float32 in any order. They depend neither on the batch nor on the machine, nor on whether they are counted
in full or updated from changed pixels. The later layers are one fixed-order computation per image.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.serialization import HINT, check_sizes, read_face, write
from fooling.errors import UserError
from fooling.kernels import reference
from fooling.kernels.reference.network import dense_logits, network_sums
from fooling.kernels.tables import Bytes, Floats

SIGMOID_FORMAT, SOFTMAX_FORMAT = "fooling sigmoid network 1", "fooling dense network 1"  # of files
ACTIVATIONS = ("sigmoid", "relu")
NONE = "none"  # the activation of a network without hidden layers
SIGMOID, SOFTMAX = "sigmoid", "softmax"  # outputs
GAP = 5.0  # mean gap in logits between the best and the second class over the training images, which sets a temperature
FRACTION_BITS = range(-4, 21)  # k that are tried
EXACT, LARGEST = 1 << 24, 1 << 11  # bounds of the grid: every sum below 2²⁴, every weight at most 2¹¹


@dataclass(frozen=True)
class DenseNetwork:
    """A classifier: P pixels → M units → … → K outputs. Scores in [0, 1]: a softmax, or K independent sigmoids.

    Without hidden layers (M = K) the outputs are weighted sums of the pixels: softmax regression, or a perceptron. The sums of
    a perceptron have no unit, so they are divided by `temperature` before the softmax; that keeps their order.
    Sigmoid outputs have one hidden layer of sigmoid units and temperature 1, as in Nielsen's book. Raises ValueError.
    """

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    fraction_bits: int  # k: the stored first-layer weights are W·2ᵏ
    weights1: npt.NDArray[np.int16] = field(repr=False)  # [P, M]
    bias1: npt.NDArray[np.int32] = field(repr=False)  # [M], b·2ᵏ·255
    later_layers: tuple[tuple[Floats, Floats], ...] = field(default=(), repr=False)  # weights [in, out], bias [out] of each
    activation: str = NONE  # of the hidden units: one of ACTIVATIONS
    output: str = SOFTMAX  # SOFTMAX or SIGMOID
    temperature: float = 1.0  # divides the first layer's sums, above 0
    made: str = ""  # how it was made, and its accuracy

    def __post_init__(self) -> None:
        """Checks that sigmoid outputs are those of the one network that a file can hold."""
        got = (self.output, len(self.later_layers), self.activation, self.temperature)
        if self.output != SOFTMAX and got != (SIGMOID, 1, "sigmoid", 1.0):
            raise ValueError(f"output: expected softmax, or sigmoid with one hidden layer of sigmoid units, got {got}")

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @cached_property
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """weights1, bias1, weights2, bias2, … as they are stored."""
        named: dict[str, npt.NDArray[Any]] = {"weights1": self.weights1, "bias1": self.bias1}
        for i, (weights, bias) in enumerate(self.later_layers, 2):
            named |= {f"weights{i}": weights, f"bias{i}": bias}
        return named

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, grid and weights; with a softmax also of activation, temperature and the tensors' shapes."""
        softmax, settings = self.output == SOFTMAX, [list(self.input_shape), self.fraction_bits]
        more = [self.activation, float(self.temperature)] if softmax else []
        digest = hashlib.sha256(json.dumps([*settings, *more]).encode())
        for name, tensor in self.tensors.items():
            digest.update((f"{name}{tensor.shape}".encode() if softmax else b"") + np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    @cached_property
    def linear_head(self) -> tuple[Floats, Floats]:
        """First-layer weights [P, M] and bias [M] in units of the grid, as float32 that hold integers exactly."""
        return self.weights1.astype(np.float32), self.bias1.astype(np.float32)

    @cached_property
    def scale(self) -> np.float32:
        """What turns a sum in units of the grid into a pre-activation: 2⁻ᵏ/255 ÷ temperature."""
        return np.float32(2.0**-self.fraction_bits / 255.0 / self.temperature)

    @property
    def relu(self) -> bool:
        """Whether hidden units are ReLU."""
        return self.activation == "relu"

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        scores: Floats = self.scores_of_sums(reference)(network_sums(images, *self.linear_head))
        return scores

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """Scores as a JAX function, to be part of a compiled search."""
        from fooling.kernels import jax as kernels

        scores = self.scores_of_sums(kernels)
        return lambda images: scores(kernels.network_sums(images, *self.linear_head))

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """Activations of each layer for images [N, H, W, C] of grey levels, by name: a pure JAX function; see `layers`."""
        from fooling.kernels.jax.network import dense_activations

        softmax = self.output == SOFTMAX
        return dense_activations(images, self.linear_head, self.scale, self.later_layers, self.activation, softmax)

    def logits(self, images: Bytes) -> Floats:
        """Inputs of the softmax or the output sigmoids: float32 [N, K] of images uint8 [N, H, W, C]."""
        sums = network_sums(images, *self.linear_head)
        return dense_logits(sums, self.scale, self.later_layers, self.relu)

    def scores_of_sums(self, kernels: ModuleType) -> Callable[[Any], Any]:
        """The function from first-layer sums [N, M] to scores [N, K], by an engine's kernels; thread-safe."""
        return lambda sums: kernels.dense_scores(sums, self.scale, self.later_layers, self.relu, self.output == SOFTMAX)

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        more = {"lattice": str(self.fraction_bits)}
        if self.output == SOFTMAX:
            more |= {"activation": self.activation, "divisor": repr(float(self.temperature))}
        kind = SOFTMAX_FORMAT if self.output == SOFTMAX else SIGMOID_FORMAT
        write(path, kind, self.input_shape, self.labels, self.made, more, self.tensors)


def quantize(
    layers: dict[str, Floats],
    input_shape: tuple[int, int, int],
    labels: tuple[str, ...],
    activation: str = NONE,
    output: str = SOFTMAX,
    temperature: float = 1.0,
    made: str = "",
) -> DenseNetwork:
    """A network of trained float layers (weights1, bias1, weights2, …), the first rounded to the finest exact grid."""
    k, weights, bias = round_to_grid(layers["weights1"], layers["bias1"])
    numbers = range(2, len(layers) // 2 + 1)
    later = tuple((layers[f"weights{i}"].astype(np.float32), layers[f"bias{i}"].astype(np.float32)) for i in numbers)
    return DenseNetwork(input_shape, labels, k, weights, bias, later, activation, output, temperature, made)


def round_to_grid(weights: Floats, bias: Floats) -> tuple[int, npt.NDArray[np.int16], npt.NDArray[np.int32]]:
    """k, and the integers W·2ᵏ and b·2ᵏ·255 of a first layer W [P, M], b [M] on the finest exact grid. Raises UserError."""
    weights, bias = weights.astype(np.float64), bias.astype(np.float64)
    for k in reversed(FRACTION_BITS):
        w, b = np.rint(weights * 2.0**k), np.rint(bias * 2.0**k * 255)
        if np.abs(w).max() <= LARGEST and (255 * np.abs(w).sum(axis=0) + np.abs(b)).max() < EXACT:
            return k, w.astype(np.int16), b.astype(np.int32)
    advice = "train with more weight decay or a smaller learning_rate"
    raise UserError(f"the first layer's weights are too large for the fixed-point grid; {advice}")


def load_dense(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> DenseNetwork:
    """The network of a file's header and tensors. Raises UserError if they do not fit."""
    shape, labels = read_face(path, about)
    k, output = read_fraction_bits(path, about), SIGMOID if about["format"] == SIGMOID_FORMAT else SOFTMAX
    depth = 2 if output == SIGMOID else max(1, len(tensors) // 2)
    activation, temperature = ("sigmoid", 1.0) if output == SIGMOID else read_activation(path, about, depth)
    hidden = [max(1, tensors[f"bias{i}"].size) if f"bias{i}" in tensors else 1 for i in range(1, depth)]
    widths = [int(np.prod(shape)), *hidden, len(labels)]
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for i in range(1, depth + 1):
        expected[f"weights{i}"] = (np.int16 if i == 1 else np.float32, (widths[i - 1], widths[i]))
        expected[f"bias{i}"] = (np.int32 if i == 1 else np.float32, (widths[i],))
    check_sizes(path, tensors, expected)
    check_exact(path, tensors["weights1"], tensors["bias1"])
    later = tuple((tensors[f"weights{i}"], tensors[f"bias{i}"]) for i in range(2, depth + 1))
    first, made = (tensors["weights1"], tensors["bias1"]), about.get("made", "")
    return DenseNetwork(shape, labels, k, *first, later, activation, output, temperature, made)


def read_fraction_bits(path: Path, about: dict[str, str]) -> int:
    """k of a file's header."""
    try:
        k = int(about["lattice"])
        sound = k in FRACTION_BITS
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (lattice); {HINT}")
    return k


def read_activation(path: Path, about: dict[str, str], depth: int) -> tuple[str, float]:
    """Activation and temperature of the header of a network of so many layers."""
    activation, temperature = about.get("activation", ""), read_temperature(path, about)
    if activation not in (ACTIVATIONS if depth > 1 else (NONE,)):
        raise UserError(f"classifier.path={path}: its header is damaged (activation); {HINT}")
    return activation, temperature


def read_temperature(path: Path, about: dict[str, str]) -> float:
    """The temperature of a file's header, where its key is `divisor`."""
    try:
        temperature = float(about["divisor"])
        sound = math.isfinite(temperature) and 1e-30 < temperature < 1e30
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (divisor); {HINT}")
    return temperature


def check_exact(path: Path, weights: npt.NDArray[np.int16], bias: npt.NDArray[np.int32]) -> None:
    """Refuses a first layer [P, M], [M] whose sums may not be exact in float32."""
    w, b = np.abs(weights.astype(np.int64)), np.abs(bias.astype(np.int64))
    if (255 * w.sum(axis=0) + b).max() >= EXACT:
        raise UserError(f"classifier.path={path}: first-layer sums reach 2²⁴ and would not be exact; train it anew")
