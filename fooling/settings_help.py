"""The text of --help: every setting with its range, default and meaning, and the choices of every group."""

import textwrap
import typing
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from fooling.overrides import GROUPS, PRESET, choices, configs_folder, defaults, flat, leaves, members
from fooling.settings import shown

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
