"""Foreign classifiers: adapters, what they are shown, what their answers mean, and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import DATA, still_clock
from models import SumModel, toy, write_onnx, write_sklearn, write_torch
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC

from fooling.classifiers import checks, load_classifier
from fooling.classifiers.accuracy import accuracies, preprocessing_note
from fooling.classifiers.adapters.adapter import AdaptedClassifier, adapt
from fooling.classifiers.adapters.conversion import (
    LAYOUTS,
    Preprocessing,
    dims_of,
    layout_of,
    of_classes,
    shape_in,
    to_scores,
)
from fooling.classifiers.adapters.model import BATCH_SIZE, Model
from fooling.classifiers.adapters.reading import kind_of
from fooling.classifiers.checks import check_classifier
from fooling.commands import dispatch, examine
from fooling.data import ImageSet, load_data
from fooling.errors import UserError, guarded
from fooling.records.record import read_image

try:
    import torch
except ModuleNotFoundError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed: pip install torch==2.13.0")
IMAGES = np.random.default_rng(0).integers(0, 256, (9, 28, 28, 1), dtype=np.uint8)
LENET = ["classifier=onnx", "classifier.path=lenet.onnx"]
SEARCH = ["run", "prior=none", "runs=2", "generations=120", "population=40", "out=r"]


@pytest.fixture(scope="module")
def lenet() -> np.ndarray:
    """What the bundled network says of IMAGES."""
    return load_classifier("mnist_cnn")(IMAGES)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, from which modules are imported; speeds are measured in a moment."""
    monkeypatch.setattr(checks, "SECONDS", 0.001)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> dict[str, Any]:
    """A short search; → run.json."""
    search = [word for word in SEARCH if "search=anneal" not in words or not word.startswith("population=")]
    assert guarded(dispatch, [*search, *words]) == 0
    return json.loads(Path("r/run.json").read_text())


