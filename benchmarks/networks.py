"""Images per second of processor time of the bundled convolutional network; chains of search=anneal: benchmarks/chains.py.

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

from fooling import load_classifier
from fooling.kernels.jax.network import convolutional_activations
from fooling.kernels.tables import Bytes

BATCHES = (1, 100, 1000)
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


def main() -> None:
    """Every batch."""
    chosen = words(seconds=2.0, json=False)
    noise = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 28, 28, 1), dtype=np.uint8)
    results = []
    for name, score in scorers().items():
        rates = {str(n): rate(partial(score, noise[:n]), n, chosen["seconds"]) for n in BATCHES}
        results.append({"what": name, "rates": rates})
        print(results[-1], flush=True)
    rows = [[row["what"], *(f"{found:,.0f}" for found in row["rates"].values())] for row in results]
    print(table(["scored by", *(f"{n} a call" for n in BATCHES)], rows))
    finish("networks", {"network": NETWORK, "results": results}, chosen)


if __name__ == "__main__":
    main()
