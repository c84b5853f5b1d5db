"""Trees of settings: nested dictionaries such as {"search": {"population": 100}}."""

from collections.abc import Iterator
from typing import Any

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
