"""The scores of an external model as a JAX function: for `engine=jax` where the model is one itself, and for gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fooling.classifiers.adapters.adapter import AdaptedClassifier
from fooling.classifiers.adapters.conversion import LAYOUTS, Output, Preprocessing
from fooling.classifiers.gradients import raising_failures, scores_function, through_callbacks
from fooling.kernels.tables import Floats


def scores_in_jax(classifier: AdaptedClassifier, model: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function images [N, H, W, C] of grey levels, uint8 or float32 → scores float32 [N, K], of a model in JAX."""
    output, total = classifier.output, classifier.reading.total
    order = np.array(classifier.order or range(classifier.num_classes))

    def jax_fn(images: Any) -> Any:
        answer = jnp.asarray(model(inputs_in_jax(classifier.inputs, images)))
        answer = answer.reshape(len(images), -1).astype(jnp.float32) / total
        return as_scores(of_classes(answer, output)[:, order], output)

    return jax_fn


def scores_by_callbacks(classifier: AdaptedClassifier) -> Callable[[Any], Any]:
    """The same of a model that tells its gradients itself: preprocessing and the meaning of its output are in JAX."""
    model: Any = classifier.model
    one = classifier.inputs(np.zeros((1, *classifier.input_shape), dtype=np.uint8))
    numbers = np.asarray(in_batches(classifier, model.predict, one)).size

    def forward(inputs: Any) -> Any:
        return in_batches(classifier, model.predict, inputs)

    def backward(inputs: Any, weights: Any) -> Any:
        return in_batches(classifier, model.pull, inputs, weights)

    return scores_in_jax(classifier, through_callbacks(forward, backward, numbers))


def in_batches(classifier: AdaptedClassifier, function: Callable[..., Any], *arrays: Any) -> Any:
    """A function of arrays [N, …] in batches that the model takes: halved after a failure, filled up to a fixed size."""
    size, start, found = classifier.batch_size, 0, []
    while start < len(arrays[0]):
        parts = [array[start : start + size] for array in arrays]
        number = len(parts[0])
        missing = size - number if classifier.fixed else 0
        filled = [np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) for part in parts]
        try:
            found.append(np.asarray(function(*filled))[:number])
        except classifier.model.halve_after:
            if classifier.fixed or number < 2:
                raise
            size = number // 2
            continue
        start += number
    return np.concatenate(found)


def gradient_of(classifier: AdaptedClassifier) -> Callable[[Floats, Floats], Floats]:
    """Images float32 [N, H, W, C] of grey levels, weights float32 [N, K] → the gradient of Σ weights · scores."""
    scores = scores_function(classifier)

    def gradient(images: Floats, weights: Floats) -> Floats:
        with raising_failures():
            _, pulled = jax.vjp(scores, jnp.asarray(images, jnp.float32))
            return np.asarray(pulled(jnp.asarray(weights, jnp.float32))[0])

    return gradient


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
