"""genome=grid: a coarse picture, enlarged smoothly (cubic convolution, Keys 1981)."""

import numpy as np

from fooling.kernels.tables import Bytes, Floats
from fooling.search.genomes import Shape, sides, squash

SHARPNESS = -0.5  # of Keys's kernel: exact for quadratic pictures
CONTRAST = 2.5  # grey levels of a number of 1: 36 … 219 of 255


class GridGenome:
    """C·k·k cells, more along a longer side."""

    def __init__(self, shape: Shape, detail: int) -> None:
        self.shape = shape
        self.rows, self.columns = sides(shape, detail)
        self.size = self.explored = shape[2] * self.rows * self.columns

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        return self.render(genomes, *self.shape[:2])

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures at another size, uint8 [N, height, width, C]."""
        cells = genomes.astype(np.float32).reshape(len(genomes), self.shape[2], self.rows, self.columns)
        values = enlarged(cells * np.float32(CONTRAST), height, width)
        return np.ascontiguousarray(np.moveaxis(squash(values), 1, 3))


def enlarged(cells: Floats, height: int, width: int) -> Floats:
    """Pictures [N, C, h, w] at another size, [N, C, height, width]."""
    lines = np.matmul(cells, enlargement(cells.shape[3], width))
    return np.asarray(np.matmul(enlargement(cells.shape[2], height).T, lines))


def enlargement(number: int, side: int) -> Floats:
    """The share that each cell has in each pixel of a side, float32 [number, side]; beyond the edge lie the outermost cells."""
    places = (np.arange(side) + 0.5) * number / side - 0.5
    shares = np.zeros((number, side))
    first = np.floor(places).astype(int) - 1
    for k in range(4):
        cell = np.clip(first + k, 0, number - 1)
        np.add.at(shares, (cell, np.arange(side)), cubic(places - (first + k)))
    return shares.astype(np.float32)


def cubic(distance: np.ndarray) -> np.ndarray:
    """The weight of a cell at a distance, in cells (Keys 1981, equation 4 with a = −½)."""
    x = np.abs(distance)
    near = (SHARPNESS + 2) * x**3 - (SHARPNESS + 3) * x**2 + 1
    far = SHARPNESS * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))
