"""A classifier before pictures larger than its input: it looks through windows, each of which overlaps the next by half."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.layers import layer_function
from fooling.kernels.tables import Bytes, Floats, Ints

MAX_TILES = 4096  # windows of a picture: the slope through all of them is computed at once, in about a GiB
BATCH = 128  # windows that are asked about at a time: convolutional networks fill batches of up to 1024 up to that


@dataclass(frozen=True)
class TiledClassifier:
    """A classifier of pictures of another size. The score of a class is that of the window which shows it best."""

    classifier: Classifier  # its input_shape is a window's
    input_shape: tuple[int, int, int]  # of the pictures; not smaller than a window

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
        """Those of the classifier."""
        return self.classifier.labels

    @property
    def fingerprint(self) -> str:
        """That of the classifier, whose weights these are."""
        return self.classifier.fingerprint

    def __call__(self, images: Bytes) -> Floats:
        """Scores float32 [N, K] of pictures uint8 [N, H, W, C]: of each class the largest of all windows."""
        found = []
        for image in images:
            seen = cut(image[None], self.classifier.input_shape)[0]
            parts = [self.classifier(seen[lo : lo + BATCH]) for lo in range(0, len(seen), BATCH)]
            found.append(np.max([part.max(axis=0) for part in parts], axis=0))
        return np.stack(found) if found else np.empty((0, self.num_classes), dtype=np.float32)

    @cached_property
    def jax_fn(self) -> Callable[[Any], Any]:
        """The same as a function of JAX, of pictures of any size that is not smaller than a window."""
        return lambda images: self.each(images, lambda seen: {"": self.inner.jax_fn(seen)})[""].max(axis=1)

    def jax_layers(self, images: Any) -> dict[str, Any]:
        """What every layer makes of every window: {name: [N, M, …]}; see `layers.py`."""
        return self.each(images, layer_function(self.classifier))

    @property
    def inner(self) -> Any:
        """The classifier, whose `jax_fn` is no part of every classifier's face."""
        return self.classifier

    def each(self, images: Any, function: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """A function of windows [N·M, h, w, C], its results as [N, M, …]."""
        seen = cut(images, self.classifier.input_shape)
        number, many = seen.shape[:2]
        found = function(seen.reshape(number * many, *seen.shape[2:]))
        return {name: array.reshape(number, many, *array.shape[1:]) for name, array in found.items()}


def cut(images: Any, window: tuple[int, int, int]) -> Any:
    """The windows of pictures [N, H, W, C] of NumPy or JAX, line by line: [N, M, h, w, C]."""
    (top, rows), (left, columns) = (places(images.shape[axis], window[axis - 1]) for axis in (1, 2))
    lines = images[:, top[:, None] + rows]  # [N, A, h, W, C]
    tiles = lines[:, :, :, left[:, None] + columns]  # [N, A, h, B, w, C]
    return tiles.swapaxes(2, 3).reshape(len(images), len(top) * len(left), *window)


def tile_count(picture: tuple[int, int, int], window: tuple[int, int, int]) -> int:
    """Windows of a picture."""
    return len(places(picture[0], window[0])[0]) * len(places(picture[1], window[1])[0])


def places(side: int, window: int) -> tuple[Ints, Ints]:
    """Where windows begin along a side, evenly and half a window apart at most, and the places within one."""
    steps = -(-(side - window) // max(1, window // 2))
    return np.rint(np.linspace(0, side - window, steps + 1)).astype(np.int64), np.arange(window)
