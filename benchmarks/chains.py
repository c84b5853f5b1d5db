"""Evaluations per second of search=anneal on one core: chains of networks of every kind, each prior that uses chains.

python benchmarks/chains.py runs=20 seconds=1 engine=numba data=FOLDER json=false

data: by default $FOOLING_DATA; '' leaves MNIST out. engine=reference scores whole images, which is slow: seconds=0 takes one
generation of each.
"""

import os
import time

import numpy as np
from measure import finish, table, words
from problems import engine
from threadpoolctl import threadpool_limits

from fooling import load_classifier
from fooling.classifiers.base import Classifier
from fooling.commands.train import train_and_test
from fooling.data import load_data
from fooling.settings import load
from fooling.settings.commands import TrainSettings
from fooling.statistics import BUNDLED, Statistics

PRIORS = ("exemplar", "regional", "eigen")
NETWORKS = {  # name → settings of `fooling train`; one epoch, since the speed does not depend on the weights
    "softmax": ("classifier=softmax",),
    "perceptron": ("classifier=perceptron",),
    "mlp hidden=30": ("classifier=mlp", "hidden=30"),
    "mlp hidden=100": ("classifier=mlp", "hidden=100"),
    "mlp hidden=100,50 activation=relu": ("classifier=mlp", "hidden=100,50", "activation=relu"),
}


def networks(source: str) -> dict[str, Classifier]:
    """The networks, trained on scikit-learn's digits (sklearn) or the images in a folder."""
    found, given = {}, "data.kind=sklearn" if source == "sklearn" else f"data.path={source}"
    for name, said in NETWORKS.items():
        settings = load([*said, given, "epochs=1", "quiet=true"], TrainSettings, "train")
        train, test = (load_data(settings.data.path, settings.data.kind, split) for split in ("train", "test"))
        found[name] = train_and_test(settings, train, test)[0]
    return found


def rate(classifier: Classifier, statistics: Statistics, prior: str, runs: int, name: str, seconds: float) -> float:
    """Evaluations per second of processor time of so many chains by an engine, compilation left out."""
    threads = ["threads=1"] if name == "numba" else []
    search = engine([f"prior={prior}", "digit=2", f"engine={name}", *threads], classifier, statistics)
    state = search.step(search.init(np.arange(runs, dtype=np.uint32)))
    generations, start = 0, time.process_time()
    while not generations or time.process_time() - start < seconds:
        state, generations = search.step(state), generations + 1
    return generations * runs * search.params.proposals / (time.process_time() - start)


def main() -> None:
    """Every network on each set of images."""
    chosen = words(runs=20, seconds=1.0, engine="numba", data=os.environ.get("FOOLING_DATA", ""), json=False)
    bundled = {name: load_classifier(name) for name in ("mnist_mlp", "mnist_cnn")}
    sets = {"8×8": (networks("sklearn"), Statistics.fit(load_data(None, "sklearn", "train")))}
    sets["28×28"] = ({**bundled, **(networks(chosen["data"]) if chosen["data"] else {})}, Statistics.load(BUNDLED))
    results = []
    for size, (classifiers, statistics) in sets.items():
        for name, classifier in classifiers.items():
            with threadpool_limits(1, user_api="blas"):
                given = (chosen["runs"], chosen["engine"], chosen["seconds"])
                rates = {prior: rate(classifier, statistics, prior, *given) for prior in PRIORS}
            results.append({"images": size, "network": name, "rates": rates})
            print(results[-1], flush=True)
    rows = [[row["images"], row["network"], *(f"{row['rates'][prior]:,.0f}" for prior in PRIORS)] for row in results]
    print(table(["images", "network", *PRIORS], rows))
    finish("chains", {"runs": chosen["runs"], "engine": chosen["engine"], "results": results}, chosen)


if __name__ == "__main__":
    main()
