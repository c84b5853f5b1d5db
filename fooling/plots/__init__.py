"""Pictures and charts, drawn from what record folders hold; nothing here runs a search or a classifier."""

import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

RECORD = "fooling.plots.record"  # loaded on the first drawing: matplotlib takes 0.3 s that refusals need not wait for
SWEEP_FILES = ("contact_sheet.png", "success.png")  # those over all jobs of a sweep


def record_files() -> tuple[str, ...]:
    """The names of all pictures that one record may have."""
    files: tuple[str, ...] = import_module(RECORD).RECORD_FILES
    return files


def draw_pictures(folder: Path, *, success: bool = True) -> None:
    """Draws every picture of one record. `success=False`: without success.png, which a sweep draws for all its jobs."""
    import_module(RECORD).draw_pictures(folder, success=success)


def draw_contact_sheet(folder: Path) -> None:
    """Draws the contact sheet of one record, finished or not."""
    import_module(RECORD).draw_contact_sheet(folder)


def draw_sweep(parent: Path, names: Sequence[str]) -> None:
    """Draws the contact sheet and success.png over all jobs of a sweep: the records `names` in `parent`."""
    import_module(RECORD).draw_sweep(parent, names)


def percent(confidence: float) -> str:
    """A confidence, rounded down to 0.01 %, but never to 0 or up to 100 %: 0.99996 → "> 99.99 %", 0.00004 → "< 0.01 %"."""
    if math.isnan(confidence):
        return "–"
    if confidence > 0.9999:
        return "> 99.99 %"
    hundredths = math.floor(round(confidence * 1e4, 3))  # 0.57 · 10⁴ is 5699.999… in floating point
    return f"{hundredths / 100:.2f} %" if hundredths else "< 0.01 %"


def whole_percent(share: float) -> str:
    """A share in whole per cent: 0.456 → "46 %"."""
    return f"{100 * share:.0f} %"


def words(name: str) -> str:
    """The key of a record in words: largest_score → "largest score"."""
    return name.replace("_", " ")


def evenly_spaced(number: int, most: int) -> list[int]:
    """At most `most` of 0 … number − 1, the first and the last among them."""
    return [int(i) for i in np.unique(np.rint(np.linspace(0, number - 1, min(most, number))))]


def shorten(text: str, letters: int) -> str:
    """A text of at most this many letters, the last one an ellipsis if any were cut."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
