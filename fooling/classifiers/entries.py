"""Lists of classifiers in settings (`judges=`, `classifier.members=`): what an entry is, and how it is opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fooling.classifiers import BUNDLED, load_classifier, load_network, open_classifier, open_given, words_for
from fooling.classifiers.adapters import FILES, kind_of_path
from fooling.classifiers.base import Classifier, ShapeHint
from fooling.classifiers.serialization import conversion
from fooling.errors import UserError, printable
from fooling.settings import load
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings

Entry = str | dict[str, Any]  # a name, a file or a URL; the settings of a classifier, and title=


def entry_name(entry: Entry) -> str:
    """What tables and records call a classifier: its title, or its file, or its name."""
    return printable(entry if isinstance(entry, str) else entry.get("title") or entry.get("path") or entry.get("name"))


def entry_settings(entry: Entry) -> dict[str, Any]:
    """The settings that an entry stands for, without its title: of a name, a file or a URL its kind and its path."""
    if isinstance(entry, dict):
        return {key: value for key, value in entry.items() if key != "title"}
    if entry in BUNDLED:
        return {"name": entry}
    return {"name": kind_of_path(entry) or "mlp", "path": entry}  # mlp reads every file of `fooling train`


def open_entry(entry: Entry, hint: ShapeHint, setting: str, objects: Mapping[str, Any] | None = None) -> Classifier:
    """A classifier by name, file, URL or settings, or an object; `hint` describes the images that it is for.

    `setting` is the list that holds the entry: messages begin with it. Raises UserError.
    """
    name, given = entry_name(entry), objects or {}
    if isinstance(entry, str) and entry in BUNDLED:
        return load_classifier(entry)
    if isinstance(entry, str) and Path(entry).suffix == ".safetensors":
        try:
            return load_network(user_path(entry))
        except UserError as error:
            raise UserError(str(error).replace("classifier.path=", f"{setting}: ")) from error
    if isinstance(entry, str) and not kind_of_path(entry):
        known = f"one of {', '.join(BUNDLED)} or a .safetensors file of `fooling train`"
        others = f"a file of {', '.join(FILES)}, a URL, or settings such as {{name: onnx, path: FILE.onnx}}"
        raise UserError(f"{setting}: expected {known}, {others}; got {entry}{conversion(user_path(entry))}")
    try:
        if name in given:
            words = words_for(given[name])
            return open_given(given[name], load(words, RunSettings, "run").classifier, hint)
        chosen = load(words_for(entry_settings(entry)), RunSettings, "run").classifier
        if chosen.name == "http" and "@" in urlsplit(chosen.path or "").netloc:
            raise UserError("expected a URL without user name and password, which records would show")
        return open_classifier(chosen, hint)
    except UserError as error:
        raise UserError(f"{setting}: {name}: {error}") from error
