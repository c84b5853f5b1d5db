"""What ends a command early, bad input or a user who stops it, and the exit code that follows."""

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn


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


def guarded(run: Callable[[list[str]], int], arguments: Sequence[str]) -> int:
    """Runs a command → exit code: 2 with a line on stderr for bad input, 130 after Ctrl-C, 1 for a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no → shows a ?
    before = signal.signal(signal.SIGTERM, terminate)
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
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.stderr.write(f"fooling: {' '.join(message.splitlines())}\n")
    return 2


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process as SIGTERM asks, but tidily: what was half-written is removed."""
    del frame
    raise SystemExit(128 + number)
