"""Objects as classifiers: functions, estimators, modules of torch; what a fingerprint covers; files that need a conversion."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import Toy, make_module, write_sklearn
from pairwise import rare
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import fooling
from fooling.classifiers import load_classifier, serialization
from fooling.classifiers.adapters import object_kind
from fooling.classifiers.adapters.conversion import to_scores
from fooling.classifiers.adapters.python import digest_of, vote_bound
from fooling.classifiers.checks import check_classifier, report_on
from fooling.commands import dispatch
from fooling.data import load_data
from fooling.errors import UserError, guarded
from fooling.records.record import read_run
from fooling.settings import load
from fooling.settings.code import import_code
from fooling.settings.schema import RunSettings

try:
    import torch
except ModuleNotFoundError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed: pip install torch==2.13.0")
SMALL: dict[str, Any] = {"runs": 2, "generations": 2, "population": 6, "selected": 2, "prior": "none"}
WEIGHTS = np.random.default_rng(0).normal(size=(784, 10))


def linear(inputs: np.ndarray) -> np.ndarray:
    return inputs.reshape(len(inputs), -1) @ WEIGHTS


class Callable:
    """An object that can be called."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), -1) @ self.weights


def digits(estimator: Any) -> Any:
    data = load_data(None, "sklearn")
    return estimator.fit(data.images.reshape(len(data.images), -1) / 255, data.labels)


@pytest.mark.parametrize("thing", [linear, lambda x: linear(x), functools.partial(linear), Callable(WEIGHTS)])
def test_functions_are_attacked_without_members(home: Path, thing: Any) -> None:
    result = fooling.evolve(classifier=thing, out="r", **SMALL)
    inputs = result.images.astype(np.float32) / 255
    assert result.scores == pytest.approx(to_scores(linear(inputs), "logit", "m"), abs=1e-4)
    run = read_run(home / "r")
    assert run["classifier"].startswith("object ")
    assert run["classifier_fingerprint_partial"] is True
    assert any("its fingerprint is partial" in note for note in run["notes"])
    again = fooling.evolve(classifier=thing, out="r", resume=True, **SMALL)
    assert np.array_equal(again.images, result.images)


def test_estimators_are_attacked_without_members(home: Path) -> None:
    estimator = digits(make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=300)))
    result = fooling.evolve("data.kind=sklearn", classifier=estimator, out="r", **SMALL)
    flat = result.images.reshape(2, -1) / 255
    assert result.scores == pytest.approx(estimator.predict_proba(flat), abs=1e-5)
    assert "classifier_fingerprint_partial" not in read_run(home / "r")
    assert load_classifier(estimator, shape=(8, 8, 1)).labels == tuple("0123456789")
    with pytest.raises(UserError, match=r"takes 64 per image; .*give classifier.shape=H,W,C"):
        fooling.evolve(classifier=estimator, **SMALL)


@needs_torch
def test_modules_are_attacked_without_members(home: Path) -> None:
    module = make_module()
    result = fooling.evolve(classifier=module, out="r", **SMALL)
    with torch.inference_mode():
        logits = module(torch.from_numpy(result.images.transpose(0, 3, 1, 2).astype(np.float32) / 255))
    assert result.scores == pytest.approx(logits.softmax(1).numpy(), abs=1e-5)
    assert read_run(home / "r")["classifier_fingerprint_partial"] is True
    with pytest.raises(UserError, match=r"the images \(8, 8, 1\) are those of the data or statistics; give classifier.shape"):
        fooling.evolve("data.kind=sklearn", classifier=module, **SMALL)


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (5, "got int"),
        (Toy, r"expected an object, got the class Toy; give Toy\(\)"),
        (Path("net.pb"), "expected a file of .onnx, .skops, .keras, .* got net.pb"),
    ],
)
def test_what_can_be_no_classifier_is_one_line(thing: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fooling.evolve(classifier=thing)


def test_calls_that_are_wrong_are_one_line() -> None:
    with pytest.raises(UserError, match=r"evolve\(2\): expected settings by name, such as evolve\(digit=2\)"):
        fooling.evolve(2)  # type: ignore[call-overload]
    with pytest.raises(UserError, match=r"watch: expected a function .*; got 5"):
        fooling.evolve(watch=5, **SMALL)
    assert fooling.evolve(watch=None, **SMALL).images.shape == (2, 28, 28, 1)
    with pytest.raises(UserError, match=r"give classifier.shape=H,W,C \(in Python shape="):
        load_classifier("python", "models:make_scorer")
    assert object_kind(Toy()) is None


# --- fingerprints -----------------------------------------------------------------------------------------------------
FINGERPRINT = """
import sys
from sklearn.ensemble import RandomForestClassifier
sys.path.insert(0, sys.argv[1])
from test_objects import digest_of, digits, linear
print(digest_of(digits(RandomForestClassifier(3, random_state=0)))[0], digest_of(linear)[0])
"""


@pytest.mark.exhaustive
def test_fingerprints_are_those_of_another_process() -> None:
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(Path(here).parent)!r})\n{FINGERPRINT}", here]
    forest, function = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert digest_of(digits(RandomForestClassifier(3, random_state=0))) == (forest, False)
    assert digest_of(linear) == (function, True)


