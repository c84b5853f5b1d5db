"""Workers of dask.distributed in threads of this process: they start at once, and tests can change what they do."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distributed import LocalCluster

TIMES = ("seconds", "evaluations_per_second", "seconds_per_image", "begun", "examination", "classifier_seconds")


@contextlib.contextmanager
def workers(number: int) -> Iterator[str]:
    """→ the address of their scheduler."""
    options = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "memory_limit": 0}
    with LocalCluster(
        n_workers=number, threads_per_worker=1, processes=False, silence_logs=logging.CRITICAL, **options
    ) as cluster:
        yield cluster.scheduler_address


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def content(folder: Path) -> dict[str, Any]:
    """The files of a record and of those in it but its page, without what a clock says."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json" and not name.startswith("report"):
            found[name] = without_times(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            found[name] = [without_times(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.is_file() and not name.startswith("report") and path.suffix != ".npz":
            found[name] = path.read_bytes()
    return found
