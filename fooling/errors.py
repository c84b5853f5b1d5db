"""What ends a command early, bad input or a user who stops it, and the exit code that follows; foreign text made printable."""

import io
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED, TERMINATED = 130, 143  # exit codes after SIGINT; after SIGTERM and SIGHUP

LONGEST_MESSAGE = 4000  # letters of a message; its end, which says what to do, is kept
LONGEST_NAME = 200  # letters of a name from a file, a server or a model


def printable(text: object, limit: int = LONGEST_NAME) -> str:
    """Foreign text for terminals, tables and files: control characters as \\x1b, the middle left out beyond `limit` letters."""
    letters = without_middle(str(text), limit)
    return letters if letters.isprintable() else without_middle("".join(map(visible, letters)), limit)


def without_middle(letters: str, limit: int) -> str:
    """A text of at most `limit` letters: its beginning, … and its last quarter."""
    end = limit // 4
    return letters if len(letters) <= limit else f"{letters[: limit - end - 1]}…{letters[len(letters) - end :]}"


def visible(letter: str) -> str:
    """A letter or a space of any width as it is; control and format characters and halves of letters by their number."""
    keep = letter.isprintable() or unicodedata.category(letter) == "Zs"
    return letter if keep else letter.encode("unicode_escape").decode()


class UserError(ValueError):
    """Bad input: says what was expected, what was got and what to do. Shown without a traceback, exit code 2.

    Its message is one line without control characters, whatever foreign text is part of it.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(" ".join(str(message).splitlines()), LONGEST_MESSAGE))


class Interrupted(Exception):  # noqa: N818
    """The user stopped a job; its record holds a checkpoint."""


def first_line(message: BaseException | str, limit: int = LONGEST_NAME) -> str:
    """A message on one line, printable and without its middle where it is long; of an error without a message, its name."""
    try:
        text = " ".join(str(message).split())
    except Exception:  # foreign errors may have no text
        text = ""
    if not text:
        return "nothing" if isinstance(message, str) else type(message).__name__
    return printable(text, limit)


def guarded(run: Callable[[list[str]], int], arguments: Sequence[str]) -> int:
    """Runs a command → exit code: 2 with a line on stderr for bad input, 130 after Ctrl-C, 1 for a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no → shows a ?
    before = handle_signals(signal.default_int_handler, terminate)
    try:
        return run(list(arguments))
    except UserError as error:
        message = str(error)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (nothing reads what is still to be flushed)
        return 1
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError as error:
        message = f"not enough memory ({error or 'no details'}); use fewer runs, a smaller population or smaller images"
    except KeyboardInterrupt:
        sys.stderr.write("fooling: interrupted\n")
        return INTERRUPTED
    finally:
        restore_signals(before)
    sys.stderr.write(f"fooling: {UserError(message)}\n")
    return 2


def handle_signals(interrupt: Any, end: Any) -> dict[int, Any]:
    """Sets handlers of SIGINT, and of SIGTERM and SIGHUP; → those before, by number. Only the main thread can have any."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {"SIGINT": interrupt, "SIGTERM": end, "SIGHUP": end}  # SIGHUP is not on Windows
    numbers = {getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)}
    always = (signal.SIGINT, signal.SIGTERM)  # nohup ignores SIGHUP, and that stays so
    caught = {n: handler for n, handler in numbers.items() if n in always or signal.getsignal(n) != signal.SIG_IGN}
    return {number: signal.signal(number, handler) for number, handler in caught.items()}


def restore_signals(handlers: Mapping[int, Any]) -> None:
    """Sets handlers as they were."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not set from Python


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process with one line."""
    del number, frame
    sys.stderr.write("fooling: interrupted\n")
    raise SystemExit(TERMINATED)
