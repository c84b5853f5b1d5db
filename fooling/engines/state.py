"""What every engine starts from, hands on and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fooling.kernels import reference

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Breeding:
    """How children are made and kept (search=ga). Rates are integers in units of 2⁻²⁴."""

    shape: tuple[int, int, int]  # H, W, C
    population: int  # N, children a generation
    selected: int  # S, parents kept
    table: npt.NDArray[np.uint64]  # [C, 256], cumulative shares of the grey levels that pixels are drawn from
    mixing: bool  # uniform crossover of two parents, or a copy of one
    mutate_factor: float  # redraw rate a pixel = min(0.5, 0.01·|best cost|·mutate_factor) …
    min_rate: float  # … but not below this
    swap: int  # threshold of a swap, a place
    elitism: bool  # parents compete with their children
    seed: int

    def redraw_thresholds(self, costs: Floats) -> npt.NDArray[np.uint32]:
        """The redraw threshold of each run, from its selected costs [R, S], best first. → [R]."""
        with np.errstate(over="ignore"):  # what is above 0.5 is 0.5
            rate = 0.01 * np.abs(costs[:, 0].astype(np.float64)) * self.mutate_factor
        rate = np.minimum(0.5, np.maximum(self.min_rate, rate))
        return np.asarray(np.rint(rate * 2.0**24), dtype=np.uint32)


@dataclass(frozen=True)
class State:
    """Where the runs that still go on stand: R runs, S selected images each, best first."""

    generation: int
    runs: npt.NDArray[np.uint32]  # [R], number of each run
    images: Bytes  # [R, S, H, W, C]
    costs: Floats  # [R, S]
    scores: Floats  # [R, S, K]

    def only(self, going: npt.NDArray[np.bool_]) -> "State":
        """The state without the runs that have ended, going [R]; the others are not changed by it."""
        if going.all():
            return self
        return State(self.generation, self.runs[going], self.images[going], self.costs[going], self.scores[going])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as named arrays for a checkpoint."""
        return {f"state_{field.name}": np.asarray(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def restore(saved: Mapping[str, npt.NDArray[Any]]) -> "State":
        """The state in a checkpoint."""
        arrays = {field.name: saved[f"state_{field.name}"] for field in fields(State) if field.name != "generation"}
        return State(generation=int(saved["state_generation"]), **arrays)


class Engine(Protocol):
    """Computes breed, score and select."""

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """The first population of each run, scored, and the best of it."""

    def step(self, state: State) -> State:
        """One generation further."""


def keep_best(state: State, generation: int, children: Bytes, costs: Floats, scores: Floats, breeding: Breeding) -> State:
    """The best of the children [R, N, H, W, C], and with elitism of their parents too: ties to children, lower index first."""
    if breeding.elitism and len(state.images[0]):
        children = np.concatenate([children, state.images], axis=1)
        costs, scores = np.concatenate([costs, state.costs], axis=1), np.concatenate([scores, state.scores], axis=1)
    best = reference.select(costs, breeding.selected)
    rows = np.arange(len(best))[:, None]
    return State(generation, state.runs, children[rows, best], costs[rows, best], scores[rows, best])
