"""A classifier on images larger than its input: it scores windows, each of which overlaps the next by half."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.layers import layer_function
from fooling.kernels.tables import Bytes, Floats, Ints

MAX_TILES = 4096  # windows of an image: the gradient through all of them takes about 1 GiB
TILE_BATCH = 128  # windows a call: a convolutional network pads any larger batch to 1024


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
        return lambda images: self.map_windows(images, lambda windows: {"": self.inner.jax_fn(windows)})[""].max(axis=1)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """Activations of every layer for each of M windows: {name: [N, M, …]}; see `layers`."""
        return self.map_windows(images, layer_function(self.classifier))

    @property
    def inner(self) -> Any:
        """The classifier, untyped: `jax_fn` is an optional part of it."""
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