def test_fingerprints_know_the_weights() -> None:
    assert digest_of(Callable(WEIGHTS)) != digest_of(Callable(WEIGHTS + 1e-9))
    assert digest_of(Callable(WEIGHTS)) == digest_of(Callable(WEIGHTS.copy()))
    scales = [lambda x, scale=scale: linear(x) * scale for scale in (1, 2)]
    assert digest_of(scales[0]) != digest_of(scales[1])
    trees = [digits(DecisionTreeClassifier(max_depth=depth, random_state=0)) for depth in (3, 4)]
    assert digest_of(trees[0]) != digest_of(trees[1])
    ring: list[Any] = []
    ring.append(ring)
    assert digest_of(ring) == digest_of(ring)


# --- scores that are none, or bounded -------------------------------------------------------------------------------------
def test_one_hot_scores_are_labels() -> None:
    def one_hot(inputs: np.ndarray) -> np.ndarray:
        return np.eye(10)[(inputs.reshape(len(inputs), -1).sum(axis=1) * 7).astype(int) % 10]

    classifier = load_classifier(one_hot, shape=(28, 28, 1))
    assert classifier.output == "label"
    assert classifier.votes > 1
    notes = " ".join(classifier.notes)
    assert re.search(r"a single 1 among zeros.*give classifier.output=probability.*share of votes", notes)
    alone = load_classifier(one_hot, shape=(28, 28, 1), votes=1)
    with pytest.raises(UserError, match=r"got labels only .*a single 1 among zeros.*give classifier.votes=25"):
        report_on(load(["classifier=python", "classifier.path=a:b"], RunSettings, "run"), alone)
    stated = load_classifier(one_hot, shape=(28, 28, 1), output="probability")
    assert any("labels rather than scores" in note for note in check_classifier(stated).notes)


def test_bounded_logits_are_told(tmp_path: Path) -> None:
    machine = make_pipeline(MinMaxScaler(), SVC())
    path = write_sklearn(tmp_path / "svc.skops", machine)
    classifier = load_classifier("sklearn", str(path), shape=(8, 8, 1), scale="16/255")
    assert classifier.bound == pytest.approx(0.9698, abs=1e-4)
    assert any("no score exceeds 97.0%; give threshold=0.9" in note for note in classifier.notes)
    images = load_data(None, "sklearn").images
    assert classifier(images).max() < classifier.bound
    assert vote_bound(OneVsOneClassifier(SVC()), 10) == classifier.bound
    for other in (SVC(decision_function_shape="ovo"), LogisticRegression()):
        assert vote_bound(other, 10) == 1
    assert vote_bound(SVC(), 2) == 1


