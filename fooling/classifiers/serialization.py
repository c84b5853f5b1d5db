"""Files of built-in networks: safetensors with a descriptive header. Nothing is ever unpickled."""

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fooling.errors import UserError, first_line, printable
from fooling.settings.files import check_file, check_size, parse_json

HINT = "expected a network written by `fooling train`"
OF_TORCH = (".pt", ".pth", ".ckpt", ".bin")
PICKLES = (".pkl", ".pickle", ".joblib")
PEEKED = 1 << 20  # bytes of a pickle that are searched for names; nothing of it is executed


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
        raise UserError(
            f"classifier.path={path}: cannot be read as safetensors ({reason}); {HINT}{conversion(path)}"
        ) from error


def is_network(path: Path) -> bool:
    """Whether a file is one that `write` wrote, by its header."""
    try:
        check_safetensors(path)
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).keys() >= {"format", "input_shape", "made"}
    except (UserError, SafetensorError, OSError, TypeError, ValueError):
        return False


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


# --- files that are never opened --------------------------------------------------------------------------------------
def conversion(path: Path) -> str:
    """The Python lines that convert a pickle or a file of torch.save, as the end of a message; '' for other files.

    Loading such a file runs the code in it, so the user does this, and only with files of a known origin. Raises UserError for
    a pipe or device, which is not opened either.
    """
    with suppress(OSError):
        check_file(path)
    suffix = path.suffix.lower()
    if suffix in OF_TORCH and is_script(path):
        return f"; it is a TorchScript file: give classifier=torch classifier.path={path}"
    if suffix in OF_TORCH:
        lines, use = torch_lines(path), "classifier=torch classifier.path=my_net.py:make classifier.weights"
        new = str(path.with_suffix(".safetensors"))
    elif suffix in PICKLES or is_pickle(path):
        new, use = str(new_name(path)), "classifier=sklearn classifier.path"
        lines = f"import joblib, skops.io; skops.io.dump(joblib.load({str(path)!r}), {new!r})"
    else:
        return ""
    return f'; if you trust the file, convert it once: python -c "{lines}" and give {use}={new}'


def new_name(path: Path) -> Path:
    """The .skops file that a pickle is converted to; another one than the pickle, whose name may end so too."""
    return path.with_name(f"{path.stem}-converted.skops") if path.suffix == ".skops" else path.with_suffix(".skops")


def torch_lines(path: Path) -> str:
    """The Python lines that write the tensors of a file of torch.save as safetensors."""
    _, pickled = contents(path)
    loaded = f"torch.load({str(path)!r}, map_location='cpu', weights_only=True)"
    if b"torch.nn.modules" in pickled:
        loaded = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False).state_dict()"
    else:
        loaded += next((f"[{key!r}]" for key in ("model_state_dict", "state_dict") if key.encode() in pickled), "")
    tensors = f"{{k: v.clone().contiguous() for k, v in {loaded}.items()}}"
    new = str(path.with_suffix(".safetensors"))
    return f"import torch; from safetensors.torch import save_file; save_file({tensors}, {new!r})"


def is_script(path: Path) -> bool:
    """Whether a file holds a program of TorchScript."""
    return any("/code/" in name for name in contents(path)[0])


def contents(path: Path) -> tuple[list[str], bytes]:
    """The names in a file of torch.save, and the beginning of its pickle; nothing of other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.endswith("data.pkl")]
            return names, archive.open(pickles[0]).read(PEEKED) if pickles else b""
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        return [], b""


def is_pickle(path: Path) -> bool:
    """Whether a file begins as a pickle of protocol 2 or later does."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError:
        return False
    return len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5