def refused(capsys: pytest.CaptureFixture[str], *words: str, command: list[str] = SEARCH) -> str:
    """The line that a command is refused with."""
    assert guarded(dispatch, [*command, *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


# --- adapters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("varied", [{}, {"batch": 7}, {"logits": False}])
def test_onnx_gives_the_scores_of_the_same_network(here: Path, varied: dict, lenet: np.ndarray) -> None:
    left_open = {"shape": None, "output_name": None, "labels": []}
    found = load_classifier("onnx", str(write_onnx(here / "lenet.onnx", **varied)), **left_open)
    assert isinstance(found, AdaptedClassifier)
    assert (found.input_shape, found.num_classes, found.inputs.layout) == ((28, 28, 1), 10, "NCHW")
    assert (found.output, found.fixed) == ("logit" if varied.get("logits", True) else "probability", "batch" in varied)
    assert np.abs(found(IMAGES) - lenet).max() < 1e-5
    assert hasattr(found, "logits") == varied.get("logits", True)
    assert len(found.fingerprint) == 64


def test_an_output_is_chosen_by_name(here: Path, lenet: np.ndarray) -> None:
    path = str(write_onnx(here / "two.onnx", extra="output"))
    assert np.abs(load_classifier("onnx", path, output_name="logits")(IMAGES) - lenet).max() < 1e-5
    with pytest.raises(UserError, match=r"expected one output of scores \[N, classes\], got logits .*, r3 .*output_name="):
        load_classifier("onnx", path)
    with pytest.raises(UserError, match="output_name=l: expected one of its outputs: logits"):
        load_classifier("onnx", path, output_name="l")


@needs_torch
def test_torch_gives_the_scores_of_the_same_network(here: Path, lenet: np.ndarray) -> None:
    weights = str(write_torch(here / "w.safetensors"))
    found = load_classifier("torch", "models:make_module", weights=weights, shape=(28, 28, 1))
    assert np.abs(found(IMAGES) - lenet).max() < 1e-5
    assert np.array_equal(found(IMAGES), found(IMAGES))  # dropout is off
    other = load_classifier("torch", "models:make_module", shape=(28, 28, 1))
    assert other.fingerprint != found.fingerprint


def test_a_function_may_be_named_by_its_file(here: Path, lenet: np.ndarray) -> None:
    (here / "nets").mkdir()
    (here / "nets" / "helper_of_net.py").write_text("from models import make_scorer\n")
    (here / "nets" / "json.py").write_text("from helper_of_net import make_scorer as make\n")  # also the name of another module
    found = load_classifier("python", "nets/json.py:make", shape=(28, 28, 1))
    assert found(IMAGES) == pytest.approx(lenet, abs=1e-5)
    same = load_classifier("python", str(here / "nets" / "json.py:make"), shape=(28, 28, 1))
    assert same.fingerprint == found.fingerprint
    for name, said in (("nets/json.py", "such as nets/json.py:make"), ("none.py:make", "no such file: .*none.py")):
        with pytest.raises(UserError, match=f"expected module:function, .*{said}"):
            load_classifier("python", name, shape=(28, 28, 1))


@needs_torch
def test_weights_that_do_not_fit_a_module_are_refused(here: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(write_torch(here / "w.safetensors"))
    cases = {
        "it lacks 10.bias": {name: tensor for name, tensor in tensors.items() if name != "10.bias"},
        "it has, and the module has not, more": {**tensors, "more": tensors["10.bias"].clone()},
        "its tensors do not fit the module": {**tensors, "10.bias": tensors["0.bias"].clone()},
    }
    for said, wrong in cases.items():
        save_file(wrong, here / "wrong.safetensors")
        with pytest.raises(UserError, match=said):
            load_classifier("torch", "models:make_module", weights="wrong.safetensors", shape=(28, 28, 1))
    with pytest.raises(UserError, match="no such file"):
        load_classifier("torch", "models:make_module", weights="none.safetensors")
    with pytest.raises(UserError, match=r"returns a torch.nn.Module, it returned function"):
        load_classifier("torch", "models:make_scorer")


@pytest.mark.parametrize(("estimator", "output"), [(LogisticRegression(max_iter=300), "probability"), (LinearSVC(), "logit")])
def test_scikit_learn_is_right_about_its_digits(here: Path, estimator: Any, output: str) -> None:
    path = write_sklearn(here / "m.skops", make_pipeline(MinMaxScaler(), estimator))
    found = load_classifier("sklearn", str(path), scale="16/255", shape=(8, 8, 1))
    assert isinstance(found, AdaptedClassifier)
    assert (found.output, found.labels) == (output, tuple("0123456789"))
    data = load_data(None, "sklearn", "test")
    assert (found(data.images).argmax(axis=1) == data.labels).mean() > 0.9


def test_a_plain_function_gives_what_it_returns(lenet: np.ndarray) -> None:
    found = load_classifier("python", "models:make_scorer", shape=(28, 28, 1))
    assert np.array_equal(found(IMAGES), lenet)
    (note,) = found.notes  # type: ignore[attr-defined]
    assert note.startswith("classifier: runs the code of models:make_scorer; its fingerprint")


# --- as a new user would ------------------------------------------------------------------------------------------------


def test_an_onnx_model_is_fooled_with_one_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_onnx(here / "lenet.onnx")
    found = run("digit=4", "classifier=onnx", "classifier.path=lenet.onnx")
    assert found["converged"] == 2
    assert found["examination"]["output"] == "logit"
    assert found["examination"]["shown"] == "NCHW, scale=0.00392157 mean=0 std=1"
    assert "preprocessing NCHW" in capsys.readouterr().out
    again = load_classifier("onnx", "lenet.onnx")(read_image(Path("r/images/0000.png"))[None])
    assert found["images"][0]["confidence"] == pytest.approx(float(again[0, 4]), abs=1e-6)


def test_a_pipeline_is_fooled_with_one_command_and_the_wrong_scale_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sklearn(here / "m.skops", make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=300)))
    words = ["digit=3", "data.kind=sklearn", "classifier=sklearn", "classifier.path=m.skops"]
    found = run(*words, "classifier.scale=16/255")
    assert found["converged"] == 2
    assert found["examination"]["accuracy"] > 0.9
    assert "check classifier.scale" not in capsys.readouterr().out
    wrong = run(*words, "overwrite=true")
    assert wrong["examination"]["accuracy"] < 0.5
    assert "% with scale=0.0627451 mean=0 std=1 (0…16)" in capsys.readouterr().out
    assert any("check classifier.scale" in note for note in wrong["notes"])


@needs_torch
def test_a_torch_module_is_fooled_with_one_command(here: Path) -> None:
    write_torch(here / "w.safetensors")
    words = ["classifier=torch", "classifier.path=models:make_module", "classifier.weights=w.safetensors"]
    found = run("digit=6", *words)
    assert found["converged"] == 2
    assert any("runs the code of models:make_module" in note for note in found["notes"])


FAILING = r"""
from pathlib import Path
from models import make_scorer

def make():
    scorer, calls = make_scorer(), [0]
    def score(inputs):
        calls[0] += 1
        if calls[0] > 40 and not Path("paper").exists():
            raise RuntimeError("out of\npaper")
        return scorer(inputs)
    return score
"""


@pytest.mark.exhaustive
def test_a_function_that_raises_leaves_a_record_that_is_resumed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit=4", "classifier=python", "classifier.path=failing:make"]
    (here / "failing.py").write_text(FAILING)
    said = refused(capsys, *words)
    assert "raised on inputs float32 [80, 28, 28, 1]: RuntimeError: out of paper" in said
    assert "resume=true" in said
    assert json.loads(Path("r/run.json").read_text())["status"] == "failed"
    (here / "paper").touch()
    found = run(*words, "resume=true")
    Path("r").rename("resumed")
    whole = run(*words)
    assert found["status"] == "done"
    assert [image["confidence"] for image in found["images"]] == [image["confidence"] for image in whole["images"]]


def test_labels_alone_without_copies_are_refused_by_a_search_and_examined(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sklearn(here / "p.skops", Perceptron())
    (here / "labels.py").write_text(
        "def make():\n    return lambda inputs: inputs.reshape(len(inputs), -1).argmax(axis=1) % 10\n"
    )
    words = ["classifier=python", "classifier.path=labels:make"]
    assert "expected class scores, got labels only" in refused(capsys, "digit=4", *words, "classifier.votes=1")
    assert guarded(dispatch, ["examine", *words]) == 0
    assert "labels only" in capsys.readouterr().out


def test_memory_that_a_model_uses_again_is_copied() -> None:
    room = np.empty((BATCH_SIZE, 3))

    def reuse(inputs: np.ndarray, sums: np.ndarray) -> np.ndarray:
        room[: len(sums)] = sums
        return room[: len(sums)]

    images = np.random.default_rng(0).integers(0, 256, (2 * BATCH_SIZE + 5, 4, 5, 1), dtype=np.uint8)
    assert np.array_equal(toy(reuse)(images), toy()(images))


@pytest.mark.parametrize("code", ["raise SystemExit", "import sys; sys.exit('boo')", "1 / 0"])
def test_code_that_ends_the_program_is_told(here: Path, capsys: pytest.CaptureFixture[str], code: str) -> None:
    (here / f"ends{abs(hash(code))}.py").write_text(f"def make():\n    def score(x):\n        {code}\n    return score\n")
    said = refused(capsys, "digit=4", "classifier=python", f"classifier.path=ends{abs(hash(code))}:make")
    assert "raised on inputs float32 [35, 28, 28, 1]" in said


def test_whole_numbers_must_fit_the_model(here: Path) -> None:
    from fooling.settings import load
    from fooling.settings.schema import RunSettings

    def fit(dtype: Any, *words: str) -> AdaptedClassifier:
        chosen = load(["classifier=python", "classifier.path=a:b", *words], RunSettings, "run").classifier
        return adapt(Model(SumModel(), "toy", "0" * 64, "NHWC", dtype=dtype), chosen, lambda: ((4, 5, 1), ("a", "b", "c")))

    images = np.arange(0, 200, 10, dtype=np.uint8).reshape(1, 4, 5, 1)
    assert np.array_equal(fit(np.uint8, "scale=1").inputs(images), images)
    assert np.array_equal(fit(np.int8, "scale=1", "mean=128").inputs(images), images.astype(int) - 128)
    for dtype, words in [(np.int8, ["scale=1"]), (np.uint8, ["scale=1", "mean=100"]), (np.uint8, []), (np.int64, ["std=7"])]:
        with pytest.raises(UserError, match=r"toy: takes whole numbers .* give classifier.scale=1"):
            fit(dtype, *words)
    with pytest.raises(UserError, match="tell no grey levels apart"):
        fit(np.float32, "scale=0")
    with pytest.raises(UserError, match="tell no grey levels apart"):
        fit(np.float32, "scale=1e300", "std=1e-300")


def test_classes_in_another_order_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_onnx(here / "lenet.onnx")
    said = refused(capsys, *LENET, "labels=[1,0,2,3,4,5,6,7,8,9]", "digit=1 (0)", command=["run", "prior=variogram", "out=q"])
    assert "class 0 is 1 for the classifier, 0 in the statistics" in said
    network = load_classifier("onnx", "lenet.onnx", labels=tuple("1023456789"))
    with pytest.raises(UserError, match="class 0 is 1 for the classifier, 0 in the data"):
        accuracies(network, ImageSet(IMAGES, np.arange(9), tuple("0123456789"), "x"))


# --- examination --------------------------------------------------------------------------------------------------------


def test_examine_finds_the_scaling_of_the_training(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sklearn(here / "m.skops", make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=300)))
    words = ["examine", "classifier=sklearn", "classifier.path=m.skops", "data.kind=sklearn", "out=e.json"]
    assert guarded(dispatch, words) == 0
    said = capsys.readouterr().out
    assert "check classifier.scale, mean and std" in said
    found = json.loads((here / "e.json").read_text())
    shares = {row["way"]: row["share"] for row in found["accuracy"]}
    assert max(shares, key=lambda way: shares[way]) == "0…16"
    assert set(found["images_per_second"]) == {"1", "10", "100", "1000"}
    assert guarded(dispatch, words) == 2  # the file is there
    assert guarded(dispatch, [*words, "overwrite=true", "scale=16/255", "quiet=true"]) == 0
    assert json.loads((here / "e.json").read_text())["note"] == ""


def test_examine_speaks_of_built_in_networks_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["examine"]) == 0
    said = capsys.readouterr().out
    assert "mnist_mlp" in said
    assert "the same in any batch" in said
    assert guarded(dispatch, ["examine", "classifier=digits_perceptron", "data.kind=sklearn"]) == 0
    assert "of which a softmax makes scores" in capsys.readouterr().out
    if DATA:
        assert guarded(dispatch, ["examine", "classifier=mnist_cnn", f"data.path={DATA}"]) == 0
        assert "as stated" in capsys.readouterr().out


