"""How good the images are: each prior against the goals of its rung, on real MNIST, beside the control.

python benchmarks/quality.py data=FOLDER runs=30 exemplars=200 pairs=10 seed=0 json=false     (data: by default $FOOLING_DATA)

prior=none and variogram stand alone. prior=exemplar (`exemplars` runs a digit) is compared with real test images, beside as
many real training images. prior=regional and eigen are judged by the two convolutional networks, with the classifier and
without it (control). Mismatched pairs: `pairs` images each. 0 leaves a part out. All takes about twelve minutes.
"""

import os
import sys
from functools import partial
from typing import Any

import numpy as np
from measure import finish, table, words

import fooling
from fooling.commands.matrix import content, plan
from fooling.data import ImageSet, load_data
from fooling.kernels import numba
from fooling.run import prepare, run_job
from fooling.settings import load
from fooling.settings.commands import MatrixSettings
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED
from fooling.statistics.intervals import mean_pairwise_distance, wilson_interval

DIGITS = range(10)
JUDGES = "judges=[mnist_cnn,mnist_cnn2]"
Row = dict[str, Any]
DATA = {"path": ""}  # where the training images lie


def main() -> None:
    """Runs the rungs one after the other; compilation is done before."""
    chosen = words(data=os.environ.get("FOOLING_DATA", ""), runs=30, exemplars=200, pairs=10, seed=0, json=False)
    if not chosen["data"]:
        sys.exit("data=FOLDER: expected a folder with MNIST's four files (fooling data get mnist FOLDER)")
    DATA["path"] = chosen["data"]
    test, size = load_data(chosen["data"], split="test"), {"runs": chosen["runs"], "seed": chosen["seed"]}
    for prior in ("none", "variogram", "regional", "eigen"):
        fooling.evolve(JUDGES, prior=prior, runs=2, generations=60)
    result: Row = {**size, "exemplars": chosen["exemplars"], "rungs": {}}
    for name, rung in RUNGS.items():
        own = {**size, "runs": chosen["exemplars"]} if name == "exemplar" else size
        if not own["runs"]:
            continue
        rows = [rung(digit, test, own) for digit in DIGITS]
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
    low, high = wilson_interval(int(flags.sum()), len(flags))
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
    images = of_class(test, digit)
    real = numba.variogram_term(images, np.zeros(len(images), np.int64), *job.objective.arguments["variogram"])
    least = float(np.quantile(real, 0.05))
    return {
        "≥ .999 and below real 5 %": share((found.confidence >= 0.999) & (found.terms["variogram"] < least)),
        "median confidence": round(float(np.median(found.confidence)), 5),
        "variogram term": round(float(np.median(found.terms["variogram"])), 4),
        "real 5 %": round(least, 4),
        "seconds an image": round(found.seconds / size["runs"], 3),
    }


def exemplar(digit: int, test: ImageSet, size: Row) -> Row:
    """How well mean grey, black share and each lag tell the images from real ones, beside as many training images."""
    found = fooling.evolve(digit=digit, prior="exemplar", **size)
    own = of_class(load_data(DATA["path"]), digit)
    real, own = of_class(test, digit), own[np.linspace(0, len(own) - 1, size["runs"]).astype(int)]
    statistics = fooling.Statistics.load(BUNDLED)
    (evolved, told), (training, _) = (areas(images, real, statistics, digit) for images in (found.images, own))
    return {
        "AUROC from": round(min(evolved), 2),
        "to": round(max(evolved), 2),
        "training images from": round(min(training), 2),
        "their to": round(max(training), 2),
        "all together": round(told["together"].auroc, 2),
        "those no term knows": round(told["together_none"].auroc, 2),
        "confidence ≥ .999": share(found.confidence >= 0.999),
        "median confidence": round(float(np.median(found.confidence)), 5),
        "seconds an image": round(found.seconds / size["runs"], 3),
    }


def areas(images: np.ndarray, real: np.ndarray, statistics: fooling.Statistics, digit: int) -> tuple[list[float], Row]:
    """AUROC of x and of the distance from the real median, of mean grey, black share and each lag; and every comparison."""
    rows = fooling.plausibility(images, real, statistics, digit)
    simple = [row for name, row in rows.items() if name in ("mean_grey", "black_share") or name.startswith("variogram")]
    return [area for row in simple for area in (row.auroc, row.auroc_distance)], rows


def eigen(digit: int, test: ImageSet, size: Row, prior: str = "eigen", is_control: bool = False) -> Row:
    """What the two convolutional judges read, and how far apart the images are."""
    found = fooling.evolve(JUDGES, digit=digit, prior=prior, control=is_control, **size)
    read = np.logical_and.reduce([scores.argmax(axis=1) == digit for scores in found.judges.values()])
    real = of_class(test, digit)[: size["runs"]]
    return {
        "read by both judges": share(read),
        "confidence ≥ .999": share(found.confidence >= 0.999),
        "median confidence": round(float(np.median(found.confidence)), 5),
        "distance ÷ real": round(mean_pairwise_distance(found.images) / mean_pairwise_distance(real), 2),
        "seconds an image": round(found.seconds / size["runs"], 3),
    }


def of_class(data: ImageSet, digit: int) -> np.ndarray:
    """The images of a class."""
    return np.ascontiguousarray(data.images[data.labels == digit])


def mismatched(runs: int, seed: int) -> Row:
    """`fooling matrix`, as a dictionary."""
    settings = load([f"runs={runs}", f"seed={seed}"], MatrixSettings, "matrix")
    entries = plan(settings, []).entries
    return content(entries, [run_job(entry.job) for entry in entries])


RUNGS = {
    "none": none,
    "variogram": variogram,
    "exemplar": exemplar,
    "regional": partial(eigen, prior="regional"),
    "regional, control": partial(eigen, prior="regional", is_control=True),
    "eigen": eigen,
    "eigen, control": partial(eigen, is_control=True),
}

if __name__ == "__main__":
    main()
