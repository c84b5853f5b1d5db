"""engine=jax: generations as one compiled scan on the device that JAX finds, or on several, classifier and terms included.

Runs go in batches, one after the other on each device: what a batch needs is what the device must hold at once. A block of
generations is computed ahead; `step` hands them out one by one. Every child is scored in full.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import name_of
from fooling.errors import UserError, first_line
from fooling.kernels import jax as kernels
from fooling.kernels.jax.operators import as_table
from fooling.kernels.jax.philox import FAR
from fooling.kernels.tables import Bytes, Ints
from fooling.search.genetic import GeneticParams, schedule
from fooling.search.genetic.memory import MemoryPlan, bytes_needed, check_memory, device_memory, plan_memory
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.fields import foreign_code
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

Arrays = dict[str, Any]  # by name, of NumPy, or of JAX while they are traced
LONGEST = 25  # generations of a block, at most
PARENTS = ("images", "costs", "scores")  # arrays of a generation that the next one needs
SPARSE = 4  # a block is made smaller when fewer than one in so many of its runs have not ended


@dataclass(frozen=True)
class ScanChunk:
    """Generations that have been computed."""

    number: int
    first: int  # generation
    size: MemoryPlan
    arrays: Arrays  # [B, G, b, …] each

    def state(self, generation: int, runs: Runs, rows: Ints) -> State:
        """The state of runs at a generation; `rows` [R] are their places in the block."""
        batch, place = rows // self.size.runs, rows % self.size.runs
        found = {name: array[batch, generation - self.first, place] for name, array in self.arrays.items()}
        found["changed"] = found["changed"].astype(np.int64)
        ticket = np.stack([np.full(len(rows), self.number), rows], axis=1)
        return State(generation, runs, **found, statistics={"ticket": ticket})


class JaxEngine:
    """The same search as the reference; children are equal bit for bit, costs to 1e-5."""

    schedule = staticmethod(schedule)
    check_classifier = staticmethod(lambda classifier, _settings: check_classifier(classifier))

    def __init__(self, objective: Objective, params: GeneticParams, threads: int | None = None, block: int = LONGEST) -> None:
        check_job(objective, params)
        self.objective, self.params, self.longest = objective, params, block
        self.devices = find_devices()
        self.platform = self.devices[0].platform
        self.number = 0  # of blocks so far
        self.mesh = jax.sharding.Mesh(np.array(self.devices), ("batches",))
        self.compiled: dict[tuple[str, MemoryPlan], Any] = {}
        self.block: ScanChunk | None = None
        several = f"{len(self.devices)} × " if len(self.devices) > 1 else ""
        self.notes: tuple[str, ...] = (f"engine=jax runs on {several}{self.devices[0].device_kind}",)
        if threads is not None:
            self.notes += ("engine.threads applies only to engine=numba; JAX chooses its number of threads",)

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The engine with the parameters in the settings."""
        del start_image
        return cls(objective, GeneticParams.from_settings(settings, objective, statistics), settings.engine.threads)

    def init(self, runs: Runs) -> State:
        """Draws, scores and selects the first populations. Refuses more runs than the memory holds."""
        size = self.plan(len(runs))
        self.check_memory(size, len(runs))
        return self.compute_block("start", size, 0, runs, self.inputs(runs))

    def step(self, state: State) -> State:
        """One generation further: the next of the block, or the first of a new one."""
        ticket, generation, block = state.statistics.get("ticket"), state.generation + 1, self.block
        ours = block is not None and ticket is not None and len(ticket) and (ticket[:, 0] == block.number).all()
        if not ours or block is None or generation >= block.first + block.arrays["costs"].shape[1]:
            return self.next_block(state)
        return block.state(generation, state.runs, np.asarray(ticket)[:, 1])

    def next_block(self, state: State) -> State:
        """Computes the generations after a state. A size stays until few of its runs remain: each size is compiled anew."""
        old = self.block.size.all_runs if self.block else 0
        size = self.plan(old if len(state.runs) <= old <= SPARSE * len(state.runs) else len(state.runs))
        if ("scan", size) not in self.compiled:
            self.check_memory(size, len(state.runs))
        parents: Arrays = {name: getattr(state, name) for name in PARENTS}
        inputs = {**self.inputs(state.runs), **parents}
        return self.compute_block("scan", size, state.generation + 1, state.runs, inputs)

    def compute_block(self, what: str, size: MemoryPlan, first: int, runs: Runs, inputs: Arrays) -> State:
        """Computes a block, by "start" or "scan"; → its first generation."""
        self.block = None  # makes room
        filled = self.fill_batches(size, inputs)
        if what == "scan":
            filled["generation"] = np.full(size.batches, first, dtype=np.uint32)
        self.number += 1
        self.block = ScanChunk(self.number, first, size, self.call(what, size, filled))
        return self.block.state(first, runs, np.arange(len(runs)))

    # --- sizes ------------------------------------------------------------------------------------------------------

    def plan(self, runs: int) -> MemoryPlan:
        """The size of the blocks of so many runs."""
        return plan_memory(runs, self.params.population, self.platform, len(self.devices), self.longest)

    def inputs(self, runs: Runs) -> Arrays:
        """Of each run its number and the number of its target."""
        return {"runs": runs, "which": self.objective.which(runs).astype(np.int32)}

    def fill_batches(self, size: MemoryPlan, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Arrays [R, …] as [B, b, …]; the last run fills up the last batch."""
        rows = np.minimum(np.arange(size.all_runs), len(arrays["runs"]) - 1)
        return {name: array[rows].reshape(size.batches, size.runs, *array.shape[1:]) for name, array in arrays.items()}

    def check_memory(self, size: MemoryPlan, runs: int) -> None:
        """Refuses a job whose blocks the devices cannot hold, with the number of runs that they can."""
        device = self.devices[0]
        limit, kind = device_memory(device, len(self.devices)), device.device_kind
        check_memory(runs, self.params.population, kind, limit, self.need(size), lambda number: self.need(self.plan(number)))

    def need(self, size: MemoryPlan) -> int:
        """Bytes that a device needs for a block; 0: unknown."""
        rows = self.shapes(size)
        first = {name: rows[name] for name in ("runs", "which")}
        programs = [self.compile("start", size, first), self.compile("scan", size, rows)]
        return bytes_needed([program.memory_analysis() for program in programs], self.platform)

    def shapes(self, size: MemoryPlan) -> Arrays:
        """Shapes and types of the arguments of `scan`."""
        p, lead = self.params, (size.batches, size.runs)
        rows = {
            "runs": (lead, np.uint32),
            "which": (lead, np.int32),
            "images": ((*lead, p.selected, *p.shape), np.uint8),
            "costs": ((*lead, p.selected), np.float32),
            "scores": ((*lead, p.selected, self.objective.classifier.num_classes), np.float32),
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
        p, tables = self.params, self.tables()

        def draw(run: Any, which: Any) -> Any:
            return kernels.start(of_run(tables, which), p.seed, run, p.population, p.shape)

        children = jax.vmap(draw)(batch["runs"], batch["which"])
        changed = jnp.full(len(batch["runs"]), p.population, dtype=jnp.int32)
        selected = self.select(children, changed, batch["which"], {})
        return {name: array[None] for name, array in selected.items()}

    def scan(self, batch: Arrays, generations: int) -> Arrays:
        """The next generations of a batch: arrays [G, b, …]."""
        parents = {name: batch[name] for name in PARENTS}

        def advance(parents: Arrays, generation: Any) -> tuple[Arrays, Arrays]:
            selected = self.generation(parents, batch["runs"], batch["which"], generation)
            return {name: selected[name] for name in PARENTS}, selected

        numbers = batch["generation"] + jnp.arange(generations, dtype=jnp.uint32)
        found: Arrays = jax.lax.scan(advance, parents, numbers)[1]
        return found

    def generation(self, parents: Arrays, runs: Any, which: Any, generation: Any) -> Arrays:
        """Breeds, scores and selects one generation of a batch."""
        p, tables = self.params, self.tables()
        rate = jnp.clip(np.float32(p.rate_of_cost) * jnp.abs(parents["costs"][:, 0]), np.float32(p.min_rate), np.float32(0.5))
        redraw = jnp.rint(rate * np.float32(2.0**24)).astype(jnp.uint32)

        def breed(images: Any, redraw: Any, run: Any, which: Any) -> Any:
            table = of_run(tables, which)
            return kernels.breed(images, table, redraw, p.swap, p.mixing, p.seed, generation, run, p.population, p.rates)

        children, fresh = jax.vmap(breed)(parents["images"], redraw, runs, which)
        changed = fresh.sum(axis=1, dtype=jnp.int32)
        return self.select(children, changed, which, parents if p.elitism else {})

    def tables(self) -> Any:
        """The levels that pixels are drawn from, as the kernels take them."""
        return as_table(self.params.tables)

    def select(self, children: Any, changed: Any, which: Any, rivals: Arrays) -> Arrays:
        """Scores children [b, N, H, W, C] and selects the best of them and of their rivals."""
        size = children.shape[:2]
        costs, scores = self.cost(children.reshape(-1, *children.shape[2:]), jnp.repeat(which, size[1]))
        found = {"images": children, "costs": costs.reshape(size), "scores": scores.reshape(*size, -1)}
        if rivals:
            found = {name: jnp.concatenate([array, rivals[name]], axis=1) for name, array in found.items()}
        best = jax.vmap(lambda costs: kernels.truncation_selection(costs, self.params.selected))(found["costs"])
        selected = {name: jax.vmap(lambda array, best: array[best])(array, best) for name, array in found.items()}
        return {**selected, "changed": changed}

    def cost(self, images: Any, which: Any) -> tuple[Any, Any]:
        """Cost [M] and scores [M, K] of images uint8 [M, H, W, C] with the targets `which` [M]."""
        objective: Any = self.objective
        with foreign_code("classifier: its jax_fn raised "):
            scores = objective.classifier.jax_fn(images).astype(jnp.float32)
        terms = [kernels.target_term(scores, objective.digit, objective.free)]
        terms += [kernels.PENALTIES[name](images, which, *objective.arguments[name]) for name in objective.penalties]
        weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])
        return kernels.weighted_sum(jnp.stack(terms, axis=1), weights), scores


def of_run(tables: Any, which: Any) -> Any:
    """The tables of a run's target, of all of them [T, C, …]; a single one is every run's."""
    return type(tables)(*(array[which if len(array) > 1 else 0] for array in tables))


def check_classifier(classifier: Any) -> None:
    """Refuses a classifier that JAX cannot call."""
    if not callable(getattr(classifier, "jax_fn", None)):
        what = f"the classifier ({name_of(classifier)}) has no jax_fn, which scores in JAX"
        raise UserError(f"engine=jax: {what}; engine=numba takes any")


def check_job(objective: Objective, params: GeneticParams) -> None:
    """Refuses a classifier that JAX cannot call, and images with more pixels than the random numbers address."""
    check_classifier(objective.classifier)
    if math.prod(params.shape) >= FAR:
        raise UserError(f"engine=jax: takes less than {FAR:,} pixels an image, got {params.shape}; engine=numba takes any")


def find_devices() -> list[Any]:
    """The devices of the best kind that JAX finds. Raises UserError where there is none."""
    try:
        return list(jax.devices())
    except Exception as error:
        platforms = os.environ.get("JAX_PLATFORMS", "")
        raise UserError(f"engine=jax: JAX finds no device (JAX_PLATFORMS={platforms}): {first_line(error)}") from error
