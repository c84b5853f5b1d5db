"""Evaluations per second: all, and changed ones (children that equal neither of their parents), beside the machine's limits.

python benchmarks/throughput.py engine=all population=0 repeats=3 json=false     (engine=numba or reference; population=0: all)
"""

import resource
import sys
import time
from typing import Any

import numpy as np
from limits import machine_limits, work
from measure import finish, table, words
from problems import PROBLEMS, compile_kernels, problem

WINDOWS = ("0-20", "20-200", "0-200")
POPULATIONS = (100, 1000, 10000)
CHILDREN = 100_000  # a generation: 1000 runs of 100
ABOUT = ("problem", "engine", "scoring", "population", "runs", "window")
COLUMNS = (*ABOUT, "evaluations/s", "changed/s", "unchanged", "share of")


def cases(engine: str, population: int) -> list[dict[str, Any]]:
    """What is run: name of the problem, engine, scoring, population, runs, last generation, repeats (0: as asked)."""
    found = []
    for size in POPULATIONS if population == 0 else (population,):
        case = {"problem": "2015", "population": size, "last": 200, "repeats": 1}
        if engine in ("all", "numba"):
            runs = max(1, CHILDREN // size)
            found.append({**case, "engine": "numba", "scoring": "difference", "runs": runs, "repeats": 0 if size == 100 else 1})
            found.append({**case, "engine": "numba", "scoring": "dense", "runs": max(1, runs // 20)})
        if engine in ("all", "reference"):
            last = min(20, max(0, 2000 // size - 1))
            found.append({**case, "engine": "reference", "scoring": "dense", "runs": 1, "last": last})
    if engine in ("all", "numba") and population in (0, 100):
        case = {"engine": "numba", "scoring": "difference", "population": 100, "last": 200, "repeats": 1}
        found.append({**case, "problem": "2015", "runs": 1})
        found += [{**case, "problem": name, "runs": 200} for name in PROBLEMS if name != "2015"]
        found.append({**case, "problem": "constant classifier", "scoring": "dense", "runs": 100})
    return found


def run(case: dict[str, Any]) -> tuple[list[float], list[int]]:
    """Seconds and changed evaluations of each generation, initialisation first."""
    chosen = (f"engine={case['engine']}", f"population={case['population']}", f"scoring={case['scoring']}")
    engine = problem(case["problem"], *chosen)
    seconds, changed = [], []
    before = time.perf_counter()
    state = engine.init(np.arange(case["runs"], dtype=np.uint32))
    for generation in range(case["last"] + 1):
        if generation:
            state = engine.step(state)
        now = time.perf_counter()
        seconds.append(now - before)
        changed.append(int(state.changed.sum()))
        before = now
    return seconds, changed


def measure(case: dict[str, Any], repeats: int) -> list[dict[str, Any]]:
    """A line of the results for each window that the case covers: medians over the repeats."""
    tries = [run(case) for _ in range(case["repeats"] or repeats)]
    windows = WINDOWS if case["last"] == 200 else (f"0-{case['last']}",)
    results = []
    for window in windows:
        first, last = map(int, window.split("-"))
        part = slice(first + 1 if first else 0, last + 1)
        evaluations = case["runs"] * case["population"] * (last - first + (first == 0))
        seconds = float(np.median([sum(seconds[part]) for seconds, _ in tries]))
        changed = sum(tries[0][1][part])
        results.append(
            {
                **{name: case[name] for name in ("problem", "engine", "scoring", "population", "runs")},
                "window": window,
                "evaluations_per_second": round(evaluations / seconds),
                "changed_per_second": round(changed / seconds),
                "unchanged": round(1 - changed / evaluations, 3),
                "seconds": round(seconds, 4),
            }
        )
    return results


def cells(result: dict[str, Any]) -> list[str]:
    """A line of the table."""
    rates = [f"{result[name]:,}" for name in ("evaluations_per_second", "changed_per_second")]
    about = [result[name] for name in ABOUT]
    share = f"{result['share']:.0%} {result['limit']}" if "share" in result else "–"
    return [*about, *rates, f"{result['unchanged']:.0%}", share]


def main() -> None:
    """One case after the other; compilation is done before, initialisation is included."""
    chosen = words(engine="all", population=0, repeats=3, json=False)
    planned = cases(chosen["engine"], chosen["population"])
    for name in {case["problem"] for case in planned if case["engine"] == "numba"}:
        compile_kernels(problem(name))
    results = []
    for case in planned:
        found = measure(case, chosen["repeats"])
        results += [{**result, "peak_memory_mib": peak_memory()} for result in found]
        print(", ".join(f"{result['window']}: {result['evaluations_per_second']:,}/s" for result in found), case, flush=True)
    limits = machine_limits()
    results = [{**result, **work(result, limits)} for result in results]
    print(table(list(COLUMNS), [cells(result) for result in results]))
    print(table(["limit of the machine", "per second"], [[name, f"{value:.3g}"] for name, value in limits.items()]))
    print(f"peak memory after the first case: {results[0]['peak_memory_mib']} MiB")
    finish("throughput", {"limits": limits, "results": results}, chosen)


def peak_memory() -> int:
    """MiB that this process has held at most so far, Python and its libraries included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)


if __name__ == "__main__":
    main()
