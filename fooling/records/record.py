"""One job = one folder: what lies in a record, and how it is opened, locked, read and written."""

import contextlib
import csv
import hashlib
import io
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.data.images import opened
from fooling.data.npz import array_names, read_arrays
from fooling.errors import LONGEST_MESSAGE, Interrupted, UserError, printable
from fooling.kernels.tables import Bytes
from fooling.records.files import (
    created,
    locked,
    make_folder,
    os_errors,
    png,
    read_json,
    sync_files,
    write_atomically,
    write_json,
)
from fooling.records.ownership import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    RUN,
    SPARE,
    clear,
    image_names,
    is_image_name,
    read_status,
    remove_parts,
    reopen,
    strings,
)

FORMAT = 2  # of checkpoints; 2: limits and class names are no part of a job's identity
PROOF = "proof_"  # how the names of arrays begin that say whose a checkpoint is
ANEW = "overwrite=true starts the job anew"
SPARE_BYTES = 1 << 16
VERSIONED = ("numpy", "numba", "jax", "jaxlib", "deap", "pillow")


class Record:
    """An open record folder and its status file; `recording` opens one."""

    def __init__(self, folder: Path, status_file: str = RUN) -> None:
        self.folder, self.status_file = folder, status_file
        self.about: dict[str, Any] = {}  # the content of the status file
        self.before: dict[str, Any] = {}  # that of the status file when a record is opened to go on
        self.passing: tuple[str, ...] = ()  # keys of images that later ones replace
        self.identity = ""  # of the job, see `records.resume.identity`: a checkpoint of another one is refused

    @property
    def format(self) -> dict[str, int]:
        """The key of run.json that says that checkpoints carry a proof; a record of before has none to resume from."""
        return {} if self.before and "checkpoint_format" not in self.before else {"checkpoint_format": FORMAT}

    def update(self, **about: Any) -> None:
        """Adds keys to the status file and writes it."""
        self.about.update(about)
        write_json(self.folder / self.status_file, self.about)

    def show(self, **about: Any) -> None:
        """Adds keys on images that later ones replace; `withdraw` removes them before that."""
        self.passing = tuple(about)
        self.update(**about)

    def withdraw(self) -> None:
        """Removes what was shown: run.json never describes other images than those that lie there."""
        if self.passing:
            self.about = {name: value for name, value in self.about.items() if name not in self.passing}
            self.passing = ()
            self.update()

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
        """Writes checkpoint.npz in place of the last one, with what proves whose it is."""
        self.save_arrays(CHECKPOINT, sign(arrays, self.identity))

    def save_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes an .npz file."""
        buffer = io.BytesIO()
        np.savez(buffer, **{key: np.asarray(array) for key, array in arrays.items()})  # type: ignore[arg-type]
        write_atomically(self.folder / name, buffer.getvalue())

    def load_checkpoint(self) -> dict[str, npt.NDArray[Any]] | None:
        """The last checkpoint's arrays, or None if there is none yet. Raises UserError for that of another job."""
        return load_checkpoint(self.folder, self.identity)

    def save_images(self, images: Bytes, files: Sequence[str] = ()) -> list[str]:
        """Writes images uint8 [N, H, W, C] as PNGs, under these names in one folder if given; → the names."""
        files = list(files) or image_names(len(images))
        folder = (self.folder / files[0]).parent
        make_folder(folder)
        for file, image in zip(files, images, strict=True):
            write_atomically(self.folder / file, png(image), sync=False)
        with os_errors(folder):  # all at once: a file that run.json names survives a power failure
            sync_files([*(self.folder / file for file in files), folder, self.folder])
        return files

    def read_images(self, files: Sequence[str]) -> Bytes:
        """Images as they were written, uint8 [N, H, W, C]."""
        return read_images(self.folder, files)


