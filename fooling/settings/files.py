"""Files: how much is read whole; YAML 1.2 with errors of one line, and the trees of settings in it."""

import json
import os
import re
import stat
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from fooling.errors import UserError

Tree = dict[str, Any]

# --- what is read whole -----------------------------------------------------------------------------------------------
CEILINGS = {  # bytes, also of what a compressed file holds; checked before the memory is taken
    "settings": 1 << 18,  # a YAML file
    "JSON": 1 << 26,  # of a record, or of a server's answer
    "table": 1 << 28,  # a CSV file of a record
    "header": 1 << 20,  # of a file of weights
    "names": 1 << 22,  # a file of class names
    "picture": 1 << 28,  # an image file, and its pixels decoded, 4 bytes each
    "arrays": 1 << 31,  # of a compressed .npz file
    "images": 1 << 33,  # of a data set in memory, or of an .npz file that is not compressed
    "model": 1 << 32,  # a file of weights
}
RAISE = "FOOLING_MAX_BYTES"  # the environment variable that raises every ceiling below it
SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
BLOCK = 1 << 20  # bytes read at a time: reading up to a ceiling at once would allocate that much memory


def ceiling(kind: str) -> int:
    """Bytes of one of CEILINGS, or of FOOLING_MAX_BYTES if that is more. Raises UserError if it is no number."""
    text = os.environ.get(RAISE) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UserError(f"{RAISE}={text}: expected a whole number of bytes, such as {CEILINGS['arrays']}")
    return max(CEILINGS[kind], int(text))


def check_size(where: object, kind: str, size: int) -> None:
    """Raises UserError for more bytes than the ceiling; `where` says of what."""
    limit = ceiling(kind)
    if size > limit:
        hint = f"the environment variable {RAISE}={size} raises the limit"
        raise UserError(f"{where}: expected at most {limit:,} bytes ({kind}), got {size:,}; {hint}")


def check_file(path: Path, kind: str | None = None) -> None:
    """Raises UserError for a pipe or device, which may have no end, and for a file above the ceiling; OSError for no file."""
    about = path.stat()
    if stat.S_IFMT(about.st_mode) in SPECIAL:
        raise UserError(f"{path}: expected a file, got {SPECIAL[stat.S_IFMT(about.st_mode)]}; copy its content into a file")
    if kind:
        check_size(path, kind, about.st_size)


def read_whole(path: Path, kind: str) -> bytes:
    """A file's content, at most as much as the ceiling. Raises UserError, and OSError if it cannot be read."""
    check_file(path, kind)
    blocks, size = [], 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):  # the size of some files is known at their end only
            size += len(block)
            check_size(path, kind, size)
            blocks.append(block)
    return b"".join(blocks)


def parse_json(content: bytes | str) -> Any:
    """What a JSON text holds. Raises ValueError for any other text, also for one that is nested too deeply to be read."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("brackets nested too deeply") from error


# --- trees ------------------------------------------------------------------------------------------------------------


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


# --- YAML -------------------------------------------------------------------------------------------------------------
BROKEN = (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # by broken YAML
MAX_DEPTH = 32  # of lists and mappings in one another
NODE_BYTES = 16  # bytes of the ceiling for each key or value


class Loader(yaml.SafeLoader):
    """YAML with the scalars of version 1.2 (1e-3 is a number, 010 is ten, yes is a word), no aliases and no key twice.

    Length, depth and number of nodes have limits, and the time grows in proportion to the length.
    """

    def __init__(self, text: str) -> None:
        check_size("the settings", "settings", len(text))
        super().__init__(text)
        self.depth, self.nodes = 0, 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node that is no alias: settings need none, and one that names itself has no end."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not read here", problem_mark=mark)
        self.depth, self.nodes, most = self.depth + 1, self.nodes + 1, ceiling("settings") // NODE_BYTES
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        if self.nodes > most:
            problem = f"more than {most:,} keys and values; {RAISE} raises the limit"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys differ."""
        seen: set[Hashable] = set()
        for key in (self.construct_object(key, deep=True) for key, _ in node.value):
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a list or mapping as a key", problem_mark=node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is there twice", problem_mark=node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


SCALARS = {
    "bool": (r"true|false|True|False", "tf TF"),
    "null": (r"null|Null|NULL|~|", "nN~\0"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf)|\.(?:nan|NaN)",
        "-+.0123456789",
    ),
}
Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _starts) in SCALARS.items():
    _expression = re.compile(rf"^(?:{_pattern})$")
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _expression, [*_starts.replace("\0", ""), ""])
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))  # type: ignore[arg-type]
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: to_float(loader.construct_scalar(node)))  # type: ignore[arg-type]


class NameLoader(Loader):
    """The same for names, of which 0001 is one: numbers have no zeros before them."""


NameLoader.yaml_implicit_resolvers = {
    start: [(tag, re.compile(f"^(?!0[0-9]){known.pattern[1:]}")) for tag, known in rows]
    for start, rows in Loader.yaml_implicit_resolvers.items()
}


def is_text(scalar: str) -> bool:
    """Whether a scalar without quotes is read as text: 0009 and 1e3 are numbers here, unlike in YAML 1.1."""
    return not any(re.fullmatch(pattern, scalar) for pattern, _ in SCALARS.values())


class Dumper(yaml.SafeDumper):
    """YAML that `Loader` reads back as it was: texts that it would take for numbers are in quotes."""


Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text(text) else "'")
)


def to_float(text: str) -> float:
    """1e-3, .5, .inf, .nan."""
    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))


def read_yaml(source: Path | str) -> Tree:
    """The tree in a YAML file, or in a text. Raises UserError."""
    name = "the settings" if isinstance(source, str) else str(source)
    try:
        text = source if isinstance(source, str) else read_whole(source, "settings").decode()
        tree = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror}); expected a YAML file of settings") from error
    except UserError:
        raise
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


NEAR = 4  # letters a slip; and the shortest beginning of a name that stands for it in suggestions


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known name that a name is probably a slip of, in a list; [] if none is near.

    Near: one letter in four is missing, too many, another or exchanged with the next; or it is the beginning of one.
    """
    near = [(slips(name, other), other) for other in known if abs(len(name) - len(other)) < len(other)]
    near = [(0, o) if o.startswith(name) and len(name) >= NEAR else (n, o) for n, o in near]
    return [other for n, other in sorted(near, key=lambda pair: pair[0])[:1] if n <= max(1, len(name) // NEAR)]


def slips(one: str, other: str) -> int:
    """How many letters are missing, too many, another or exchanged with the next (optimal string alignment distance)."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one):
        row = [i + 1]
        for j, b in enumerate(other):
            row.append(min(row[j] + 1, rows[-1][j + 1] + 1, rows[-1][j] + (a != b)))
            if i and j and (one[i - 1], a) == (b, other[j - 1]):
                row[-1] = min(row[-1], rows[-2][j - 1] + 1)
        rows.append(row)
    return rows[-1][-1]
