"""Everyone else on the same work: problem 2015, the same fitness, one process, one after the other.

pip install '.[bench]'
python benchmarks/peers.py seconds=10 populations=100,1000 repeats=3 json=false

Then pyribs' way of fooling (an archive with a cell a class, a Gaussian emitter) against prior=none on the same network:
evaluations until the median confidence of the ten digits is .972 and .9999. What is not installed is named in the tables.
"""

import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np
from measure import finish, table, words
from peer_programs import PROGRAMS, Fitness
from problems import OPERATORS_2015, compile_kernels, engine

import fooling
from fooling.run import prepare
from fooling.settings import load
from fooling.settings.schema import RunSettings

Row = dict[str, Any]
# our engines: name → settings, runs side by side
OURS = {
    "fooling engine=numba": (("engine=numba",), 1),
    "fooling engine=numba, 200 runs": (("engine=numba",), 200),
    "fooling engine=jax": (("engine=jax",), 1),
    "fooling engine=jax, 10 runs": (("engine=jax",), 10),
    "fooling engine=deap": (("engine=deap",), 1),
    "fooling engine=reference": (("engine=reference",), 1),
}
SURE = (0.972, 0.9999)
PACKAGES = ("jax", "evosax", "deap", "pymoo", "pygad", "evotorch", "ribs")


