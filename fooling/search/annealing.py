"""search=anneal: each run is one chain; what it holds after each `proposals` proposals is a generation."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.dense import SIGMOID, DenseNetwork
from fooling.kernels import reference
from fooling.kernels.reference.annealing import metropolis_accept, propose, shuffle_levels, temperatures
from fooling.kernels.reference.penalties import pair_counts, region_count, regional_counts, regions
from fooling.kernels.tables import TermTarget, bin_of_level, draw_guide
from fooling.search.objective import Objective
from fooling.search.state import State
from fooling.statistics.pca import PrincipalComponents
from fooling.statistics.pca import kernel_arguments as eigen_arguments

if TYPE_CHECKING:
    from fooling.kernels.numba.annealing_state import ChainState, CompiledObjective, ProposalParams

Runs = npt.NDArray[np.uint32]

# Terms that `kernels.numba.annealing` knows, in the order of its weights, and their statistics in `ChainState`.
COMPILED = {"histogram": "counts", "variogram": "sums", "regional": "regions", "eigen": "parts"}


@dataclass(frozen=True)
class AnnealingParams:
    """How chains walk."""

    shape: tuple[int, int, int]  # H, W, C
    proposals: int  # of each chain a generation
    last: int  # the last generation: the temperature is 0 after it
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels that redraws draw from, a target
    counts: npt.NDArray[np.int64]  # [T, C, 256], how often each level is in the first image
    swap: int  # share of the proposals that are swaps, in units of 2⁻²⁴; the others redraw a pixel
    temperature: float  # at the start, in units of the cost
    cooling: float  # temperature = start·(1 − share of the chain that is over)^cooling
    seed: int

    def temperatures(self, generation: int) -> npt.NDArray[np.float64]:
        """Of each proposal of a generation, [proposals]."""
        return temperatures(self.temperature, self.cooling, generation, self.last, self.proposals)


class ReferenceAnneal:
    """engine=reference: one proposal after the other, every term as it is written down."""

    notes: tuple[str, ...] = ()
    kernels: Any = reference

    def __init__(
        self, objective: Objective, annealing: AnnealingParams, threads: int | None = None, scoring: str = "dense"
    ) -> None:
        self.objective, self.annealing = objective, annealing
        del threads, scoring

    def init(self, runs: Runs) -> State:
        """The first image of each chain: its target's grey levels in random order."""
        a, which = self.annealing, self.objective.which(runs)
        images = shuffle_levels(a.counts[which], a.seed, runs, a.shape)
        costs, scores = self.objective.cost(images, which, self.kernels)
        return State(0, runs, images[:, None], costs[:, None], scores[:, None], np.ones(len(runs), dtype=np.int64))

    def step(self, state: State) -> State:
        """All proposals of a generation."""
        a, generation, which = self.annealing, state.generation + 1, self.objective.which(state.runs)
        images, costs, scores = state.images[:, 0].copy(), state.costs[:, 0].copy(), state.scores[:, 0].copy()
        changed = np.zeros(len(images), dtype=np.int64)
        for step, temperature in enumerate(a.temperatures(generation)):
            proposals = propose(images, a.tables[which], a.swap, a.seed, generation, step, state.runs)
            fresh = (proposals != images).any(axis=(1, 2, 3))
            new, found = costs.copy(), scores.copy()
            if fresh.any():
                new[fresh], found[fresh] = self.objective.cost(proposals[fresh], which[fresh], self.kernels)
            taken = metropolis_accept(new, costs, temperature, a.seed, generation, step, state.runs) & fresh
            images[taken], costs[taken], scores[taken] = proposals[taken], new[taken], found[taken]
            changed += fresh
        return State(generation, state.runs, images[:, None], costs[:, None], scores[:, None], changed)


