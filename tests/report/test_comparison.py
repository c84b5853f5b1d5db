"""Records side by side: what counts as worse, what is not comparable, and the figures of every kind of record."""

import json
import shutil
from pathlib import Path

import pytest
from audits import above, figure, proportion, write_audit

from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.report.comparison import by_chance, change_text, compare, difference, in_words, verdicts
from fooling.report.figures import checked, evaluations, read_measured
from fooling.statistics.intervals import difference_interval

WIDE = figure("q99", 1000, 500, 2000)


@pytest.mark.parametrize(
    ("here", "there", "outcome"),
    [
        (figure("q99", 1000, 900, 1100), figure("q99", 700, 600, 800), "worse"),
        (figure("q99", 1000, 900, 1100), figure("q99", 1300, 1200, None), "better"),
        (figure("q99", 1000, 900, 1100), figure("q99", 950, 800, 1000), "not clear"),
        (figure("q99", 1000, 900, 1100), figure("q99", 899, 800, 899), "worse"),
        (above("q99", 5000), figure("q99", 700, 600, 800), "worse"),
        (figure("q99", 700, 600, 800), above("q99", 5000), "better"),
        (above("q99", 5000), above("q99", 5000), "same"),
        ({**above("q99", 5000), "low": None}, figure("q99", 700, 600, 800), "worse"),
        ({**above("q99", 5000), "low": None}, figure("q99", 700), "no interval"),
        (WIDE, WIDE, "same"),
        (WIDE, figure("q99", None), "missing"),
        (WIDE, None, "missing"),
        (None, WIDE, "new"),
        (None, figure("q99", None), "same"),
        (proportion("mismatch", 5, 90), proportion("mismatch", 45, 90), "worse"),
        (proportion("mismatch", 45, 90), proportion("mismatch", 5, 90), "better"),
        (proportion("mismatch", 5, 90), proportion("mismatch", 6, 90), "not clear"),
        (proportion("accuracy", 990, 1000), proportion("accuracy", 900, 1000), "worse"),
        (figure("ece", 0.01), figure("ece", 0.5), "no interval"),
        (figure("images_per_second", 10), figure("images_per_second", 5), "no interval"),
        (figure("auroc_entropy", 0.9, 0.88, 0.92), figure("auroc_entropy", 0.7, 0.65, 0.75), "worse"),
        (figure("ece", 0.1, 0.09, 0.11), figure("ece", 0.1, 0.09, 0.11, better="higher"), "other protocol"),
    ],
)
def test_outcomes_by_hand(here: dict | None, there: dict | None, outcome: str) -> None:
    assert difference("x", here, there, fair=True).outcome == outcome
    unfair = difference("x", here, there, fair=False).outcome
    assert unfair not in ("worse", "better", "not clear")


def test_intervals_may_overlap_where_their_difference_does_not_reach_zero() -> None:
    here, there = proportion("mismatch", 20, 100), proportion("mismatch", 33, 100)
    assert there["low"] < here["high"]
    found = difference("mismatch", here, there, fair=True)
    assert found.outcome == "worse"
    sides = [[one[key] for key in ("value", "low", "high")] for one in (here, there)]
    assert (found.low, found.high) == difference_interval(*sides)
    assert change_text(found).startswith("+13.0 (+0.7 … +24.8)")


def test_the_worst_comes_first(tmp_path: Path) -> None:
    low, high = proportion("noise99", 1, 100), proportion("noise99", 60, 100)
    here = {"noise90": low, "noise99": low, "q99": figure("q99", 10, 9, 11), "blank99": high, "ece": figure("ece", 0.1)}
    there = {"noise90": low, "noise99": high, "q99": figure("q99", 2, 1, 3), "blank99": low, "ece": figure("ece", 0.2)}
    found = compare(*(read_measured(str(write_audit(tmp_path / name, one))) for name, one in (("a", here), ("b", there))))
    assert [(one.name, one.outcome) for one in found.differences] == [
        ("q99", "worse"),
        ("noise99", "worse"),
        ("ece", "no interval"),
        ("blank99", "better"),
        ("noise90", "same"),
    ]
    assert [one.status for one in verdicts(found)] == ["failed", "failed", "passed", "passed", "passed"]


