"""genome=cppn: a compositional pattern-producing network, which computes the grey levels of a pixel from its place.

Stanley 2007, "Compositional pattern producing networks: a novel abstraction of development"; the activations are those of
Nguyen, Yosinski & Clune 2015. Each hidden node may have connections from the inputs (x, y, distance from the centre, 1) and
from the nodes before it, each output from all of them. A connection exists where its number exceeds a threshold, so the
topology evolves with the numbers, in a genome of fixed length. In colour the three outputs are brightness and two
differences.
"""

import numpy as np

from fooling.kernels.numba.patterns import INPUTS, pattern_levels
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.search.genomes import Shape

THRESHOLD = 0.5  # of a number's absolute value: 62 % of the connections of random genomes exist
GAIN, OUTPUT_GAIN = 3.0, 1.5  # weight ÷ what exceeds the threshold: curves turn several times, few levels are black or white
LARGEST = 1000.0  # of what exceeds the threshold, so that nothing overflows
# RGB of the outputs: brightness, red against blue, green against both. Brightness varies most, as in photographs.
COLOURS = np.array([[1, 0.5, -0.25], [1, 0, 0.5], [1, -0.5, -0.25]], dtype=np.float32)
NOTHING = np.zeros((0, 0, 0), dtype=np.float32)  # is added to the outputs
QUARTILES = (-0.67449, 0, 0.67449)  # of a normal number: where the next activation begins


class NetworkGenome:
    """A number for each of `detail` hidden nodes, which chooses its activation; then the weights, node after node."""

    def __init__(self, shape: Shape, detail: int) -> None:
        self.shape, self.detail = shape, detail
        nodes, hidden = np.arange(detail + shape[2]), np.arange(INPUTS + detail) - INPUTS
        self.node, self.source = np.nonzero(hidden < np.minimum(nodes, detail)[:, None])
        self.size = self.explored = detail + len(self.node)

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        return self.render(genomes, *self.shape[:2])

    def render(self, genomes: Floats, height: int, width: int, added: Floats = NOTHING) -> Bytes:
        """The same pictures at another size, uint8 [N, height, width, C]; `added` [N, C, height·width] to the outputs."""
        weights, activations = self.network(genomes)
        shorter = min(self.shape[:2])
        down, across = centres(height, self.shape[0] / shorter), centres(width, self.shape[1] / shorter)
        return pattern_levels(down, across, weights, activations, added)

    def network(self, genomes: Floats) -> tuple[Floats, Ints]:
        """Weights [N, detail + C, INPUTS + detail] and activations [N, detail], as `pattern_levels` takes them."""
        chosen, numbers = genomes[:, : self.detail], genomes[:, self.detail :].astype(np.float32)
        weights = np.zeros((len(genomes), self.detail + self.shape[2], INPUTS + self.detail), dtype=np.float32)
        excess = np.clip(np.abs(numbers) - np.float32(THRESHOLD), 0, LARGEST)
        weights[:, self.node, self.source] = np.copysign(excess, numbers)
        weights[:, : self.detail] *= np.float32(GAIN)
        outputs = weights[:, self.detail :]
        outputs *= np.float32(OUTPUT_GAIN)
        if self.shape[2] == len(COLOURS):
            outputs[:] = sum(COLOURS[:, k, None] * outputs[:, k, None] for k in range(len(COLOURS)))
        return weights, np.searchsorted(QUARTILES, chosen, side="right")


def centres(number: int, extent: float) -> Floats:
    """Coordinates of the middles of the pixels of a side, from −extent to extent."""
    return (((np.arange(number) + 0.5) / number * 2 - 1) * extent).astype(np.float32)
