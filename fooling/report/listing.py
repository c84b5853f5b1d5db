"""The records below a folder as rows: status, target, headline figure. Damaged ones and links to elsewhere are named."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import localtime, strftime
from typing import Any

from fooling.errors import UserError, first_line, printable
from fooling.plots.record import target_of
from fooling.records.files import read_json
from fooling.records.ownership import COMMON, CONFIG, IMAGES, METRICS, STATUS_FILES, job_folders, kind_of, read_status
from fooling.report import DAMAGES, JSON
from fooling.report.content import Figure, shown

DEEPEST, MOST = 5, 2000  # levels below the folder; records in a list
THUMBNAILS = ("contact_sheet.png", "mosaic.png", "success.png", "mean.png", "front.png")  # the first that is there
LETTERS = 120


@dataclass(frozen=True)
class Row:
    """A record in a list."""

    path: str  # below the folder, with / between names; '' = the folder itself
    status: str  # running, done, interrupted, failed; damaged
    command: str = ""
    target: str = ""
    number: str = ""  # the headline figure as it is printed …
    text: str = ""  # … and what it is of
    verdict: str = ""  # one sentence
    error: str = ""  # of a failed or damaged record
    begun: float = 0.0  # when config.yaml was written
    picture: str = ""  # the file of its thumbnail
    jobs: tuple[str, ...] = ()  # paths of its jobs

    @property
    def name(self) -> str:
        """Its last folder."""
        return self.path.rpartition("/")[2] or "this folder"

    @property
    def when(self) -> str:
        """When it was begun."""
        return strftime("%Y-%m-%d %H:%M", localtime(self.begun)) if self.begun else ""

    @property
    def words(self) -> str:
        """What a search looks in, in small letters."""
        parts = (self.path, self.status, self.command, self.target, self.number, self.text, self.verdict, self.error)
        return " ".join(parts).lower()

    def matches(self, query: str) -> bool:
        """Whether it has every word of a query."""
        return all(word in self.words for word in query.lower().split())


@dataclass
class Listing:
    """The records below a folder. A row is made anew when a file that it is made from has changed."""

    root: Path
    known: dict[Path, tuple[object, Row]] = field(default_factory=dict)
    is_cut: bool = False  # whether there are more than MOST

    def rows(self) -> list[Row]:
        """All rows, the newest first."""
        found: list[Row] = []
        for folder in self.folders(self.root):
            if len(found) == MOST:
                break
            found.append(self.row(folder))
        self.is_cut = len(found) == MOST
        return sorted(found, key=lambda row: (-row.begun, row.path))

    def folders(self, folder: Path, level: int = 0) -> Iterator[Path]:
        """The records below a folder; those inside records are their jobs. Links and hidden folders are left out."""
        before = self.known.get(folder)
        if (before and before[0] == signature(folder)) or is_record(folder):
            yield folder
            return
        try:
            inner = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name.isprintable())
        except OSError:  # somebody else's
            return
        for path in inner if level < DEEPEST else ():
            if not path.is_symlink() and path.is_dir():
                yield from self.folders(path, level + 1)

    def row(self, folder: Path) -> Row:
        """The row of a record."""
        mark = signature(folder)
        before = self.known.get(folder)
        if before and before[0] == mark:
            return before[1]
        row = row_of(self.root, folder)
        self.known[folder] = (mark, row)
        return row

    def folder(self, path: str) -> Path | None:
        """The record of a path as rows have it; None for what is no record below the folder, however it is spelled."""
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") or part.startswith(".") or not part.isprintable() or "\\" in part for part in parts):
            return None
        place = self.root.joinpath(*parts)
        try:
            own = [place, *(place / name for name in COMMON if (place / name).is_symlink())]
            is_ours = place.is_dir() and all(is_inside(path, self.root) for path in own)
            return place if is_ours and is_record(place) else None
        except (OSError, ValueError):  # a name that is too long
            return None


# --- folders ----------------------------------------------------------------------------------------------------------
def is_record(folder: Path) -> bool:
    """Whether a folder is a record, be it a damaged one."""
    try:
        return kind_of(folder) not in ("", "foreign")
    except (UserError, OSError):
        return False


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path lies in the folder when every link in it is followed."""
    return path.resolve().is_relative_to(root.resolve())


