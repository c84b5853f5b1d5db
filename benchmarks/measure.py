"""What the benchmarks share: key=value words, machine and versions, results as JSON."""

import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
VERSIONED = ("numpy", "numba", "pillow")


def words(**defaults: Any) -> dict[str, Any]:
    """The defaults, replaced by key=value from the command line; a value has the type of its default.

    Every benchmark also takes out=FOLDER, where its result is written.
    """
    chosen = {**defaults, "out": str(RESULTS)}
    for word in sys.argv[1:]:
        key, equals, value = word.partition("=")
        if not equals or key not in chosen:
            sys.exit(f"{word}: expected {' '.join(f'{name}={shown}' for name, shown in defaults.items())} out=FOLDER")
        chosen[key] = value == "true" if isinstance(chosen[key], bool) else type(chosen[key])(value)
    return chosen


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    cpu = Path("/proc/cpuinfo")
    models = (
        [line.split(":")[1].strip() for line in cpu.read_text().splitlines() if "model name" in line] if cpu.exists() else []
    )
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONED},
        "date": time.strftime("%Y-%m-%d"),
    }


def table(columns: list[str], rows: list[list[Any]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---:|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def finish(name: str, result: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Writes NAME.json into the folder for results and, with json=true, prints it as the last line."""
    folder = Path(chosen["out"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n")
    if chosen["json"]:
        print(json.dumps(result))
