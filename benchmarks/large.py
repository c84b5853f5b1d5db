"""Large images and many classes: genome × search × classes on any model.

python benchmarks/large.py model=FILE.onnx scale=1 mean=127 std=128 shape= classes=20 draw=0 runs=1 seed=0 budget=10000 \
    variants=all levels=0.99,0.9999 digit= name=large json=false

`classes` target classes are drawn with the seed `draw`, 0 = all; or digit=any. A variant is a name of VARIANTS, several
separated by commas. A run that does not reach a confidence counts with its budget: medians are censored, with bootstrap
intervals (95 %). With search=map_elites one job searches for all classes; evaluations and budget are those of all together, and
each of `runs` jobs has another seed.
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
    "es-unpatched": {"search": "es", "patch": 0},
    "es-unpaired": {"search": "es", "antithetic": False},
    "es-grid": {"search": "es", "genome": "grid"},
    "es-cppn": {"search": "es", "genome": "cppn"},
    "es-pixels": {"search": "es", "genome": "pixels"},
    "ga": {"search": "ga", "prior": "none", "stop": "threshold"},
    "map_elites": {"search": "map_elites"},
    "map_elites-unpatched": {"search": "map_elites", "patch": 0},
    "map_elites-crossover": {"search": "map_elites", "crossovers": 1.0},
    "map_elites-line": {"search": "map_elites", "crossovers": 0.0},
    "map_elites-mutation": {"search": "map_elites", "crossovers": 0.0, "line_sd": 0.0},
    "map_elites-dct": {"search": "map_elites", "genome": "dct"},
    "map_elites-grid": {"search": "map_elites", "genome": "grid"},
    "nguyen2015": {"preset": "nguyen2015"},
}
MODEL: dict[str, Any] = {
    "model": "",
    "scale": "1/255",
    "mean": "0",
    "std": "1",
    "shape": "",
    "classes": 20,
    "draw": 0,
    "runs": 1,
}
MANY = 50  # classes of which each is kept
JOINT = ("map_elites", "nguyen2015")  # how variants begin that have one job for all classes


def measure(name: str, digits: list[Any], classifier: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Evaluations to each milestone for every class and run, −1 where it was not reached."""
    start, found, confidence, joint = time.perf_counter(), [], [], name.startswith(JOINT)
    size = {"budget": chosen["budget"], **({"generations": 100_000_000} if joint else {"runs": chosen["runs"]})}
    jobs = [(digits, seed) for seed in range(chosen["runs"])] if joint else [(digit, 0) for digit in digits]
    for digit, seed in jobs:
        size["seed"] = chosen["seed"] + seed
        result = fooling.evolve(classifier=classifier, digit=digit, **{**VARIANTS[name], **size})
        found += result.evaluations_to.tolist()
        confidence += result.confidence.tolist()
    return {"evaluations_to": found, "confidence": confidence, "seconds": time.perf_counter() - start}


def drawn(number: int, chosen: dict[str, Any]) -> list[int]:
    """Some of so many classes, drawn with the seed `draw`; all of them for classes=0."""
    wanted = min(chosen["classes"] or number, number)
    if wanted == number:
        return list(range(number))
    found: list[int] = np.random.default_rng(chosen["draw"]).choice(number, wanted, replace=False).tolist()
    return found


def censored_median(reached: list[int], budget: int) -> tuple[float, float, float]:
    """The median, and its bootstrap interval; what was not reached counts as the budget."""
    values = np.where(np.array(reached) < 0, budget, reached)
    draws = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def row(name: str, found: dict[str, Any], budget: int, levels: list[float]) -> list[str]:
    """A line of the table: classes and evaluations to each of some milestones."""
    cells = [name]
    for level in levels:
        reached = [one[MILESTONES.index(level)] for one in found["evaluations_to"]]
        middle, low, high = censored_median(reached, budget)
        there = sum(number > 0 for number in reached)
        most = ">" if there < len(reached) / 2 else ""
        cells += [f"{there} of {len(reached)}", f"{most}{middle:,.0f} ({low:,.0f}–{high:,.0f})"]
    return [*cells, f"{np.median(found['confidence']):.4f}", f"{found['seconds']:,.0f}"]


def brief(found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of very many classes: quartiles of the confidences, and how many classes reached each milestone."""
    reached = (np.array(found["evaluations_to"]) >= 0).sum(axis=0).tolist()
    quartiles = np.quantile(found["confidence"], (0.25, 0.5, 0.75)).tolist()
    return {
        "quartiles": quartiles,
        "reached": dict(zip(map(str, MILESTONES), reached, strict=True)),
        "seconds": found["seconds"],
    }


def main() -> None:
    """All variants, one after the other."""
    chosen = words(
        **MODEL,
        seed=0,
        budget=10_000,
        variants="all",
        digit="",
        levels="0.99,0.9999",
        name="large",
        json=False,
    )
    if not Path(chosen["model"]).is_file():
        raise SystemExit("model: expected an ONNX file, such as model=efficientnet.onnx scale=1 mean=127 std=128")
    classifier: dict[str, Any] = {"name": "onnx", "path": chosen["model"]}
    classifier |= {name: chosen[name] for name in ("scale", "mean", "std", "shape") if chosen[name]}
    digits = [chosen["digit"]] if chosen["digit"] else drawn(fooling.load_classifier(classifier).num_classes, chosen)
    names = list(VARIANTS) if chosen["variants"] == "all" else chosen["variants"].split(",")
    results = {}
    levels = [float(level) for level in chosen["levels"].split(",")]
    columns = ["variant", *(f"{what} {level:g}" for level in levels for what in ("reached", "evaluations to"))]
    columns += ["confidence", "seconds"]
    for name in names:
        results[name] = measure(name, digits, classifier, chosen)
        print(row(name, results[name], chosen["budget"], levels), flush=True)
    shown = [row(name, found, chosen["budget"], levels) for name, found in results.items()]
    print(table(columns, shown))
    about = {name: chosen[name] for name in ("draw", "runs", "seed", "budget")}
    about |= {"model": Path(chosen["model"]).stem, "digits": digits, "columns": columns, "rows": shown}
    kept = results if len(digits) <= MANY else {name: brief(found) for name, found in results.items()}
    finish(chosen["name"], {**about, "variants": kept}, chosen)


if __name__ == "__main__":
    main()
