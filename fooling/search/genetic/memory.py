"""How the runs of engine=jax are split into batches and blocks, and how much memory a device has for them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fooling.errors import UserError

BATCH = {"cpu": 1_000}  # children that a device breeds at once; on a CPU what its caches hold …
BATCH_ELSEWHERE = 131_072  # … on others what keeps them busy
BLOCK = {"cpu": 25_000}  # evaluations between two looks at the clock, about: half a second …
BLOCK_ELSEWHERE = 10_000_000


@dataclass(frozen=True)
class MemoryPlan:
    """The size of a block: B batches of b runs, G generations."""

    batches: int
    runs: int
    generations: int

    @property
    def all_runs(self) -> int:
        """All runs, including those that fill up the last batches."""
        return self.batches * self.runs


def plan_memory(runs: int, population: int, platform: str, devices: int, longest: int) -> MemoryPlan:
    """Batches of equal size, equally many for each device; at most `longest` generations."""
    largest = max(1, BATCH.get(platform, BATCH_ELSEWHERE) // population)
    batches = max(1, -(-runs // (largest * devices))) * devices
    each = max(1, -(-runs // batches))
    evaluations = BLOCK.get(platform, BLOCK_ELSEWHERE)
    return MemoryPlan(batches, each, min(longest, max(1, evaluations // (population * batches * each))))


def bytes_needed(analyses: list[Any], platform: str) -> int:
    """Bytes that a device needs, from the compiler's analysis of each program; 0: unknown.

    On a CPU the memory of the device is also the host's, which holds copies of inputs and outputs: 2.3 times as much was
    measured.
    """
    copies = 3 if platform == "cpu" else 1
    needs = [
        copies * (found.argument_size_in_bytes + found.output_size_in_bytes) + found.temp_size_in_bytes
        for found in analyses
        if found
    ]
    return max(needs, default=0)


def check_memory(runs: int, population: int, device: str, limit: int | None, needed: int, need: Callable[[int], int]) -> None:
    """Refuses runs where `needed` bytes exceed the limit, with the number that fits; `need(runs)` are the bytes of others."""
    if limit is None or needed <= limit:
        return
    fits = runs
    while fits and (found := need(fits)) > limit:
        fits = min(fits - 1, int(fits * 0.95 * limit / found))
    advice = f"runs={fits} fit" if fits else "not even one run fits: take a smaller population"
    raise UserError(
        f"engine=jax: runs={runs} with population={population} need {needed / 2**30:.1f} GiB, "
        f"{device} has {limit / 2**30:.1f} GiB; {advice}"
    )


def check_host_memory(runs: int, selected: int, children: int, pixels: int, classes: int, limit: int | None = None) -> None:
    """Refuses runs that this machine's free memory, or `limit` bytes, cannot hold, with the number that fits.

    Bytes of a run as measured for ga, anneal and pareto, of 784 and 12,288 pixels, to about a half: the selected images with
    their statistics, in the last two states and a checkpoint; the scores of the children; the finished image and its entry in
    run.json.
    """
    free = free_memory() if limit is None else limit
    each = 5 * (selected * (4 * pixels + 4 * classes + 2048) + children * (16 + 8 * classes) + 24 * pixels + 26_000) // 4
    if free is None or runs * each <= free:
        return
    fits = free // each
    sizes = f"about {runs * each / 2**30:.1f} GiB are needed and {free / 2**30:.1f} are free"
    advice = f"runs={fits} fit" if fits else "not even one run fits: take a smaller population"
    raise UserError(f"runs: expected as many as the memory holds, got {runs}; {sizes}; {advice}")


def free_memory() -> int | None:
    """Bytes that this process may still take: what the machine, its control group and its limits leave; None: unknown."""
    try:
        machine, own = (fields(path) for path in ("/proc/meminfo", "/proc/self/status"))
        found = [machine["MemAvailable"]]
        path = Path("/sys/fs/cgroup/memory.max")
        limit = path.read_text().strip() if path.exists() else "max"
        found += [int(limit) - own["VmRSS"]] if limit.isdigit() else []
        import resource  # not on Windows

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        found += [most - own["VmSize"]] if most != resource.RLIM_INFINITY else []
    except (ImportError, OSError, KeyError, ValueError):
        return None
    return max(0, min(found))


def fields(path: str) -> dict[str, int]:
    """The sizes in a file of Linux, in bytes."""
    rows = (line.partition(":") for line in Path(path).read_text().splitlines())
    return {name: int(value.split()[0]) * 1024 for name, _, value in rows if value.endswith(" kB")}


def device_memory(device: Any, devices: int) -> int | None:
    """Bytes that a device may take: its own, or its share of this machine's free memory; None: unknown."""
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    free = free_memory()
    return None if free is None else free // devices
