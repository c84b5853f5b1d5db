"""The layers of a classifier, for activation maximisation (search=dream).

A classifier may have `jax_layers(images) -> {name: [N, …]}`, a pure JAX function from images [N, H, W, C] of grey levels, whole
or real numbers, to the activations of each layer, in order; the last axis is channels or units. The built-in networks have it.
The last layer is `scores`, the only one of a classifier that has `jax_fn` alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

SCORES = "scores"  # the last layer
LOGITS = "logits"  # the layer before the scores, where there is one

# Descriptions of layers, by the first letters of their names.
DESCRIPTIONS = {
    "conv": "weighted sums of a convolution, before the ReLU",
    "dense": "weighted sums of a dense layer, before its units",
    "relu": "the same after the ReLU",
    "sigmoid": "hidden units",
    "pool": "2×2 max pooling",
    LOGITS: "inputs of the softmax or sigmoids, one per class",
    SCORES: "scores, one per class",
}


def layer_function(classifier: Any) -> Callable[[Any], dict[str, Any]]:
    """The JAX function from images to layers of a classifier that has `jax_fn`."""

    def layers(images: Any) -> dict[str, Any]:
        named = classifier.jax_layers(images) if hasattr(classifier, "jax_layers") else {}
        return named if SCORES in named else {**named, SCORES: classifier.jax_fn(images)}

    return layers


def layer_shapes(classifier: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each layer for one image, [height, width, channels] or [units]; none without `jax_fn`."""
    if not callable(getattr(classifier, "jax_fn", None)):
        return {}
    import jax

    classifier = getattr(classifier, "inner", classifier)  # of a TiledClassifier
    names: list[str] = []  # in order: eval_shape sorts its result by name

    def noting_names(images: Any) -> dict[str, Any]:
        named = layer_function(classifier)(images)
        names.extend(named)
        return named

    described: Any = jax.ShapeDtypeStruct
    shapes = jax.eval_shape(noting_names, described((1, *classifier.input_shape), np.float32))
    return {name: tuple(int(side) for side in shapes[name].shape[1:]) for name in names}


def describe_layer(name: str) -> str:
    """The kind of a layer by its name, '' if unknown."""
    return next((description for start, description in DESCRIPTIONS.items() if name.startswith(start)), "")
