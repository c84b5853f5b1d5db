"""engine=jax on the best device that JAX finds: first against the reference, then how fast, over population × runs.

python benchmarks/gpu.py seconds=5 populations=100,1000 runs=10,100,1000 json=false

Problem 2015 with the bundled perceptron and with the convolutional network; every evaluation in full. Rates are of the engine
as a job uses it, images handed to the host included; shares are of the fastest product of matrices that the device was seen to
do.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import finish, table, words
from problems import OPERATORS_2015, engine

from fooling.errors import UserError
from fooling.kernels.jax import PENALTIES, operators
from fooling.kernels.reference import OPERATORS
from fooling.search.genetic import ReferenceEngine
from fooling.search.genetic.jax import JaxEngine

Row = dict[str, Any]
NETWORKS = {"mnist_mlp": 2 * (784 * 100 + 100 * 10), "mnist_cnn": 0}  # additions and multiplications an image; 0: asked


def of(network: str, *more: str) -> Any:
    """engine=jax on problem 2015."""
    return engine([*OPERATORS_2015, "engine=jax", f"classifier={network}", *more])


def check(network: str, generations: int = 2) -> Row:
    """Steps from the reference's state with every operator on: largest differences of costs, of changed counts and of children.

    Costs may differ by 1e-5; children, of which the selected ones are seen, not at all, except among costs within 2e-5.
    """
    on = [word for operator in OPERATORS.values() for word in operator.on[:1]]
    ours = of(network, "population=50", "weights.regional=0.5", "weights.eigen=0.001", *dict.fromkeys(on))
    ours.longest = 1
    wanted = ReferenceEngine(ours.objective, ours.params)
    runs = np.arange(2, dtype=np.uint32)
    state = wanted.init(runs)
    pairs = [(ours.init(runs), state)]
    for _ in range(generations):
        pairs.append((ours.step(state), wanted.step(state)))
        state = pairs[-1][1]
    costs = max(float((np.abs(mine.costs - other.costs) / np.maximum(1, other.costs)).max()) for mine, other in pairs)
    changed = sum(int(np.abs(mine.changed - other.changed).sum()) for mine, other in pairs)
    images = sum(int((mine.images[:, 0] != other.images[:, 0]).any(axis=(1, 2, 3)).sum()) for mine, other in pairs)
    return {"network": network, "cost": costs, "changed": changed, "images": images}


def rate(ours: JaxEngine, runs: int, seconds: float) -> Row:
    """Evaluations a second after the first block, compilation and initialisation left out."""
    state = ours.step(ours.init(np.arange(runs, dtype=np.uint32)))
    ahead = ours.plan(runs).generations
    for _ in range(ahead - 1):
        state = ours.step(state)
    generations, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds or generations % ahead:
        state = ours.step(state)
        generations += 1
    spent = time.perf_counter() - started
    return {"rate": generations * runs * ours.params.population / spent, "generations": generations, "block": ahead}


def peak(seconds: float = 1.0) -> tuple[int, float]:
    """The fastest product of square float32 matrices at JAX's default precision: its side and its operations a second."""
    found = []
    for side in (1024, 4096, *([] if jax.devices()[0].platform == "cpu" else [16384])):
        one = jnp.ones((side, side), dtype=jnp.float32)
        product = jax.jit(lambda one: one @ one)
        product(one).block_until_ready()
        number, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            product(one).block_until_ready()
            number += 1
        found.append((2 * side**3 * number / (time.perf_counter() - started), side))
    best, side = max(found)
    return side, best


def operations(ours: JaxEngine, network: str) -> float:
    """Floating-point operations of the network, an image; of a convolutional one as the compiler counts them."""
    if NETWORKS[network]:
        return NETWORKS[network]
    images = jax.ShapeDtypeStruct((128, *ours.params.shape), np.uint8)
    counted = jax.jit(ours.objective.classifier.jax_fn).lower(images).compile().cost_analysis()  # type: ignore[attr-defined]
    return float(counted["flops"]) / 128 if counted else float("nan")