def test_examine_prints_what_it_knows_before_it_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(classifier: Any) -> Any:
        yield 1, 1234.4
        raise UserError("no more")

    monkeypatch.setattr(examine, "speeds", fails)
    assert guarded(dispatch, ["examine", "classifier=digits_perceptron"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line] == ["classifier", "images", "classes", "output", "scores", "images", "1"]
    assert lines[-1].split() == ["1", "1,234"]


def test_a_slow_model_is_examined_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SECONDS", 0.001)
    monkeypatch.setattr(checks, "LONGEST", 0.02)
    sizes, wait = [], still_clock(monkeypatch)

    def slow(inputs: np.ndarray, sums: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs))
        wait(0.004 * len(inputs))
        return sums

    classifier = toy(slow)
    sizes.clear()
    assert list(dict(checks.speeds(classifier))) == [1, 10]
    assert max(sizes) == 10
    labels = np.arange(4000) % 3
    data = ImageSet(np.zeros((4000, 4, 5, 1), np.uint8), labels, ("a", "b", "c"), "made")
    for rate, number in ((10, examine.FEWEST), (1e6, 4000)):
        quick = toy(lambda inputs, sums: sums)
        assert len(examine.measure_accuracies(quick, data, rate, quiet=True)[0].labels) == number


def test_data_of_other_images_or_classes_are_refused(here: Path) -> None:
    network = load_classifier("onnx", str(write_onnx(here / "lenet.onnx")))
    labels = np.arange(9) % 3
    with pytest.raises(UserError, match="the classifier has 10 classes, the data have 3"):
        accuracies(network, ImageSet(IMAGES, labels, ("a", "b", "c"), "x"))
    with pytest.raises(UserError, match=r"takes images \(28, 28, 1\), the data's are \(14, 28, 1\)"):
        accuracies(network, ImageSet(IMAGES[:, :14], labels, tuple("0123456789"), "x"))


