"""`fooling audit`: what it measures, its gate, what is left out, and how it goes on."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fooling.commands import audit as command
from fooling.commands import dispatch
from fooling.commands.audit import facts, protocol
from fooling.errors import guarded
from fooling.records.record import read_run
from fooling.settings.gate import known_figures
from fooling.statistics.survival import survival_curve

SMALL = [
    *("classifier=digits_perceptron", "data.kind=sklearn", "digit=0,1,2", "runs=4", "budget=400", "copies=4"),
    *("rungs=variogram", "images=120", "judges=[]", "quiet=true"),
]


def audit(*words: str) -> int:
    return guarded(dispatch, ["audit", *words])


def found(folder: str = "a") -> dict[str, Any]:
    return json.loads(Path(folder, "audit.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "a"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "SPEED_SECONDS", 0.0)
        assert audit(*SMALL, f"out={folder}") == 0
    return folder


def without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = protocol.entries_of

    def only_scores(*arguments: Any) -> Any:
        if arguments[4]["part"] == protocol.GRADIENTS:
            raise protocol.UserError("the classifier has no gradients")
        return entries(*arguments)

    monkeypatch.setattr(protocol, "entries_of", only_scores)
    monkeypatch.setattr(facts, "SPEED_SECONDS", 0.0)


def test_every_figure_is_one_of_the_table_and_follows_from_the_records(done: Path) -> None:
    content = found(str(done))
    assert set(content["figures"]) <= set(known_figures())
    assert {"q99", "q9999", "reached99", "accuracy", "ece", "noise99", "success_variogram"} <= set(content["figures"])
    rows = {row["digit"]: row for row in content["q"]["classes"]}
    assert sorted(rows) == [0, 1, 2]
    for digit, row in rows.items():
        run = read_run(done / f"part=q,digit={digit}")
        times = [image["evaluations_to"].get("0.99") or image["evaluations"] for image in run["images"]]
        reached = [bool(image["evaluations_to"].get("0.99")) for image in run["images"]]
        assert row["median99"] == survival_curve(times, reached).median.value
        assert row["reached99"]["part"] == sum(reached)
    medians = sorted(np.inf if row["median99"] is None else row["median99"] for row in rows.values())
    assert (content["figures"]["q99"]["value"] or np.inf) == medians[1]
    assert content["protocol"]["classes"] == [0, 1, 2]
    assert (content["protocol"]["runs"], content["protocol"]["budget"], content["protocol"]["search"]) == (4, 400, "ga")
    assert content["q"]["survival"]["99"][0] == [0, 1]


def test_each_part_is_there_or_named_as_left_out(done: Path) -> None:
    content = found(str(done))
    assert {row["kind"] for row in content["nothing"]["rows"]} == {
        "blank",
        "even_noise",
        "shuffled",
        "phase_scrambled",
        "foreign",
    }
    assert [check["name"] for check in content["checks"]] == ["more_budget", "gradients", "noise"]
    assert all(check["passed"] is not False for check in content["checks"])
    assert [(row["rung"], row["arm"]) for row in content["priors"]["rows"]] == [("variogram", "with"), ("variogram", "control")]
    assert content["mismatch"] is None
    assert "held-out" in next(entry["why"] for entry in content["left_out"] if entry["part"] == "mismatch")
    assert content["verdict"]
    for name in ("report.html", "report.json", "report.csv", "badge.svg", "card.md", "facts.json", "nothing.json"):
        assert (done / name).stat().st_size
    assert ET.parse(done / "badge.svg").getroot().tag.endswith("svg")  # noqa: S314


def test_the_gate(done: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    junit = tmp_path / "audit.xml"
    assert audit(*SMALL, f"out={done}", "resume=true", "fail_under=q99=5000,reached99<100%,accuracy>0.5", f"junit={junit}") == 1
    said = capsys.readouterr().err.splitlines()
    assert any("q99=5000" in line for line in said)
    assert not any("accuracy" in line for line in said)
    assert ET.parse(junit).getroot().get("tests") == "3"  # noqa: S314
    assert audit(*SMALL, f"out={done}", "resume=true", "fail_under=accuracy>0.5") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fail_under=q99999=5"], ("q99999", "q9999")),
        (["junit=a.xml"], ("junit", "fail_under")),
        (["fail_under=ece<0.1", "junit=missing/a.xml"], ("junit", "missing")),
        (["digit=12"], ("digit=12",)),
        (["rungs=nothing"], ("rungs", "variogram")),
        (["minutes=0"], ("minutes",)),
        (["sample=0"], ("sample",)),
        (["data.path=nowhere"], ("nowhere",)),
        (["classifier=onnx", "classifier.path=nowhere.onnx"], ("nowhere.onnx",)),
        (["populaton=3"], ("populaton",)),
    ],
)
def test_bad_words_are_refused_before_anything_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: tuple[str, ...]
) -> None:
    usual = ["classifier=digits_perceptron"] if "classifier=onnx" not in words else []
    assert audit(*usual, "out=a", *words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(part in said for part in expected)
    assert not Path("a").exists()


def test_what_the_time_does_not_allow_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_gradients(monkeypatch)
    words = [word.replace("images=120", "images=60") for word in SMALL]
    assert audit(*words, "out=a", "minutes=1e-9", "fail_under=q99=1") == 1
    content = found()
    assert content["q"] is None
    assert not any(name.startswith("q9") for name in content["figures"])
    assert {entry["part"] for entry in content["left_out"]} >= {"q", "priors", "mismatch", "gradients", "facts: calibration"}
    assert "minutes" in next(entry["why"] for entry in content["left_out"] if entry["part"] == "q")


def test_without_data_what_needs_data_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_gradients(monkeypatch)
    words = [word for word in SMALL if not word.startswith(("data", "images"))]
    assert audit(*words, "out=a", "sample=1") == 0
    content = found()
    assert content["facts"]["accuracy"] is None
    assert {row["kind"] for row in content["nothing"]["rows"]} == {"blank", "even_noise", "foreign"}
    assert {"priors", "mismatch", "detectors"} <= {entry["part"] for entry in content["left_out"]}
    assert len(content["q"]["classes"]) == 1


@pytest.mark.parametrize(("digit", "covered"), [("0,3", "1 of 2 attacked"), ("0,1", "")])
def test_data_of_one_class_leave_out_what_needs_several(
    home: Path, monkeypatch: pytest.MonkeyPatch, digit: str, covered: str
) -> None:
    without_gradients(monkeypatch)
    digits = load_digits()
    of_three = digits.target == 3
    np.savez("three.npz", images=(digits.images[of_three] * (255 / 16)).astype(np.uint8), labels=digits.target[of_three])
    words = ["classifier=digits_perceptron", "data.path=three.npz", f"digit={digit}", "runs=2", "budget=300", "copies=2"]
    assert audit(*words, "rungs=variogram", "images=60", "judges=[]", "quiet=true", "out=a") == 0
    content = found()
    left_out = {one["part"]: one["why"] for one in content["left_out"]}
    assert sorted(row["digit"] for row in content["q"]["classes"]) == [int(k) for k in digit.split(",")]
    assert "one class" in left_out["detectors"]
    assert "one class" in left_out["facts: calibration"]
    if covered:
        assert covered in left_out["priors: classes"]
        assert {cell["digit"] for row in content["priors"]["rows"] for cell in row["cells"]} == {3}
    else:
        assert "no images of an attacked class" in left_out["priors"]


def test_it_goes_on_where_it_stopped(home: Path, monkeypatch: pytest.MonkeyPatch, done: Path) -> None:
    without_gradients(monkeypatch)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "COMMAND", replace(command.COMMAND, compute=interrupted))
        assert audit(*SMALL, "out=a") == 130
    assert not Path("a/audit.json").exists()
    before = Path("a/facts.json").read_bytes()
    assert audit(*SMALL, "out=a", "resume=true") == 0
    assert Path("a/facts.json").read_bytes() == before, "finished parts are read"
    again, whole = found(), found(str(done))
    assert again["q"] == whole["q"]
    assert again["priors"]["rows"][0]["converged"] == whole["priors"]["rows"][0]["converged"]


def test_a_part_that_is_there_is_read_without_the_mark_of_earlier_records(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    assert facts.part(path, lambda: {"notes": []}) == {"notes": []} == json.loads(path.read_text())
    path.write_text('{"notes": [1], "done": true}')
    assert facts.part(path, dict) == {"notes": [1]}


def test_another_model_does_not_pass_with_the_figures_of_the_first(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = done / "sweep.json"
    before = status.read_text(encoding="utf-8")
    assert '"classifier_fingerprint"' in before
    about = json.loads(before)
    status.write_text(json.dumps({**about, "classifier_fingerprint": "0" * 64}), encoding="utf-8")
    try:
        assert audit(*SMALL, f"out={done}", "resume=true", "fail_under=accuracy>0.5") == 2
        assert "another classifier" in capsys.readouterr().err
    finally:
        status.write_text(before, encoding="utf-8")


def test_more_minutes_go_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_gradients(monkeypatch)
    words = [*(word for word in SMALL if "rungs" not in word), "rungs=[]", "out=a"]
    assert audit(*words, "minutes=1e-9") == 0
    assert found()["q"] is None
    assert audit(*words, "minutes=5", "resume=true") == 0
    assert found()["protocol"]["attacked"] == [0, 1, 2]
    assert audit(*words, "minutes=1", "resume=true") == 2


@pytest.mark.parametrize(
    "damage", ["{}", '{"figures": {"accuracy": {"value": "high"}}, "left_out": []}', '{"figures": 3, "left_out": 2}']
)
def test_a_damaged_audit_is_answered_in_a_line(done: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    path = done / "audit.json"
    before = path.read_bytes()
    path.write_text(damage, encoding="utf-8")
    try:
        assert audit(*SMALL, f"out={done}", "resume=true", "fail_under=accuracy>0.5") == 2
        assert capsys.readouterr().err.count("\n") == 1
    finally:
        path.write_bytes(before)