def parts(ours: JaxEngine, runs: int) -> dict[str, float]:
    """Milliseconds of breeding, of the network and of each term for one batch, each compiled alone: the median of nine."""
    b, tables, objective = ours.params, ours.tables(), ours.objective
    state = ours.init(np.arange(runs, dtype=np.uint32))
    number = min(runs, ours.plan(runs).runs)
    parents, numbers = jnp.asarray(state.images[:number]), jnp.arange(number, dtype=jnp.uint32)
    redraw = jnp.asarray(b.redraw_thresholds(state.costs[:number]))
    table_of_run = type(tables)(tables.shares[0], tables.top[0])

    def breed(parents: Any, redraw: Any, numbers: Any, generation: Any) -> Any:
        def one(images: Any, redraw: Any, run: Any) -> Any:
            return operators.breed(
                images, table_of_run, redraw, b.swap, b.mixing, b.seed, generation, run, b.population, b.rates
            )[0]

        return jax.vmap(one)(parents, redraw, numbers)

    children = jax.jit(breed)(parents, redraw, numbers, jnp.uint32(1)).reshape(-1, *b.shape)
    which = jnp.zeros(len(children), dtype=jnp.int32)
    found = {"breeding": timed(breed, parents, redraw, numbers, jnp.uint32(2))}
    found["network"] = timed(objective.classifier.jax_fn, children)  # type: ignore[attr-defined]

    for name in objective.penalties:
        found[name] = timed(
            lambda images, which, name=name: PENALTIES[name](images, which, *objective.arguments[name]), children, which
        )
    found["all"] = timed(ours.cost, children, which) + found["breeding"]
    return {**found, "children": len(children)}


def timed(function: Callable[..., Any], *given: Any) -> float:
    """Milliseconds of a compiled call."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*given))
    spent = []
    for _ in range(9):
        started = time.perf_counter()
        jax.block_until_ready(compiled(*given))
        spent.append(time.perf_counter() - started)
    return 1000 * float(np.median(spent))


def measure(network: str, population: int, runs: int, seconds: float, best: float) -> Row:
    """A line of the table."""
    ours = of(network, f"population={population}")
    row: Row = {"network": network, "population": population, "runs": runs}
    try:
        row |= rate(ours, runs, seconds)
    except UserError as error:
        return {**row, "refused": str(error)}
    return {**row, "share": row["rate"] * operations(ours, network) / (best * len(ours.devices))}


def cells(row: Row) -> list[str]:
    """A line as text."""
    about = [row["network"], row["population"], row["runs"]]
    return [*about, row["refused"], ""] if "refused" in row else [*about, f"{row['rate']:,.0f}", f"{row['share']:.1%}"]


def main() -> None:
    """Correctness, then rates, then parts."""
    chosen = words(seconds=5.0, populations="100,1000", runs="10,100,1000", networks="mnist_mlp,mnist_cnn", json=False)
    device = jax.devices()[0]
    print(f"{len(jax.devices())} × {device.device_kind} ({device.platform}), jax {jax.__version__}, matrix precision: default")
    networks = chosen["networks"].split(",")
    checks = [check(network) for network in networks]
    print(
        table(
            ["network", "largest difference of costs", "of changed counts", "best images that differ"],
            [[r["network"], f"{r['cost']:.1e}", r["changed"], r["images"]] for r in checks],
        )
    )
    if any(row["cost"] > 1e-5 or row["changed"] or row["images"] for row in checks):
        raise SystemExit("engine=jax does not agree with the reference on this device")
    side, best = peak()
    print(f"fastest product of matrices: {best / 1e12:.2f} · 10¹² operations a second ({side} × {side})")
    rows = []
    for network in networks:
        for population in map(int, chosen["populations"].split(",")):
            for runs in map(int, chosen["runs"].split(",")):
                rows.append(measure(network, population, runs, chosen["seconds"], best))
                print(" | ".join(map(str, cells(rows[-1]))), flush=True)
    print(
        table(["network", "population", "runs", "evaluations/s", "share of the fastest product"], [cells(row) for row in rows])
    )
    spent = {network: parts(of(network), 1000 if device.platform != "cpu" else 10) for network in networks}
    print(
        table(
            ["milliseconds of a batch", *next(iter(spent.values()))],
            [[n, *(f"{v:,.2f}" for v in p.values())] for n, p in spent.items()],
        )
    )
    about = {"device": device.device_kind, "platform": device.platform, "devices": len(jax.devices()), "precision": "default"}
    name = "gpu_cpu" if device.platform == "cpu" else "gpu"
    finish(name, {**about, "peak": best, "checks": checks, "rates": rows, "parts": spent}, chosen)


if __name__ == "__main__":
    main()
