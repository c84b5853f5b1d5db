"""Gates: the verdict on each rule, and its JUnit file."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from audits import above, figure, proportion

from fooling.errors import UserError
from fooling.report.gate import Verdict, failures, number, verdicts
from fooling.report.junit import check_junit, junit, write_junit
from fooling.settings.gate import parse_rules

FIGURES = {
    "q99": figure("q99", 1200, 1000, 1500),
    "q9999": above("q9999", 5000),
    "ece": figure("ece", 0.05, 0.04, 0.06),
    "mismatch": proportion("mismatch", 9, 90),
    "auroc_entropy": figure("auroc_entropy", 0.9, 0.85, 0.95),
    "accuracy": figure("accuracy", None),
}
FOUND = [Verdict("ece<5%", "passed", "3 %"), Verdict("q99=9", "failed", "5"), Verdict("q9999=9", "unknown", "a < b & c")]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("q99=1200", "passed"),
        ("q99=1201", "failed"),
        ("q99>1200", "failed"),
        ("q99<=1200", "passed"),
        ("q99<1200", "failed"),
        ("ece=5%", "passed"),
        ("ece<5%", "failed"),
        ("mismatch=.1", "passed"),
        ("mismatch<.1", "failed"),
        ("auroc_entropy>.89", "passed"),
        ("q9999=5000", "passed"),  # more than the budget is more than the limit
        ("q9999>5000", "passed"),
        ("q9999=4000", "passed"),
        ("q9999=5001", "unknown"),
        ("q9999<=5000", "failed"),
        ("q9999<4000", "failed"),
        ("q9999<6000", "unknown"),
        ("accuracy=.9", "unknown"),
        ("foreign99<.1", "unknown"),
    ],
)
def test_verdicts_by_hand(rule: str, status: str) -> None:
    (found,) = verdicts(parse_rules(rule), FIGURES)
    assert (found.name, found.status) == (rule, status)


def test_a_line_names_rule_limit_value_and_interval() -> None:
    found = verdicts(parse_rules("q99=5000,mismatch<5%,ece<.1"), FIGURES)
    first, second = failures(found, "fail_under")
    assert all(part in first for part in ("fail_under", "q99=5000", "at least 5,000", "got 1,200", "1,000–1,500"))
    assert all(part in second for part in ("mismatch<5%", "less than 5 %", "got 10 %"))


def test_a_budget_that_is_too_small_is_named() -> None:
    (found,) = verdicts(parse_rules("q9999=9000"), FIGURES)
    assert "5,000" in found.line
    assert "budget=9000" in found.line


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("mismatch<.1", "held-out classifiers are missing"),
        ("auroc_entropy=.9", "the scores do not sum to 1"),
        ("fpr95_entropy_eigen<.9", "the scores do not sum to 1"),
        ("auroc_energy=.9", "no real images"),
        ("accuracy=.9", "data.path"),
        ("blank99<.1", "has no blank99"),
    ],
)
def test_a_figure_that_was_left_out_closes_the_gate_and_says_why(rule: str, said: str) -> None:
    left_out = [
        {"part": "mismatch", "why": "held-out classifiers are missing"},
        {"part": "detectors: entropy against prior=none", "why": "the scores do not sum to 1"},
        {"part": "detectors: entropy against prior=eigen", "why": "the scores do not sum to 1"},
        {"part": "detectors", "why": "no real images"},
    ]
    (found,) = verdicts(parse_rules(rule), {}, left_out)
    assert found.status == "unknown"
    assert said in found.line
    assert len(failures([found], "fail_under")) == 1


@pytest.mark.parametrize(
    ("part", "figure", "said"),
    [
        ("energy against prior=none", "auroc_energy", True),
        ("energy against prior=none", "auroc_energy_eigen", False),
        ("energy against prior=eigen", "fpr95_energy_eigen", True),
        ("energy against prior=eigen", "auroc_entropy_eigen", False),
        ("all against prior=eigen", "auroc_entropy_eigen", True),
        ("all against prior=eigen", "auroc_entropy", False),
        ("all against prior=none", "auroc_simple_statistics", True),
    ],
)
def test_a_detector_is_left_out_against_one_prior(part: str, figure: str, said: bool) -> None:
    (found,) = verdicts(parse_rules(f"{figure}>.1"), {}, [{"part": f"detectors: {part}", "why": "no logits"}])
    assert ("no logits" in found.line) is said


def test_a_part_that_was_cut_short_is_named() -> None:
    left_out = [{"part": "mismatch", "why": "58 of 90 jobs: minutes=10 was over"}]
    found = verdicts(parse_rules("mismatch=.5,ece<.1"), FIGURES, left_out)
    assert [one.status for one in found] == ["passed", "passed"]
    assert ["58 of 90 jobs" in one.line for one in found] == [True, False]


@pytest.mark.parametrize(("attacked", "status"), [([2], "unknown"), ([2, 3], "passed")])
def test_a_median_above_the_budget_counts_where_half_of_the_classes_ran(attacked: list[int], status: str) -> None:
    why, protocol = "2 of 4 jobs: minutes=1 was over", {"classes": [0, 1, 2, 3], "attacked": attacked}
    (found,) = verdicts(parse_rules("q9999=4000"), FIGURES, [{"part": "q", "why": why}], protocol)
    assert found.status == status
    assert f"measured in part: {why}" in found.line


def test_a_calibration_that_was_not_measured_says_why() -> None:
    left_out = [{"part": "facts: calibration", "why": "12 labelled images"}, {"part": "facts: other", "why": "no"}]
    found = verdicts(parse_rules("ece<.1,accuracy>.5,auroc_entropy>.1"), {}, left_out)
    assert ["12 labelled images" in one.line for one in found] == [True, False, False]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1e-12, "share", "1e-10 %"),
        (1 - 1e-11, "share", "99.999999999 %"),
        (0.1234, "share", "12.3 %"),
        (0.1, "share", "10 %"),
        (0.0, "share", "0 %"),
        (1.0, "share", "100 %"),
        (0.0001, "share", "0.01 %"),
        (0.9999, "share", "99.99 %"),
        (0.9131, "auroc", "0.913"),
        (5000.0, "evaluations", "5,000"),
        (None, "share", "–"),
    ],
)
def test_numbers_in_their_units(value: float | None, unit: str, text: str) -> None:
    assert number(value, unit) == text


# --- JUnit --------------------------------------------------------------------------------------------------------------
def test_junit_has_a_case_for_each_rule() -> None:
    root = ElementTree.fromstring(junit(FOUND, "audit", 1.5))  # noqa: S314 (ours)
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "fooling.audit")
    for element in (root, suite):
        assert (element.get("tests"), element.get("failures"), element.get("errors")) == ("3", "2", "0")
        assert float(element.get("time", "")) == 1.5
    assert [case.get("name") for case in suite] == ["ece<5%", "q99=9", "q9999=9"]
    assert all(case.get("classname") == "fooling.audit" for case in suite)
    assert [failure.get("type") for failure in suite.iter("failure")] == ["failed", "unknown"]
    assert [failure.get("message") for failure in suite.iter("failure")] == ["5", "a < b & c"]


def test_junit_holds_no_control_characters() -> None:
    root = ElementTree.fromstring(junit([Verdict("a\x1b", "failed", "b\x00\ud800")], "audit"))  # noqa: S314 (ours)
    assert root[0][0].get("name") == r"a\x1b"


def test_junit_replaces_its_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    write_junit(str(path), FOUND, "audit")
    write_junit(str(path), FOUND[:1], "audit")
    assert path.read_bytes() == junit(FOUND[:1], "audit")
    (tmp_path / "mine.xml").write_text("<testsuites name='mine'/>")
    (tmp_path / "link.xml").symlink_to(path)
    for name, said in (
        ("mine.xml", "no file of this command"),
        ("link.xml", "no file of this command"),
        ("none/audit.xml", "does not exist"),
        (".", "got a folder"),
    ):
        with pytest.raises(UserError, match=said):
            check_junit(str(tmp_path / name))
    assert (tmp_path / "mine.xml").read_text() == "<testsuites name='mine'/>"
