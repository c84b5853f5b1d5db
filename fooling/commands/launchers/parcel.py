"""Records as parcels, for workers that cannot see the command's folder, and how it is found out whether they can."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from fooling.errors import UserError
from fooling.records.files import TEMPORARY, locked, make_folder, os_errors, write_atomically
from fooling.records.ownership import CHECKPOINT, CONFIG, METRICS, RUN, remove_parts

LEASES = ".launcher"  # the folder of tokens and leases inside the command's folder, while it runs
TOKEN = "token"  # noqa: S105 (a file's name)
CARRIED = (CONFIG, METRICS, CHECKPOINT, RUN)  # what a job goes on from


def put_token(out: Path) -> str:
    """Writes a random text into the command's folder: a worker that reads it there sees the same folder."""
    token = secrets.token_hex(16)
    make_folder(out / LEASES)
    write_atomically(out / LEASES / TOKEN, token.encode())
    return token


def is_same_folder(out: Path, token: str) -> bool:
    """Whether this machine sees the folder of a command; another one of the same name has not its token."""
    try:
        return (out / LEASES / TOKEN).read_text(encoding="utf-8") == token
    except (OSError, UnicodeError):
        return False


def remove_token(out: Path) -> None:
    """Removes the token and all leases: a worker that still has one finds out."""
    folder = out / LEASES
    with os_errors(folder):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def pack(place: Path, names: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of a record, or those of these names that are there: their names in the folder, and their content."""
    found = [place / name for name in names] if names else sorted(place.rglob("*"))
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found if is_whole(path)}


def is_whole(path: Path) -> bool:
    """Whether a path is a file that is not being written."""
    return path.is_file() and not path.name.startswith(TEMPORARY)


def unpack(files: Mapping[str, bytes], place: Path) -> None:
    """Writes the files of a record into its folder; the status, by which it is finished or not, comes last."""
    with os_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    with locked(place):
        remove_parts(place)
        for name in sorted(files, key=lambda name: name == RUN):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or len(path.parts) > 2:
                raise UserError(f"{place}: a worker has sent a file that is not of a record ({name})")
            if len(path.parts) > 1:
                make_folder((place / name).parent)
            write_atomically(place / name, files[name])
