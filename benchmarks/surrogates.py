"""Do a surrogate's gradients fool another network? Images shown to the attacked one until .99, with and without a surrogate.

python benchmarks/surrogates.py runs=5 generations=500 json=false

The bundled networks of MNIST, as black boxes: each attacked by scores alone (`search=es`), and by gradients of another one from
noise and after 60 images by scores alone. A run that does not reach .99 counts as longer than all.
"""

from typing import Any

import numpy as np
from measure import finish, table, words

import fooling

PAIRS = (  # attacked, surrogate
    ("mnist_mlp2", "mnist_mlp"),
    ("mnist_mlp", "mnist_mlp2"),
    ("mnist_cnn2", "mnist_cnn"),
    ("mnist_cnn2", "mnist_mlp"),
    ("mnist_mlp", "mnist_cnn"),
)
START = 60  # images by scores alone
LEVEL = 0.99
COLUMNS = ("attacked", "surrogate", "attack", "reached .99", "images shown, median", "gradients of the surrogate, median")


def attack(classifier: str, chosen: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Runs of every digit: how many reach .99, and medians of evaluations and gradients; inf where most do not."""
    evaluations, gradients = [], []
    for digit in range(10):
        result = fooling.evolve(
            classifier=classifier, digit=digit, runs=chosen["runs"], prior="none", stop="threshold", threshold=LEVEL,
            quiet=True, **given,
        )  # fmt: skip
        evaluations += [n if done else np.inf for n, done in zip(result.evaluations, result.converged, strict=True)]
        gradients += list(result.own.get("gradients", np.zeros(len(result.images))))
    reached = float(np.isfinite(evaluations).mean())
    middle = float(np.median(evaluations))
    shown = middle if np.isfinite(middle) else None
    return {"reached": reached, "evaluations": shown, "gradients": float(np.median(gradients))}


def main() -> None:
    """Prints the table."""
    chosen = words(runs=5, generations=500, json=False)
    rows, found = [], []
    for attacked, surrogate in PAIRS:
        climbing = {"search": "ascent", "surrogate": surrogate, "generations": chosen["generations"]}
        attacks = {
            "scores alone": {"search": "es", "budget": START + chosen["generations"]},
            "surrogate": climbing,
            f"{START} images by scores, then the surrogate": {**climbing, "black_box": START},
        }
        for name, given in attacks.items():
            one = attack(attacked, chosen, **given)
            found.append({"attacked": attacked, "surrogate": surrogate, "attack": name, **one})
            median = "–" if one["evaluations"] is None else f"{one['evaluations']:,.0f}"
            gradients = f"{one['gradients']:,.0f}" if given["search"] == "ascent" else "0"
            rows.append([attacked, surrogate, name, f"{100 * one['reached']:.0f} %", median, gradients])
    print(table(list(COLUMNS), rows))
    settings = {key: chosen[key] for key in ("runs", "generations")}
    finish("surrogates", {"settings": settings, "columns": list(COLUMNS), "rows": rows, "attacks": found}, chosen)


if __name__ == "__main__":
    main()
