"""From the words of a command to one tree of settings: files, groups, short names. A small loader in Hydra's grammar."""

import types
import typing
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from fooling.errors import UserError
from fooling.settings.fields import user_path
from fooling.settings.files import BROKEN, Loader, Tree, read_yaml

GROUPS = (
    "search",
    "engine",
    "classifier",
    "prior",
)  # folders of configs/, in the order in which their files are applied
PRESET = "preset"
HELP = "--help lists all settings"


def configs_folder() -> Path:
    """Where configs/ lies: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parent.parent
    for folder in (here / "configs", here.parent / "configs"):
        if (folder / "run.yaml").is_file():
            return folder
    raise UserError(f"{here / 'configs'}: the files of defaults are missing; install fooling anew")


def choices(group: str) -> list[str]:
    """The names of a group's files."""
    return sorted(path.stem for path in (configs_folder() / group).glob("*.yaml"))


# --- layers -----------------------------------------------------------------------------------------------------------
def collect(arguments: Sequence[str], model: type[BaseModel], root: str) -> Tree:
    """The tree that the words of a command stand for, not yet validated against the model."""
    file, given = read_words(arguments, model)
    base = defaults(root)
    layers = [file, given]
    preset = given[PRESET] if PRESET in given else file.get(PRESET, base.get(PRESET))
    if preset is not None and PRESET in leaves(model):
        difference = group_file(PRESET, preset, model)
        layers = [file, difference, given] if PRESET in given else [difference, file, given]
    if "search.name" in leaves(model):  # a search may choose a prior, a classifier, an engine, where nothing else does
        layers = [without(group_file("search", chosen("search", [base, *layers]), model), "search"), *layers]
    names = {}
    for group in reversed(GROUPS):  # the prior first: its file may choose a search
        if f"{group}.name" not in leaves(model):
            continue
        names[group] = chosen(group, [base, *layers])
        top = max((i for i, layer in enumerate(layers) if chosen(group, [layer]) is not None), default=0)
        if chosen(group, [base, *layers[:top]]) != names[group]:  # chosen anew: what refined another choice is forgotten
            layers[:top] = [without(layer, group) for layer in layers[:top]]
        difference = group_file(group, names[group], model)
        if group == "prior":
            layers = [difference, *layers]
        else:
            base = merge(base, difference)
    for name in names.values():  # what a command has of its own for a choice: configs/train/mnist_cnn.yaml
        own = configs_folder() / root / f"{name}.yaml"
        base = merge(base, read_file(own, model)) if own.is_file() else base
    for layer in layers:
        base = merge(base, layer)
    for group, name in names.items():
        base[group]["name"] = name
    return base


def read_words(arguments: Sequence[str], model: type[BaseModel]) -> tuple[Tree, Tree]:
    """What the words of a command say themselves: the tree of an optional YAML file, and that of key=value …"""
    words = list(arguments)
    file: Tree = {}
    if words and is_file(words[0]):
        file = read_file(user_path(words.pop(0)), model)
    return file, words_to_tree(words, model)


def defaults(root: str) -> Tree:
    """Every default of a command: its file's, over those of the command that it extends, or `only` over some of them."""
    tree = read_yaml(configs_folder() / f"{root}.yaml")
    extended, only = tree.pop("extends", None), tree.pop("only", None)
    below = defaults(extended) if extended else {}
    return merge({key: value for key, value in below.items() if only is None or key in only}, tree)


def is_file(word: str) -> bool:
    """Whether a word names a settings file: no setting has a / in its name, but record folders have a = in theirs."""
    key, equals, _ = word.partition("=")
    there = exists(word)
    return ("/" in key or not equals or there) and (word.endswith((".yaml", ".yml")) or there)


def exists(word: str) -> bool:
    """Whether a word names a file; one too long for a file's name does not."""
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False


def read_file(path: Path, model: type[BaseModel]) -> Tree:
    """A user's file of settings, its names checked and a chosen group (search: ga) written out."""
    tree = read_yaml(path)
    checked: Tree = {}
    seen = set()
    for key, value in flat(tree):
        name = full_name(key, model, f"{path}: ")
        if name in seen:
            raise UserError(f"{path}: {name} is set twice; leave one out")
        if value is None and name.endswith(".name"):
            raise UserError(f"{path}: {key}: expected one of {', '.join(choices(name.removesuffix('.name')))}, got null")
        seen.add(name)
        put(checked, name, value)
    return checked


def group_file(group: str, name: Any, model: type[BaseModel]) -> Tree:
    """The differences that a choice stands for."""
    known = choices(group)
    if name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"{group}={name}: {hint}expected one of {', '.join(known)}")
    return read_file(configs_folder() / group / f"{name}.yaml", model)


