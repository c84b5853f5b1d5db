"""Names and values: which settings a model has, what a short name means, how a word becomes a value.

Records made before each search and each kind of classifier had its own class of settings list the settings of all of them.
`without_former` leaves out those that the chosen search or classifier does not have.
"""

import contextlib
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from fooling.errors import UserError
from fooling.settings.choices import PRESET
from fooling.settings.files import BROKEN, Loader, NameLoader, Tree, is_text, nearest

HELP = "--help lists all settings"
ALIASES = {"target": "digit"}
# Where their last part is also that of another setting, it stands for that one.
IN_FULL = ("data.scale", "data.size", "data.resize", "classifier.rate")


def members(annotation: Any) -> list[Any]:
    """The types that an annotation is a union of."""
    if typing.get_origin(annotation) is typing.Annotated:
        return members(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(annotation) for member in members(part)]
    return [annotation]


def models(annotation: Any) -> list[type[BaseModel]]:
    """The classes of settings that a field may hold: none for a value, one for a group, several for a union."""
    return [kind for kind in members(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def tags(model: type[BaseModel]) -> tuple[str, ...]:
    """The choices that a class of a union is for: ("ga",). Empty for other groups."""
    field = model.model_fields.get("name")
    return typing.get_args(field.annotation) if field and typing.get_origin(field.annotation) is typing.Literal else ()


@cache
def leaves(model: type[BaseModel]) -> Mapping[str, Any]:
    """Every setting of a model by its full name, with pydantic's description of it; of a union those of all its classes."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kinds = models(field.annotation)
        for kind in kinds:
            for leaf, about in leaves(kind).items():
                found.setdefault(f"{name}.{leaf}", about)
        if not kinds:
            found[name] = field
    return found


def leaves_of(model: type[BaseModel], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The same, but of a union only those of the class for the choice `chosen[group]`."""
    found = dict(leaves(model))
    for group, choice in chosen.items():
        for kind in models(model.model_fields[group].annotation):
            if choice in tags(kind):
                found = {name: field for name, field in found.items() if not name.startswith(f"{group}.")}
                found |= {f"{group}.{leaf}": field for leaf, field in leaves(kind).items()}
    return found


def owners(model: type[BaseModel], group: str, name: str) -> list[str]:
    """The choices of a group that have a setting: owners(RunSettings, "search", "elitism") is ["ga"]."""
    kinds = models(model.model_fields[group].annotation)
    return [tag for kind in kinds if name in kind.model_fields for tag in tags(kind)]


def full_name(key: str, model: type[BaseModel], where: str = "") -> str:
    """The full name of a setting: itself, a group (search=ga), or the only one that ends in .key. Raises UserError."""
    known = leaves(model)
    key = ALIASES[key] if ALIASES.get(key) in known else key
    if key in known:
        return key
    if f"{key}.name" in known:
        return f"{key}.name"
    ends = [name for name in known if name.endswith("." + key) and key != "name"]
    ends = [name for name in ends if name not in IN_FULL] or ends
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{where}{key}: expected a longer name, one of {' or '.join(ends)}, got {key!r}")
    groups = [name.removesuffix(".name") for name in known if name.endswith(".name")]
    short = {name.rsplit(".", 1)[-1]: name for name in reversed(list(known)) if not name.endswith(".name")}
    near = nearest(key, [*known, *short, *groups])
    hint = f": did you mean {short.get(near[0], near[0])}?" if near else ""
    raise UserError(f"{where}unknown setting {key!r}{hint} ({HELP})")


def read_value(text: str, name: str, model: type[BaseModel]) -> Any:
    """A value by its setting's type: text as it is, lists by commas, otherwise a YAML scalar or list."""
    if text == "":
        raise UserError(f"{name}: expected a value after the =, got nothing ({HELP})")
    kinds = members(leaves(model)[name].annotation)
    is_list = any(typing.get_origin(kind) is tuple for kind in kinds)
    is_text = (str in kinds and not is_list) or name.endswith(".name")
    optional = type(None) in kinds
    if optional and (text == "null" or (text == "none" and (not is_text or name == PRESET))):  # a file may be called none
        return None
    if is_text:
        return text
    if str in kinds:
        return read_classes(text)
    holds_names = is_list and any(str in members(part) for kind in kinds for part in typing.get_args(kind))
    return read_yaml_value(text, NameLoader if holds_names else Loader)


def read_yaml_value(text: str, loader: type[Loader] = Loader) -> Any:
    """A YAML scalar or list, or a list by commas; the text itself where it is neither.

    A list of plain words is split at its commas where YAML finds special signs in it, such as the ? of a URL.
    """
    flow = f"[{text}]" if "," in text and text[0] not in "[{" else text
    try:
        return yaml.load(flow, loader)  # noqa: S506 (a SafeLoader)
    except BROKEN:
        inner = flow[1:-1]
        is_plain = flow[0] == "[" and flow[-1] == "]" and not set(inner) & set("[]{}\"'")
        return [part.strip() for part in inner.split(",")] if is_plain else text


def read_classes(text: str) -> Any:
    """Class indices and names. A comma separates names unless it is in quotes; a single name may hold any other mark."""
    if text[0] in "\"'":
        with contextlib.suppress(*BROKEN):  # by several names in quotes
            name = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
            return name if isinstance(name, str) else read_yaml_value(text, NameLoader)
    value = read_yaml_value(text, NameLoader)
    return text if isinstance(value, str | dict) and text[0] not in "[{" else value


def as_words(name: str, value: Any) -> list[str]:
    """A setting as words of the command: {"weights": {"target": 1}} → weights.target=1."""
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in as_words(f"{name}.{key}", inner)]
    if isinstance(value, list | tuple | range):
        return [f"{name}=[{','.join(map(item, value))}]"]
    if name in ("digit", *ALIASES) and isinstance(value, str):
        return [f"{name}={item(value)}"]
    return [f"{name}={'null' if value is None else str(value).lower() if isinstance(value, bool) else value}"]


def item(value: Any) -> str:
    """An entry of a list as YAML: groups, and in quotes texts with signs of YAML or that look like numbers."""
    marks = set(",[]{}#:\"'&*!|>%@`")
    special = isinstance(value, str) and (set(value) & marks or value != value.strip() or not is_text(value))
    return json.dumps(value, ensure_ascii=False, default=str) if special or isinstance(value, dict) else str(value)


# Defaults as those records hold them. They never change: records stay as they are.
FORMER: dict[str, dict[str, Any]] = {
    "search": {
        "population": 100,
        "selected": 5,
        "crossover": "uniform",
        "rectangles": 0.0,
        "mutate_factor": 1.0,
        "min_rate": 0.0,
        "gaussians": 0.0,
        "gaussian_sd": 20.0,
        "polynomials": 0.0,
        "polynomial_eta": 20,
        "blurs": 0.0,
        "swaps": 2.0,
        "elitism": True,
        "proposals": 1000,
        "temperature": 0.002,
        "cooling": 2.0,
        "swap_share": 1.0,
        "climb": "log",
        "start": "noise",
        "image": None,
        "noise": 1.0,
        "size": None,
        "rate": None,
        "blur_sd": None,
        "blur_every": 1,
        "decay": 0.0,
        "ground": 127.5,
        "total_variation": 0.0,
        "jitter": None,
        "layer": None,
        "channel": None,
        "neuron": None,
        "octaves": 4,
        "octave_scale": 1.4,
        "again": 0,
        "zoom": 0.05,
        "losers": 0.05,
        "returns": "best",
    },
    "classifier": {
        "weights": None,
        "shape": None,
        "layout": "auto",
        "scale": 1 / 255,
        "mean": [0.0],
        "std": [1.0],
        "output": "auto",
        "output_name": None,
        "labels": [],
        "batch_size": "auto",
        "timeout": 10.0,
        "retries": 3,
    },
}


def without_former(tree: Tree, model: type[BaseModel]) -> Tree:
    """The settings of a file without those of other searches and classifiers at their former defaults."""
    result = dict(tree)
    for group, former in FORMER.items():
        settings = tree.get(group)
        if isinstance(settings, dict) and "name" in settings and group in model.model_fields:
            is_record = former.keys() <= settings.keys()
            if str(settings["name"]).startswith("object ") and not is_record:
                continue  # what `fooling.evolve` was given; its settings are of its own kind
            result[group] = {
                key: value
                for key, value in settings.items()
                if key not in former or settings["name"] in owners(model, group, key) or not (is_record or value == former[key])
            }
    return result
