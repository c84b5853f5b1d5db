"""How good the images are: each prior against the goals of its rung, on real MNIST, beside the control.

python benchmarks/quality.py data=FOLDER runs=30 pairs=10 seed=0 json=false     (data: by default $FOOLING_DATA)

prior=none and variogram stand alone; prior=eigen is judged by the two convolutional networks, with the classifier and without
it (control); mismatched pairs (`pairs` images each, 0 leaves them out) take about four minutes.
"""

import os
import sys
from typing import Any

import numpy as np
from measure import finish, table, words

import fooling
from fooling.data import ImageSet, load_data
from fooling.job import prepare
from fooling.judges import spread, wilson
from fooling.kernels import numba_
from fooling.matrix import summary
from fooling.run import run_job
from fooling.settings import RunSettings, load

DIGITS = range(10)
JUDGES = "judges=[mnist_cnn,mnist_cnn2]"
Row = dict[str, Any]


def main() -> None:
    """Runs the rungs one after the other; compilation is done before."""
    chosen = words(data=os.environ.get("FOOLING_DATA", ""), runs=30, pairs=10, seed=0, json=False)
    if not chosen["data"]:
        sys.exit("data=FOLDER: expected a folder with MNIST's four files (fooling data get mnist FOLDER)")
    test, size = load_data(chosen["data"], split="test"), {"runs": chosen["runs"], "seed": chosen["seed"]}
    for prior in ("none", "variogram", "eigen"):
        fooling.evolve(JUDGES, prior=prior, runs=2, generations=60)
    fooling.evolve("preset=mismatched", digit=4, runs=2, generations=2)
    result: Row = {**size, "rungs": {}}
    for name, rung in (("none", none), ("variogram", variogram), ("eigen", eigen), ("eigen, control", control)):
        rows = [rung(digit, test, size) for digit in DIGITS]
        result["rungs"][name] = rows
        print(
            f"\nprior={name}\n" + table(["digit", *rows[0]], [[digit, *rows[digit].values()] for digit in DIGITS]), flush=True
        )
    if chosen["pairs"]:
        result["mismatched"] = mismatched(chosen["pairs"], chosen["seed"])
        shares = ("pairs_fooled", "images_fooled", "images_transferred")
        rows = [[name, *(round(result["mismatched"][name][key], 3) for key in ("share", "low", "high"))] for name in shares]
        print("\npreset=mismatched\n" + table(["", "share", "95 % from", "to"], rows))
    finish("quality", result, chosen)


def share(flags: np.ndarray) -> str:
    """A share of images with its 95 % interval."""
    low, high = wilson(int(flags.sum()), len(flags))
    return f"{flags.mean():.0%} ({low:.0%}–{high:.0%})"


def none(digit: int, _test: ImageSet, size: Row) -> Row:
    """Confidence ≥ .9999 within 100,000 evaluations; evaluations to .99, which count as unreached where they are −1."""
    found = fooling.evolve(digit=digit, prior="none", budget=100_000, **size)
    reached = np.where(found.evaluations_to < 0, np.iinfo(np.int64).max, found.evaluations_to)
    return {
        "≥ .9999 within 100,000": share(found.converged),
        "median evaluations to .99": int(np.median(reached[:, 1])),
        "to .9999": int(np.median(reached[:, 3])),
        "seconds an image": round(found.seconds / size["runs"], 4),
    }


def variogram(digit: int, test: ImageSet, size: Row) -> Row:
    """Confidence, and the variogram term below the 5th percentile of real images' (test set)."""
    found = fooling.evolve(digit=digit, prior="variogram", **size)
    (job,) = prepare(load([f"digit={digit}", "prior=variogram"], RunSettings, "run"))
    real = numba_.variogram_term(of_class(test, digit), *job.objective.arguments["variogram"])
    least = float(np.quantile(real, 0.05))
    return {
        "≥ .999 and below real 5 %": share((found.confidence >= 0.999) & (found.terms["variogram"] < least)),
        "median confidence": round(float(np.median(found.confidence)), 5),
        "variogram term": round(float(np.median(found.terms["variogram"])), 4),
        "real 5 %": round(least, 4),
        "seconds an image": round(found.seconds / size["runs"], 3),
    }


def eigen(digit: int, test: ImageSet, size: Row, is_control: bool = False) -> Row:
    """What the two convolutional judges read, and how far apart the images are."""
    found = fooling.evolve(JUDGES, digit=digit, prior="eigen", control=is_control, **size)
    read = np.logical_and.reduce([scores.argmax(axis=1) == digit for scores in found.judges.values()])
    real = of_class(test, digit)[: size["runs"]]
    return {
        "read by both judges": share(read),
        "confidence ≥ .999": share(found.confidence >= 0.999),
        "median confidence": round(float(np.median(found.confidence)), 5),
        "distance ÷ real": round(spread(found.images) / spread(real), 2),
        "seconds an image": round(found.seconds / size["runs"], 3),
    }


def control(digit: int, test: ImageSet, size: Row) -> Row:
    """The same without the classifier."""
    return eigen(digit, test, size, is_control=True)


def of_class(data: ImageSet, digit: int) -> np.ndarray:
    """The images of a class."""
    return np.ascontiguousarray(data.images[data.labels == digit])


def mismatched(runs: int, seed: int) -> Row:
    """`fooling matrix`, as a dictionary."""
    settings = load(["preset=mismatched", "digit=all", f"runs={runs}", f"seed={seed}"], RunSettings, "run")
    jobs = prepare(settings, mismatched=True)
    return summary(jobs, [run_job(job) for job in jobs])


if __name__ == "__main__":
    main()
