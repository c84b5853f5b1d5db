"""Judges: who may judge, and what they are said to have seen."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import random_images, random_network
from models import make_scorer, write_onnx
from servers import Server

import fooling
from fooling.classifiers import load_classifier
from fooling.classifiers.entries import entry_name
from fooling.classifiers.judges import load_judges, predict_all, separate_objects
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.records.record import read_images, read_run
from fooling.settings import load
from fooling.settings.choices import defaults
from fooling.settings.commands import MatrixSettings
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings

SHAPE = (8, 8, 1)


def test_verdicts_are_the_judges_scores_in_any_batch() -> None:
    judge, images = random_network(SHAPE, seed=5), random_images(SHAPE, 1500)
    found = predict_all({"one": judge}, images)["one"]
    assert np.array_equal(found, judge(images))


def test_judges_by_name_and_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    random_network((28, 28, 1), classes=10, seed=5).save(path)
    judges = load_judges(["mnist_cnn", str(path)], load_classifier())
    assert list(judges) == ["mnist_cnn", str(path)]
    assert judges["mnist_cnn"].fingerprint == load_classifier("mnist_cnn").fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_mlp", "got mnist_mlp, which is the same"),
        ("vgg", "expected one of mnist_mlp, mnist_mlp2, mnist_cnn, mnist_cnn2, digits_perceptron or a .safetensors file"),
        ("small.safetensors", r"takes images \(8, 8, 1\) of 4 classes, .* images \(28, 28, 1\) of 10 classes"),
        ("none.safetensors", r"judges: .*none\.safetensors: no such file"),
    ],
)
def test_who_cannot_judge_is_refused(home: Path, name: str, message: str) -> None:
    random_network(SHAPE).save(home / "small.safetensors")
    with pytest.raises(UserError, match=message):
        load_judges([name], load_classifier())


def test_a_network_judges_once(home: Path) -> None:
    random_network((28, 28, 1), classes=10, seed=5).save(home / "a.safetensors")
    random_network((28, 28, 1), classes=10, seed=5).save(home / "b.safetensors")
    for names in (["a.safetensors", "b.safetensors"], ["mnist_cnn", "mnist_cnn"]):
        with pytest.raises(UserError, match=f"judges: {names[1]} is the same network as {names[0]}; name each once"):
            load_judges(names, load_classifier())


@pytest.mark.exhaustive
def test_another_judge_of_the_same_name_is_refused_on_resuming(home: Path) -> None:
    random_network((28, 28, 1), classes=10, seed=5).save(home / "a.safetensors")
    words = {"runs": 2, "generations": 2, "population": 10, "judges": ["a.safetensors"], "out": "r"}
    fooling.evolve(**words)
    random_network((28, 28, 1), classes=10, seed=6).save(home / "a.safetensors")
    with pytest.raises(UserError, match="was begun with another judge under the same name"):
        fooling.evolve(**words, resume=True)


def test_the_record_says_what_judges_see(home: Path) -> None:
    result = fooling.evolve(runs=3, generations=2, population=10, judges=["mnist_cnn2", "mnist_mlp2"], out="r")
    run = json.loads((home / "r" / "run.json").read_text())
    images = read_images(home / "r", [entry["file"] for entry in run["images"]])
    for name in ("mnist_cnn2", "mnist_mlp2"):
        scores = load_classifier(name)(images)
        assert np.array_equal(result.judges[name], scores)
        for entry, row in zip(run["images"], scores, strict=True):
            expected = {"predicted": int(row.argmax()), "score": float(row.max()), "confidence": float(row[2])}
            assert entry["judges"][name] == expected
        assert run["judges"][name] == (scores.argmax(axis=1) == 2).mean()


def test_judges_change_nothing_of_the_search(home: Path) -> None:
    alone = fooling.evolve(runs=3, generations=3, population=10)
    judged = fooling.evolve(runs=3, generations=3, population=10, judges=["mnist_mlp2"])
    assert np.array_equal(alone.images, judged.images)
    assert alone.judges == {}


@pytest.mark.exhaustive
def test_the_eigen_prior_makes_what_others_read() -> None:
    result = fooling.evolve(digit=3, prior="eigen", runs=4, generations=300, judges=["mnist_cnn", "mnist_cnn2"])
    assert (result.confidence > 0.99).all()
    for scores in result.judges.values():
        assert (scores.argmax(axis=1) == 3).all()


def test_of_a_mismatched_job_judges_also_say_the_priors_class(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit=4", "prior.digit=3", "prior=eigen", "runs=4", "generations=100", "judges=mnist_cnn", "out=r"]
    assert guarded(dispatch, ["run", *words]) == 0
    run = read_run(home / "r")
    threes = sum(image["judges"]["mnist_cnn"]["predicted"] == 3 for image in run["images"])
    assert run["judges_prior"] == {"mnist_cnn": threes / 4}
    assert f"{run['judges']['mnist_cnn']:.0%}, {threes / 4:.0%} a 3" in capsys.readouterr().out


# --- of any kind ------------------------------------------------------------------------------------------------------
SCORER = "from models import make_scorer as make\n"


class Reversed:
    """A classifier whose classes are named in another order."""

    input_shape, num_classes, labels = (28, 28, 1), 10, tuple("9876543210")
    fingerprint = "reversed"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return make_scorer()(images / 255)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("lenet.onnx", "lenet.onnx"),
        ({"name": "onnx", "path": "lenet.onnx"}, "lenet.onnx"),
        ({"name": "onnx", "path": "lenet.onnx", "scale": "1/255", "title": "LeNet"}, "LeNet"),
        ({"name": "python", "path": "scorer.py:make"}, "scorer.py:make"),
        ({"name": "mnist_cnn"}, "mnist_cnn"),
    ],
    ids=str,
)
def test_models_of_other_libraries_judge(home: Path, entry: object, name: str) -> None:
    write_onnx(home / "lenet.onnx")
    (home / "scorer.py").write_text(SCORER)
    settings = load(fooling_words(judges=[entry]), RunSettings, "run")
    (found,) = load_judges(settings.judges, load_classifier()).items()
    assert found[0] == name
    images = random_images((28, 28, 1), 5)
    assert predict_all(dict([found]), images)[name] == pytest.approx(load_classifier("mnist_cnn")(images), abs=1e-4)


def fooling_words(**settings: object) -> list[str]:
    """Settings as words of the command."""
    return [word for name, value in settings.items() for word in as_words(name, value)]


def test_judges_of_a_command_and_a_file(home: Path) -> None:
    expected = ({"name": "onnx", "path": "a.onnx", "labels": ["a, b", "c"]}, "mnist_cnn")
    assert load(['judges=[{name: onnx, path: a.onnx, labels: ["a, b", c]}, mnist_cnn]'], RunSettings, "run").judges == expected
    (home / "one.yaml").write_text("judges: {name: onnx, path: a.onnx}\n")
    for words in (["one.yaml"], ["judges={name: onnx, path: a.onnx}"]):
        assert load(words, RunSettings, "run").judges == ({"name": "onnx", "path": "a.onnx"},)
    with pytest.raises(UserError, match="judges: expected names, files, URLs or settings such as"):
        load(["judges=[{path: a.onnx}]"], RunSettings, "run")


def test_a_server_judges(home: Path) -> None:
    server = Server()
    try:
        (judge,) = load_judges([server.url], load_classifier()).values()
        assert predict_all({"one": judge}, random_images((28, 28, 1), 3))["one"].shape == (7, 10)
    finally:
        server.stop()
    with pytest.raises(UserError, match="without user name and password"):
        load_judges([server.url.replace("//", "//me:secret@")], load_classifier())


def test_objects_judge_by_their_titles(home: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(784, 10))

    def linear(inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), -1) @ weights

    size = {"runs": 2, "generations": 2, "population": 10, "prior": "none"}
    result = fooling.evolve(judges={"mine": linear, "cnn": "mnist_cnn"}, out="r", **size)
    assert list(result.judges) == list(read_run(home / "r")["judges"]) == ["mine", "cnn"]
    assert np.array_equal(result.judges["cnn"], load_classifier("mnist_cnn")(result.images))
    again = fooling.evolve(judges={"mine": linear, "cnn": "mnist_cnn"}, out="r", resume=True, **size)
    assert np.array_equal(again.judges["mine"], result.judges["mine"])
    assert list(fooling.evolve(judges=[linear], **size).judges) == ["linear"]


def test_what_cannot_be_a_judge_is_refused(home: Path) -> None:
    with pytest.raises(UserError, match=r"judges: expected a name, .*; got int"):
        separate_objects([3])
    with pytest.raises(UserError, match="judges: two have the name Reversed; give a dictionary"):
        separate_objects([Reversed(), Reversed()])
    entries, objects = separate_objects({"other": Reversed()})
    with pytest.raises(UserError, match="judges: other: class 0 is 9 for the classifier, 0 in the attacked classifier"):
        load_judges(entries, load_classifier(), objects)
    (home / "net.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"got net.pkl; if you trust the file, convert it once: python -c .*skops.io.dump"):
        load_judges(["net.pkl"], load_classifier())
    with pytest.raises(UserError, match=r"judges: x: unknown setting 'classifier.shade'.*classifier.shape"):
        load_judges([{"name": "onnx", "path": "a.onnx", "shade": 1, "title": "x"}], load_classifier())


@pytest.mark.parametrize(
    ("attacked", "left"),
    [
        ("mnist_mlp", ["mnist_cnn", "mnist_cnn2", "mnist_mlp2"]),
        ("mnist_cnn2", ["mnist_cnn", "mnist_mlp2"]),
        ("digits_perceptron", []),
    ],
)
def test_defaults_name_only_what_can_judge(attacked: str, left: list[str]) -> None:
    names = load(["preset=mismatched"], RunSettings, "run").judges
    assert list(names) == list(load([], MatrixSettings, "matrix").judges) == defaults("preset/mismatched")["judges"]
    assert list(load_judges(names, load_classifier(attacked))) == left


def test_ladder_and_matrix_of_other_images(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data.kind=sklearn", "classifier=digits_perceptron", "digit=3,4", "runs=1", "generations=1"]
    assert guarded(dispatch, ["matrix", *words, "out=m"]) == 2
    assert "`fooling train classifier=cnn data.path=… out=cnn.safetensors` on its data" in capsys.readouterr().err
    small = ["rungs=none", "arms=with", "population=4", "selected=2", "out=l"]
    assert guarded(dispatch, ["ladder", *words, *small]) == 0
    assert "judges: mnist_cnn, mnist_cnn2 left out: " in capsys.readouterr().out
    assert json.loads((home / "l" / "ladder.json").read_text())["judges"] == []
    (home / "scorer.py").write_text("import numpy as np\ndef make(): return lambda x: x.reshape(len(x), -1)[:, 20:30]\n")
    judge = "judges=[{name: python, path: scorer.py:make, title: other}]"
    assert guarded(dispatch, ["matrix", *words, judge, "proposals=4", "quiet=true", "out=m"]) == 0
    assert json.loads((home / "m" / "matrix.json").read_text())["judges"] == ["other"]


def test_the_names_of_judges_hold_no_secrets() -> None:
    assert "abc" not in entry_name("https://host/predict?token=abc")
    entries, objects = separate_objects({"a\x1bb": print})
    assert list(objects) == [entry_name(entries[0])] == ["a\\x1bb"]
