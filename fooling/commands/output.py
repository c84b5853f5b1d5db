"""What the commands share: a file that is written whole or not at all, and a table on the terminal."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fooling.errors import UserError
from fooling.record import told


@contextmanager
def written_whole(path: Path, overwrite: bool) -> Iterator[Path]:
    """Gives a temporary name to write to; renames it to `path` at the end, or removes it after an error.

    What cannot be written is refused before the work begins: an existing file without `overwrite`, a missing folder.
    """
    if path.is_dir():
        raise UserError(f"out={path}: expected a file's name, got a folder")
    if path.exists() and not overwrite:
        raise UserError(f"out={path}: exists already; overwrite=true replaces it, or give another name")
    if not path.parent.is_dir():
        raise UserError(f"out={path}: the folder {path.parent} does not exist; make it or give another name")
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    with told(path):
        part.touch()
        try:
            yield part
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> None:
    """A table on stdout, numbers to the right, the first columns to the left."""
    from rich.console import Console

    from fooling.display import show_table

    show_table(Console(highlight=False), columns, rows, left)
