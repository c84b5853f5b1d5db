"""What an experiment is to the commands: settings in, then a task that computes, then what it leaves behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ProgressCallback = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment found."""

    result: Mapping[str, Any]  # NAME.json
    picture: bytes  # NAME.png
    columns: Sequence[str]  # of the table on the terminal …
    rows: Sequence[Sequence[str]]  # … and its lines
    said: Sequence[str] = ()  # in words, a line each
    files: Mapping[str, bytes] = field(default_factory=dict)  # more files, by their names in the folder


Task = Callable[[ProgressCallback], ExperimentResult]  # the work itself; whatever may be refused has been, before it is made
