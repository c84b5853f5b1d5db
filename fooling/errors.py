"""What ends a command early, bad input or a user who stops it, and messages of other libraries shortened to a line."""


class UserError(ValueError):
    """Bad input: says what was expected, what was got and what to do. Shown without a traceback, exit code 2."""


class Interrupted(Exception):  # noqa: N818
    """The user stopped a job; its record holds a checkpoint."""


def first_line(message: BaseException | str, limit: int = 200) -> str:
    """The beginning of a message on one line, without unprintable characters; of an error without a message, its name."""
    text = " ".join(str(message).split())
    if not text:
        return "nothing" if isinstance(message, str) else type(message).__name__
    return "".join(letter for letter in text[:limit] if letter.isprintable())
