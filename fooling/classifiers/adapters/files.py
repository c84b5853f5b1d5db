"""Files of models: what they hold by their first bytes, which adapter reads them, their fingerprint, their outputs by name."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fooling.classifiers.serialization import check_safetensors, contents, conversion, is_network
from fooling.errors import UserError, first_line
from fooling.settings.fields import described, user_path
from fooling.settings.files import BLOCK, check_file, parse_json, read_whole

START = 512  # bytes that are read to tell kinds of files apart
HDF5, TFLITE, ZIP = b"\x89HDF\r\n\x1a\n", b"TFL3", b"PK\x03\x04"
MEMBERS = (  # a part of a member's name in a zip file, whose file it is
    ("model.weights.h5", "keras"),
    ("schema.json", "sklearn"),
    ("/archive_format", "torch"),
    ("/code/", "torch"),
)
KINDS = {
    "keras": "a Keras model",
    "tflite": "a TensorFlow Lite model",
    "sklearn": "a model saved by skops",
    "torch": "a program of torch",
    "openvino": "an OpenVINO model",
    "huggingface": "a model of transformers",
    "timm": "a model of timm",
}


def kind_of_content(path: Path) -> str | None:
    """The adapter that reads a file or folder, by its first bytes or its members; None where they say nothing."""
    if path.is_dir():
        about: Mapping[str, Any] = {}
        with suppress(UserError):  # of a damaged file: this only guesses
            about = json_of(path / "config.json")
        found = "timm" if "architecture" in about else "huggingface" if "model_type" in about else None
        return "keras" if (path / "saved_model.pb").exists() else found
    with suppress(OSError, UserError):
        check_file(path)
        with path.open("rb") as file:
            start = file.read(START)
        if start[:8] == HDF5 or start[4:8] == TFLITE:
            return "keras" if start[:8] == HDF5 else "tflite"
        if start[:4] == ZIP:
            names = contents(path)[0]
            return next((kind for part, kind in MEMBERS if any(part in f"/{name}" for name in names)), None)
        if start.lstrip()[:1] == b"<" and b"<net" in start:
            return "openvino"
    return None


def advice(path: Path, adapter: str) -> str:
    """What to do with a file that an adapter cannot read, as the end of a message; '' where nothing is known."""
    kind = kind_of_content(path)
    if kind and kind != adapter:
        return f"; it looks like {KINDS[kind]}: give classifier={kind}"
    if is_file(path) and is_network(path):
        return "; it looks like a network of `fooling train`: give classifier=mlp"
    return conversion(path) if is_file(path) else ""


def is_file(path: Path) -> bool:
    """Whether there is a plain file."""
    with suppress(OSError):
        return path.is_file()
    return False


def model_file(text: str | None, adapter: str, expected: str) -> tuple[Path, str]:
    """The file of a model, and how messages about it begin. Raises UserError where there is none."""
    path = user_path(text or "")
    where = f"classifier.path={path}"
    if not is_file(path):
        what = f"got a folder{advice(path, adapter)}" if path.is_dir() else "no such file"
        raise UserError(f"{where}: {what}; {expected}")
    check_file(path, "model")
    return path, where


def json_of(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; {} where there is no file. Raises UserError for one that is damaged or holds anything else."""
    try:
        found = parse_json(read_whole(path, "JSON")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a JSON object, it cannot be read ({described(error)})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a JSON object, got {type(found).__name__}")
    return found


def objects(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON tree."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def digest_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the bytes of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def choose_named(outputs: Sequence[tuple[str, Sequence[int | None]]], name: str | None, where: str) -> int:
    """The place of the output with scores among (name, shape): that of the settings, or the only possible one.

    Raises UserError.
    """
    known = ", ".join(f"{one} {list(shape)}" for one, shape in outputs)
    if name is not None:
        found = [place for place, (one, _) in enumerate(outputs) if one == name]
        if not found:
            raise UserError(f"{where}: classifier.output_name={name}: expected one of its outputs: {known}")
        return found[0]
    if len(outputs) != 1:
        raise UserError(
            f"{where}: expected one output of scores [N, classes], got {known}; choose with classifier.output_name=…"
        )
    return 0


def one_input(inputs: Sequence[tuple[str, Sequence[int | None]]], where: str) -> None:
    """Raises UserError for a model with other inputs than images alone."""
    if len(inputs) != 1:
        known = ", ".join(f"{name} {list(shape)}" for name, shape in inputs)
        raise UserError(f"{where}: expected a model with one input, got {len(inputs)} ({known}); export it with images alone")


# --- folders of a model -------------------------------------------------------------------------------------------------
def weight_files(folder: Path, where: str) -> list[Path]:
    """The file model.safetensors of a folder, as transformers chooses, else all parts of a model.safetensors.index.json.

    Raises UserError for pickles alone.
    """
    single = folder / "model.safetensors"
    index = {} if is_file(single) else json_of(folder / "model.safetensors.index.json").get("weight_map", {})
    names = sorted(set(map(str, index.values()))) if isinstance(index, dict) else []
    files = [folder / name for name in names] or [single]
    missing = next((file for file in files if not is_file(file)), None)
    if missing is None and all(file.parent == folder for file in files):
        for file in files:
            check_safetensors(file)
        return files
    pickled = sorted(one for one in folder.glob("*") if one.suffix in (".bin", ".pth", ".pt", ".h5", ".msgpack"))
    if missing and pickled:
        way = conversion_line(folder)
        raise UserError(f"{where}: expected model.safetensors, got {pickled[0].name} alone, which is never opened{way}")
    raise UserError(f"{where}: expected {(missing or files[0]).name}, no such file in the folder")


def conversion_line(folder: Path) -> str:
    """How a folder whose weights are pickled gets safetensors."""
    name = json.dumps(str(folder))[1:-1]
    lines = f"import transformers as t; t.AutoModelForImageClassification.from_pretrained('{name}').save_pretrained('{name}')"
    if kind_of_content(folder) == "timm":
        load = f"torch.load('{name}/pytorch_model.bin', map_location='cpu', weights_only=True)"
        lines = f"import torch; from safetensors.torch import save_file as s; s({load}, '{name}/model.safetensors')"
    return f'; if you trust the file, convert it once: python -c "{lines}"'


def labels_of(mapping: Any) -> tuple[str, ...] | None:
    """Class names of an object of index: name, or of a list; None where there are none, or only the makeshift LABEL_0 …"""
    names: list[Any] = []
    if isinstance(mapping, dict):
        keyed = {str(key): value for key, value in mapping.items()}
        names = [keyed[str(k)] for k in range(len(keyed))] if all(str(k) in keyed for k in range(len(keyed))) else []
    elif isinstance(mapping, list | tuple):
        names = list(mapping)
    if not names or not all(isinstance(name, str) for name in names) or names == [f"LABEL_{k}" for k in range(len(names))]:
        return None
    return tuple(first_line(name, 200) for name in names)