def sign(arrays: Mapping[str, npt.NDArray[Any]], owner: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a checkpoint with the version of its format, the identity of its job and a digest of all of them."""
    signed = {"proof_format": np.int64(FORMAT), "proof_job": np.array(owner), **arrays}
    return {**{name: np.asarray(array) for name, array in signed.items()}, "proof_digest": np.array(digest(signed))}


def digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of named arrays: names, types, sizes and content."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return total.hexdigest()


def load_checkpoint(folder: Path, owner: str = "") -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a record's checkpoint, or None if there is none. Raises UserError for a damaged one.

    `owner`: the identity of the job that it must be of, "" = any. Checkpoints of before the first version of the format prove
    nothing; they are read in records that say so by having no `checkpoint_format` in run.json.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        arrays = read_arrays(path)
    except UserError as error:
        raise UserError(f"{error}; {ANEW}") from error
    proof = {name: arrays.pop(name) for name in list(arrays) if name.startswith(PROOF)}
    if not proof and "checkpoint_format" not in read_run(folder):
        return arrays
    if str(proof.pop("proof_digest", "")) != digest(arrays | proof):
        raise UserError(f"{path}: damaged, or not written by fooling: its arrays do not match their digest; {ANEW}")
    version, job = (proof.get(name, np.zeros(1)) for name in ("proof_format", "proof_job"))
    if version.shape or job.shape or version.dtype.kind not in "iu" or job.dtype.kind != "U":
        raise UserError(f"{path}: not written by fooling: expected the number of its format and the text of its job; {ANEW}")
    if version != FORMAT:
        raise UserError(f"{path}: is of format {version}, this version reads format {FORMAT}; {ANEW}")
    if owner and str(job) != owner:
        raise UserError(f"{path}: is the checkpoint of another job, or of other weights or statistics; {ANEW}")
    return arrays


def is_proven(folder: Path) -> bool:
    """Whether a record's checkpoint, if it has one, says of which job it is; those of before the first format do not."""
    path = folder / CHECKPOINT
    return not path.exists() or any(name.startswith(PROOF) for name in array_names(path))


def read_images(folder: Path, files: Sequence[str]) -> Bytes:
    """Images of a record, by their names relative to its folder: uint8 [N, H, W, C]."""
    return np.stack([read_image(folder / file) for file in files])


def images_in(folder: Path, run: Mapping[str, Any]) -> list[str]:
    """The names of a record's images in its run.json. Raises UserError for a damaged one."""
    entries = run.get("images")
    found = [entry.get("file") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    names = strings(found)
    is_damaged = not names or len(names) < len(entries or ()) or not all(map(is_image_name, names))
    if is_damaged or "digit" not in run:
        raise UserError(f"{folder / RUN}: a damaged file; expected the digit and the images/0000.png … of a finished job")
    return names


def read_image(path: Path) -> Bytes:
    """An image of a record, uint8 [H, W, C]."""
    try:
        with opened(path, ("PNG",)) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: an image of the record cannot be read ({error}); {ANEW}") from error
    return np.ascontiguousarray(pixels[:, :, None] if pixels.ndim == 2 else pixels)


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
    folder: Path,
    config: str,
    status_file: str = RUN,
    *,
    overwrite: bool = False,
    about: dict[str, Any] | None = None,
    extension: Sequence[str] = (),
) -> Iterator[Record]:
    """Opens a record folder, new or to go on in; its status file says how the block ends: done, interrupted or failed.

    `config` is the content of config.yaml, `about` the first content of the status file. `overwrite` removes the record that
    is there; `extension` are limits of its job that are raised. Nobody else can write to the folder meanwhile. Raises UserError
    if it is locked or cannot be written to.
    """
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        remove_parts(folder)
        record = Record(folder, status_file)
        if overwrite:
            clear(folder, keep=(CONFIG, status_file))
            if about is None:  # after a kill here it is still a record
                record.update(status="running", versions=versions())
            record.about = {}
        else:
            record.before = read_status(folder)
        if extension:
            record.before = reopen(folder, record.before, extension)
        with spare_room(folder) as spare:
            if about is not None:
                record.update(status="running", **about)
            write_atomically(folder / CONFIG, config.encode())
            try:
                yield record
            except BaseException as error:
                failed = isinstance(error, Exception) and not isinstance(error, Interrupted)
                record.about |= {"status": "failed"} if failed else {"status": "interrupted"}
                record.about |= {"error": printable(error, LONGEST_MESSAGE)} if failed else {}
                spare.unlink(missing_ok=True)  # on a full disk it makes room for the status
                with contextlib.suppress(OSError, UserError):  # the first error is the one to report
                    record.update()
                raise
        record.update(status="done")


@contextlib.contextmanager
def spare_room(folder: Path) -> Iterator[Path]:
    """A file that holds some room on the disk meanwhile."""
    path = folder / SPARE
    with os_errors(path), created(path) as file:
        file.write(b"\0" * SPARE_BYTES)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
