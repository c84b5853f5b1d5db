"""How the time of an evaluation grows: with population, runs, size of the image and lags (problem 2015, generations 20–60).

python benchmarks/scaling.py json=false
"""

import time
from typing import Any

import numpy as np
from measure import finish, table, words
from problems import compile_kernels, of_size, problem

FROM, TO = 20, 60
POPULATIONS, RUNS = (10, 100, 1000, 10_000), (1, 10, 100, 1000)
SIDES, LAGS = (8, 16, 28, 32, 64, 128), (1, 4, 7, 14, 21, 27)


def measure(engine: Any, runs: int) -> dict[str, float]:
    """Microseconds of an evaluation, all cores together, before and after generation FROM."""
    compile_kernels(engine)
    start = time.perf_counter()
    state = engine.init(np.arange(runs, dtype=np.uint32))
    for _ in range(FROM):
        state = engine.step(state)
    middle = time.perf_counter()
    changed = 0
    for _ in range(TO - FROM):
        state = engine.step(state)
        changed += int(state.changed.sum())
    end = time.perf_counter()
    each = runs * engine.params.population
    return {
        "first": (middle - start) / (each * (FROM + 1)) * 1e6,
        "later": (end - middle) / (each * (TO - FROM)) * 1e6,
        "changed": changed / (each * (TO - FROM)),
    }


def main() -> None:
    """One axis after the other; the rest stays at 100 runs of 100 images of 28×28 with 14 lags."""
    chosen = words(json=False)
    cases: list[tuple[str, int, int, Any]] = [
        *(("population", n, max(1, 10_000 // n), problem("2015", f"population={n}")) for n in POPULATIONS),
        *(("runs", runs, runs, problem("2015")) for runs in RUNS),
        *(("side of the image", side, 100 if side < 64 else 20, of_size(side, lags=min(14, side - 1))) for side in SIDES),
        *(("lags", lags, 100, of_size(28, lags=lags)) for lags in LAGS),
    ]
    results = [{"axis": axis, "value": value, "runs": runs, **measure(engine, runs)} for axis, value, runs, engine in cases]
    rows = [
        [r["axis"], r["value"], r["runs"], f"{r['first']:.2f}", f"{r['later']:.3f}", f"{r['changed']:.0%}"] for r in results
    ]
    print(table(["axis", "value", "runs", "µs, generations 0–20", "µs, 20–60", "changed"], rows))
    finish("scaling", {"results": results}, chosen)


if __name__ == "__main__":
    main()
