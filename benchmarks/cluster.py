"""What a job on a worker costs besides itself, and whether kills at random change an image: launcher=dask.

python benchmarks/cluster.py kills=20 seed=0 jobs=100 classes=1000 json=false

Unit costs: from the start of two workers of this machine until they take jobs; preparing a job of a model of so many classes; a
job without work (two generations of ten images) with and without workers; the lease of a record; bytes that travel. The kills
end workers, also those that are just starting, until so many are dead; then the command must finish with the images of one that
nothing disturbed.
"""

import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from measure import finish, table, words
from robustness import images

from fooling.commands.launchers.dask import reached
from fooling.commands.launchers.parcel import CARRIED, pack
from fooling.records.lease import leased
from fooling.run import prepare
from fooling.settings import load
from fooling.settings.launchers import DaskSettings

JOB = ["runs=2", "population=50", "generations=600", "quiet=true"]
IDLE = ["runs=1", "population=10", "generations=2", "quiet=true", "classifier=python", "classifier.path=many.py:classifier"]
WORKERS = ["launcher=dask", "launcher.workers=2"]
MODEL = """import numpy as np

WEIGHTS = np.random.default_rng(0).normal(size=(64, {classes})).astype(np.float32)


def scores(images):
    sums = images.reshape(len(images), -1) @ WEIGHTS
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def classifier():
    return scores
"""
SHAPE = ["classifier.shape=8,8,1", "prior=none", "search=ga", "stop=end"]


def command(arguments: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    """`fooling run` in a process, in this folder."""
    return subprocess.Popen([sys.executable, "-m", "fooling", "run", *arguments], cwd=folder, stdout=subprocess.DEVNULL)


def timed(arguments: list[str], folder: Path) -> float:
    """Processor seconds of a command that must succeed, and of its workers; other work on the machine changes them little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if command(arguments, folder).wait():
        sys.exit(f"{' '.join(arguments)}: failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepared(arguments: list[str]) -> float:
    """Processor seconds in which jobs are prepared."""
    begun = time.process_time()
    prepare(load(arguments))
    return time.process_time() - begun


def measure_costs(jobs: int, classes: int) -> dict[str, Any]:
    """Every unit cost: seconds, and bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "many.py").write_text(MODEL.format(classes=classes))
        begun = time.perf_counter()
        with reached(DaskSettings(name="dask", address=None, workers=2, wait=60)):
            ready = time.perf_counter() - begun
        idle = [word.replace("many.py", str(folder / "many.py")) for word in [*IDLE, *SHAPE]]
        _, one, several = (prepared([f"digit={digit}", *idle]) for digit in ("0", "0", "all"))
        preparing = (several - one) / classes
        seconds: dict[str, float] = {}
        for kind, launcher in (("local", []), ("dask", WORKERS)):
            few, many = (
                timed([f"digit=[{','.join(map(str, range(n)))}]", f"out={kind}{n}", *idle, *launcher], folder)
                for n in (10, jobs + 10)
            )
            seconds[kind] = (many - few) / jobs
        begun = time.perf_counter()
        for _ in range(100):
            with leased(folder, "a"):
                pass
        lease = (time.perf_counter() - begun) / 100
        timed(["digit=2,3", "out=usual", "quiet=true"], folder)
        sizes = {
            "record": sum(map(len, pack(folder / "usual/digit=2").values())),
            "checkpoint": sum(map(len, pack(folder / "usual/digit=2", CARRIED).values())),
        }
    return {"ready": ready, "preparing": preparing, "job": seconds, "lease": lease, "bytes": sizes}


def kill_workers(process: "subprocess.Popen[bytes]", kills: int, randomness: random.Random) -> int:
    """Ends workers at random moments until so many are dead or the command is over → how many are dead."""
    dead = 0
    while process.poll() is None and dead < kills:
        time.sleep(randomness.uniform(0.5, 8))
        try:
            children = psutil.Process(process.pid).children(recursive=True)
            workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
            if workers and process.poll() is None:
                randomness.choice(workers).send_signal(signal.SIGKILL)
                dead += 1
        except psutil.Error:  # it has just ended by itself
            continue
    return dead


def measure_kills(kills: int, seed: int) -> dict[str, int]:
    """Kills of workers, and commands that ended with the images of an undisturbed one."""
    randomness, found = random.Random(seed), {"kills": 0, "commands": 0, "identical": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed(["digit=0,1,2,3", *JOB, "out=whole"], folder)
        expected = images(folder / "whole")
        while found["kills"] < kills:
            process = command(["digit=0,1,2,3", *JOB, *WORKERS, "out=r"], folder)
            until = time.monotonic() + 120
            while not list((folder / "r").glob("digit=*/run.json")) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            dead = kill_workers(process, min(6, kills - found["kills"]), randomness)
            found["kills"] += dead
            found["commands"] += 1
            found["identical"] += process.wait() == 0 and images(folder / "r") == expected
            shutil.rmtree(folder / "r")
            if not dead and process.returncode:
                break
    return found


def main() -> None:
    """Both measurements."""
    chosen = words(kills=20, seed=0, jobs=100, classes=1000, json=False)
    costs = measure_costs(chosen["jobs"], chosen["classes"])
    rows = [
        ["two workers of this machine take jobs", f"{costs['ready']:.1f} s"],
        [
            f"preparing one of {chosen['classes']:,} jobs, here and on each worker, processor",
            f"{costs['preparing'] * 1e3:.2f} ms",
        ],
        ["a job without work in this process, processor", f"{costs['job']['local'] * 1e3:.0f} ms"],
        ["the same on two workers", f"{costs['job']['dask'] * 1e3:.0f} ms"],
        ["lease of a record", f"{costs['lease'] * 1e3:.2f} ms"],
        ["record of a usual job", f"{costs['bytes']['record'] / 1e3:,.0f} kB"],
        ["what a job goes on from", f"{costs['bytes']['checkpoint'] / 1e3:,.0f} kB"],
    ]
    print(table(["unit", "cost"], rows))
    kills = measure_kills(chosen["kills"], chosen["seed"]) if chosen["kills"] else {}
    if kills:
        print(f"{kills['kills']} workers killed: {kills['identical']} of {kills['commands']} commands with identical images")
    finish("cluster", {"costs": costs, "kills": kills, **{name: chosen[name] for name in ("seed", "jobs", "classes")}}, chosen)


if __name__ == "__main__":
    main()
