"""Microseconds an image of every kernel, numba beside the reference, on one core.

python benchmarks/kernels.py images=2000 changes=2 json=false, or with pytest-benchmark: pytest benchmarks/kernels.py
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from measure import finish, table, words
from problems import problem
from threadpoolctl import threadpool_limits

from fooling.kernels import numba, reference
from fooling.kernels.numba.delta_operators import changed_children
from fooling.kernels.numba.delta_penalties import Changes, transpose
from fooling.search.genetic.delta import SCORES, make_delta_terms

SHAPE = (28, 28, 1)
Kernel = Callable[[], Any]


def kernels(images: int = 2000, changes: int = 2) -> dict[str, tuple[Kernel, Kernel | None]]:
    """name → (numba, reference or None), each for so many images or for children with so many changed pixels."""
    engine = problem("2015")
    runs = np.arange(images // 100, dtype=np.uint32)
    state = engine.init(runs)
    recipe = engine.inputs(state, 1)
    numbers = (np.arange(len(runs))[:, None] * recipe.stride + np.arange(100)).reshape(-1)
    children, _ = numba.breed(recipe, numbers)
    batch = children.reshape(-1, *SHAPE)
    some = slice(0, max(1, images // 100))  # the reference is slow
    found = dict(breeding_kernels(engine, state, recipe, numbers))
    for part in (part for part in make_delta_terms(engine.objective) if part.statistic):
        statistic, name = part.statistic, part.name
        changed, counts = changes_of(batch, changes), statistic.measure(batch, *part.arguments)
        exact = engine.objective.classifier if name == SCORES else reference.PENALTIES[name]
        arguments = () if name == SCORES else part.arguments
        found[f"{name}, in full"] = (
            lambda part=part: part.in_full(batch),
            lambda exact=exact, arguments=arguments: exact(batch[some], *arguments),
        )
        found[f"{name}, {changes} pixels changed"] = (
            lambda statistic=statistic, part=part, counts=counts, changed=changed: statistic.value(
                statistic.update(counts, changed, SHAPE, *part.arguments), SHAPE, *part.arguments
            ),
            None,
        )
    costs = np.random.default_rng(0).random((len(runs), 100), dtype=np.float32)
    found["select 5 of 100"] = (
        lambda: numba.truncation_selection(costs, costs[:, :0], 5),
        lambda: reference.truncation_selection(costs, 5),
    )
    return found


def breeding_kernels(engine: Any, state: Any, recipe: Any, numbers: np.ndarray) -> dict[str, tuple[Kernel, Kernel | None]]:
    """First populations, children in full, children as changes once the parents are nearly alike."""
    late = state
    for _ in range(60):
        late = engine.step(late)
    recipe_late, b = engine.inputs(late, 61), engine.params
    redraw = b.redraw_thresholds(state.costs)[:1]
    return {
        "start": (
            lambda: numba.start(recipe, 784, numbers),
            lambda: reference.start(b.tables, 0, state.runs[:1], len(numbers) // 100, SHAPE),
        ),
        "breed": (
            lambda: numba.breed(recipe, numbers),
            lambda: reference.breed(
                state.images[:1], b.tables, redraw, b.swap, True, 0, 1, state.runs[:1], len(numbers) // 100
            ),
        ),
        "find changes, generation 61": (lambda: changed_children(recipe_late, engine.limit, numbers), None),
    }


def changes_of(batch: np.ndarray, each: int) -> Changes:
    """Children of the images of a batch with so many changed pixels each."""
    random, n = np.random.default_rng(0), len(batch)
    pixels = np.concatenate([random.choice(784, each, replace=False) for _ in range(n)]).astype(np.int32)
    levels, rows = random.integers(0, 256, n * each, dtype=np.uint8), np.arange(n)
    transposed = transpose(batch)
    return Changes(batch.reshape(n, -1), transposed, rows, np.arange(n + 1) * each, pixels, levels)


def seconds(kernel: Kernel) -> float:
    """The median of several calls."""
    kernel()
    tries = []
    for _ in range(9):
        start = time.perf_counter()
        kernel()
        tries.append(time.perf_counter() - start)
    return statistics.median(tries)


def main() -> None:
    """Times every kernel; the reference on a hundredth of the images."""
    chosen = words(images=2000, changes=2, json=False)
    results = {}
    with threadpool_limits(1, user_api="blas"):
        for name, (fast, slow) in kernels(chosen["images"], chosen["changes"]).items():
            few = len(range(chosen["images"])) if "select" in name else max(1, chosen["images"] // 100)
            results[name] = {
                "numba": seconds(fast) / chosen["images"] * 1e6,
                "reference": seconds(slow) / few * 1e6 if slow else None,
            }
    rows = [
        [name, f"{found['numba']:.3f}", f"{found['reference']:.1f}" if found["reference"] else "–"]
        for name, found in results.items()
    ]
    print(table(["µs an image, one core", "numba", "reference"], rows))
    finish("kernels", {**{key: chosen[key] for key in ("images", "changes")}, "microseconds": results}, chosen)


def pytest_generate_tests(metafunc: Any) -> None:
    """A benchmark for each kernel."""
    metafunc.parametrize("kernel", [fast for fast, _ in kernels().values()], ids=list(kernels()))


def test_kernel(benchmark: Any, kernel: Kernel) -> None:
    """Times one kernel, with pytest-benchmark."""
    kernel()
    benchmark(kernel)


if __name__ == "__main__":
    main()
