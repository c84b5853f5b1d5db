"""search=anneal: simulated annealing (Kirkpatrick et al. 1983, "Optimization by Simulated Annealing").

Each run is one chain. A generation is `proposals` proposals: each swaps two pixels or redraws one, and Metropolis's rule
accepts it or not.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import WHOLE_IMAGES, images_a_score
from fooling.classifiers.cnn import ConvolutionalNetwork
from fooling.classifiers.dense import SOFTMAX, DenseNetwork
from fooling.kernels import numba, reference
from fooling.kernels.numba.annealing import anneal
from fooling.kernels.numba.annealing_state import ChainState, CompiledObjective, ProposalParams
from fooling.kernels.numba.compile import cores
from fooling.kernels.numba.convolution import pack
from fooling.kernels.numba.delta_convolution import address_of_update, measure_values
from fooling.kernels.numba.delta_penalties import padded_weights
from fooling.kernels.numba.network import packed
from fooling.kernels.reference.annealing import metropolis_accept, propose, shuffle_levels, temperatures
from fooling.kernels.reference.convolution import ConvolutionalLayers
from fooling.kernels.reference.penalties import pair_counts, region_count, regional_counts, regions
from fooling.kernels.tables import RATE_ONE, Bytes, TermTarget, bin_of_level, draw_guide, draw_table, exact_counts
from fooling.search import Schedule
from fooling.search.genetic.delta import make_delta_terms, measure
from fooling.search.objective import Objective
from fooling.search.prior import level_distribution
from fooling.search.state import Runs, State
from fooling.search.stopping import StoppingCriteria
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics
from fooling.statistics.pca import PrincipalComponents
from fooling.statistics.pca import kernel_arguments as eigen_arguments

# Terms that the compiled chains have, in the order of their weights, and the names of their statistics in `ChainState`.
COMPILED = {"histogram": "counts", "variogram": "sums", "regional": "regions", "eigen": "parts"}
# What the compiled chains take of the other kind of network.
NO_WEIGHTS, NONE = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
NO_KERNELS = NO_WEIGHTS[None, None]
NO_CONVOLUTIONS = pack(ConvolutionalLayers(NO_KERNELS, NONE, NO_KERNELS, NONE, NO_WEIGHTS, NONE, NO_WEIGHTS, NONE), (4, 4, 1))


@dataclass(frozen=True)
class AnnealingParams:
    """What chains propose, and how the temperature falls."""

    shape: tuple[int, int, int]  # H, W, C
    proposals: int  # of each chain in a generation
    last: int  # the last generation: the temperature is 0 after it
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels of redraws, for each target
    counts: npt.NDArray[np.int64]  # [T, C, 256], how often each level is in the first image
    swap: int  # share of the proposals that are swaps, in units of 2⁻²⁴; the others redraw a pixel
    temperature: float  # at the start, in units of the cost
    cooling: float  # temperature = start·(1 − share of the proposals that are over)^cooling
    seed: int

    @staticmethod
    def from_settings(settings: RunSettings, objective: Objective, statistics: Statistics | None) -> "AnnealingParams":
        """The parameters in the settings; the temperature is 0 at the last generation that the budget allows."""
        search: Any = settings.search
        height, width, channels = objective.classifier.input_shape
        levels = level_distribution(settings, statistics, channels)
        return AnnealingParams(
            shape=(height, width, channels),
            proposals=search.proposals,
            last=StoppingCriteria.from_settings(settings, objective.digit, images=images_a_score(objective.classifier)).last,
            tables=draw_table(levels),
            counts=exact_counts(levels, height * width),
            swap=round(search.swap_share * RATE_ONE),
            temperature=search.temperature,
            cooling=search.cooling,
            seed=settings.seed,
        )

    def temperatures(self, generation: int) -> npt.NDArray[np.float64]:
        """Of each proposal of a generation, [proposals]."""
        return temperatures(self.temperature, self.cooling, generation, self.last, self.proposals)


class ReferenceAnneal:
    """engine=reference: one proposal after the other, every term computed in full."""

    notes: tuple[str, ...] = ()
    kernels: Any = reference
    shown_together = 1

    def __init__(self, objective: Objective, params: AnnealingParams) -> None:
        self.objective, self.params = objective, params

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The chains with the parameters in the settings."""
        del start_image
        return cls(objective, AnnealingParams.from_settings(settings, objective, statistics))

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """One evaluation for the first image of a chain, one for each proposal."""
        search: Any = settings.search
        return Schedule(1, search.proposals, search.generations, minimum_budget=1 + search.proposals)

    @staticmethod
    def fixed_limits(settings: RunSettings) -> dict[str, str]:
        """The temperature is 0 at the end of all proposals: a longer chain is warmer from the start."""
        search: Any = settings.search
        reason = "the temperatures of search=anneal fall up to the last generation"
        return dict.fromkeys(("search.generations", "budget"), reason) if search.temperature and search.cooling else {}

    def init(self, runs: Runs) -> State:
        """The first image of each chain: its target's grey levels in random order."""
        p, which = self.params, self.objective.which(runs)
        images = shuffle_levels(p.counts[which], p.seed, runs, p.shape)
        costs, scores = self.objective.cost(images, which, self.kernels)
        return State(0, runs, images[:, None], costs[:, None], scores[:, None], np.ones(len(runs), dtype=np.int64))

    def step(self, state: State) -> State:
        """All proposals of a generation."""
        p, generation, which = self.params, state.generation + 1, self.objective.which(state.runs)
        images, costs, scores = state.images[:, 0].copy(), state.costs[:, 0].copy(), state.scores[:, 0].copy()
        changed = np.zeros(len(images), dtype=np.int64)
        for step, temperature in enumerate(p.temperatures(generation)):
            proposals = propose(images, p.tables[which], p.swap, p.seed, generation, step, state.runs)
            fresh = (proposals != images).any(axis=(1, 2, 3))
            new, new_scores = costs.copy(), scores.copy()
            if fresh.any():
                new[fresh], new_scores[fresh] = self.objective.cost(proposals[fresh], which[fresh], self.kernels)
            accepted = metropolis_accept(new, costs, temperature, p.seed, generation, step, state.runs) & fresh
            images[accepted], costs[accepted], scores[accepted] = proposals[accepted], new[accepted], new_scores[accepted]
            changed += fresh
        return State(generation, state.runs, images[:, None], costs[:, None], scores[:, None], changed)


