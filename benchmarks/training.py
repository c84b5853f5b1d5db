"""How right the networks of `fooling train` become with their defaults, on real MNIST and on scikit-learn's 8×8 digits.

python benchmarks/training.py data=FOLDER json=false     (data: by default $FOOLING_DATA; '' leaves MNIST out)
"""

import os
import time

import numpy as np
from measure import finish, table, words

from fooling.commands.train import TRAINERS, train_and_test
from fooling.data import load_data
from fooling.settings import load
from fooling.settings.commands import TrainSettings

YOURS = ("softmax", "perceptron", "mlp", "cnn")


def trained(name: str, source: list[str]) -> dict[str, float]:
    """Share of the test images that are right, and seconds of training, compilation included."""
    settings = load([f"classifier={name}", "quiet=true", *source], TrainSettings, "train")
    train, test = (load_data(settings.data.path, settings.data.kind, split) for split in ("train", "test"))
    start = time.perf_counter()
    _, counts = train_and_test(settings, train, test)
    return {"right": float(np.trace(counts) / counts.sum()), "seconds": time.perf_counter() - start}


def main() -> None:
    """Every kind on each set."""
    chosen = words(data=os.environ.get("FOOLING_DATA", ""), json=False)
    sources = {"scikit-learn's digits": ["data.kind=sklearn"]}
    if chosen["data"]:
        sources["MNIST"] = [f"data.path={chosen['data']}"]
    names = [name for name in YOURS if name in TRAINERS]
    results = {source: {name: trained(name, given) for name in names} for source, given in sources.items()}
    rows = [
        [
            name,
            *(
                cell
                for found in results.values()
                for cell in (f"{found[name]['right']:.2%}", f"{found[name]['seconds']:.0f} s")
            ),
        ]
        for name in names
    ]
    print(table(["classifier", *(word for source in results for word in (source, "seconds"))], rows))
    finish("training", {"results": results}, chosen)


if __name__ == "__main__":
    main()
