"""The campaign of benchmarks/robustness.py, small: kills at random moments and damaged inputs."""

import sys

import pytest
from builders import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import robustness


def test_damaged_inputs_are_answered_in_one_line() -> None:
    found = robustness.measure_inputs(18, seed=1)
    assert len(found) == 18
    assert {outcome for counts in found.values() for outcome in counts} == {"fine"}


def test_a_traceback_a_hang_and_a_false_result_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ValueError

    def hang() -> str:
        while True:
            pass

    monkeypatch.setattr(robustness, "LIMIT", 1)
    assert [robustness.outcome(attempt) for attempt in (fail, hang, lambda: "false")] == ["traceback", "hang", "false"]


@pytest.mark.exhaustive
def test_jobs_of_killed_workers_go_on() -> None:
    cluster = pytest.importorskip("cluster", reason="dask.distributed is not installed", exc_type=ImportError)
    found = cluster.measure_kills(2, seed=3)
    assert found["identical"] == found["commands"] > 0
    assert found["kills"] > 0


@pytest.mark.exhaustive
def test_killed_jobs_go_on() -> None:
    assert robustness.measure_kills(3, seed=2) == {"kills": 3, "identical": 3}
