"""Which files of a folder are fooling's: what kind of record it holds, and what goes when a record is overwritten.

Only a folder that carries our mark is a record, and only files that the record names are removed. Everything else is
somebody's work and stays.
"""

import contextlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fooling.errors import UserError
from fooling.records.files import TEMPORARY, locked, read_json, refuse_link, write_json
from fooling.settings import MARK
from fooling.settings.files import check_file

CONFIG, RUN, METRICS, CHECKPOINT, IMAGES = "config.yaml", "run.json", "metrics.jsonl", "checkpoint.npz", "images"
GENOMES = "genomes.npz"  # of searches that vary genomes: that of each run's image, and how it is decoded
SWEEP, EXPERIMENT = "sweep.json", "experiment.json"  # of folders that hold several records, or results of any kind
STATUS_FILES = {SWEEP: "sweep", EXPERIMENT: "experiment", RUN: "job"}  # each with the kind of record that it makes a folder
COMMANDS = ("fooling ", "python -m fooling")  # how the `command` of a status file begins
STATUSES = ("running", "done", "interrupted", "failed")
COMMON = (METRICS, CHECKPOINT, CONFIG, *STATUS_FILES)  # the files of every record; the last are removed last
EXTENDED = "extended: "  # how the note begins that says which limits of a job were raised
SPARE = f"{TEMPORARY}spare"  # holds room for the status on a full disk
PART = re.compile(rf"{re.escape(TEMPORARY)}(?:\d+-)?(.+)")  # a file that is being written, of a process
IMAGE = re.compile(r"\d{4,}\.png")
NAMED_IMAGE = re.compile(r"[\w-]{1,100}\.png", re.ASCII)  # also by the name of its class
DEVICE = re.compile(r"con|prn|aux|nul|(?:com|lpt)\d", re.IGNORECASE)  # names that are no files on Windows
LONGEST = 60  # letters of a class in the name of its image
NAMED = re.compile(  # what status files name: files of our kinds, those that commands number, and folders of early records
    r"(?:[a-z]+/)?[\w-]+\.(?:png|webp|json|csv|npz|safetensors|html|svg|md)"
    r"|[a-z]+[-_]\*\.(?:safetensors|json|npz)|(?:front|means|shown)(?:/(?:\[0-9\])?\*-(?:\[0-9\])?\*\.png)?",
    re.ASCII,
)
AXES = {  # what the axes in the names of jobs' folders mean; others are in words as they are
    "part=q": "attack",
    "part=gradients": "attack by gradients",
    "part=priors": "",
    "part=mismatch": "pair of classes",
    "arm=with": "",
    "arm=control": "control without the classifier",
    "arm=mismatched": "prior of another class",
}
AXIS = {"rung": "prior"}  # other words for an axis


def kind_of(folder: Path) -> str:
    """What a folder holds: '' (nothing yet), 'job', 'sweep', 'experiment' or 'foreign' (other files)."""
    if not folder.exists():
        return ""
    if not folder.is_dir():
        raise UserError(f"out={folder}: expected a folder, got a file")
    is_ours = is_marked(folder / CONFIG)
    present = [name for name in STATUS_FILES if (folder / name).exists()]
    for status_file in present:
        if is_status(folder / status_file, damaged=is_ours):
            return STATUS_FILES[status_file]
    known = (CONFIG,) if is_ours else ()  # all that there is before the first status
    if present or not all(path.name in known or is_part(path, ()) for path in folder.iterdir()):
        return "foreign"
    return "job" if is_ours else ""


def is_marked(path: Path) -> bool:
    """Whether a config.yaml begins as those of records do."""
    try:
        check_file(path)
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(MARK)) == MARK
    except (OSError, UserError):
        return False


def is_status(path: Path, damaged: bool = False) -> bool:
    """Whether a file is the status file of a record: a JSON object with our keys; `damaged`: what counts if it is none."""
    try:
        about = read_json(path)
    except UserError:
        return damaged
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
    patterns = [name for name in strings(read_status(folder).get("files")) if NAMED.fullmatch(name)]
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
    paths = list(files_of(folder, about))  # refuses strange names before anything is removed
    if about.get("status") == "done":
        write_json(next(folder / name for name in STATUS_FILES if (folder / name).exists()), {**about, "status": "running"})
    for name in job_folders(about):
        if not (folder / name).is_symlink() and kind_of(folder / name) == "job":
            with locked(folder / name):
                clear(folder / name)
            remove_if_empty(folder / name)
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            remove_if_empty(path)
        elif path.name not in keep or path.parent != folder:
            path.unlink(missing_ok=True)


