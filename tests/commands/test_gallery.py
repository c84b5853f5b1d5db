"""`fooling gallery`: a job a class and a blur, what it leaves, repeating and resuming it, refusals."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.records.files import read_json
from fooling.records.record import read_run

QUICK = ["gallery", "digit=1,4", "runs=2", "generations=12", "quiet=true"]


@pytest.mark.exhaustive
def test_rows_without_and_with_blur(home: Path) -> None:
    assert dispatch([*QUICK, "out=g", "judges=mnist_cnn"]) == 0
    found = read_json(Path("g/gallery.json"))
    assert [(cell["row"], cell["digit"]) for cell in found["cells"]] == [
        ("blur_sd=0", 1),
        ("blur_sd=0", 4),
        ("blur_sd=0.5", 1),
        ("blur_sd=0.5", 4),
    ]
    for cell in found["cells"]:
        run = read_run(Path("g") / cell["folder"])
        assert (run["status"], run["search"], run["digit"]) == ("done", "ascent", cell["digit"])
        shown = sorted(entry["confidence"] for entry in run["images"])[0]  # of two, the lower one
        assert run["images"][cell["shown"]]["confidence"] == shown
        assert cell["judges"]["mnist_cnn"]["of"] == cell["images"] == 2
        reached = [entry["evaluations_to"]["0.99"] for entry in run["images"]]
        assert cell["steps"] == (None if None in reached and reached.count(None) == 2 else min(n for n in reached if n) - 1)
    with Image.open("g/gallery.png") as picture:
        assert picture.mode in ("RGB", "RGBA")
        assert picture.width > 300
    assert not Path("g/digit=1").exists()
    before = Path("g/blur_sd=0,digit=1/images/0000.png").read_bytes()
    assert dispatch(["gallery", "g/config.yaml", "out=h", "quiet=true"]) == 0
    assert Path("h/blur_sd=0,digit=1/images/0000.png").read_bytes() == before
    assert dispatch([*QUICK, "out=g", "judges=mnist_cnn", "resume=true"]) == 0  # finished already
    assert dispatch(["gallery", "digit=4", *QUICK[2:], "out=g", "overwrite=true"]) == 0
    assert not Path("g/blur_sd=0,digit=1").exists()


@pytest.mark.exhaustive
def test_a_search_that_does_not_blur_is_one_row(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["gallery", "search=feedback", "digit=0,3", "runs=1", "out=g"]) == 0
    cells = json.loads(Path("g/gallery.json").read_text())["cells"]
    assert [(cell["row"], cell["folder"]) for cell in cells] == [("all", "digit=0"), ("all", "digit=3")]
    assert "→ g: report.html, gallery.png, gallery.json, a folder a job" in capsys.readouterr().out


def test_any_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["gallery", "digit=any", "out=g"]) == 2
    assert "digit: expected classes such as 0,1,2 or all" in capsys.readouterr().err
    assert not Path("g").exists()
