"""Files of settings and the trees they hold: YAML 1.2 with errors of one line, the folder `configs/`, nested dictionaries."""

import re
from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fooling.errors import UserError

Tree = dict[str, Any]


def flat(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its full name: ("search.population", 100)."""
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


def unflatten(leaves: Iterator[tuple[str, Any]]) -> Tree:
    """The tree of such leaves."""
    tree: Tree = {}
    for name, value in leaves:
        put(tree, name, value)
    return tree


def merge(low: Tree, high: Tree) -> Tree:
    """Both trees; the higher one wins."""
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def without(tree: Tree, group: str) -> Tree:
    """A tree without a group."""
    return {key: value for key, value in tree.items() if key != group}


BROKEN = (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError)  # what broken YAML may raise


class Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2 (1e-3 is a number, 010 is ten, yes is a word), no aliases and no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node that is no alias: settings need none, and one that names itself has no end."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not read here", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys differ."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


SCALARS = {
    "bool": (r"true|false|True|False", "tf TF"),
    "null": (r"null|Null|NULL|~|", "nN~\0"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf)|\.(?:nan|NaN)",
        "-+.0123456789",
    ),
}
Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _starts) in SCALARS.items():
    _expression = re.compile(rf"^(?:{_pattern})$")
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _expression, [*_starts.replace("\0", ""), ""])
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))  # type: ignore[arg-type]
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: to_float(loader.construct_scalar(node)))  # type: ignore[arg-type]


def to_float(text: str) -> float:
    """1e-3, .5, .inf, .nan."""
    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))


def read_yaml(source: Path | str) -> Tree:
    """The tree in a YAML file, or in a text. Raises UserError."""
    name = "the settings" if isinstance(source, str) else str(source)
    if isinstance(source, Path) and source.exists() and not source.is_file() and not source.is_dir():
        raise UserError(f"{name}: expected a file")
    try:
        text = source if isinstance(source, str) else source.read_text(encoding="utf-8")
        tree = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}); expected a YAML file of settings") from error
    except BROKEN as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or ("not text in UTF-8" if isinstance(error, UnicodeError) else "not YAML")
        raise UserError(f"{name}{where}: malformed YAML ({what})") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise UserError(f"{name}: expected settings, a line each, such as digit: 2; got {type(tree).__name__}")
    return tree


def format_value(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value)
    return text if text.isprintable() else repr(text)


GROUPS = ("search", "engine", "classifier", "prior")  # folders of configs/ whose files choose a part of the job
PRESET = "preset"  # a folder whose files set any part of it


@cache
def configs_folder() -> Path:
    """Where configs/ is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "run.yaml").is_file():
            return folder
    raise UserError(f"{package / 'configs'}: expected the files of defaults, got none; install fooling again")


def choices(group: str) -> list[str]:
    """The names of a group's files."""
    return sorted(path.stem for path in (configs_folder() / group).glob("*.yaml"))


def summary(group: str, name: str) -> str:
    """What a choice is: the first comment of its file."""
    first = (configs_folder() / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    return first.lstrip("# ")


@cache
def defaults(name: str) -> Tree:
    """What configs/{name}.yaml sets, over the file that it `extends`, or `only` over some of that file's keys.

    Each file is read once; nobody changes the tree.
    """
    tree = read_yaml(configs_folder() / f"{name}.yaml")
    extended, only = tree.pop("extends", None), tree.pop("only", None)
    below = defaults(extended) if extended else {}
    return merge({key: value for key, value in below.items() if only is None or key in only}, tree)


def command_choice(root: str, name: Any) -> Tree:
    """What a command adds to a choice: configs/train/mnist_cnn.yaml; {} if there is no file."""
    return defaults(f"{root}/{name}") if (configs_folder() / root / f"{name}.yaml").is_file() else {}


def check_choice(group: str, name: Any) -> None:
    """Raises UserError for a choice that has no file, with the nearest that has."""
    known = choices(group)
    if name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{group}: expected one of {', '.join(known)}, got {format_value(name)}{hint}")
