"""Leases: who may write to a record that several machines share, where the lock of one machine may not hold for the others.

A lease is a numbered file outside of the record, NAME.1, NAME.2, …; a number is taken by creating its file, which succeeds
once. Its owner writes to it every few seconds. A lease that stays the same for longer is of a process that was killed or
stands still: the next number is taken and the file goes, which its owner, if it ever wakes, finds out at once.
"""

import contextlib
import glob
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from fooling.errors import Interrupted
from fooling.records.files import is_alive, os_errors

BEAT_SECONDS = 5.0  # between two writes of an owner
PATIENCE_SECONDS = 60.0  # until an owner that no longer writes counts as dead; as long as NFS may show an old state
POLL_SECONDS = 0.5  # between two looks of a process that waits


def nothing_to_do() -> None:
    """What a process does that has lost a lease and writes nothing more by itself."""


@contextlib.contextmanager
def leased(
    folder: Path, name: str, stop: Callable[[], bool] = lambda: False, lost: Callable[[], None] = nothing_to_do
) -> Iterator[None]:
    """Waits for the lease of a record and keeps it meanwhile. Raises Interrupted once `stop` says so while it waits.

    `folder`: where leases are. `lost` is called, from another thread, where another process has taken the lease.
    """
    path, owner = acquire(folder, name, stop)
    over = threading.Event()
    beats = threading.Thread(target=keep, args=(path, owner, over, lost), daemon=True)
    beats.start()
    try:
        yield
    finally:
        over.set()
        beats.join()
        if not is_lost(path, owner):
            path.unlink(missing_ok=True)


def acquire(folder: Path, name: str, stop: Callable[[], bool]) -> tuple[Path, str]:
    """Takes the next number of a lease as soon as nobody holds it → its file, and what its owner is called there."""
    owner, seen, since = f"{uuid.uuid4().hex} {socket.gethostname()} {os.getpid()}", "", time.monotonic()
    while not stop():
        numbers = taken(folder, name)
        last = max(numbers, default=0)
        content = read(folder / f"{name}.{last}") if last else ""
        if content != seen:
            seen, since = content, time.monotonic()
        if not last or is_dead(content) or time.monotonic() - since >= PATIENCE_SECONDS:
            path = folder / f"{name}.{last + 1}"
            with os_errors(path), contextlib.suppress(FileExistsError):
                with path.open("x", encoding="utf-8") as file:
                    file.write(f"{owner} 0\n")
                for number in numbers:
                    (folder / f"{name}.{number}").unlink(missing_ok=True)
                return path, owner
        time.sleep(POLL_SECONDS)
    raise Interrupted


def keep(path: Path, owner: str, over: threading.Event, lost: Callable[[], None]) -> None:
    """Writes to a lease until it is `over`, or is lost."""
    number = 0
    while not over.wait(BEAT_SECONDS):
        number += 1
        if is_lost(path, owner):
            lost()
            return
        with contextlib.suppress(OSError), path.open("r+", encoding="utf-8") as file:  # never makes a file that went
            file.write(f"{owner} {number}\n")


def taken(folder: Path, name: str) -> list[int]:
    """The numbers of a lease that have a file."""
    ends = [path.name.rpartition(".")[2] for path in folder.glob(f"{glob.escape(name)}.*")]
    return [int(end) for end in ends if end.isdecimal()]


def is_lost(path: Path, owner: str) -> bool:
    """Whether a lease is no longer that of its owner; what cannot be read is not known to be lost."""
    try:
        return not path.read_text(encoding="utf-8").startswith(owner)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def read(path: Path) -> str:
    """The content of a lease; '' where it is gone."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""


def is_dead(content: str) -> bool:
    """Whether a lease is of a process of this machine that no longer runs; of other machines nobody knows."""
    parts = content.split()
    return len(parts) == 4 and parts[1] == socket.gethostname() and not is_alive(int(parts[2]))
