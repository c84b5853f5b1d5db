"""Files written so that a kill at any moment leaves nothing half-written that looks finished; locks of folders."""

import contextlib
import errno
import glob
import io
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image

from fooling.errors import LONGEST_MESSAGE, UserError, printable
from fooling.kernels.tables import Bytes
from fooling.settings.files import parse_json, read_whole

FULL = (errno.ENOSPC, errno.EDQUOT)  # no room on the disk, or no more of it for this user
LARGE = 1 << 16  # bytes of an image, from which on it is compressed fast
PNG = b"\x89PNG\r\n\x1a\n"  # how pictures begin
TEMPORARY = ".part-"  # how names of files that are being written begin


class LockedError(UserError):
    """Another process is writing to a folder."""


def png(image: Bytes) -> bytes:
    """An image uint8 [H, W, C] as the bytes of a PNG: mode L for one channel, RGB for three."""

    if image.shape[2] not in (1, 3):
        raise UserError(f"pictures are written for 1 or 3 channels, got {image.shape[2]}")
    buffer = io.BytesIO()
    level = 2 if image.size > LARGE else 6  # of 224×224 pixels in colour: 4 instead of 17 ms, a fifth more bytes
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, format="PNG", compress_level=level)
    return buffer.getvalue()


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turns a failure to write into one line that names the file and the reason."""
    try:
        yield
    except OSError as error:
        advice = "make room, or give another folder with out=" if error.errno in FULL else "give another folder with out="
        raise UserError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


def write_atomically(path: Path, content: bytes, sync: bool = True) -> None:
    """Writes a file under another name, then renames it: the name never holds half a file."""
    part = path.with_name(TEMPORARY + path.name)
    with os_errors(path):
        try:
            with created(part) as file:
                file.write(content)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            part.replace(path)
            if sync:
                sync_files([path.parent])
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def created(path: Path) -> IO[bytes]:
    """A new file, open for writing, in place of one that a killed process left; a link of this name is not followed."""
    try:
        return path.open("xb")
    except FileExistsError:
        path.unlink()
        return path.open("xb")


def make_folder(path: Path) -> None:
    """Makes a folder inside a record. Raises UserError where a link has its name: what it leads to is not the record's."""
    refuse_link(path)
    with os_errors(path):
        path.mkdir(exist_ok=True)


def refuse_link(path: Path) -> None:
    """Raises UserError for a link: nothing outside a record is written or removed."""
    if path.is_symlink():
        raise UserError(f"{path}: is a link; a record holds its own folders; remove the link or give another folder with out=")


def sync_files(paths: Iterable[Path]) -> None:
    """Waits until files, and the names in folders, are on the disk: a file by its content, a folder by its entries."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot sync a folder
                raise
        finally:
            os.close(handle)


def nobody_knows(_path: Path) -> bool:
    """An existing file is taken for somebody's."""
    return False


def existing(ours: bool, other: str) -> str:
    """The message about a file that exists, ours or not; `other`: what else to give, a name or a folder with out=."""
    if ours:
        return f"exists already; overwrite=true replaces it, or give another {other}"
    return f"exists already, and is no file of this command; give another {other}"


def has_keys(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file is a JSON object with these keys."""
    try:
        return read_json(path).keys() >= set(keys)
    except UserError:
        return False


def is_png(path: Path) -> bool:
    """Whether a file begins as a PNG does."""
    if not path.is_file():
        return False
    with os_errors(path), path.open("rb") as file:
        return file.read(len(PNG)) == PNG


@contextlib.contextmanager
def new_file(path: Path, overwrite: bool, is_ours: Callable[[Path], bool] = nobody_knows) -> Iterator[Path]:
    """A temporary name to write to; it becomes `path` at the end, or is removed after an error.

    `is_ours`: whether an existing file is one that the command writes; only of such a file is overwriting advised. Raises
    UserError before the work begins: for an existing file without `overwrite`, for a missing folder.
    """
    if path.is_dir():
        raise UserError(f"out={path}: expected a file's name, got a folder")
    if path.exists() and not overwrite:
        raise UserError(f"out={path}: {existing(is_ours(path), 'name')}")
    if not path.parent.is_dir():
        raise UserError(f"out={path}: the folder {path.parent} does not exist; make it or give another name")
    part = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    with os_errors(path):
        remove_dead_parts(path)
        created(part).close()
        try:
            yield part
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def remove_dead_parts(path: Path) -> None:
    """Removes what killed processes had written of a file."""
    for part in path.parent.glob(f"{TEMPORARY}*-{glob.escape(path.name)}"):
        number = part.name.removeprefix(TEMPORARY).removesuffix(f"-{path.name}")
        if number.isdecimal() and not is_alive(int(number)):
            part.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file; a number that is not finite would be no JSON and is an error."""
    write_atomically(path, (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode())


def check_writable(folder: Path) -> None:
    """Raises UserError where a folder cannot be made, as a part of its path is a file or belongs to others; nothing is made."""
    with os_errors(folder):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{there} is a file")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def fresh_folder(parent: Path, name: str) -> Path:
    """Makes a folder that did not exist: parent/name, or name-2, name-3, …"""
    with os_errors(parent / name):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = parent / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object, its texts in printable letters; {} if there is no file."""
    if not path.exists():
        return {}
    try:
        content = plain(parse_json(read_whole(path, "JSON")))
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(f"{path}: a damaged file ({error}); remove the folder or give another") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: a damaged file (expected a JSON object); remove the folder or give another")
    return content


def plain(value: Any) -> Any:
    """A JSON value with printable texts: anybody may have written it. Raises ValueError for NaN and infinities."""
    if isinstance(value, str):
        return value if value.isprintable() else printable(value, LONGEST_MESSAGE)
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected finite numbers, got {value}")
    return value


def lock(folder: Path) -> int | None:
    """Locks the folder for this process, or refuses: two jobs in one folder would mix.

    The lock ends with the process, even if that is killed, and leaves no file behind.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise LockedError(f"out={folder}: another process is writing to it; wait for it or give another folder") from error
    except OSError as error:
        os.close(handle)
        logging.getLogger("fooling").warning("%s: cannot be locked (%s); let no other job write to it", folder, error.strerror)
        return None
    return handle


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to the folder."""
    handle = lock(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
