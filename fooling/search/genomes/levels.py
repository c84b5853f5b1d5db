"""genome=levels: the grey level of each pixel, all equally likely at the start (direct encoding; Nguyen et al. 2015)."""

import numpy as np
from scipy.special import ndtr

from fooling.kernels.tables import Bytes, Floats
from fooling.search.genomes import Shape
from fooling.search.genomes.grid import enlarged


class LevelGenome:
    """H·W·C numbers, each the share of the normal distribution below it, of 256 levels; the detail is that of the image."""

    def __init__(self, shape: Shape, detail: int) -> None:
        del detail
        self.shape = shape
        self.size = self.explored = shape[0] * shape[1] * shape[2]

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        shares = ndtr(genomes.astype(np.float32).reshape(-1, *self.shape))
        return np.asarray(np.minimum(shares * 256, 255).astype(np.uint8))

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures enlarged, uint8 [N, height, width, C]."""
        if (height, width) == self.shape[:2]:
            return self.decode(genomes)
        levels = np.moveaxis(self.decode(genomes).astype(np.float32), 3, 1)
        values = enlarged(levels, height, width)
        return np.ascontiguousarray(np.moveaxis(np.clip(np.rint(values), 0, 255), 1, 3)).astype(np.uint8)
