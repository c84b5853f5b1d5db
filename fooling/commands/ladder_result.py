"""`fooling.ladder(…)`: the command `fooling ladder` as a function, and what it found as an object."""

import copy
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from fooling.classifiers import words_for
from fooling.commands.compilation import compilation_note
from fooling.commands.experiment import draw_report
from fooling.commands.ladder import COMMAND, table
from fooling.errors import UserError
from fooling.plots.sheets import read_shown
from fooling.records.ownership import STATUS_FILES, SWEEP
from fooling.report.notebook import ladder_html
from fooling.settings import load
from fooling.settings.commands import LadderSettings
from fooling.settings.fields import absolute_path
from fooling.settings.names import as_words

PARTS = ("settings", "labels", "judges", "arms", "rows", "cells")
Key = tuple[str, str, int]  # rung, arm, class of the prior


@dataclass(frozen=True)
class Ladder:
    """What `fooling ladder` found: the parts of ladder.json, and a typical image of each job."""

    settings: Mapping[str, Any]
    labels: Sequence[str]
    judges: Sequence[str]
    arms: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]  # a prior with or without the classifier, over all classes
    cells: Sequence[Mapping[str, Any]]  # a job
    images: Mapping[Key, npt.NDArray[np.uint8]] = field(repr=False)  # [H, W, C]: the image of median confidence
    folder: str | None = None  # the record, if one was kept

    @classmethod
    def load(cls, folder: str | Path) -> "Ladder":
        """The ladder in the folder of a finished record. Raises UserError for any other folder."""
        place, content = COMMAND.finished(folder)
        try:
            images = {(cell["rung"], cell["arm"], cell["digit"]): read_shown(place, cell) for cell in content["cells"]}
            return cls(**{name: content[name] for name in PARTS}, images=images, folder=str(folder))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder}: a damaged record ({type(error).__name__}: {error}); run it again with out=") from error

    def to_dict(self) -> dict[str, Any]:
        """What ladder.json holds: plain lists, dictionaries and numbers."""
        return {name: copy.deepcopy(getattr(self, name)) for name in PARTS}

    def to_dataframe(self) -> Any:
        """The rows as a table of pandas. Raises UserError where pandas is not installed."""
        if find_spec("pandas") is None:
            raise UserError("to_dataframe needs pandas: pip install pandas")
        columns, rows = table(self.to_dict())
        return import_module("pandas").DataFrame(rows, columns=columns).set_index(["rung", "arm"])

    def __repr__(self) -> str:
        """In brief: Ladder(none, variogram: 40 images, in runs/ladder)."""
        rungs = ", ".join(dict.fromkeys(str(row["rung"]) for row in self.rows))
        number = sum(row["images"] for row in self.rows)
        return f"Ladder({rungs}: {number:,} images{f', in {self.folder}' if self.folder else ''})"

    def _repr_html_(self) -> str:
        """For notebooks: an image of each prior with and without the classifier, and the table."""
        return ladder_html(self.to_dict(), self.images, table(self.to_dict()))


def ladder(*words: str, classifier: Any = None, out: str | Path | None = None, **settings: Any) -> Ladder:
    """Compares priors, each with its control: `ladder(digit=[2, 3], rungs=["none", "variogram"], runs=5)`.

    `words` and `settings` are those of `fooling ladder`, `classifier` is a name, a file or a dictionary of its group. It prints
    nothing, with quiet=False its progress. A record and its page are kept only where `out` is given. Raises UserError, a
    ValueError, for bad input, and KeyboardInterrupt where it is interrupted.
    """
    wrong = [one for one in (*words, classifier) if not isinstance(one, str | Path | dict | None)]
    if wrong:
        got = type(wrong[0]).__name__
        raise UserError(f"ladder: expected a classifier's name, file or settings, got {got}; fooling.audit takes objects")
    if not isinstance(out, str | os.PathLike | None):
        raise UserError(f"out: expected the name of a folder, or None; got {type(out).__name__}")
    given = [*words, *(word for name, value in ({"quiet": True} | settings).items() for word in as_words(name, value))]
    with nullcontext() if out is not None else TemporaryDirectory(prefix="fooling-") as temporary:
        place = absolute_path(out) if out is not None else Path(str(temporary)) / COMMAND.name
        loaded = load([*given, *words_for(classifier), f"out={place}"], LadderSettings, COMMAND.name)
        console = Console(highlight=False, quiet=loaded.quiet)
        with compilation_note(console, loaded):
            done = COMMAND.make(loaded, [*given, *words_for(classifier)], console, STATUS_FILES[SWEEP])
        if done.code:
            raise KeyboardInterrupt("" if out is None else f"{out} holds a checkpoint; resume=True goes on")
        if done.summary and out is not None:
            draw_report(done.folder)
        found = Ladder.load(place)
    return replace(found, folder=None if out is None else str(out))
