"""What notebooks show of results and audits: pictures within the page, escaped texts, no script."""

import base64
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import random_network

import fooling
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
