"""One job = one folder: what lies in a record, and how it is opened, read and written."""

import contextlib
import csv
import io
import json
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fooling.data.npz import read_arrays
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.records.files import TEMPORARY, lock, os_errors, png, read_json, write_atomically, write_json

CONFIG, RUN, METRICS, CHECKPOINT, IMAGES = "config.yaml", "run.json", "metrics.jsonl", "checkpoint.npz", "images"
SWEEP = "sweep.json"  # stands in the parent folder of a sweep's records
EXPERIMENT = "experiment.json"  # of the commands that examine pictures and networks, see commands/experiment.py
PLAUSIBILITY = ("plausibility.json", "plausibility.png")  # of `fooling plausibility`, also in the parent folder of a sweep
FRONT, FRONT_IMAGES = "front.csv", "front"  # of search=pareto
LOGBOOK = "logbook.csv"  # of engine=deap
FEEDBACK, FEEDBACK_PICTURE, FEEDBACK_FILM = "feedback.npz", "feedback.png", "feedback.webp"  # of search=feedback
SUCCESS = "success.png"  # of a single job, or in the parent folder of a sweep
PICTURES = ("mean.png", "mean_converged.png", "contact_sheet.png", "evolution.webp", "front.png", SUCCESS)
OURS = {
    CONFIG,
    RUN,
    METRICS,
    CHECKPOINT,
    IMAGES,
    FRONT,
    FRONT_IMAGES,
    FEEDBACK,
    FEEDBACK_PICTURE,
    FEEDBACK_FILM,
    LOGBOOK,
    *PICTURES,
    *PLAUSIBILITY,
}


class Record:
    """An open record folder: nobody else writes to it while this object lives."""

    def __init__(self, folder: Path, lock: int | None) -> None:
        self.folder, self.lock = folder, lock

    def close(self) -> None:
        """Gives the folder free."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def write_run(self, content: Mapping[str, Any]) -> None:
        """Writes run.json."""
        write_json(self.folder / RUN, content)

    def try_write_run(self, content: Mapping[str, Any]) -> None:
        """Writes run.json if that is still possible: an error is being told already."""
        with contextlib.suppress(OSError, UserError):
            self.write_run(content)

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
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"{path}: an image of the record cannot be read ({error}); overwrite=true starts the job anew"
        ) from error
    return np.ascontiguousarray(pixels[:, :, None] if pixels.ndim == 2 else pixels)


# --- opening ----------------------------------------------------------------------------------------------------------
def open_record(folder: Path, config: str, *, resume: bool, overwrite: bool) -> Record:
    """Opens a folder for a job whose settings are `config` (YAML): a new one, or one to resume or overwrite.

    What cannot be written to without loss is refused.
    """
    kind = kind_of(folder)
    if kind == "sweep":
        raise UserError(f"out={folder}: holds a sweep; give another folder for a single job")
    refuse_unless_free(folder, kind, resume=resume, overwrite=overwrite)
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    record = Record(folder, lock(folder))
    try:
        if overwrite:
            clear(folder)
        for part in folder.rglob(f"{TEMPORARY}*"):  # of a job that was killed while it wrote
            part.unlink()
        write_atomically(folder / CONFIG, config.encode())
    except BaseException:
        record.close()
        raise
    return record


def refuse_unless_free(folder: Path, kind: str, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder of somebody else's files, and one that holds a job which is neither resumed nor overwritten."""
    if kind == "foreign":
        raise UserError(f"out={folder}: holds files that are no record of fooling; give an empty or a new folder")
    if kind == "experiment":
        raise UserError(f"out={folder}: holds the record of an experiment; give another folder for a job")
    if kind and not resume and not overwrite:
        status = status_of(folder)
        advice = "" if status == "done" else "resume=true continues it, "
        holds = "a finished job" if status == "done" else f"an unfinished job ({status})"
        raise UserError(f"out={folder}: holds {holds}; {advice}overwrite=true replaces it, or give another folder")


def kind_of(folder: Path) -> str:
    """What a folder holds: '' (nothing yet), 'job', 'sweep', 'experiment' or 'foreign' (other files)."""
    if not folder.exists():
        return ""
    if not folder.is_dir():
        raise UserError(f"out={folder}: expected a folder, got a file")
    names = {path.name for path in folder.iterdir() if not path.name.startswith(TEMPORARY)}
    if not names:
        return ""
    for name, kind in ((SWEEP, "sweep"), (EXPERIMENT, "experiment")):
        if name in names:
            return kind
    return "job" if names & {CONFIG, RUN} else "foreign"


def status_of(folder: Path) -> str:
    """The status of a record or sweep: running, done, interrupted, failed. Running, too, if it was killed at the start."""
    name = SWEEP if kind_of(folder) == "sweep" else RUN
    return str(read_json(folder / name).get("status", "running"))


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a record, {} if it has none yet."""
    return read_json(folder / RUN)


def clear(folder: Path) -> None:
    """Removes what a record consists of, run.json first, and nothing else."""
    for name in (RUN, *sorted(OURS - {RUN})):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


VERSIONED = ("numpy", "numba", "jax", "jaxlib", "deap", "pillow")


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    return {"fooling": version("fooling"), "python": platform.python_version(), **{name: version(name) for name in VERSIONED}}