def test_chance_alone_does_not_warn(here: Path) -> None:
    network = load_classifier("onnx", str(write_onnx(here / "lenet.onnx")))
    labels = network(IMAGES).argmax(axis=1)
    found = accuracies(network, ImageSet(IMAGES, labels, tuple("0123456789"), "x"))
    assert found[0].share == 1.0
    assert len(found) > 5
    assert preprocessing_note(found) == ""
    assert preprocessing_note(found[:1]) == ""


def test_what_a_batch_changes_is_measured_or_refused() -> None:
    assert check_classifier(toy()).exact
    slightly = check_classifier(toy(lambda inputs, sums: sums + 1e-5 * np.arange(3) * len(inputs)))
    assert not slightly.exact
    assert 0 < slightly.deviation < 1e-3
    with pytest.raises(UserError, match=r"change by .* with the batch"):
        check_classifier(toy(lambda inputs, sums: sums - sums.mean(axis=0)))
    with pytest.raises(UserError, match=r"change by .* with the batch"):  # of place in the batch alone
        check_classifier(toy(lambda inputs, sums: sums + np.outer(np.arange(len(inputs)) == len(inputs) - 1, [0.5, 0, 0])))
    random = np.random.default_rng(0)
    with pytest.raises(UserError, match="other scores the second time"):
        check_classifier(toy(lambda inputs, sums: sums + random.normal(size=sums.shape)))


