"""Pictures and charts, drawn from what record folders hold; nothing here runs a search or a classifier."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

RECORD = (
    "fooling.plots.record"  # loaded on the first drawing: matplotlib takes 0.3 s that --help and refusals need not wait for
)
SWEEP_FILES = ("contact_sheet.png", "success.png")  # those over all jobs of a sweep


def record_files() -> tuple[str, ...]:
    """The names of all pictures that one record may have."""
    files: tuple[str, ...] = import_module(RECORD).RECORD_FILES
    return files


def draw_pictures(folder: Path, *, success: bool = True) -> None:
    """Draws every picture of one record. `success=False`: without success.png, which a sweep draws for all its jobs."""
    import_module(RECORD).draw_pictures(folder, success=success)


def draw_sweep(parent: Path, names: Sequence[str]) -> None:
    """Draws the contact sheet and success.png over all jobs of a sweep: the records `names` in `parent`."""
    import_module(RECORD).draw_sweep(parent, names)