def chosen(group: str, layers: Sequence[Tree]) -> Any:
    """What the last layer that chooses says, or None."""
    found = None
    for layer in layers:
        value = layer.get(group)
        value = value.get("name") if isinstance(value, dict) else value
        found = value if value is not None else found
    return found


def without(layer: Tree, group: str) -> Tree:
    """A layer that says nothing of a group."""
    return {key: value for key, value in layer.items() if key != group}


def merge(low: Tree, high: Tree) -> Tree:
    """Both trees, the higher one where they differ."""
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def flat(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a tree with its full name."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value


def put(tree: Tree, name: str, value: Any) -> None:
    """Sets a leaf by its full name."""
    *groups, last = name.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
    tree[last] = value


# --- names and values -------------------------------------------------------------------------------------------------
def leaves(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every setting of a model by its full name, with pydantic's description of it."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found.update(leaves(field.annotation, f"{prefix}{name}."))
        else:
            found[prefix + name] = field
    return found


def words_to_tree(words: Sequence[str], model: type[BaseModel]) -> Tree:
    """key=value … as a tree of full names."""
    tree: Tree = {}
    seen: dict[str, str] = {}
    for position, word in enumerate(words):
        if word.startswith("-"):
            key, _, value = word.lstrip("-").partition("=")
            following = words[position + 1] if position + 1 < len(words) else ""
            value = value or (following if following and "=" not in following else "VALUE")
            raise UserError(f"{word}: settings are written without dashes: {key or 'digit'}={value} ({HELP})")
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UserError(f"{word!r}: expected key=value, such as digit=2 ({HELP})")
        for name, value in read_word(key, text, model):
            if name in seen:
                raise UserError(f"{name} is set twice: {seen[name]} and {word}; leave one out")
            seen[name] = word
            put(tree, name, value)
    return tree


def read_word(key: str, text: str, model: type[BaseModel]) -> list[tuple[str, Any]]:
    """The settings that a word names: one, or several in braces, such as search={name: ga, generations: 5}."""
    section = any(f"{key}." in f"{name.rpartition('.')[0]}." for name in leaves(model))
    if section and text.startswith("{"):
        found = [(full_name(name, model), value) for name, value in flat(read_yaml(text), f"{key}.")]
        if any(value is None and name.endswith(".name") for name, value in found):
            raise UserError(f"{key}={text}: expected the name of a choice, got null")
        return found
    name = full_name(key, model)
    return [(name, read_value(text, name, model))]


def full_name(key: str, model: type[BaseModel], where: str = "") -> str:
    """The full name of a setting: itself, a group (search=ga), or the only one that ends in .key. Raises UserError."""
    known = leaves(model)
    if key in known:
        return key
    if f"{key}.name" in known:
        return f"{key}.name"
    ends = [name for name in known if name.endswith("." + key) and key != "name"]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{where}{key!r} may mean {' or '.join(ends)}: write the longer name")
    groups = [name.removesuffix(".name") for name in known if name.endswith(".name")]
    short = {name.rsplit(".", 1)[-1]: name for name in reversed(known) if not name.endswith(".name")}
    near = get_close_matches(key, [*known, *short, *groups], 1, 0.5)
    hint = f"did you mean {short.get(near[0], near[0])}? " if near else ""
    raise UserError(f"{where}unknown setting {key!r}: {hint}({HELP})")


def read_value(text: str, name: str, model: type[BaseModel]) -> Any:
    """A value by its setting's type: text as it stands, lists by commas, else a YAML scalar or list."""
    if text == "":
        raise UserError(f"{name}=: expected a value after the = ({HELP})")
    path = accepts(name, model, str) and name != PRESET  # a file may be called none
    if accepts(name, model, type(None)) and (text == "null" or (text == "none" and not path)):
        return None
    if accepts(name, model, str):
        return text
    try:
        value = yaml.load(f"[{text}]" if "," in text and text[0] not in "[{" else text, Loader)  # noqa: S506 (a SafeLoader)
    except BROKEN:
        value = text
    return value


def accepts(name: str, model: type[BaseModel], kind: type) -> bool:
    """Whether a setting's type is, or may be, this one."""
    return kind in members(leaves(model)[name].annotation)


def members(annotation: Any) -> list[Any]:
    """The types that an annotation is a union of."""
    if typing.get_origin(annotation) is typing.Annotated:
        return members(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(annotation) for member in members(part)]
    return [annotation]


def as_words(name: str, value: Any) -> list[str]:
    """A setting as words of the command: {"weights": {"target": 1}} → weights.target=1."""
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in as_words(f"{name}.{key}", inner)]
    if isinstance(value, list | tuple | range):
        return [f"{name}=[{','.join(map(str, value))}]"]
    return [f"{name}={'null' if value is None else str(value).lower() if isinstance(value, bool) else value}"]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"search": {"population": 100}} → {"search.population": 100}."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves.update(flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return leaves
