"""search=anneal: each run is one chain; what it holds after each `proposals` proposals is a generation."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import ask
from fooling.classifiers.networks import SigmoidNetwork
from fooling.engines.state import State
from fooling.kernels import reference, reference_anneal
from fooling.kernels.reference_anneal import temperatures
from fooling.objective import Objective

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Runs = npt.NDArray[np.uint32]


COMPILED = ("histogram", "variogram", "eigen")  # terms that `numba_anneal` knows, in the order of its weights


@dataclass(frozen=True)
class Annealing:
    """How chains walk."""

    shape: tuple[int, int, int]  # H, W, C
    proposals: int  # of each chain a generation
    last: int  # the last generation: the temperature is 0 after it
    table: npt.NDArray[np.uint64]  # [C, 256], cumulative shares of the grey levels that redraws draw from
    counts: npt.NDArray[np.int64]  # [C, 256], how often each level is in the first image
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

    def __init__(self, objective: Objective, annealing: Annealing, threads: int | None = None, scoring: str = "dense") -> None:
        self.objective, self.annealing = objective, annealing
        self.weights = np.array([objective.weights[name] for name in ("target", *objective.penalties)])
        del threads, scoring

    def init(self, runs: Runs) -> State:
        """The first image of each chain: the class's grey levels in random order."""
        images = reference_anneal.shuffled(self.annealing.counts, self.annealing.seed, runs, self.annealing.shape)
        costs, scores = self.value(images)
        return State(0, runs, images[:, None], costs[:, None], scores[:, None], np.ones(len(runs), dtype=np.int64))

    def step(self, state: State) -> State:
        """All proposals of a generation."""
        a, generation = self.annealing, state.generation + 1
        images, costs, scores = state.images[:, 0].copy(), state.costs[:, 0].copy(), state.scores[:, 0].copy()
        changed = np.zeros(len(images), dtype=np.int64)
        for step, temperature in enumerate(a.temperatures(generation)):
            proposals = reference_anneal.propose(images, a.table, a.swap, a.seed, generation, step, state.runs)
            fresh = (proposals != images).any(axis=(1, 2, 3))
            new, found = costs.copy(), scores.copy()
            if fresh.any():
                new[fresh], found[fresh] = self.value(proposals[fresh])
            taken = reference_anneal.accepts(new, costs, temperature, a.seed, generation, step, state.runs) & fresh
            images[taken], costs[taken], scores[taken] = proposals[taken], new[taken], found[taken]
            changed += fresh
        return State(generation, state.runs, images[:, None], costs[:, None], scores[:, None], changed)

    def value(self, images: Bytes) -> tuple[Floats, Floats]:
        """Costs [N] and scores [N, K] of images [N, H, W, C]."""
        scores = ask(self.objective.classifier, images)
        terms = [reference.target_term(scores, self.objective.digit, self.objective.free)]
        terms += [self.penalty(name)(images, *self.objective.arguments[name]) for name in self.objective.penalties]
        return reference.weighted_sum(np.stack(terms, axis=1), self.weights), scores

    def penalty(self, name: str) -> Any:
        """A term's kernel."""
        return reference.PENALTIES[name]


class NumbaAnneal(ReferenceAnneal):
    """engine=numba: chains of a built-in network by difference, compiled, on all cores; others a proposal at a time."""

    def __init__(
        self, objective: Objective, annealing: Annealing, threads: int | None = None, scoring: str = "difference"
    ) -> None:
        from fooling.engines.numba_ import cores
        from fooling.engines.scoring import make_parts

        super().__init__(objective, annealing)
        self.threads, self.parts = threads or cores(), make_parts(objective)
        self.pool = ThreadPoolExecutor(self.threads)
        quirk = bool(objective.arguments["variogram"][1]) and "variogram" in objective.penalties
        built_in = isinstance(objective.classifier, SigmoidNetwork) and set(objective.penalties) <= set(COMPILED)
        self.fast = built_in and scoring == "difference" and not quirk
        slow = "only the built-in network's chains, without prior.quirk_lag1, go by difference: these are scored in full"
        self.notes = () if self.fast or scoring == "dense" else (slow,)

    def penalty(self, name: str) -> Any:
        """A term's kernel."""
        from fooling.kernels import numba_

        return numba_.PENALTIES[name]

    def step(self, state: State) -> State:
        """All proposals of a generation, the chains shared among the threads."""
        if not self.fast:
            return super().step(state)
        from fooling.kernels import numba_anneal

        chains, goal, walk = self.chains(state), self.goal(), self.walk(state.generation + 1)
        (height, width, _), n = self.annealing.shape, len(state.runs)
        size = max(1, -(-n // self.threads))

        def work(lo: int) -> None:
            numba_anneal.anneal(chains, goal, walk, height, width, lo, min(lo + size, n))

        list(self.pool.map(work, range(0, n, size)))
        statistics = {"transposed": chains.transposed, "histogram": chains.counts, "variogram": chains.sums}
        statistics |= {"eigen": chains.parts, "scores": chains.units}
        return State(
            walk.generation,
            state.runs,
            chains.images.reshape(n, 1, *self.annealing.shape),
            chains.costs[:, None],
            chains.scores[:, None],
            chains.changed,
            {name: array[:, None] for name, array in statistics.items()},
        )

    def chains(self, state: State) -> Any:
        """The chains of a state, as copies that can be changed; their statistics are counted where it has none."""
        from fooling.engines.scoring import measure
        from fooling.kernels.numba_anneal import Chains

        n, channels = len(state.runs), self.annealing.shape[2]
        known = {name: array[:, 0].copy() for name, array in state.statistics.items()}
        found = known or measure(self.parts, np.ascontiguousarray(state.images[:, 0]))
        return Chains(
            state.runs,
            state.images.reshape(n, -1).copy(),
            found["transposed"],
            found.get("histogram", np.zeros((n, channels, 1), dtype=np.int64)),
            found.get("variogram", np.zeros((n, channels, 2, 1), dtype=np.int64)),
            found.get("eigen", np.zeros((n, 1), dtype=np.int64)),
            found["scores"],
            state.scores[:, 0].copy(),
            state.costs[:, 0].copy(),
            np.zeros(n, dtype=np.int64),
        )

    def goal(self) -> Any:
        """What the chains are scored by."""
        from fooling.kernels.numba_anneal import Goal
        from fooling.kernels.numba_difference import padded_weights
        from fooling.kernels.numba_eigen import pad_eigen
        from fooling.kernels.numba_network import padded_rest

        objective, shape = self.objective, self.annealing.shape
        network: Any = objective.classifier
        bins, histogram = objective.arguments["histogram"]
        variogram, _ = objective.arguments["variogram"]
        weights, _, mean, variance, residual, hinge = objective.arguments["eigen"]
        return Goal(
            np.array([objective.weights[name] for name in ("target", *COMPILED)]),
            objective.digit,
            objective.free,
            bins,
            histogram,
            np.ascontiguousarray(variogram.reshape(shape[2], -1)),
            reference.pair_counts(shape, variogram.shape[2]).reshape(-1),
            pad_eigen(weights),
            mean,
            variance,
            float(residual),
            hinge,
            padded_weights(network.linear_head[0]),
            network.scale,
            padded_rest(network.weights2),
            network.bias2,
        )

    def walk(self, generation: int) -> Any:
        """How the chains go in a generation."""
        from fooling.kernels.numba_anneal import Walk
        from fooling.kernels.tables import draw_guide

        a = self.annealing
        guide = draw_guide(a.table)
        return Walk(a.table, guide, a.swap, np.uint64(a.seed), generation, a.temperatures(generation))
