"""The scores of a classifier as a JAX function that gradients pass through, wherever the classifier computes them.

A classifier may have `jax_fn`, a pure function, or `gradient(images, weights)`, by which other frameworks tell theirs: of
images float32 [N, H, W, C] of grey levels and weights float32 [N, K] the gradient [N, H, W, C] of Σ weights · scores. The
`callback_fn` of an adapter is the same in JAX, with calls back to the model. `engine=jax` takes `jax_fn` alone, since each call
back leaves the compiled loop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from fooling.classifiers.base import predict_batch
from fooling.errors import UserError
from fooling.kernels.tables import Floats
from fooling.settings.fields import foreign_code

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
        return predict_batch(classifier, np.rint(images).astype(np.uint8))

    return through_callbacks(scores, partial(own_gradient, classifier), classifier.num_classes)


def through_callbacks(forward: Callable[[Any], Any], backward: Callable[[Any, Any], Any], numbers: int) -> Callable[[Any], Any]:
    """A JAX function of inputs [N, …] → float32 [N, numbers] that calls functions of NumPy.

    `backward`: inputs and weights [N, numbers] → the gradient of Σ weights · forward(inputs), of the shape of the inputs.
    """
    import jax

    described: Any = jax.ShapeDtypeStruct

    @jax.custom_vjp
    def outputs(inputs: Any) -> Any:
        shape = described((len(inputs), numbers), np.float32)
        return jax.pure_callback(guarded(lambda given: np.reshape(forward(given), shape.shape), shape), shape, inputs)

    def noting(inputs: Any) -> tuple[Any, Any]:
        return outputs(inputs), inputs

    def pull(inputs: Any, weights: Any) -> tuple[Any]:
        shape = described(inputs.shape, inputs.dtype)
        return (jax.pure_callback(guarded(backward, shape), shape, inputs, weights),)

    outputs.defvjp(noting, pull)
    return outputs


def guarded(function: Callable[..., Any], shape: Any) -> Callable[..., Any]:
    """A function of NumPy whose numbers have a shape and type; after an error, see `raising_failures`, they are NaN.

    An error within a call of JAX would be printed with its traceback, and lose its class.
    """

    def called(*arrays: Any) -> Any:
        try:
            return np.asarray(function(*map(np.asarray, arrays))).astype(shape.dtype)
        except BaseException as error:  # an interruption, too
            FAILURES.append(error)
            return np.full(shape.shape, np.nan, dtype=shape.dtype)

    return called


@contextmanager
def raising_failures() -> Iterator[None]:
    """Raises the first error of the calls back in this context, if there was one. Whoever takes gradients does so in one."""
    FAILURES.clear()
    yield
    if FAILURES:
        raise FAILURES.pop(0)


def own_gradient(classifier: Any, images: Floats, weights: Floats) -> Floats:
    """What `gradient` of a classifier returns. Raises UserError where it fails, or tells no gradient."""
    with foreign_code("classifier: its gradient raised "):
        found = np.asarray(classifier.gradient(images, weights))
    if found.shape != images.shape or found.dtype.kind != "f":
        expected = f"a gradient float32 {list(images.shape)}"
        raise UserError(f"classifier: expected {expected}, got {found.dtype} {list(found.shape)}")
    return found


def check_own_gradient(classifier: Any, images: Floats) -> None:
    """Calls `gradient` of a classifier that has no function of JAX. Raises UserError where it fails, or tells no gradient."""
    if not callable(getattr(classifier, "jax_fn", None)) and hasattr(classifier, "gradient"):
        own_gradient(classifier, images, np.ones((len(images), classifier.num_classes), dtype=np.float32))
