"""The layers of a classifier, for searches that raise one of them.

A classifier has them if it has `jax_layers(images) -> {name: [N, …]}`, a pure function in JAX from images [N, H, W, C] of
grey levels, whole or real numbers, to what each layer makes of them, in their order; the last axis are channels or units.
The built-in networks do. The last layer is `scores`: the one that a classifier with `jax_fn` alone has.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

SCORES = "scores"  # the last layer
LOGITS = "logits"  # what the output of a class is, where there is such a layer

# What a layer is, by the first letters of its name.
WHAT = {
    "conv": "weighted sums of a convolution, before the ReLU",
    "dense": "weighted sums of a dense layer, before its units",
    "relu": "what the ReLU leaves of them",
    "sigmoid": "hidden units",
    "pool": "maxima of 2×2 places",
    LOGITS: "what the scores are made of, one a class",
    SCORES: "scores, one a class",
}


def layer_function(classifier: Any) -> Callable[[Any], dict[str, Any]]:
    """The function from images to layers of a classifier that has `jax_fn`."""

    def layers(images: Any) -> dict[str, Any]:
        found = classifier.jax_layers(images) if hasattr(classifier, "jax_layers") else {}
        return found if SCORES in found else {**found, SCORES: classifier.jax_fn(images)}

    return layers


def layer_shapes(classifier: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each layer for one image, [height, width, channels] or [units]; none without `jax_fn`."""
    if not callable(getattr(classifier, "jax_fn", None)):
        return {}
    import jax

    classifier = getattr(classifier, "inner", classifier)  # what looks through windows
    names: list[str] = []  # in their order: what comes back is sorted

    def told(images: Any) -> dict[str, Any]:
        found = layer_function(classifier)(images)
        names.extend(found)
        return found

    described: Any = jax.ShapeDtypeStruct
    shapes = jax.eval_shape(told, described((1, *classifier.input_shape), np.float32))
    return {name: tuple(int(side) for side in shapes[name].shape[1:]) for name in names}


def what_is(name: str) -> str:
    """What a layer of this name is, as far as its name tells."""
    return next((what for start, what in WHAT.items() if name.startswith(start)), "")
