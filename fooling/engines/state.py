"""What every engine starts from, hands on and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference_breeding import ORIGINAL, Rates

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Breeding:
    """How children are made and kept (search=ga). Rates are integers in units of 2⁻²⁴."""

    shape: tuple[int, int, int]  # H, W, C
    population: int  # N, children a generation
    selected: int  # S, parents kept
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels that pixels are drawn from, a target
    mixing: bool  # uniform crossover of two parents, or a copy of one
    mutate_factor: float  # redraw rate a pixel = min(0.5, 0.01·|best cost|·mutate_factor) …
    min_rate: float  # … but not below this
    swap: int  # threshold of a swap, a place
    elitism: bool  # parents compete with their children
    seed: int
    rates: Rates = ORIGINAL  # of the other operators

    @property
    def rate_of_cost(self) -> np.float32:
        """The redraw rate a pixel, per unit of the best cost."""
        return np.float32(0.01 * self.mutate_factor)

    def redraw_thresholds(self, costs: Floats) -> npt.NDArray[np.uint32]:
        """The redraw threshold of each run, from its selected costs [R, S], best first. → [R].

        One product of float32, which is the same in every engine.
        """
        with np.errstate(over="ignore"):  # what is above 0.5 is 0.5
            rate = self.rate_of_cost * np.abs(costs[:, 0])
        rate = np.minimum(np.float32(0.5), np.maximum(np.float32(self.min_rate), rate))
        return np.asarray(np.rint(rate * np.float32(2.0**24)), dtype=np.uint32)


@dataclass(frozen=True)
class State:
    """Where the runs that still go on stand: R runs, S selected images each, best first."""

    generation: int
    runs: npt.NDArray[np.uint32]  # [R], number of each run
    images: Bytes  # [R, S, H, W, C]
    costs: Floats  # [R, S]
    scores: Floats  # [R, S, K]
    changed: npt.NDArray[np.int64]  # [R], candidates of this generation that equalled none of those they came from
    statistics: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # [R, S, …] each, for engines that keep them
    carried: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # [R, …] each, what cannot be counted anew

    def only(self, going: npt.NDArray[np.bool_]) -> "State":
        """The state without the runs that have ended, going [R]; the others are not changed by it."""
        if going.all():
            return self
        arrays: dict[str, Any] = {name: getattr(self, name)[going] for name in SAVED}
        statistics, carried = (
            {name: array[going] for name, array in found.items()} for found in (self.statistics, self.carried)
        )
        return State(self.generation, **arrays, statistics=statistics, carried=carried)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a checkpoint: everything but the statistics, which can be counted anew."""
        own = {f"{CARRIED}{name}": array for name, array in self.carried.items()}
        return {**{f"state_{name}": np.asarray(getattr(self, name)) for name in ("generation", *SAVED)}, **own}

    @staticmethod
    def restore(saved: Mapping[str, npt.NDArray[Any]]) -> "State":
        """The state in a checkpoint."""
        arrays: dict[str, Any] = {name: saved[f"state_{name}"] for name in SAVED}
        carried = {name.removeprefix(CARRIED): saved[name] for name in saved if name.startswith(CARRIED)}
        return State(int(saved["state_generation"]), **arrays, carried=carried)


CARRIED = "carried_"  # how the names of such arrays begin in a checkpoint
SAVED = ("runs", "images", "costs", "scores", "changed")  # arrays of a state, a row a run


def nothing(breeding: Breeding, runs: npt.NDArray[np.uint32], classes: int) -> State:
    """The state before the first population: no images."""
    size = (len(runs), 0)
    images, costs = np.empty((*size, *breeding.shape), np.uint8), np.empty(size, np.float32)
    return State(-1, runs, images, costs, np.empty((*size, classes), np.float32), np.zeros(len(runs), np.int64))


class Engine(Protocol):
    """Computes breed, score and select. Optional: `leave(record, classifier)` writes what else is to be in it at the end."""

    notes: tuple[str, ...]  # what a run says once: what it computes in another way than one would expect

    def init(self, runs: npt.NDArray[np.uint32]) -> State:
        """The first population of each run, scored, and the best of it."""

    def step(self, state: State) -> State:
        """One generation further."""
