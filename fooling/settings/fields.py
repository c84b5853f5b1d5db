"""Types of the settings' fields, with the checks that pydantic lacks; messages read "expected …"."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from fooling.errors import Interrupted, UserError, first_line, printable

CRASHES = (Exception, SystemExit)  # what other people's code may raise, except Ctrl-C
SIGNALS = (128 + 1, 128 + 2, 128 + 15)  # exit codes of a process that a signal ends
LONGEST_PART = 255  # bytes of a file's name, for most file systems
LONGEST = 300  # letters of other people's messages


@contextmanager
def foreign_code(what: str) -> Iterator[None]:
    """Other people's code runs in this context: whatever it raises becomes a UserError that begins with `what`.

    Ctrl-C and signals end the program as usual, and what is a message already stays. The working directory stays the same.
    """
    try:
        with same_folder():
            yield
    except (UserError, Interrupted, KeyboardInterrupt):
        raise
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in SIGNALS:
            raise
        raise UserError(f"{what}{described(error)}") from error


def described(error: BaseException) -> str:
    """The name of an exception and its message on one line. An exception may fail to give its message."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        return f"{name}, whose message cannot be read"
    return f"{name}: {shortened(text)}" if text.strip() else name


def shortened(text: str, limit: int = LONGEST) -> str:
    """A text on one line, of at most `limit` letters: its beginning and, where it is longer, its end, which says the cause."""
    line = first_line(text, len(text))
    if len(line) <= limit:
        return line
    head = limit // 3
    return f"{line[:head].rstrip()} … {line[len(line) - (limit - head - 3) :].lstrip()}"


class SettingsModel(BaseModel):
    """Settings are frozen; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # deferred: --help starts 40 ms earlier


# --- scalars ----------------------------------------------------------------------------------------------------------
def refuse_boolean(value: Any) -> Any:
    """true is not a number, although Python thinks so."""
    if isinstance(value, bool):
        raise ValueError("a number")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def require_boolean(value: Any) -> Any:
    """1, yes and on are not booleans."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def require_printable(value: str) -> str:
    """Names and paths contain no control characters."""
    if any("\udc80" <= letter <= "\udcff" for letter in value):  # bytes that are no letters in this locale
        raise ValueError(f"text in the encoding of this terminal, {sys.getfilesystemencoding()}; LANG=C.UTF-8 has all letters")
    if not value.isprintable():
        raise ValueError("text without control characters")
    return value


def parse_fraction(value: Any) -> Any:
    """1/255 is a number too."""
    if isinstance(value, str) and value.count("/") == 1:
        try:
            numerator, denominator = (float(part) for part in value.split("/"))
            return numerator / denominator
        except (ValueError, ZeroDivisionError):
            return value
    return value


def parse_batch_size(value: Any) -> Any:
    """auto, 64 or fixed:64."""
    text = str(value)
    number = text.removeprefix("fixed:")
    if isinstance(value, bool) or (
        text != "auto" and not (number.isascii() and number.isdigit() and 1 <= int(number) <= 2**20)
    ):
        raise ValueError("auto, a whole number from 1 on (the largest batch), or fixed:N (every batch has N images)")
    return text


class Rate(NamedTuple):
    """At most so many calls of a model, or images in them, a second."""

    a_second: float
    of_images: bool


SECONDS_IN = {"s": 1, "min": 60, "h": 3600}
RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)( ?images)?/(s|min|h)", re.ASCII)


def read_rate(text: str | None) -> Rate | None:
    """The rate in a text such as 5/s; None for None. Raises ValueError."""
    if text is None:
        return None
    match = RATE.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError("calls a second, minute or hour such as 5/s, 100/min or 1000/h, or images: 50images/s")
    return Rate(float(match[1]) / SECONDS_IN[match[3]], bool(match[2]))


def require_rate(text: str) -> str:
    """5/s, 100/min, 1000/h, 50images/s."""
    read_rate(text)
    return text


