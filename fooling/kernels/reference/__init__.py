"""The definition, in NumPy: slow and obvious; every fast engine equals it."""

from collections.abc import Callable

from fooling.kernels.reference.network import dense_scores, network_scores
from fooling.kernels.reference.penalties import (
    eigen_term,
    histogram_term,
    regional_term,
    target_term,
    variogram_term,
    weighted_sum,
)
from fooling.kernels.tables import Floats

__all__ = ["PENALTIES", "dense_scores", "network_scores", "target_term", "weighted_sum"]

# A penalty looks at the images alone: (images, which target is each image's, *its arguments) → float32 [N]. Engines, tests
# and errors walk this table.
PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}
