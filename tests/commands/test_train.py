"""`fooling train`: every kind of network, trained on scikit-learn's digits, and the files that it writes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairwise import pairwise, rare
from PIL import Image

import fooling
from fooling import load_classifier
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.classifiers.dense import DenseNetwork
from fooling.classifiers.training import GAP, Training, confusion_matrix, mean_gap, train_dense, train_perceptron
from fooling.commands import dispatch
from fooling.commands.train import TRAINERS
from fooling.data import ImageSet, load_data
from fooling.errors import UserError, guarded
from fooling.plots.evaluation import confusion_chart
from fooling.records.files import read_json
from fooling.settings.choices import choices

# Words for a quick training of each kind, and the test accuracy that it must reach; of random weights it is about 0.1.
QUICK: dict[str, tuple[list[str], float, type]] = {
    "softmax": (["epochs=5"], 0.85, DenseNetwork),
    "perceptron": (["epochs=2"], 0.85, DenseNetwork),
    "mlp": (["epochs=5", "hidden=20,15", "activation=relu"], 0.85, DenseNetwork),
    "cnn": (["epochs=12", "batch=50", "hidden=24", "channels=6,12", "kernel=3"], 0.85, ConvolutionalNetwork),
    "mnist_mlp": (["epochs=12", "hidden=20", "batch=20"], 0.85, DenseNetwork),
}
ONCE = Training(epochs=2, batch=50, learning_rate=0.5, decay=1e-4, seed=1)


def train(*words: str) -> int:
    return guarded(dispatch, ["train", "data.kind=sklearn", *words])


def few(number: int = 300) -> ImageSet:
    data = load_data(None, "sklearn")
    return replace(data, images=data.images[:number], labels=data.labels[:number])


def test_every_choice_is_a_kind_and_can_be_loaded() -> None:
    from fooling.classifiers import CLASSIFIERS
    from fooling.classifiers.adapters import ADAPTERS

    assert sorted([*TRAINERS, "pca"]) == sorted(CLASSIFIERS)  # which `fooling eigen` fits
    assert sorted([*CLASSIFIERS, *ADAPTERS, "ensemble"]) == choices("classifier")


@pytest.mark.parametrize("name", [name if name == "softmax" else rare(name) for name in QUICK])
def test_each_kind_learns_is_told_of_and_can_be_fooled(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    words, least, kind = QUICK[name]
    assert train(f"classifier={name}", *words, "out=n.safetensors") == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == ["n.json", "n.safetensors", "n_confusion.png"]
    network, told = load_classifier(name, "n.safetensors"), read_json(Path("n.json"))
    assert isinstance(network, kind)
    test = load_data(None, "sklearn", "test")
    counts = confusion_matrix(network, test)
    assert least < np.trace(counts) / counts.sum() == told["accuracy"]
    assert told["confusion"] == counts.tolist()
    assert np.sum(told["confusion"], axis=1).tolist() == np.bincount(test.labels).tolist()
    assert told["class_accuracy"] == pytest.approx(counts.diagonal() / counts.sum(axis=1))
    assert (told["classes"], told["fingerprint"], told["made"]) == (list(network.labels), network.fingerprint, network.made)
    assert (told["settings"]["classifier"]["name"], told["seed"], told["data"]) == (name, 0, "scikit-learn's digits")
    assert f"{100 * told['accuracy']:.2f} %" in said
    assert all(f"    {label}  " in said for label in network.labels)
    assert f"classifier={name}" in network.made
    with Image.open("n_confusion.png") as picture:
        assert min(picture.size) > 300
    common: dict[str, Any] = {"runs": 2, "digit": 3, "population": 10, "seed": 1, "quiet": True}
    common |= {"classifier.path": "n.safetensors", "data.kind": "sklearn", "prior": "none"}
    engines = ("numba", "reference", "jax") if name in ("mlp", "cnn") else ("numba", "reference")
    found = {engine: fooling.evolve(**common, generations=3, engine=engine) for engine in engines}
    for result in found.values():
        assert np.array_equal(result.scores, network(result.images))
        assert result.confidence == pytest.approx(found["reference"].confidence, abs=1e-4)


def test_a_perceptron_can_be_made_sure(home: Path) -> None:
    assert train("classifier=perceptron", "out=n.safetensors", "quiet=true") == 0
    words: dict[str, Any] = {"classifier.path": "n.safetensors", "data.kind": "sklearn", "quiet": True, "digit": 8}
    result = fooling.evolve(**words, prior="none", runs=3, generations=200, threshold=0.999)
    assert result.converged.all()


def test_existing_files_are_refused_one_and_all(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["classifier=softmax", "epochs=1", "out=n.safetensors", "quiet=true"]
    for name in ("n.safetensors", "n.json", "n_confusion.png"):
        Path(name).write_text("mine")
        assert train(*words) == 2
        assert f"out={name}: exists already, and is no file of this command; give another name" in capsys.readouterr().err
        assert [(path.name, path.read_text()) for path in home.iterdir()] == [(name, "mine")]
        Path(name).unlink()
    Path("n.json").write_text("mine")
    assert train(*words, "overwrite=true") == 0
    assert len(json.loads(Path("n.json").read_text())["confusion"]) == 10
    for name in ("n.safetensors", "n.json", "n_confusion.png"):
        assert train(*words) == 2
        assert f"out={name}: exists already; overwrite=true replaces it" in capsys.readouterr().err
        Path(name).unlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier=onnx"], "classifier=onnx: is not trained here; expected one of mnist_mlp, "),
        (["classifier=mlp", "hidden=0"], "hidden: expected a whole number from 1 to 4096, or at most 16 of them"),
        (["classifier=mlp", "hidden=100,0"], "such as 100,50, got [100, 0]"),
        (["classifier=mlp", "hidden=[]"], "hidden: expected a whole number from 1 to 4096"),
        (["classifier=mlp", "hidden=many"], "such as 100,50, got many"),
        (["classifier=mlp", "hidden=5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5"], "at most 16 of them"),
        (["classifier=mlp", "hidden=null"], "classifier=mlp needs hidden, got null"),
        (["classifier=mlp", "activation=foo"], "activation: expected one of 'sigmoid' or 'relu', got foo"),
        (["classifier=softmax", "hidden=5"], "hidden is not a setting of classifier=softmax, but of mnist_mlp, "),
        (["classifier=perceptron", "decay=0.1"], "decay is not a setting of classifier=perceptron, but of "),
        (
            ["classifier=mlp", "average=true"],
            "average is not a setting of classifier=mlp, but of digits_perceptron, perceptron; got average=true",
        ),
        (["channels=1,2"], "channels is not a setting of classifier=mnist_mlp, but of mnist_cnn, mnist_cnn2, cnn; got"),
        (["classifier=cnn", "hidden=5,6"], "hidden: classifier=cnn has one hidden layer, expected one number, got [5, 6]"),
        (["hidden=5,6"], "hidden: classifier=mnist_mlp has one hidden layer"),
        (["classifier=perceptron", "learning_rate=1e-9"], "too small for the fixed-point grid; give a larger learning_rate"),
        (
            ["classifier=perceptron", "learning_rate=1e9"],
            "train with more weight decay or a smaller",
        ),
        (["classifier=perceptron", "learning_rate=1e38"], "the perceptron's weights are not finite; give a smaller"),
    ],
    ids=str,
)
def test_refusals(home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert train(*words, "epochs=2", "quiet=true") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert list(home.iterdir()) == []


def test_too_few_images_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.zeros((8, 9, 9, 3), np.uint8)
    for labels, message in (
        ([0, 2] * 4, "no images in split=test"),
        ([0, 2, 2, 2, 2, 2, 2, 2], "class 1 has no images in a.npz"),
    ):
        np.savez("a.npz", images=images, labels=np.array(labels))
        assert guarded(dispatch, ["train", "classifier=softmax", "data.path=a.npz", "epochs=1"]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(("shape", "name"), pairwise([(2, 3, 1), (32, 32, 3)], ["softmax", "perceptron", "mlp"]))
def test_images_of_any_size_and_colour(shape: tuple[int, int, int], name: str) -> None:
    labels = np.arange(60) % 2
    images = (np.random.default_rng(0).integers(0, 100, (60, *shape)) + 120 * labels[:, None, None, None]).astype(np.uint8)
    data = ImageSet(images, labels, ("dark", "light"), "made")
    trainers = {
        "softmax": lambda: train_dense(data, replace(ONCE, epochs=30, batch=10, learning_rate=0.1)),
        "perceptron": lambda: train_perceptron(data, replace(ONCE, epochs=30), average=True),
        "mlp": lambda: train_dense(data, replace(ONCE, epochs=30, batch=10, learning_rate=0.1), hidden=(9,), activation="relu"),
    }
    network = trainers[name]()
    assert network.input_shape == shape
    assert (network(images).argmax(axis=1) == labels).mean() > 0.95


@pytest.mark.parametrize("average", [False, True])
def test_the_perceptron_follows_its_rule(average: bool) -> None:
    data = few(60)
    network = train_perceptron(data, replace(ONCE, epochs=1), average=average)
    import jax

    key_order, _ = jax.random.split(jax.random.fold_in(jax.random.key(ONCE.seed), 0))
    weights, total = np.zeros((10, 65)), np.zeros((10, 65))
    for i in np.asarray(jax.random.permutation(key_order, 60)):
        pixels = np.append(data.images[i].reshape(-1) / 255, 1)
        found = (weights @ pixels).argmax()
        if found != data.labels[i]:
            weights[data.labels[i]] += 0.5 * pixels
            weights[found] -= 0.5 * pixels
        total += weights
    wanted = total / 60 if average else weights
    assert network.weights1.T / 2.0**network.fraction_bits == pytest.approx(
        wanted[:, :-1], abs=0.51 / 2.0**network.fraction_bits
    )
    assert mean_gap(network, data) == pytest.approx(GAP, rel=1e-5)
    sums = data.images.reshape(60, -1) / 255 @ wanted[:, :-1].T + wanted[:, -1]
    assert (network(data.images).argmax(axis=1) == sums.argmax(axis=1)).mean() > 0.95


def test_a_perceptrons_scores_do_not_depend_on_its_rate() -> None:
    data = few()
    one, four = (train_perceptron(data, replace(ONCE, learning_rate=rate), average=False) for rate in (0.5, 2.0))
    assert four.temperature == pytest.approx(4 * one.temperature)
    assert four(data.images) == pytest.approx(one(data.images), abs=1e-6)


@pytest.mark.parametrize("name", [rare("softmax"), rare("perceptron"), rare("mlp")])
def test_training_is_seeded(name: str) -> None:
    def trained(seed: int) -> str:
        training = replace(ONCE, seed=seed, shift=1)
        if name == "perceptron":
            return train_perceptron(few(), training, average=True).fingerprint
        return train_dense(
            few(), training, **({"hidden": (5, 4), "activation": "sigmoid"} if name == "mlp" else {})
        ).fingerprint

    assert trained(1) == trained(1) != trained(2)


@pytest.mark.parametrize("classes", [2, 30, 90])
def test_the_picture_takes_many_classes_and_any_name(classes: int) -> None:
    from io import BytesIO

    names = ["$a_{b}$", "猫", "x" * 200, *map(str, range(classes))][:classes]
    with Image.open(BytesIO(confusion_chart(np.eye(classes, dtype=np.int64) * 12345, names, "of $1 and $2"))) as picture:
        assert 300 < picture.width < 2600
        assert len(set(picture.convert("L").get_flattened_data())) > 10


def test_an_empty_row_is_no_error() -> None:
    assert confusion_chart(np.array([[0, 0], [1, 2]]), ["a", "b"], "t").startswith(b"\x89PNG")
    with pytest.raises(UserError, match="class 5 has no images"):
        load_all_but_five()


def load_all_but_five() -> None:
    from fooling.data import refuse_empty_classes

    data = few()
    kept = data.labels != 5
    refuse_empty_classes(replace(data, images=data.images[kept], labels=data.labels[kept]))
