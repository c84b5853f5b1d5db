"""What notebooks show of results and audits: pictures within the page, escaped texts, no script."""

import base64
import json
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import random_network
from models import Toy

import fooling
from fooling.errors import UserError
from fooling.records.record import read_run
from fooling.report import notebook_progress
from fooling.report.notebook import MOST_BYTES, audit_html, picture

NOISE = np.random.default_rng(0)
HOSTILE = "<script>alert(1)</script>"


def decoded(html: str) -> bytes:
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return base64.b64decode(data)


@pytest.fixture(scope="module")
def result() -> fooling.Result:
    found = fooling.evolve("prior=none", classifier=random_network((8, 8, 1)), digit=3, runs=30, generations=2)
    assert isinstance(found, fooling.Result)
    return found


def test_a_result_shows_images_and_totals(result: fooling.Result) -> None:
    html = result._repr_html_()
    assert decoded(html).startswith(b"\x89PNG")
    for text in ("30", f"{result.total_evaluations:,}", "median\xa0confidence"):
        assert text in html
    assert "<script" not in html


def test_texts_are_escaped(result: fooling.Result) -> None:
    labels = (HOSTILE, *[f"{HOSTILE}{k}" for k in range(1, 10)])
    html = replace(result, labels=labels, folder=HOSTILE, judges={HOSTILE: result.scores})._repr_html_()
    assert "<script" not in html
    assert "&lt;script" in html


def test_a_dream_has_no_target(result: fooling.Result) -> None:
    html = replace(result, unit="layer 1")._repr_html_()
    assert "layer 1" in html
    assert "converged" not in html


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (224, 224, 3), (600, 20, 3), (20, 600, 1)])
def test_pictures_are_small(shape: tuple[int, ...]) -> None:
    images = list(NOISE.integers(0, 256, (40, *shape), dtype=np.uint8))
    assert 1000 < len(decoded(picture(images, ["> 99.99 %"] * 40, "noise"))) <= MOST_BYTES


def test_no_images_have_no_picture() -> None:
    assert picture([], [], "none") == ""


def test_an_audit_shows_figures_checks_and_what_is_left_out() -> None:
    figures = {
        "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "unit": "share", "text": HOSTILE},
        "q9999": {"value": None, "low": 700, "high": None, "above": 700, "unit": "evaluations", "text": "evaluations"},
    }
    content: dict[str, Any] = {
        "model": {"name": HOSTILE, "labels": [HOSTILE, "b"]},
        "q": {"classes": [{"digit": 0, "confidence": 0.5}]},
        "verdict": HOSTILE,
        "checks": [{"name": "more_budget", "passed": False, "text": HOSTILE}],
        "left_out": [{"part": "mismatch", "why": HOSTILE}],
        "figures": figures,
    }
    html = audit_html(content, {0: np.zeros((8, 8, 1), dtype=np.uint8)})
    assert "<script" not in html
    for text in ("50\xa0%", "&gt;\xa0700", "FAILED", "more\xa0budget", "left\xa0out:\xa0mismatch"):
        assert text in html
    assert "<img" not in audit_html({**content, "q": None}, {})


# --- ladders ------------------------------------------------------------------------------------------------------------
def test_a_ladder_shows_its_images_and_its_table(home: Path) -> None:
    given: dict[str, Any] = {"digit": [2, 3], "rungs": ["none", "variogram"], "arms": ["with", "control"]}
    given |= {"runs": 2, "budget": 300, "judges": []}
    kept = fooling.ladder("search.population=20", "search.selected=4", out="r", **given)
    html = kept._repr_html_()
    assert decoded(html).startswith(b"\x89PNG")
    assert "variogram" in html
    assert "<script" not in html
    assert set(kept.images) == {(rung, arm, k) for rung in ("none", "variogram") for arm in ("with", "control") for k in (2, 3)}
    assert repr(kept) == "Ladder(none, variogram: 16 images, in r)"
    assert fooling.Ladder.load("r").to_dict() == kept.to_dict() == json.loads((home / "r/ladder.json").read_text())
    again = fooling.ladder("search.population=20", "search.selected=4", **given)
    assert again.folder is None
    assert [row["confidence"] for row in again.rows] == [row["confidence"] for row in kept.rows]
    with pytest.raises(UserError, match="expected the folder of a finished record of `fooling ladder`"):
        fooling.Ladder.load(home)
    with pytest.raises(UserError, match="expected a classifier's name, file or settings, got Toy"):
        fooling.ladder(classifier=Toy())


# --- progress -----------------------------------------------------------------------------------------------------------
class Handle:
    """What IPython.display returns."""

    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def update(self, content: str) -> None:
        self.shown.append(content)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A program that believes to run in a notebook; → what its cell shows."""
    shown: list[str] = []

    def display(content: str, display_id: bool) -> Handle:
        assert display_id
        shown.append(content)
        return Handle(shown)

    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, version_info=(9, 0)))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=lambda text: text, display=display))
    monkeypatch.setattr(notebook_progress, "FIRST", 0.0)
    monkeypatch.setattr(notebook_progress, "SECONDS", 0.0)
    return shown


SMALL: dict[str, Any] = {"classifier": Toy(), "digit": 1, "prior": "none", "runs": 2, "generations": 6, "stop": "end"}


def test_a_line_follows_the_generations_and_goes(notebook: list[str]) -> None:
    fooling.evolve("search.population=10", "search.selected=2", **SMALL)
    assert len(notebook) == 8  # seven generations, then nothing
    assert re.fullmatch(r"<code>generation 6 · \d+ evaluations · \d converged · median confidence .* s</code>", notebook[-2])
    assert notebook[-1] == ""
    notebook.clear()
    fooling.evolve("search.population=10", "search.selected=2", quiet=True, **SMALL)
    assert notebook == []


@pytest.mark.parametrize("kept", [True, False])
def test_an_interrupted_call_returns_what_it_has(notebook: list[str], home: Path, kept: bool) -> None:
    def interrupt(metrics: Any) -> None:
        if metrics["generation"] == 3:
            signal.raise_signal(signal.SIGINT)

    where, before = {"out": "r"} if kept else {}, signal.getsignal(signal.SIGINT)
    words = "search.population=10", "search.selected=2"
    with pytest.warns(fooling.FoolingWarning, match="interrupted after generation 3: these are the images so far"):
        result = fooling.evolve(*words, watch=interrupt, **SMALL, **where)
    assert result.generations == 3
    assert result.images.any()
    assert result.folder == ("r" if kept else None)
    assert signal.getsignal(signal.SIGINT) is before
    if kept:
        assert read_run(home / "r")["status"] == "interrupted"
        again: list[dict[str, Any]] = [{}, {"out": "r", "resume": True}]
        whole, resumed = (fooling.evolve(*words, quiet=True, **{**SMALL, **more}) for more in again)
        assert np.array_equal(resumed.images, whole.images)


def test_an_interrupted_sweep_returns_the_classes_until_then(notebook: list[str]) -> None:
    calls: list[float] = []

    def interrupt(metrics: Any) -> None:
        calls.append(metrics["generation"])
        if len(calls) == 10:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(fooling.FoolingWarning, match="interrupted after generation 2"):
        results = fooling.evolve("search.population=10", "search.selected=2", watch=interrupt, **{**SMALL, "digit": [0, 1]})
    assert [result.generations for result in results] == [6, 2]


def test_two_interruptions_end_the_call(notebook: list[str]) -> None:
    def interrupt(_metrics: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fooling.evolve("search.population=10", "search.selected=2", watch=interrupt, **SMALL)
    assert signal.getsignal(signal.SIGINT) is before
