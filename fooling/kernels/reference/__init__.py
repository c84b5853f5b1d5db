"""The definition, in NumPy: slow and obvious; every fast engine equals it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fooling.kernels.reference.network import dense_scores, network_sums
from fooling.kernels.reference.operators import (
    breed,
    perturbation_mutation,
    random_reset_mutation,
    rectangle_crossover,
    smoothing_mutation,
    start,
    swap_mutation,
    truncation_selection,
    uniform_crossover,
)
from fooling.kernels.reference.penalties import (
    eigen_term,
    histogram_counts,
    histogram_term,
    regional_parts,
    regional_term,
    target_term,
    variogram_sums,
    variogram_sums_lag1,
    variogram_term,
    weighted_sum,
)
from fooling.kernels.tables import Floats

__all__ = [
    "OPERATORS",
    "PENALTIES",
    "Operator",
    "breed",
    "dense_scores",
    "histogram_counts",
    "network_sums",
    "regional_parts",
    "start",
    "target_term",
    "truncation_selection",
    "variogram_sums",
    "variogram_sums_lag1",
    "weighted_sum",
]

# A penalty depends on the images alone: (images, target_index [N], *its arguments) → float32 [N]. Engines, tests and errors
# walk this table.
PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}


class Operator(NamedTuple):
    """A genetic operator and the settings of the group `search` that control it."""

    function: Callable[..., Any]
    setting: str  # its rate
    on: tuple[str, ...]  # each of these words enables it, at different rates
    off: tuple[str, ...]  # together they disable it
    meaning: str


# In the order in which they are applied to a child. Tests, documentation and benchmarks/operators.py walk this table.
OPERATORS: dict[str, Operator] = {
    "uniform crossover": Operator(
        uniform_crossover,
        "crossover",
        ("crossover=uniform",),
        ("crossover=none",),
        "each pixel from either of two parents",
    ),
    "rectangle crossover": Operator(
        rectangle_crossover,
        "rectangles",
        ("rectangles=0.5", "rectangles=1"),
        ("rectangles=0",),
        "a rectangle from one parent, the rest from the other",
    ),
    "redraw": Operator(
        random_reset_mutation,
        "mutate_factor",
        ("mutate_factor=1", "mutate_factor=10", "min_rate=0.001"),
        ("mutate_factor=0", "min_rate=0"),
        "a pixel is drawn anew from the class's grey levels",
    ),
    "gaussian": Operator(
        perturbation_mutation,
        "gaussians",
        ("gaussians=0.5", "gaussians=2"),
        ("gaussians=0",),
        "a pixel gets normal noise, rounded",
    ),
    "polynomial": Operator(
        perturbation_mutation,
        "polynomials",
        ("polynomials=0.5", "polynomials=2"),
        ("polynomials=0",),
        "a pixel moves by the polynomial distribution, which knows the bounds",
    ),
    "blur": Operator(
        smoothing_mutation,
        "blurs",
        ("blurs=0.1", "blurs=1"),
        ("blurs=0",),
        "a place becomes the mean of its 3×3 neighbourhood",
    ),
    "swap": Operator(
        swap_mutation,
        "swaps",
        ("swaps=2", "swaps=0.5"),
        ("swaps=0",),
        "two places are exchanged, which keeps the histogram",
    ),
}