class NumbaAnneal(ReferenceAnneal):
    """engine=numba: compiled chains of fooling's networks by delta evaluation, on all cores; others one proposal at a time."""

    kernels = numba

    def __init__(
        self, objective: Objective, params: AnnealingParams, threads: int | None = None, scoring: str = "difference"
    ) -> None:
        super().__init__(objective, params)
        self.threads, self.terms = threads or cores(), make_delta_terms(objective)
        self.pool = ThreadPoolExecutor(self.threads)
        reasons = why_slow(objective) if scoring == "difference" else ()
        self.notes = tuple(
            f"{reason}: each proposal is scored in full, which is slow; fewer proposals or search=ga take less time"
            for reason in reasons
        )
        self.guides = draw_guide(params.tables)
        self.compiled = compile_objective(objective, params.shape) if scoring == "difference" and not reasons else None
        self.shown_together = 0 if self.compiled else 1
        self.convolutions = self.compiled.convolutions if self.compiled and self.compiled.update else None

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The chains with the parameters in the settings."""
        del start_image
        params = AnnealingParams.from_settings(settings, objective, statistics)
        return cls(objective, params, settings.engine.threads, settings.engine.scoring)

    def step(self, state: State) -> State:
        """All proposals of a generation, the chains shared among the threads."""
        compiled = self.compiled
        if compiled is None:
            return super().step(state)
        chains, walk = self.chains(state), self.proposal_params(state.generation + 1)
        (height, width, _), n = self.params.shape, len(state.runs)
        size = max(1, -(-n // self.threads))

        def work(lo: int) -> None:
            anneal(chains, compiled, walk, height, width, lo, min(lo + size, n))

        list(self.pool.map(work, range(0, n, size)))
        statistics: dict[str, npt.NDArray[Any]] = {"transposed": chains.transposed}
        statistics |= {} if self.convolutions else {"scores": chains.units}  # values of 44 kB a chain are measured anew
        statistics |= {name: getattr(chains, field) for name, field in COMPILED.items()}
        return State(
            walk.generation,
            state.runs,
            chains.images.reshape(n, 1, *self.params.shape),
            chains.costs[:, None],
            chains.scores[:, None],
            chains.changed,
            {name: array[:, None] for name, array in statistics.items()},
        )

    def chains(self, state: State) -> ChainState:
        """The chains of a state, as copies that can be changed; their statistics are computed where it has none."""
        n, channels = len(state.runs), self.params.shape[2]
        known = {name: array[:, 0].copy() for name, array in state.statistics.items()}
        found = known or measure(self.terms, np.ascontiguousarray(state.images[:, 0]))
        images = state.images.reshape(n, -1).copy()
        convolutions = self.convolutions
        units = measure_values(images, convolutions) if convolutions else found["scores"]
        empty = {"counts": (n, channels, 1), "sums": (n, channels, 2, 1), "regions": (n, channels, 1), "parts": (n, 1)}
        terms = {field: found.get(name, np.zeros(empty[field], dtype=np.int64)) for name, field in COMPILED.items()}
        return ChainState(
            runs=state.runs,
            target_index=self.objective.which(state.runs),
            images=images,
            transposed=found["transposed"],
            units=units,
            scores=state.scores[:, 0].copy(),
            costs=state.costs[:, 0].copy(),
            changed=np.zeros(n, dtype=np.int64),
            **terms,
        )

    def proposal_params(self, generation: int) -> ProposalParams:
        """What the kernels make the proposals of a generation from."""
        p = self.params
        return ProposalParams(p.tables, self.guides, p.swap, np.uint64(p.seed), generation, p.temperatures(generation))


def why_slow(objective: Objective) -> tuple[str, ...]:
    """Why the chains of an objective are not compiled."""
    found = [f"the term {name} is not compiled for chains" for name in objective.penalties if name not in COMPILED]
    if not isinstance(objective.classifier, DenseNetwork | ConvolutionalNetwork):
        found.append(WHOLE_IMAGES)
    if "variogram" in objective.penalties and objective.arguments["variogram"][1]:
        found.append("prior.quirk_lag1 is not compiled for chains")
    return tuple(found)


def compile_objective(objective: Objective, shape: tuple[int, int, int]) -> CompiledObjective:
    """The objective as the compiled chains take it: of the same types for all networks."""
    network: Any = objective.classifier
    convolutional = isinstance(network, ConvolutionalNetwork)
    weights1, later, scale = NO_WEIGHTS, (), np.float32(1)
    if not convolutional:
        (weights1, _), later, scale = network.linear_head, network.later_layers, network.scale
    layers, bias, sizes = packed(network.num_classes if convolutional else weights1.shape[1], later)
    found = objective.arguments or zero_arguments(shape)
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
        network=padded_weights(weights1),
        scale=scale,
        layers=layers,
        bias=bias,
        sizes=sizes,
        relu=not convolutional and network.relu,
        softmax=convolutional or network.output == SOFTMAX,
        update=address_of_update(network.packed) if convolutional else 0,
        convolutions=network.packed if convolutional else NO_CONVOLUTIONS,
    )


def zero_arguments(shape: tuple[int, int, int]) -> dict[str, tuple[Any, ...]]:
    """Arguments for terms of weight 0 without a class: the compiled chains need their types."""
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
