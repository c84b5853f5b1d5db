"""The text of --help: every setting with its range, default and meaning, and the choices of every group."""

import textwrap
import typing
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from fooling.errors import UserError
from fooling.settings.configs import GROUPS, PRESET, choices, summary
from fooling.settings.files import format_value
from fooling.settings.names import leaves_of, members
from fooling.settings.overrides import collect
from fooling.settings.tree import Tree, flat

WIDTH = 112
INDENT = " " * 6
MANY = 10  # choices that are still listed behind the =
UNIONS = ("search", "classifier")  # groups whose choices have settings of their own
SECTIONS = {  # settings outside of groups, by what they are for; a group is a section of its own
    "Stopping": ("budget", "threshold", "tol", "stop"),
    "Output": ("out", "resume", "overwrite", "quiet"),
}
TITLES = {  # groups, in the order of the help
    "classifier": "Classifier",
    "search": "Search",
    "prior": "Prior: how much the images must resemble the training set",
    "prior.weights": "Prior: weights of the terms; 0 leaves a term out",
    "data": "Data",
    "engine": "Engine",
}


def help_text(model: type[BaseModel], root: str, usage: str, words: Sequence[str] = (), hidden: Collection[str] = ()) -> str:
    """Usage, settings and choices as lines of at most 112 characters.

    Of a group whose choices have settings of their own (search, classifier) those of the one that `words` choose, with the
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
            lines += textwrap.wrap(known[name].description, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    for group in (*GROUPS, PRESET):
        if {group, f"{group}.name"} & known.keys():
            lines += ["", f"Choices of {group}:", *(f"  {group}={name:<12} {summary(group, name)}" for name in choices(group))]
    return "\n".join(lines) + "\n"


def defaults_in_force(model: type[BaseModel], root: str, words: Sequence[str]) -> Tree:
    """The tree that these words lead to; that of no words if they are wrong, so that help is always given.

    Words that are no settings, such as the pictures of `fooling classify`, do not matter.
    """
    try:
        return collect([word for word in words if "=" in word or word.endswith((".yaml", ".yml"))], model, root, partial=True)
    except UserError:
        return collect([], model, root)


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