# --- files that are converted first -----------------------------------------------------------------------------------
def convert(message: str) -> None:
    """Runs the command that a message advises, as a shell would."""
    code = message.partition('python -c "')[2].partition('" and give')[0]
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.exhaustive
def test_the_lines_that_convert_a_pickle_work(home: Path) -> None:
    import joblib

    estimator = digits(LogisticRegression(max_iter=2000))
    for name in ("a.joblib", "b.pkl"):
        joblib.dump(estimator, name)
        with pytest.raises(UserError, match=r"a pickle is never opened.*classifier=sklearn classifier.path=") as told:
            load_classifier("sklearn", name, shape=(8, 8, 1))
        convert(str(told.value))
        found = load_classifier("sklearn", str(Path(name).with_suffix(".skops")), shape=(8, 8, 1))
        assert found.num_classes == 10


@needs_torch
@pytest.mark.parametrize("kind", ["state", rare("checkpoint"), rare("module")])
def test_the_lines_that_convert_weights_work(home: Path, kind: str) -> None:
    module = make_module()
    state = module.state_dict()
    content = {"state": state, "checkpoint": {"epoch": 3, "state_dict": state}, "module": module}
    torch.save(content[kind], "net.pt")
    (home / "my_net.py").write_text("from models import make_module as make\n")
    messages = []
    for words in ({"path": "net.pt"}, {"path": "my_net.py:make", "weights": "net.pt"}):
        with pytest.raises(UserError, match=r"classifier=torch .*classifier.weights=net.safetensors") as told:
            load_classifier("torch", shape=(28, 28, 1), **words)
        messages.append(str(told.value))
    convert(messages[0])
    found = load_classifier("torch", "my_net.py:make", weights="net.safetensors", shape=(28, 28, 1))
    images = load_data(None, "sklearn").images[:5].repeat(4, axis=1).repeat(4, axis=2)[:, 2:-2, 2:-2]
    assert found(images) == pytest.approx(load_classifier(module, shape=(28, 28, 1))(images), abs=1e-6)


NET = """
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :3] * {}
def make():
    return Net()
"""


@needs_torch
@pytest.mark.parametrize("given", ["path", "object"])
def test_a_fingerprint_knows_the_code_of_a_module(home: Path, given: str) -> None:
    found = []
    for number, name in ((1, "one"), (2, "two"), (1, "three")):
        (home / f"{name}.py").write_text(NET.format(number))
        words = f"{name}.py:make" if given == "path" else import_code(f"{name}.py").make()
        found.append(load_classifier(*(("torch", words) if given == "path" else (words,)), shape=(8, 8, 1)))
    one, two, three = (classifier.fingerprint for classifier in found)
    assert one == three != two
    assert found[0].partial_fingerprint
    assert any("fingerprint is partial" in note for note in found[0].notes)


@pytest.mark.parametrize("name", ["k.pt", "k.pkl", "k"])
@pytest.mark.parametrize("kind", ["torch", "sklearn"])
def test_a_pipe_is_refused(home: Path, kind: str, name: str) -> None:
    if kind == "torch":
        pytest.importorskip("torch")
    os.mkfifo(name)
    with pytest.raises(UserError, match="expected"):
        load_classifier(kind, name)


def test_a_pickle_that_is_called_skops_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.skops").write_bytes(b"\x80\x04")
    assert serialization.conversion(tmp_path / "a.skops").endswith("a-converted.skops")


def test_other_files_need_no_conversion(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x07")
    assert serialization.conversion(tmp_path / "a.onnx") == ""
    assert serialization.conversion(tmp_path / "missing.safetensors") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lr.pkl", "skops.io.dump(joblib.load('lr.pkl'), 'lr.skops')"),
        ("a/lr.joblib", "give classifier=sklearn classifier.path=a/lr.skops"),
        ("net.pt", "give classifier=torch classifier.path=my_net.py:make classifier.weights=net.safetensors"),
        ("net.ckpt", "classifier.weights=net.safetensors"),
    ],
)
def test_a_pickle_as_the_classifier_is_answered_at_once(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    for command in ("run", "examine"):
        assert guarded(dispatch, [command, f"classifier={name}"]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert f"classifier.path={name}" not in error
    for given in (name, Path(name)):
        with pytest.raises(UserError, match="if you trust the file, convert it once") as told:
            fooling.evolve(digit=1, classifier=given)
        assert said in str(told.value)
