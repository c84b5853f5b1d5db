"""From the words of a command to one tree of settings: defaults, choices, files, key=value, in Hydra's grammar."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fooling.errors import ClosedFileError, UserError
from fooling.settings.choices import CLOSED, GROUPS, PRESET, READ, check_choice, choices, command_choice, defaults, kind_of_file
from fooling.settings.fields import user_path
from fooling.settings.files import Tree, flat, merge, put, read_yaml, unflatten, without
from fooling.settings.names import HELP, full_name, leaves, models, owners, read_value, without_former


# --- layers -----------------------------------------------------------------------------------------------------------
def collect(arguments: Sequence[str], model: type[BaseModel], root: str, *, partial: bool = False) -> Tree:
    """The tree that the words of a command stand for, not yet validated against the model.

    Layers, later ones win: the command's defaults, those of the chosen search, engine and classifier, the prior's file, what
    the search's file sets outside of its group, the preset, the user's file, the words. A preset that the words name comes
    after the user's file. A choice discards what lower layers set for another choice of the same group. `partial`: settings
    that the chosen search or classifier does not have are left out instead of refused later.
    """
    known = leaves(model)
    groups = [group for group in GROUPS if f"{group}.name" in known]
    file, words = read_words(arguments, model)
    base = defaults(root)
    layers = with_preset(base, file, words, model)
    if "search" in groups:  # a search may choose prior, engine and classifier where nothing else does
        side = choice_file("search", chosen("search", [base, *layers]), model)
        layers = [without(side, "search"), *layers]
    if "prior" in groups:  # a prior may choose the search
        layers = discard_stale("prior", base, layers)
        layers = [choice_file("prior", chosen("prior", [base, *layers]), model), *layers]
    for group in groups:
        layers = layers if group == "prior" else discard_stale(group, base, layers)
    names = {group: chosen(group, [base, *layers]) for group in groups}
    own = [choice_file(group, names[group], model) for group in groups if group != "prior"]
    added = [rewrite(command_choice(root, name), model, f"{root}/{name}.yaml") for name in names.values()]
    tree: Tree = {}
    for layer in (base, *own, *added, *layers):
        tree = merge(tree, layer)
    for group, name in names.items():
        tree[group] = {**tree[group], "name": name}
    return without_foreign(tree, model, names) if partial else tree


def leaves_open(group: str, choice: str, arguments: Sequence[str], model: type[BaseModel], root: str) -> bool:
    """Whether neither the words of a command, nor its file, preset or prior choose of a group, or set what a choice lacks."""
    layers = with_preset(defaults(root), *read_words(arguments, model), model)
    prior = choice_file("prior", chosen("prior", [defaults(root), *layers]), model)
    names = [name for layer in (prior, *layers) for name in layer.get(group) or {}]
    return all(name != "name" and choice in owners(model, group, name) for name in names)


def with_preset(base: Tree, file: Tree, words: Tree, model: type[BaseModel]) -> list[Tree]:
    """File and words with the preset that one of them, or the command, names."""
    if PRESET not in leaves(model):
        return [file, words]
    preset = {**base, **file, **words}[PRESET]
    if preset is None:
        return [file, words]
    difference = choice_file(PRESET, preset, model)
    return [file, difference, words] if PRESET in words else [difference, file, words]


def discard_stale(group: str, base: Tree, layers: Sequence[Tree]) -> list[Tree]:
    """The layers without what those below the last change of choice set for a group."""
    current, last = chosen(group, [base]), 0
    for i, layer in enumerate(layers):
        name = chosen(group, [layer])
        if name not in (None, current):
            current, last = name, i
    return [*(without(layer, group) for layer in layers[:last]), *layers[last:]]


def chosen(group: str, layers: Sequence[Tree]) -> Any:
    """What the last layer that chooses names, or None."""
    found = None
    for layer in layers:
        value = layer.get(group)
        value = value.get("name") if isinstance(value, dict) else value
        found = value if value is not None else found
    return found


def without_foreign(tree: Tree, model: type[BaseModel], names: Tree) -> Tree:
    """A tree without settings that the chosen classes of its unions do not have."""
    unions = {group for group in names if len(models(model.model_fields[group].annotation)) > 1}
    return {
        group: {key: value for key, value in settings.items() if names[group] in owners(model, group, key)}
        if group in unions
        else settings
        for group, settings in tree.items()
    }


# --- files ------------------------------------------------------------------------------------------------------------
def choice_file(group: str, name: Any, model: type[BaseModel]) -> Tree:
    """What a choice sets, of the settings that the command has."""
    check_choice(group, name)
    known = leaves(model)
    return unflatten(
        (key if key in known else f"{key}.name", value)
        for key, value in flat(defaults(f"{group}/{name}"))
        if key in known or f"{key}.name" in known
    )


def read_file(path: Path, model: type[BaseModel]) -> Tree:
    """A user's file of settings."""
    try:
        tree = read_yaml(path)
    except UserError as error:
        if "classifier.path" not in leaves(model) or path.suffix in (".yaml", ".yml"):
            raise
        raise UserError(f"{error}; a model is given by classifier=KIND classifier.path={shlex.quote(str(path))}") from error
    return without_former(rewrite(tree, model, str(path)), model)


