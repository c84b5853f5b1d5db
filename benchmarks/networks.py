"""Images per second of processor time of the bundled convolutional network: whole images, and the chains of search=anneal.

python benchmarks/networks.py seconds=2 json=false

Beside the kernels of fooling: the same network compiled by JAX, which scored it before, and by onnxruntime where there is one.
Processor time counts all threads, so that what else runs on the machine matters little; a machine of two cores has twice that.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
from measure import finish, table, words
from problems import engine

from fooling import load_classifier
from fooling.kernels.jax.network import convolutional_activations
from fooling.kernels.tables import Bytes
from fooling.statistics import BUNDLED, Statistics

BATCHES = (1, 100, 1000)
CHAINS = (("numba", 1), ("numba", 20), ("reference", 1))  # engines, and chains side by side
NETWORK = "mnist_cnn"
ROOT = Path(__file__).parent.parent


def rate(work: Callable[[], Any], images: int, seconds: float) -> float:
    """Images per second of processor time; the first call compiles."""
    work()
    calls, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        work()
        calls += 1
    return calls * images / (time.process_time() - start)


def scorers() -> dict[str, Callable[[Bytes], Any]]:
    """What scores images, by name."""
    network = load_classifier(NETWORK)
    compiled = jax.jit(lambda images: convolutional_activations(network.layers, images)["scores"])
    found: dict[str, Callable[[Bytes], Any]] = {
        "fooling": network,
        "JAX": lambda images: np.asarray(compiled(images)),
    }
    if find_spec("onnxruntime") and find_spec("onnx"):
        sys.path.insert(0, str(ROOT / "tests"))
        from models import write_onnx

        path = Path(tempfile.mkdtemp()) / "network.onnx"
        write_onnx(path, network=NETWORK)
        found["onnxruntime"] = load_classifier("onnx", str(path))
    return found


def chain(name: str, runs: int, seconds: float) -> float:
    """Proposals per second of processor time of so many chains under prior=eigen, by an engine."""
    given = ["prior=eigen", "digit=2", f"engine={name}", "search.proposals=100", *(["threads=1"] if name == "numba" else [])]
    search = engine(given, load_classifier(NETWORK), Statistics.load(BUNDLED))
    states = [search.init(np.arange(runs, dtype=np.uint32))]
    return rate(lambda: states.append(search.step(states.pop())), runs * search.params.proposals, seconds)


def main() -> None:
    """Every batch and number of chains."""
    chosen = words(seconds=2.0, json=False)
    noise = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 28, 28, 1), dtype=np.uint8)
    results = []
    for name, score in scorers().items():
        rates = {str(n): rate(partial(score, noise[:n]), n, chosen["seconds"]) for n in BATCHES}
        results.append({"what": name, "rates": rates})
        print(results[-1], flush=True)
    chains = [{"engine": name, "chains": n, "rate": chain(name, n, chosen["seconds"])} for name, n in CHAINS]
    rows = [[row["what"], *(f"{found:,.0f}" for found in row["rates"].values())] for row in results]
    print(table(["scored by", *(f"{n} a call" for n in BATCHES)], rows))
    print(table(["engine", "chains", "proposals/s"], [[row["engine"], row["chains"], f"{row['rate']:,.0f}"] for row in chains]))
    finish("networks", {"network": NETWORK, "results": results, "chains": chains}, chosen)


if __name__ == "__main__":
    main()
