"""Do ensembles help? Images that an attack without a prior shows to single networks and to ensembles of them until .9999.

python benchmarks/ensembles.py runs=3 budget=40200 json=false

The bundled networks of MNIST, the mean and the smallest of their scores, every digit. A run that does not reach the confidence
counts as longer than all.
"""

import numpy as np
from measure import finish, table, words

import fooling

NETWORKS = ("mnist_mlp", "mnist_mlp2", "mnist_cnn", "mnist_cnn2")
TARGETS = {
    **{name: {"name": name} for name in NETWORKS},
    "mean of both mlps": {"name": "ensemble", "members": list(NETWORKS[:2]), "combine": "mean"},
    "mean of all four": {"name": "ensemble", "members": list(NETWORKS), "combine": "mean"},
    "smallest of both mlps": {"name": "ensemble", "members": list(NETWORKS[:2]), "combine": "minimum"},
    "smallest of all four": {"name": "ensemble", "members": list(NETWORKS), "combine": "minimum"},
}
LEVELS = (0.99, 0.9999)
COLUMNS = ("attacked", "reached .99", "images to .99, median", "reached .9999", "images to .9999, median")


def cells(reached: list[float]) -> list[str]:
    """The share of the runs that reach a confidence, and their median."""
    middle = float(np.median(reached))
    return [f"{100 * np.isfinite(reached).mean():.0f} %", f"{middle:,.0f}" if np.isfinite(middle) else "–"]


def main() -> None:
    """Prints the table."""
    chosen = words(runs=3, budget=40_200, json=False)
    rows, found = [], {}
    for name, classifier in TARGETS.items():
        results = [
            fooling.evolve(
                classifier=classifier, digit=digit, runs=chosen["runs"], budget=chosen["budget"], prior="none",
                stop="threshold", threshold=LEVELS[1], quiet=True,
            )
            for digit in range(10)
        ]  # fmt: skip
        steps = np.concatenate([result.evaluations_to[:, [1, 3]] for result in results]).astype(float)
        steps[steps < 0] = np.inf
        known = [[n if np.isfinite(n) else None for n in column] for column in steps.T]
        found[name] = dict(zip(map(str, LEVELS), known, strict=True))
        rows.append([name, *cells(list(steps[:, 0])), *cells(list(steps[:, 1]))])
        print(rows[-1], flush=True)
    print(table(list(COLUMNS), rows))
    settings = {key: chosen[key] for key in ("runs", "budget")}
    finish("ensembles", {"settings": settings, "columns": list(COLUMNS), "rows": rows, "evaluations": found}, chosen)


if __name__ == "__main__":
    main()
