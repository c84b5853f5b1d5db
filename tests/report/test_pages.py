"""Pages on records of every kind: complete, escaped, without requests, within 5 MB; and what `fooling report` refuses."""

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import reports
from builders import ROOT, random_network
from golden.images import STORED

import fooling
from fooling.commands import COMMANDS, dispatch
from fooling.commands.experiment import Experiment, draw_report
from fooling.errors import UserError, guarded
from fooling.records.ownership import clear
from fooling.records.record import read_run
from fooling.report import CSV, HTML, JSON, KINDS, REPORT_FILES, make_report, write_report
from fooling.report.figures import read_measured
from fooling.report.page import MAX_PAGE
from fooling.report.runs import evaluations_to, facts

SCHEMA = json.loads((ROOT / "fooling" / "report" / "schema.json").read_text(encoding="utf-8"))
NAMES = ("run", "archive", "sweep", "ladder", "matrix", "gallery", *reports.EXPERIMENTS)


class Page(HTMLParser):
    """What a page has: its elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A record of each kind."""
    folder = tmp_path_factory.mktemp("records")
    network, other = (replace(random_network((9, 13, 1), 3, seed=seed), labels=tuple(reports.LABELS)) for seed in (0, 1))
    shared: dict[str, Any] = {"classifier": network, "prior": "none", "quiet": True}
    small = {"runs": 2, "population": 12, "generations": 4}
    fooling.evolve(digit=2, out=folder / "run", judges={"other": other}, **small, **shared)
    fooling.evolve(search="map_elites", detail=3, generations=2, out=folder / "archive", **shared)
    fooling.evolve(digit=[0, 1], out=folder / "sweep", **small, **shared)
    jobs = [{"folder": name} for name in ("digit=0", "digit=1")]
    sweep = {"status": "done", "command": "python -m fooling.run", "versions": {"fooling": "0.1.0"}, "files": [], "jobs": jobs}
    (folder / "sweep" / "sweep.json").write_text(json.dumps(sweep), encoding="utf-8")
    for name in ("ladder", "matrix"):
        shutil.copytree(STORED / name, folder / name)
    cell = {
        "row": "blur_sd=0",
        "digit": 2,
        "images": 20,
        "confidence": 0.9,
        "converged": reports.SURE,
        "judges": {},
        "steps": 4,
    }
    found = {"search": "ascent", "classifier": "mnist_mlp", "labels": reports.LABELS, "judges": [], "cells": [cell]}
    reports.make_experiment(folder / "gallery", "gallery", found)
    reports.make_audit(folder / "audit")
    for name, content in reports.EXPERIMENTS.items():
        if name != "audit":
            reports.make_experiment(folder / name, name, content())
    return {name: folder / name for name in NAMES}


def problems(value: Any, schema: dict[str, Any], place: str = "report") -> list[str]:
    """Where a JSON value differs from a schema that has only the keywords used here."""
    if "$ref" in schema:
        return problems(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float), "null": type(None)}
    allowed = schema.get("type", [])
    found = []
    if allowed and not any(isinstance(value, kinds[kind]) for kind in ([allowed] if isinstance(allowed, str) else allowed)):
        return [f"{place}: {type(value).__name__}"]
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{place}: {value}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{place}: empty")
    if isinstance(value, dict):
        found += [f"{place}: lacks {key}" for key in schema.get("required", ()) if key not in value]
        inner = schema.get("properties", {})
        rest = schema.get("additionalProperties", {})
        found += [text for key, one in value.items() for text in problems(one, inner.get(key, rest), f"{place}.{key}")]
    if isinstance(value, list):
        found += [text for i, one in enumerate(value) for text in problems(one, schema.get("items", {}), f"{place}[{i}]")]
    return found


