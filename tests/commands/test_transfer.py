"""`fooling transfer`: who believes images that were made against another classifier."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from builders import random_dense, random_network
from PIL import Image

import fooling
from fooling.classifiers import load_classifier
from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.records.record import read_images
from fooling.report import HTML
from fooling.statistics.intervals import proportion_with_ci

SHAPE = (8, 8, 1)
BOTH = "{name: ensemble, members: [a.safetensors, b.safetensors], combine: minimum, title: both}"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three networks, a run of each of the first two, a sweep and a control."""
    folder = tmp_path_factory.mktemp("transfer")
    networks = {"a": random_dense(SHAPE), "b": random_dense(SHAPE, (10,)), "c": random_dense(SHAPE, (9,))}
    for name, network in networks.items():
        network.save(folder / f"{name}.safetensors")
    small: dict[str, Any] = {"prior": "none", "population": 20, "generations": 40, "threshold": 0.5, "quiet": True}
    fooling.evolve(classifier=networks["a"], digit=1, runs=4, out=folder / "ra", **small)
    fooling.evolve(classifier=networks["b"], digit=2, runs=3, out=folder / "rb", **small)
    fooling.evolve(classifier=networks["a"], digit=1, runs=2, out=folder / "control", control=True, **small)
    random_network((9, 13, 1)).save(folder / "other.safetensors")
    fooling.evolve(classifier=random_network((9, 13, 1)), digit=0, runs=2, out=folder / "other", **small)
    return folder


def transfer(*words: str) -> dict[str, Any]:
    assert guarded(dispatch, ["transfer", *words, "quiet=true"]) == 0
    found: dict[str, Any] = json.loads(Path("t/transfer.json").read_text())
    return found


def test_shares_are_those_of_successful_images(records: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(records)
    out = f"out={home / 't'}"
    assert guarded(dispatch, ["transfer", "ra", "rb", "classifiers=[a.safetensors, c.safetensors]", out, "quiet=true"]) == 0
    found = json.loads((home / "t/transfer.json").read_text())
    assert found["rows"][0]["source"] == "a.safetensors"
    assert found["rows"][1]["source"].endswith(random_dense(SHAPE, (10,)).fingerprint[:8])  # not among the classifiers
    for row, name in zip(found["rows"], ("ra", "rb"), strict=True):
        run = json.loads((records / name / "run.json").read_text())
        entries = [entry for entry in run["images"] if entry["converged"]]
        assert row["succeeded"] == proportion_with_ci(len(entries), len(run["images"]))
        images, digit = read_images(records / name, [entry["file"] for entry in entries]), run["digit"]
        for cell, path in zip(row["cells"], ("a.safetensors", "c.safetensors"), strict=True):
            scores = load_classifier("mlp", records / path)(images)
            read = scores.argmax(axis=1) == digit
            assert cell["read"] == proportion_with_ci(int(read.sum()), len(read))
            assert cell["believed"] == proportion_with_ci(int((read & (scores[:, digit] >= 0.99)).sum()), len(read))
        row["by_hand"] = [
            (scores.argmax(axis=1) == digit) & (scores[:, digit] >= 0.99)
            for cell in row["cells"]
            for scores in [load_classifier("mlp", records / cell["classifier"])(images)]
            if not cell["related"]
        ]
    assert [[cell["itself"] for cell in row["cells"]] for row in found["rows"]] == [[True, False], [False, False]]
    anyone = np.concatenate([np.any(row["by_hand"], axis=0) for row in found["rows"]])  # an image counts once
    assert found["transferred"] == proportion_with_ci(int(anyone.sum()), len(anyone))
    assert (home / "t" / HTML).exists()
    with Image.open(home / "t/transfer.png") as picture:
        assert np.ptp(np.asarray(picture)) > 200


def test_it_attacks_each_classifier_where_no_records_are_given(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(records)
    words = [f"classifiers=[c.safetensors, {BOTH}]", "digit=0,1", "runs=2", "budget=400", "out=t", "overwrite=true"]
    found = transfer(*words)
    names = ["c.safetensors", "both", "a.safetensors", "b.safetensors"]  # members of the ensemble are added
    assert [one["name"] for one in found["classifiers"]] == [row["source"] for row in found["rows"]] == names
    both = load_classifier("ensemble", members=["a.safetensors", "b.safetensors"], combine="minimum")
    assert found["classifiers"][1]["fingerprint"] == both.fingerprint
    related = {(row["source"], cell["classifier"]) for row in found["rows"] for cell in row["cells"] if cell["related"]}
    members = {(one, other) for one in names[2:] for other in ("both", one)}
    assert related == {(name, name) for name in names} | members | {("both", name) for name in names[2:]}
    (bought,) = found["ensembles"]
    outside = next(row for row in found["rows"] if row["source"] == "c.safetensors")
    assert bought["believed"] == {cell["classifier"]: cell["believed"] for cell in outside["cells"][1:]}
    assert set(bought["evaluations"]) == {"both", *names[2:]}
    for row in found["rows"]:
        runs = [json.loads(Path("t", folder, "run.json").read_text()) for folder in row["folders"]]
        images = [image for run in runs for image in run["images"]]
        assert (row["images"], len(runs)) == (4, 2)
        reached = sum(image["evaluations_to"]["0.9999"] is not None for image in images)
        assert row["evaluations"]["9999"]["reached"]["part"] == reached
    before = Path("t/transfer.json").read_text()
    assert guarded(dispatch, ["transfer", "t/config.yaml", "out=t", "overwrite=true", "quiet=true"]) == 0
    assert Path("t/transfer.json").read_text() == before


def copied(source: Path, target: Path, config: dict[str, Any], run: dict[str, Any]) -> None:
    """A copy of a record with other entries in config.yaml and run.json."""
    shutil.copytree(source, target)
    tree = yaml.safe_load((target / "config.yaml").read_text())
    (target / "config.yaml").write_text(yaml.safe_dump(tree | {name: {**tree[name], **part} for name, part in config.items()}))
    (target / "run.json").write_text(json.dumps({**json.loads((target / "run.json").read_text()), **run}))


def test_priors_of_another_class_and_other_searches_are_counted_apart(
    records: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(records / "ra", home / "mismatched", {"prior": {"digit": 0}}, {})
    copied(records / "ra", home / "ascent", {}, {"search": "ascent"})
    monkeypatch.chdir(records)
    words = [str(home / "mismatched"), str(home / "ascent"), "out=t", "overwrite=true"]
    found = transfer("ra", *words, "classifiers=[a.safetensors,b.safetensors]")
    assert [row["kind"] for row in found["rows"]] == ["none", "none of another class", "none, ascent"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"classifier_members": ["x"]}, ["transfer", "damaged", "classifiers=[A,B]"]),
        ({"examination": ["x"]}, ["export", "damaged"]),
        ({"examination": {"classes": "many"}}, ["export", "damaged"]),
    ],
    ids=str,
)
def test_a_damaged_status_file_is_refused(
    records: Path, home: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], words: list[str]
) -> None:
    copied(records / "ra", home / "damaged", {}, changed)
    both = f"[{records}/a.safetensors,{records}/b.safetensors]"
    assert guarded(dispatch, [*(word.replace("[A,B]", both) for word in words), "out=x"]) == 2
    error = capsys.readouterr().err
    assert re.search("damaged/run.json: a damaged file; expected .*(members|classes)", error), error
    assert error.count("\n") == 1


