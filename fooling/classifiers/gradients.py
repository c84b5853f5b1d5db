"""The scores of a classifier as a JAX function that gradients pass through, wherever the classifier computes them.

A classifier may have `jax_fn`, a pure function, or `gradient(images, weights)`, by which other frameworks tell theirs: of
images float32 [N, H, W, C] of grey levels and weights float32 [N, K] the gradient [N, H, W, C] of Σ weights · scores. The
`callback_fn` of an adapter is the same in JAX, with calls back to the model. `engine=jax` takes `jax_fn` alone, since each call
back leaves the compiled loop.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.errors import UserError
from fooling.kernels.tables import Floats
from fooling.settings.fields import CRASHES, foreign_code

FAILURES: list[BaseException] = []  # of calls back
PARTS = ("jax_fn", "callback_fn", "gradient")  # any of which leads to gradients


def has_gradients(classifier: Any) -> bool:
    """Whether a classifier tells its gradients in one of these ways."""
    return any(callable(getattr(classifier, name, None)) for name in PARTS)


def scores_function(classifier: Any) -> Callable[[Any], Any]:
    """The function images [N, H, W, C] of grey levels → scores float32 [N, K] of a classifier that has gradients."""
    own = getattr(classifier, "jax_fn", None) or getattr(classifier, "callback_fn", None)
    return own if own is not None else with_gradient(classifier)


def with_gradient(classifier: Any) -> Callable[[Any], Any]:
    """The same of a classifier that has `gradient` alone: the scores are those of the nearest grey levels."""

    def scores(images: Floats) -> Floats:
        return np.asarray(classifier(np.rint(images).astype(np.uint8)), dtype=np.float32)

    return through_callbacks(scores, classifier.gradient, classifier.num_classes)


def through_callbacks(forward: Callable[[Any], Any], backward: Callable[[Any, Any], Any], numbers: int) -> Callable[[Any], Any]:
    """A JAX function of inputs [N, …] → float32 [N, numbers] that calls functions of NumPy.

    `backward`: inputs and weights [N, numbers] → the gradient of Σ weights · forward(inputs), of the shape of the inputs.
    """
    import jax

    described: Any = jax.ShapeDtypeStruct

    @jax.custom_vjp
    def outputs(inputs: Any) -> Any:
        shape = described((len(inputs), numbers), np.float32)
        return jax.pure_callback(guarded(forward, shape), shape, inputs)

    def noting(inputs: Any) -> tuple[Any, Any]:
        return outputs(inputs), inputs

    def pull(inputs: Any, weights: Any) -> tuple[Any]:
        shape = described(inputs.shape, inputs.dtype)
        return (jax.pure_callback(guarded(backward, shape), shape, inputs, weights),)

    outputs.defvjp(noting, pull)
    return outputs


def guarded(function: Callable[..., Any], shape: Any) -> Callable[..., Any]:
    """A function of NumPy whose numbers have a shape and type; after an error, which `raise_failure` raises, they are NaN.

    An error within a call of JAX would be printed with its traceback, and lose its class.
    """

    def called(*arrays: Any) -> Any:
        try:
            return as_floats(function(*map(np.asarray, arrays)), shape.shape).astype(shape.dtype)
        except CRASHES as error:
            FAILURES.append(error)
            return np.full(shape.shape, np.nan, dtype=shape.dtype)

    return called


def raise_failure() -> None:
    """Raises the first error of the calls since the last time, if there was one."""
    failures = FAILURES.copy()
    FAILURES.clear()
    if failures:
        raise failures[0]


def as_floats(numbers: Any, shape: tuple[int, ...]) -> Floats:
    """Numbers as float32 of a shape. Raises UserError for others."""
    found = np.asarray(numbers, dtype=np.float32)
    if found.size != np.prod(shape, dtype=np.int64):
        raise UserError(f"classifier: expected numbers {list(shape)}, got {list(found.shape)}")
    return found.reshape(shape)


def check_own_gradient(classifier: Classifier, images: Floats) -> None:
    """Calls `gradient` of a classifier that has no function of JAX. Raises UserError where it fails, or tells no gradient."""
    told = getattr(classifier, "gradient", None)
    if callable(getattr(classifier, "jax_fn", None)) or told is None:
        return
    with foreign_code("classifier: its gradient raised "):
        found = np.asarray(told(images, np.ones((len(images), classifier.num_classes), dtype=np.float32)))
    if found.shape != images.shape or found.dtype.kind != "f":
        expected = f"a gradient float32 {list(images.shape)}"
        raise UserError(f"classifier: expected {expected}, got {found.dtype} {list(found.shape)}")
