"""Random numbers of the searches that take real ones: a generator for each address, independent of earlier draws."""

import numpy as np


def generator(seed: int, run: int, generation: int, purpose: int) -> np.random.Generator:
    """The generator of a run and generation for one purpose."""
    return np.random.Generator(np.random.Philox(key=[seed, run], counter=[0, 0, generation, purpose]))
