"""genome=pixels: a number for each pixel and channel."""

import numpy as np

from fooling.kernels.tables import Bytes, Floats
from fooling.search.genomes import Shape, squash
from fooling.search.genomes.grid import enlarged


class PixelGenome:
    """H·W·C numbers; the detail is that of the image."""

    def __init__(self, shape: Shape, detail: int) -> None:
        del detail
        self.shape = shape
        self.size = self.explored = shape[0] * shape[1] * shape[2]

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        return squash(genomes.astype(np.float32).reshape(-1, *self.shape))

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures enlarged, uint8 [N, height, width, C]."""
        values = np.moveaxis(genomes.astype(np.float32).reshape(-1, *self.shape), 3, 1)
        return np.ascontiguousarray(np.moveaxis(squash(enlarged(values, height, width)), 1, 3))
