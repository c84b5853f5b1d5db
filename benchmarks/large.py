"""Large images and many classes: genome × search × classes on any model.

python benchmarks/large.py model=FILE.onnx scale=1 mean=127 std=128 shape= classes=20 draw=0 runs=1 seed=0 budget=10000 \
    variants=all digit= name=large json=false

`classes` target classes are drawn with the seed `draw`; or digit=any. A variant is a name of VARIANTS, several separated by
commas. A run that does not reach a confidence counts with its budget: medians are censored, with bootstrap intervals (95 %).
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import finish, table, words

import fooling
from fooling.search.state import MILESTONES

VARIANTS: dict[str, dict[str, Any]] = {
    "es": {"search": "es"},
    "es-unpaired": {"search": "es", "antithetic": False},
    "es-grid": {"search": "es", "genome": "grid"},
    "es-cppn": {"search": "es", "genome": "cppn"},
    "es-pixels": {"search": "es", "genome": "pixels"},
    "ga": {"search": "ga", "prior": "none", "stop": "threshold"},
}
SHOWN = (0.99, 0.9999)


def measure(variant: dict[str, Any], digits: list[Any], classifier: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Evaluations to each milestone for every class and run, −1 where it was not reached."""
    start, found, confidence = time.perf_counter(), [], []
    for digit in digits:
        size = {"runs": chosen["runs"], "budget": chosen["budget"], "seed": chosen["seed"]}
        result = fooling.evolve(classifier=classifier, digit=digit, **size, **variant)
        found += result.evaluations_to.tolist()
        confidence += result.confidence.tolist()
    return {"evaluations_to": found, "confidence": confidence, "seconds": time.perf_counter() - start}


def censored_median(reached: list[int], budget: int) -> tuple[float, float, float]:
    """The median, and its bootstrap interval; what was not reached counts as the budget."""
    values = np.where(np.array(reached) < 0, budget, reached)
    draws = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def row(name: str, found: dict[str, Any], budget: int) -> list[str]:
    """A line of the table."""
    cells = [name]
    for level in SHOWN:
        reached = [one[MILESTONES.index(level)] for one in found["evaluations_to"]]
        middle, low, high = censored_median(reached, budget)
        there = sum(number > 0 for number in reached)
        most = ">" if there < len(reached) / 2 else ""
        cells += [f"{there} of {len(reached)}", f"{most}{middle:,.0f} ({low:,.0f}–{high:,.0f})"]
    return [*cells, f"{np.median(found['confidence']):.4f}", f"{found['seconds']:,.0f}"]


def main() -> None:
    """All variants, one after the other."""
    chosen = words(
        model="",
        scale="1/255",
        mean="0",
        std="1",
        shape="",
        classes=20,
        draw=0,
        runs=1,
        seed=0,
        budget=10_000,
        variants="all",
        digit="",
        name="large",
        json=False,
    )
    if not Path(chosen["model"]).is_file():
        raise SystemExit("model: expected an ONNX file, such as model=efficientnet.onnx scale=1 mean=127 std=128")
    classifier: dict[str, Any] = {"name": "onnx", "path": chosen["model"]}
    classifier |= {name: chosen[name] for name in ("scale", "mean", "std", "shape") if chosen[name]}
    number = fooling.load_classifier(classifier).num_classes
    drawn = np.random.default_rng(chosen["draw"]).choice(number, min(chosen["classes"], number), replace=False)
    digits = [chosen["digit"]] if chosen["digit"] else drawn.tolist()
    names = list(VARIANTS) if chosen["variants"] == "all" else chosen["variants"].split(",")
    results = {}
    columns = ["variant", *(f"{what} {level:g}" for level in SHOWN for what in ("reached", "evaluations to"))]
    for name in names:
        results[name] = measure(VARIANTS[name], digits, classifier, chosen)
        print(row(name, results[name], chosen["budget"]), flush=True)
    shown = [row(name, found, chosen["budget"]) for name, found in results.items()]
    print(table([*columns, "confidence", "seconds"], shown))
    about = {name: chosen[name] for name in ("draw", "runs", "seed", "budget")}
    about |= {"model": Path(chosen["model"]).stem, "digits": digits, "columns": columns, "rows": shown}
    finish(chosen["name"], {**about, "variants": results}, chosen)


if __name__ == "__main__":
    main()
