"""For the README of a model: a badge with Q and its date, and a paragraph in Markdown."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from fooling.errors import printable
from fooling.report.gate import number
from fooling.settings.gate import known_figures

LABEL = "fooling Q"
LETTER, MARGIN, HEIGHT = 7.0, 6, 20  # width of a digit of 11 pixels, distance from the edge, height; pixels
GREY, GROUND, LIGHT = "#555", "#0b6e99", "#fff"
SHOWN = 12  # letters of a fingerprint
BEGINNINGS = {"ga": "begin with noise and ", "es": "begin with mid-grey or random patterns and "}  # attacks, by their search
OTHERS = ("accuracy", "ece", "noise99", "mismatch")  # in the paragraph, besides Q
Figures = Mapping[str, Mapping[str, Any]]


def q_of(figures: Figures, name: str = "q9999") -> str:
    """Q in words: 5,120, > 40,200 where the median lies above the budget, or "not measured"."""
    figure = figures.get(name) or {}
    if figure.get("value") is not None:
        return number(figure["value"], "evaluations")
    return f"> {figure['above']:,.0f}" if figure.get("above") is not None else "not measured"


def badge(figures: Figures, date: str, fingerprint: str) -> bytes:
    """A flat SVG badge: Q to .9999 and the date; its title, which screen readers read, also has the fingerprint."""
    value = f"{q_of(figures)} · {printable(date, 20)}"
    title = (
        f"fooling Q: {q_of(figures)} evaluations to a confidence of .9999, measured on {printable(date, 20)}, "
        f"model {printable(fingerprint)[:SHOWN]}"
    )
    left, right = (round(len(text) * LETTER + 2 * MARGIN) for text in (LABEL, value))
    width = left + right
    middle = f'<text x="{left / 2:g}" y="14">{escape(LABEL)}</text><text x="{left + right / 2:g}" y="14">{escape(value)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img" aria-labelledby="t">'
        f'<title id="t">{escape(title)}</title>'
        f'<clipPath id="r"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{GREY}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{GROUND}"/></g>'
        f'<g fill="{LIGHT}" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{middle}</g>'
        "</svg>\n"
    ).encode()


def card(figures: Figures, date: str, fingerprint: str, name: str, protocol: Mapping[str, Any]) -> str:
    """A paragraph in Markdown for the README of the model `name`; `protocol` is that of audit.json."""
    searched = f"{code('search=' + str(protocol.get('search')))}, genome {plain(protocol.get('genome'))}"
    most = f"at most {protocol.get('budget'):,} evaluations"
    attacks = f"{attacked(protocol)} classes, {protocol.get('runs')} attacks each, {most}"
    begin = BEGINNINGS.get(str(protocol.get("search")), "")
    half = "the attacks on half of the classes" if protocol.get("runs") == 1 else "half of the attacks"
    known = known_figures()
    found = [(key, figures[key]) for key in OTHERS if (figures.get(key) or {}).get("value") is not None]
    others = [f"{known[key].text} {number(figure['value'], known[key].unit)}" for key, figure in found]
    more = f" Besides: {'; '.join(others)}." if others else ""
    q = f"**Q = {q_of(figures)}** evaluations to a confidence of .9999, {q_of(figures, 'q99')} to .99"
    what = f"after so many, {half}, which {begin}see only scores, make {code(name)} sure of a class"
    return (
        f"{q}: {what} ({searched}; {attacks}).{more} "
        f"Measured with `fooling audit` on {plain(date)}, model {plain(fingerprint)[:SHOWN]}. "
        "Q is only comparable where search, budget and threshold are the same.\n"
    )


def model_name(model: Mapping[str, Any]) -> str:
    """How a model of audit.json is called: by the file name or the last part of its path, else by its name."""
    path = str(model.get("path") or "").partition("?")[0].replace("\\", "/").rstrip("/")
    return path.rpartition("/")[2] or str(model["name"])


def attacked(protocol: Mapping[str, Any]) -> str:
    """How many of all classes were attacked."""
    return f"{len(protocol['attacked'])} of {protocol['of']:,}"


def code(text: Any) -> str:
    """Foreign text in Markdown as a code span, in which nothing is formatted or becomes a link."""
    found = printable(text)
    marks = "`" * (1 + max(map(len, re.findall("`+", found)), default=0))
    return f"{marks} {found} {marks}" if len(marks) > 1 else f"{marks}{found}{marks}"


def plain(text: Any) -> str:
    """Foreign text in Markdown: marks that would format it or begin HTML are escaped."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#!|~&" else letter for letter in printable(text))
