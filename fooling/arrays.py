"""Files of plain arrays (.npz), read without ever unpickling."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an .npz file by name. Raises UserError for a file that is none, damaged, or holds Python objects."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # a damaged zip file raises almost anything
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not an .npz file of plain arrays ({reason or type(error).__name__})") from error
