"""For the README of a model: a badge with Q and its date, and a paragraph in Markdown."""

from collections.abc import Mapping
from html import escape
from typing import Any

from fooling.errors import printable
from fooling.report.gate import number
from fooling.settings.gate import known_figures

LABEL = "fooling Q"
LETTER, MARGIN, HEIGHT = 6.6, 6, 20  # width of a letter of 11 pixels, distance from the edge, height; pixels
GREY, GROUND, LIGHT = "#555", "#0b6e99", "#fff"
SHOWN = 12  # letters of a fingerprint
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
    classes, runs = len(protocol.get("classes") or ()), protocol.get("runs")
    searched = f"`search={plain(protocol.get('search'))}`, genome {plain(protocol.get('genome'))}"
    attacks = f"{classes} of {protocol.get('of')} classes, {runs} attacks each, at most {protocol.get('budget'):,} evaluations"
    known = known_figures()
    found = [(key, figures[key]) for key in OTHERS if (figures.get(key) or {}).get("value") is not None]
    others = [f"{known[key].text} {number(figure['value'], known[key].unit)}" for key, figure in found]
    more = f" Besides: {'; '.join(others)}." if others else ""
    return (
        f"**Fooling images.** Evaluations after which half of the attacks, which begin with noise and see only scores, make "
        f"{plain(name)} sure of a class: {q_of(figures)} to a confidence of .9999, {q_of(figures, 'q99')} to .99 "
        f"({searched}; {attacks}).{more} Measured with `fooling audit` on {plain(date)}, model {plain(fingerprint)[:SHOWN]}. "
        "Q is only comparable where search, budget and threshold are the same.\n"
    )


def plain(text: Any) -> str:
    """Foreign text in Markdown: marks that would format it or begin HTML are escaped."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#!|~&" else letter for letter in printable(text))