def test_every_command_that_leaves_a_record_has_a_page() -> None:
    found = set()
    for name, row in COMMANDS.items():
        command = resolve_name(f"{row.module}:COMMAND") if row.settings else None
        if isinstance(command, Experiment):
            found.add(name)
    assert found <= set(KINDS)
    assert set(NAMES) == set(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_each_kind(records: dict[str, Path], name: str) -> None:
    report = make_report(records[name])
    page, found = Page(report.html), json.loads(report.json)
    assert problems(found, SCHEMA) == []
    assert found["kind"] == name
    assert len(report.html.encode()) <= MAX_PAGE
    for image in page.of("img"):
        assert image["alt"]
    for chart in [one for one in page.of("div") if one.get("role") == "img"]:
        assert chart["aria-label"]
    assert len(page.of("svg")) == len(found["charts"])
    assert found["verdict"].endswith(".")
    text = " ".join(page.text.split())
    for said in (found["verdict"], *found["limits"], *found["next"], found["command"]):
        assert " ".join(said.split()) in text
    order = [report.html.index(mark) for mark in ('class="verdict"', 'class="number"', "<table>", "how to repeat", "not show")]
    assert order == sorted(order)
    assert not page.of("img") or report.html.index("<img") < order[0]
    rows = list(csv.DictReader(report.csv.splitlines()))
    assert [row["name"] for row in rows] == list(found["figures"])
    assert list(rows[0]) == ["name", "value", "low", "high", "unit", "text", "above"]
    assert found["number"] in found["figures"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_nothing(records: dict[str, Path], name: str) -> None:
    html = make_report(records[name]).html
    addresses = [value for _, attributes in Page(html).elements for key, value in attributes.items() if key in ("src", "href")]
    assert addresses
    assert [value for value in addresses if not (value or "").startswith(("data:", "#"))] == []
    assert not re.search(r"(https?|file):/|@import|srcset|url\((?!#)", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", ["run", "sweep", "archive", "gallery", "audit", "classify", "scramble", "eigen", "mean"])
def test_names_of_classes_stay_text(records: dict[str, Path], name: str) -> None:
    report = make_report(records[name])
    page = Page(report.html)
    assert "onerror" not in {key for _, attributes in page.elements for key in attributes}
    assert len(page.of("script")) == 1
    assert "alert(" not in re.findall(r"<script>(.*?)</script>", report.html, re.DOTALL)[0]
    if name not in ("sweep", "archive"):
        assert "<img src=x onerror=alert(1)>" in page.text


def test_a_large_picture_is_scaled_and_one_too_many_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reports.make_audit(tmp_path / "audit")
    reports.large_picture(folder / "audit.png", 600)  # 1.1 MB
    report = make_report(folder)
    assert len(report.html.encode()) < 900_000
    assert "data:image/webp" in report.html
    assert not report.left_out
    monkeypatch.setattr("fooling.report.page.MAX_PAGE", 500_000)
    report = make_report(folder)
    assert len(report.html.encode()) < 500_000
    assert report.left_out
    assert report.left_out[0] in Page(report.html).text


def test_a_film_shows_the_last_generation_first(records: dict[str, Path]) -> None:
    (film,) = [image for image in Page(make_report(records["run"]).html).of("img") if "data-shifts" in image]
    shifts, generations = str(film["data-shifts"]).split(";"), str(film["data-generations"]).split(";")
    assert len(shifts) == len(generations) > 2
    assert str(film["style"]).endswith(shifts[-1])
    assert generations[0] == "0"
    assert generations[-1] == str(read_run(records["run"])["generations"])


def test_an_unreached_median_is_above_the_budget(records: dict[str, Path]) -> None:
    report = make_report(records["audit"])
    assert "more than 5,000" in Page(report.html).text
    found = json.loads(report.json)["figures"]["q9999"]
    assert (found["value"], found["low"], found["above"]) == (None, 300, 5000)
    (row,) = [row for row in csv.DictReader(report.csv.splitlines()) if row["name"] == "q9999"]
    assert (row["value"], row["above"]) == ("", "5000")


def test_a_table_of_an_earlier_version_is_replaced(tmp_path: Path) -> None:
    folder = reports.make_audit(tmp_path / "audit")
    (folder / CSV).write_text("name,value,low,high,unit,text\n")
    write_report(folder)
    assert (folder / CSV).read_text().startswith("name,value,low,high,unit,text,above\n")


def test_pages_and_comparisons_show_the_same_median(records: dict[str, Path]) -> None:
    page, keys = json.loads(make_report(records["run"]).json)["figures"], ("value", "low", "high", "above")
    found = {key: one for key, one in read_measured(str(records["run"])).figures.items() if key.startswith("evaluations_to_")}
    assert found
    assert [[page[name].get(key) for key in keys] for name in found] == [
        [one.get(key) for key in keys] for one in found.values()
    ]
    images = [{"evaluations": 400, "evaluations_to": {"0.99": at}} for at in (100, 300)]
    assert evaluations_to("0.99", images).value == 100  # half of them are there, as in the survival curve


# --- the command ----------------------------------------------------------------------------------------------------------


def report(*words: str) -> int:
    return guarded(dispatch, ["report", *words])


@pytest.fixture
def audit(home: Path) -> Path:
    return reports.make_audit(Path("a"))


def test_its_own_files_are_replaced_and_go_with_the_record(audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("a") == 0
    assert "a/report.html" in capsys.readouterr().out
    before = (audit / HTML).read_bytes()
    (audit / HTML).write_bytes(before + b" ")
    assert report("a", "quiet=true") == 0
    assert (audit / HTML).read_bytes() == before
    clear(audit)
    assert not any((audit / name).exists() for name in REPORT_FILES)


@pytest.mark.parametrize("name", REPORT_FILES)
def test_files_of_others_are_refused(audit: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (audit / name).write_text("mine")
    assert report("a") == 2
    assert name in capsys.readouterr().err
    assert (audit / name).read_text() == "mine"
    assert report("a", "out=b", "quiet=true") == 0
    assert sorted(path.name for path in Path("b").iterdir()) == sorted(REPORT_FILES)
    assert report("a", "overwrite=true", "quiet=true") == 0
    assert (audit / name).read_text() != "mine"


def test_a_link_is_not_followed(audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").write_text("mine")
    (audit / HTML).symlink_to(Path("mine").absolute())
    assert report("a", "overwrite=true") == 2
    assert Path("mine").read_text() == "mine"
    assert "is a link" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("audit.json", "{", "damaged"),
        ("audit.json", "{}", "damaged"),
        ("audit.json", '{"figures": [], "model": 3}', "damaged"),
        ("audit.json", None, "finished"),
        ("audit.png", "no picture", "audit.png"),
        ("experiment.json", '{"status": "done", "command": "fooling nonsense", "files": []}', "nonsense"),
        ("experiment.json", '{"status": "done"}', "no record"),
    ],
)
def test_damaged_records_are_one_line(
    audit: Path, capsys: pytest.CaptureFixture[str], file: str, content: str | None, said: str
) -> None:
    (audit / file).unlink()
    if content is not None:
        (audit / file).write_text(content)
    if file == "experiment.json":
        (audit / "config.yaml").unlink()
    assert report("a") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "Traceback" not in error
    assert not (audit / HTML).exists()


@pytest.mark.parametrize("words", [(), ("missing",), ("other",), ("other/file",)])
def test_what_is_no_record_is_refused(home: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    Path("other").mkdir()
    Path("other/file").write_text("mine")
    assert report(*words) == 2
    assert (words or ("folder",))[0].partition("/")[0] in capsys.readouterr().err


def test_figures_of_a_job_that_is_damaged_are_refused(records: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(records["run"], folder)
    run = read_run(folder)
    for images in ([], [{"file": "../x"}], "no list", [3]):
        (folder / "run.json").write_text(json.dumps({**run, "images": images}))
        with pytest.raises(UserError, match="run"):
            write_report(folder)


def test_a_command_draws_the_page_of_its_record(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit=2", "runs=2", "generations=3", "population=12", "classifier=digits_perceptron", "prior=none"]
    assert guarded(dispatch, ["run", *words, "out=r"]) == 0
    assert HTML in capsys.readouterr().out
    assert {*REPORT_FILES} <= {path.name for path in Path("r").iterdir()}
    assert {*REPORT_FILES} <= set(read_run(Path("r"))["files"])
    assert json.loads(Path("r", JSON).read_text())["status"] == "done"
    assert Path("r", CSV).read_text().startswith("name,value")


def test_a_record_is_whole_without_its_page(
    records: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(records["run"], tmp_path / "run")
    (tmp_path / "run" / HTML).write_text("mine")
    assert draw_report(tmp_path / "run") == []
    assert f"no {HTML}" in capsys.readouterr().err
    assert (tmp_path / "run" / HTML).read_text() == "mine"


def test_a_comparison_of_what_was_measured_differently_judges_nothing(tmp_path: Path) -> None:
    content = reports.compare_json()
    content["comparisons"][0] |= {"comparable": False, "protocol": {"seed": ["0", "1"]}}
    reports.make_experiment(tmp_path / "c", "compare", content)
    found = json.loads(make_report(tmp_path / "c").json)
    assert "cannot be compared with runs/main" in found["verdict"]
    assert (found["number"], found["figures"]["compared"]["value"]) == ("compared", 0)
    assert "new baseline" in " ".join(found["next"])


def test_the_budget_of_a_page_is_what_was_planned() -> None:
    run = {"prior": "none", "search": "ga", "engine": "numba", "control": False, "runs": 2, "tol": None, "threshold": 0.9}
    run |= {"generations": 23, "budget": None}  # where the first class happened to stop
    assert facts(run, {"search": {"generations": 1000}})["budget of a run"] == "1,000 generations"
    assert facts(run | {"budget": 500}, {})["budget of a run"] == "500 evaluations"
