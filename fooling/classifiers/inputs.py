"""What a foreign model is shown of an image: the grey levels scaled, and laid out as the model expects."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Shape = tuple[int, int, int]
Layout = Literal["NHWC", "NCHW", "NHW", "flat"]


@dataclass(frozen=True)
class Inputs:
    """x = (grey level · scale − mean) ÷ std, as [N, …] of the layout; mean and std are one number, or one a channel."""

    layout: Layout
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: npt.DTypeLike = np.float32

    @cached_property
    def numbers(self) -> Array:
        """What each of 256 grey levels becomes, float64 [1 or C, 256]."""
        mean, std = (np.array(values)[:, None] for values in (self.mean, self.std))
        with np.errstate(over="ignore"):
            return np.asarray((np.arange(256) * self.scale - mean) / std)

    @cached_property
    def table(self) -> Array:
        """The same as the model's numbers."""
        return self.numbers.astype(self.dtype)

    def __call__(self, images: Bytes) -> Array:
        """Inputs of images uint8 [N, H, W, C]."""
        return np.ascontiguousarray(LAYOUTS[self.layout](self.scaled(images)))

    def scaled(self, images: Bytes) -> Array:
        """The same, still [N, H, W, C]."""
        if len(self.table) == 1:
            return np.asarray(self.table[0][images])
        return np.stack([self.table[c][images[..., c]] for c in range(len(self.table))], axis=-1)

    def __str__(self) -> str:
        """Such as NCHW, scale=0.00392157 mean=0 std=1."""
        mean, std = (",".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        return f"{self.layout}, scale={self.scale:.6g} mean={mean} std={std}"


LAYOUTS: dict[str, Any] = {
    "NHWC": lambda x: x,
    "NCHW": lambda x: x.transpose(0, 3, 1, 2),
    "NHW": lambda x: x[..., 0],
    "flat": lambda x: x.reshape(len(x), -1),
}


def dims_of(shape: Shape, layout: str) -> tuple[int, ...]:
    """What a model is shown of an image (H, W, C): (C, H, W) for NCHW, and so on."""
    height, width, channels = shape
    dims = {"NHWC": shape, "NCHW": (channels, height, width), "NHW": (height, width), "flat": (height * width * channels,)}
    return dims[layout]


def layout_of(dims: tuple[int | None, ...]) -> Layout | None:
    """The layout that a model's input dimensions without the batch tell, None if they do not."""
    if len(dims) == 1:
        return "flat"
    if len(dims) == 2:
        return "NHW"
    if len(dims) == 3 and dims[2] in (1, 3) and dims[0] not in (1, 3):
        return "NHWC"
    return "NCHW" if len(dims) == 3 and dims[0] in (1, 3) else None


def shape_in(dims: tuple[int | None, ...], layout: str) -> Shape | None:
    """The images (H, W, C) that a model's input dimensions tell in a layout, None if they leave it open."""
    if layout == "flat" or None in dims:
        return None
    places = {"NHWC": (0, 1, 2), "NCHW": (1, 2, 0), "NHW": (0, 1)}[layout]
    if len(dims) != len(places):
        return None
    found = [int(dims[place] or 0) for place in places]
    return found[0], found[1], found[2] if layout != "NHW" else 1
