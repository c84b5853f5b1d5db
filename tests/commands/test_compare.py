"""`fooling compare`: its table, its gate, its file, and what it refuses."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from audits import figure, proportion, write_audit
from sklearn.linear_model import LogisticRegression

import fooling
from fooling.commands import dispatch
from fooling.errors import guarded

BEFORE = {"q9999": figure("q9999", 3000, 2500, 3500), "noise99": proportion("noise99", 2, 100), "ece": figure("ece", 0.02)}
AFTER = {"q9999": figure("q9999", 900, 800, 1000), "noise99": proportion("noise99", 3, 100), "ece": figure("ece", 0.03)}


@pytest.fixture
def audits(home: Path) -> Path:
    """Two audits that were made alike; the later model is worse."""
    write_audit(home / "a", BEFORE)
    write_audit(home / "b", AFTER, fingerprint="b2" * 32, config="budget: 5000\nseed: 0\nclassifier:\n  name: mnist_cnn\n")
    return home


def run(*words: str) -> int:
    return guarded(dispatch, ["compare", *words])


def test_the_table_has_the_worst_first(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("a", "b") == 0
    said, errors = capsys.readouterr()
    lines = said.splitlines()
    assert lines[0].split() == ["figure", "a", "b", "difference", "outcome"]
    assert [line.split()[0] for line in lines[1:4]] == ["q9999", "ece", "noise99"] or lines[1].startswith("q9999")
    assert "worse" in lines[1]
    assert "×0.30" in lines[1]
    for part in ("a1a1a1", "b2b2b2", "classifier.name mnist_mlp → mnist_cnn", "2,500–3,500"):
        assert part in said
    assert errors == ""
    assert sorted(path.name for path in audits.iterdir()) == ["a", "b"]


def test_several_records_stand_in_one_table(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_audit(audits / "c", {"q9999": figure("q9999", 9000, 8000, None)})
    assert run("folders=[b,c]", "baseline=a") == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["figure", "a", "b", "difference", "outcome", "c", "difference", "outcome"]
    assert "worse: b: q9999" in said
    assert "better: c: q9999" in said


def test_the_gate_fails_with_a_line_for_each_figure(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("b", "baseline=a", "fail_if=worse", "quiet=true", "junit=c.xml") == 1
    said, errors = capsys.readouterr()
    assert said == ""
    (line,) = errors.splitlines()
    assert all(part in line for part in ("fail_if=worse", "b: q9999", "900", "3,000"))
    suite = ElementTree.parse(audits / "c.xml").getroot()[0]  # noqa: S314 (ours)
    assert suite.get("name") == "fooling.compare"
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["b: q9999"]
    assert len(suite) == 3
    assert run("a", "baseline=b", "fail_if=worse", "junit=c.xml") == 0
    assert ElementTree.parse(audits / "c.xml").getroot().get("failures") == "0"  # noqa: S314 (ours)


def test_the_gate_can_be_about_some_figures(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("b", "baseline=a", "fail_if=worse", "figures=ece,noise99") == 0
    assert "q9999" not in capsys.readouterr().out
    assert run("b", "a", "figures=q999") == 2
    assert "did you mean q9999?" in capsys.readouterr().err


def test_other_protocols_are_no_regression_and_keep_the_gate_closed(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_audit(audits / "c", AFTER, budget=2500)
    assert run("a", "c") == 0
    said, errors = capsys.readouterr()
    assert "worse:" not in said
    assert "warning" in errors
    assert "protocol.budget 5000 → 2500" in errors
    assert run("c", "baseline=a", "fail_if=worse") == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "protocol.budget 5000 → 2500" in line
    assert "q9999" not in line


def test_out_is_a_record(audits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("a", "b", "out=c", "quiet=true") == 0
    found = json.loads((audits / "c/compare.json").read_text())
    assert (found["reference"], [one["folder"] for one in found["records"]]) == ("a", ["a", "b"])
    (one,) = found["comparisons"]
    assert (one["comparable"], one["same_classifier"]) == (True, False)
    assert one["settings"] == {"classifier.name": ["mnist_mlp", "mnist_cnn"]}
    assert one["differences"][0] == {"figure": "q9999", "outcome": "worse", "change": None, "low": None, "high": None}
    assert found["records"][0]["figures"]["ece"] == BEFORE["ece"]
    assert run("a", "b", "out=c") == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert run("b", "a", "out=c", "overwrite=true") == 0
    assert json.loads((audits / "c/compare.json").read_text())["reference"] == "b"
    assert json.loads((audits / "c/experiment.json").read_text())["status"] == "done"
    assert run("a", "b", "out=a", "overwrite=true") == 2
    assert (audits / "a/audit.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "none"], "none: no such folder"),
        (["a"], "two records or more"),
        ([], "two records or more"),
        (["a", "a"], "a twice"),
        (["a", "./a"], "./a twice"),
        (["a", "baseline=a"], "a twice"),
        (["a", "foreign"], "no record of fooling"),
        (["a", "empty"], "no record of fooling"),
        (["a", "unfinished"], "unfinished record (interrupted)"),
        (["a", "border"], "has no figures to compare"),
        (["a", "damaged"], "audit.json: a damaged file"),
        (["a", "matrix"], "share a figure"),
        (["b", "fail_if=worse"], "baseline=runs/NAME"),
        (["a", "b", "junit=c.xml"], "fail_if=worse"),
        (["b", "baseline=a", "fail_if=better"], "worse"),
        (["b", "baseline=a", "fail_if=worse", "junit=no/c.xml"], "junit=no/c.xml: the folder no does not exist"),
        (["b", "baseline=a", "fail_if=worse", "junit=mine.xml"], "no file of this command"),
        (["a", "b", "out=foreign"], "no record of fooling"),
        (["a", "b", "figures=q1"], "expected one of q9999"),
        (["a", "b", "figure=q9999"], "figures"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line(audits: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (audits / "empty").mkdir()
    (audits / "foreign").mkdir()
    (audits / "foreign/notes.txt").write_text("mine")
    (audits / "mine.xml").write_text("mine")
    write_audit(audits / "unfinished", BEFORE, status="interrupted")
    write_audit(audits / "border", {}).joinpath("audit.json").unlink()
    (audits / "border/sweep.json").rename(audits / "border/experiment.json")
    write_audit(audits / "damaged", {}).joinpath("audit.json").write_text("{")
    matrix = write_audit(audits / "matrix", {})
    (matrix / "audit.json").rename(matrix / "matrix.json")
    share = {"share": 0.5, "low": 0.4, "high": 0.6}
    (matrix / "matrix.json").write_text(json.dumps({"images_fooled": share, "pairs_fooled": share, "images_transferred": None}))
    assert run(*words) == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    (line,) = errors.splitlines()
    assert said in line
    assert (audits / "mine.xml").read_text() == "mine"
    assert not (audits / "c.xml").exists()


def test_other_preprocessing_makes_another_classifier(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = LogisticRegression(max_iter=50).fit(np.random.default_rng(0).random((60, 64)), np.arange(60) % 3)
    small: dict[str, Any] = {"digit": 1, "runs": 3, "budget": 400, "prior": "none", "quiet": True}
    for name, scale in (("a", 1 / 255), ("b", 1 / 128), ("c", 1 / 255)):
        fooling.evolve(fooling.Classifier.from_sklearn(module, shape=(8, 8, 1), scale=scale), out=name, **small)
    assert run("a", "b") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "b: the same weights with another preprocessing: " in said
    assert "the same classifier" not in said
    assert run("a", "c") == 0
    assert "c: the same classifier" in " ".join(capsys.readouterr().out.split())
