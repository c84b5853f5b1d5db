"""The structure of the package and of its tests: what benchmarks/structure.py measures, and the rules of the house."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import ROOT

sys.path.append(str(ROOT / "benchmarks"))
structure = pytest.importorskip(
    "structure", reason="grimp is not installed; it comes with the extra [dev]", exc_type=ImportError
)

TESTS = ROOT / "tests"
TREES = structure.trees()
FACES = [name for name in TREES if name.endswith("/__init__.py")]  # the package's own says more
LONGER_FILES: dict[str, int] = {}  # file → its lines, each with the reason
LONGER_FUNCTIONS: dict[str, int] = {}  # file:function → its lines, each with the reason
PRIVATE = re.compile(  # words that a reader of the field would not use
    r"\b(told|wanted|of (its|their) own|stands? in|asked (about|for|of)|(is|are) (asked|shown|said)|gets to)\b",
    re.IGNORECASE,
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Each docstring with its file:line."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{name}:{getattr(node, 'lineno', 1)}", text


@pytest.fixture(scope="module")
def measures() -> dict[str, int]:
    """Every measure of the package."""
    return dict(structure.measures())


@pytest.mark.parametrize("measure", [name for name in structure.BEFORE_AND_LIMIT if not name.startswith("longest")])
def test_a_measure_is_within_its_limit(measures: dict[str, int], measure: str) -> None:
    before, limit = structure.BEFORE_AND_LIMIT[measure]
    assert measures[measure] <= limit
    assert limit < before or measure in structure.GROWN


def test_every_measure_has_a_limit(measures: dict[str, int]) -> None:
    assert list(measures) == list(structure.BEFORE_AND_LIMIT)


def test_there_are_no_import_circles() -> None:
    assert structure.circles() == []  # names them, unlike their number


def test_no_file_is_long() -> None:
    assert {name: n for name, n in structure.file_lengths().items() if n > LONGER_FILES.get(name, 300)} == {}


def test_no_function_is_long() -> None:
    assert {name: n for name, n in structure.function_lengths().items() if n > LONGER_FUNCTIONS.get(name, 60)} == {}


@pytest.mark.parametrize("name", FACES)
def test_a_folder_says_in_one_sentence_what_belongs_there(name: str) -> None:
    text = (ast.get_docstring(TREES[name]) or "").split("\n\n")[0]  # more may follow
    assert re.fullmatch(r"[^\n]+\.", text), text
    assert not re.search(r"\.\s+[A-Z]", text), text


def test_imports_are_absolute_and_real() -> None:
    relative = [
        name for name, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level
    ]
    typing_only = [
        name
        for name in TREES
        if name != "__init__.py"  # the package's own face types its lazy names; nothing imports it
        and "TYPE_CHECKING" in (structure.PACKAGE / name).read_text(encoding="utf-8")
    ]
    assert (relative, typing_only) == ([], [])


def test_no_name_of_a_folder_is_also_its_file() -> None:
    for name in FACES:
        folder = (structure.PACKAGE / name).parent
        files = {path.stem for path in folder.iterdir() if path.suffix == ".py"} | {path.name for path in folder.iterdir()}
        defined = {node.name for node in TREES[name].body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert not files & defined, name


def test_docstrings_are_in_the_words_of_the_field() -> None:
    found = {place: match[0] for place, text in docstrings() if (match := PRIVATE.search(text))}
    assert found == {}


# --- the tests themselves -----------------------------------------------------------------------------------------------


def test_no_test_module_imports_another() -> None:
    modules = {path.stem for path in TESTS.rglob("*.py") if path.stem.startswith(("test_", "conftest"))}
    for path in TESTS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        named |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not named & modules, path.relative_to(TESTS)


def test_folders_of_tests_mirror_the_package() -> None:
    rooms = {path.name for path in structure.PACKAGE.iterdir() if (path / "__init__.py").exists()}
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert folders - {"docs", "robustness"} == rooms


def test_names_of_test_modules_are_unique() -> None:  # pytest imports them by their names alone
    names = [path.stem for path in TESTS.rglob("test_*.py")]
    assert len(names) == len(set(names))


def test_conftest_holds_fixtures_and_hooks_only() -> None:
    for node in ast.parse((TESTS / "conftest.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            is_fixture = any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
            assert is_fixture or node.name.startswith("pytest_"), node.name
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign), ast.unparse(node)


def test_no_file_names_a_folder_of_one_machine() -> None:
    paths = [
        path for folder in ("fooling", "tests", "benchmarks", "examples", "configs") for path in (ROOT / folder).rglob("*")
    ]
    texts = {
        path: path.read_text(encoding="utf-8") for path in paths if path.suffix in (".py", ".yaml", ".json", ".md", ".toml")
    }
    assert [path for path, text in texts.items() if re.search(r"(?<![\w.])/(work|opt|home)/\w", text)] == []


def test_this_module_looks_at_something() -> None:
    assert len(TREES) > 50
    assert len(list(docstrings())) > 500
    assert Path(structure.__file__).parent == ROOT / "benchmarks"
