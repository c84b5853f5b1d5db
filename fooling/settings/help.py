"""The text of --help, and pydantic's errors as sentences: the setting, what was expected, what was got, what to do."""

import os
import shutil
import sys
import typing
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from fooling.errors import UserError, folded
from fooling.settings.choices import GROUPS, PRESET, choices, summary
from fooling.settings.classifiers import ExternalSettings
from fooling.settings.files import Tree, flat, format_value
from fooling.settings.names import leaves_of, members, models, owners, tags
from fooling.settings.overrides import collect

WIDTH = 112
INDENT = " " * 6
MANY = 10  # choices that are still listed behind the =
UNIONS = ("search", "classifier", "launcher")  # groups whose choices have settings of their own
SECTIONS = {  # settings outside of groups, by what they are for; a group is a section of its own
    "Stopping": ("budget", "seconds", "threshold", "tol", "stop"),
    "Output": ("out", "resume", "overwrite", "quiet", "view"),
}
TITLES = {  # groups, in the order of the help
    "classifier": "Classifier",
    "search": "Search",
    "prior": "Prior: how much the images must resemble the training set",
    "prior.weights": "Prior: weights of the terms; 0 leaves a term out",
    "data": "Data",
    "engine": "Engine",
    "launcher": "Launcher",
}


def help_text(model: type[BaseModel], root: str, usage: str, words: Sequence[str] = (), hidden: Collection[str] = ()) -> str:
    """Usage, settings and choices as lines of at most 112 characters, or of the width of the terminal if that is less.

    Of a group whose choices differ in their settings (search, classifier) those of the one that `words` choose, with the
    defaults that these words lead to. `hidden` are full names of settings that the command makes itself.
    """
    tree = defaults_in_force(model, root, words)
    chosen = {group: tree[group]["name"] for group in GROUPS if isinstance(tree.get(group), dict) and "name" in tree[group]}
    values = dict(flat(tree))
    known = {name: field for name, field in leaves_of(model, chosen).items() if name not in hidden}
    lines = [f"usage: {usage}", "", "Write settings as key=value; the unique last part of a name is enough: population=200."]
    for title, names in sections(known, chosen):
        lines += ["", f"{title}:"]
        for name in names:
            lines.append(f"  {name.removesuffix('.name')}={kind(name, known[name])}, default {format_value(values.get(name))}")
            lines.append(INDENT + known[name].description)
    for group in (*GROUPS, PRESET):
        if {group, f"{group}.name"} & known.keys():
            lines += ["", f"Choices of {group}:", *(f"  {group}={name:<12} {summary(group, name)}" for name in choices(group))]
    return "\n".join(folded(line, help_width(), INDENT) for line in lines) + "\n"


def help_width() -> int:
    """Letters of a line: those of the terminal, or as the environment's COLUMNS says, at most 112."""
    if not ((sys.stdout and sys.stdout.isatty()) or os.environ.get("COLUMNS")):
        return WIDTH
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def defaults_in_force(model: type[BaseModel], root: str, words: Sequence[str]) -> Tree:
    """The tree that these words lead to. Wrong ones are left out, so that help is always given.

    Words that are no settings, such as the pictures of `fooling classify`, do not matter.
    """
    tree, sound = collect([], model, root), list[str]()
    for word in words:
        if "=" in word or word.endswith((".yaml", ".yml")):
            with suppress(UserError):
                tree = collect([*sound, word], model, root, partial=True)
                sound.append(word)
    return tree


def sections(known: Collection[str], chosen: Tree) -> Iterator[tuple[str, list[str]]]:
    """Titles, each with the names of its settings."""
    of_section = {name: title for title, names in SECTIONS.items() for name in names}
    top = [name for name in known if "." not in name]
    groups = {name.rpartition(".")[0] for name in known if "." in name}
    for title in ("Settings", "Stopping"):
        names = [name for name in top if of_section.get(name, "Settings") == title]
        yield from [(title, names)] if names else []
    for group in (group for group in TITLES if group in groups):
        having = f" ({group}={chosen[group]}; others: {group}=NAME --help)" if group in UNIONS and group in chosen else ""
        yield f"{TITLES[group]}{having}", [name for name in known if name.rpartition(".")[0] == group]
    output = [name for name in top if of_section.get(name) == "Output"]
    yield from [("Output", output)] if output else []


