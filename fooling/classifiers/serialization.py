"""Files of built-in networks: safetensors with a descriptive header. Nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fooling.errors import UserError, first_line, printable
from fooling.settings.files import check_file, check_size, parse_json

HINT = "expected a network written by `fooling train`"


def write(
    path: Path,
    kind: str,
    shape: tuple[int, int, int],
    labels: tuple[str, ...],
    made: str,
    more: dict[str, str],
    tensors: dict[str, Any],
) -> None:
    """Writes a .safetensors file; `kind` is its format, `more` goes into the header."""
    about = {"format": kind, "input_shape": json.dumps(shape), "labels": json.dumps(labels), "made": made, **more}
    path.write_bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, about))


def read(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The header and the tensors. Raises UserError for a file that cannot be read."""
    if not path.is_file():
        raise UserError(f"classifier.path={path}: no such file; {HINT}")
    try:
        check_safetensors(path)
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except UserError:
        raise
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        reason = first_line(error, 300)
        raise UserError(f"classifier.path={path}: cannot be read as safetensors ({reason}); {HINT}") from error


def check_safetensors(path: Path) -> None:
    """Raises UserError for a file, or a header, above its ceiling; the first eight bytes say how long the header is."""
    check_file(path, "model")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length <= path.stat().st_size:  # else the file is no safetensors, which its reader says
        check_size(f"{path}: its header", "header", length)


def read_face(path: Path, about: dict[str, str]) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """Input shape and labels of a header."""
    try:
        shape, labels = parse_json(about["input_shape"]), parse_json(about["labels"])
        sound = len(shape) == 3 and all(type(side) is int and side > 0 for side in shape)
        sound = sound and type(labels) is list and all(type(label) is str for label in labels)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"classifier.path={path}: its header is damaged; {HINT}") from error
    if not sound:
        raise UserError(f"classifier.path={path}: its header is damaged (input_shape or labels); {HINT}")
    return (shape[0], shape[1], shape[2]), tuple(map(printable, labels))


def check_sizes(path: Path, tensors: dict[str, Any], expected: dict[str, tuple[Any, tuple[int, ...]]]) -> None:
    """Raises UserError for missing tensors, for another type or shape than expected {name: (type, shape)}, and for NaN."""
    if tensors.keys() != expected.keys():
        names, got = ", ".join(expected), ", ".join(sorted(tensors))
        raise UserError(f"classifier.path={path}: expected tensors {names}, got {got}")
    for name, (dtype, shape) in expected.items():
        tensor = tensors[name]
        if tensor.dtype != dtype or tensor.shape != shape:
            got, needed = f"{tensor.dtype} {list(tensor.shape)}", f"{np.dtype(dtype)} {list(shape)}"
            raise UserError(f"classifier.path={path}: tensor {name}: expected {needed}, got {got}")
        if not np.isfinite(tensor).all():
            raise UserError(f"classifier.path={path}: tensor {name} holds numbers that are not finite")
