"""Built-in networks with some of their neurons damaged (as in Neuraldrugs, 2017).

A neuron is whatever has incoming weights of its own: a hidden or output unit, a feature map of a convolution (its kernels), an
eigen-image of a PCA classifier. Its incoming weights are replaced, within the range that the weights of its layer have; its
bias stays. A first layer on a lattice goes onto the finest lattice that is exact for it (`networks.rounded`): with a neuron of
random weights that is a coarser one, by which the bundled network loses nothing (98.0 % right at 2⁻⁹ as at 2⁻⁵).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.classifiers.dense import DenseNetwork, round_to_grid
from fooling.classifiers.pca import PcaClassifier
from fooling.errors import UserError
from fooling.kernels.tables import Doubles
from fooling.statistics.pca import EIGEN_ONE

Layers = dict[str, Doubles]  # weights [in, out] by name: a column a neuron
Ablation = Literal["random", "noise", "zero"]


class NeuronAccess(NamedTuple):
    """How the neurons of a kind of network are reached."""

    neurons: str  # what they are, in words
    take: Callable[[Any], Layers]
    put: Callable[[Any, Layers], Any]  # the network with other weights; those of layers left out stay


def neurons_of(network: Classifier) -> dict[str, int]:
    """How many neurons each layer has. Refuses a classifier whose weights are out of reach."""
    return {name: weights.shape[1] for name, weights in neuron_access(network).take(network).items()}


def neuron_access(network: Classifier) -> NeuronAccess:
    """How to reach the neurons of a network."""
    kind = type(network)
    if kind not in KINDS:
        known = "mnist_mlp, mnist_mlp2, mnist_cnn, mnist_cnn2, or a file of `fooling train` or `fooling eigen`"
        raise UserError(
            f"the weights of this classifier ({kind.__name__}) are out of reach; networks that can be damaged: {known}"
        )
    return KINDS[kind]


def ablate(network: Any, number: int, substance: Ablation, random: np.random.Generator) -> Any:
    """The network with `number` of its neurons, drawn at random, damaged; at most all of them."""
    how = neuron_access(network)
    layers = how.take(network)
    starts = np.cumsum([0, *(weights.shape[1] for weights in layers.values())])
    if not 0 <= number <= starts[-1]:
        raise UserError(f"neurons={number}: the network has {starts[-1]} neurons ({how.neurons})")
    chosen = np.sort(random.choice(int(starts[-1]), number, replace=False))
    hurt: Layers = {}
    for (name, weights), start in zip(layers.items(), starts, strict=False):
        columns = chosen[(chosen >= start) & (chosen < start + weights.shape[1])] - start
        if len(columns):
            hurt[name] = weights.copy()
            hurt[name][:, columns] = ABLATIONS[substance](weights, weights[:, columns], random)
    made = f"{network.made}; damaged: {number} of {starts[-1]} neurons, substance={substance}"
    return replace(how.put(network, hurt), made=made)


def random_values(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """Drawn evenly from the layer's range."""
    return random.uniform(layer.min(), layer.max(), columns.shape)


def add_noise(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """With normal noise of the layer's standard deviation added, cut to the layer's range."""
    return np.asarray(np.clip(columns + random.normal(0, layer.std(), columns.shape), layer.min(), layer.max()))


def set_to_zero(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """0."""
    del layer, random
    return np.zeros_like(columns)


ABLATIONS: dict[str, Callable[[Doubles, Doubles, np.random.Generator], Doubles]] = {
    "random": random_values,
    "noise": add_noise,
    "zero": set_to_zero,
}


# --- kinds of networks --------------------------------------------------------------------------------------------------
def first_layer(network: Any) -> Doubles:
    """Weights [P, M] of a first layer on a lattice."""
    return np.asarray(network.weights1 * 2.0**-network.fraction_bits, dtype=np.float64)


def relaid(network: Any, weights: Any) -> dict[str, Any]:
    """Fields of a network whose first layer has these weights, on the finest lattice that is exact for them."""
    fraction_bits, first, bias = round_to_grid(weights, network.bias1 * 2.0**-network.fraction_bits / 255)
    return {"fraction_bits": fraction_bits, "weights1": first, "bias1": bias}


def take_dense(network: DenseNetwork) -> Layers:
    """Hidden and output units."""
    rest = {f"weights{i}": weights.astype(np.float64) for i, (weights, _) in enumerate(network.later_layers, 2)}
    return {"weights1": first_layer(network), **rest}


def put_dense(network: DenseNetwork, layers: Layers) -> DenseNetwork:
    """With other weights."""
    fields = relaid(network, layers["weights1"]) if "weights1" in layers else {}
    new = [
        (layers.get(f"weights{i}", weights).astype(np.float32), bias)
        for i, (weights, bias) in enumerate(network.later_layers, 2)
    ]
    return replace(network, **fields, later_layers=tuple(new))


CONVOLUTIONAL = ("kernels1", "kernels2", "weights3", "weights4")


def take_convolutional(network: ConvolutionalNetwork) -> Layers:
    """Feature maps, hidden and output units."""
    return {name: columns(network.layers[name]) for name in CONVOLUTIONAL}


def columns(weights: npt.NDArray[Any]) -> Doubles:
    """Weights [..., out] as [in, out]."""
    return np.asarray(weights.reshape(-1, weights.shape[-1]), dtype=np.float64)


def put_convolutional(network: ConvolutionalNetwork, layers: Layers) -> ConvolutionalNetwork:
    """With other weights."""
    new = {name: weights.astype(np.float32).reshape(network.layers[name].shape) for name, weights in layers.items()}
    return replace(network, layers={**network.layers, **new})


def take_pca(network: PcaClassifier) -> Layers:
    """Eigen-images."""
    return {"eigen": columns(network.eigen.reshape(-1, network.eigen.shape[2]).T) / EIGEN_ONE}


def put_pca(network: PcaClassifier, layers: Layers) -> PcaClassifier:
    """With other eigen-images."""
    if "eigen" not in layers:
        return network
    return replace(network, eigen=np.rint(layers["eigen"].T * EIGEN_ONE).astype(np.int16).reshape(network.eigen.shape))


KINDS: dict[type, NeuronAccess] = {
    DenseNetwork: NeuronAccess("hidden and output units", take_dense, put_dense),
    ConvolutionalNetwork: NeuronAccess(
        "feature maps of both convolutions, hidden and output units", take_convolutional, put_convolutional
    ),
    PcaClassifier: NeuronAccess("eigen-images", take_pca, put_pca),
}
