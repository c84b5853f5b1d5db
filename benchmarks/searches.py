"""Every search before the same question: same network, same digit; and what the sources of the gradient searches report.

python benchmarks/searches.py digit=2 runs=20 data=FOLDER picture=searches.png json=false

`data`: MNIST, whose test images the evolved ones are compared with (by default the folder that FOOLING_DATA names; without
one the column is left out). `picture`: where one image of each search goes.
"""

import os
from typing import Any

import numpy as np
from measure import finish, table, words

import fooling
from fooling.classifiers.detection import of_class, plausibility
from fooling.classifiers.training import Training, train_cnn
from fooling.data import load_data
from fooling.search.prior import percentiles
from fooling.search.weight_feedback import weight_correlation
from fooling.statistics import BUNDLED, Statistics
from fooling.statistics.intervals import wilson_interval

Row = dict[str, Any]
SAME = {  # name → words; all of classifier=mnist_mlp
    "ga, prior=none": ("prior=none",),
    "ga, prior=variogram": ("prior=variogram",),
    "pareto, prior=variogram": ("search=pareto",),
    "anneal, prior=eigen": ("prior=eigen",),
    "ascent, no blur": ("search=ascent", "blur_sd=0"),
    "ascent": ("search=ascent",),
    "ascent from the mean image": ("search=ascent", "start=mean"),
    "ascent, prior=eigen": ("search=ascent", "prior=eigen", "generations=400", "rate=6", "blur_sd=0"),
    "dream of the output": ("search=dream", "classifier=mnist_mlp"),
}
LAYER = {  # all of classifier=digits_perceptron
    "ga, prior=none": ("prior=none", "classifier=digits_perceptron"),
    "ascent": ("search=ascent", "classifier=digits_perceptron"),
    "dream of the output": ("search=dream", "classifier=digits_perceptron"),
    "feedback, decay=0": ("search=feedback", "decay=0"),
    "feedback": ("search=feedback",),
}
TELLING = 0.9  # AUROC from which on a simple statistic gives images away
NETWORKS = {"mnist_mlp": ("mnist_cnn", "mnist_cnn2"), "mnist_cnn": ("mnist_cnn2", "mnist_mlp2")}  # and their judges
CLIMBS = {"no blur": ("blur_sd=0",), "blur": (), "no blur, climb=target": ("blur_sd=0", "climb=target")}


def share(hits: np.ndarray) -> Row:
    """A share with its interval."""
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {"part": int(hits.sum()), "of": len(hits), "low": low, "high": high}


