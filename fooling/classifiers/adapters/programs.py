"""Programs of torch in files, checked before torch reads them: TorchScript, and what `torch.export.save` writes.

A file of TorchScript holds a program in a small language, and torch's own reader for it in C++ builds tensors, numbers and
objects of that program from its pickles; it imports nothing. Two operators of the language write or map files: refused.

`torch.export.load` unpickles some parts of a file, evaluates expressions of sizes, and looks names up among torch's attributes.
So a file is written anew in memory for it: graph and raw tensors, without examples, guards and notes on where nodes come from;
only operators of torch on tensors, and expressions of sizes that are plain arithmetic, are let through.
"""

import ast
import io
import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fooling.classifiers.adapters.files import objects
from fooling.data.npz import archive_of, check_total
from fooling.errors import UserError, printable
from fooling.settings.fields import described
from fooling.settings.files import parse_json

OF_FILES = re.compile(rb"\b(?:save|from_file(?:_out)?|load_tensor)\b")  # operators that open files
OPERATORS = re.compile(  # of torch on tensors, and arithmetic of sizes
    r"torch\.ops\.(?:aten|prims)\.(?!from_file|save|load)(?:_?[a-zA-Z]\w*|__(?:and|or|xor|lshift|rshift)__)(?:\.[a-zA-Z]\w*)?"
    r"|_operator\.(?:getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge)|math\.[a-z]\w*|torch\.sym_\w+"
)
NAMES = frozenset(("Symbol", "Max", "Min", "Mod", "FloorDiv", "CleanDiv", "CeilDiv", "Integer", "PythonMod", "True", "False"))
SIZES = re.compile(r"[su]\d+")  # symbols of sizes
ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Constant, ast.Load, ast.keyword)
GRAPH, WEIGHTS, CONSTANTS = "models/model.json", "data/weights/", "data/constants/"
EXAMPLES = "data/sample_inputs/model.pt"
TENSOR = re.compile(r"(?:weight|tensor)_\d+")  # the file of a tensor as it is
PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version", "version", ".data/serialization_id")
AGAIN = "save it with torch.export.save of torch 2.9 or later"


class Program(NamedTuple):
    """A program as torch opened it."""

    module: Any
    kind: str
    dims: tuple[int | None, ...] | None  # of its input without the batch
    batch: int | None


def open_program(path: Path, where: str) -> Program | None:
    """The program in a file; None for a file that holds none. Raises UserError for one that is damaged or refused."""
    if not zipfile.is_zipfile(path):
        return None
    with archive_of(path) as archive:
        check_total(path, archive, "model")
        names = archive.namelist()
        folder = names[0].partition("/")[0] + "/" if names else ""
        is_script = any(name.startswith(f"{folder}code/") for name in names)
        is_export = f"{folder}archive_format" in names and f"{folder}{GRAPH}" in names
        if not is_script and not is_export:
            older = any(name.endswith("serialized_exported_program.json") for name in names)
            if older:
                raise UserError(f"{where}: a file of an older torch.export; {AGAIN}")
            return None
        kind = "TorchScript" if is_script else "torch.export"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch.jit is deprecated, its files are not
                return script(archive, where) if is_script else exported(archive, folder, where)
        except UserError:
            raise
        except Exception as error:
            reason = f"torch {torch.__version__} cannot read it ({described(error)})"
            raise UserError(f"{where}: expected a file of {kind}, {reason}") from error


def script(archive: zipfile.ZipFile, where: str) -> Program:
    """A module of TorchScript, from a copy of the file. Raises UserError for one whose program opens files."""
    names = archive.namelist()
    if len({name.casefold() for name in names}) != len(names):  # torch ignores case, and takes the first of two members
        raise UserError(f"{where}: expected members with different names, got two of one name; save it again with torch")
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as new:  # torch reads what is checked here: other readers may find other members
        for name in names:
            content, lower = archive.read(name), name.lower()
            found = OF_FILES.search(content) if "/code/" in lower and lower.endswith(".py") else None
            if found:
                operator = found[0].decode()
                raise UserError(f"{where}: its program names an operator that opens files ({operator}), and is not run")
            new.writestr(name, content)
    copy.seek(0)
    reader: Any = torch.jit  # without types
    return Program(reader.load(copy, map_location="cpu").eval(), "TorchScript", None, None)


