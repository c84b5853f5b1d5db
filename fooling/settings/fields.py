"""The user's own functions, named as module:function: the only way in which a setting brings code."""

import hashlib
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

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


def not_a_boolean(value: Any) -> Any:
    """true is no number."""
    if isinstance(value, bool):
        raise ValueError("a number")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def a_boolean(value: Any) -> Any:
    """1, yes and on are no booleans."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def on_one_line(value: str) -> str:
    """No control characters in names and paths."""
    if not value.isprintable():
        raise ValueError("text without control characters")
    return value


def split_commas(value: Any) -> Any:
    """One name is a list of one; null is none."""
    return [] if value is None else [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(on_one_line)]
Bool = Annotated[bool, BeforeValidator(a_boolean)]
Int = Annotated[int, BeforeValidator(not_a_boolean)]
Float = Annotated[float, BeforeValidator(not_a_boolean), Field(allow_inf_nan=False)]


def as_names(value: Any) -> Any:
    """Names may be numbers."""
    found = split_commas(value)
    return [
        str(one) if isinstance(one, int | float) else one for one in (found if isinstance(found, list | tuple) else [found])
    ]


def a_fraction(value: Any) -> Any:
    """1/255 is a number too."""
    if isinstance(value, str) and value.count("/") == 1:
        try:
            over, under = (float(part) for part in value.split("/"))
            return over / under
        except (ValueError, ZeroDivisionError):
            return value
    return value


def one_or_more(value: Any) -> Any:
    """One number is a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def one_or_none(value: Any) -> Any:
    """The same; null is none."""
    return value if value is None else one_or_more(value)


def a_batch_size(value: Any) -> Any:
    """auto, 64 or fixed:64."""
    text = str(value)
    number = text.removeprefix("fixed:")
    if isinstance(value, bool) or (
        text != "auto" and not (number.isascii() and number.isdigit() and 1 <= int(number) <= 2**20)
    ):
        raise ValueError("auto, a whole number from 1 on (at most so many images a call), or fixed:N (exactly so many)")
    return text


Fraction = Annotated[float, BeforeValidator(not_a_boolean), BeforeValidator(a_fraction), Field(allow_inf_nan=False)]
Positive = Annotated[Fraction, Field(gt=0)]
Side = Annotated[Int, Field(ge=2, le=4096)]
Channels = Literal[1, 3]
Each = BeforeValidator(one_or_more)  # one number, or one a channel


def user_path(text: str | Path) -> Path:
    """A path with ~ and ~name written out. Raises UserError for a user who does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: no such user's home folder; write the path out") from error


# External classifiers: what classifier.path is of each kind.
FOREIGN = {"onnx": "FILE.onnx", "sklearn": "FILE.skops", "torch": "module:function", "python": "module:function", "http": "URL"}
