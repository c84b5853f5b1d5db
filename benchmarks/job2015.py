"""The 2015 job: how many attempts at a digit reach tol 0.055 within 100 generations, and how long they take.

python benchmarks/job2015.py attempts=1000 digit=2 seed=0 json=false
"""

import numpy as np
from measure import finish, table, words

import fooling
from fooling.statistics.intervals import wilson_interval

VARIANTS = {
    "2015, all quirks": (),
    "axes right": ("quirk_axes=false",),
    "axes and lags right": ("quirk_axes=false", "quirk_lag1=false"),
}


def main() -> None:
    """Runs the variants one after the other; compilation is done before, initialisation is included."""
    chosen = words(attempts=1000, digit=2, seed=0, json=False)
    for changes in VARIANTS.values():
        fooling.evolve("preset=blog2015", *changes, runs=2, generations=60)
    rows, results = [], []
    for name, changes in VARIANTS.items():
        job = {"digit": chosen["digit"], "runs": chosen["attempts"], "seed": chosen["seed"]}
        result = fooling.evolve("preset=blog2015", *changes, **job)
        converged, attempts = int(result.converged.sum()), chosen["attempts"]
        low, high = wilson_interval(converged, attempts)
        median = float(np.median(result.cost))
        rows.append([name, f"{converged}/{attempts} ({low:.0%}–{high:.0%})", f"{median:.4f}", f"{result.seconds:.1f}"])
        results.append({"variant": name, "converged": converged / attempts, "median_cost": median, "seconds": result.seconds})
    print(table(["variant", "converged (95 %)", "median cost of the saved images", "seconds"], rows))
    first = results[0]
    summary = {"attempts": chosen["attempts"], "seconds": first["seconds"], "converged": first["converged"]}
    finish("job2015", {**summary, "variants": results}, chosen)


if __name__ == "__main__":
    main()