@pytest.mark.parametrize(
    ("config", "protocol", "named"),
    [
        ("budget: 5000\nseed: 0\nclassifier:\n  name: mnist_cnn\n", {}, ""),
        ("budget: 5000\nseed: 0\nminutes: 3\nquiet: true\nfail_under: q99=3\n", {"minutes": 3}, ""),
        ("budget: 5000\nseed: 0\nimages: 50\n", {}, "images"),
        ("budget: 5000\nseed: 0\ndata:\n  path: other\n", {}, "data.path"),
        ("budget: null\nseed: 0\n", {}, ""),  # the protocol says what it came to
        ("budget: 2500\nseed: 0\n", {"budget": 2500}, "protocol.budget 5000 → 2500"),
        ("budget: 5000\nseed: 1\n", {"seed": 1}, "protocol.seed"),
        ("budget: 5000\nseed: 0\n", {"search": "ga"}, "protocol.search"),
        ("budget: 5000\nseed: 0\n", {"classes": [1, 2]}, "protocol.classes"),
        ("budget: 5000\nseed: 0\n", {"attacked": [1]}, "protocol.attacked"),
    ],
)
def test_other_protocols_are_not_compared(tmp_path: Path, config: str, protocol: dict, named: str) -> None:
    before, after = {"q99": figure("q99", 1000, 900, 1100)}, {"q99": figure("q99", 100, 90, 110)}
    found = compare(
        read_measured(str(write_audit(tmp_path / "a", before))),
        read_measured(str(write_audit(tmp_path / "b", after, config=config, **protocol))),
    )
    assert found.is_fair == (named == "")
    assert named in in_words(found.protocol)
    (verdict,) = verdicts(found)
    assert verdict.status == ("failed" if found.is_fair else "unknown")
    assert named in verdict.line


def test_a_missing_figure_says_why(tmp_path: Path) -> None:
    left_out = ({"part": "q", "why": "minutes=1 was over"},)
    here = write_audit(tmp_path / "a", {"q99": WIDE, "ece": figure("ece", 0.1)})
    there = write_audit(tmp_path / "b", {"ece": figure("ece", 0.1)}, left_out=left_out)
    found = verdicts(compare(read_measured(str(here)), read_measured(str(there))))
    assert [one.status for one in found] == ["unknown", "passed"]
    assert "minutes=1 was over" in found[0].line


# --- figures of records -------------------------------------------------------------------------------------------------
def test_median_evaluations_by_hand() -> None:
    ends = [100, 200, None, 400, 300, None, 500, 600, 700, None]
    images = [{"evaluations": 1000, "evaluations_to": {"0.99": at}} for at in ends]
    found = evaluations(images, "0.99")
    assert (found["value"], found["low"], found["high"]) == (500, 100, None)  # the interval goes beyond the budget
    never = evaluations([{"evaluations": 1000, "evaluations_to": {"0.99": None}}] * 3, "0.99")
    assert (never["value"], never["low"], never["above"]) == (None, 1000, 1000)


@pytest.mark.parametrize("wrong", [{"value": "7"}, {"low": True}, {"better": "up"}, {"high": [1]}, {"above": "x"}])
def test_a_damaged_figure_is_refused(wrong: dict) -> None:
    assert checked("q99", WIDE) == WIDE
    with pytest.raises(ValueError, match="q99"):
        checked("q99", WIDE | wrong)


def test_figures_of_runs_and_sweeps(home: Path) -> None:
    words = ["prior=none", "generations=4", "population=10", "runs=3", "quiet=true", "judges=mnist_mlp2"]
    assert guarded(dispatch, ["run", "digit=3,4", *words, "out=both"]) == 0
    images = [image for path in sorted(home.glob("both/*/run.json")) for image in json.loads(path.read_text())["images"]]
    found = read_measured("both")
    assert found.kind == "fooling run"
    assert found.figures["converged"]["value"] == sum(image["converged"] for image in images) / 6
    assert found.figures["read_by_mnist_mlp2"]["better"] == "higher"
    assert {name for name in found.figures if name.startswith("evaluations_to_0.9999 ")} == {
        f"evaluations_to_0.9999 {path.parent.name}" for path in home.glob("both/*/run.json")
    }
    (one, *_) = sorted(home.glob("both/*/run.json"))
    alone = read_measured(str(one.parent))
    assert alone.figures.keys() < found.figures.keys()
    assert (alone.fingerprint, alone.classifier) == (found.fingerprint, "mnist_mlp")
    assert len(alone.fingerprint) == 64
    assert "digit" in compare(found, alone).protocol
    earlier = home / "earlier"  # a record of before one of the settings, and with one of another search
    shutil.copytree(one.parent, earlier)
    config = (earlier / "config.yaml").read_text()
    (earlier / "config.yaml").write_text(config.replace("tol: null\n", "").replace("search:\n", "search:\n  cooling: 2.0\n"))
    assert (earlier / "config.yaml").read_text().count("\n") == config.count("\n")
    assert compare(alone, read_measured("earlier")).protocol == {}


