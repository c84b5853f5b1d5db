"""Names of classes: those of `classifier.labels`, listed or in a file, and the class that a name or an index means."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from fooling.data.matching import without_none
from fooling.errors import UserError, printable
from fooling.settings.fields import user_path
from fooling.settings.files import parse_json, read_whole

FORMS = "[a,b,…] or one file: a name a line, a JSON list, or a JSON object of index: name"
KEY = "id2label"  # of a model's config.json, which holds such an object among others


# --- names --------------------------------------------------------------------------------------------------------------
def read_labels(entries: Sequence[str]) -> tuple[str, ...]:
    """The class names of classifier.labels: the entries, or of a single one the names in the file that it is.

    A classifier has two classes or more, so a single entry is no list of names. Raises UserError.
    """
    if len(entries) != 1:
        return distinct(entries)
    path = user_path(entries[0])
    where = f"classifier.labels={path}"
    try:
        text = read_whole(path, "names").decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}); expected {FORMS}") from error
    except UnicodeError as error:
        raise UserError(f"{where}: expected text in UTF-8, got other bytes; save the file as UTF-8") from error
    if path.suffix.lower() == ".json" or text.lstrip()[:1] == "{":
        names = names_in_json(text, where)
    else:
        names = [line.strip() for line in text.rstrip().split("\n")]
    empty = [place for place, name in enumerate(names) if not name.strip()]
    if empty:
        raise UserError(f"{where}: expected a name for each class, got none for class {empty[0]} of {len(names)}")
    return distinct(names)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names for tables and pictures, those of several classes with their index: missile (657), missile (744)."""
    shown = list(map(printable, names))
    counts = Counter(shown)
    return tuple(f"{name} ({k})" if counts[name] > 1 else name for k, name in enumerate(shown))


def names_in_json(text: str, where: str) -> list[str]:
    """The names in a JSON list, or in an object of index: name; a name may also be the last entry of a list [id, name]."""
    try:
        content = parse_json(text)
    except ValueError as error:
        raise UserError(f"{where}: expected {FORMS}; got broken JSON ({error})") from error
    if isinstance(content, dict):
        content = in_order(content.get(KEY, content), where)
    if not isinstance(content, list):
        raise UserError(f"{where}: expected {FORMS}; got {type(content).__name__}")
    names = [entry[-1] if isinstance(entry, list) and entry else entry for entry in content]
    for place, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise UserError(f"{where}: expected a text for class {place}, got {printable(content[place])}")
    return list(map(str, names))


def in_order(content: Any, where: str) -> list[Any]:
    """The values of a JSON object whose keys are the indices 0 … K − 1."""
    keys = content if isinstance(content, dict) else {}
    numbers = {int(key): value for key, value in keys.items() if key.isascii() and key.isdigit() and len(key) < 10}
    missing = next((k for k in range(len(keys)) if k not in numbers), None)
    if missing is not None or not numbers:
        got = f"no key {missing}" if numbers else "other keys"
        raise UserError(f"{where}: expected the keys 0 … {max(len(keys) - 1, 1)} of an object of index: name, got {got}")
    return [numbers[k] for k in range(len(numbers))]


def rename(network: Any, entries: Sequence[str]) -> Any:
    """A built-in network with the class names of classifier.labels. Raises UserError for another number of them."""
    if not entries:
        return network
    names = read_labels(entries)
    if len(names) != network.num_classes:
        raise UserError(f"classifier.labels: expected {network.num_classes} names, as many as classes, got {len(names)}")
    return replace(network, labels=names)


# --- classes ------------------------------------------------------------------------------------------------------------
def class_index(name: int | str, labels: Sequence[str]) -> int:
    """The class of a target: an index as it is, a name by the labels, in any case of letters where no label is equal.

    Raises UserError for a name that no class or several classes have.
    """
    if isinstance(name, int):
        return name
    lower = [label.casefold() for label in labels]
    found = [k for k, label in enumerate(labels) if label in (name, f"{name} ({k})") or name == f"{label} ({k})"]
    found = found or [k for k, low in enumerate(lower) if low == name.casefold()]
    if len(found) > 1:
        several = " or ".join(f"digit={k}" for k in found[:5])
        raise UserError(f"digit={name}: {len(found)} classes have this name; give an index: {several}")
    if found:
        return found[0]
    if name.isascii() and name.isdigit():  # no label: 02 is the index 2
        return int(name)
    near = get_close_matches(name.casefold(), lower, 1) or [low for low in lower if name.casefold() in low][:1]
    if near:
        k = lower.index(near[0])
        quotes = " A name with a comma needs quotes within the quotes of the shell" if "," in labels[k] else ""
        raise UserError(f"digit={name}: no class has this name; did you mean {labels[k]} (digit={k})?{quotes}")
    some = ", ".join(labels[:10]) + (", …" if len(labels) > 10 else "")
    raise UserError(f"digit={name}: expected an index from 0 to {len(labels) - 1}, or one of the names {some}")


def class_indices(digit: int | str | tuple[int | str, ...], labels: Sequence[str]) -> list[int]:
    """The classes that a setting of one, several or `all` classes means; a class "none" only by its name or index.

    Raises UserError for one that is named twice.
    """
    if digit == "all":
        return list(range(len(without_none(labels))))
    names = digit if isinstance(digit, tuple) else (digit,)
    found = [class_index(name, labels) for name in names]
    for place, k in enumerate(found):
        if k in found[:place]:
            raise UserError(f"digit={names[place]}: expected different classes, got class {k} twice")
    return found


def refuse_two_meanings(digit: Any, labels: Sequence[str], words: Sequence[str] = ("digit",)) -> None:
    """Raises UserError for a target that is an index and the label of another class, where the words give it.

    A record holds indices.
    """
    if not any(word.partition("=")[0] in ("digit", "target") for word in words):
        return
    places = {label: k for k, label in enumerate(labels) if isinstance(label, str)}  # others are refused by the checks
    for name in digit if isinstance(digit, tuple) else (digit,):
        other = places.get(str(name)) if isinstance(name, int) else None
        if other is None or other == name:
            continue
        label = f'"digit={name} ({other})" is the class with this label'
        index = f', "digit={labels[name]} ({name})" that with this index' if name < len(labels) else ""
        raise UserError(f"digit={name}: expected a clear index or label, got the label of class {other}; {label}{index}")


def with_indices(settings: Any, classifier: Any) -> Any:
    """Settings of a run whose target classes are indices instead of names; the checks refuse a classifier without labels."""
    digit, labels = settings.digit, getattr(classifier, "labels", ())
    if isinstance(digit, int) or digit in ("all", "any") or not labels:
        return settings
    found = class_indices(digit, labels)
    return settings.model_copy(update={"digit": tuple(found) if isinstance(digit, tuple) else found[0]})


def class_name(k: int, label: str) -> str:
    """A class in tables and pictures: its name; with its index where the name is another number."""
    return f"{label} (class {k})" if label.isdecimal() and label != str(k) else label


def classes_in_words(number: int) -> str:
    """Several target classes of one job in a line of text."""
    return f"{number:,} classes"


def target_name(k: int, label: str) -> str:
    """A target in a line of text: digit 2, or its name and index where it has another name."""
    return f"digit {k}" if label == str(k) else f"target {label} (digit={k})"