def test_a_failure_halves_the_batch() -> None:
    found = toy(limit=100)
    images = np.random.default_rng(0).integers(0, 256, (1000, 4, 5, 1), dtype=np.uint8)
    assert np.array_equal(found(images), toy()(images))
    assert (found.batch_size, toy().batch_size) == (62, BATCH_SIZE)
    with pytest.raises(MemoryError):
        toy(limit=0)
    with pytest.raises(MemoryError):
        toy(limit=100, batch_size="fixed:128")


def test_the_first_error_is_reported_where_no_batch_succeeds() -> None:
    def fail(inputs: np.ndarray, sums: np.ndarray) -> None:
        raise RuntimeError(f"failed on {len(inputs)}")

    with pytest.raises(RuntimeError, match="failed on 35"):
        toy(fail)

    def fail_on_black(inputs: np.ndarray, sums: np.ndarray) -> np.ndarray:
        if len(inputs) < 5 and not inputs[0].any():
            raise RuntimeError(f"black among {len(inputs)}")
        return sums

    found = toy(fail_on_black)
    images = np.full((4, 4, 5, 1), 9, np.uint8)
    images[2] = 0
    with pytest.raises(RuntimeError, match="black among 2"):
        found(images[2:])
    assert found.batch_size == BATCH_SIZE  # nothing succeeded


@pytest.mark.parametrize(("size", "calls"), [("4", {4, 2, 1}), ("fixed:4", {4})])
def test_batches_are_as_large_as_was_said(size: str, calls: set[int]) -> None:
    found = toy(batch_size=size)
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 5, 1), dtype=np.uint8)
    sizes = found.model.predict.sizes  # type: ignore[attr-defined]
    sizes.clear()
    assert np.array_equal(found(images), toy()(images))
    assert set(sizes) <= calls
    assert sum(sizes) >= 10
    assert found(images[:0]).shape == (0, 3)


# --- inputs and outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5, 1), (4, 5, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(shape: tuple[int, int, int], layout: Any) -> None:
    if layout == "NHW" and shape[2] == 3:
        return
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    mean, std = (0.1, 0.2, 0.3)[: shape[2]], (0.5, 0.6, 0.7)[: shape[2]]
    shown = Preprocessing(layout, 1 / 255, mean, std)(images)
    wanted = (images / 255 - mean) / std
    assert shown.dtype == np.float32
    assert shown.shape[1:] == dims_of(shape, layout)
    if layout == "NCHW":
        shown = shown.transpose(0, 2, 3, 1)
    assert shown.reshape(wanted.shape) == pytest.approx(wanted, abs=1e-6)
    dims = dims_of(shape, layout)
    assert layout_of(dims) == layout
    assert shape_in(dims, layout) == (None if layout == "flat" else shape)


