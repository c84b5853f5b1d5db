"""The page of an audit: what it says of parts that are missing, and that its advice is measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import reports

from fooling.report import make_report
from fooling.report.audit import REFERENCE, REFERRED
from fooling.settings.gate import NOTHING
from fooling.statistics.intervals import proportion_with_ci


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
    assert lines == [
        "Left out: the detector by entropy. The scores do not sum to 1.",
        "Left out: shuffled images. No images.",
    ]


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


def test_what_is_left_out_is_said_in_plain_words(tmp_path: Path) -> None:
    alone = "search=ga, search=anneal and search=pareto need scores alone"
    whys = [
        f"the classifier (classifier.path=a.onnx) has no gradients: expected jax_fn, a JAX function, or gradient; {alone}",
        f"the classifier (a.onnx) has no gradients: those of an ONNX model need onnx2torch: pip install x; {alone}",
        "the model offers no gradients; those of an ONNX model need onnx2torch: pip install x",
    ]
    for number, why in enumerate(whys):
        found = page(tmp_path / str(number), left_out=[{"part": "gradients", "why": why}])
        (line,) = [line for line in found["limits"] if line.startswith("Left out")]
        assert line.startswith("Left out: attacks by gradients. The model offers no gradients.")
        assert "search=" not in line
        assert "jax_fn" not in line
        assert ("pip install x" in line) is (number > 0)
        assert ("pip install x" in " ".join(found["next"])) is (number > 0)


def test_equal_reasons_share_a_line(tmp_path: Path) -> None:
    entropy = [{"part": f"detectors: entropy against prior={prior}", "why": "no"} for prior in ("none", "eigen")]
    (line,) = [line for line in page(tmp_path / "a", left_out=entropy)["limits"] if line.startswith("Left out")]
    assert line == "Left out: the detector by entropy. No."


def test_scores_that_do_not_sum_to_one_are_said_beside_the_number(tmp_path: Path) -> None:
    found = page(tmp_path / "a")
    assert any("do not sum to 1" in line for line in found["about"])
    html = make_report(tmp_path / "a").html
    assert html.index("do not sum to 1") < html.index("<h2>")
    page(tmp_path / "b", facts={"sums_to_one": True})
    assert "do not sum to 1" not in make_report(tmp_path / "b").html


def test_the_lower_median_is_said_once(tmp_path: Path) -> None:
    page(tmp_path / "a")
    assert make_report(tmp_path / "a").html.count("of two middle values the lower one counts") == 1


def test_captions_say_what_was_not_reached(tmp_path: Path) -> None:
    rows = reports.audit_json()["q"]["classes"]
    for row, sure in zip(rows, (0.99995, 0.9951, 0.3), strict=True):
        row["confidence"] = sure
    content = reports.audit_json()
    content["q"]["classes"] = rows
    reports.make_experiment(tmp_path / "a", "audit", content, tuple(f"part=q,digit={k}" for k in range(3)))
    captions = {one["file"]: one["caption"] for one in json.loads(make_report(tmp_path / "a").json)["pictures"]}
    captions = {file.partition("/")[0]: caption for file, caption in captions.items()}
    assert captions["part=q,digit=0"] == "class 0: > 99.99 %"
    assert captions["part=q,digit=1"] == "class 1: 99.51 % (99 % reached, 99.99 % not)"
    assert captions["part=q,digit=2"] == f"{reports.HOSTILE} (2): 30.00 % (not reached)"


def test_one_attack_a_class_has_no_shares_of_one(tmp_path: Path) -> None:
    rows = [{**row, "reached9999": proportion_with_ci(0, 1)} for row in reports.audit_json()["q"]["classes"]]
    found = page(tmp_path / "a", q={"classes": rows, "reached9999": proportion_with_ci(0, 3)}, protocol={"runs": 1})
    (table,) = [one for one in found["tables"] if one["title"] == "Evaluations for each class"]
    assert table["columns"][-1] == "confidence at the end"
    assert "of 1;" not in json.dumps(table["rows"])
    assert any("3 of 3 attacks ended without 99.99 %" in line for line in found["about"])


def test_judges_that_took_no_part_are_not_shown(tmp_path: Path) -> None:
    page(tmp_path / "a", priors=None, mismatch=None)
    config = tmp_path / "a" / "config.yaml"
    config.write_text(config.read_text() + "judges:\n- somebody\nminutes: 3\n")
    html = make_report(tmp_path / "a").html
    assert "somebody" not in html
    assert "minutes: 3" in html
    page(tmp_path / "b")
    (tmp_path / "b" / "config.yaml").write_text(config.read_text())
    assert "somebody" in make_report(tmp_path / "b").html


@pytest.mark.parametrize(
    ("own", "control", "said"),
    [
        (20, 19, "rather than fooling images"),
        (18, 1, "readable"),
        (6, 0, "the rest are not read so by at least one of them"),
        (1, 1, "the rest are not read so by at least one of them"),
    ],
)
def test_priors_say_what_they_found(tmp_path: Path, own: int, control: int, said: str) -> None:
    shares = {"with": proportion_with_ci(own, 20), "control": proportion_with_ci(control, 20)}
    rows = [{**row, "read": shares[row["arm"]]} for row in reports.audit_json()["priors"]["rows"]]
    (table,) = [one for one in page(tmp_path / "a", priors={"rows": rows})["tables"] if one["title"].startswith("Priors")]
    assert said in table["lead"][-1]
    assert "median confidence" in table["columns"]
    assert "100 is farther than all" in table["note"]


def test_mismatches_have_a_section_with_names(tmp_path: Path) -> None:
    (table,) = [one for one in page(tmp_path / "a")["tables"] if one["title"].startswith("One class to others")]
    assert "In 18 of 20 pairs of classes" in table["lead"][0]
    assert "mnist_cnn" in table["lead"][0]


def test_equal_aurocs_are_explained(tmp_path: Path) -> None:
    row = reports.audit_json()["detectors"]["rows"][0]
    (table,) = [
        one
        for one in page(tmp_path / "a", detectors={"rows": [row, {**row, "name": "energy"}]})["tables"]
        if one["title"] == "Detectors"
    ]
    assert "Equal AUROCs of largest score, energy" in table["note"]


def test_other_models_are_named_for_the_same_protocol_alone(tmp_path: Path) -> None:
    assert REFERENCE not in page(tmp_path / "a")["about"]
    assert REFERENCE in page(tmp_path / "b", protocol=REFERRED)["about"]
    table = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert " ".join(re.findall(r"500 to\s+2,300", table))


def test_each_kind_of_nothing_has_one_name_and_says_what_it_is(tmp_path: Path) -> None:
    found = page(tmp_path / "a")
    (table,) = [one for one in found["tables"] if one["title"] == "Images without any of the classes"]
    (chart,) = [one for one in found["charts"] if one["title"] == "Images without any of the classes"]
    html = make_report(tmp_path / "a").html
    for row, kind in zip(table["rows"], NOTHING.values(), strict=True):
        assert row[0] == kind.name
        assert kind.name in chart["alt"]
        assert f"{kind.name}: {kind.what}".lower() in html.lower()
    assert "even noise" not in html


def test_what_is_said_of_all_kinds_is_said_once(tmp_path: Path) -> None:
    rows = [{**row, "note": f"{row['kind']}!; not one"} for row in reports.audit_json()["nothing"]["rows"]]
    (table,) = [
        one
        for one in page(tmp_path / "a", nothing={"rows": rows})["tables"]
        if one["title"] == "Images without any of the classes"
    ]
    assert [row[0].partition(": ")[2] for row in table["rows"]] == [f"{key}!" for key in NOTHING]
    assert "not one" in table["note"]


def test_the_headline_says_what_q_is(tmp_path: Path) -> None:
    page(tmp_path / "a")
    assert "This is Q" in make_report(tmp_path / "a").html
    page(tmp_path / "b", q={"generation": 100})
    assert "in steps of 100 images" in make_report(tmp_path / "b").html


def test_a_column_says_which_images_pass(tmp_path: Path) -> None:
    (table,) = [one for one in page(tmp_path / "a")["tables"] if one["title"] == "Detectors"]
    assert "FPR at 95 % TPR" in table["columns"][-1]
    assert "less is better" in table["columns"][-1]
    assert "which 95 % of the real ones pass" in table["note"]
    assert table["rows"][0][2:4] == ["50", "100"]