def rewrite(tree: Tree, model: type[BaseModel], where: str) -> Tree:
    """A tree with full names (population → search.population) and choices in full (search: ga → search: {name: ga})."""
    full: Tree = {}
    seen = set()
    tree = {key: [value] if key == "judges" and isinstance(value, dict) else value for key, value in tree.items()}
    for key, value in flat(tree):
        name = full_name(key, model, f"{where}: ")
        if name in seen:
            raise UserError(f"{where}: {name} is set twice; remove one of them")
        check_named(key, name, value, f"{where}: ")
        seen.add(name)
        put(full, name, value)
    return full


def check_named(key: str, name: str, value: Any, where: str = "") -> None:
    """A choice cannot be null."""
    if value is None and name.endswith(".name"):
        group = name.removesuffix(".name")
        raise UserError(f"{where}{key}: expected one of {', '.join(choices(group))}, got null")


# --- words ------------------------------------------------------------------------------------------------------------
def read_words(arguments: Sequence[str], model: type[BaseModel], values: Sequence[str] = ()) -> tuple[Tree, Tree]:
    """What the words of a command say themselves: the tree of an optional YAML file, and that of key=value …

    `values` are words of a positional setting, which are no models either.
    """
    words = list(arguments)
    file: Tree = {}
    for word in (*words, *values):
        refuse_model(word, model)
    if words and is_file(words[0]):
        file = read_file(user_path(words.pop(0)), model)
    return file, words_to_tree(words, model)


def refuse_model(word: str, model: type[BaseModel]) -> None:
    """Raises UserError for a bare word that is the file or URL of a model, with the words that name it."""
    key, equals, _ = word.partition("=")
    if "classifier.path" not in leaves(model) or (equals and "/" not in key and not exists(word)) or is_folder(word):
        return
    path = shlex.quote(word)
    if Path(word).suffix.lower() in CLOSED:
        raise ClosedFileError(f"{word}: expected a file that runs no code ({READ})", word)
    kind = kind_of_file(word)
    if kind:
        raise UserError(f"{word}: a model needs its kind and its setting; expected classifier={kind} classifier.path={path}")


def is_file(word: str) -> bool:
    """Whether a word names a settings file: setting names contain no /, but paths of record folders may contain =."""
    key, equals, _ = word.partition("=")
    there = exists(word)
    return ("/" in key or not equals or there) and (word.endswith((".yaml", ".yml")) or there)


def exists(word: str) -> bool:
    """Whether a word names a file; False for one that is too long for a file name."""
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False


def is_folder(word: str) -> bool:
    """The same for a folder."""
    try:
        return Path(word).is_dir()
    except (OSError, ValueError):
        return False


def words_to_tree(words: Sequence[str], model: type[BaseModel]) -> Tree:
    """key=value … as a tree of full names."""
    tree: Tree = {}
    seen: dict[str, str] = {}
    for position, word in enumerate(words):
        if word.startswith("-"):
            key, _, value = word.lstrip("-").partition("=")
            following = words[position + 1] if position + 1 < len(words) else ""
            value = value or (following if following and "=" not in following else "VALUE")
            raise UserError(f"{word}: expected a setting without dashes, {key or 'digit'}={value}, got {word} ({HELP})")
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UserError(f"{word!r}: expected key=value, such as digit=2 ({HELP})")
        for name, value in read_word(key, text, model):
            if name in seen:
                raise UserError(f"{name} is set twice: {seen[name]} and {word}; remove one of them")
            seen[name] = word
            put(tree, name, value)
    return tree


def read_word(key: str, text: str, model: type[BaseModel]) -> list[tuple[str, Any]]:
    """The settings that a word names: one, or several in braces, such as search={name: ga, generations: 5}."""
    is_group = any(f"{key}." in f"{name.rpartition('.')[0]}." for name in leaves(model))
    if not (is_group and text.startswith("{")):
        name = full_name(key, model)
        return [(name, read_value(text, name, model))]
    found = [(full_name(name, model), value) for name, value in flat(read_yaml(text), f"{key}.")]
    for name, value in found:
        check_named(key, name, value)
    return found