def test_answers_are_told_apart() -> None:
    logits = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 9.0]])
    probabilities = to_scores(logits, "logit", "m")
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert to_scores(np.log(probabilities), "logit", "m") == pytest.approx(probabilities)
    assert to_scores(logits, "sigmoid", "m") == pytest.approx(1 / (1 + np.exp(-logits)))
    assert to_scores(np.array([[1e4, -1e4]]), "logit", "m").tolist() == [[1.0, 0.0]]
    for answer, kind in [
        (logits, "logit"),
        (probabilities, "probability"),
        (np.array([[0.9, 0.8]]), "probability"),  # of their own
        (np.array([1, 2]), "label"),
        (np.array([[1.0], [2.0]]), "label"),
        (np.array(["a", "b"]), "label"),
    ]:
        assert kind_of(answer) == kind
    for one, output in [(np.array([[0.3], [0.7]]), "probability"), (np.array([-0.4, 2.0]), "logit")]:
        assert kind_of(one) == output
        second = one.ravel() if output == "probability" else 1 / (1 + np.exp(-one))
        assert to_scores(of_classes(one, output), output, "m") == pytest.approx(np.stack([1 - second, second], axis=1))
        assert to_scores(of_classes(one, "sigmoid"), "sigmoid", "m")[:, 1] == pytest.approx(1 / (1 + np.exp(-one.ravel())))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda inputs, sums: sums[:-1], r"expected a row of scores for each of 35 images, got float64 \[34, 3\]"),
        (lambda inputs, sums: np.full(sums.shape, "a"), r"expected scores \[35, classes\], got <U1"),
        (lambda inputs, sums: np.full(sums.shape, None), "NaN or infinity"),
        (lambda inputs, sums: np.full(sums.shape, {}), r"got objects \(dict\) that are no numbers"),
        (lambda inputs, sums: sums[:, None, :, None, None], None),
        (lambda inputs, sums: sums[:, None, None], r"expected scores \[35, classes\], got float64 \[35, 1, 1, 3\]"),
        (lambda inputs, sums: {"scores": sums}, "expected a row of scores for each of 35 images"),
        (lambda inputs, sums: None, "expected a row of scores for each of 35 images"),
        (lambda inputs, sums: [[1.0, 2.0]] * 34 + [[1.0]], "expected an array"),
        (lambda inputs, sums: np.full_like(sums, np.nan), "NaN or infinity"),
        (lambda inputs, sums: np.full_like(sums, np.inf), "NaN or infinity"),
        (lambda inputs, sums: sums[:, : 2 + (len(inputs) == 35)], "expected 3 scores an image, got 2"),
    ],
)
def test_answers_that_are_no_scores_are_refused(change: Any, said: str | None) -> None:
    if said is None:
        with pytest.raises(UserError):
            check_classifier(toy(change))
        return
    with pytest.raises(UserError, match=said):
        check_classifier(toy(change))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classifier=onnx"], "classifier.path: expected FILE.onnx"),
        (["classifier=lenet.onnx"], "give its kind too: classifier=onnx classifier.path=lenet.onnx"),
        (["classifier=net.skops"], "give its kind too: classifier=sklearn classifier.path=net.skops"),
        (["classifier=net.safetensors"], "give its kind too: classifier=mlp classifier.path=net.safetensors"),
        (["classifier=my.py:make"], "give its kind too: classifier=python classifier.path=my.py:make"),
        (["classifier=HTTPS://h/x"], "give its kind too: classifier=http classifier.path=HTTPS://h/x"),
        (["classifier=object Net"], "object Net is a Python object, which no file holds"),
        (["classifier=onnx", "classifier.path=none.onnx"], "none.onnx: no such file; expected an ONNX model"),
        (["classifier=onnx", "classifier.path=short.onnx"], "expected an ONNX model, onnxruntime cannot read it"),
        (["classifier=onnx", "classifier.path=mask.onnx"], "expected a model with one input, got 2"),
        (
            [*LENET, "layout=NHWC"],
            "as NHWC that is 28 channels; give classifier.layout",
        ),
        (
            [*LENET, "layout=flat"],
            "takes 1 × 28 × 28 per image; images (28, 28, 1) with layout flat",
        ),
        ([*LENET, "output=probability"], "give classifier.output=logit"),
        ([*LENET, "output=label"], "expected a label an image, got float32 [125, 10]"),
        ([*LENET, "labels=a,b"], "10 scores an image, but classifier.labels are 2"),
        ([*LENET, "mean=1,2"], "classifier.mean must be one number"),
        ([*LENET, "scale=1/0"], "classifier.scale: expected a number, got 1/0"),
        ([*LENET, "batch_size=0"], "classifier.batch_size: expected auto"),
        (["classifier=onnx", "classifier.path=fixed.onnx", "batch_size=9"], "takes exactly 7 images a call"),
        ([*LENET, "data.kind=sklearn"], "the data's are (8, 8, 1)"),
        ([*LENET, "engine=jax"], "the classifier (classifier.path=lenet.onnx) has no jax_fn"),
        ([*LENET, "digit=12"], "digit=12: expected a class from 0 to 9"),
        (["classifier=sklearn", "classifier.path=lenet.onnx"], "a pickle is never opened"),
        (
            ["classifier=sklearn", "classifier.path=odd.skops"],
            "skops does not trust: models.Odd; export it to ONNX (skl2onnx, zipmap=False)",
        ),
        (["classifier=sklearn", "classifier.path=cut.skops"], "expected a scikit-learn model saved by skops.io.dump"),
        (["classifier=python", "classifier.path=none:f"], "ModuleNotFoundError: No module named 'none'"),
        (["classifier=python", "classifier.path=math"], "expected module:function"),
        (["classifier=python", "classifier.path=os:getcwd"], "it returned str"),
        (["scale=0.5"], "classifier.scale: expected an external model (onnx, sklearn, torch, keras, "),
        (["classifier.weights=x"], "classifier.weights: expected an external model (torch, timm)"),
        (
            [*LENET, "classifier.weights=x"],
            "classifier.weights: expected classifier=torch",
        ),
        (["classifier=python", "classifier.path=a:b", "output_name=x"], "classifier.output_name: expected classifier=onnx"),
    ],
)
def test_bad_input_is_one_line(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    import skops.io
    from models import Odd

    whole = write_onnx(here / "lenet.onnx").read_bytes()
    (here / "short.onnx").write_bytes(whole[: len(whole) // 2])
    write_onnx(here / "mask.onnx", extra="input")
    write_onnx(here / "fixed.onnx", batch=7)
    skops.io.dump(Odd(), here / "odd.skops")
    (here / "cut.skops").write_bytes((here / "odd.skops").read_bytes()[:-100])
    assert said in refused(capsys, *words)
    assert not (here / "r").exists()


@pytest.mark.parametrize("words", [["search=ascent"], ["search=dream"], ["search=feedback"], ["engine=jax"]], ids=str)
def test_a_search_that_needs_more_than_scores_says_so_first(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    write_onnx(here / "lenet.onnx")
    assert guarded(dispatch, ["run", "digit=4", "out=r", *LENET, *words]) == 2
    said = capsys.readouterr()
    assert "the classifier (classifier.path=lenet.onnx)" in said.err
    assert "compiling" not in said.out
    assert not (here / "r").exists()


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fooling.classifiers import adapters as foreign

    monkeypatch.setattr(foreign, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"classifier=onnx needs onnxruntime: pip install '\.\[onnx\]'"):
        load_classifier("onnx", "lenet.onnx")
    with pytest.raises(UserError, match=r"--index-url https://download.pytorch.org/whl/cpu`.*5.4 GB of CUDA.*'\.\[torch\]'"):
        load_classifier("torch", "net:make")


def test_classes_of_other_statistics_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "many.py").write_text(
        "import numpy as np\ndef make():\n    return lambda x: np.tanh(x.reshape(len(x), -1)[:, 200:226]) / 2 + 0.4\n"
    )
    words = ["classifier=python", "classifier.path=many:make", "digit=2"]
    said = refused(capsys, *words, command=["run", "prior=variogram"])
    assert "the classifier has 26 classes, the statistics have 10" in said
    assert run(*words)["digit"] == 2


WIDE = """
import numpy as np

def make():
    weights = np.random.default_rng(0).normal(size=(12 * 10 * 3, 26)) / 5
    return lambda inputs: inputs.reshape(len(inputs), -1) @ weights
"""


@pytest.mark.parametrize("search", ["ga", "anneal"])
def test_without_statistics_of_such_images_pixels_are_drawn_evenly(
    here: Path, capsys: pytest.CaptureFixture[str], search: str
) -> None:
    (here / "wide.py").write_text(WIDE)
    words = ["classifier=python", "classifier.path=wide:make", "classifier.shape=12,10,3", "digit=25", "threshold=0.95"]
    size = {"ga": "population=40", "anneal": "proposals=30"}[search]
    base = [word for word in SEARCH if word != "population=40"]
    assert guarded(dispatch, [*base, *words, f"search={search}", size]) == 0
    found = json.loads(Path("r/run.json").read_text())
    assert found["converged"] == 2
    assert found["statistics_fingerprint"] is None
    assert any("pixels are drawn uniformly from all grey levels" in note for note in found["notes"])
    assert set(found["images"][0]["terms"]) == {"target"}
    image = read_image(Path("r/images/0000.png"))
    assert image.shape == (12, 10, 3)
    assert 100 < image.mean() < 156
    assert "the statistics are of images (28, 28, 1)" in refused(
        capsys, *words, "prior.digit=3", command=[*SEARCH[:-1], "out=q"]
    )
    assert "26 classes" in refused(capsys, *words, command=["run", "prior=variogram"])


# --- damaged and unusual models -----------------------------------------------------------------------------------------


def rewritten(path: Path, change: Any) -> str:
    """The network as ONNX with a change to it."""
    import onnx

    model = onnx.load(write_onnx(path))
    change(model)
    path.write_bytes(model.SerializeToString())
    return str(path)


def without_outputs(model: Any) -> None:
    del model.graph.output[:]


def newer_ir(model: Any) -> None:
    model.ir_version = 99


def newer_opset(model: Any) -> None:
    model.opset_import[0].version = 99


def unknown_operator(model: Any) -> None:
    model.graph.node[1].op_type = "Mystery"


def huge(model: Any) -> None:
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 100_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_outputs, "got one without outputs"),
        (newer_ir, r"Unsupported model IR version: 99, max supported IR version: \d+\).*pip install -U onnxruntime"),
        (newer_opset, r"till opset \d+.*opset_version"),
        (unknown_operator, r"No Op registered for Mystery.*standard operators"),
        (huge, "expected sides up to 4096"),
    ],
)
def test_messages_of_onnxruntime_keep_their_end(here: Path, change: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as told:
        load_classifier("onnx", rewritten(here / "m.onnx", change))
    assert "onnxruntime_src" not in str(told.value)
    assert len(str(told.value)) < 600


def test_weights_that_an_onnx_file_keeps_elsewhere_are_missed(here: Path) -> None:
    import onnx

    model = onnx.load(write_onnx(here / "m.onnx"))
    onnx.save(model, "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=10)
    (here / "w.bin").unlink()
    with pytest.raises(UserError, match="keep the file of weights beside the model"):
        load_classifier("onnx", "m.onnx")


@pytest.mark.parametrize("name", ["w.bin", "m.onnx.data", "weights/all of them", "ü" * 70])
def test_weights_that_an_onnx_file_keeps_elsewhere_are_part_of_its_fingerprint(here: Path, name: str) -> None:
    import onnx

    model = onnx.load(write_onnx(here / "m.onnx"))
    (here / name).parent.mkdir(exist_ok=True)
    onnx.save(model, "m.onnx", save_as_external_data=True, location=name, size_threshold=200)
    unrelated = [here / "unrelated.txt", here / "lenet", here / "images"]  # the last two are names in the model
    for path in unrelated:
        path.write_text("notes")
    before = load_classifier("onnx", "m.onnx").fingerprint
    for path in unrelated:
        path.write_text("other notes")
    assert load_classifier("onnx", "m.onnx").fingerprint == before
    weights = bytearray((here / name).read_bytes())
    weights[0] ^= 1
    (here / name).write_bytes(weights)
    assert load_classifier("onnx", "m.onnx").fingerprint != before


def test_weights_that_an_onnx_file_keeps_in_a_pipe_are_refused(here: Path) -> None:
    import onnx

    onnx.save(onnx.load(write_onnx(here / "m.onnx")), "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=10)
    (here / "w.bin").unlink()
    os.mkfifo("w.bin")
    with pytest.raises(UserError, match=r"w\.bin: expected a file, got a named pipe"):
        load_classifier("onnx", "m.onnx")


TORCH = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        x = x.flatten(1)
        {}

make = Net

def plain():
    weights = torch.ones(20, 3, requires_grad=True)
    return lambda x: torch.from_numpy(x).flatten(1) @ weights * torch.tensor([1., 2, -3])
"""


@needs_torch
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return torch.stack([x.mean(1), x.std(1)], 1).to_sparse()", "NumPy cannot take.*Sparse"),
        ("raise RuntimeError('a' * 500 + ' the cause')", r"RuntimeError: a+ … a+ the cause"),
        ("return x @ torch.ones(7, 3)", "cannot be multiplied"),
        ("return x[:, :0]", r"\[35, 0\]"),
        ("return torch.zeros(len(x), 3, device='meta')", "NumPy cannot take"),
    ],
)
def test_what_a_torch_module_does_wrong_is_told(here: Path, body: str, said: str) -> None:
    name = f"net{abs(hash(body))}"
    (here / f"{name}.py").write_text(TORCH.format(body))
    with pytest.raises(UserError, match=said) as told:
        load_classifier("torch", f"{name}:make", shape=(4, 5, 1))
    assert len(str(told.value)) < 500


VIEWS = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        torch.manual_seed(0)
        x = torch.nn.functional.conv2d(x, torch.rand(4, 1, 3, 3))
        return x.view(len(x), -1)[:, :3]
"""


@needs_torch
def test_a_module_may_view_what_follows_from_a_grey_image(here: Path) -> None:
    (here / "views.py").write_text(VIEWS)
    found = load_classifier("torch", "views:Net", shape=(28, 28, 1))
    assert found(IMAGES).shape == (9, 3)


@needs_torch
def test_tensors_that_track_gradients_are_taken(here: Path) -> None:
    (here / "tracking.py").write_text(TORCH.format("return x"))
    found = load_classifier("python", "tracking:plain", shape=(4, 5, 1))
    assert check_classifier(found).exact
    values = torch.rand(5, 3, requires_grad=True)
    scores = checks.predict_batch(Constant(values), IMAGES[:5])
    assert np.array_equal(scores, values.detach().numpy())
    halves = checks.predict_batch(Constant(values.bfloat16()), IMAGES[:5])
    assert halves == pytest.approx(scores, abs=0.01)


class Constant:
    """A classifier that returns what it was made with."""

    input_shape, num_classes, labels, fingerprint = (28, 28, 1), 3, ("a", "b", "c"), "constant"

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, images: np.ndarray) -> Any:
        return self.value
