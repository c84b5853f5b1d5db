"""Types of the settings' fields, with the checks that pydantic lacks; messages read "expected …"."""

import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from fooling.errors import Interrupted, UserError, first_line, printable

CRASHES = (Exception, SystemExit)  # what other people's code may raise, except Ctrl-C
SIGNALS = (128 + 1, 128 + 2, 128 + 15)  # exit codes of a process that a signal ends
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


Text = Annotated[str, AfterValidator(require_printable)]
Bool = Annotated[bool, BeforeValidator(require_boolean)]
Int = Annotated[int, BeforeValidator(refuse_boolean)]
Float = Annotated[float, BeforeValidator(refuse_boolean), Field(allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(refuse_boolean), BeforeValidator(parse_fraction), Field(allow_inf_nan=False)]
Positive = Annotated[Fraction, Field(gt=0)]
Side = Annotated[Int, Field(ge=2, le=4096)]
Channels = Literal[1, 3]
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
    try:
        float(value)
    except ValueError:
        return value
    return None if any(map(str.isdigit, value)) else value  # −1 and 2.5 are no names, inf may be one


def parse_index(value: Any) -> int | None:
    """A class index; None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
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
    """A path with ~ and ~name expanded. Raises UserError for a user who does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: expected an existing user's home folder; write the path in full") from error


@contextmanager
def same_folder() -> Iterator[None]:
    """Returns to the working directory afterwards: foreign code may change it, and paths of settings are relative to it."""
    before = Path.cwd()
    try:
        yield
    finally:
        if Path.cwd() != before:
            os.chdir(before)


def call_named(setting: str, name: str, what: str, *arguments: Any) -> Any:
    """Calls the function that module:function names; modules are also searched in the working directory.

    This is the only way in which a setting runs code. `what` describes the function that the setting needs; it is part of
    the UserError that is raised for whatever goes wrong.
    """
    module, _, function = name.rpartition(":")
    hint = f"{setting}={name}: expected module:function, {what}; "
    if not module or not function:
        given = name.strip(":")
        advice = f"give the function too, such as {given}:make" if given else "give both"
        raise UserError(f"{hint}{advice}")
    logging.getLogger("fooling").warning("runs code: %s%s", printable(name), place_of(module))
    with foreign_code(hint):
        return getattr(import_code(module), function)(*arguments)


def import_code(name: str) -> ModuleType:
    """A module by its name, searched in the working directory too, or by the path of its file: my_net, my_net.py, a/b.py."""
    if not name.endswith(".py"):
        search_folder(Path.cwd())
        return import_module(name)
    path = user_path(name).resolve()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for its neighbours; at the end, as torch.py must not hide torch
    known = sys.modules.get(path.stem)
    if known and Path(getattr(known, "__file__", None) or "").resolve() == path:
        return known
    unique = path.stem if not known else f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = spec_from_file_location(unique, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    module = module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def search_folder(folder: Path) -> None:
    """Searches modules in a folder too, first; it stays so: a function may import when it is called."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def place_of(module: str) -> str:
    """Where a module, or the package that it is in, will be imported from; '' if it is not found. Nothing is imported."""
    if module.endswith(".py"):
        return f" from {printable(user_path(module).resolve().parent)}"
    search_folder(Path.cwd())
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):
        return ""
    places = [found.origin, *(found.submodule_search_locations or ())] if found else []
    return next((f" from {printable(place)}" for place in places if place), "")


def fingerprint(name: str) -> str:
    """SHA-256 of the source file of module:function's module; of the name if there is no file."""
    file = getattr(import_code(name.rpartition(":")[0]), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file else name.encode()).hexdigest()
