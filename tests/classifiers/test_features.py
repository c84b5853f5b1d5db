"""Features: the last hidden layer of every kind of network, named layers, and what is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import convolutional, random_dense, random_images, random_network, random_pca
from models import Toy, toy, write_onnx, write_torch
from pairwise import rare

from fooling.classifiers import load_classifier
from fooling.classifiers.adapters import layers
from fooling.classifiers.base import CountingClassifier, NamedClassifier, predict_logits
from fooling.classifiers.features import BEFORE_LAST, MOST, PIXELS, Features, find_features
from fooling.classifiers.layers import layer_function
from fooling.classifiers.queries import Bill, QueriedClassifier
from fooling.classifiers.votes import NoisyCopies
from fooling.errors import UserError

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
SHAPE = (8, 8, 1)
IMAGES = random_images(SHAPE, 20)


def features_of(classifier: object, layer: str | None = None) -> Features:
    found, why = find_features(classifier, layer)
    assert found is not None, why
    return found


@pytest.mark.parametrize(
    ("network", "layer", "size"),
    [
        rare(random_network(SHAPE), "sigmoid1", 12, name=lambda value: type(value).__name__),
        rare(convolutional(SHAPE), "relu3", 6, name=lambda value: type(value).__name__),
        (random_dense(SHAPE, (12, 9)), "relu2", 9),
        (random_dense(SHAPE, ()), PIXELS, 64),
    ],
)
def test_the_last_hidden_layer_is_the_usual_one(network: object, layer: str, size: int) -> None:
    found = features_of(network)
    assert (found.layer, found(IMAGES).shape) == (layer, (24, size))
    if layer != PIXELS:
        assert found(IMAGES) == pytest.approx(np.asarray(layer_function(network)(IMAGES.astype(np.float32))[layer]), abs=1e-4)
    alone = np.concatenate([found(IMAGES[i : i + 1]) for i in range(len(IMAGES))])
    assert found(IMAGES) == pytest.approx(alone, abs=1e-5)
    assert features_of(CountingClassifier(network)).layer == layer  # type: ignore[arg-type]


@pytest.mark.exhaustive
def test_a_layer_with_places_is_its_mean_over_them() -> None:
    network = convolutional(SHAPE)
    found = features_of(network, "pool1")(IMAGES)
    assert found == pytest.approx(np.asarray(network.jax_layers(IMAGES)["pool1"]).mean(axis=(1, 2)), abs=1e-4)


def test_what_a_program_gives_as_features_counts() -> None:
    given = Toy(features=lambda x: x.reshape(len(x), -1)[:, :3])
    assert features_of(given)(IMAGES[:, :2, :2]).shape == (24, 3)
    broken = Toy(features=lambda x: np.full((len(x), 2), np.nan))
    with pytest.raises(UserError, match=r"features.*finite"):
        features_of(broken)(IMAGES)
    wide = Toy(features=lambda x: np.zeros((len(x), MOST + 1)))
    with pytest.raises(UserError, match=f"expected at most {MOST} activations an image, got {MOST + 1}"):
        features_of(wide)(IMAGES)


def test_a_classifier_without_layers_says_so() -> None:
    for classifier in (Toy(), random_pca(SHAPE, "means")[0]):
        found, why = find_features(classifier)
        assert found is None
        assert "layers" in why
    with pytest.raises(UserError, match="layer=relu1"):
        find_features(Toy(), "relu1")


def test_an_unknown_layer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"layer=relu9.*pixels.*relu2.*logits") as error:
        find_features(random_dense(SHAPE, (12, 9)), "relu9")
    assert "\n" not in str(error.value)


def test_layers_lie_behind_other_names_and_counts_but_not_behind_a_bill() -> None:
    network = toy()
    network.model = replace(network.model, layer=lambda name: lambda inputs: np.asarray(inputs).reshape(len(inputs), -1)[:, :5])
    images = random_images(network.input_shape, 3)
    plain = features_of(network)(images)
    assert np.array_equal(features_of(CountingClassifier(NamedClassifier(network, network.labels)))(images), plain)
    priced = QueriedClassifier(network, NoisyCopies(1, 1.0), 1, Bill(0.5), "probability")
    for classifier in (priced, CountingClassifier(priced)):
        assert find_features(classifier) == (None, "none, with classifier.price, cache, samples or votes")
        with pytest.raises(UserError, match=r"layer=r3: none, with classifier\.price"):
            find_features(classifier, "r3")


def last_hidden(images: np.ndarray) -> np.ndarray:
    network = load_classifier("mnist_cnn")
    return np.asarray(network.jax_layers(images)["relu3"])  # type: ignore[attr-defined]


def test_an_inner_output_of_an_onnx_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, images = write_onnx(tmp_path / "lenet.onnx"), random_images((28, 28, 1), 3)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    classifier = load_classifier("onnx", str(path))
    named, usual = features_of(classifier, "r3"), features_of(classifier)
    assert usual.layer == BEFORE_LAST
    assert named(images) == pytest.approx(last_hidden(images), abs=1e-3)
    assert np.array_equal(named(images), usual(images))
    assert features_of(classifier, "p1")(images).shape == (7, load_classifier("mnist_cnn").layers["bias1"].size)  # type: ignore[attr-defined]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert predict_logits(classifier, images) is not None
    with pytest.raises(UserError, match=r"layer=r9.*r3"):
        find_features(classifier, "r9")
    monkeypatch.setattr(layers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"inner outputs of an ONNX model need onnx: pip install '\.\[onnx\]'"):
        find_features(classifier, "r3")


@needs_torch
@pytest.mark.exhaustive
def test_a_layer_of_a_torch_module(tmp_path: Path) -> None:
    weights = str(write_torch(tmp_path / "w.safetensors"))
    classifier = load_classifier("torch", "models:make_module", weights=weights, shape=(28, 28, 1))
    images = random_images((28, 28, 1), 3)
    assert features_of(classifier)(images) == pytest.approx(last_hidden(images), abs=1e-3)
    assert features_of(classifier, "8")(images) == pytest.approx(last_hidden(images), abs=1e-3)
    with pytest.raises(UserError, match=r"layer=nowhere.*8"):
        find_features(classifier, "nowhere")


@needs_torch
def test_layers_of_a_torch_module_that_give_no_features() -> None:
    class Pair(torch.nn.Module):
        def forward(self, images: object) -> tuple[object, int]:
            return images.mean((2, 3)), 0  # type: ignore[attr-defined]

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.idle = Pair(), torch.nn.ReLU()

        def forward(self, images: object) -> object:
            return self.pair(images)[0]

    classifier, images = load_classifier(Net(), shape=(4, 5, 3)), random_images((4, 5, 3), 2)
    found, why = find_features(classifier)
    assert found is None
    assert "the module has no linear layer" in why
    for name, got in (("pair", "tuple"), ("idle", "none, as the module does not call it")):
        with pytest.raises(UserError, match=f"layer={name}: expected a layer that returns a tensor, got {got}"):
            features_of(classifier, name)(images)
