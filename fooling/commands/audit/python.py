"""`fooling.audit(classifier, data)`: the command `fooling audit` as a function, and what it found as an object."""

import copy
import os
import signal
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from rich.console import Console

from fooling.classifiers import words_for
from fooling.classifiers.judges import separate_objects
from fooling.commands.audit import COMMAND, Given, plan
from fooling.commands.compilation import compilation_note
from fooling.commands.experiment import draw_report
from fooling.commands.launchers import refuse_objects
from fooling.data.arrays import data_words
from fooling.errors import INTERRUPTED, FoolingWarning, UserError
from fooling.plots.sheets import read_shown
from fooling.records.ownership import STATUS_FILES, SWEEP
from fooling.report.audit import DOUBTED
from fooling.report.gate import failures, verdicts
from fooling.report.notebook import audit_html
from fooling.settings import load
from fooling.settings.audit import AuditSettings
from fooling.settings.fields import absolute_path, paths_as_typed, user_path
from fooling.settings.gate import parse_rules, rules_to_text
from fooling.settings.names import as_words

PARTS = ("model", "protocol", "facts", "nothing", "q", "priors", "mismatch", "detectors", "checks", "left_out", "figures")


@dataclass(frozen=True)
class Audit:
    """What `fooling audit` found of a classifier: the parts of audit.json, and a typical image of each attacked class."""

    model: Mapping[str, Any]
    protocol: Mapping[str, Any]
    facts: Mapping[str, Any]
    nothing: Mapping[str, Any]
    q: Mapping[str, Any] | None  # None: of a part that was left out; `left_out` says why
    priors: Mapping[str, Any] | None
    mismatch: Mapping[str, Any] | None
    detectors: Mapping[str, Any] | None
    checks: Sequence[Mapping[str, Any]]
    left_out: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Mapping[str, Any]]  # every number by its name, with its interval
    verdict: str
    images: Mapping[int, npt.NDArray[np.uint8]] = field(repr=False)  # [H, W, C] of each class: the image of median confidence
    folder: str | None = None  # the record, if one was kept

    @classmethod
    def load(cls, folder: str | Path) -> "Audit":
        """The audit in the folder of a finished record. Raises UserError for any other folder."""
        place, content = COMMAND.finished(folder)
        try:
            images = {int(row["digit"]): read_shown(place, row) for row in (content["q"] or {}).get("classes", ())}
            return cls(**{name: content[name] for name in (*PARTS, "verdict")}, images=images, folder=str(folder))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder}: a damaged record ({type(error).__name__}: {error}); audit again with out=") from error

    @property
    def q99(self) -> float | None:
        """Evaluations to a confidence of .99, the median over classes; None if they are more than the budget."""
        return self.value("q99")

    @property
    def q9999(self) -> float | None:
        """The same for .9999."""
        return self.value("q9999")

    def value(self, name: str) -> float | None:
        """The value of a figure; None where it was not measured, or lies above the budget."""
        found: float | None = self.figures.get(name, {}).get("value")
        return found

    def check(self, rules: str | Sequence[str]) -> list[str]:
        """A line for each rule that does not hold, as of fail_under=: `audit.check("q9999=5000,ece<5%")`; [] if all do.

        Raises UserError for rules that cannot be read.
        """
        text = rules_to_text(rules)
        if not isinstance(text, str):
            raise UserError(f"rules: expected a text such as q9999=5000,ece<5%, got {type(rules).__name__}")
        try:
            parsed = parse_rules(text)
        except ValueError as error:
            raise UserError(f"rules: expected {error}") from None
        return failures(verdicts(parsed, self.figures, self.left_out, self.protocol), "rules")

    def to_dict(self) -> dict[str, Any]:
        """What audit.json holds: plain lists, dictionaries and numbers."""
        return {name: copy.deepcopy(getattr(self, name)) for name in (*PARTS, "verdict")}

    def to_dataframe(self) -> Any:
        """The figures as a table of pandas, a row each. Raises UserError where pandas is not installed."""
        if find_spec("pandas") is None:
            raise UserError("to_dataframe needs pandas: pip install pandas")
        columns = ["value", "low", "high", "above", "unit", "better", "text"]
        frames = import_module("pandas").DataFrame
        return frames.from_dict(self.figures, orient="index").reindex(columns=columns).rename_axis("figure")

    def __repr__(self) -> str:
        """In brief: Audit(mnist_mlp: q9999=20400, 10 of 10 classes, in runs/audit)."""
        q = "no attack" if self.q is None else f"q9999 above {self.protocol['budget']}"
        q = q if self.q9999 is None else f"q9999={self.q9999:.0f}"
        classes = f"{len(self.images)} of {self.protocol['of']} classes"
        failed = [str(check["name"]) for check in self.checks if check["passed"] is False]
        doubts = f", failed: {', '.join(failed)}" if failed else ""
        return f"Audit({self.model['name']}: {q}, {classes}{doubts}{f', in {self.folder}' if self.folder else ''})"

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, an image of each class, and the figures."""
        return audit_html(self.to_dict(), self.images)


def audit(classifier: Any, data: Any = None, *, judges: Any = None, out: str | Path | None = None, **settings: Any) -> Audit:
    """Audits a classifier: what it is sure of, how few images it takes to fool it, and what would notice it.

    `classifier` and `judges` are as in `fooling.evolve`: a name, a file, a dictionary of the group, or an object. `data` are
    labelled real images: a path, a dictionary of the group data, a `fooling.ImageSet`, or a pair (images, labels) of arrays. As
    of every set without a test part, a sixth of them are test images, and the statistics are fitted to the others. `settings`
    are those of the command, by their names (`runs=5`, `minutes=2`, `digit=[0, 1]`). It prints nothing, with
    quiet=False its progress. A record and its page are kept only where `out` is given. Raises UserError, a ValueError, for bad
    input.
    """
    if classifier is None:
        raise UserError("classifier: expected a name, a file, a dictionary of its settings, or an object; got None")
    if not isinstance(out, str | os.PathLike | None):
        raise UserError(f"out: expected the name of a folder, or None; got {type(out).__name__}")
    entries, objects = separate_objects([] if judges is None else judges)
    reader, words = data_words(data)
    given = {"quiet": True, **settings} | ({} if judges is None else {"judges": entries})
    words += [*words_for(classifier), *(word for name, value in given.items() for word in as_words(name, value))]
    keeps = out is not None
    with nullcontext() if keeps else TemporaryDirectory(prefix="fooling-") as temporary:
        place = absolute_path(out) if out is not None else Path(str(temporary)) / COMMAND.name
        loaded = load([*words, f"out={place}"], AuditSettings, COMMAND.name)
        if loaded.view:
            raise UserError("view: expected false in Python, got true; `fooling view FOLDER` shows records while they grow")
        if not keeps and (loaded.resume or loaded.overwrite):
            raise UserError("resume and overwrite need out=FOLDER")
        attacked = None if isinstance(classifier, str | Path | dict) else classifier
        with paths_as_typed(out, place if keeps else None):
            refuse_objects(loaded, attacked is not None or objects or reader is not None)
            code = carry_out(loaded, words, Given(attacked, objects, reader), keeps)
            found = None if code else Audit.load(place)
    if found is None:
        stop(code, out)
    for note in found.facts["notes"]:
        if note.startswith(DOUBTED):
            warnings.warn(note, FoolingWarning, stacklevel=2)
    return replace(found, folder=None if out is None else str(user_path(out)))


def carry_out(settings: AuditSettings, words: Sequence[str], given: Given, keeps: bool) -> int:
    """Makes the record of an audit, and its page where it is kept → 0, or the exit code of the signal that interrupted it."""
    command = replace(COMMAND, plan=partial(plan, given=given))
    console = Console(highlight=False, quiet=settings.quiet)
    with compilation_note(console, settings):
        done = command.make(settings, words, console, STATUS_FILES[SWEEP])
    if done.summary and keeps:
        draw_report(done.folder)
    return done.code


def stop(code: int, out: str | Path | None) -> NoReturn:
    """Ends what an interrupted audit was part of, as the signal would have done it without a record to complete."""
    if code != INTERRUPTED:
        signal.raise_signal(signal.SIGTERM)
    raise KeyboardInterrupt("" if out is None else f"{out} holds a checkpoint; resume=True goes on")
