"""genome=mixed: the pattern of a network (genome=cppn) and low frequencies (genome=dct) on it.

The network's numbers find what a class looks like; its pictures change by leaps. The waves change them smoothly, which raises a
confidence that is high already.
"""

import numpy as np

from fooling.kernels.tables import Bytes, Floats
from fooling.search.genomes import Shape, structures
from fooling.search.genomes.cppn import NetworkGenome
from fooling.search.genomes.dct import CosineGenome

GAIN = 1.67  # of the waves, so that steps of all numbers may have one deviation


class MixedGenome:
    """The numbers of the network with `detail` hidden nodes, then those of the waves, which are 0 while a search explores."""

    def __init__(self, shape: Shape, detail: int) -> None:
        self.shape = shape
        self.network, self.waves = NetworkGenome(shape, detail), CosineGenome(shape, structures(shape))
        self.explored, self.size = self.network.size, self.network.size + self.waves.size

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]."""
        return self.render(genomes, *self.shape[:2])

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures at another size, uint8 [N, height, width, C]."""
        patterns, amplitudes = np.split(genomes, [self.explored], axis=1)
        if not amplitudes.any():
            return self.network.render(patterns, height, width)
        waves = self.waves.waves(amplitudes * np.float32(GAIN), height, width)
        return self.network.render(patterns, height, width, waves.reshape(*waves.shape[:2], height * width))
