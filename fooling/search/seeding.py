"""Python's global random generator, which DEAP draws from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int | str) -> Iterator[None]:
    """The global generator starts from a seed; afterwards its state is restored."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
