"""What a page shows, and what every kind of record has for it: its status, its command, its settings."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fooling.classifiers.labels import class_name
from fooling.errors import UserError
from fooling.plots import percent
from fooling.records.files import read_json
from fooling.records.ownership import CONFIG, job_folders, read_status, strings
from fooling.records.record import read_run
from fooling.settings import MARK
from fooling.settings.files import read_whole

LETTERS = 60  # of a class name in a sentence, at most


class Number(NamedTuple):
    """A cell of a table that is sorted by its value."""

    text: str
    value: float | None


Cell = str | Number


class Figure(NamedTuple):
    """A figure with its 95 % interval; `unit`: share, evaluations, auroc, images/s, pixels, seconds, correlation, images.

    `low` and `high` are None where there is no such end. `above`: of a median that was not reached, where the budget ended.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = "share"
    text: str = ""
    above: float | None = None


class Picture(NamedTuple):
    """A picture of the record, by its name in the folder."""

    file: str
    alt: str
    caption: str
    small: bool = False  # one of many, side by side


class Chart(NamedTuple):
    """Curves or intervals as SVG."""

    title: str
    alt: str
    svg: str
    note: str = ""  # below it


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""  # below it
    lead: Sequence[str] = ()  # sentences above it


@dataclass(frozen=True)
class Content:
    """What the page of one record says, whatever its kind."""

    title: str
    verdict: str  # one sentence
    number: Figure
    about: str = ""  # what the number is, in a sentence
    beside: Sequence[str] = ()  # what must be known to read the number, a line each
    reading: str = ""  # how to read the page
    strip: str = ""  # what the small pictures are
    figures: Sequence[Figure] = ()  # the number among them or not
    pictures: Sequence[Picture] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    limits: Sequence[str] = ()  # what it does not show
    steps: Sequence[str] = ()  # what to do next
    facts: Mapping[str, str] = field(default_factory=dict)  # on what was run, besides those of every record
    figures_note: str = ""  # what the table of figures is for, where tables have them already: it is folded
    idle: Sequence[str] = ()  # settings that took no part: the page does not show them


@dataclass(frozen=True)
class Source:
    """A record folder as it is read."""

    folder: Path
    kind: str
    about: Mapping[str, Any]  # its status file
    found: Mapping[str, Any]  # NAME.json; of a single job the status file itself

    @cached_property
    def config(self) -> str:
        """config.yaml as it is."""
        return read_whole(self.folder / CONFIG, "settings").decode("utf-8", "replace") if self.has(CONFIG) else ""

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings in config.yaml; {} if they cannot be read."""
        try:
            found = yaml.load(self.config, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def command(self) -> str:
        """The line that repeats it; '' where config.yaml does not say."""
        first = self.config.partition("\n")[0]
        chosen = [(self.settings.get(group) or {}).get(key) for group, key in (("classifier", "name"), ("data", "path"))]
        if not first.startswith(MARK) or any(str(one).startswith("object ") for one in chosen):  # no file holds an object
            return ""
        words = first.removeprefix(MARK).removesuffix(CONFIG).strip()
        return f"{words} {shlex.quote(str(self.folder / CONFIG))}"

    @cached_property
    def classifier(self) -> str:
        """The name of the classifier."""
        places = [self.found, self.found.get("settings") or {}, self.settings]
        places += (
            [read_run(self.folder / name) for name in self.jobs[:1]] if not any("classifier" in one for one in places) else []
        )
        named = next((one["classifier"] for one in places if "classifier" in one), None)
        return str((named.get("name") if isinstance(named, dict) else named) or "the classifier")

    @property
    def notes(self) -> list[str]:
        """What the program printed of the job."""
        return strings(self.about.get("notes"))

    @property
    def jobs(self) -> list[str]:
        """The folders of its jobs that are there."""
        return [name for name in job_folders(dict(self.about)) if (self.folder / name).is_dir()]

    def has(self, name: str) -> bool:
        """Whether the folder has such a file, and no link to one elsewhere."""
        path = self.folder / name
        return path.is_file() and not path.is_symlink()

    def pictures(self, *rows: tuple[str, str, str]) -> list[Picture]:
        """Those of the pictures (file, alternative text, caption) that are there."""
        return [Picture(*row) for row in rows if self.has(row[0])]

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder. Raises UserError where it is missing."""
        if not self.has(name):
            status = self.about.get("status")
            raise UserError(f"{self.folder}: has no {name} (status: {status}); expected a finished record: let it finish first")
        return read_json(self.folder / name)