def steps_to(result: Any, level: int = 1) -> float | None:
    """Median evaluations to .99, None if not half of the runs got there."""
    reached = np.sort(np.where(result.evaluations_to[:, level] < 0, np.inf, result.evaluations_to[:, level]))
    middle = float(reached[(len(reached) - 1) // 2])
    return middle if np.isfinite(middle) else None


def basics(name: str, result: Any) -> Row:
    """What every row has."""
    gradients = result.own.get("gradients")
    return {
        "name": name,
        "evaluations": float(np.median(result.evaluations)),
        "gradients": float(np.median(gradients)) if gradients is not None else 0.0,
        "to_99": steps_to(result),
        "confidence": float(np.median(result.confidence)),
        "seconds": result.seconds / len(result.images),
        "judges": {judge: share(scores.argmax(axis=1) == result.digit) for judge, scores in result.judges.items()},
    }


def same_network(digit: int, runs: int, data: str) -> tuple[list[Row], list[np.ndarray]]:
    """The searches against the bundled perceptron of two layers."""
    statistics, rows, shown = Statistics.load(BUNDLED), [], []
    real = of_class(load_data(data, "auto", "test"), digit) if data else None
    for name, said in SAME.items():
        result = fooling.evolve(*said, digit=digit, runs=runs, judges=list(NETWORKS["mnist_mlp"]))
        row = basics(name, result)
        row["variogram"] = 100 * float(np.median(percentiles(statistics, digit, result.images)["variogram"]))
        if real is not None:
            simple = [one for one in plausibility(result.images, real, statistics, digit).values() if one.group != "together"]
            row["telling"], row["simple"] = sum(one.separability >= TELLING for one in simple), len(simple)
        rows.append(row)
        shown.append(typical(result))
        print(row, flush=True)
    return rows, shown


def single_layer(digit: int, runs: int) -> tuple[list[Row], list[np.ndarray]]:
    """The searches against the bundled perceptron of one layer; its judge is trained here, on the same digits."""
    network, rows, shown = fooling.load_classifier("digits_perceptron"), [], []
    training = Training(epochs=60, batch=100, learning_rate=0.1, decay=1e-4, seed=0, shift=0)
    judge = train_cnn(load_data(None, "sklearn", "train"), training, kernel=3, channels=(8, 16), hidden=32)
    for name, said in LAYER.items():
        result = fooling.evolve(*said, digit=digit, runs=runs)
        row = basics(name, result)
        row["judges"] = {"cnn": share(judge(result.images).argmax(axis=1) == digit)}
        row["correlation"] = float(np.median(weight_correlation(result.images, result.classes, network)))
        rows.append(row)
        shown.append(typical(result))
        print(row, flush=True)
    return rows, shown


def climbs(runs: int) -> list[Row]:
    """What blur brings, and which digit comes last: every digit, by two networks."""
    rows = []
    for network, judges in NETWORKS.items():
        for name, said in CLIMBS.items():
            words_ = ("search=ascent", f"classifier={network}", *said)
            results = fooling.evolve(*words_, digit="all", runs=runs, judges=list(judges))
            read = {
                judge: np.concatenate([one.judges[judge].argmax(axis=1) == one.digit for one in results]) for judge in judges
            }
            rows.append(
                {
                    "network": network,
                    "name": name,
                    "judges": {judge: share(hits) for judge, hits in read.items()},
                    "to_99": [steps_to(one) for one in results],
                    "confidence": [float(np.median(one.confidence)) for one in results],
                }
            )
            print(rows[-1], flush=True)
    return rows


def feedbacks(runs: int) -> dict[str, list[float]]:
    """How like the weights a perceptron's dreams are, digit by digit."""
    ways = {"decay=0": ("decay=0",), "decay=0.02": ()}
    return {
        name: [
            float(np.median(one.own["weight_correlation"]))
            for one in fooling.evolve(*said, search="feedback", digit="all", runs=runs)
        ]
        for name, said in ways.items()
    }


def typical(result: Any) -> np.ndarray:
    """The image of median confidence."""
    return np.asarray(result.images[np.argsort(result.confidence, kind="stable")[(len(result.images) - 1) // 2]])


def draw(path: str, rows: dict[str, list[tuple[str, np.ndarray]]]) -> None:
    """One image a search, a row a network."""
    from matplotlib.figure import Figure

    most = max(len(row) for row in rows.values())
    figure = Figure(figsize=(1.25 * most, 1.75 * len(rows)), dpi=110, layout="constrained")
    for part, (network, row) in zip(figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        part.suptitle(network, fontsize=9)
        for place, axes in enumerate(part.subplots(1, most)):
            axes.set_axis_off()
            if place < len(row):
                axes.imshow(row[place][1][:, :, 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                axes.set_title(
                    row[place][0].replace(", ", ",\n").replace(" from ", "\nfrom ").replace(" of ", "\nof "), fontsize=7
                )
    figure.savefig(path)


def main() -> None:
    """All of it."""
    chosen = words(digit=2, runs=20, data=os.environ.get("FOOLING_DATA", ""), picture="", json=False)
    digit, runs = chosen["digit"], chosen["runs"]
    same, shown = same_network(digit, runs, chosen["data"])
    layer, small = single_layer(digit, runs)
    result = {"digit": digit, "runs": runs, "same": same, "layer": layer, "climbs": climbs(runs), "feedback": feedbacks(5)}
    if chosen["picture"]:
        rows = {"mnist_mlp": zip(SAME, shown, strict=True), "digits_perceptron": zip(LAYER, small, strict=True)}
        draw(chosen["picture"], {network: list(row) for network, row in rows.items()})
    rows = [[row["name"], row["evaluations"], row["gradients"], f"{row['confidence']:.5f}"] for row in (*same, *layer)]
    print(table(["search", "evaluations", "gradients", "confidence"], rows))
    finish("searches", result, chosen)


if __name__ == "__main__":
    main()
