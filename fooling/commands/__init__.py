"""Commands of the console script `fooling COMMAND key=value …`; one file for each."""

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import FrameType
from typing import NoReturn

from fooling import __version__
from fooling.errors import UserError


def guarded(main: Callable[[list[str]], int], arguments: Sequence[str]) -> int:
    """Runs a command and gives its exit code: 2 with a line on stderr for bad input, 130 after Ctrl-C, 1 for a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no → shows a ?
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        return main(list(arguments))
    except UserError as error:
        message = str(error)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (nothing reads what is still to be flushed)
        return 1
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError as error:
        message = f"not enough memory ({error or 'no more to be had'}); take fewer runs, a smaller population or smaller images"
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


# A command is a module with SUMMARY and main(arguments) -> exit code; a new one is one file and one row here.
COMMANDS = {
    "run": "fooling.commands.run",
    "ladder": "fooling.commands.ladder",
    "matrix": "fooling.commands.matrix",
    "gallery": "fooling.commands.gallery",
    "plausibility": "fooling.commands.plausibility",
    "examine": "fooling.commands.examine",
    "classify": "fooling.commands.classify",
    "border": "fooling.commands.border",
    "scramble": "fooling.commands.scramble",
    "damage": "fooling.commands.damage",
    "eigen": "fooling.commands.eigen",
    "mean": "fooling.commands.mean",
    "train": "fooling.commands.train",
    "stats": "fooling.commands.stats",
    "data": "fooling.commands.data",
}


def dispatch(arguments: list[str]) -> int:
    """Runs the command that the first word names."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}? " if near else "fooling run digit=2 is the main job; " if "=" in name else ""
        raise UserError(f"unknown command {name!r}: {hint}expected one of {', '.join(COMMANDS)}")
    code: int = import_module(COMMANDS[name]).main(rest)
    return code


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: fooling COMMAND key=value …", ""]
    lines += [f"  {name:<14}{import_module(module).SUMMARY}" for name, module in COMMANDS.items()]
    return "\n".join([*lines, "", "fooling COMMAND --help shows every setting of a command."])


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script's entry."""
    return guarded(dispatch, sys.argv[1:] if arguments is None else arguments)
