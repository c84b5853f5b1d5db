"""`fooling.audit` and `Audit`: objects as classifiers, data and judges; what is kept; one line for bad input."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import ROOT, random_network
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fooling
from fooling.commands.audit import python
from fooling.records.files import read_json

SMALL: dict[str, Any] = {"digit": [3, 5], "runs": 2, "budget": 600, "copies": 1, "rungs": ["variogram"], "pairs": 0}


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return np.rint(found.images * (255 / 16)).astype(np.uint8), found.target


@pytest.fixture(scope="module")
def model(digits: tuple[np.ndarray, np.ndarray]) -> LogisticRegression:
    images, labels = digits
    return LogisticRegression(max_iter=200).fit(images[::3].reshape(-1, 64) / 255, labels[::3])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model: Any, digits: Any) -> Any:
    """An audit of an estimator on arrays, and the folder of its record."""
    folder = tmp_path_factory.mktemp("audit") / "kept"
    return fooling.audit(model, digits, out=folder, **SMALL), folder


def test_an_audit_holds_the_parts_of_its_record(kept: Any) -> None:
    audit, folder = kept
    assert audit.to_dict() == read_json(folder / "audit.json")
    assert audit.folder == str(folder)
    assert audit.model["name"] == "object LogisticRegression"
    assert sorted(audit.images) == [3, 5]
    assert all(image.shape == (8, 8, 1) and image.dtype == np.uint8 for image in audit.images.values())
    assert audit.value("accuracy") > 0.9
    assert audit.value("mismatch") is None
    assert (folder / "report.html").exists()
    assert "object LogisticRegression" in repr(audit)
    assert len(repr(audit)) < 200


def test_a_record_is_read_again(kept: Any) -> None:
    audit, folder = kept
    again = fooling.Audit.load(folder)
    assert again.to_dict() == audit.to_dict()
    assert all(np.array_equal(again.images[k], audit.images[k]) for k in audit.images)


def test_rules_are_those_of_the_gate(kept: Any) -> None:
    audit, _ = kept
    assert audit.check("accuracy>50%") == []
    (line,) = audit.check(["accuracy>99.99999%", "accuracy>50%"])
    assert "accuracy>99.99999%" in line
    assert len(audit.check("mismatch<0.1")) == 1  # not measured: it does not hold


@pytest.mark.parametrize("rules", ["q=3", 3, [], "", "ece<x", None])
def test_rules_that_cannot_be_read(kept: Any, rules: Any) -> None:
    with pytest.raises(fooling.UserError, match=r"^rules: "):
        kept[0].check(rules)


def test_a_table_needs_pandas(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "find_spec", lambda name: None)
    with pytest.raises(fooling.UserError, match="pip install pandas"):
        kept[0].to_dataframe()


def test_a_table_of_the_figures(kept: Any) -> None:
    pytest.importorskip("pandas")
    table = kept[0].to_dataframe()
    assert list(table.index) == list(kept[0].figures)
    assert table.loc["accuracy", "value"] == kept[0].value("accuracy")


@pytest.mark.parametrize("kind", ["LogisticRegression", pytest.param("DenseNetwork", marks=pytest.mark.exhaustive)])
def test_nothing_is_printed_or_left_without_a_folder(
    kind: str, model: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = fooling.ImageSet(digits[0][:300, :, :, None], digits[1][:300], tuple(map(str, range(10))), "some digits")
    judges = {"other": random_network((8, 8, 1), 10, seed=1)}
    attacked = model if kind == "LogisticRegression" else random_network((8, 8, 1), 10)
    small = SMALL | {"pairs": 1, "budget": 1100, "rungs": ["variogram", "eigen"]}
    audit = fooling.audit(attacked, data, judges=judges, **small)
    assert audit.folder is None
    assert audit.model["name"] == f"object {kind}"
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert audit.images
    left_out = {one["part"]: one["why"] for one in audit.left_out}
    assert "components" in left_out["priors: eigen"]  # of 25 images of a class
    assert ("another kind" if kind == "DenseNetwork" else "components") in left_out["mismatch"]
    assert audit.value("read_variogram") is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classifier": None}, "classifier: expected .* got None"),
        ({"classifier": 3}, "classifier: expected .* got int"),
        ({"data": 3}, "data: expected .* got int"),
        ({"data": (1,)}, "data: expected .* got tuple of 1"),
        ({"data": "nowhere"}, "data.path=nowhere"),
        ({"data": {"pth": "x"}}, "data.pth"),
        ({"labels": lambda y: y[:-1]}, "data: 1,797 images but 1,796 labels"),
        ({"labels": lambda y: y.astype(str)}, "data: expected labels .* got text"),
        ({"labels": lambda y: y + 0.5}, "data: expected labels"),
        ({"images": lambda x: x.reshape(-1, 64)}, r"data: expected images \[N, H, W\]"),
        ({"images": lambda x: x[:, :7]}, "classifier"),
        ({"images": lambda x: [[1], [1, 2]]}, "data: images: expected an array, got list"),
        ({"images": lambda x: x.astype(str)}, "data: images: expected"),
        ({"images": lambda x: x // 16}, "data.scale"),
        ({"judges": 3}, "judges: expected .* got int"),
        ({"out": 3}, "out: expected .* got int"),
        ({"resume": True}, "out=FOLDER"),
        ({"rnus": 3}, "rnus.* did you mean runs"),
        ({"budget": "many"}, "budget: .*many"),
        ({"fail_under": "foo<3"}, "fail_under: .*foo"),
        ({"digit": "eleven"}, "digit=eleven"),
    ],
)
def test_bad_input_is_answered_in_one_line(model: Any, digits: Any, change: dict[str, Any], words: str) -> None:
    (images, labels), same = digits, lambda given: given
    data = change.get("images", same)(images), change.get("labels", same)(labels)
    given = {"classifier": model, "data": data} | {name: change[name] for name in change if name not in ("images", "labels")}
    with pytest.raises(fooling.UserError, match=words) as found:
        fooling.audit(given.pop("classifier"), given.pop("data"), **given)
    assert "\n" not in str(found.value)


def test_a_folder_without_an_audit(tmp_path: Path) -> None:
    fooling.evolve("prior=none", classifier="digits_perceptron", runs=1, generations=1, out=tmp_path / "run")
    for folder in (tmp_path, tmp_path / "run", tmp_path / "nowhere"):
        with pytest.raises(fooling.UserError, match="fooling audit"):
            fooling.Audit.load(folder)


INTERRUPTED = """
import os, signal, sys, tempfile
import fooling
from fooling.commands import jobs

tempfile.tempdir = sys.argv[1]
run = jobs.run_entry
def interrupted(*given, **more):
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    return run(*given, **more)
jobs.run_entry = interrupted
try:
    fooling.audit("digits_perceptron", {"kind": "sklearn"}, digit=[0, 1], rungs="variogram", copies=1)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 0), ("SIGTERM", -signal.SIGTERM)])
def test_an_interrupted_audit_leaves_nothing(tmp_path: Path, name: str, code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == ("interrupted\n" if name == "SIGINT" else "")
    assert list(tmp_path.iterdir()) == []
