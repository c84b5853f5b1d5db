"""What ends a command early, bad input or a user who stops it, and the exit code that follows; foreign text made printable.

Secrets of URLs are masked here, in all text that is printed or written.
"""

import io
import os
import re
import shutil
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED, TERMINATED = 130, 143  # exit codes after SIGINT; after SIGTERM and SIGHUP

LONGEST_MESSAGE = 4000  # letters of a message; its end, which says what to do, is kept
LONGEST_NAME = 200  # letters of a name from a file, a server or a model


def printable(text: object, limit: int = LONGEST_NAME) -> str:
    """Foreign text for terminals, tables and files: control characters as \\x1b, the middle left out beyond `limit` letters."""
    letters = without_middle(masked(without_middle(str(text), 8 * limit)), limit)
    return letters if letters.isprintable() else without_middle("".join(map(visible, letters)), limit)


def without_middle(letters: str, limit: int) -> str:
    """A text of at most `limit` letters: its beginning, … and its last quarter."""
    end = limit // 4
    return letters if len(letters) <= limit else f"{letters[: limit - end - 1]}…{letters[len(letters) - end :]}"


def visible(letter: str) -> str:
    """A letter or a space of any width as it is; control and format characters and halves of letters by their number."""
    keep = letter.isprintable() or unicodedata.category(letter) == "Zs"
    return letter if keep else letter.encode("unicode_escape").decode()


MASK = "***"  # in place of a secret
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S*[^\s.,:;)\]\"']")
LOGIN = re.compile(r"(?<![\w/.*%+-])[\w.%+-]{1,100}:(?!//)[^\s@]{1,200}@(?=[\w\[])")  # user:password@host without http://
SECRET = re.compile(r"token|key|secret|pass|pwd|auth|sig|cred|code|session", re.IGNORECASE)  # in the name of a parameter
PARAMETER = re.compile(rf"([?&;][\w.-]{{0,50}}(?:{SECRET.pattern})[\w.-]{{0,50}}=)[^\s&;#]+", re.IGNORECASE)  # of half a URL
ANY_VALUE = re.compile(r".*", re.DOTALL)
HARMLESS = re.compile(r"\d{1,4}|v?\d+(\.\d+)*|true|false|json", re.IGNORECASE)  # the value of a parameter that is no secret


def masked(text: str) -> str:
    """A text with *** in place of the secrets of its URLs: user and password, values of parameters, the part behind #.

    Short numbers, versions and the like stay, unless the name of the parameter is that of a secret.
    """
    if not any(sign in text for sign in "@?#&;"):
        return text
    text = URL.sub(lambda found: masked_url(found[0]), text)
    return PARAMETER.sub(rf"\1{MASK}", LOGIN.sub(f"{MASK}@", text))


def masked_url(url: str, harmless: re.Pattern[str] = HARMLESS) -> str:
    """A URL without its secrets: users, passwords, fragments, and parameters but those with `harmless` names and values."""
    scheme, _, rest = url.partition("://")
    host, mark, tail = split_at(rest, "/?#")
    if "@" in host:
        host = f"{MASK}@{host.rpartition('@')[2]}"
    elif "@" in tail and holds_login(host, tail):
        host, mark, tail = split_at(f"{MASK}@{rest.rpartition('@')[2]}", "/?#")
    path, query, parameters = split_at(mark + tail, "?")
    path, here, fragment = split_at(path, "#") if not query else (path, "", "")
    parameters, behind, end = split_at(parameters, "#")
    parts = [masked_parameter(part, harmless) for part in re.split("([&;])", parameters)]
    hidden = [f"{sign}{MASK}" if text else sign for sign, text in ((here, fragment), (behind, end))]
    return f"{scheme}://{host}{path}{hidden[0]}{query}{''.join(parts)}{hidden[1]}"


def holds_login(host: str, tail: str) -> bool:
    """Whether user:password with / ? or # in it precedes the host: no port follows the colon, or a host's name the last @."""
    if not re.search(r"^[^\[]*:", host):
        return False
    surely = re.match(r"(localhost|\d+(\.\d+){3}):", host)  # the digits behind it are a port
    behind = re.match(r"[a-z\[]|\d+\.\d+\.\d+\.\d", tail.rpartition("@")[2], re.IGNORECASE)
    return bool(re.search(r":(?!\d*$)", host)) or bool(behind and not surely)


