"""What each operator contributes: every prior with its defaults, with each operator switched off, and with each other added.

python benchmarks/operators.py priors=none,histogram,variogram,eigen digits=2,1,8 runs=12 evaluations=100000 seed=0 json=false

Medians over the runs, all at equally many evaluations: cost (÷ that of the defaults, the geometric mean over the digits), terms
(their mean), confidence (of the worst digit), mean distance between two images of a digit, and evaluations to a confidence of
.99 (a run that never has it counts as twice what it had).
"""

from typing import Any

import numpy as np
from measure import finish, table, words
from quality import spread

import fooling
from fooling.kernels.reference import OPERATORS
from fooling.search.objective import TERMS
from fooling.settings import load
from fooling.settings.schema import RunSettings

Row = dict[str, Any]


def jobs(prior: str) -> dict[str, tuple[str, ...]]:
    """name → settings: the defaults, then without each operator that they have, then with each that they lack."""
    chosen = load([f"prior={prior}", "search=ga"], RunSettings, "run").search.model_dump()
    found: dict[str, tuple[str, ...]] = {"defaults": ()}
    has = {name: chosen[operator.setting] not in (0, "none") for name, operator in OPERATORS.items()}
    found |= {f"without {name}": OPERATORS[name].off for name in OPERATORS if has[name]}
    for name, operator in OPERATORS.items():
        for word in operator.on:
            key, value = word.split("=")
            if str(chosen[key]) not in (value, f"{value}.0"):
                found[f"{name}, {word}"] = (word,)
    return found


def measure(prior: str, digit: int, changes: tuple[str, ...], size: Row) -> Row:
    """Medians over the runs of one job."""
    generations = size["evaluations"] // 100 - 1
    changes = ("stop=end", f"generations={generations}", *changes)
    result = fooling.evolve(*changes, digit=digit, prior=prior, search="ga", runs=size["runs"], seed=size["seed"])
    reached = np.where(result.evaluations_to[:, 1] < 0, 2 * size["evaluations"], result.evaluations_to[:, 1])
    return {
        "cost": float(np.median(result.cost)),
        "confidence": float(np.median(result.confidence)),
        "distance": spread(result.images),
        "to .99": int(np.median(reached)),
        "terms": {name: float(np.median(values)) for name, values in result.terms.items()},
    }


def cells(name: str, digits: Row, defaults: Row) -> list[str]:
    """A line of the table: of all digits together."""
    ratio = np.exp(np.mean([np.log(digits[digit]["cost"] / defaults[digit]["cost"]) for digit in digits]))
    terms = [[found["terms"].get(term, np.nan) for found in digits.values()] for term in TERMS]
    return [
        name,
        f"{ratio:.3f}",
        *("–" if np.isnan(values).any() else f"{np.mean(values):.5f}" for values in terms),
        f"{min(found['confidence'] for found in digits.values()):.5f}",
        f"{np.mean([found['distance'] for found in digits.values()]):.2f}",
        ", ".join(f"{found['to .99']:,}" for found in digits.values()),
    ]


def main() -> None:
    """One prior after the other; compilation is done before."""
    chosen = words(priors="none,histogram,variogram,eigen", digits="2,1,8", runs=12, evaluations=100_000, seed=0, json=False)
    fooling.evolve(runs=2, generations=40, prior="eigen")
    size, digits = {name: chosen[name] for name in ("runs", "evaluations", "seed")}, chosen["digits"].split(",")
    result: Row = {**size, "digits": digits, "priors": {}}
    for prior in chosen["priors"].split(","):
        found: Row = {}
        for name, changes in jobs(prior).items():
            found[name] = {digit: measure(prior, int(digit), changes, size) for digit in digits}
        result["priors"][prior] = found
        columns = ["search", "cost ÷ defaults", *TERMS, "confidence", "distance", f"evaluations to .99 ({', '.join(digits)})"]
        rows = [cells(name, row, found["defaults"]) for name, row in found.items()]
        print(f"\nprior={prior}\n" + table(columns, rows), flush=True)
    finish("operators", result, chosen)


if __name__ == "__main__":
    main()