Text = Annotated[str, AfterValidator(require_printable)]
RateText = Annotated[str, AfterValidator(require_rate)]
Bool = Annotated[bool, BeforeValidator(require_boolean)]
Int = Annotated[int, BeforeValidator(refuse_boolean)]
Float = Annotated[float, BeforeValidator(refuse_boolean), Field(allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(refuse_boolean), BeforeValidator(parse_fraction), Field(allow_inf_nan=False)]
Positive = Annotated[Fraction, Field(gt=0)]
Side = Annotated[Int, Field(ge=2, le=4096)]
Channels = Literal[1, 3]
Resize = Literal["crop", "fit", "stretch"]
BatchSize = Annotated[str, BeforeValidator(parse_batch_size)]
Seed = Annotated[Int, Field(ge=0, lt=2**64)]


# --- lists ------------------------------------------------------------------------------------------------------------
def names_to_list(value: Any) -> Any:
    """One name is a list of one; null is the empty list."""
    return [] if value is None else [value] if isinstance(value, str) else value


def judges_to_list(value: Any) -> Any:
    """Names, files or URLs, or the settings of classifiers; one of them is a list of one."""
    entries = [value] if isinstance(value, dict) else names_to_list(value)
    wrong = "names, files, URLs or settings such as {name: onnx, path: a.onnx}"
    for entry in entries if isinstance(entries, list | tuple) else [None]:
        if not isinstance(entry, str) and not (isinstance(entry, dict) and isinstance(entry.get("name"), str)):
            raise ValueError(wrong)  # noqa: TRY004 (pydantic reads ValueError)
    return entries


def labels_to_list(value: Any) -> Any:
    """The same for labels, which may be numbers."""
    values = names_to_list(value)
    values = values if isinstance(values, list | tuple) else [values]
    return [str(label) if isinstance(label, int | float) else label for label in values]


def value_to_list(value: Any) -> Any:
    """One value is a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def parse_size(value: Any) -> Any:
    """One side, height and width, or height, width and channels; null stays null."""
    if value is None:
        return None
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(sides) not in (2, 3) or any(isinstance(side, bool) or not isinstance(side, int) for side in sides):
        raise ValueError("one side such as 224, height,width, or height,width,channels such as 28,28,1")
    if not all(2 <= side <= 4096 for side in sides[:2]) or (len(sides) == 3 and sides[2] not in (1, 3)):
        raise ValueError("sides of 2 … 4096 pixels, and 1 or 3 channels")
    return tuple(sides)


def optional_to_list(value: Any) -> Any:
    """The same; null stays null."""
    return value if value is None else value_to_list(value)


def sort_unique(values: tuple[float, ...]) -> tuple[float, ...]:
    """Each value once, in rising order."""
    return tuple(sorted(set(values)))


Each = BeforeValidator(value_to_list)
OptionalEach = BeforeValidator(optional_to_list)
Ints = Annotated[tuple[Int, ...], Each, Field(min_length=1), AfterValidator(sort_unique)]
Floats = Annotated[tuple[Float, ...], Each, Field(min_length=1), AfterValidator(sort_unique)]
Judges = Annotated[tuple[Text | dict[str, Any], ...], BeforeValidator(judges_to_list)]
Names = Annotated[tuple[Text, ...], BeforeValidator(names_to_list)]


# --- classes ----------------------------------------------------------------------------------------------------------
def parse_digits(value: Any, words: tuple[str, ...] = ("all", "any")) -> Any:
    """A class index or name, a tuple of different ones, or one of the words. Raises ValueError with what is expected."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    classes = [parse_class(one) for one in values]
    if isinstance(value, str) and value in words:
        return value
    if not values or None in classes or len(set(classes)) < len(classes):
        expected = "a class index from 0 on or a class name, a list of different ones such as 0,1,2"
        raise ValueError(f"{expected}, or {' or '.join(words)}")
    return tuple(classes) if isinstance(value, list | tuple) else classes[0]


def parse_class(value: Any) -> int | str | None:
    """A class index, also of a name that looks like one, or a class name; None if the value is neither."""
    index = parse_index(value)
    if index is not None or not isinstance(value, str):
        return index
    if value in ("all", "any") or not value.strip() or not value.isprintable():
        return None
    if value.isascii() and value.isdigit():
        return value if len(value) < 10 else None
    try:
        float(value)
    except ValueError:
        return value
    return None if any(map(str.isdigit, value)) else value  # −1 and 2.5 are no names, inf may be one


def parse_index(value: Any) -> int | None:
    """A class index; None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):  # 0001 is a name
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 and str(int(value)) == value else None
    return int(value) if 0 <= value < 2**63 and value == int(value) else None


def parse_named_digits(value: Any) -> Any:
    """The same without any, which only `fooling run` has."""
    if value == "any":
        raise ValueError("classes such as 0,1,2 or all (only `fooling run` takes any)")
    return parse_digits(value, ("all",))


Class = int | str
Digits = Annotated[Class | tuple[Class, ...], BeforeValidator(parse_digits)]
NamedDigits = Annotated[Class | tuple[Class, ...], BeforeValidator(parse_named_digits)]


# --- paths and functions ----------------------------------------------------------------------------------------------
def user_path(text: str | Path) -> Path:
    """A path with ~ and ~name expanded. Raises UserError for a user who does not exist, and for what is no file's name."""
    if not isinstance(text, str | os.PathLike):
        raise UserError(f"expected the name of a file or folder, as text, got {first_line(repr(text))}")
    if "\0" in str(text) or any(len(part.encode(errors="surrogatepass")) > LONGEST_PART for part in Path(text).parts):
        raise UserError(f"{printable(text, 60)}: expected names of at most {LONGEST_PART} bytes; give a shorter path")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: expected an existing user's home folder; write the path in full") from error


def absolute_path(text: str | Path) -> Path:
    """The same, absolute: foreign code that changes the working directory later moves nothing."""
    return Path.cwd() / user_path(text)


@contextmanager
def paths_as_typed(text: str | Path | None, place: Path | None) -> Iterator[None]:
    """Errors within it name the path of a setting as it was typed, not as `place`, its absolute path."""
    try:
        yield
    except UserError as error:
        if text is None or place is None or str(place) == str(text):
            raise
        raise UserError(str(error).replace(str(place), str(user_path(text)))) from error


@contextmanager
def same_folder() -> Iterator[None]:
    """Returns to the working directory afterwards: foreign code may change it, and paths of settings are relative to it."""
    before = Path.cwd()
    try:
        yield
    finally:
        if Path.cwd() != before:
            os.chdir(before)
