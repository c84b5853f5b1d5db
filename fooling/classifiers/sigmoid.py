"""The built-in network: one hidden layer of sigmoid units, as in Nielsen's book, its first layer on an integer lattice.

With first-layer weights W·2ᵏ rounded to integers and pixels 0…255, pre-activations are integers below 2²⁴: exact in float32
in any order of summation, so they do not depend on the batch, the machine or the path by which they were updated.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.serialization import HINT, check_sizes, read_face, write
from fooling.errors import UserError
from fooling.kernels import reference as reference_kernels
from fooling.kernels.reference.network import network_logits, network_sums
from fooling.kernels.tables import Bytes, Floats

FORMAT = "fooling sigmoid network 1"
GRIDS = range(-4, 21)  # k that are tried
EXACT, LARGEST = 1 << 24, 1 << 11  # bounds of the lattice: every sum below 2²⁴, every weight at most 2¹¹
TENSORS = {"weights1": np.int16, "bias1": np.int32, "weights2": np.float32, "bias2": np.float32}


@dataclass(frozen=True)
class SigmoidNetwork:
    """A classifier: P pixels → M sigmoid units → K sigmoid outputs. Scores in [0, 1] that do not sum to 1."""

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    lattice: int  # k: the stored first-layer weights are W·2ᵏ
    weights1: npt.NDArray[np.int16]  # [P, M]
    bias1: npt.NDArray[np.int32]  # [M], b·2ᵏ·255
    weights2: Floats  # [M, K]
    bias2: Floats  # [K]
    made: str = ""  # how it was made, and its accuracy

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, lattice and weights."""
        digest = hashlib.sha256(json.dumps([list(self.input_shape), self.lattice]).encode())
        for name in TENSORS:
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    @cached_property
    def linear_head(self) -> tuple[Floats, Floats]:
        """First-layer weights [P, M] and bias [M] in units of the lattice, as float32 that hold integers exactly."""
        return self.weights1.astype(np.float32), self.bias1.astype(np.float32)

    @cached_property
    def scale(self) -> np.float32:
        """What a lattice sum is multiplied by: 2⁻ᵏ/255."""
        return np.float32(2.0**-self.lattice / 255.0)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        return self.scores_of_sums(reference_kernels)(network_sums(images, *self.linear_head))

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """Scores as a function of JAX, to be part of a compiled search."""
        from fooling.kernels.jax.network import network_scores

        return lambda images: network_scores(images, self.linear_head, self.scale, self.weights2, self.bias2)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """What each layer makes of images [N, H, W, C] of grey levels, by its name: a pure function of JAX; see `layers.py`."""
        from fooling.kernels.jax.differentiable import dense_layers

        return dense_layers(images, self.linear_head, self.scale, ((self.weights2, self.bias2),), "sigmoid", softmax=False)

    def logits(self, images: Bytes) -> Floats:
        """What the scores are the sigmoid of, log(p/(1 − p)): float32 [N, K] of images uint8 [N, H, W, C]."""
        sums = network_sums(images, *self.linear_head)
        return network_logits(sums, self.scale, self.weights2, self.bias2)

    def scores_of_sums(self, kernels: ModuleType) -> Callable[[Floats], Floats]:
        """What makes scores [N, K] of first-layer sums [N, M], by the kernels of an engine; several threads may call it."""

        def scores(sums: Floats) -> Floats:
            result: Floats = kernels.network_scores(sums, self.scale, self.weights2, self.bias2)
            return result

        return scores

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        tensors = {name: getattr(self, name) for name in TENSORS}
        write(path, FORMAT, self.input_shape, self.labels, self.made, {"lattice": str(self.lattice)}, tensors)


def quantize(
    layers: dict[str, Floats], input_shape: tuple[int, int, int], labels: tuple[str, ...], made: str
) -> SigmoidNetwork:
    """Rounds the first layer of trained float weights (named as in `TENSORS`) to the finest lattice that is exact."""
    k, first, bias = round_to_grid(layers["weights1"], layers["bias1"])
    second = layers["weights2"].astype(np.float32), layers["bias2"].astype(np.float32)
    return SigmoidNetwork(input_shape, labels, k, first, bias, *second, made)


def round_to_grid(weights: Floats, bias: Floats) -> tuple[int, npt.NDArray[np.int16], npt.NDArray[np.int32]]:
    """k, W·2ᵏ and b·2ᵏ·255, whole numbers, of a first layer W [P, M], b [M] on the finest lattice that is exact."""
    weights, bias = weights.astype(np.float64), bias.astype(np.float64)
    for k in reversed(GRIDS):
        w, b = np.rint(weights * 2.0**k), np.rint(bias * 2.0**k * 255)
        if np.abs(w).max() <= LARGEST and (255 * np.abs(w).sum(axis=0) + np.abs(b)).max() < EXACT:
            return k, w.astype(np.int16), b.astype(np.int32)
    advice = "train with more weight decay or a smaller learning_rate"
    raise UserError(f"the first layer's weights are too large for the lattice; {advice}")


def load_sigmoid(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> SigmoidNetwork:
    """The network of a file's header and tensors; what cannot be one is refused."""
    shape, labels = read_face(path, about)
    lattice = read_scale(path, about)
    units = max(1, tensors["bias1"].size) if "bias1" in tensors else 1
    sizes = {
        "weights1": (int(np.prod(shape)), units),
        "bias1": (units,),
        "weights2": (units, len(labels)),
        "bias2": (len(labels),),
    }
    check_sizes(path, tensors, {name: (dtype, sizes[name]) for name, dtype in TENSORS.items()})
    refuse_inexact(path, tensors["weights1"], tensors["bias1"])
    return SigmoidNetwork(shape, labels, lattice, **tensors, made=about.get("made", ""))


def read_scale(path: Path, about: dict[str, str]) -> int:
    """k of a file's header."""
    try:
        lattice = int(about["lattice"])
        sound = lattice in GRIDS
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (lattice); {HINT}")
    return lattice


def refuse_inexact(path: Path, weights: npt.NDArray[np.int16], bias: npt.NDArray[np.int32]) -> None:
    """Refuses a first layer [P, M], [M] whose sums may not be exact in float32."""
    w, b = np.abs(weights.astype(np.int64)), np.abs(bias.astype(np.int64))
    if (255 * w.sum(axis=0) + b).max() >= EXACT:
        raise UserError(f"classifier.path={path}: first-layer sums reach 2²⁴ and would not be exact; train it anew")
