"""Commands of the console script `fooling COMMAND key=value …`: one file and one row of `table` each."""

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pydantic import BaseModel

from fooling import __version__
from fooling.commands.table import COMMANDS, Command
from fooling.errors import ClosedFileError, UserError, folded, guarded
from fooling.settings import validate
from fooling.settings.files import flat, merge, nearest
from fooling.settings.help import help_text, help_width
from fooling.settings.overrides import collect, read_words

HELP = {"--help", "-h", "help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script's entry."""
    return guarded(dispatch, sys.argv[1:] if arguments is None else arguments)


def dispatch(arguments: list[str]) -> int:
    """Runs the command that the first word names; its module is imported once help and settings are done with."""
    if not arguments or arguments[0] in HELP:
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    name, *words = arguments
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        hint = f"did you mean {near[0]!r}? " if near else "fooling run digit=2 evolves images; " if "=" in name else ""
        raise UserError(f"unknown command {name!r}: {hint}expected one of {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    if not command.settings:  # it reads its words itself
        return int(import_module(command.module).main(words))
    if HELP & set(words):
        sys.stdout.write(help_of(name, command, words))
        return 0
    try:
        settings = load_settings(name, command, words)
    except ClosedFileError as error:
        lines = resolve_name("fooling.classifiers.serialization:conversion")(Path(error.path))
        raise UserError(f"{error}{lines}") from error
    return int(import_module(command.module).COMMAND.run(settings, words))


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: fooling COMMAND key=value …"]
    for group, rows in groupby(COMMANDS.items(), lambda row: row[1].group):
        lines += ["", f"{group}:", *(f"  {name:<14}{command.summary}" for name, command in rows)]
    lines += ["", "fooling COMMAND --help shows every setting of a command."]
    return "\n".join(folded(line, help_width(), " " * 16) for line in lines)


# --- words ----------------------------------------------------------------------------------------------------
def usage(name: str, command: Command) -> str:
    """The first line of the help."""
    return f"fooling {name} {command.usage}"


def help_of(name: str, command: Command, words: Sequence[str]) -> str:
    """The help of a command: every setting that it has under these words."""
    model = resolve_name(command.settings)
    _, others = split_words(command, words)
    return help_text(model, name, usage(name, command), [word for word in others if word not in HELP], command.made)


def load_settings(name: str, command: Command, words: Sequence[str]) -> Any:
    """The settings of a command. Raises UserError with all problems."""
    model: type[BaseModel] = resolve_name(command.settings)
    values, others = split_words(command, words)
    for setting, value in flat(merge(*read_words(others, model, values))):
        if setting in command.made and value is not None:
            raise UserError(f"{setting.removesuffix('.name')}: {command.made[setting]}")
    # a prior of one job may choose a search that has a setting which that of another lacks
    tree = collect(others, model, name, partial="prior.name" in command.made)
    if command.positional:
        tree[command.positional] = with_positional(name, command, tree[command.positional], values)
    return validate(tree, model)


def split_words(command: Command, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are values of the positional setting, and the others."""
    values = [word for word in words if command.positional and is_value(word)]
    return values, [word for word in words if word not in values]


def is_value(word: str) -> bool:
    """Whether a word is no setting: it has no = in its name, or is a path; .yaml is a file of settings."""
    if word.startswith("-") or word.endswith((".yaml", ".yml")) or word == "help":
        return False
    name, equals, _ = word.partition("=")
    return not equals or "/" in name or Path(word).exists()


def with_positional(name: str, command: Command, present: Any, values: Sequence[str]) -> Any:
    """The value of the positional setting: a list, or a single word."""
    if isinstance(present, list):
        return list(values) or present
    if len(values) > 1:
        raise UserError(f"{command.positional}: expected one, got {', '.join(values)}; usage: {usage(name, command)}")
    return values[0] if values else present