def files_of(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """The files of a record, then the folders that held them; its status file is the last."""
    entries = about.get("images")
    named = [entry.get("file") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found = [*images_of(folder, about.get("runs")), *matching(folder, [*strings(about.get("files")), *strings(named)])]
    # records of before named folders
    found += [path for place in found if is_own_folder(place) for path in place.glob("*-*.png")]
    yield from (path for path in found if not path.is_dir())
    yield from sorted({path if path.is_dir() else path.parent for path in found} - {folder}, reverse=True)
    yield from (folder / name for name in COMMON)


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files in a record that its status file names, none behind a link. Raises UserError for other names."""
    for pattern in patterns:
        if not NAMED.fullmatch(pattern):
            raise UserError(f"out={folder}: its status file names {pattern}, which is not of a record; give another folder")
    found = [path for name in dict.fromkeys(patterns) for path in folder.glob(name)]
    return [path for path in found if path.parent == folder or is_own_folder(path.parent)]


def is_own_folder(path: Path) -> bool:
    """Whether a name in a record is a folder, and no link to one elsewhere."""
    return path.is_dir() and not path.is_symlink()


def refuse_strange_names(folder: Path, about: dict[str, Any]) -> None:
    """Refuses a record that names files of others or has links for folders, before anything in it is changed."""
    named = strings(about.get("files"))
    matching(folder, named)
    for name in dict.fromkeys([IMAGES, *(name.partition("/")[0] for name in named if "/" in name), *job_folders(about)]):
        refuse_link(folder / name)
    for name in job_folders(about):
        if kind_of(folder / name) == "job":
            refuse_strange_names(folder / name, read_status(folder / name))


def reopen(folder: Path, about: dict[str, Any], extension: Sequence[str]) -> dict[str, Any]:
    """A finished job whose limits are raised is no longer finished: its pictures go, of images that will be others.

    → its status file, which has a note.
    """
    note = EXTENDED + ", ".join(extension)
    about = {**about, "status": "running", "notes": list(dict.fromkeys([*strings(about.get("notes")), note]))}
    write_json(folder / RUN, about)
    for path in matching(folder, strings(about.get("files"))):
        if path.is_file() and path.suffix in (".png", ".webp", ".json", ".html"):
            path.unlink()
    return about


def strings(value: Any) -> list[str]:
    """The texts in a list of a status file, which anybody may have written; none if it is no list."""
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


def images_of(folder: Path, runs: Any) -> list[Path]:
    """The images of a job of so many runs, which does not name them before it is done."""
    if not is_own_folder(folder / IMAGES):
        return []
    paths = [path for path in (folder / IMAGES).glob("*.png") if IMAGE.fullmatch(path.name)]
    return [path for path in paths if isinstance(runs, int) and int(path.stem) < runs]


def remove_if_empty(folder: Path) -> None:
    """Removes a folder, unless it also holds files of the user."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def image_names(number: int) -> list[str]:
    """The names of a record's images, relative to its folder."""
    return [f"{IMAGES}/{i:04d}.png" for i in range(number)]


def class_image_names(classes: Sequence[int], labels: Sequence[str]) -> list[str]:
    """The names of images of one class each: black_widow.png; where a name is not unique or has no letters, with the index."""
    found: dict[str, str] = {}
    for k in classes:
        letters = unicodedata.normalize("NFKD", labels[k]).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", letters).strip("_")[:LONGEST]
        is_free = plain and plain.lower() not in found and not DEVICE.fullmatch(plain)
        name = plain if is_free else f"{plain or 'class'}_{k}"
        while name.lower() in found:
            name += "_"
        found[name.lower()] = f"{IMAGES}/{name}.png"
    return list(found.values())


def is_image_name(name: str) -> bool:
    """Whether a name in a status file is that of an image of the record."""
    return name.startswith(f"{IMAGES}/") and NAMED_IMAGE.fullmatch(name.removeprefix(f"{IMAGES}/")) is not None


def declare_files(folder: Path, files: Sequence[str]) -> None:
    """Adds files to those that belong to a finished record, so that they go when it is overwritten."""
    for status_file in STATUS_FILES:
        if (folder / status_file).exists():
            about = read_json(folder / status_file)
            about["files"] = list(dict.fromkeys([*strings(about.get("files")), *files]))
            write_json(folder / status_file, about)


def axes_in_words(axes: Mapping[str, str]) -> str:
    """The place of a job among those of a command: prior eigen, control."""
    found = [AXES.get(f"{axis}={value}", f"{AXIS.get(axis, axis)} {value}") for axis, value in axes.items()]
    return ", ".join(filter(None, found))


def job_in_words(folder: str) -> str:
    """The job of a folder that a command has named: part=priors,rung=eigen,arm=with,digit=3 → prior eigen, class 3."""
    axes = dict(part.partition("=")[::2] for part in folder.split(","))
    target = axes.pop("digit", None)
    return folder if target is None else ", ".join(filter(None, (axes_in_words(axes), f"class {target}")))


def job_folders(about: dict[str, Any]) -> list[str]:
    """The folders of the jobs that a status file names, each inside the record."""
    entries = about.get("jobs")
    names = [entry.get("folder") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [name for name in names if isinstance(name, str) and name not in ("", "..") and Path(name).name == name]
