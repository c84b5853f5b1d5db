"""Opening a record to write to it: one context manager for its lock, its settings, its status and cleaning up."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fooling.errors import Interrupted, UserError
from fooling.records import CHECKPOINT, CONFIG, IMAGES, METRICS, RUN, STATUS_FILES, Record, kind_of, read_status
from fooling.records.files import TEMPORARY, locked, os_errors, read_json, write_atomically, write_json

COMMON = (RUN, CONFIG, METRICS, CHECKPOINT, IMAGES)  # the files of every job


@contextlib.contextmanager
def recording(
    folder: Path, config: str, status_file: str = RUN, *, overwrite: bool = False, about: dict[str, Any] | None = None
) -> Iterator[Record]:
    """Opens a record folder, new or to go on in; its status file says how the block ends: done, interrupted or failed.

    `config` is the content of config.yaml, `about` the first content of the status file. `overwrite` removes the record that
    is there. Nobody else can write to the folder meanwhile. Raises UserError if it is locked or cannot be written to.
    """
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if overwrite:
            clear(folder)
        remove_parts(folder)
        record = Record(folder, status_file)
        if about is not None:
            record.update(status="running", **about)
        write_atomically(folder / CONFIG, config.encode())
        try:
            yield record
        except BaseException as error:
            failed = isinstance(error, Exception) and not isinstance(error, Interrupted)
            record.about |= {"status": "failed", "error": str(error)} if failed else {"status": "interrupted"}
            with contextlib.suppress(OSError, UserError):  # the first error is the one to report
                record.update()
            raise
        record.update(status="done")


def remove_parts(folder: Path) -> None:
    """Removes what a killed process had half written; records inside hold separate locks and are left alone."""
    for path in folder.iterdir():
        if path.name.startswith(TEMPORARY):
            path.unlink()
        elif path.is_dir() and kind_of(path) != "job":
            for part in path.glob(f"{TEMPORARY}*"):
                part.unlink()


def clear(folder: Path) -> None:
    """Removes a record: those of its jobs, and the files that its status file names; other files stay."""
    about = read_status(folder)
    for name in job_folders(about):
        if kind_of(folder / name) == "job":
            with locked(folder / name):
                clear(folder / name)
            with contextlib.suppress(OSError):  # not empty: it also holds files of the user
                (folder / name).rmdir()
    for pattern in (*STATUS_FILES, *COMMON, *about.get("files", ())):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise UserError(f"out={folder}: its status file names {pattern}, which is outside; give another folder")
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def declare_files(folder: Path, files: Sequence[str]) -> None:
    """Adds files to those that belong to a finished record, so that they go when it is overwritten."""
    for status_file in STATUS_FILES:
        if (folder / status_file).exists():
            about = read_json(folder / status_file)
            about["files"] = list(dict.fromkeys([*about.get("files", ()), *files]))
            write_json(folder / status_file, about)


def job_folders(about: dict[str, Any]) -> list[str]:
    """The folders of the jobs that a status file names, each inside the record."""
    entries = about.get("jobs")
    names = [entry.get("folder") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [name for name in names if isinstance(name, str) and name not in ("", "..") and Path(name).name == name]
