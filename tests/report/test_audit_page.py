"""The page of an audit: what it says of parts that are missing, and that its advice is measured."""

import json
from pathlib import Path
from typing import Any

import pytest
import reports

from fooling.report import make_report
from fooling.settings.gate import NOTHING


def page(folder: Path, **changes: Any) -> dict[str, Any]:
    """report.json of an audit with these parts; those that are dictionaries are added to."""
    content = reports.audit_json()
    for name, change in changes.items():
        content[name] = {**content[name], **change} if isinstance(change, dict) else change
    reports.make_experiment(folder, "audit", content)
    found: dict[str, Any] = json.loads(make_report(folder).json)
    return found


def test_everything_that_was_left_out_is_listed_once(tmp_path: Path) -> None:
    entropy = {"part": "detectors: entropy", "why": "the scores do not sum to 1"}
    shuffled = {"part": "nothing: shuffled", "why": "no images"}
    lacks = {"detectors": {"left_out": [entropy]}, "nothing": {"left_out": ["shuffled: no images"]}}  # as both parts write it
    found = page(tmp_path / "a", left_out=[entropy, shuffled, entropy], **lacks)
    lines = [line for line in found["limits"] if line.startswith("Left out")]
    assert [line.partition(" (")[0] for line in lines] == ["Left out: detectors: entropy", "Left out: nothing: shuffled"]


def test_classes_that_were_attacked_are_counted(tmp_path: Path) -> None:
    assert page(tmp_path / "a")["facts"]["classes searched"].startswith("3 of 3")
    assert page(tmp_path / "b", protocol={"attacked": [1]})["facts"]["classes searched"].startswith("1 of 3")


def test_a_model_from_a_file_is_called_by_it(tmp_path: Path) -> None:
    assert page(tmp_path / "a", model={"name": "onnx", "path": "models/net.onnx"})["title"] == "Audit of net.onnx"


def test_steps_say_what_was_measured(tmp_path: Path) -> None:
    steps = " ".join(page(tmp_path / "a")["next"])
    assert "90 % of noise images" in steps
    assert "then 1 %, without it 5 %" in steps
    assert "entropy (AUROC 0.999)" in steps  # not the detector that was trained with such images, and not 1.00
    assert "train with" not in steps


@pytest.mark.parametrize("unscaled", [None, 0.005])
def test_a_temperature_that_does_not_help_is_no_step(tmp_path: Path, unscaled: float | None) -> None:
    assert "temperature" not in " ".join(page(tmp_path / "a", facts={"ece_unscaled": unscaled})["next"])


def test_each_kind_of_nothing_has_one_name_and_says_what_it_is(tmp_path: Path) -> None:
    found = page(tmp_path / "a")
    (table,) = [one for one in found["tables"] if one["title"] == "Sure of nothing"]
    (chart,) = [one for one in found["charts"] if one["title"] == "Sure of nothing"]
    html = make_report(tmp_path / "a").html
    for row, kind in zip(table["rows"], NOTHING.values(), strict=True):
        assert row[0] == kind.name
        assert kind.name in chart["alt"]
        assert f"{kind.name}: {kind.what}".lower() in html.lower()
    assert "even noise" not in html


def test_what_is_said_of_all_kinds_is_said_once(tmp_path: Path) -> None:
    rows = [{**row, "note": f"{row['kind']}!; not one"} for row in reports.audit_json()["nothing"]["rows"]]
    (table,) = [one for one in page(tmp_path / "a", nothing={"rows": rows})["tables"] if one["title"] == "Sure of nothing"]
    assert [row[0].partition(": ")[2] for row in table["rows"]] == [f"{key}!" for key in NOTHING]
    assert "not one" in table["note"]


def test_the_headline_says_what_q_is(tmp_path: Path) -> None:
    page(tmp_path / "a")
    assert "This is Q" in make_report(tmp_path / "a").html
    page(tmp_path / "b", q={"generation": 100})
    assert "in steps of 100 images" in make_report(tmp_path / "b").html


def test_a_column_says_which_images_pass(tmp_path: Path) -> None:
    (table,) = [one for one in page(tmp_path / "a")["tables"] if one["title"] == "Detectors"]
    assert "pass where 95 % of the real ones do" in table["columns"][-1]
