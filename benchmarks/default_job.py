"""The default job for every digit, and what its operators contribute at a two: confidence, terms, distinct images, seconds.

python benchmarks/default_job.py runs=20 generations=1000 seed=0 json=false
"""

from typing import Any

import numpy as np
from measure import finish, table, words

import fooling

ORIGINAL = ("swaps=0", "elitism=false", "draw=bins", "weights.target=1")
JOBS = {
    **{str(digit): (digit, ()) for digit in range(10)},
    "2, no swaps": (2, ("swaps=0",)),
    "2, no elitism": (2, ("elitism=false",)),
    "2, operators of 2015": (2, ORIGINAL),
}
COLUMNS = ("confidence", "lowest", "target", "histogram", "variogram", "distinct", "seconds")


def measure(digit: int, changes: tuple[str, ...], **job: Any) -> dict[str, float]:
    """Medians over the images of one job, each valued as its record would be."""
    result = fooling.evolve(*changes, digit=digit, **job)
    return {
        "confidence": float(np.median(result.confidence)),
        "lowest": float(result.confidence.min()),
        **{name: float(np.median(values)) for name, values in result.terms.items()},
        "distinct": len({image.tobytes() for image in result.images}),
        "seconds": result.seconds,
        "evaluations_per_second": float(result.evaluations.sum() / result.seconds),
    }


def cells(name: str, found: dict[str, float]) -> list[str]:
    """A line of the table."""
    digits = {"confidence": 5, "lowest": 5, "distinct": 0, "seconds": 1}
    return [name, *(f"{found[column]:.{digits.get(column, 4)}f}" for column in COLUMNS)]


def main() -> None:
    """One job after the other; compilation is done before."""
    chosen = words(runs=20, generations=1000, seed=0, json=False)
    fooling.evolve(runs=2, generations=2)
    job = {name: chosen[name] for name in ("runs", "generations", "seed")}
    results = {name: measure(digit, changes, **job) for name, (digit, changes) in JOBS.items()}
    print(table(["digit", *COLUMNS], [cells(name, found) for name, found in results.items()]))
    finish("default_job", {**job, "jobs": results}, chosen)


if __name__ == "__main__":
    main()