class NumbaAnneal(ReferenceAnneal):
    """engine=numba: chains of a built-in network by difference, compiled, on all cores; others a proposal at a time."""

    def __init__(
        self, objective: Objective, annealing: AnnealingParams, threads: int | None = None, scoring: str = "difference"
    ) -> None:
        from fooling.kernels import numba
        from fooling.search.genetic.delta import make_delta_terms
        from fooling.search.genetic.numba import cores

        super().__init__(objective, annealing)
        self.kernels = numba
        self.threads, self.parts = threads or cores(), make_delta_terms(objective)
        self.pool = ThreadPoolExecutor(self.threads)
        slow = why_slow(objective) if scoring == "difference" else ()
        self.notes = tuple(
            f"{why}: chains are scored in full, which is slow; search=ga needs fewer evaluations" for why in slow
        )
        self.guides = draw_guide(annealing.tables)
        self.goal = make_goal(objective, annealing.shape) if scoring == "difference" and not slow else None

    def step(self, state: State) -> State:
        """All proposals of a generation, the chains shared among the threads."""
        goal = self.goal
        if goal is None:
            return super().step(state)
        from fooling.kernels.numba.annealing import anneal

        chains, walk = self.chains(state), self.walk(state.generation + 1)
        (height, width, _), n = self.annealing.shape, len(state.runs)
        size = max(1, -(-n // self.threads))

        def work(lo: int) -> None:
            anneal(chains, goal, walk, height, width, lo, min(lo + size, n))

        list(self.pool.map(work, range(0, n, size)))
        statistics: dict[str, npt.NDArray[Any]] = {"transposed": chains.transposed, "scores": chains.units}
        statistics |= {name: getattr(chains, own) for name, own in COMPILED.items()}
        return State(
            walk.generation,
            state.runs,
            chains.images.reshape(n, 1, *self.annealing.shape),
            chains.costs[:, None],
            chains.scores[:, None],
            chains.changed,
            {name: array[:, None] for name, array in statistics.items()},
        )

    def chains(self, state: State) -> "ChainState":
        """The chains of a state, as copies that can be changed; their statistics are counted where it has none."""
        from fooling.kernels.numba.annealing_state import ChainState
        from fooling.search.genetic.delta import measure

        n, channels = len(state.runs), self.annealing.shape[2]
        known = {name: array[:, 0].copy() for name, array in state.statistics.items()}
        found = known or measure(self.parts, np.ascontiguousarray(state.images[:, 0]))
        none = {"counts": (n, channels, 1), "sums": (n, channels, 2, 1), "regions": (n, channels, 1), "parts": (n, 1)}
        own = {own: found.get(name, np.zeros(none[own], dtype=np.int64)) for name, own in COMPILED.items()}
        return ChainState(
            runs=state.runs,
            target_index=self.objective.which(state.runs),
            images=state.images.reshape(n, -1).copy(),
            transposed=found["transposed"],
            units=found["scores"],
            scores=state.scores[:, 0].copy(),
            costs=state.costs[:, 0].copy(),
            changed=np.zeros(n, dtype=np.int64),
            **own,
        )

    def walk(self, generation: int) -> "ProposalParams":
        """How the chains go in a generation."""
        from fooling.kernels.numba.annealing_state import ProposalParams

        a = self.annealing
        return ProposalParams(a.tables, self.guides, a.swap, np.uint64(a.seed), generation, a.temperatures(generation))


def why_slow(objective: Objective) -> tuple[str, ...]:
    """What keeps chains from going by difference."""
    found = [f"the term {name} is not compiled for chains" for name in objective.penalties if name not in COMPILED]
    if not (isinstance(objective.classifier, DenseNetwork) and objective.classifier.output == SIGMOID):
        found.append("the classifier is not of mnist_mlp's kind")
    if "variogram" in objective.penalties and objective.arguments["variogram"][1]:
        found.append("prior.quirk_lag1 is not compiled for chains")
    return tuple(found)


def make_goal(objective: Objective, shape: tuple[int, int, int]) -> "CompiledObjective":
    """What the chains of a built-in network are scored by."""
    from fooling.kernels.numba.annealing_state import CompiledObjective
    from fooling.kernels.numba.delta_penalties import padded_weights
    from fooling.kernels.numba.network import padded_layer

    network: Any = objective.classifier
    ((output, bias),) = network.later_layers
    found = objective.arguments or of_no_class(shape)
    bins, histogram = found["histogram"]
    variogram, _ = found["variogram"]
    grid, regional = found["regional"]
    weights, _, mean, variance, residual, free = found["eigen"]
    reach = (regional.targets.shape[2] // region_count(shape, grid) - 1) // 2
    return CompiledObjective(
        weights=np.array([objective.weights[name] for name in ("target", *COMPILED)]),
        digit=objective.digit,
        margin=objective.free,
        bins=bins,
        histogram=histogram,
        places=np.full(histogram.targets.shape[2], float(shape[0] * shape[1])),
        variogram=variogram,
        pairs=pair_counts(shape, variogram.targets.shape[2] // 2).reshape(-1),
        regional=regional,
        region=regions(shape[0], shape[1], grid),
        reach=reach,
        pixels=regional_counts(shape, grid, reach),
        eigen=weights,
        mean=mean,
        variance=variance,
        residual=float(residual),
        eigen_margin=free,
        network=padded_weights(network.linear_head[0]),
        scale=network.scale,
        output=padded_layer(output),
        bias=bias,
    )


def of_no_class(shape: tuple[int, int, int]) -> dict[str, tuple[Any, ...]]:
    """Arguments for terms of weight 0 where no class's statistics are wanted: the compiled chains need their types."""

    pixels, channels = int(np.prod(shape)), shape[2]

    def nothing(size: int) -> TermTarget:
        return TermTarget(np.zeros((1, channels, size)), np.zeros((channels, size)), 0.0)

    none = PrincipalComponents(np.zeros(pixels, np.int32), np.zeros((1, pixels), np.int16), np.ones(1), 1.0)
    return {
        "histogram": (bin_of_level(1), nothing(1)),
        "variogram": (nothing(2), False),
        "regional": (1, nothing(1)),
        "eigen": eigen_arguments(none, 0.0),
    }