class Timer:
    """Says that time is up; the clock starts with the first question."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.started, self.spent = seconds, 0.0, 0.0

    def __call__(self) -> bool:
        """Whether it is."""
        now = time.perf_counter()
        self.started = self.started or now
        self.spent = now - self.started
        return self.spent >= self.seconds


def make_fitness() -> Fitness:
    """The fitness of problem 2015, checked against the definition."""
    (job,) = prepare(load(list(OPERATORS_2015), RunSettings, "run"))
    fitness = Fitness(job.objective, job.statistics.levels[job.digit, 0])
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), dtype=np.uint8)
    ours = job.objective.value(images)[0]
    theirs = fitness((images.reshape(50, -1) / 255).astype(np.float32))
    if not np.allclose(ours, theirs, atol=1e-4):
        raise SystemExit(f"the peers' fitness differs from the definition by {np.abs(ours - theirs).max()}")
    return fitness


def run_peer(name: str, population: int, seconds: float, **more: Any) -> Row:
    """Evaluations a second and lowest cost of a peer."""
    module, program = PROGRAMS[name]
    if find_spec(module) is None:
        return {"name": name, "population": population, "missing": module}
    fitness, timer = make_fitness(), Timer(seconds)
    fitness.asked = 0
    cost = program(fitness, population, timer, **more)
    return {"name": name, "population": population, "rate": fitness.asked / timer.spent, "cost": cost}


def run_ours(name: str, population: int, seconds: float) -> Row:
    """The same of one of our engines; initialisation is included, compilation is not."""
    settings, runs = OURS[name]
    ours = engine([*OPERATORS_2015, *settings, f"population={population}"])
    if "numba" in name:
        compile_kernels(ours)
    numbers = np.arange(runs, dtype=np.uint32)
    ours.step(ours.init(numbers))  # compiled
    timer, evaluations = Timer(seconds), runs * population
    timer()
    state = ours.init(numbers)
    while not timer():
        state = ours.step(state)
        evaluations += runs * population
    return {
        "name": name,
        "population": population,
        "rate": evaluations / timer.spent,
        "cost": float(np.median(state.costs[:, 0])),
    }


def median_of(tries: list[Row]) -> Row:
    """The try of median rate, with the lowest and the highest rate of all."""
    if "missing" in tries[0]:
        return tries[0]
    ordered = sorted(tries, key=lambda row: row["rate"])
    return {**ordered[len(ordered) // 2], "lowest": ordered[0]["rate"], "highest": ordered[-1]["rate"]}


def compare(populations: list[int], seconds: float, repeats: int) -> list[Row]:
    """Everyone at every population, in turns."""
    rows = []
    for population in populations:
        tries: dict[str, list[Row]] = {}
        for _ in range(repeats):
            for name in PROGRAMS:
                tries.setdefault(name, []).append(run_peer(name, population, seconds))
            many = run_peer("plain JAX", population, seconds, runs=10)
            tries.setdefault("plain JAX, 10 runs", []).append({**many, "name": "plain JAX, 10 runs"})
            for name in OURS:
                tries.setdefault(name, []).append(run_ours(name, population, seconds))
        rows += [median_of(found) for found in tries.values()]
        print(rates(rows), flush=True)
    return rows


def rates(rows: list[Row]) -> str:
    """The table of evaluations a second."""
    lines = []
    for row in rows:
        if "missing" in row:
            lines.append([row["name"], row["population"], f"not installed ({row['missing']})", "", ""])
        else:
            span = f"{row['lowest']:,.0f}–{row['highest']:,.0f}"
            lines.append([row["name"], row["population"], f"{row['rate']:,.0f}", span, f"{row['cost']:.4f}"])
    return table(["program", "population", "evaluations/s", "lowest–highest", "cost reached"], lines)


# --- pyribs -----------------------------------------------------------------------------------------------------------


def ribs_way(sigma: float, most: int, batch: int = 100, seed: int = 0) -> dict[str, int | None]:
    """Evaluations until the median confidence of the ten cells is SURE; None where `most` did not suffice."""
    from ribs.archives import CategoricalArchive
    from ribs.emitters import GaussianEmitter
    from ribs.schedulers import Scheduler

    network = fooling.load_classifier()
    archive = CategoricalArchive(solution_dim=784, categories=[list(range(10))])
    emitter = GaussianEmitter(archive, sigma=sigma, x0=np.full(784, 0.5), bounds=[(0, 1)] * 784, batch_size=batch, seed=seed)
    scheduler = Scheduler(archive, [emitter])
    reached: dict[str, int | None] = {str(sure): None for sure in SURE}
    for evaluations in range(batch, most + 1, batch):
        images = np.rint(scheduler.ask() * 255).astype(np.uint8).reshape(-1, 28, 28, 1)
        scores = network(images)
        scheduler.tell(scores.max(axis=1), scores.argmax(axis=1)[:, None])
        best = np.zeros(10)
        found = archive.data(["objective", "measures"], return_type="dict")
        best[np.asarray(found["measures"]).reshape(-1).astype(int)] = found["objective"]
        for sure in SURE:
            if reached[str(sure)] is None and np.median(best) >= sure:
                reached[str(sure)] = evaluations
        if reached[str(SURE[-1])] is not None:
            break
    return reached


def our_way(most: int) -> dict[str, int | None]:
    """The same of prior=none: a run a digit, side by side."""
    engines = [engine(["prior=none", f"digit={digit}", "runs=1", "stop=end"]) for digit in range(10)]
    states = [one.init(np.zeros(1, dtype=np.uint32)) for one in engines]
    reached: dict[str, int | None] = {str(sure): None for sure in SURE}
    for evaluations in range(1000, most + 1, 1000):
        confidence = np.median([state.scores[0, 0, digit] for digit, state in enumerate(states)])
        for sure in SURE:
            if reached[str(sure)] is None and confidence >= sure:
                reached[str(sure)] = evaluations
        if reached[str(SURE[-1])] is not None:
            break
        states = [one.step(state) for one, state in zip(engines, states, strict=True)]
    return reached


def archives(most: int) -> list[Row]:
    """pyribs with several widths of its emitter, and ours."""
    ours = {"name": "fooling prior=none", **our_way(most)}
    if find_spec("ribs") is None:
        return [{"name": "pyribs", "missing": "ribs"}, ours]
    return [*({"name": f"pyribs, sigma={sigma}", **ribs_way(sigma, most)} for sigma in (0.02, 0.05, 0.1, 0.2)), ours]


def reached(rows: list[Row], most: int) -> str:
    """The table of evaluations to a median confidence."""
    lines = []
    for row in rows:
        if "missing" in row:
            lines.append([row["name"], f"not installed ({row['missing']})", ""])
        else:
            shown = [row[str(sure)] for sure in SURE]
            lines.append([row["name"], *(f"more than {most:,}" if value is None else f"{value:,}" for value in shown)])
    return table(["program", *(f"evaluations to a median of {sure}" for sure in SURE)], lines)


def installed() -> dict[str, str]:
    """Versions of the peers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    """Both tables."""
    chosen = words(seconds=10.0, populations="100,1000", repeats=3, evaluations=1_000_000, json=False)
    populations = [int(number) for number in chosen["populations"].split(",")]
    rows = compare(populations, chosen["seconds"], chosen["repeats"])
    cells = archives(chosen["evaluations"])
    print(reached(cells, chosen["evaluations"]))
    result = {
        "peers": installed(),
        "seconds": chosen["seconds"],
        "rates": rows,
        "evaluations": chosen["evaluations"],
        "cells": cells,
    }
    finish("peers", result, chosen)


if __name__ == "__main__":
    main()
