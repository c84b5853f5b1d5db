"""A cache of a model's answers by the content of what it sees: it sees, and is paid for, nothing twice.

On disk it is a text file that is only appended to: a line that says whose answers these are, then one for each answer: a hash,
the type of its numbers, and the numbers or the label. A line that was half written when a process was killed is skipped.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.records.files import os_errors, refuse_link
from fooling.settings.files import check_file

FILE = "answers.csv"  # in a record
MARK = "fooling answers 1"  # how the file begins
DIGEST = 16  # bytes of a hash
TORN = ",torn\n"  # ends a line that was half written: it is no answer
TEXT = "str"  # in place of the type of numbers, of labels
Array = npt.NDArray[Any]
Row = tuple[str, Any]  # the type of an answer's numbers, and a number, a list of them, or a label


class Answers:
    """The answers of one model, by a hash of its input; with a file also those of earlier jobs."""

    def __init__(self, owner: str, in_record: bool = False, fixed: bool = False) -> None:
        self.owner, self.in_record = owner, in_record  # what they depend on besides the input; whether records keep them
        self.fixed = fixed  # whether the model takes batches of one size alone
        self.rows: dict[str, Row] = {}
        self.home: Path | None = None  # the folder of the sweep whose jobs keep answers
        self.kept: set[str] = set()  # answers that are in a file of one of these jobs
        self.file: Path | None = None
        self.found = 0  # answers that needed no call

    def remembered(self, inputs: Array, ask: Callable[[Any], Any]) -> Array:
        """The answers to inputs [N, …], those that are not known yet by `ask`, in one call: [N, K], or labels [N]."""
        keys = [hashlib.blake2b(one.tobytes(), digest_size=DIGEST).hexdigest() for one in np.ascontiguousarray(inputs)]
        missing = {key: place for place, key in enumerate(keys) if key not in self.rows}
        self.found += len(keys) - len(missing)
        if missing:
            places = list(missing.values())
            size = len(inputs) if self.fixed else len(places)
            new = np.asarray(ask(inputs[np.resize(places, size)]))[: len(places)]
            self.add(dict(zip(missing, map(row_of, new), strict=True)))
        rows = [self.rows[key] for key in keys]
        kinds = {kind for kind, _ in rows}
        return np.array([value for _, value in rows], dtype=object if TEXT in kinds else np.result_type(*kinds))

    def add(self, rows: dict[str, Row]) -> None:
        """Keeps answers, on disk where there is a file."""
        self.rows |= rows
        if self.file:
            self.kept |= rows.keys()
            self.append(lines(rows))

    def recall(self, file: Path) -> None:
        """Reads the answers of a job, if it has any, which those after it in a sweep do not repeat. Raises UserError."""
        rows, _ = self.read(file)
        self.rows |= rows
        self.enter(file)
        self.kept |= rows.keys()

    def enter(self, file: Path) -> None:
        """Forgets what the files of another sweep keep: a record holds all its answers."""
        home = file.absolute().parent.parent
        if home != self.home:
            self.home, self.kept = home, set()

    def keep_in(self, file: Path) -> None:
        """Reads the answers of a file, if there is one, and appends to it those of now and all later ones. Raises UserError."""
        if file == self.file:
            return
        known, start = self.read(file)
        self.enter(file)
        missing = {key: row for key, row in self.rows.items() if key not in known and key not in self.kept}
        self.rows, self.file = {**known, **self.rows}, file
        self.kept |= self.rows.keys()
        self.append(start + lines(missing))

    def read(self, file: Path) -> tuple[dict[str, Row], str]:
        """The answers in a file, and what must be written before others. Raises UserError for other files."""
        refuse_link(file)
        first = f"{MARK},{self.owner}"
        if not file.exists():
            return {}, f"{first}\n"
        check_file(file)
        with os_errors(file):
            there, *rest = file.read_text(encoding="utf-8", errors="replace").split("\n")
        if not rest and first.startswith(there):  # an empty file, or one whose first line is half written
            return {}, f"{first[len(there) :]}\n"
        if there != first:
            got = "those of another model" if there.startswith(MARK) else "another file"
            raise UserError(f"classifier.cache={file}: expected answers of this classifier, got {got}; give another file")
        return dict(filter(None, map(parsed, rest[:-1]))), TORN if rest[-1] else ""

    def append(self, text: str) -> None:
        """Writes text at the end of the file, at once."""
        if self.file is None or not text:
            return
        with os_errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            place = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                data = memoryview(text.encode())
                while data:
                    data = data[os.write(place, data) :]
            finally:
                os.close(place)


def row_of(answer: Any) -> Row:
    """An answer of a model, numbers [K], a number or a label."""
    array = np.asarray(answer)
    return (TEXT, str(answer)) if array.dtype.kind in "OUS" else (array.dtype.str, array.tolist())


def lines(rows: dict[str, Row]) -> str:
    """Answers as lines."""
    return "".join(f"{key},{kind},{json.dumps(value)}\n" for key, (kind, value) in rows.items())


def parsed(line: str) -> tuple[str, Row] | None:
    """The hash and the answer in a line, None for one that is damaged."""
    key, _, rest = line.partition(",")
    kind, _, text = rest.partition(",")
    try:
        value = json.loads(text)
        is_text = isinstance(value, str)
        if len(bytes.fromhex(key)) != DIGEST or is_text != (kind == TEXT) or not (is_text or np.array(value, kind).ndim < 2):
            return None
    except (ValueError, TypeError, RecursionError):
        return None
    return key, (kind, value)
