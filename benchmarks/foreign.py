"""A foreign classifier, a network of LeNet's class as an ONNX model: how much of a search it takes, and what fooling it costs.

python benchmarks/foreign.py population=1000 threads=2 generations=100 runs=20 budget=40200 labels_budget=100000 json=false

The model is the bundled convolutional network (tests/models.py); it needs onnx and the extra [onnx]. First the share of
the search's time that is spent within the model, prior=none; then, for every digit, how many of the runs reach a confidence of
.9999 within the budget, and after how many evaluations. Last, the same network by its labels alone: what one search of
`labels_budget` images a digit finds, with the confidence that the search never sees, measured afterwards.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import finish, table, words

import fooling
from fooling.classifiers import load_classifier

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from models import write_onnx

REPEATS = 3


class Timed:
    """A classifier that keeps the seconds it takes."""

    def __init__(self, classifier: Any) -> None:
        self.inner, self.seconds = classifier, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, images: Any) -> Any:
        """Scores."""
        start = time.perf_counter()
        scores = self.inner(images)
        self.seconds += time.perf_counter() - start
        return scores


def time_shares(path: str, chosen: dict[str, Any]) -> list[dict[str, float]]:
    """Seconds of a search of one population, and of its classifier; the first repetition also compiles and is left out."""
    from fooling.run import prepare
    from fooling.search.job import make_search
    from fooling.settings import load
    from fooling.settings.schema import RunSettings

    names = ("population", "generations")
    given = [f"{name}={chosen[name]}" for name in names] + [f"engine.threads={chosen['threads']}"]
    settings = load(["prior=none", "classifier=onnx", f"classifier.path={path}", *given], RunSettings)
    (job,) = prepare(settings)
    timed = Timed(job.objective.classifier)
    object.__setattr__(job.objective, "classifier", timed)
    found = []
    for _ in range(REPEATS + 1):
        engine, timed.seconds = make_search(job), 0.0
        start = time.perf_counter()
        state = engine.init(np.arange(1, dtype=np.uint32))
        for _ in range(chosen["generations"]):
            state = engine.step(state)
        seconds = time.perf_counter() - start
        evaluations = chosen["population"] * (chosen["generations"] + 1)
        found.append({"seconds": seconds, "classifier": timed.seconds, "rate": evaluations / seconds})
    return found[1:]


def fooled(path: str, digit: int, chosen: dict[str, Any]) -> dict[str, Any]:
    """How many runs reach .9999 within the budget, and after how many evaluations."""
    size = {"runs": chosen["runs"], "budget": chosen["budget"]}
    result = fooling.evolve("classifier=onnx", f"classifier.path={path}", prior="none", digit=digit, **size)
    reached = result.evaluations_to[:, 3]
    there = reached[reached > 0]
    return {
        "digit": digit,
        "reached": len(there),
        "of": len(reached),
        "median": float(np.median(there)) if len(there) else None,
        "most": int(there.max()) if len(there) else None,
    }


def by_labels(digit: int, chosen: dict[str, Any]) -> dict[str, Any]:
    """What one search finds that sees labels alone: the share of votes, and the confidence of the network."""
    network, classes = load_classifier("mnist_cnn"), ",".join(map(str, range(10)))

    def labels(inputs: Any) -> Any:
        return network(np.rint(inputs * 255).astype(np.uint8)).argmax(axis=1)

    words = ["classifier.output=label", f"classifier.labels={classes}", "search=es", "stop=end", "runs=1", "prior=none"]
    result = fooling.evolve(*words, classifier=labels, digit=digit, budget=chosen["labels_budget"], quiet=True)
    confidence = float(network(result.images)[0, digit])
    return {"digit": digit, "votes": float(result.confidence[0]), "confidence": confidence, "shown": result.total_evaluations}


def number(value: float | None) -> str:
    """A number of evaluations, where there is one."""
    return "–" if value is None else f"{value:,.0f}"


def main() -> None:
    """Both parts."""
    chosen = words(population=1000, threads=2, generations=100, runs=20, budget=40_200, labels_budget=100_000, json=False)
    with tempfile.TemporaryDirectory() as folder:
        path = str(write_onnx(Path(folder) / "lenet.onnx"))
        times = time_shares(path, chosen)
        share = float(np.median([one["classifier"] / one["seconds"] for one in times]))
        rate = float(np.median([one["rate"] for one in times]))
        print(f"{share:.1%} of the time in the classifier, {rate:,.0f} evaluations/s\n")
        rows = [fooled(path, digit, chosen) for digit in range(10)]
    shown = [[row["digit"], f"{row['reached']} of {row['of']}", number(row["median"]), number(row["most"])] for row in rows]
    print(table(["digit", "runs at .9999", "evaluations, median", "most"], shown))
    result = {**{name: chosen[name] for name in ("population", "threads", "budget")}, "share": share, "rate": rate}
    blind = [by_labels(digit, chosen) for digit in range(10)]
    columns = ["digit", "share of votes", "true confidence", "images shown"]
    print("\nlabels only\n")
    print(
        table(
            columns, [[row["digit"], f"{row['votes']:.2f}", f"{row['confidence']:.4f}", f"{row['shown']:,}"] for row in blind]
        )
    )
    print(f"{sum(row['confidence'] >= 0.99 for row in blind)} of 10 at .99")
    finish("foreign", {**result, "digits": rows, "labels": blind}, chosen)


if __name__ == "__main__":
    main()
