"""genome=dct: the lowest frequencies of a cosine transform, with amplitudes that fall with the frequency.

Natural images have such spectra (Field 1987, "Relations between the statistics of natural images and the response properties of
cortical cells"), and networks respond to them with few numbers.
"""

import numpy as np

from fooling.kernels.tables import Bytes, Floats
from fooling.search.genomes import Shape, sides, squash


class CosineGenome:
    """C·k·k amplitudes of frequencies 0 … k − 1 half waves along each side, of more along a longer side."""

    def __init__(self, shape: Shape, detail: int) -> None:
        self.shape = shape
        rows, columns = sides(shape, detail)
        self.rows, self.columns = rows, columns
        down, across = np.arange(rows) * (detail / rows), np.arange(columns) * (detail / columns)
        frequency = np.hypot(down[:, None], across)
        self.amplitude = (1 / (1 + frequency)).astype(np.float32)
        self.size = self.explored = shape[2] * rows * columns

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        return self.render(genomes, *self.shape[:2])

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures at another size, uint8 [N, height, width, C]."""
        return np.ascontiguousarray(np.moveaxis(squash(self.waves(genomes, height, width)), 1, 3))

    def waves(self, genomes: Floats, height: int, width: int) -> Floats:
        """What becomes grey levels, float32 [N, C, height, width]: 0 is mid-grey."""
        number, channels = len(genomes), self.shape[2]
        amplitudes = genomes.astype(np.float32).reshape(number, channels, self.rows, self.columns) * self.amplitude
        # A product for each image: those of one image do not depend on the others, whatever the library does with a larger one.
        lines = np.matmul(amplitudes, cosines(self.columns, width))
        return np.asarray(np.matmul(cosines(self.rows, height).T, lines))


def cosines(number: int, side: int) -> Floats:
    """Half waves 0 … number − 1 at the middles of the pixels of a side, float32 [number, side]."""
    places = (np.arange(side) + 0.5) / side
    return np.cos(np.pi * np.arange(number)[:, None] * places).astype(np.float32)