def exported(archive: zipfile.ZipFile, folder: str, where: str) -> Program:
    """A program of torch.export, from a copy of the file without all that torch would unpickle or evaluate."""
    graph = parse_json(archive.read(folder + GRAPH))
    check_graph(graph, where)
    sizes = input_sizes(graph, where)
    batch, *dims = (size.get("as_int") for size in sizes)  # None: a symbol
    example = [size["as_int"] if "as_int" in size else size["as_expr"]["hint"]["as_int"] for size in sizes]
    examples, copy = io.BytesIO(), io.BytesIO()
    torch.save(((torch.zeros(example),), {}), examples)
    with zipfile.ZipFile(copy, "w") as new:
        for member in archive.infolist():
            name = member.filename.removeprefix(folder)
            if name == GRAPH:
                content = json.dumps(graph).encode()
            elif name == EXAMPLES:
                content = examples.getvalue()
            elif name in PLAIN or name.startswith((WEIGHTS, CONSTANTS)):
                content = archive.read(member)
                check_tensors(name, content, where)
            elif name.startswith("extra/"):
                continue
            else:
                raise UserError(f"{where}: holds {printable(name, 80)}, expected a graph and tensors alone; {AGAIN}")
            new.writestr(folder + name, content)
    copy.seek(0)
    program = torch.export.load(copy)
    return Program(program.module(), "torch.export", tuple(dims), batch)


def input_sizes(graph: Any, where: str) -> list[dict[str, Any]]:
    """The sizes of the only input: {"as_int": 28}, or an expression. Raises UserError for several inputs, or none."""
    module = graph["graph_module"]
    given = [one["user_input"]["arg"] for one in module["signature"]["input_specs"] if "user_input" in one]
    if len(given) != 1 or "as_tensor" not in given[0]:
        raise UserError(f"{where}: expected a program with one input, got {len(given)}; export it with images alone")
    sizes: list[dict[str, Any]] = module["graph"]["tensor_values"][given[0]["as_tensor"]["name"]]["sizes"]
    return sizes


def check_tensors(name: str, content: bytes, where: str) -> None:
    """Raises UserError for tensors, or constants, that torch would unpickle."""
    if name.endswith("_config.json"):
        entries = parse_json(content).get("config", {}).values()
        odd = any(one.get("use_pickle") or not TENSOR.fullmatch(str(one.get("path_name"))) for one in entries)
    else:
        odd = not name.startswith(PLAIN) and not TENSOR.fullmatch(name.rpartition("/")[2])
    if odd:
        raise UserError(f"{where}: holds parts that torch would unpickle ({printable(name, 80)}); export it without them")


# --- the graph ----------------------------------------------------------------------------------------------------------
def check_graph(graph: Any, where: str) -> None:
    """Takes guards, and notes on where nodes come from, out of a graph. Raises UserError for other code than of tensors."""
    if "guards_code" in graph:
        graph["guards_code"] = []
    for one in objects(graph):
        is_node = "target" in one and "inputs" in one
        if is_node:
            one["metadata"] = {}
        if is_node or "as_operator" in one:
            called = one["target" if is_node else "as_operator"]
            if not isinstance(called, str) or not OPERATORS.fullmatch(called):
                raise UserError(f"{where}: calls {printable(called, 80)}, expected operators of torch on tensors alone")
        if "expr_str" in one and not is_arithmetic(str(one["expr_str"])):
            raise UserError(f"{where}: expected sizes as arithmetic of symbols, got {printable(one['expr_str'], 80)}")
        if "as_custom_obj" in one:
            raise UserError(f"{where}: holds objects of custom classes, expected tensors alone")
    if "__enum__" in json.dumps(graph):
        raise UserError(f"{where}: names classes of Python, expected tensors alone")


def is_arithmetic(text: str) -> bool:
    """Whether an expression is numbers, symbols of sizes, and functions of NAMES alone."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id not in NAMES and not SIZES.fullmatch(node.id):
                return False
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in NAMES:
                return False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not SIZES.fullmatch(node.value):
                return False
        elif not isinstance(node, ARITHMETIC):
            return False
    return True