def open_source(folder: Path, kind: str, found: str) -> Source:
    """The record of a kind; `found`: the file that holds what it found, '' = its status file."""
    about = read_status(folder)
    source = Source(folder, kind, about, about)
    return Source(folder, kind, about, source.read(found)) if found else source


# --- words --------------------------------------------------------------------------------------------------------------
def named(k: Any, label: Any) -> str:
    """A class in a sentence, in quotes."""
    name = class_name(k, str(k) if label is None else str(label)) if isinstance(k, int) else str(label or k)
    return f"“{name if len(name) <= LETTERS else name[: LETTERS - 1] + '…'}”"


def name_in(labels: Sequence[str], k: int) -> str:
    """A class in a table."""
    return class_name(k, labels[k]) if k < len(labels) else str(k)


def whole(value: float | None, missing: str = "–") -> Number:
    """A count or a median of counts."""
    return Number(missing, None) if value is None else Number(f"{value:,.0f}", value)


def decimal(value: float | None, digits: int = 2) -> Number:
    """A number with so many digits."""
    return Number("–", None) if value is None else Number(f"{value:.{digits}f}", value)


def sure(confidence: float | None) -> Number:
    """A confidence, never rounded up to 100 %."""
    return Number("–", None) if confidence is None else Number(percent(confidence), confidence)


def interval(proportion: Mapping[str, Any] | None) -> Number:
    """A proportion with its counts and its 95 % interval."""
    if proportion is None:
        return Number("–", None)
    low, high = proportion["low"], proportion["high"]
    text = (
        f"{100 * proportion['share']:.3g} % ({proportion['part']:,} of {proportion['of']:,}; {100 * low:.3g}–{100 * high:.3g})"
    )
    return Number(text, proportion["share"])


def share_of(name: str, proportion: Mapping[str, Any] | None, text: str) -> Figure:
    """A proportion as a figure."""
    found = proportion or {}
    return Figure(name, found.get("share"), found.get("low"), found.get("high"), "share", text)


def figure_of(name: str, found: Mapping[str, Any], text: str = "") -> Figure:
    """A figure of audit.json, or one as `fooling compare` has it; `text` replaces the text that it has."""
    keys = ("low", "high", "unit", "text", "above")
    figure = Figure(name, found["value"], **{key: found[key] for key in keys if key in found})
    return figure._replace(text=text) if text else figure


def shown(figure: Figure) -> str:
    """A figure's value as it is printed."""
    value = figure.value
    if value is None:
        return "not reached" if figure.above is None else f"more than {figure.above:,.0f}"
    texts = {
        "share": percent(value) if 0.999 < value < 1 else f"{100 * value:.3g} %",
        "evaluations": f"{value:,.0f}",
        "images": f"{value:,.0f}",
        "figures": f"{value:,.0f}",
        "images/s": f"{value:,.0f}",
        "seconds": f"{value:,.1f} s",
        "pixels": f"{value:g}",
    }
    return texts.get(figure.unit, f"{value:.3f}")


def interval_text(figure: Figure) -> str:
    """A figure's 95 % interval; '' if it has none."""
    if figure.value is None or figure.low is None:
        return ""
    if figure.high is None:
        is_open = figure.unit == "evaluations" and figure.low > 0
        return f"95 % interval: {shown(figure._replace(value=figure.low))} or more" if is_open else ""
    low, high = (shown(figure._replace(value=value)) for value in (figure.low, figure.high))
    return f"95 % interval: {low} to {high}"
