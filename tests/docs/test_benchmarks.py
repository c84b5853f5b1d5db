"""The benchmarks: one runs as a user runs it, and the tables of README.md and docs/ are those of the results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from builders import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.exhaustive
def test_throughput_prints_one_json_object(tmp_path: Path) -> None:
    words = ["engine=reference", "population=100", "json=true", f"out={tmp_path}"]
    command = [sys.executable, str(BENCHMARKS / "throughput.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (result,) = json.loads(done.stdout.splitlines()[-1])["results"]
    assert (result["engine"], result["scoring"], result["population"], result["runs"]) == ("reference", "dense", 100, 1)
    assert 0 < result["changed_per_second"] <= result["evaluations_per_second"]
    assert json.loads((tmp_path / "throughput.json").read_text())["machine"]["cores"] >= 1


def test_unknown_words_are_told() -> None:
    command = [sys.executable, str(BENCHMARKS / "throughput.py"), "popluation=3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "popluation=3: expected engine=all population=0" in done.stderr


def test_the_tables_of_the_pages_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import table

    pages = {path.name: path.read_text(encoding="utf-8") for path in table.pages()}
    assert {"README.md", "figures.md"} <= set(pages)
    for name, page in pages.items():
        assert table.fill(page) == page, f"{name}: python benchmarks/table.py writes it anew"
    assert {name for page in pages.values() for _, name, _ in table.MARKED.findall(page)} == set(table.TABLES)


def test_programs_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peers

    monkeypatch.setattr(peers, "find_spec", lambda module: None)
    rows = [peers.run_peer(name, 100, 1.0) for name in peers.PROGRAMS]
    assert all(f"not installed ({row['missing']})" in peers.rates(rows) for row in rows)
    cells = [{"name": "pyribs", "missing": "ribs"}]
    assert "not installed (ribs)" in peers.reached(cells, 10)


def test_the_peers_fitness_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peers

    assert peers.make_fitness().asked == 50