def test_figures_of_ladders_and_matrices(tmp_path: Path) -> None:
    share = {"part": 1, "of": 4, "share": 0.25, "low": 0.05, "high": 0.7}
    contents = {
        "ladder": {
            "arms": {"with": "attack", "control": "control"},
            "rows": [
                {"rung": "none", "arm": "with", "converged": share, "read": None},
                {"rung": "none", "arm": "control", "converged": share, "read": share},
            ],
        },
        "matrix": {"images_fooled": share, "pairs_fooled": share, "images_transferred": None},
        "transfer": {
            "rows": [
                {"source": "a", "kind": "none", "succeeded": share, "transferred": share},
                {"source": "b", "kind": "eigen", "succeeded": share, "transferred": None},
            ]
        },
        "harden": {
            "rounds": [
                {},
                {"accuracy": share, "q": {"reached9999": share}, "attacks": [{"name": "cppn", "believed": share}]},
            ]
        },
    }
    expected = {
        "ladder": ["converged_none_with", "converged_none_control", "read_none_control"],
        "matrix": ["mismatch", "mismatch_pairs"],
        "transfer": ["succeeded a (none)", "transferred a (none)", "succeeded b (eigen)"],
        "harden": ["accuracy", "reached9999", "believed_cppn"],
    }
    for name, content in contents.items():
        folder = write_audit(tmp_path / name, {})
        (folder / "audit.json").rename(folder / f"{name}.json")
        (folder / f"{name}.json").write_text(json.dumps(content))
        found = read_measured(str(folder))
        assert (found.kind, list(found.figures)) == (f"fooling {name}", expected[name])
        assert {(one["value"], one["low"], one["high"]) for one in found.figures.values()} == {(0.25, 0.05, 0.7)}


def test_numbers_of_others_are_checked_in_every_kind_of_record(tmp_path: Path) -> None:
    folder = write_audit(tmp_path / "a", {"q99": figure("q99", 10**400)})
    with pytest.raises(UserError, match=r"audit\.json: a damaged file"):
        read_measured(str(folder))
    share = {"share": "half", "low": 0, "high": 1}
    found = {"images_fooled": share, "pairs_fooled": share, "images_transferred": None}
    (folder / "audit.json").rename(folder / "matrix.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"matrix\.json: a damaged file"):
        read_measured(str(folder))


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"figures": 3}', '{"figures": {"q99": 3}}', '{"figures": {"q99": {}}}', '{"rows": []}', "{}", "\xff"]
)
def test_damaged_records_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    folder = write_audit(tmp_path / "a", {})
    (folder / "audit.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"audit\.json: a damaged file") as error:
        read_measured(str(folder))
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(("attacked", "is_fair"), [([1, 0, 2], True), ([0, 1], False)])
def test_classes_that_the_time_did_not_allow_are_another_protocol(tmp_path: Path, attacked: list[int], is_fair: bool) -> None:
    figures = {"q99": figure("q99", 1000, 900, 1100)}
    here = read_measured(str(write_audit(tmp_path / "a", figures, classes=[0, 1, 2])))
    there = read_measured(str(write_audit(tmp_path / "b", figures, classes=[0, 1, 2], attacked=attacked)))
    assert compare(here, there).is_fair == is_fair


def test_only_figures_with_an_interval_differ_by_chance() -> None:
    assert "of 2 figures" in by_chance(["worse", "not clear", "no interval", "missing", "new"])