def masked_parameter(part: str, harmless: re.Pattern[str]) -> str:
    """A parameter name=value of a URL, or what separates two."""
    name, equals, value = part.rpartition("=")
    if part in ("", "&", ";") or (harmless.fullmatch(value) and not SECRET.search(name)):
        return part
    return f"{name}{equals}{MASK}"


def split_at(text: str, signs: str) -> tuple[str, str, str]:
    """What is before the first of these signs, the sign, and what is behind it."""
    found = re.search(f"[{signs}]", text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])


class UserError(ValueError):
    """Bad input: says what was expected, what was got and what to do. Shown without a traceback, exit code 2.

    Its message is one line without control characters, whatever foreign text is part of it.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(" ".join(str(message).splitlines()), LONGEST_MESSAGE))


class ClosedFileError(UserError):
    """A file that is never opened, as it may run code; who knows the lines that convert it adds them to the message."""

    def __init__(self, message: object = "", path: str = "") -> None:
        super().__init__(message)
        self.path = path


class FoolingWarning(UserWarning):
    """What a user of `fooling.evolve` should know of a job; the command prints it as a line."""


class Doubt(str):
    """A note that casts doubt on the figures of a job; other notes say how it is computed."""

    __slots__ = ()


def folded(text: str, width: int, indent: str = "") -> str:
    """A text in lines of at most `width` letters, broken between words, or behind | , / = in a longer one, else not at all."""
    lines, room = [""], max(8, width - len(indent))
    for word in re.findall(r"\s*\S+", text):
        fits = len(lines[-1]) + len(word) <= width
        parts = [word] if fits or len(word.strip()) <= room else re.findall(r"\s*[^|,/=]*[|,/=]*", word)
        for part in parts:
            if lines[-1].strip() and len(lines[-1]) + len(part) > width:
                lines.append(indent + part.lstrip())
            else:
                lines[-1] += part
    return "\n".join(lines)


def columns(stream: Any, otherwise: int = 0) -> int:
    """The width of a terminal; of other streams, and of none, `otherwise`."""
    return shutil.get_terminal_size().columns if stream and stream.isatty() else otherwise


def open_streams() -> None:
    """Opens stdout and stderr where the caller has closed them: what is printed is lost. A terminal that has no → shows a ?."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            discard(name)
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            with suppress(OSError, ValueError):  # it flushes first, which a full disk refuses
                stream.reconfigure(errors="replace")


def discard(name: str) -> None:
    """Drops what is still to be written to sys.stdout or sys.stderr, and what follows."""
    setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (open until the end)


def flush_output() -> None:
    """Writes what is still to be printed. Raises UserError where it cannot be written, and BrokenPipeError."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard("stdout")  # else it would be tried again at the end of the program
        raise UserError(f"the output cannot be written: {error.strerror}; free space there, or direct it elsewhere") from error


def say(line: str) -> None:
    """A line on stderr, if that can be written."""
    with suppress(OSError, ValueError, AttributeError):  # full, closed, none
        sys.stderr.write(f"{line}\n")


def counted(number: int, noun: str) -> str:
    """A number and a noun that has its plural with s: 1 run, 2 runs."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """A time in a unit that fits: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Interrupted(Exception):  # noqa: N818
    """The user stopped a job; its record holds a checkpoint."""

    result: Any = None  # what the job had until then


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
    open_streams()
    before = handle_signals(signal.default_int_handler, terminate)
    try:
        code = run(list(arguments))
        flush_output()
        return code
    except UserError as error:
        message = str(error)
    except BrokenPipeError:
        discard("stdout")
        return 1
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    except MemoryError as error:
        message = f"not enough memory ({error or 'no details'}); use fewer runs, a smaller population or smaller images"
    except KeyboardInterrupt:
        say("fooling: interrupted")
        return INTERRUPTED
    finally:
        restore_signals(before)
    line = f"fooling: {UserError(message)}"
    say(folded(line, columns(sys.stderr, len(line))))
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
    say("fooling: interrupted")
    raise SystemExit(TERMINATED)
