"""`fooling.Classifier.from_…` and `fooling.evolve(model, data)`: models of any framework as objects or files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frameworks import IMAGES, expected, keras_model
from models import Toy, make_module, write_onnx
from sklearn.linear_model import LogisticRegression

import fooling
from fooling.classifiers.adapters import ADAPTERS
from fooling.classifiers.constructors import Constructors
from fooling.data import load_data
from fooling.errors import UserError
from fooling.records.record import read_run

SMALL: dict[str, Any] = {"runs": 2, "generations": 2, "population": 6, "selected": 2, "prior": "none", "quiet": True}


def digits() -> tuple[Any, Any]:
    data = load_data(None, "sklearn")
    return LogisticRegression(max_iter=200).fit(data.images.reshape(len(data.images), -1) / 255, data.labels), data


def test_there_is_one_for_each_kind() -> None:
    names = {name.removeprefix("from_") for name in vars(Constructors) if name.startswith("from_")}
    assert {"python" if name == "function" else name for name in names} == set(ADAPTERS)
    assert not any(hasattr(Toy(), f"from_{name}") for name in names)  # they are no part of the protocol


def test_an_estimator() -> None:
    estimator, data = digits()
    classifier = fooling.Classifier.from_sklearn(estimator, shape=(8, 8, 1))
    assert classifier(data.images[:5]) == pytest.approx(estimator.predict_proba(data.images[:5].reshape(5, -1) / 255), abs=1e-5)


def test_a_classifier_is_shown_in_brief_and_asks_for_a_batch() -> None:
    classifier = fooling.Classifier.from_sklearn(digits()[0], shape=(8, 8, 1))
    assert repr(classifier) == "AdaptedClassifier(classifier: object LogisticRegression: 8×8×1, 10 classes)"
    for wrong, got in (
        (np.zeros((8, 8, 1), np.uint8), r"uint8 \[8, 8, 1\]"),
        (np.zeros((2, 8, 8, 1)), r"float64 \[2, 8, 8, 1\]"),
        ([[0]], r"list \[1, 1\]"),
    ):
        with pytest.raises(UserError, match=rf"expected an array of images uint8 \[N, 8, 8, 1\], .*; got {got}"):
            classifier(wrong)  # type: ignore[arg-type]


def test_a_function() -> None:
    def function(inputs: np.ndarray) -> np.ndarray:
        return np.asarray(inputs.mean(axis=(1, 2)) @ np.eye(1, 3))

    classifier = fooling.Classifier.from_function(function, shape=(4, 4, 1), labels=["a", "b", "c"])
    assert classifier.labels == ("a", "b", "c")
    assert classifier(np.zeros((2, 4, 4, 1), np.uint8)).shape == (2, 3)


def test_a_module_of_torch_and_one_whose_answer_has_logits() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    module = make_module()

    class Answer:
        def __init__(self, logits: Any) -> None:
            self.logits = logits

    class Wrapped(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, images: Any) -> Answer:
            return Answer(self.inner(images))

    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    one, other = (fooling.Classifier.from_torch(part, shape=(28, 28, 1)) for part in (module, Wrapped()))
    assert np.array_equal(one(images), other(images))
    result = fooling.evolve(other, search="ascent", digit=1, runs=1, generations=3, quiet=True)
    assert result.own["gradients"].tolist() == [3]


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "jax"))
    return pytest.importorskip("keras", reason="keras is not installed: pip install keras")


def test_a_keras_model_as_an_object(keras: Any) -> None:
    model = keras_model()
    classifier: Any = fooling.Classifier.from_keras(model, scale=1 / 255)
    assert isinstance(model, keras.Model)
    assert classifier(IMAGES) == pytest.approx(expected(IMAGES), abs=1e-5)
    assert classifier.jax_fn is not None
    assert not getattr(classifier, "partial_fingerprint", False)
    assert classifier.fingerprint == fooling.Classifier.from_keras(keras_model(), scale=1 / 255).fingerprint


def test_onnx_as_a_file_a_model_and_a_session(home: Path) -> None:
    onnx, runtime = (pytest.importorskip(name, reason=f"{name} is not installed") for name in ("onnx", "onnxruntime"))
    write_onnx(home / "net.onnx")
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    content = (home / "net.onnx").read_bytes()
    given = ["net.onnx", home / "net.onnx", onnx.load("net.onnx"), runtime.InferenceSession("net.onnx")]
    given.append(runtime.InferenceSession(content))
    classifiers = [fooling.Classifier.from_onnx(one, scale=1 / 255) for one in given]
    for classifier in classifiers[1:]:
        assert np.array_equal(classifier(images), classifiers[0](images))
    assert len({classifier.fingerprint for classifier in classifiers}) == 1
    result = fooling.evolve(onnx.load("net.onnx"), digit=1, **SMALL)
    assert result.images.shape == (2, 28, 28, 1)


def test_the_file_of_a_session_must_hold_the_same_model(home: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    write_onnx(home / "net.onnx")
    session = runtime.InferenceSession("net.onnx")
    write_onnx(home / "net.onnx", network={"name": "mnist_cnn2"})
    with pytest.raises(UserError, match=r"the session's file net.onnx holds another model by now"):
        fooling.Classifier.from_onnx(session, scale=1 / 255)
    (home / "net.onnx").unlink()
    with pytest.raises(UserError, match="the session's file is not there any more"):
        fooling.Classifier.from_onnx(session, scale=1 / 255)


def test_an_attribute_called_fingerprint_makes_no_classifier() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    estimator, _ = digits()
    module.fingerprint = estimator.fingerprint = "mine"
    assert fooling.Classifier.from_torch(module, shape=(8, 8, 1)).num_classes == 3
    assert fooling.Classifier.from_sklearn(estimator, shape=(8, 8, 1)).num_classes == 10


def test_keras_classes_without_a_configuration_and_models_that_are_not_built(keras: Any) -> None:

    class Own(keras.Model):  # type: ignore[name-defined,misc]
        def __init__(self, units: int, extra: Any = None) -> None:
            super().__init__()
            self.flat, self.last = keras.layers.Flatten(), keras.layers.Dense(units, activation="softmax")

        def call(self, images: Any) -> Any:
            return self.last(self.flat(images))

    model = Own(4)
    with pytest.raises(UserError, match="expected a model that is built"):
        fooling.Classifier.from_keras(model, shape=(8, 8, 1))
    model(np.zeros((1, 8, 8, 1), np.float32))
    classifier: Any = fooling.Classifier.from_keras(model, shape=(8, 8, 1))
    assert classifier.partial_fingerprint
    assert classifier.num_classes == 4


@pytest.mark.parametrize(
    ("name", "thing", "said"),
    [
        ("torch", digits, "from_torch: expected a torch.nn.Module or a file, got function; use from_function"),
        (
            "sklearn",
            Toy(),
            "from_sklearn: expected an estimator .* or a file, got Toy; it is a classifier already",
        ),
        ("function", LogisticRegression(), "from_function: expected a function .*, got LogisticRegression; use from_sklearn"),
        ("onnx", "missing.onnx", "missing.onnx: no such file"),
        ("torch", 5, "got int"),
        ("keras", None, "got NoneType"),
    ],
)
def test_other_things_are_one_line(name: str, thing: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        getattr(fooling.Classifier, f"from_{name}")(thing)


# --- evolve(model, data) ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("as_set", [True, False])
def test_a_model_and_its_data_come_first(home: Path, as_set: bool) -> None:
    estimator, data = digits()
    given = data if as_set else (data.images, data.labels)
    result = fooling.evolve(estimator, given, "search.population=12", prior="variogram", digit=3, runs=12, budget=600, out="r")
    known = fooling.evolve(
        "data.kind=sklearn", "search.population=12", classifier=estimator, prior="variogram", digit=3, runs=12, budget=600
    )
    assert result.terms.keys() == known.terms.keys()
    run = read_run(home / "r")
    assert run["examination"]["accuracy"] > 0.9  # on the data
    assert run["plausibility"] is not None
    assert ("object ImageSet" if as_set else "object arrays") in (home / "r/config.yaml").read_text()


def test_data_may_be_a_path_in_second_place(home: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        fooling.evolve(Toy(), "nowhere", digit=1)
    result = fooling.evolve(Toy(), "prior=none", digit=1, runs=1, budget=200, quiet=True)
    assert result.digit == 1


def test_bundled_statistics_under_other_names_are_a_doubt() -> None:
    names = ["eight", "five", "four", "nine", "one", "seven", "six", "three", "two", "zero"]
    first = lambda inputs: inputs.reshape(len(inputs), -1)[:, :10]  # noqa: E731
    classifier = fooling.Classifier.from_function(first, shape=(28, 28, 1), labels=names)
    with pytest.warns(fooling.FoolingWarning, match="the bundled ones of MNIST, whose classes have other names"):
        fooling.evolve(classifier, digit="three", prior="variogram", runs=1, budget=200)
    quiet = fooling.evolve("digit=2", runs=1, budget=200)
    assert not any("bundled" in note for note in quiet.notes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((Toy(), (), 3), "got 3 objects too"),
        (("digit=2", Toy()), "expected the classifier first"),
        ((Toy(), 5), "data: expected a path"),
        ((3.5,), r"evolve\(3.5\): expected settings by name"),
    ],
)
def test_wrong_places_are_one_line(given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        fooling.evolve(*given)
    with pytest.raises(UserError, match="at most once each"):
        fooling.evolve(Toy(), classifier=Toy())
