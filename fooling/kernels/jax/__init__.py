"""Kernels as pure JAX functions, with the names of the reference, and differentiable twins of the penalties."""

from collections.abc import Callable

import jax.monitoring
from jax import Array

from fooling.kernels.jax.network import dense_scores, network_sums
from fooling.kernels.jax.operators import breed, start, truncation_selection
from fooling.kernels.jax.penalties import (
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
from fooling.kernels.numba.compile import COMPILATION

__all__ = [
    "PENALTIES",
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

PENALTIES: dict[str, Callable[..., Array]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}


def add_compilation(event: str, duration_secs: float, **_about: str | int) -> None:
    """Counts the time in which JAX compiles a program as compilation."""
    if event.startswith("/jax/core/compile/"):
        COMPILATION.add(duration_secs)


jax.monitoring.register_event_duration_secs_listener(add_compilation)
