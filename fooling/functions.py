"""The user's own functions, named as module:function: the only way in which a setting brings code."""

import hashlib
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from fooling.errors import UserError

CRASHES = (Exception, SystemExit)  # what other people's code may end with, but for Ctrl-C


def call_named(setting: str, name: str, what: str, *arguments: Any) -> Any:
    """What the function that module:function names returns; modules are also looked for where the command runs.

    Raises UserError, which says `what` kind of function the setting needs, for whatever goes wrong.
    """
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # and it stays: the function may import when it is called
    try:
        return getattr(import_module(module), function)(*arguments)
    except CRASHES as error:
        raise UserError(f"{setting}={name}: expected module:function, {what}; {type(error).__name__}: {error}") from error


def fingerprint(name: str) -> str:
    """SHA-256 of the file that the module of module:function was read from; of the name where there is none."""
    file = getattr(import_module(name.partition(":")[0]), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file else name.encode()).hexdigest()
