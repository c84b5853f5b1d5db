"""Code of users: a module:function that a setting names, where it is, and its fingerprint."""

import hashlib
import logging
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from fooling.errors import UserError, printable
from fooling.settings.fields import foreign_code, user_path


def call_named(setting: str, name: str, what: str, *arguments: Any) -> Any:
    """Calls the function that module:function names; modules are also searched in the working directory.

    This is the only way in which a setting runs code. `what` describes the function that the setting needs; it is part of
    the UserError that is raised for whatever goes wrong.
    """
    module, _, function = name.rpartition(":")
    hint = f"{setting}={name}: expected module:function, {what}; "
    if not module or not function:
        given = name.strip(":")
        advice = f"give the function too, such as {given}:make" if given else "give both"
        raise UserError(f"{hint}{advice}")
    logging.getLogger("fooling").warning("runs code: %s%s", printable(name), place_of(module))
    with foreign_code(hint):
        return getattr(import_code(module), function)(*arguments)


def import_code(name: str) -> ModuleType:
    """A module by its name, searched in the working directory too, or by the path of its file: my_net, my_net.py, a/b.py."""
    if not name.endswith(".py"):
        search_folder(Path.cwd())
        return import_module(name)
    path = user_path(name).resolve()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for its neighbours; at the end, as torch.py must not hide torch
    known = sys.modules.get(path.stem)
    if known and Path(getattr(known, "__file__", None) or "").resolve() == path:
        return known
    unique = path.stem if not known else f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = spec_from_file_location(unique, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    module = module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def search_folder(folder: Path) -> None:
    """Searches modules in a folder too, first; it stays so: a function may import when it is called."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def place_of(module: str) -> str:
    """Where a module, or the package that it is in, will be imported from; '' if it is not found. Nothing is imported."""
    if module.endswith(".py"):
        return f" from {printable(user_path(module).resolve().parent)}"
    search_folder(Path.cwd())
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):
        return ""
    places = [found.origin, *(found.submodule_search_locations or ())] if found else []
    return next((f" from {printable(place)}" for place in places if place), "")


def fingerprint(name: str) -> str:
    """SHA-256 of the source file of module:function's module; of the name if there is no file."""
    file = getattr(import_code(name.rpartition(":")[0]), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes() if file else name.encode()).hexdigest()