def kind(name: str, field: Any) -> str:
    """The type and range of a setting, in words."""
    if name.endswith(".name") or name == PRESET:
        known = [*choices(name.removesuffix(".name")), *(["null"] if name == PRESET else [])]
        return "|".join(known) if len(known) < MANY else "NAME (choices below)"
    return "|".join(dict.fromkeys(word(member) for member in members(field.annotation))) + limits(field)


def word(annotation: Any) -> str:
    """A type in a word."""
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(str(choice) for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return "LIST"
    return {int: "WHOLE", float: "NUMBER", str: "TEXT", bool: "true|false", type(None): "null"}[annotation]


def limits(field: Any) -> str:
    """The range of a number: (2 … 1000000)."""
    low = high = ""
    for bound in field.metadata:
        low = f"{bound.ge}" if hasattr(bound, "ge") else f"above {bound.gt}" if hasattr(bound, "gt") else low
        high = f"{bound.le}" if hasattr(bound, "le") else f"below {bound.lt}" if hasattr(bound, "lt") else high
    if high:
        return f" ({low or '…'} … {high})"
    return "" if not low else f" ({low})" if low.startswith("above") else f" (from {low})"


# What pydantic expected, by its type of error; braces name entries of its context.
EXPECTED = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "literal_error": "one of {expected}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "model_type": "a group of settings",
    "model_attributes_type": "a group of settings",
    "tuple_type": "a list, such as a,b",
    "too_short": "at least one entry",
    "missing": "a value",
}


def sentences(errors: Sequence[Any], model: type[BaseModel]) -> list[str]:
    """Each problem once, in the order of the fields."""
    return list(dict.fromkeys(sentence(error, model) for error in errors))


def sentence(error: Any, model: type[BaseModel]) -> str:
    """One of pydantic's errors as a sentence."""
    path = [str(part) for part in error["loc"] if not isinstance(part, int)]
    kinds = models(model.model_fields[path[0]].annotation) if path else [model]
    tag = path.pop(1) if len(kinds) > 1 else ""  # pydantic names the class of a union after the group: search, ga, population
    if tag and error["type"] == "extra_forbidden":
        return foreign(path[0], path[-1], tag, model)
    if error["type"] == "value_error" and len(path) < 2 and kinds:  # of a whole group: a rule, which is a sentence already
        return str(error["ctx"]["error"])
    got = "nothing" if error["type"] == "missing" else format_value(error["input"])
    expected = EXPECTED.get(error["type"], "something else").format(**error.get("ctx", {}))
    expected = str(error["ctx"]["error"]) if error["type"] == "value_error" else expected
    return f"{'.'.join(path)}: expected {expected}, got {got}"


def foreign(group: str, name: str, choice: str, model: type[BaseModel]) -> str:
    """A setting that the chosen search or classifier does not have."""
    having = owners(model, group, name)
    if not having:
        return f"unknown setting '{group}.{name}'"
    expected = f"{group}={' or '.join(part for part in (', '.join(having[:-1]), having[-1]) if part)}"
    kind = next(kind for kind in models(model.model_fields[group].annotation) if choice in tags(kind))
    if choice == "ensemble":
        advice = f"give it to a member, [{{name: {having[0]}, …, {name}: …}}]"
        return f"classifier.{name}: expected {expected}, got classifier=ensemble; {advice}"
    if group == "classifier" and not issubclass(kind, ExternalSettings) and "ensemble" not in having:
        expected = f"an external model ({', '.join(having)})"
        return f"classifier.{name}: expected {expected}, got classifier={choice}, which has built-in preprocessing"
    return f"{group}.{name}: expected {expected}, got {group}={choice}, which does not have it"
