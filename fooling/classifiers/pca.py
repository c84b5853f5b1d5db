"""PCA classifiers, a baseline for networks (Turk & Pentland 1991).

Two methods: `means` chooses the class whose mean is nearest among the projections on k principal components of the whole set;
`residual` the class whose k components leave the least energy of the image.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fooling.classifiers.base import BATCH
from fooling.classifiers.dense import GAP, read_temperature
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
UNIT = 1.0 / (255 * MEAN_ONE * EIGEN_ONE)  # of projections, of pixels on [0, 1]


@dataclass(frozen=True)
class PcaClassifier:
    """A classifier: scores are a softmax of −distance² ÷ temperature, of pixels in [0, 1]. They sum to 1.

    Means and components are integers, as in `Statistics`. Projections and energies are then exact in float64, in any order, so
    scores do not depend on the batch. `means` has one mean, one set of components (S = 1) and `centres`, the projections of
    the classes' means; `residual` has a mean and a set for each class (S = K).
    """

    input_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    method: str  # of METHODS
    mean: npt.NDArray[np.int32] = field(repr=False)  # [S, P], in units of 1/256 grey level
    eigen: npt.NDArray[np.int16] = field(repr=False)  # [S, k, P], in units of 2⁻¹²
    centres: Floats = field(repr=False)  # [K, k] of projections, pixels on [0, 1]; [0, k] of method=residual
    temperature: float = 1.0  # distances² are divided by it, above 0
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
        """The arrays of a file."""
        return {"mean": self.mean, "eigen": self.eigen, "centres": self.centres}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, method, temperature and tensors."""
        digest = hashlib.sha256(repr((list(self.input_shape), self.method, float(self.temperature))).encode())
        for name, tensor in self.tensors.items():
            digest.update(f"{name}{tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()

    @cached_property
    def columns(self) -> tuple[Doubles, Doubles]:
        """Means and components side by side, [P, S + S·k], and the product of each column and the means, [S, 1 + k]."""
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
        """The same for one batch: products and sums of integers below 2⁵³, then one fixed computation per image."""
        grey, sets = images.reshape(len(images), -1).astype(np.float64), len(self.mean)
        side_by_side, at_mean = self.columns
        inner = grey @ side_by_side
        along = inner[:, sets:].reshape(len(grey), sets, self.components) * MEAN_ONE - at_mean[:, 1:]
        projections = along * UNIT  # [N, S, k]
        if self.method == "means":
            return np.asarray(((projections - self.centres) ** 2).sum(axis=2))
        squares = (grey * grey).sum(axis=1)[:, None] * MEAN_ONE**2
        energy = (squares - 2 * MEAN_ONE * inner[:, :sets] + at_mean[:, 0]) / (255.0 * MEAN_ONE) ** 2
        return np.asarray(energy - (projections**2).sum(axis=2))

    def logits(self, images: Bytes) -> Floats:
        """What the scores are the softmax of: float32 [N, K] of images uint8 [N, H, W, C]."""
        return (self.distances(images) / -self.temperature).astype(np.float32)

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        return np.asarray(softmax(self.distances(images) / -self.temperature, axis=1), dtype=np.float32)

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """A pure function: images [N, H, W, C] of grey levels 0…255, uint8 or float32 → scores float32 [N, K]."""
        mean = (self.mean / (255.0 * MEAN_ONE)).astype(np.float32)
        eigen = (self.eigen / EIGEN_ONE).astype(np.float32)
        temperature, centres, residual = np.float32(self.temperature), self.centres, self.method == "residual"

        def scores(images: Any) -> Any:
            centred = images.reshape(len(images), 1, -1).astype(jnp.float32) / 255 - mean  # [N, S, P]
            projections = jnp.einsum("nsp,skp->nsk", centred, eigen, precision="highest")
            distances = (
                (centred**2).sum(axis=2) - (projections**2).sum(axis=2)
                if residual
                else ((projections - centres) ** 2).sum(axis=2)
            )
            return jax.nn.softmax(-distances / temperature, axis=1)

        return scores

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that `load_network` reads."""
        more = {"method": self.method, "divisor": repr(float(self.temperature))}
        write(path, FORMAT, self.input_shape, self.labels, self.made, more, self.tensors)


def load_pca(path: Path, about: dict[str, str], tensors: dict[str, Any]) -> PcaClassifier:
    """The classifier in a file's header and tensors. Raises UserError for what cannot be one."""
    shape, labels = read_face(path, about)
    method, temperature = about.get("method", ""), read_temperature(path, about)
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
    return PcaClassifier(shape, labels, method, tensors["mean"], tensors["eigen"], tensors["centres"], temperature, made)


MAX_IMAGES = 10_000  # training images, evenly spaced, whose gaps are measured


@dataclass(frozen=True)
class ComponentSets:
    """Principal components of a whole data set and of each class."""

    whole: PrincipalComponents
    classes: list[PrincipalComponents]  # K
    centres: Doubles  # [K, M], projections of the classes' means on the components of the whole set


def fit_pca(
    data: ImageSet, components: int, watch: Callable[[str, int, int], None] = lambda what, done, total: None
) -> ComponentSets:
    """Fits at most `components` principal components, at most the pixels and at most the images − 1 of each class."""
    count = refuse_empty_classes(data)
    if count.min() < 2:
        smallest = data.classes[int(count.argmin())]
        raise UserError(f"{data.source}: expected at least two images of each class, got one of class {smallest}")
    classes, parts = len(data.classes), []
    for k in range(classes):
        watch("principal components", k, classes + 1)
        images = np.ascontiguousarray(data.images[data.labels == k])
        parts.append(fit_components(images, component_count(components, images)))
    watch("principal components", classes, classes + 1)
    whole = fit_whole(data.images, component_count(components, data.images))
    centred = np.stack([part.mean for part in parts]).astype(np.float64) - whole.mean
    return ComponentSets(whole, parts, centred @ whole.images.T.astype(np.float64) * UNIT)


def component_count(limit: int, images: Bytes) -> int:
    """The number of components that images [N, H, W, C] determine, at most `limit`."""
    return min(limit, int(np.prod(images.shape[1:])), len(images) - 1)


def fit_whole(images: Bytes, components: int) -> PrincipalComponents:
    """`fit_components` of many images, their products summed batch by batch."""
    flat = images.reshape(len(images), -1)
    if flat.shape[1] > DIRECT:
        return fit_components(images, components)
    pairs = np.zeros((flat.shape[1], flat.shape[1]))
    for lo in range(0, len(flat), BATCH):
        pairs += products(flat[lo : lo + BATCH])
    total = flat.sum(axis=0, dtype=np.int64)
    return components_of_sums(mean_image(total, len(flat)), total, pairs, len(flat), components)


def make_unscaled(fitted: ComponentSets, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The PCA classifier of a method with at most `components` components and temperature 1."""
    sets = [fitted.whole] if method == "means" else fitted.classes
    k = min(components, *(len(one.images) for one in sets), len(sets[0].images))
    height, width, channels = data.images.shape[1:]
    return PcaClassifier(
        (height, width, channels),
        data.classes,
        method,
        np.stack([one.mean for one in sets]),
        np.stack([one.images[:k] for one in sets]),
        (fitted.centres[:, :k] if method == "means" else np.empty((0, k))).astype(np.float32),
    )


def make_pca(fitted: ComponentSets, data: ImageSet, method: str, components: int) -> PcaClassifier:
    """The same with a temperature that makes the mean gap of the two smallest distances² 5 on the training images.

    A gap of 5 in logits is odds of 148 : 1. Distances need a temperature, as they say nothing about certainty.
    """
    unscaled = make_unscaled(fitted, data, method, components)
    images = data.images[np.linspace(0, len(data.images) - 1, min(len(data.images), MAX_IMAGES)).astype(int)]
    nearest = np.sort(unscaled.distances(images), axis=1)
    gap = float((nearest[:, 1] - nearest[:, 0]).mean())
    if not gap > 0:
        raise UserError(f"{data.source}: expected classes that principal components separate; give other data")
    return replace(unscaled, temperature=gap / GAP)
