"""Results in notebooks: a sheet of images and a small table, as HTML without scripts, legible on a light and a dark page."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from fooling.classifiers.labels import class_name
from fooling.errors import printable
from fooling.kernels.tables import Bytes
from fooling.plots import evenly_spaced, percent, whole_percent, words
from fooling.plots.sheets import TILE, contact_sheet, fitted_tile
from fooling.report.gate import interval, number
from fooling.search.result import Result

SHOWN = 20  # images of a sheet, at most
MOST_BYTES = 200_000  # of a picture; above it, fewer images are shown
SHORT = 24  # letters
CELL = 'style="text-align:left;padding:2px 12px 2px 0"'
PASSED = {True: "passed", False: "FAILED", None: "not made"}
Rows = Sequence[Sequence[str]]


def result_html(result: Result) -> str:
    """A result: up to 20 of its images, and its totals."""
    captions = [percent(confidence) for confidence in result.confidence.tolist()]
    rows = [["images", f"{len(result.images):,}"]]
    if not result.unit:
        rows += [["converged", f"{int(result.converged.sum()):,}"], ["median confidence", percent(result.median_confidence)]]
    rows += [["evaluations", f"{result.total_evaluations:,}"], ["generations", f"{result.generations:,}"]]
    rows += [["seconds", f"{result.seconds:.2f}"]]
    for name, scores in result.judges.items():
        share = float(np.mean(scores.argmax(axis=1) == result.classes)) if len(scores) else float("nan")
        rows.append([f"read as the target by {name}", "–" if np.isnan(share) else whole_percent(share)])
    rows += [["record", result.folder]] if result.folder else []
    title = result.target if result.unit else f"target {result.target}"
    chosen = evenly_spaced(len(result.images), SHOWN) if len(result.images) else []
    alt = f"{len(chosen)} of {len(result.images)} images, {title}"
    images = [result.images[i] for i in chosen]
    return block(title, picture(images, ["" if result.unit else captions[i] for i in chosen], alt), table([], rows))


def audit_html(content: Mapping[str, Any], images: Mapping[int, Bytes]) -> str:
    """An audit: its verdict, an image of each class, the checks and the figures; `content` is that of audit.json."""
    confidences = {row["digit"]: row["confidence"] for row in (content["q"] or {}).get("classes", ())}
    labels = content["model"]["labels"]
    names = [f"{printable(class_name(k, labels[k]), 14)} {percent(confidences[k])}" for k in images]
    checks = [[f"check: {words(check['name'])}", PASSED[check["passed"]], "", check["text"]] for check in content["checks"]]
    left = [[f"left out: {one['part']}", "", "", one["why"]] for one in content["left_out"]]
    figures = [[name, *in_words(figure), figure["text"]] for name, figure in content["figures"].items()]
    sheet = picture(list(images.values()), names, f"An evolved image of each of {len(images)} classes")
    title = f"Audit of {content['model']['name']}"
    lines = f"<p>{escape(printable(content['verdict'], 1000))}</p>"
    return block(title, lines, sheet, table(["figure", "value", "95 %", "what it is"], [*figures, *checks, *left]))


def ladder_html(content: Mapping[str, Any], images: Mapping[Any, Bytes], rows: tuple[Sequence[str], Rows]) -> str:
    """A ladder: an image of each prior with and without the classifier, and its table; `content` is that of ladder.json."""
    captions = [f"{rung}, {arm}" for rung, arm, _ in images]
    classes = ", ".join(dict.fromkeys(printable(class_name(k, content["labels"][k]), 14) for _, _, k in images))
    sheet = picture(
        list(images.values()), captions, f"Images of {len(content['rows'])} priors and conditions, classes {classes}"
    )
    return block(f"Priors with and without the classifier, classes {classes}", sheet, table(*rows))


def in_words(figure: Mapping[str, Any]) -> tuple[str, str]:
    """The value of a figure in its unit, and its interval."""
    if figure["value"] is None:
        above = figure.get("above")
        return "–" if above is None else f"> {above:,.0f}", ""
    return number(figure["value"], figure["unit"]), interval(figure).strip(" ()").removeprefix("95 %: ")


def picture(images: Sequence[Bytes], captions: Sequence[str], alt: str) -> str:
    """Images [H, W, C] on one sheet in the page itself, as many as its size allows; '' without any."""
    shown = min(len(images), SHOWN)
    while shown:
        chosen = evenly_spaced(len(images), shown)
        tiles = np.stack([fitted_tile(images[i], TILE) if max(images[i].shape) > TILE else images[i] for i in chosen])
        file = io.BytesIO()
        contact_sheet(tiles, [captions[i] for i in chosen]).save(file, "PNG", optimize=True)
        if len(file.getvalue()) <= MOST_BYTES or shown == 1:
            data = base64.b64encode(file.getvalue()).decode()
            return f'<img alt="{escape(printable(alt))}" style="max-width:100%" src="data:image/png;base64,{data}">'
        shown //= 2
    return ""


def table(columns: Sequence[str], rows: Rows) -> str:
    """A table in the colours of the page; its texts are escaped."""
    head = "".join(f"<th {CELL}>{escape(name)}</th>" for name in columns)
    lines = ["".join(f"<td {CELL}>{unbroken(printable(cell))}</td>" for cell in row) for row in rows]
    body = "".join(f'<tr style="background:none">{line}</tr>' for line in ([head] if head else []) + lines)
    return f'<table style="color:inherit;background:none;border-collapse:collapse;font-size:90%">{body}</table>'


def unbroken(text: str) -> str:
    """A text, escaped; a short one stays on one line."""
    return escape(text).replace(" ", "\N{NO-BREAK SPACE}") if len(text) <= SHORT else escape(text)


def block(title: str, *parts: str) -> str:
    """Parts below a title."""
    style = "color:inherit;background:none;font-family:sans-serif"
    return f'<div style="{style}"><b>{escape(printable(title))}</b><br>{"".join(parts)}</div>'
