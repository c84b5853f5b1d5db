"""Which files of a folder are fooling's: what kind of record it holds, and what goes when a record is overwritten.

Only a folder that carries our mark is a record, and only files that the record names are removed. Everything else is
somebody's work and stays.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fooling.errors import UserError
from fooling.records.files import TEMPORARY, locked, read_json, write_json
from fooling.settings import MARK
from fooling.settings.files import check_file

CONFIG, RUN, METRICS, CHECKPOINT, IMAGES = "config.yaml", "run.json", "metrics.jsonl", "checkpoint.npz", "images"
SWEEP, EXPERIMENT = "sweep.json", "experiment.json"  # of folders that hold several records, or results of any kind
STATUS_FILES = {SWEEP: "sweep", EXPERIMENT: "experiment", RUN: "job"}  # each with the kind of record that it makes a folder
COMMANDS = ("fooling ", "python -m fooling")  # how the `command` of a status file begins
STATUSES = ("running", "done", "interrupted", "failed")
COMMON = (METRICS, CHECKPOINT, CONFIG, *STATUS_FILES)  # the files of every record; the last are removed last
EXTENDED = "extended: "  # how the note begins that says which limits of a job were raised
SPARE = f"{TEMPORARY}spare"  # holds room for the status on a full disk
PART = re.compile(rf"{re.escape(TEMPORARY)}(?:\d+-)?(.+)")  # a file that is being written, of a process
IMAGE = re.compile(r"\d{4,}\.png")


def kind_of(folder: Path) -> str:
    """What a folder holds: '' (nothing yet), 'job', 'sweep', 'experiment' or 'foreign' (other files)."""
    if not folder.exists():
        return ""
    if not folder.is_dir():
        raise UserError(f"out={folder}: expected a folder, got a file")
    marked = is_marked(folder / CONFIG)
    for status_file, kind in STATUS_FILES.items():
        if (folder / status_file).exists() and (marked or is_status(folder / status_file)):
            return kind
    if marked:
        return "job"
    return "" if all(is_part(path, ()) for path in folder.iterdir()) else "foreign"


def is_marked(path: Path) -> bool:
    """Whether a config.yaml begins as those of records do."""
    try:
        check_file(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(MARK)) == MARK
    except (OSError, UserError):
        return False


def is_status(path: Path) -> bool:
    """Whether a file is the status file of a record: a JSON object with our keys."""
    try:
        about = read_json(path)
    except UserError:
        return False
    made_by = about.get("versions")
    is_ours = str(about.get("command")).startswith(COMMANDS) or (isinstance(made_by, dict) and "fooling" in made_by)
    return about.get("status") in STATUSES and is_ours


def is_part(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a file is one of a record that a process was writing when it was killed."""
    match = PART.fullmatch(path.name)
    if not match or path.is_dir():
        return False
    name, names = match[1], [Path(pattern).name for pattern in patterns]
    return path.name == SPARE or name in COMMON or bool(IMAGE.fullmatch(name)) or any(fnmatch(name, one) for one in names)


def read_status(folder: Path) -> dict[str, Any]:
    """The status file of a record of any kind, {} if it has none yet."""
    return next((read_json(folder / name) for name in STATUS_FILES if (folder / name).exists()), {})


def remove_parts(folder: Path) -> None:
    """Removes what a killed process had half written; records inside hold separate locks and are left alone."""
    patterns = strings(read_status(folder).get("files"))
    for path in folder.iterdir():
        inside = path.iterdir() if path.is_dir() and not path.is_symlink() and kind_of(path) in ("", "foreign") else (path,)
        for part in inside:
            if is_part(part, patterns):
                part.unlink()


def clear(folder: Path, keep: Sequence[str] = ()) -> None:
    """Removes a record, except for the files in `keep`: those of its jobs, and the files that it names; other files stay.

    Its settings and its status go last: after a kill the folder is still a record, and the same command removes the rest.
    """
    about = read_status(folder)
    for name in job_folders(about):
        if kind_of(folder / name) == "job":
            with locked(folder / name):
                clear(folder / name)
            remove_if_empty(folder / name)
    for path in files_of(folder, about):
        if path.is_dir() and not path.is_symlink():
            remove_if_empty(path)
        elif path.name not in keep or path.parent != folder:
            path.unlink(missing_ok=True)


def files_of(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """The files of a record, then the folders that held them; its status file is the last."""
    entries = about.get("images")
    named = [entry.get("file") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found = [*images_of(folder, about.get("runs")), *matching(folder, [*strings(about.get("files")), *strings(named)])]
    found += [path for place in found if place.is_dir() for path in place.glob("*-*.png")]  # records of before named folders
    yield from (path for path in found if not path.is_dir())
    yield from sorted({path if path.is_dir() else path.parent for path in found} - {folder}, reverse=True)
    yield from (folder / name for name in COMMON)


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files in a record that its status file names. Raises UserError for a name that is not of a record."""
    for pattern in patterns:
        if Path(pattern).is_absolute() or {"..", "*", "**"} & set(Path(pattern).parts):
            raise UserError(f"out={folder}: its status file names {pattern}, which is not of a record; give another folder")
    return [path for name in dict.fromkeys(patterns) for path in folder.glob(name)]


def reopen(folder: Path, about: dict[str, Any], extension: Sequence[str]) -> dict[str, Any]:
    """A finished job whose limits are raised is no longer finished: its pictures go, of images that will be others.

    → its status file, which has a note.
    """
    note = EXTENDED + ", ".join(extension)
    about = {**about, "status": "running", "notes": list(dict.fromkeys([*strings(about.get("notes")), note]))}
    write_json(folder / RUN, about)
    for path in matching(folder, strings(about.get("files"))):
        if path.is_file() and path.suffix in (".png", ".webp", ".json"):
            path.unlink()
    return about


def strings(value: Any) -> list[str]:
    """The texts in a list of a status file, which anybody may have written; none if it is no list."""
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


def images_of(folder: Path, runs: Any) -> list[Path]:
    """The images of a job of so many runs, which does not name them before it is done."""
    paths = [path for path in (folder / IMAGES).glob("*.png") if IMAGE.fullmatch(path.name)]
    return [path for path in paths if isinstance(runs, int) and int(path.stem) < runs]


def remove_if_empty(folder: Path) -> None:
    """Removes a folder, unless it also holds files of the user."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def image_names(number: int) -> list[str]:
    """The names of a record's images, relative to its folder."""
    return [f"{IMAGES}/{i:04d}.png" for i in range(number)]


def declare_files(folder: Path, files: Sequence[str]) -> None:
    """Adds files to those that belong to a finished record, so that they go when it is overwritten."""
    for status_file in STATUS_FILES:
        if (folder / status_file).exists():
            about = read_json(folder / status_file)
            about["files"] = list(dict.fromkeys([*strings(about.get("files")), *files]))
            write_json(folder / status_file, about)


def job_folders(about: dict[str, Any]) -> list[str]:
    """The folders of the jobs that a status file names, each inside the record."""
    entries = about.get("jobs")
    names = [entry.get("folder") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [name for name in names if isinstance(name, str) and name not in ("", "..") and Path(name).name == name]
