"""The layers of a classifier, for activation maximisation (search=dream).

A classifier may have `jax_layers(images) -> {name: [N, …]}`, a pure JAX function from images [N, H, W, C] of grey levels, whole
or real numbers, to the activations of each layer, in order; the last axis is channels or units. The built-in networks have it.
The last layer is `scores`, the only one of a classifier that has `jax_fn` or `gradient` alone. On images larger than its input
a classifier scores windows, each of which overlaps the next by half (`TiledClassifier`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.gradients import has_gradients, scores_function
from fooling.kernels.tables import Bytes, Floats, Ints

SCORES = "scores"  # the last layer
LOGITS = "logits"  # the layer before the scores, where there is one
MAX_TILES = 4096  # windows of an image: the gradient through all of them takes about 1 GiB
TILE_BATCH = 128  # windows a call: bounds the memory of large models; mnist_cnn takes 1.1 times as long as with 1024

# Descriptions of layers, by the first letters of their names.
DESCRIPTIONS = {
    "conv": "weighted sums of a convolution, before the ReLU",
    "dense": "weighted sums of a dense layer, before its units",
    "relu": "the same after the ReLU",
    "sigmoid": "hidden units",
    "pool": "2×2 max pooling",
    LOGITS: "inputs of the softmax or sigmoids, one per class",
    SCORES: "scores, one per class",
}


def layer_function(classifier: Any) -> Callable[[Any], dict[str, Any]]:
    """The JAX function from images to layers of a classifier that has gradients."""

    def layers(images: Any) -> dict[str, Any]:
        named = classifier.jax_layers(images) if hasattr(classifier, "jax_layers") else {}
        return named if SCORES in named else {**named, SCORES: scores_function(classifier)(images)}

    return layers


def layer_shapes(classifier: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each layer for one image, [height, width, channels] or [units]; none of a classifier without gradients."""
    if not has_gradients(classifier):
        return {}
    import jax

    classifier = getattr(classifier, "inner", classifier)  # of a TiledClassifier
    names: list[str] = []  # in order: eval_shape sorts its result by name

    def noting_names(images: Any) -> dict[str, Any]:
        named = layer_function(classifier)(images)
        names.extend(named)
        return named

    described: Any = jax.ShapeDtypeStruct
    shapes = jax.eval_shape(noting_names, described((1, *classifier.input_shape), np.float32))
    return {name: tuple(int(side) for side in shapes[name].shape[1:]) for name in names}


def describe_layer(name: str) -> str:
    """The kind of a layer by its name, '' if unknown."""
    return next((description for start, description in DESCRIPTIONS.items() if name.startswith(start)), "")


@dataclass(frozen=True)
class TiledClassifier:
    """A classifier of larger images. The score of a class is the maximum over all windows."""

    classifier: Classifier  # of a single window
    input_shape: tuple[int, int, int]  # of the images; not smaller than a window

    @property
    def window(self) -> tuple[int, int, int]:
        """(H, W, C) of a window."""
        return self.classifier.input_shape

    @property
    def num_classes(self) -> int:
        """K."""
        return self.classifier.num_classes

    @property
    def labels(self) -> tuple[str, ...]:
        """The classifier's."""
        return self.classifier.labels

    @property
    def fingerprint(self) -> str:
        """The classifier's, as the weights are the same."""
        return self.classifier.fingerprint

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]: for each class the maximum over all windows."""
        scores = []
        for image in images:
            windows = cut(image[None], self.classifier.input_shape)[0]
            parts = [self.classifier(windows[i : i + TILE_BATCH]) for i in range(0, len(windows), TILE_BATCH)]
            scores.append(np.max([part.max(axis=0) for part in parts], axis=0))
        return np.stack(scores) if scores else np.empty((0, self.num_classes), dtype=np.float32)

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """The same as a pure JAX function, of images of any size that is not smaller than a window."""
        of_window = scores_function(self.inner)
        return lambda images: self.map_windows(images, lambda windows: {"": of_window(windows)})[""].max(axis=1)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """Activations of every layer for each of M windows: {name: [N, M, …]}."""
        return self.map_windows(images, layer_function(self.classifier))

    @property
    def inner(self) -> Any:
        """The classifier, untyped: its gradients are an optional part of it."""
        return self.classifier

    def map_windows(self, images: Any, function: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Applies a function to windows [N·M, h, w, C]; its results have the shape [N, M, …]."""
        windows = cut(images, self.classifier.input_shape)
        number, count = windows.shape[:2]
        results = function(windows.reshape(number * count, *windows.shape[2:]))
        return {name: array.reshape(number, count, *array.shape[1:]) for name, array in results.items()}


def cut(images: Any, window: tuple[int, int, int]) -> Any:
    """The windows of NumPy or JAX images [N, H, W, C], line by line: [N, M, h, w, C]."""
    (top, rows), (left, columns) = (window_places(images.shape[axis], window[axis - 1]) for axis in (1, 2))
    lines = images[:, top[:, None] + rows]  # [N, A, h, W, C]
    tiles = lines[:, :, :, left[:, None] + columns]  # [N, A, h, B, w, C]
    return tiles.swapaxes(2, 3).reshape(len(images), len(top) * len(left), *window)


def tile_count(image: tuple[int, int, int], window: tuple[int, int, int]) -> int:
    """The number of windows of an image (H, W, C)."""
    return len(window_places(image[0], window[0])[0]) * len(window_places(image[1], window[1])[0])


def window_places(side: int, window: int) -> tuple[Ints, Ints]:
    """Starts of windows along a side, evenly spaced and at most half a window apart, and the offsets within one."""
    steps = -(-(side - window) // max(1, window // 2))
    return np.rint(np.linspace(0, side - window, steps + 1)).astype(np.int64), np.arange(window)
