"""Kernels compiled by numba for the CPU, with the names of the reference, and delta (incremental) evaluation."""

from collections.abc import Callable

from fooling.kernels.numba.network import dense_scores
from fooling.kernels.numba.pca import eigen_term
from fooling.kernels.numba.penalties import histogram_term, target_term, variogram_term, weighted_sum
from fooling.kernels.numba.regional import regional_term
from fooling.kernels.numba.sigmoid_network import network_scores
from fooling.kernels.tables import Floats

__all__ = ["PENALTIES", "dense_scores", "network_scores", "target_term", "weighted_sum"]

PENALTIES: dict[str, Callable[..., Floats]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}
