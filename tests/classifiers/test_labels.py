"""Class names: where they come from, and which class a name means."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders import random_dense

from fooling import evolve
from fooling.classifiers import load_classifier
from fooling.classifiers.labels import class_indices, class_name, distinct, read_labels, rename, target_name
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.settings import load
from fooling.settings.files import CEILINGS
from fooling.settings.schema import RunSettings

NAMES = ("hen", "espresso", "kite: bird", "potter's wheel", "a robe, or a gown", "missile (5)", "missile (6)", "Hen")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("n.txt", "hen\ntabby cat\n"),
        ("n.txt", "\ufeffhen \r\n tabby cat\r\n\r\n"),
        ("n.json", '["hen", "tabby cat"]'),
        ("n.json", '{"1": "tabby cat", "0": "hen"}'),
        ("n.json", '{"0": ["n01514859", "hen"], "1": ["n02123045", "tabby cat"]}'),
        ("config.json", '{"model_type": "vit", "id2label": {"0": "hen", "1": "tabby cat"}}'),
        ("n.txt", '{"0": "hen", "1": "tabby cat"}'),
    ],
)
def test_a_file_names_the_classes(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert read_labels([str(tmp_path / name)]) == ("hen", "tabby cat")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("n.txt", b"hen\n\ncat\n", "got none for class 1 of 3"),
        ("n.txt", b"\xff\xfe", "UTF-8"),
        ("n.json", b"hen\ncat", "broken JSON"),
        ("n.json", b"[" * 5000, "broken JSON"),
        ("n.json", b"3", "got int"),
        ("n.json", b'{"0": "hen", "2": "cat"}', r"0 … 1 of an object.*no key 1"),
        ("n.json", b'{"hen": 0, "cat": 1}', "got other keys"),
        ("n.json", b"{}", "got other keys"),
        ("n.json", b'["hen", null]', "class 1, got None"),
        ("n.json", b'["hen", true]', "class 1, got True"),
    ],
)
def test_other_files_are_refused_in_a_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"labels=.*{name}: expected .*{message}"):
        read_labels([str(tmp_path / name)])


def test_a_missing_and_a_large_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"labels=.*n\.txt: cannot be read .*a name a line"):
        read_labels([str(tmp_path / "n.txt")])
    monkeypatch.setitem(CEILINGS, "names", 7)
    (tmp_path / "n.txt").write_text("hen\ncat\n")
    with pytest.raises(UserError, match=r"at most 7 bytes \(names\), got 8"):
        read_labels([str(tmp_path / "n.txt")])


def test_names_are_printable_and_differ(tmp_path: Path) -> None:
    (tmp_path / "n.json").write_text(json.dumps(["a\x1b[2J", "b" * 999, "missile", "missile"]))
    escaped, long, *same = read_labels([str(tmp_path / "n.json")])
    assert (escaped, same) == ("a\\x1b[2J", ["missile (2)", "missile (3)"])
    assert len(long) == 200
    assert distinct(["a", "b"]) == ("a", "b")


def test_a_built_in_network_takes_names(tmp_path: Path) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (tmp_path / "n.txt").write_text("\n".join(words))
    bundled, named = load_classifier("mnist_mlp"), load_classifier("mnist_mlp", labels=[str(tmp_path / "n.txt")])
    assert named.labels == load_classifier("mnist_cnn", labels=words).labels == tuple(words)
    assert named.fingerprint == bundled.fingerprint
    with pytest.raises(UserError, match="labels: expected 4 names, as many as classes, got 10"):
        rename(random_dense((8, 8, 1)), words)


@pytest.mark.parametrize(
    ("text", "digit", "classes"),
    [
        ("1", 1, [1]),
        ('"1"', 1, [1]),
        ("espresso", "espresso", [1]),
        ("ESPRESSO", "ESPRESSO", [1]),
        ("Hen", "Hen", [7]),
        ("kite: bird", "kite: bird", [2]),
        ("potter's wheel", "potter's wheel", [3]),
        ("hen,espresso", ("hen", "espresso"), [0, 1]),
        ("hen, potter's wheel", ("hen", "potter's wheel"), [0, 3]),
        ('"a robe, or a gown"', "a robe, or a gown", [4]),
        ('["a robe, or a gown", hen]', ("a robe, or a gown", "hen"), [4, 0]),
        ('"a robe, or a gown","hen"', ("a robe, or a gown", "hen"), [4, 0]),
        ("missile (6)", "missile (6)", [6]),
        ("2,hen", (2, "hen"), [2, 0]),
        ("all", "all", list(range(8))),
    ],
)
def test_a_target_by_name(text: str, digit: Any, classes: list[int]) -> None:
    for setting in ("target", "digit"):
        settings = load([f"{setting}={text}", "prior=none"], RunSettings)
        assert settings.digit == digit
        assert class_indices(settings.digit, NAMES) == classes


@pytest.mark.parametrize(
    ("digit", "message"),
    [
        ("expresso", r"digit=expresso: no class has this name; did you mean espresso \(digit=1\)\?$"),
        ("gown", r"did you mean a robe, or a gown \(digit=4\)\? A name with a comma needs quotes"),
        ("missile", r"digit=missile: 2 classes have this name; .* digit=5 or digit=6"),
        ("hEN", r"digit=hEN: 2 classes have this name; .* digit=0 or digit=7"),
        ("zzz", r"digit=zzz: expected an index from 0 to 7, or one of the names hen, espresso, "),
        ((1, "espresso"), r"digit=espresso: expected different classes, got class 1 twice"),
    ],
)
def test_a_name_that_means_no_single_class_is_refused(digit: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        class_indices(digit, NAMES)


def test_numbers_are_indices_whatever_the_names() -> None:
    assert class_indices(1, ("1", "2", "3")) == [1]
    assert [class_name(2, label) for label in ("2", "3", "hen")] == ["2", "3 (class 2)", "hen"]
    assert [target_name(2, label) for label in ("2", "hen")] == ["digit 2", "target hen (digit=2)"]


def test_a_number_that_is_an_index_and_another_label_is_asked_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "own_model.py").write_text("def make():\n    return lambda x: x.reshape(len(x), -1)[:, :4] / 4\n")
    shared = ["classifier=python", "classifier.path=own_model.py:make", "classifier.shape=4,4,1", "output=probability"]
    shared += ["classifier.labels=[1,2,3,4]", "prior=none", "runs=1", "generations=2", "population=10", "quiet=true"]
    for word, named in (("target=1", "digit=2 (1)"), ("digit=0,3", "digit=4 (3)"), ("digit=4", "digit=4 (3)")):
        assert guarded(dispatch, ["run", word, *shared]) == 2
        assert f'"{named}"' in capsys.readouterr().err
    for command in ("ladder", "matrix"):
        few = [word for word in shared if not word.startswith(("prior=", "population="))]
        assert guarded(dispatch, [command, "digit=1,2", *few]) == 2
        assert '"digit=2 (1)"' in capsys.readouterr().err
    with pytest.raises(UserError, match=r'"digit=1 \(0\)" is the class with this label, "digit=2 \(1\)" that with this index'):
        evolve(*shared, digit=1)
    assert evolve(*shared, digit="2 (1)").digit == 1
    assert guarded(dispatch, ["run", "digit=1 (0)", *shared, "out=r"]) == 0
    assert json.loads((home / "r" / "run.json").read_text())["digit"] == 0
    assert guarded(dispatch, ["run", "digit=2 (1)", *shared, "out=s"]) == 0
    assert guarded(dispatch, ["run", str(home / "s" / "config.yaml"), "out=t"]) == 0
    assert json.loads((home / "t" / "run.json").read_text())["digit"] == 1


def test_an_external_model_takes_names_of_a_file(home: Path) -> None:
    (home / "own_scores.py").write_text("def make():\n    return lambda x: x.reshape(len(x), -1)[:, :3] / 3\n")
    (home / "n.json").write_text('["hen", "cat", "cat"]')
    words = {"path": "own_scores:make", "shape": [4, 4, 1], "output": "probability"}
    named = load_classifier("python", labels=["n.json"], **words)
    assert (named.labels, load_classifier("python", **words).labels) == (("hen", "cat (1)", "cat (2)"), ("0", "1", "2"))
    (home / "n.json").write_text('["hen", "cat"]')
    with pytest.raises(UserError, match=r"outputs 3 scores an image, but classifier\.labels are 2"):
        load_classifier("python", labels=["n.json"], **words)
