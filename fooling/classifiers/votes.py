"""Labels as scores: the share of votes for each class over noisy copies of an image.

A model that gives labels alone leaves a search no slope. The share of copies with the target's label has one (Ilyas, Engstrom,
Athalye & Lin 2018, "Black-box adversarial attacks with limited queries and information", section 3.3). It is no confidence of
the model: it says how much of an image may be replaced until the label changes. The copies differ in strength, so that the
share still grows where faint noise changes no label any more; and in their noise, as one kind of noise has a favourite class.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fooling.kernels.tables import Bytes, Flags, Floats

COPIES = 25  # of an image by default: benchmarks/foreign.py
CELLS = (1, 2, 4, 7)  # sides of the noise's cells in turn, in 28ths of the image's shorter side


@dataclass(frozen=True)
class NoisyCopies:
    """The copies of an image: in copy i of n a share noise · (i + ½) ÷ n of the pixels is replaced by cells of black and white.

    All is drawn from a counter-based generator whose key is the image's hash: the same image has the same copies, whatever else
    the model sees before or beside it, after a resumption too.
    """

    number: int
    noise: float  # 0 … 1

    @cached_property
    def shares(self) -> Floats:
        """Of the pixels that are replaced in each copy, [n]."""
        return ((np.arange(self.number) + 0.5) / self.number * self.noise).astype(np.float32)

    def __call__(self, images: Bytes) -> Bytes:
        """Copies uint8 [N · n, H, W, C] of images uint8 [N, H, W, C], those of an image side by side."""
        if self.number == 1:
            return images
        return np.concatenate([self.of_image(image) for image in images])

    def of_image(self, image: Bytes) -> Bytes:
        """Copies uint8 [n, H, W, C] of an image [H, W, C]."""
        key = int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=16).digest(), "little")
        random = np.random.Generator(np.random.Philox(key=key))
        height, width, channels = image.shape
        noise = np.stack([self.cells(random, i, height, width, channels) for i in range(self.number)])
        replaced: Flags = random.random((self.number, height, width, 1), dtype=np.float32) < self.shares[:, None, None, None]
        return np.where(replaced, noise, image)

    def cells(self, random: np.random.Generator, copy: int, height: int, width: int, channels: int) -> Bytes:
        """Noise uint8 [H, W, C]: cells of one size, each channel of which is white with one probability, else black."""
        side = max(1, CELLS[copy % len(CELLS)] * min(height, width) // 28)
        white = random.random()
        grid = random.random((-(-height // side), -(-width // side), channels), dtype=np.float32) < white
        pixels = np.repeat(np.repeat(grid, side, axis=0), side, axis=1)[:height, :width]
        return np.where(pixels, np.uint8(255), np.uint8(0))
