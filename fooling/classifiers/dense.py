"""Dense networks of any depth, softmax regression and the perceptron among them, their first layer on an integer lattice.

The lattice is that of `networks.py`: first-layer sums are whole numbers below 2²⁴, the same in every engine and whether they
are counted anew or follow the changed pixels. What comes after is one fixed-order computation an image.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.serialization import HINT, check_sizes, read_face, write
from fooling.classifiers.sigmoid import read_scale, refuse_inexact, round_to_grid
from fooling.errors import UserError
from fooling.kernels import reference as reference_kernels
from fooling.kernels.reference.network import dense_logits, network_sums
from fooling.kernels.tables import Bytes, Floats

FORMAT = "fooling dense network 1"
ACTIVATIONS = ("sigmoid", "relu")
NONE = "none"  # the activation of a network without hidden layers


@dataclass(frozen=True)
class DenseNetwork:
    """A classifier: P pixels → M units → … → a softmax of K outputs. Scores in [0, 1] that sum to 1.

    Without hidden layers (M = K) the outputs are weighted sums of the pixels: softmax regression, or a perceptron. A
    perceptron's sums have no unit, so they are divided by `divisor` before the softmax; that leaves their order as it is.
    """

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    lattice: int  # k: the stored first-layer weights are W·2ᵏ
    weights1: npt.NDArray[np.int16]  # [P, M]
    bias1: npt.NDArray[np.int32]  # [M], b·2ᵏ·255
    rest: tuple[tuple[Floats, Floats], ...] = ()  # weights [in, out] and bias [out] of each further layer
    activation: str = NONE  # of the hidden units: one of ACTIVATIONS
    divisor: float = 1.0  # what the first layer's sums are divided by, above 0
    made: str = ""  # how it was made, and its accuracy

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @cached_property
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """weights1, bias1, weights2, bias2, … as they are stored."""
        named: dict[str, npt.NDArray[Any]] = {"weights1": self.weights1, "bias1": self.bias1}
        for i, (weights, bias) in enumerate(self.rest, 2):
            named |= {f"weights{i}": weights, f"bias{i}": bias}
        return named

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, lattice, activation, divisor and weights."""
        digest = hashlib.sha256(
            json.dumps([list(self.input_shape), self.lattice, self.activation, float(self.divisor)]).encode()
        )
        for name, tensor in self.tensors.items():
            digest.update(f"{name}{tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    @cached_property
    def linear_head(self) -> tuple[Floats, Floats]:
        """First-layer weights [P, M] and bias [M] in units of the lattice, as float32 that hold integers exactly."""
        return self.weights1.astype(np.float32), self.bias1.astype(np.float32)

    @cached_property
    def scale(self) -> np.float32:
        """What a lattice sum is multiplied by: 2⁻ᵏ/255 ÷ divisor."""
        return np.float32(2.0**-self.lattice / 255.0 / self.divisor)

    @property
    def relu(self) -> bool:
        """Whether hidden units are ReLU."""
        return self.activation == "relu"

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        return self.scores_of_sums(reference_kernels)(network_sums(images, *self.linear_head))

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """Scores as a function of JAX, to be part of a compiled search."""
        from fooling.kernels.jax.network import dense_scores

        return lambda images: dense_scores(images, self.linear_head, self.scale, self.rest, self.relu)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """What each layer makes of images [N, H, W, C] of grey levels, by its name: a pure function of JAX; see `layers.py`."""
        from fooling.kernels.jax.differentiable import dense_layers

        return dense_layers(images, self.linear_head, self.scale, self.rest, self.activation, softmax=True)

    def logits(self, images: Bytes) -> Floats:
        """What the scores are the softmax of: float32 [N, K] of images uint8 [N, H, W, C]."""
        sums = network_sums(images, *self.linear_head)
        return dense_logits(sums, self.scale, self.rest, self.relu)

    def scores_of_sums(self, kernels: ModuleType) -> Callable[[Floats], Floats]:
        """What makes scores [N, K] of first-layer sums [N, M], by the kernels of an engine; several threads may call it."""

        def scores(sums: Floats) -> Floats:
            result: Floats = kernels.dense_scores(sums, self.scale, self.rest, self.relu)
            return result

        return scores

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        more = {"lattice": str(self.lattice), "activation": self.activation, "divisor": repr(float(self.divisor))}
        write(path, FORMAT, self.input_shape, self.labels, self.made, more, self.tensors)


def quantize_dense(
    layers: dict[str, Floats],
    input_shape: tuple[int, int, int],
    labels: tuple[str, ...],
    activation: str = NONE,
    divisor: float = 1.0,
    made: str = "",
) -> DenseNetwork:
    """Rounds the first of trained float layers (weights1, bias1, weights2, …) to the finest lattice that is exact."""
    k, weights, bias = round_to_grid(layers["weights1"], layers["bias1"])
    further = range(2, len(layers) // 2 + 1)
    rest = tuple((layers[f"weights{i}"].astype(np.float32), layers[f"bias{i}"].astype(np.float32)) for i in further)
    return DenseNetwork(input_shape, labels, k, weights, bias, rest, activation, divisor, made)


def load_dense(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> DenseNetwork:
    """The network of a file's header and tensors; what cannot be one is refused."""
    shape, labels = read_face(path, about)
    lattice, depth = read_scale(path, about), max(1, len(tensors) // 2)
    activation, divisor = about.get("activation", ""), read_temperature(path, about)
    if activation not in (ACTIVATIONS if depth > 1 else (NONE,)):
        raise UserError(f"classifier.path={path}: its header is damaged (activation); {HINT}")
    hidden = [max(1, tensors[f"bias{i}"].size) if f"bias{i}" in tensors else 1 for i in range(1, depth)]
    widths = [int(np.prod(shape)), *hidden, len(labels)]
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for i in range(1, depth + 1):
        expected[f"weights{i}"] = (np.int16 if i == 1 else np.float32, (widths[i - 1], widths[i]))
        expected[f"bias{i}"] = (np.int32 if i == 1 else np.float32, (widths[i],))
    check_sizes(path, tensors, expected)
    refuse_inexact(path, tensors["weights1"], tensors["bias1"])
    rest = tuple((tensors[f"weights{i}"], tensors[f"bias{i}"]) for i in range(2, depth + 1))
    made = about.get("made", "")
    return DenseNetwork(shape, labels, lattice, tensors["weights1"], tensors["bias1"], rest, activation, divisor, made)


def read_temperature(path: Path, about: dict[str, str]) -> float:
    """What a header says that the sums are divided by."""
    try:
        divisor = float(about["divisor"])
        sound = math.isfinite(divisor) and 1e-30 < divisor < 1e30
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (divisor); {HINT}")
    return divisor
