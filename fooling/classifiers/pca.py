"""Principal components instead of a network: what came before them, and a yardstick for them (Turk & Pentland 1991).

Two ways to tell classes apart by eigen-images: `means`, the class whose mean lies nearest among the projections on k
eigen-images of the whole set; `residual`, the class whose own k eigen-images leave the least of the image.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.dense import read_temperature
from fooling.classifiers.serialization import check_sizes, read_face, write
from fooling.data import ImageSet, refuse_empty_classes
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Floats
from fooling.statistics.pca import (
    DIRECT,
    EIGEN_ONE,
    MEAN_ONE,
    PrincipalComponents,
    components_of_sums,
    fit_components,
    mean_image,
    products,
)

FORMAT = "fooling pca classifier 1"
METHODS = ("means", "residual")
HINT = "expected one written by `fooling eigen`"
BATCH = 1000  # images that are projected together
UNIT = 1.0 / (255 * MEAN_ONE * EIGEN_ONE)  # of projections, of pixels on [0, 1]


@dataclass(frozen=True)
class PcaClassifier:
    """A classifier: scores are a softmax of −distance² ÷ divisor, of pixels on [0, 1]. They sum to 1.

    Means and eigen-images are whole numbers, as in `Statistics`: projections and energies are then exact in float64, in any
    order, so an image's scores do not depend on the batch. `means` has one mean and one set of eigen-images (S = 1), and
    `centres`, the classes' means among the projections; `residual` has a mean and a set for each class (S = K).
    """

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    method: str  # of METHODS
    mean: npt.NDArray[np.int32]  # [S, P], in units of 1/256 grey level
    eigen: npt.NDArray[np.int16]  # [S, k, P], in units of 2⁻¹²
    centres: Floats  # [K, k] of projections, pixels on [0, 1]; [0, k] of method=residual
    divisor: float = 1.0  # what distances² are divided by, above 0
    made: str = ""  # how it was made, and its accuracy

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def components(self) -> int:
        """k."""
        return int(self.eigen.shape[1])

    @cached_property
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What is stored."""
        return {"mean": self.mean, "eigen": self.eigen, "centres": self.centres}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, method, divisor and tensors."""
        digest = hashlib.sha256(repr((list(self.input_shape), self.method, float(self.divisor))).encode())
        for name, tensor in self.tensors.items():
            digest.update(f"{name}{tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    @cached_property
    def columns(self) -> tuple[Doubles, Doubles]:
        """Means and eigen-images side by side, [P, S + S·k], and each column times the means, [S, 1 + k]: for one product."""
        sets = len(self.mean)
        eigen, mean = self.eigen.astype(np.float64), self.mean.astype(np.float64)
        side_by_side = np.concatenate([mean, eigen.reshape(sets * self.components, -1)]).T
        at_mean = np.concatenate([(mean * mean).sum(axis=1)[:, None], np.einsum("skp,sp->sk", eigen, mean)], axis=1)
        return np.ascontiguousarray(side_by_side), at_mean

    def distances(self, images: Bytes) -> Doubles:
        """Squared distances [N, K] of images uint8 [N, H, W, C], pixels on [0, 1]."""
        parts = [self.batch_distances(images[lo : lo + BATCH]) for lo in range(0, len(images), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self.num_classes))

    def batch_distances(self, images: Bytes) -> Doubles:
        """The same of a few: products and sums of whole numbers below 2⁵³, then one computation an image."""
        grey, sets = images.reshape(len(images), -1).astype(np.float64), len(self.mean)
        side_by_side, at_mean = self.columns
        found = grey @ side_by_side
        along = found[:, sets:].reshape(len(grey), sets, self.components) * MEAN_ONE - at_mean[:, 1:]
        projections = along * UNIT  # [N, S, k]
        if self.method == "means":
            return np.asarray(((projections - self.centres) ** 2).sum(axis=2))
        squares = (grey * grey).sum(axis=1)[:, None] * MEAN_ONE**2
        energy = (squares - 2 * MEAN_ONE * found[:, :sets] + at_mean[:, 0]) / (255.0 * MEAN_ONE) ** 2
        return np.asarray(energy - (projections**2).sum(axis=2))

    def logits(self, images: Bytes) -> Floats:
        """What the scores are the softmax of: float32 [N, K] of images uint8 [N, H, W, C]."""
        return (self.distances(images) / -self.divisor).astype(np.float32)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        z = self.distances(images) / -self.divisor
        powers = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """A pure function: images [N, H, W, C] of grey levels 0…255, uint8 or float32 → scores float32 [N, K]."""
        import jax
        import jax.numpy as jnp

        mean = (self.mean / (255.0 * MEAN_ONE)).astype(np.float32)
        eigen = (self.eigen / EIGEN_ONE).astype(np.float32)
        divisor, centres, residual = np.float32(self.divisor), self.centres, self.method == "residual"

        def scores(images: Any) -> Any:
            apart = images.reshape(len(images), 1, -1).astype(jnp.float32) / 255 - mean  # [N, S, P]
            projections = jnp.einsum("nsp,skp->nsk", apart, eigen, precision="highest")
            distances = (
                (apart**2).sum(axis=2) - (projections**2).sum(axis=2)
                if residual
                else ((projections - centres) ** 2).sum(axis=2)
            )
            return jax.nn.softmax(-distances / divisor, axis=1)

        return scores

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        more = {"method": self.method, "divisor": repr(float(self.divisor))}
        write(path, FORMAT, self.input_shape, self.labels, self.made, more, self.tensors)


def load_pca(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> PcaClassifier:
    """The classifier of a file's header and tensors; what cannot be one is refused."""
    shape, labels = read_face(path, about)
    method, divisor = about.get("method", ""), read_temperature(path, about)
    if method not in METHODS:
        raise UserError(f"classifier.path={path}: its header is damaged (method); {HINT}")
    sets = 1 if method == "means" else len(labels)
    components = tensors["eigen"].shape[1] if "eigen" in tensors and tensors["eigen"].ndim == 3 else 1
    pixels = shape[0] * shape[1] * shape[2]
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {
        "mean": (np.int32, (sets, pixels)),
        "eigen": (np.int16, (sets, max(1, components), pixels)),
        "centres": (np.float32, (len(labels) if method == "means" else 0, max(1, components))),
    }
    check_sizes(path, tensors, expected)
    if np.abs(tensors["mean"]).max() > 255 * MEAN_ONE:
        raise UserError(f"classifier.path={path}: tensor mean holds more than 255 grey levels; {HINT}")
    made = about.get("made", "")
    return PcaClassifier(shape, labels, method, tensors["mean"], tensors["eigen"], tensors["centres"], divisor, made)


