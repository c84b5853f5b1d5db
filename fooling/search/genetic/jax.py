"""engine=jax: generations as one compiled scan on the device that JAX finds, or on several, classifier and terms included.

Runs go in batches, one after the other on each device: what a batch needs is what the device must hold at once. A block of
generations is computed ahead; `step` hands them out one by one. Every child is scored in full.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels import jax as kernels
from fooling.kernels.jax.operators import as_table
from fooling.kernels.jax.philox import FAR
from fooling.kernels.tables import Ints
from fooling.search.genetic import GeneticParams
from fooling.search.objective import Objective
from fooling.search.state import State

Runs = npt.NDArray[np.uint32]
Arrays = dict[str, Any]  # by name, of NumPy, or of JAX while they are traced
BATCH = {"cpu": 1_000}  # children that a device breeds at once; on a CPU what its caches hold …
BATCH_ELSEWHERE = 131_072  # … on others what keeps them busy
BLOCK = {"cpu": 25_000}  # evaluations between two looks at the clock, about: half a second …
BLOCK_ELSEWHERE = 10_000_000
LONGEST = 25  # generations of a block, at most
SPARSE = 4  # a block is made smaller when less than one in so many of its runs still goes on


@dataclass(frozen=True)
class MemoryPlan:
    """Of a block: B batches of b runs, G generations."""

    batches: int
    runs: int
    generations: int

    @property
    def all_runs(self) -> int:
        """Runs in all, those that fill up the last batches included."""
        return self.batches * self.runs


@dataclass(frozen=True)
class ScanChunk:
    """Generations that are computed already."""

    number: int
    first: int  # generation
    size: MemoryPlan
    arrays: Arrays  # [B, G, b, …] each

    def state(self, generation: int, runs: Runs, rows: Ints) -> State:
        """What runs were at a generation; `rows` [R] are their places in the block."""
        batch, place = rows // self.size.runs, rows % self.size.runs
        found = {name: array[batch, generation - self.first, place] for name, array in self.arrays.items()}
        found["changed"] = found["changed"].astype(np.int64)
        ticket = np.stack([np.full(len(rows), self.number), rows], axis=1)
        return State(generation, runs, **found, statistics={"ticket": ticket})


class JaxEngine:
    """The same search as the reference; children are equal bit for bit, costs to 1e-5."""

    def __init__(
        self,
        objective: Objective,
        breeding: GeneticParams,
        threads: int | None = None,
        scoring: str = "dense",
        block: int = LONGEST,
    ) -> None:

        del scoring  # every child is scored in full
        if not callable(getattr(objective.classifier, "jax_fn", None)):
            what = type(objective.classifier).__name__
            raise UserError(f"engine=jax: the classifier ({what}) has no jax_fn, which scores in JAX; engine=numba takes any")
        if math.prod(breeding.shape) >= FAR:
            raise UserError(
                f"engine=jax: takes less than {FAR:,} pixels an image, got {breeding.shape}; engine=numba takes any"
            )
        self.objective, self.breeding, self.longest = objective, breeding, block
        self.devices = find_devices()
        self.platform = self.devices[0].platform
        self.number = 0  # of blocks so far
        self.mesh = jax.sharding.Mesh(np.array(self.devices), ("batches",))
        self.compiled: dict[tuple[str, MemoryPlan], Any] = {}
        self.block: ScanChunk | None = None
        several = f"{len(self.devices)} × " if len(self.devices) > 1 else ""
        self.notes: tuple[str, ...] = (f"engine=jax runs on {several}{self.devices[0].device_kind}",)
        if threads is not None:
            self.notes += ("engine.threads is of engine=numba; engine=jax takes the threads that JAX takes",)

    def init(self, runs: Runs) -> State:
        """Draws, scores and selects the first populations. Refuses more runs than the memory holds."""
        size = self.size(len(runs))
        self.refuse_too_large(size, len(runs))
        return self.ahead("start", size, 0, runs, self.inputs(runs))

    def step(self, state: State) -> State:
        """One generation further: the next of the block, or the first of a new one."""
        ticket, generation, block = state.statistics.get("ticket"), state.generation + 1, self.block
        ours = block is not None and ticket is not None and len(ticket) and (ticket[:, 0] == block.number).all()
        if not ours or block is None or generation >= block.first + block.arrays["costs"].shape[1]:
            return self.next_block(state)
        return block.state(generation, state.runs, np.asarray(ticket)[:, 1])

    def next_block(self, state: State) -> State:
        """Computes the generations after a state. A size stays until few of its runs still go on: each is compiled anew."""
        old = self.block.size.all_runs if self.block else 0
        size = self.size(old if len(state.runs) <= old <= SPARSE * len(state.runs) else len(state.runs))
        if ("scan", size) not in self.compiled:
            self.refuse_too_large(size, len(state.runs))
        parents: Arrays = {name: getattr(state, name) for name in PARENTS}
        inputs = {**self.inputs(state.runs), **parents}
        return self.ahead("scan", size, state.generation + 1, state.runs, inputs)

    def ahead(self, what: str, size: MemoryPlan, first: int, runs: Runs, inputs: Arrays) -> State:
        """Computes a block, by "start" or "scan"; → its first generation."""
        self.block = None  # makes room
        filled = self.filled(size, inputs)
        if what == "scan":
            filled["generation"] = np.full(size.batches, first, dtype=np.uint32)
        self.number += 1
        self.block = ScanChunk(self.number, first, size, self.call(what, size, filled))
        return self.block.state(first, runs, np.arange(len(runs)))

    # --- sizes ------------------------------------------------------------------------------------------------------

    def size(self, runs: int) -> MemoryPlan:
        """Batches of equal size, as many for each device."""
        population, devices = self.breeding.population, len(self.devices)
        most = max(1, BATCH.get(self.platform, BATCH_ELSEWHERE) // population)
        batches = max(1, -(-runs // (most * devices))) * devices
        each = max(1, -(-runs // batches))
        evaluations = BLOCK.get(self.platform, BLOCK_ELSEWHERE)
        return MemoryPlan(batches, each, min(self.longest, max(1, evaluations // (population * batches * each))))

    def inputs(self, runs: Runs) -> Arrays:
        """What is given of each run: its number and its target's."""
        return {"runs": runs, "which": self.objective.which(runs).astype(np.int32)}

    def filled(self, size: MemoryPlan, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Arrays [R, …] as [B, b, …]; the last run stands for those that are missing."""
        rows = np.minimum(np.arange(size.all_runs), len(arrays["runs"]) - 1)
        return {name: array[rows].reshape(size.batches, size.runs, *array.shape[1:]) for name, array in arrays.items()}

    def refuse_too_large(self, size: MemoryPlan, runs: int) -> None:
        """Refuses a job whose blocks the devices cannot hold, with the number of runs that they can."""
        limit, need = memory(self.devices[0], len(self.devices)), self.need(size)
        if limit is None or need <= limit:
            return
        most = runs
        while most and (found := self.need(self.size(most))) > limit:
            most = min(most - 1, int(most * 0.95 * limit / found))
        advice = f"runs={most} fit" if most else "not even one run fits: take a smaller population"
        raise UserError(
            f"engine=jax: runs={runs} with population={self.breeding.population} need {need / 2**30:.1f} GiB, "
            f"{self.devices[0].device_kind} has {limit / 2**30:.1f} GiB; {advice}"
        )

    def need(self, size: MemoryPlan) -> int:
        """Bytes that a device needs for a block, as its compiler says; 0: unknown.

        On a CPU the device's memory is also the host's, which holds copies of what goes in and comes out: 2.3 times as much was
        measured.
        """
        rows = self.shapes(size)
        most, copies = 0, 3 if self.platform == "cpu" else 1
        for what, taken in (("start", {name: rows[name] for name in ("runs", "which")}), ("scan", rows)):
            found = self.compile(what, size, taken).memory_analysis()
            if found:
                held = found.argument_size_in_bytes + found.output_size_in_bytes
                most = max(most, copies * held + found.temp_size_in_bytes)
        return most

    def shapes(self, size: MemoryPlan) -> Arrays:
        """What `scan` takes: shapes and types without content."""

        b, lead = self.breeding, (size.batches, size.runs)
        rows = {
            "runs": (lead, np.uint32),
            "which": (lead, np.int32),
            "images": ((*lead, b.selected, *b.shape), np.uint8),
            "costs": ((*lead, b.selected), np.float32),
            "scores": ((*lead, b.selected, self.objective.classifier.num_classes), np.float32),
            "generation": ((size.batches,), np.uint32),
        }
        described: Any = jax.ShapeDtypeStruct
        return {name: described(shape, dtype) for name, (shape, dtype) in rows.items()}

    # --- what is compiled -------------------------------------------------------------------------------------------

    def call(self, what: str, size: MemoryPlan, inputs: Arrays) -> Arrays:
        """Computes "start" or "scan" on the devices; → arrays [B, G, b, …] of NumPy."""
        found = self.compile(what, size, inputs)(inputs)
        return {name: np.asarray(array) for name, array in found.items()}

    def compile(self, what: str, size: MemoryPlan, inputs: Arrays) -> Any:
        """Compiled for a size, once: each device takes its share of the batches, one after the other."""

        if (what, size) not in self.compiled:
            of_batch = self.start if what == "start" else lambda batch: self.scan(batch, size.generations)
            spec: Any = jax.sharding.PartitionSpec
            of_device = jax.shard_map(
                lambda batches: jax.lax.map(of_batch, batches),
                mesh=self.mesh,
                in_specs=spec("batches"),
                out_specs=spec("batches"),
                check_vma=False,
            )
            self.compiled[what, size] = jax.jit(of_device).lower(inputs).compile()
        return self.compiled[what, size]

    def start(self, batch: Arrays) -> Arrays:
        """The first populations of a batch of runs [b], scored and selected: arrays [1, b, …]."""

        b, tables = self.breeding, self.tables()

        def draw(run: Any, which: Any) -> Any:
            return kernels.start(of_run(tables, which), b.seed, run, b.population, b.shape)

        children = jax.vmap(draw)(batch["runs"], batch["which"])
        changed = jnp.full(len(batch["runs"]), b.population, dtype=jnp.int32)
        kept = self.kept(children, changed, batch["which"], {})
        return {name: array[None] for name, array in kept.items()}

    def scan(self, batch: Arrays, generations: int) -> Arrays:
        """The next generations of a batch: arrays [G, b, …]."""

        parents = {name: batch[name] for name in PARENTS}

        def advance(parents: Arrays, generation: Any) -> tuple[Arrays, Arrays]:
            kept = self.generation(parents, batch["runs"], batch["which"], generation)
            return {name: kept[name] for name in PARENTS}, kept

        numbers = batch["generation"] + jnp.arange(generations, dtype=jnp.uint32)
        found: Arrays = jax.lax.scan(advance, parents, numbers)[1]
        return found

    def generation(self, parents: Arrays, runs: Any, which: Any, generation: Any) -> Arrays:
        """Breeds, scores and selects one generation of a batch."""

        b, tables = self.breeding, self.tables()
        rate = jnp.clip(np.float32(b.rate_of_cost) * jnp.abs(parents["costs"][:, 0]), np.float32(b.min_rate), np.float32(0.5))
        redraw = jnp.rint(rate * np.float32(2.0**24)).astype(jnp.uint32)

        def breed(images: Any, redraw: Any, run: Any, which: Any) -> Any:
            table = of_run(tables, which)
            return kernels.breed(images, table, redraw, b.swap, b.mixing, b.seed, generation, run, b.population, b.rates)

        children, fresh = jax.vmap(breed)(parents["images"], redraw, runs, which)
        changed = fresh.sum(axis=1, dtype=jnp.int32)
        return self.kept(children, changed, which, parents if b.elitism else {})

    def tables(self) -> Any:
        """The levels that pixels are drawn from, as the kernels take them."""

        return as_table(self.breeding.tables)

    def kept(self, children: Any, changed: Any, which: Any, rivals: Arrays) -> Arrays:
        """Scores children [b, N, H, W, C] and keeps the best of them and of their rivals."""

        size = children.shape[:2]
        costs, scores = self.cost(children.reshape(-1, *children.shape[2:]), jnp.repeat(which, size[1]))
        found = {"images": children, "costs": costs.reshape(size), "scores": scores.reshape(*size, -1)}
        if rivals:
            found = {name: jnp.concatenate([array, rivals[name]], axis=1) for name, array in found.items()}
        best = jax.vmap(lambda costs: kernels.truncation_selection(costs, self.breeding.selected))(found["costs"])
        kept = {name: jax.vmap(lambda array, best: array[best])(array, best) for name, array in found.items()}
        return {**kept, "changed": changed}

    def cost(self, images: Any, which: Any) -> tuple[Any, Any]:
        """Cost [M] and scores [M, K] of images uint8 [M, H, W, C] with the targets `which` [M]."""

        objective: Any = self.objective
        scores = objective.classifier.jax_fn(images).astype(jnp.float32)
        terms = [kernels.target_term(scores, objective.digit, objective.free)]
        terms += [kernels.PENALTIES[name](images, which, *objective.arguments[name]) for name in objective.penalties]
        weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])
        return kernels.weighted_sum(jnp.stack(terms, axis=1), weights), scores


PARENTS = ("images", "costs", "scores")  # what a generation hands on to the next


def of_run(tables: Any, which: Any) -> Any:
    """The tables of a run's target, of all of them [T, C, …]; a single one is every run's."""
    return type(tables)(*(array[which if len(array) > 1 else 0] for array in tables))


def find_devices() -> list[Any]:
    """The devices of the best kind that JAX finds. Raises UserError where there is none."""

    try:
        return list(jax.devices())
    except Exception as error:
        asked = os.environ.get("JAX_PLATFORMS", "")
        said = str(error).partition("\n")[0]
        raise UserError(f"engine=jax: JAX finds no device (JAX_PLATFORMS={asked}): {said or type(error).__name__}") from error


def memory(device: Any, devices: int) -> int | None:
    """Bytes that a device may take: its own, or its share of what this machine has free; None: unknown."""
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    most = limit.read_text().strip() if limit.exists() else "max"
    return min(free, int(most) if most.isdigit() else free) // devices
