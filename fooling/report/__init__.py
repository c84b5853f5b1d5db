"""Self-contained pages on records: report.html, report.json and report.csv, from what a record folder holds."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from fooling.errors import UserError, first_line
from fooling.records.files import existing, locked, os_errors, read_json, refuse_link, write_atomically
from fooling.records.ownership import declare_files, kind_of, read_status

HTML, JSON, CSV = "report.html", "report.json", "report.csv"
REPORT_FILES = (HTML, JSON, CSV)
SCHEMA = "fooling/report/1"  # of report.json, described by schema.json
MARK = "<!doctype html>\n<!-- fooling report -->"  # how a page begins
HEADER = "name,value,low,high,unit,text"  # how the table of figures begins, in every version
DAMAGES = (KeyError, TypeError, IndexError, ValueError, AttributeError, ArithmeticError, StopIteration)


class Kind(NamedTuple):
    """What makes the content of a kind of record."""

    content: str  # module:function
    found: str = ""  # the file that holds what it found; '' = its status file


KINDS = {
    "run": Kind("fooling.report.runs:job"),
    "archive": Kind("fooling.report.runs:archive"),
    "sweep": Kind("fooling.report.sweep:sweep"),
    "ladder": Kind("fooling.report.comparisons:ladder", "ladder.json"),
    "matrix": Kind("fooling.report.comparisons:matrix", "matrix.json"),
    "gallery": Kind("fooling.report.comparisons:gallery", "gallery.json"),
    "mean": Kind("fooling.report.comparisons:mean", "mean.json"),
    "transfer": Kind("fooling.report.transfer:transfer", "transfer.json"),
    "border": Kind("fooling.report.experiments:border", "border.json"),
    "scramble": Kind("fooling.report.experiments:scramble", "scramble.json"),
    "damage": Kind("fooling.report.experiments:damage", "damage.json"),
    "eigen": Kind("fooling.report.experiments:eigen", "eigen.json"),
    "classify": Kind("fooling.report.experiments:classify", "classify.json"),
    "audit": Kind("fooling.report.audit:audit", "audit.json"),
    "detect": Kind("fooling.report.detect:detect", "detect.json"),
    "harden": Kind("fooling.report.harden:harden", "harden.json"),
    "compare": Kind("fooling.report.side_by_side:compare", "compare.json"),
}


class Report(NamedTuple):
    """The three files of a report, and what its page lacks."""

    html: str
    json: str
    csv: str
    verdict: str
    left_out: tuple[str, ...] = ()  # pictures that were too large for one page

    @property
    def files(self) -> dict[str, bytes]:
        """Their contents by their names."""
        return {HTML: self.html.encode(), JSON: self.json.encode(), CSV: self.csv.encode()}


def kind_of_record(folder: Path) -> str:
    """The row of KINDS for a record. Raises UserError for any other folder."""
    if kind_of(folder) in ("", "foreign"):
        raise UserError(f"{folder}: is no record of fooling; expected a folder that a command has written, such as runs/NAME")
    about = read_status(folder)
    kind = kind_by(about)
    if kind not in KINDS:
        raise UserError(f"{folder}: its command {about['command']!r} has no page; expected one of {', '.join(KINDS)}")
    return kind


def kind_by(about: Mapping[str, Any]) -> str:
    """The kind that a status file says; '' for a command that KINDS lacks."""
    if "command" not in about:
        return "archive" if about.get("digit") == "all" else "run"
    command = str(about["command"])
    name = "sweep" if command.startswith("python -m fooling") else command.removeprefix("fooling ")
    return name if name in KINDS and name not in ("run", "archive") else ""


def has_page(folder: Path) -> bool:
    """Whether the records of the command that made one have a page."""
    return bool(kind_by(read_status(folder)))


def make_report(folder: Path) -> Report:
    """The report of a record. Raises UserError for a folder that is none, an unfinished record and a damaged one."""
    name = kind_of_record(folder)
    kind, page = KINDS[name], import_module("fooling.report.page")  # matplotlib and Jinja2 take a while that refusals need not
    content: Callable[..., object] = resolve_name(kind.content)
    try:
        source = page.open_source(folder, name, kind.found)
        report: Report = page.render(source, content(source))
    except UserError:
        raise
    except DAMAGES as error:
        what = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{folder}: a damaged record, or of another version ({what}); make it anew with its command") from error
    return report


def write_report(folder: Path, out: Path | None = None, *, overwrite: bool = False) -> Report:
    """Writes the report of a record into its folder, or into another one; → the report.

    Earlier files of a report are replaced; any other file of these names only with `overwrite`. Raises UserError.
    """
    place = folder if out is None else out
    check_place(place, overwrite)
    report = make_report(folder)
    with os_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    with locked(place):
        for name, content in report.files.items():
            write_atomically(place / name, content)
        if place == folder:
            declare_files(folder, REPORT_FILES)
    return report


def check_place(place: Path, overwrite: bool) -> None:
    """Refuses a place where files of somebody have the names of a report."""
    if place.exists() and not place.is_dir():
        raise UserError(f"out={place}: expected a folder, got a file")
    for name in REPORT_FILES:
        refuse_link(place / name)
        if (place / name).exists() and not overwrite and not is_ours(place / name):
            raise UserError(f"{place / name}: {existing(False, 'folder with out=')}, or replace it with overwrite=true")


def is_ours(path: Path) -> bool:
    """Whether a file is one of an earlier report."""
    if not path.is_file():
        return False
    if path.name == JSON:
        try:
            return str(read_json(path).get("schema", "")).startswith("fooling/report/")
        except UserError:
            return False
    start = MARK if path.name == HTML else HEADER
    with os_errors(path), path.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(start)) == start
