"""`python -m fooling` and the console script `fooling`: signals first, then the command.

Importing the commands takes a tenth of a second. A signal in that time also ends the program with one line.
"""

import os
import signal
import sys
from importlib import import_module
from types import FrameType

from fooling.errors import INTERRUPTED, TERMINATED, handle_signals, open_streams, say


def main() -> int:
    """Runs the command of `sys.argv` → exit code."""
    open_streams()
    handle_signals(leave, leave)
    return int(import_module("fooling.commands").main())


def leave(number: int, frame: FrameType | None) -> None:
    """Ends the process; nothing is open yet."""
    del frame
    say("fooling: interrupted")
    os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
