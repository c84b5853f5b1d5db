"""The text of --help: every setting with its range, default and meaning, and the choices of every group."""

import textwrap
import typing
from collections.abc import Collection
from typing import Any, get_args

from pydantic import BaseModel

from fooling.settings.overrides import GROUPS, PRESET, choices, configs_folder, defaults, flat, leaves, members
from fooling.settings.schema import (
    TermName,
)

# What pydantic found, in our words; braces name entries of its context.
EXPECTED = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "literal_error": "must be one of {expected}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "model_type": "must be a group of settings",
    "tuple_type": "must be a list, such as a,b",
    "too_short": "must have at least one entry",
    "missing": "is missing",
}


def problem(entry: Any) -> str:
    """One of pydantic's findings as a sentence: the setting, what was expected, what was got."""
    path = [str(part) for part in entry["loc"]]
    got = entry["input"]
    if path[:1] == ["digit"]:
        return f"digit must be a class index from 0 on, a list of them such as 0,1,2, all or any; got {shown(got)}"
    if path[:1] == ["channels"]:
        return "channels must be two whole numbers from 1 to 4096, such as 16,32, or null"
    if path[:1] == ["hidden"]:
        return f"hidden must be a whole number from 1 to 4096, or at most 16 of them such as 100,50; got {shown(got)}"
    if path[:2] == ["prior", "hinge"]:
        return f"prior.hinge must be a list of {', '.join(get_args(TermName))}, such as [eigen,regional]; got {shown(got)}"
    if not path:
        return str(entry["ctx"]["error"])
    if entry["type"] == "value_error":
        return f"{'.'.join(path)} must be {entry['ctx']['error']}, got {shown(got)}"
    expected = EXPECTED.get(entry["type"], "must be something else").format(**entry.get("ctx", {}))
    return f"{'.'.join(path)} {expected}" + ("" if entry["type"] == "missing" else f", got {shown(got)}")


def shown(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else on_line(str(value))


def on_line(text: str) -> str:
    """Text with its control characters written out."""
    return text if text.isprintable() else repr(text)


WIDTH = 112
INDENT = 6
MANY = 10


def help_text(model: type[BaseModel], root: str, usage: str, hidden: Collection[str] = ()) -> str:
    """Usage, settings and choices as lines of at most 112 characters; without those that the command makes itself."""
    values = dict(flat(defaults(root)))
    lines = [f"usage: {usage}", "", "Settings (a unique last part of a name is enough: population=200):", ""]
    group = ""
    known = {name: field for name, field in leaves(model).items() if name not in hidden}
    for name, field in known.items():
        if name.rpartition(".")[0] != group and lines[-1]:
            lines.append("")
        group = name.rpartition(".")[0]
        what = f"{kind(name, field)}, default {shown(values[name])}"
        lines.append(f"  {name.removesuffix('.name')}={what}")
        lines += textwrap.wrap(field.description, WIDTH, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT)
    for group in (*GROUPS, PRESET):
        if {group, f"{group}.name"} & known.keys():
            lines += ["", f"Choices of {group}:", *(describe(group, name) for name in choices(group))]
    return "\n".join(lines) + "\n"


def describe(group: str, name: str) -> str:
    """A choice and the first comment of its file."""
    first = (configs_folder() / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    return f"  {group}={name:<12} {first.lstrip('# ')}"


def kind(name: str, field: Any) -> str:
    """The type and range of a setting, in words."""
    if name.endswith(".name") or name == PRESET:
        known = [*choices(name.removesuffix(".name")), *(["null"] if name == PRESET else [])]
        return "|".join(known) if len(known) < MANY else "NAME (its choices stand below)"
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
    return (
        f" ({low or '…'} … {high})" if high else f" (from {low})" if low and "above" not in low else f" ({low})" if low else ""
    )
