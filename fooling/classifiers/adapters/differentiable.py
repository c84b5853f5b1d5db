"""The scores of an external model that is a JAX function: for `engine=jax`, and for searches that follow gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fooling.classifiers.adapters.adapter import AdaptedClassifier
from fooling.classifiers.adapters.conversion import LAYOUTS, Output, Preprocessing


def scores_in_jax(classifier: AdaptedClassifier) -> Callable[[Any], Any]:
    """The function images [N, H, W, C] of grey levels, uint8 or float32 → scores float32 [N, K], of a model with `jax_fn`."""
    model: Any = classifier.model.jax_fn
    output, total = classifier.output, classifier.reading.total
    order = np.array(classifier.order or range(classifier.num_classes))

    def jax_fn(images: Any) -> Any:
        answer = jnp.asarray(model(inputs_in_jax(classifier.inputs, images)))
        answer = answer.reshape(len(images), -1).astype(jnp.float32) / total
        return as_scores(of_classes(answer, output)[:, order], output)

    return jax_fn


def inputs_in_jax(inputs: Preprocessing, images: Any) -> Any:
    """The preprocessing of images [N, H, W, C]: of whole levels by its table, to the bit; of others by its formula."""
    images = images[..., ::-1] if inputs.channels == "BGR" else images
    images = images.swapaxes(1, 2) if inputs.transpose else images
    table = inputs.table
    if jnp.issubdtype(images.dtype, jnp.integer):
        columns = [jnp.asarray(row)[images[..., c if len(table) > 1 else slice(None)]] for c, row in enumerate(table)]
        scaled = jnp.stack(columns, axis=-1) if len(table) > 1 else columns[0]
    else:
        mean, std = (jnp.asarray(values, jnp.float32) for values in (inputs.mean, inputs.std))
        scaled = ((images * inputs.scale - mean) / std).astype(table.dtype)
    return LAYOUTS[inputs.layout](scaled)


def of_classes(answer: Any, output: Output) -> Any:
    """Numbers [N, K]; of one number an image, the score of the second of two classes, two."""
    if answer.shape[1] != 1:
        return answer
    if output == "probability":
        return jnp.concatenate([1 - answer, answer], axis=1)
    part = 1.0 if output == "sigmoid" else 0.5
    return jnp.concatenate([-part * answer, part * answer], axis=1)


def as_scores(numbers: Any, output: Output) -> Any:
    """Scores in [0, 1] of numbers [N, K]."""
    if output == "probability":
        return jnp.clip(numbers, 0, 1)
    return jax.nn.sigmoid(numbers) if output == "sigmoid" else jax.nn.softmax(numbers, axis=1)
