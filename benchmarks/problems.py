"""The problems that the benchmarks run: real statistics where the package brings them, synthetic ones for other image sizes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fooling.classifiers import ASSETS, load_network
from fooling.classifiers.base import Classifier
from fooling.classifiers.dense import SIGMOID, DenseNetwork, quantize
from fooling.data import ImageSet
from fooling.run import prepare
from fooling.search import Search
from fooling.search.job import make_search
from fooling.settings import load
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

# Problem 2015: the operators of 2015, lags and axes right, the histogram in the cost, no stopping.
OPERATORS_2015 = (
    "preset=blog2015",
    "prior.quirk_lag1=false",
    "prior.quirk_axes=false",
    "prior.weights.histogram=1",
    "tol=null",
    "stop=end",
    "returns=best",
)
Shape = tuple[int, int, int]


class Constant:
    """A classifier that costs nothing: what remains is breeding and the prior."""

    input_shape, num_classes, fingerprint = (28, 28, 1), 10, "constant"
    labels = tuple(map(str, range(10)))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The same scores for every image."""
        return np.full((len(images), 10), 0.1, dtype=np.float32)


def of_width(hidden: int) -> DenseNetwork:
    """The bundled network with fewer units, those that say most, or with each unit several times and its say divided."""
    base = load_network(ASSETS / "mnist_mlp.safetensors")
    times = max(1, hidden // len(base.bias1))
    ((output, bias),) = base.later_layers
    order = np.argsort(-np.abs(output).sum(axis=1), kind="stable")[: hidden // times]
    units = np.tile(order, times)
    return replace(
        base,
        weights1=np.ascontiguousarray(base.weights1[:, units]),
        bias1=base.bias1[units],
        later_layers=((output[units] / np.float32(times), bias),),
    )


def of_shape(shape: Shape) -> DenseNetwork:
    """The bundled network for other images: its weights stretched to their size and spread over the channels."""
    base = load_network(ASSETS / "mnist_mlp.safetensors")
    weights = base.weights1.reshape(28, 28, -1) * 2.0**-base.fraction_bits
    rows, columns = (np.arange(side) * 28 // side for side in shape[:2])
    stretched = weights[rows][:, columns] * (28 * 28 / np.prod(shape))
    layers = {
        "weights1": np.repeat(stretched[:, :, None], shape[2], axis=2).reshape(int(np.prod(shape)), -1),
        "bias1": base.bias1 * 2.0**-base.fraction_bits / 255,
        "weights2": base.later_layers[0][0],
        "bias2": base.later_layers[0][1],
    }
    layers = {name: value.astype(np.float32) for name, value in layers.items()}
    made = "the bundled network, stretched; for benchmarks"
    return quantize(layers, shape, base.labels, "sigmoid", SIGMOID, made=made)


def clouds(shape: Shape, lags: int = 14, seed: int = 0) -> Statistics:
    """Statistics of smooth random pictures, dark at half of the places."""
    random = np.random.default_rng(seed)
    pictures = random.normal(size=(40, *shape))
    for axis in (1, 2):
        for _ in range(3):
            pictures = pictures + np.roll(pictures, 1, axis=axis)
    pictures = np.clip(pictures / pictures.std() * 100, 0, 255).astype(np.uint8)
    data = ImageSet(pictures, np.arange(40) % 10, tuple(map(str, range(10))), "clouds")
    return Statistics.fit(data, bins=10, lags=min(lags, min(shape[:2]) - 1))


# name → (settings, classifier, statistics); None: the bundled ones
PROBLEMS: dict[str, tuple[tuple[str, ...], Callable[[], Classifier] | None, Callable[[], Statistics] | None]] = {
    "2015": (OPERATORS_2015, None, None),
    "default": ((), None, None),
    "30 hidden units": (OPERATORS_2015, lambda: of_width(30), None),
    "300 hidden units": (OPERATORS_2015, lambda: of_width(300), None),
    "32×32×3": (OPERATORS_2015, lambda: of_shape((32, 32, 3)), lambda: clouds((32, 32, 3))),
    "constant classifier": (OPERATORS_2015, Constant, None),
}


def problem(name: str, *words: str) -> Search:
    """An engine that is ready to run a problem; `words` are settings."""
    settings, classifier, statistics = PROBLEMS[name]
    return engine([*settings, *words], classifier and classifier(), statistics and statistics())


def engine(words: list[str], classifier: Any = None, statistics: Any = None) -> Search:
    """An engine for a job of one digit; later words win."""
    chosen = {word.partition("=")[0]: word for word in words}
    (job,) = prepare(load(list(chosen.values()), RunSettings, "run"), classifier, statistics)
    return make_search(job)


def of_size(side: int, *words: str, lags: int = 14) -> Search:
    """Problem 2015 on square grey images of another size."""
    shape = (side, side, 1)
    return engine([*OPERATORS_2015, *words, f"lags={lags}"], of_shape(shape), clouds(shape, lags))


def compile_kernels(of: Search) -> None:
    """A few generations of two runs: children both whole and by difference."""
    state = of.init(np.arange(2, dtype=np.uint32))
    for _ in range(3):
        state = of.step(state)
    alike = np.repeat(state.images[:, :1], state.images.shape[1], axis=1)
    of.step(of.step(replace(state, images=alike, statistics={})))
