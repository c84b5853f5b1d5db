"""Measures of the package's structure beside those before its rebuild and the limits that tests/test_structure.py asserts.

python benchmarks/structure.py
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fooling"
ORCHESTRATION = ("run.py", *(f"commands/{name}.py" for name in ("__init__", "experiment", "jobs", "console")))
Function = ast.FunctionDef | ast.AsyncFunctionDef
PLACES = {  # as CONTRIBUTING.md says; tests add a toy with exactly these
    "places to touch for a search": ("its file", "its settings in settings/searches.py", "configs/search/", "SEARCHES"),
    "places to touch for an experiment": ("its file", "its settings in settings/commands.py", "COMMANDS"),
}
BEFORE_AND_LIMIT = {
    "files": (162, 290),  # 125 when the house was rebuilt; what it can do since then, pages and audits among it, has its files
    "top-level entries": (58, 15),
    "import layers": (23, 13),
    "import circles": (8, 0),
    "function-local imports": (278, 50),
    "longest file": (336, 300),
    "longest function": (63, 60),
    "lines that orchestrate commands": (1933, 1200),
    "places to touch for a search": (8, 4),
    "places to touch for an experiment": (7, 3),
}
GROWN = {"files"}  # may be more than before: the program does more


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each file of the package, by its path within it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def functions(tree: ast.Module) -> Iterator[Function]:
    """All functions and methods, inner ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def file_lengths() -> dict[str, int]:
    """Lines of each file."""
    return {name: len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in trees()}


def function_lengths() -> dict[str, int]:
    """Lines of each function, without its decorators, by file:name."""
    named = (
        (f"{name}:{f.name}", (f.end_lineno or f.lineno) - f.lineno + 1)
        for name, tree in trees().items()
        for f in functions(tree)
    )
    lengths: dict[str, int] = {}
    for name, length in named:
        lengths[name] = max(length, lengths.get(name, 0))  # methods of several classes may share a name
    return lengths


def local_imports() -> list[str]:
    """file:line of each import below a function's head."""
    places = {
        f"{name}:{node.lineno}"
        for name, tree in trees().items()
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return sorted(places)


def layers() -> list[str]:
    """The layers of the import contract."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    found: list[str] = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return found


def circles() -> list[list[str]]:
    """Groups of modules that import one another, directly or not; imports below TYPE_CHECKING count."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph("fooling", exclude_type_checking_imports=False, cache_dir=None)
    groups = {
        frozenset({module} | (graph.find_upstream_modules(module) & graph.find_downstream_modules(module)))
        for module in graph.modules
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def measures() -> dict[str, int]:
    """Every measure by its name."""
    lengths = file_lengths()
    return {
        "files": len(lengths),
        "top-level entries": sum(path.name != "__pycache__" for path in PACKAGE.iterdir()),
        "import layers": len(layers()),
        "import circles": len(circles()),
        "function-local imports": len(local_imports()),
        "longest file": max(lengths.values()),
        "longest function": max(function_lengths().values()),
        "lines that orchestrate commands": sum(lengths[name] for name in ORCHESTRATION),
        **{name: len(places) for name, places in PLACES.items()},
    }


if __name__ == "__main__":
    print(f"{'measure':36}{'before':>8}{'now':>8}{'limit':>8}")
    for name, value in measures().items():
        before, limit = BEFORE_AND_LIMIT[name]
        print(f"{name:36}{before:>8}{value:>8}{limit:>8}{'' if value <= limit else '  over'}")
