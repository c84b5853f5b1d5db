"""Seconds that a user waits: help, a settings error, the main job with an empty compilation cache and the second time.

python benchmarks/startup.py repeats=5 json=false
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from measure import finish, table, words

COMMANDS = {
    "--help": (["--help"], 0),
    "a settings error": (["popluation=3"], 2),
    "a class that does not exist": (["digit=12"], 2),
    "digit=2": (["digit=2", "quiet=true"], 0),
}


def seconds(arguments: list[str], code: int, environment: dict[str, str], folder: str) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "fooling.run", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False)
    if done.returncode != code:
        sys.exit(f"{arguments}: exit code {done.returncode}: {done.stderr.decode()}")
    return time.perf_counter() - start


def main() -> None:
    """The first run of the main job compiles into an empty cache of its own."""
    chosen = words(repeats=5, json=False)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        environment.pop("NUMBA_CACHE_DIR", None)
        results["digit=2, first time"] = seconds(*COMMANDS["digit=2"], environment, folder)
        for name, (arguments, code) in COMMANDS.items():
            repeats = chosen["repeats"] if name != "digit=2" else 1
            results[name] = statistics.median(seconds(arguments, code, environment, folder) for _ in range(repeats))
    print(table(["command", "seconds"], [[name, f"{value:.2f}"] for name, value in results.items()]))
    finish("startup", {"seconds": results}, chosen)


if __name__ == "__main__":
    main()