def test_controls_are_left_out_and_said(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(records)
    found = transfer("ra", "control", "classifiers=[a.safetensors,b.safetensors]", "out=t", "overwrite=true")
    assert [row["folders"] for row in found["rows"]] == [["ra"]]
    assert "controls" in found["notes"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifiers=[a.safetensors]"], "classifiers: expected two or more, .* got a.safetensors"),
        (["classifiers=[a.safetensors,a.safetensors]"], "two have the name a.safetensors"),
        (["classifiers=[a.safetensors,other.safetensors]"], r"other.safetensors takes images \(9, 13, 1\) of 4 classes, a.saf"),
        (["classifiers=[a.safetensors,renamed.safetensors]"], "classifiers: renamed.safetensors: class 0 is class 3 for"),
        (["other"], r"records: other holds images \(9, 13, 1\), the classifiers take \(8, 8, 1\)"),
        (["control"], "expected jobs whose images aim for a class, got none: controls"),
        (["none"], "records: none: no such folder"),
        (["ra", "ra"], "got ra twice"),
        (["records=."], "holds no record of fooling"),
        (["digit=7"], "digit=7: expected a class from 0 to 3"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    records: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(records)
    replace(random_dense(SHAPE, (8,)), labels=tuple(f"class {k}" for k in (3, 2, 1, 0))).save(Path("renamed.safetensors"))
    given = [] if words[0].startswith("classifiers") else ["classifiers=[a.safetensors,b.safetensors]"]
    assert guarded(dispatch, ["transfer", *words, *given, "out=refused"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not Path("refused").exists()


@pytest.mark.parametrize(
    "changed", [{"digit": "1"}, {"confidence": None}, {"evaluations": 1.5}, {"converged": 1}, {"predicted": -1}], ids=str
)
def test_a_damaged_record_is_refused(
    records: Path, home: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any]
) -> None:
    run = json.loads((records / "ra/run.json").read_text())
    shutil.copytree(records / "ra", home / "ra")
    (home / "ra/run.json").write_text(json.dumps({**run, "images": [{**run["images"][0], **changed}, *run["images"][1:]]}))
    for words in (["transfer", "ra", "classifiers=[mnist_mlp,mnist_mlp2]"], ["export", "ra"]):
        assert guarded(dispatch, [*words, "out=x"]) == 2
        error = capsys.readouterr().err
        assert f"ra/run.json: a damaged file; expected {next(iter(changed))}" in error
        assert error.count("\n") == 1
