"""The default job for every digit: confidence and terms of the saved images, distinct images, seconds.

python benchmarks/default_job.py runs=20 generations=1000 seed=0 json=false
"""

import numpy as np
from measure import finish, table, words

import fooling


def main() -> None:
    """One job a digit, each valued as its record would be."""
    chosen = words(runs=20, generations=1000, seed=0, json=False)
    fooling.evolve(runs=2, generations=2)  # compiles
    rows, results = [], []
    for digit in range(10):
        result = fooling.evolve(digit=digit, runs=chosen["runs"], generations=chosen["generations"], seed=chosen["seed"])
        found = {
            "digit": digit,
            "confidence": float(np.median(result.confidence)),
            "lowest_confidence": float(result.confidence.min()),
            "cost": float(np.median(result.cost)),
            **{name: float(np.median(values)) for name, values in result.terms.items()},
            "distinct": len({image.tobytes() for image in result.images}),
            "seconds": result.seconds,
            "evaluations_per_second": float(result.evaluations.sum() / result.seconds),
        }
        results.append(found)
        shown = [f"{found[name]:.4f}" for name in ("target", "histogram", "variogram")]
        lowest, seconds = f"{found['lowest_confidence']:.5f}", f"{result.seconds:.1f}"
        rows.append([digit, f"{found['confidence']:.5f}", lowest, *shown, found["distinct"], seconds])
    print(table(["digit", "confidence", "lowest", "target", "histogram", "variogram", "distinct", "seconds"], rows))
    finish("default_job", {"runs": chosen["runs"], "generations": chosen["generations"], "digits": results}, chosen["json"])


if __name__ == "__main__":
    main()
