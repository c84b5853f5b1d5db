"""The words of a command → its help, or its settings; imports nothing heavy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from pydantic import BaseModel

from fooling.errors import UserError
from fooling.settings import validate
from fooling.settings.files import flat, merge
from fooling.settings.help import help_text
from fooling.settings.overrides import collect, read_words

HELP = {"--help", "-h", "help"}


class Command(NamedTuple):
    """A row of the table of commands."""

    group: str  # of the overview
    summary: str
    settings: str  # module:class
    module: str  # has COMMAND, an object with run(settings, words) -> exit code
    usage: str = "key=value …"  # what follows `fooling NAME`
    made: Mapping[str, str] = {}  # full names of settings that the command makes itself, each with what to do instead
    positional: str = ""  # the setting that words without a = are of


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
    for setting, value in flat(merge(*read_words(others, model))):
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