GAP = 5.0  # what the mean gap between the smallest and the second distance of a training image is worth, in logits
SCALED = 10_000  # training images, evenly spaced, whose gaps are measured


@dataclass(frozen=True)
class Fitted:
    """Eigen-images of a set of images, of all of it and of each class; as many as were asked for and as there are."""

    whole: PrincipalComponents
    classes: list[PrincipalComponents]  # K
    centres: Doubles  # [K, M], means of the classes among the projections on those of the whole set, pixels on [0, 1]


def fit_pca(data: ImageSet, components: int, watch: Callable[[str, int, int], None] = lambda what, done, total: None) -> Fitted:
    """Fits eigen-images: at most `components`, at most the pixels, and at most the images less one."""
    count = refuse_empty_classes(data)
    if count.min() < 2:
        few = data.classes[int(count.argmin())]
        raise UserError(f"class {few} has one image in {data.source}; eigen-images need at least two of each class")
    classes, parts = len(data.classes), []
    for k in range(classes):
        watch("eigen-images", k, classes + 1)
        images = np.ascontiguousarray(data.images[data.labels == k])
        parts.append(fit_components(images, most(components, images)))
    watch("eigen-images", classes, classes + 1)
    whole = fit_whole(data.images, most(components, data.images))
    apart = np.stack([part.mean for part in parts]).astype(np.float64) - whole.mean
    return Fitted(whole, parts, apart @ whole.images.T.astype(np.float64) * UNIT)


def most(components: int, images: Bytes) -> int:
    """How many eigen-images there are, if at most so many are wanted."""
    return min(components, int(np.prod(images.shape[1:])), len(images) - 1)


def fit_whole(images: Bytes, components: int) -> PrincipalComponents:
    """`fit_eigen` of many images, their products summed up batch by batch."""
    flat = images.reshape(len(images), -1)
    if flat.shape[1] > DIRECT:
        return fit_components(images, components)
    pairs = np.zeros((flat.shape[1], flat.shape[1]))
    for lo in range(0, len(flat), BATCH):
        pairs += products(flat[lo : lo + BATCH])
    total = flat.sum(axis=0, dtype=np.int64)
    return components_of_sums(mean_image(total, len(flat)), total, pairs, len(flat), components)


def bare_pca(fitted: Fitted, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The PCA classifier of a method with k components, at most as many as there are, its divisor still 1."""
    sets = [fitted.whole] if method == "means" else fitted.classes
    kept = min(components, *(len(one.images) for one in sets), len(sets[0].images))
    height, width, channels = data.images.shape[1:]
    return PcaClassifier(
        (height, width, channels),
        data.classes,
        method,
        np.stack([one.mean for one in sets]),
        np.stack([one.images[:kept] for one in sets]),
        (fitted.centres[:, :kept] if method == "means" else np.empty((0, kept))).astype(np.float32),
    )


def make_pca(fitted: Fitted, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The same with its divisor: over the training images the mean gap between the smallest and the second distance² is 5.

    That is in logits, odds of 148 : 1, as of a perceptron: distances have no unit of certainty of their own.
    """
    first = bare_pca(fitted, data, method, components)
    few = data.images[np.linspace(0, len(data.images) - 1, min(len(data.images), SCALED)).astype(int)]
    nearest = np.sort(first.distances(few), axis=1)
    gap = float((nearest[:, 1] - nearest[:, 0]).mean())
    if not gap > 0:
        raise UserError(f"{data.source}: eigen-images do not tell its classes apart; give another data set")
    return replace(first, divisor=gap / GAP)
