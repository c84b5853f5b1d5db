"""Paths as users write them."""

from pathlib import Path

from fooling.errors import UserError


def user_path(text: str | Path) -> Path:
    """A path with ~ and ~name written out. Raises UserError for a user who does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: no such user's home folder; write the path out") from error
