"""One job = one folder: what lies in a record, and how it is opened, locked, read and written."""

import contextlib
import csv
import io
import json
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.data.images import opened
from fooling.data.npz import read_arrays
from fooling.errors import Interrupted, UserError
from fooling.kernels.tables import Bytes
from fooling.records.files import TEMPORARY, locked, os_errors, png, read_json, write_atomically, write_json

CONFIG, RUN, METRICS, CHECKPOINT, IMAGES = "config.yaml", "run.json", "metrics.jsonl", "checkpoint.npz", "images"
SWEEP, EXPERIMENT = (
    "sweep.json",
    "experiment.json",
)  # status files of the folders that hold several records, or results of any kind
STATUS_FILES = {SWEEP: "sweep", EXPERIMENT: "experiment", RUN: "job"}  # each with the kind of record that it makes a folder
VERSIONED = ("numpy", "numba", "jax", "jaxlib", "deap", "pillow")
COMMON = (RUN, CONFIG, METRICS, CHECKPOINT, IMAGES)  # the files of every job


class Record:
    """An open record folder and its status file; `recording` opens one."""

    def __init__(self, folder: Path, status_file: str = RUN) -> None:
        self.folder, self.status_file = folder, status_file
        self.about: dict[str, Any] = {}  # the content of the status file

    def update(self, **about: Any) -> None:
        """Adds keys to the status file and writes it."""
        self.about.update(about)
        write_json(self.folder / self.status_file, self.about)

    def add_metrics(self, row: Mapping[str, float]) -> None:
        """Appends a line to metrics.jsonl and flushes it."""
        path = self.folder / METRICS
        with os_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def restart_metrics(self, rows: list[dict[str, float]]) -> None:
        """Leaves just these lines in metrics.jsonl: those up to a checkpoint."""
        write_atomically(self.folder / METRICS, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def write_table(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Writes a CSV file."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_atomically(self.folder / name, text.getvalue().encode())

    def save_checkpoint(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes checkpoint.npz in place of the last one."""
        self.save_arrays(CHECKPOINT, arrays)

    def save_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes an .npz file."""
        buffer = io.BytesIO()
        np.savez(buffer, **{key: np.asarray(array) for key, array in arrays.items()})  # type: ignore[arg-type]
        write_atomically(self.folder / name, buffer.getvalue())

    def load_checkpoint(self) -> dict[str, npt.NDArray[Any]] | None:
        """The last checkpoint's arrays, or None if there is none yet."""
        return load_checkpoint(self.folder)

    def save_images(self, images: Bytes, files: Sequence[str] = ()) -> list[str]:
        """Writes images uint8 [N, H, W, C] as PNGs, under these names in one folder if given; → the names."""
        files = list(files) or image_names(len(images))
        folder = (self.folder / files[0]).parent
        with os_errors(folder):
            folder.mkdir(exist_ok=True)
        for file, image in zip(files, images, strict=True):
            write_atomically(self.folder / file, png(image), sync=False)
        return files

    def read_images(self, files: Sequence[str]) -> Bytes:
        """Images as they were written, uint8 [N, H, W, C]."""
        return read_images(self.folder, files)


def image_names(number: int) -> list[str]:
    """The names of a record's images, relative to its folder."""
    return [f"{IMAGES}/{i:04d}.png" for i in range(number)]


def load_checkpoint(folder: Path) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a record's checkpoint, or None if there is none."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        return read_arrays(path)
    except UserError as error:
        raise UserError(f"{error}; overwrite=true starts the job anew") from error


def read_images(folder: Path, files: Sequence[str]) -> Bytes:
    """Images of a record, by their names relative to its folder: uint8 [N, H, W, C]."""
    return np.stack([read_image(folder / file) for file in files])


def read_image(path: Path) -> Bytes:
    """An image of a record, uint8 [H, W, C]."""

    try:
        with opened(path, ("PNG",)) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"{path}: an image of the record cannot be read ({error}); overwrite=true starts the job anew"
        ) from error
    return np.ascontiguousarray(pixels[:, :, None] if pixels.ndim == 2 else pixels)


def kind_of(folder: Path) -> str:
    """What a folder holds: '' (nothing yet), 'job', 'sweep', 'experiment' or 'foreign' (other files)."""
    if not folder.exists():
        return ""
    if not folder.is_dir():
        raise UserError(f"out={folder}: expected a folder, got a file")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(TEMPORARY)}
    for status_file, kind in STATUS_FILES.items():
        if status_file in names:
            return kind
    return "job" if CONFIG in names else "foreign" if names else ""


def read_status(folder: Path) -> dict[str, Any]:
    """The status file of a record of any kind, {} if it has none yet."""
    return next((read_json(folder / name) for name in STATUS_FILES if (folder / name).exists()), {})


def status_of(folder: Path) -> str:
    """The status of a record: running, done, interrupted, failed. Running also if the process was killed at the start."""
    return str(read_status(folder).get("status", "running"))


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a record, {} if it has none yet."""
    return read_json(folder / RUN)


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    return {"fooling": version("fooling"), "python": platform.python_version(), **{name: version(name) for name in VERSIONED}}


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
