"""Kernels as pure JAX functions, with the names of the reference, and differentiable twins of the penalties."""

from collections.abc import Callable

from jax import Array

from fooling.kernels.jax.penalties import eigen_term, histogram_term, regional_term, variogram_term

PENALTIES: dict[str, Callable[..., Array]] = {
    "histogram": histogram_term,
    "variogram": variogram_term,
    "regional": regional_term,
    "eigen": eigen_term,
}
