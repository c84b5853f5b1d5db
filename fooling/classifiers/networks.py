"""The built-in network: one hidden layer of sigmoid units, as in Nielsen's book, its first layer on an integer lattice.

With first-layer weights W·2ᵏ rounded to integers and pixels 0…255, pre-activations are integers below 2²⁴: exact in float32
in any order of summation, so they do not depend on the batch, the machine or the path by which they were updated.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels import reference

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

FORMAT = "fooling sigmoid network 1"
LATTICES = range(-4, 21)  # k that are tried
EXACT, LARGEST = 1 << 24, 1 << 11  # bounds of the lattice: every sum below 2²⁴, every weight at most 2¹¹
TENSORS = {"weights1": np.int16, "bias1": np.int32, "weights2": np.float32, "bias2": np.float32}
ASSETS = Path(__file__).parent.parent / "assets"
BUNDLED = {"mnist_mlp": ASSETS / "mnist_mlp.safetensors"}


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
        return self.scores_of_sums(reference)(reference.network_sums(images, *self.linear_head))

    def scores_of_sums(self, kernels: ModuleType) -> Callable[[Floats], Floats]:
        """What makes scores [N, K] of first-layer sums [N, M], by the kernels of an engine; several threads may call it."""

        def scores(sums: Floats) -> Floats:
            result: Floats = kernels.network_scores(sums, self.scale, self.weights2, self.bias2)
            return result

        return scores

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        from safetensors.numpy import save

        about = {
            "format": FORMAT,
            "input_shape": json.dumps(self.input_shape),
            "labels": json.dumps(self.labels),
            "lattice": str(self.lattice),
            "made": self.made,
        }
        path.write_bytes(save({name: np.ascontiguousarray(getattr(self, name)) for name in TENSORS}, about))


def on_lattice(
    layers: dict[str, Floats], input_shape: tuple[int, int, int], labels: tuple[str, ...], made: str
) -> SigmoidNetwork:
    """Rounds the first layer of trained float weights (named as in `TENSORS`) to the finest lattice that is exact."""
    weights, bias = layers["weights1"].astype(np.float64), layers["bias1"].astype(np.float64)
    for k in reversed(LATTICES):
        w, b = np.rint(weights * 2.0**k), np.rint(bias * 2.0**k * 255)
        if np.abs(w).max() <= LARGEST and (255 * np.abs(w).sum(axis=0) + np.abs(b)).max() < EXACT:
            second = layers["weights2"].astype(np.float32), layers["bias2"].astype(np.float32)
            return SigmoidNetwork(input_shape, labels, k, w.astype(np.int16), b.astype(np.int32), *second, made)
    raise UserError("the first layer's weights are too large for the lattice; train with more weight decay")


def load_network(path: Path) -> SigmoidNetwork:
    """Reads a network that `fooling train` wrote; a file that is none is refused with what was expected."""
    hint = "expected a network written by `fooling train`"
    if not path.is_file():
        raise UserError(f"classifier.path={path}: no such file; {hint}")
    about, tensors = read_safetensors(path, hint)
    if about.get("format") != FORMAT:
        raise UserError(f"classifier.path={path}: {hint}, got format {about.get('format')!r}")
    try:
        shape, labels = json.loads(about["input_shape"]), json.loads(about["labels"])
        lattice = int(about["lattice"])
        sound = len(shape) == 3 and all(type(side) is int and side > 0 for side in shape)
        sound = sound and type(labels) is list and all(type(label) is str for label in labels) and lattice in LATTICES
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"classifier.path={path}: its header is damaged; {hint}") from error
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (input_shape, labels or lattice); {hint}")
    labels = tuple(labels)
    check_tensors(path, shape, labels, tensors)
    return SigmoidNetwork((shape[0], shape[1], shape[2]), labels, lattice, **tensors, made=about.get("made", ""))


def read_safetensors(path: Path, hint: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The header's notes and the tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UserError(f"classifier.path={path}: cannot be read as safetensors ({error}); {hint}") from error


def check_tensors(path: Path, shape: Sequence[int], labels: Sequence[str], tensors: dict[str, Any]) -> None:
    """Refuses tensors that are missing, of another type or shape, not finite, or off the exact lattice."""
    if tensors.keys() != TENSORS.keys():
        raise UserError(f"classifier.path={path}: expected tensors {', '.join(TENSORS)}, got {', '.join(sorted(tensors))}")
    units = max(1, tensors["bias1"].size)
    sizes = {
        "weights1": (int(np.prod(shape)), units),
        "bias1": (units,),
        "weights2": (units, len(labels)),
        "bias2": (len(labels),),
    }
    for name, dtype in TENSORS.items():
        tensor = tensors[name]
        if tensor.dtype != dtype or tensor.shape != sizes[name]:
            got, expected = f"{tensor.dtype} {list(tensor.shape)}", f"{np.dtype(dtype)} {list(sizes[name])}"
            raise UserError(f"classifier.path={path}: tensor {name}: expected {expected}, got {got}")
        if not np.isfinite(tensor).all():
            raise UserError(f"classifier.path={path}: tensor {name} holds numbers that are not finite")
    w, b = np.abs(tensors["weights1"].astype(np.int64)), np.abs(tensors["bias1"].astype(np.int64))
    if (255 * w.sum(axis=0) + b).max() >= EXACT:
        raise UserError(f"classifier.path={path}: first-layer sums reach 2²⁴ and would not be exact; train it anew")
