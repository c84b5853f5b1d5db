"""The badge and the paragraph for the README of a model."""

from xml.etree import ElementTree

import pytest
from audits import above, figure

from fooling.report.card import badge, card, model_name

SVG = "{http://www.w3.org/2000/svg}"
PROTOCOL = {"search": "es", "genome": "dct", "classes": [0, 1, 2], "attacked": [0, 1, 2], "of": 10, "runs": 5, "budget": 40200}


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"q9999": figure("q9999", 5120.0, 4000, 6000)}, "5,120"),
        ({"q9999": above("q9999", 40200)}, "> 40,200"),
        ({}, "not measured"),
    ],
)
def test_a_badge_has_q_and_date(figures: dict, text: str) -> None:
    root = ElementTree.fromstring(badge(figures, "2026-11-28", "ab" * 32))  # noqa: S314 (ours)
    assert [element.text for element in root.iter(f"{SVG}text")] == ["fooling Q", f"{text} · 2026-11-28"]
    title = root.findtext(f"{SVG}title") or ""
    assert all(part in title for part in (text, "2026-11-28", "ab" * 6))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "t")
    assert float(root.get("width", "")) > 100


def test_texts_of_others_are_escaped() -> None:
    content = badge({}, '<script>"&', "<a>&\x1b")
    assert b"<script" not in content
    assert b"\x1b" not in content
    ElementTree.fromstring(content)  # noqa: S314 (ours)
    text = card({}, "2026", "ab", "<b>net</b> [x](y) *z*\n# head", PROTOCOL)
    assert "`<b>net</b> [x](y) *z*" in text
    assert "\n" not in text.strip()


def test_a_card_says_what_was_measured_and_how() -> None:
    figures = {
        "q99": figure("q99", 800),
        "q9999": above("q9999", 40200),
        "ece": figure("ece", 0.031),
        "accuracy": figure("accuracy", None),
    }
    text = card(figures, "2026-11-28", "ab" * 32, "my net", PROTOCOL)
    for part in ("my net", "> 40,200", "800", "3.1 %", "search=es", "dct", "3 of 10", "5 attacks", "40,200", "2026", "ab" * 6):
        assert part in text
    assert "accuracy" not in text


@pytest.mark.parametrize(("search", "said"), [("ga", "begin with noise"), ("es", "mid-grey"), ("anneal", "which see only")])
def test_a_card_says_how_the_attacks_of_its_search_begin(search: str, said: str) -> None:
    text = card({}, "2026", "ab", "net", {**PROTOCOL, "search": search})
    assert said in text
    assert ("noise" in text) == (search == "ga")


def test_a_card_counts_the_classes_that_were_attacked() -> None:
    assert "2 of 10 classes" in card({}, "2026", "ab", "net", {**PROTOCOL, "attacked": [0, 2]})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://x.example/@somebody", "`https://x.example/@somebody`"),
        ("a`b", "`` a`b ``"),
    ],
)
def test_a_name_becomes_no_link(name: str, said: str) -> None:
    assert f"make {said} sure" in card({}, "2026", "ab", name, PROTOCOL)


@pytest.mark.parametrize(
    ("name", "path", "called"),
    [
        ("onnx", "models/net.onnx", "net.onnx"),
        ("python", "my_net.py:make", "my_net.py:make"),
        ("http", "http://host:8000/v1/digits/?key=x", "digits"),
        ("mnist_cnn", None, "mnist_cnn"),
    ],
)
def test_a_model_is_called_by_its_file(name: str, path: str | None, called: str) -> None:
    assert model_name({"name": name, "path": path}) == called
