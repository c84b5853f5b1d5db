"""Neuron ablation of built-in networks (as in Neuraldrugs, 2017).

A neuron is a hidden or output unit, a feature map of a convolution (its kernels) or a component of a PCA classifier. Its
incoming weights are replaced, within the range of the weights of its layer; its bias stays. A quantised first layer gets the
finest fixed-point grid that is exact for the new weights. With random weights that grid is coarser, which costs no accuracy
(the bundled network: 98.0 % at 2⁻⁹ and at 2⁻⁵).
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
    """Access to the neurons of a kind of network."""

    neurons: str  # description of the neurons
    take: Callable[[Any], Layers]
    put: Callable[[Any, Layers], Any]  # the network with new weights in these layers


def neurons_of(network: Classifier) -> dict[str, int]:
    """The number of neurons of each layer. Raises UserError for a classifier that is no built-in network."""
    return {name: weights.shape[1] for name, weights in neuron_access(network).take(network).items()}


def neuron_access(network: Classifier) -> NeuronAccess:
    """Access to the neurons of a network. Raises UserError for a classifier that is no built-in network."""
    kind = type(network)
    if kind not in KINDS:
        known = "mnist_mlp, mnist_mlp2, mnist_cnn, mnist_cnn2, or a file of `fooling train` or `fooling eigen`"
        raise UserError(
            f"classifier: expected a built-in network ({known}), got {kind.__name__}, whose weights cannot be changed"
        )
    return KINDS[kind]


def ablate(network: Any, number: int, substance: Ablation, random: np.random.Generator) -> Any:
    """The network with `number` randomly drawn neurons ablated. Raises UserError for more than it has."""
    access = neuron_access(network)
    layers = access.take(network)
    starts = np.cumsum([0, *(weights.shape[1] for weights in layers.values())])
    if not 0 <= number <= starts[-1]:
        raise UserError(f"neurons={number}: expected at most {starts[-1]}, the network's neurons ({access.neurons})")
    neurons = np.sort(random.choice(int(starts[-1]), number, replace=False))
    ablated: Layers = {}
    for (name, weights), start in zip(layers.items(), starts, strict=False):
        columns = neurons[(neurons >= start) & (neurons < start + weights.shape[1])] - start
        if len(columns):
            ablated[name] = weights.copy()
            ablated[name][:, columns] = ABLATIONS[substance](weights, weights[:, columns], random)
    made = f"{network.made}; damaged: {number} of {starts[-1]} neurons, substance={substance}"
    return replace(access.put(network, ablated), made=made)


def random_values(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """Uniform in the range of the layer's weights."""
    return random.uniform(layer.min(), layer.max(), columns.shape)


def add_noise(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """Normal noise of the layer's standard deviation added, clipped to the range of the layer's weights."""
    return np.asarray(np.clip(columns + random.normal(0, layer.std(), columns.shape), layer.min(), layer.max()))


def set_to_zero(layer: Doubles, columns: Doubles, random: np.random.Generator) -> Doubles:
    """All 0."""
    del layer, random
    return np.zeros_like(columns)


ABLATIONS: dict[str, Callable[[Doubles, Doubles, np.random.Generator], Doubles]] = {
    "random": random_values,
    "noise": add_noise,
    "zero": set_to_zero,
}


# --- kinds of networks --------------------------------------------------------------------------------------------------
def first_layer(network: Any) -> Doubles:
    """Weights [P, M] of a quantised first layer."""
    return np.asarray(network.weights1 * 2.0**-network.fraction_bits, dtype=np.float64)


def requantise(network: Any, weights: Any) -> dict[str, Any]:
    """Fields of a network whose first layer has these weights, on the finest grid that is exact for them."""
    fraction_bits, first, bias = round_to_grid(weights, network.bias1 * 2.0**-network.fraction_bits / 255)
    return {"fraction_bits": fraction_bits, "weights1": first, "bias1": bias}


def take_dense(network: DenseNetwork) -> Layers:
    """Hidden and output units."""
    rest = {f"weights{i}": weights.astype(np.float64) for i, (weights, _) in enumerate(network.later_layers, 2)}
    return {"weights1": first_layer(network), **rest}


def put_dense(network: DenseNetwork, layers: Layers) -> DenseNetwork:
    """The network with new weights."""
    fields = requantise(network, layers["weights1"]) if "weights1" in layers else {}
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
    """The network with new weights."""
    new = {name: weights.astype(np.float32).reshape(network.layers[name].shape) for name, weights in layers.items()}
    return replace(network, layers={**network.layers, **new})


def take_pca(network: PcaClassifier) -> Layers:
    """Principal components."""
    return {"eigen": columns(network.eigen.reshape(-1, network.eigen.shape[2]).T) / EIGEN_ONE}


def put_pca(network: PcaClassifier, layers: Layers) -> PcaClassifier:
    """The classifier with new components."""
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