def refuse_links(folder: Path, root: Path) -> None:
    """Raises UserError for a record with a link to something outside the folder: that is not shown."""
    for place, folders, files in os.walk(folder):  # which does not follow links
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink() and not is_inside(path, root):
                raise UserError(f"{path}: is a link to what lies outside {root}; only what lies inside is shown")


def signature(folder: Path) -> tuple[object, ...]:
    """What changes when a row does: times and sizes of the files that it is made from."""
    marks: list[object] = []
    for name in (*STATUS_FILES, CONFIG, JSON, *THUMBNAILS):
        try:
            stat = (folder / name).lstat()
            marks.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            marks.append(None)
    return tuple(marks)


def changed_at(folder: Path) -> float:
    """When a file of a job was last written, but its pictures; 0 if there is none."""
    times = [0.0]
    for name in (*STATUS_FILES, METRICS, "checkpoint.npz"):
        path = folder / name
        times += [path.stat().st_mtime] if path.is_file() else []
    return max(times)


# --- rows -------------------------------------------------------------------------------------------------------------
def row_of(root: Path, folder: Path) -> Row:
    """The row of a record; of a damaged one, with what is wrong."""
    path = "" if folder == root else folder.relative_to(root).as_posix()
    begun = next((place.lstat().st_mtime for name in (CONFIG, *STATUS_FILES) if (place := folder / name).exists()), 0.0)
    try:
        refuse_links(folder, root)
        about = read_status(folder)
        number, text, verdict = headline(folder, about)
        jobs = tuple(f"{path}/{name}".lstrip("/") for name in job_folders(about) if (folder / name).is_dir())
        return Row(
            path,
            str(about.get("status", "running")),
            command_of(about),
            printable(target(about, jobs), LETTERS),
            number,
            text,
            verdict,
            printable(about.get("error", "")),
            begun,
            picture_of(folder, about),
            jobs,
        )
    except (UserError, OSError) as error:
        return Row(path, "damaged", error=first_line(error), begun=begun)
    except DAMAGES as error:
        return Row(path, "damaged", error=f"{type(error).__name__}: {first_line(error)}", begun=begun)


def picture_of(folder: Path, about: dict[str, Any]) -> str:
    """The picture that stands for a record: one of several, NAME.png of an experiment, or one of its first job; '' = none."""
    command = str(about.get("command", "")).removeprefix("fooling ")
    names = [*THUMBNAILS, *([f"{command}.png"] if command.isalpha() else []), f"{IMAGES}/0000.png"]
    places = ["", *(f"{name}/" for name in job_folders(about)[:1])]
    return next((place + name for place in places for name in names if (folder / place / name).is_file()), "")


def command_of(about: Mapping[str, Any]) -> str:
    """The command that made a record, as it is typed; of one job `fooling run`."""
    return printable(str(about.get("command", "fooling run")).replace("python -m fooling.run", "fooling run"), LETTERS)


def target(about: dict[str, Any], jobs: tuple[str, ...]) -> str:
    """What the search aims for, with the classifier; of several jobs their number."""
    if "digit" in about:
        aim = "all classes" if about["digit"] == "all" else target_of(about)
        return f"{aim}, {about.get('classifier', 'classifier')}"
    listed = about.get("jobs")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    labels = [one["digit"] if one.get("label") is None else one["label"] for one in entries if one.get("digit") is not None]
    names = list(dict.fromkeys(str(name) for name in labels))
    return f"{len(jobs)} jobs: {', '.join(names)}" if names else f"{len(jobs)} jobs" if jobs else ""


def headline(folder: Path, about: Mapping[str, Any]) -> tuple[str, str, str]:
    """The figure of a record with what it is of, and its verdict: of its report.json, else the images that converged."""
    status, images = about.get("status"), about.get("images")
    found = read_json(folder / JSON) if (folder / JSON).is_file() else {}
    if str(found.get("schema", "")).startswith("fooling/report/") and found.get("status") == status:
        figure = Figure(str(found["number"]), **found["figures"][found["number"]])
        return shown(figure), printable(figure.text, LETTERS), printable(found.get("verdict", ""), 4 * LETTERS)
    if status == "done" and isinstance(images, list) and images and isinstance(about.get("converged"), int):
        return f"{about['converged']:,} of {len(images):,}", "images that met the job’s threshold", ""
    return "", "", ""
