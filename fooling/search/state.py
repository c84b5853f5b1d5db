"""The state of one generation and the history of each run; a checkpoint holds both."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.kernels.reference.penalties import confidence
from fooling.kernels.tables import Bytes, Floats, Ints

Runs = npt.NDArray[np.uint32]
CARRIED = "carried_"  # prefix of the auxiliary arrays in a checkpoint
SAVED = ("runs", "images", "costs", "scores", "changed")  # arrays of a state, a row for each run


@dataclass(frozen=True)
class State:
    """The runs that have not ended after a generation: R runs, S selected images each, best first."""

    generation: int
    runs: Runs  # [R], number of each run
    images: Bytes  # [R, S, H, W, C]
    costs: Floats  # [R, S]
    scores: Floats  # [R, S, K]
    changed: npt.NDArray[np.int64]  # [R], candidates of this generation that differed from those they were made of
    statistics: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # [R, S, …] each, can be computed anew
    aux: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # [R, …] each, cannot be computed anew

    @staticmethod
    def empty(runs: Runs, shape: tuple[int, int, int], classes: int, aux: Mapping[str, npt.NDArray[Any]]) -> "State":
        """Before generation 0: black images [H, W, C], one a run, and no scores."""
        number = len(runs)
        images = np.zeros((number, 1, *shape), dtype=np.uint8)
        costs, scores = np.zeros((number, 1), dtype=np.float32), np.zeros((number, 1, classes), dtype=np.float32)
        return State(-1, runs, images, costs, scores, np.zeros(number, dtype=np.int64), aux=aux)

    def select_runs(self, mask: npt.NDArray[np.bool_]) -> "State":
        """The state of the runs where the mask [R] is true."""
        if mask.all():
            return self
        arrays: dict[str, Any] = {name: getattr(self, name)[mask] for name in SAVED}
        statistics, aux = ({name: array[mask] for name, array in group.items()} for group in (self.statistics, self.aux))
        return State(self.generation, **arrays, statistics=statistics, aux=aux)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a checkpoint: everything but the statistics."""
        aux = {f"{CARRIED}{name}": array for name, array in self.aux.items()}
        return {**{f"state_{name}": np.asarray(getattr(self, name)) for name in ("generation", *SAVED)}, **aux}

    @staticmethod
    def restore(saved: Mapping[str, npt.NDArray[Any]]) -> "State":
        """The state in a checkpoint."""
        arrays: dict[str, Any] = {name: saved[f"state_{name}"] for name in SAVED}
        aux = {name.removeprefix(CARRIED): saved[name] for name in saved if name.startswith(CARRIED)}
        return State(int(saved["state_generation"]), **arrays, aux=aux)


GENOME = "genome"  # the same beside a state's images: float32 [R, D]
FEEDBACK = "feedback.npz"  # of search=feedback, in the record: frames of run 0 with their scores, and the weights
MILESTONES = (0.9, 0.99, 0.999, 0.9999)  # confidences; History holds the evaluations at which each is first reached
PASSES = ("majority", "0.99", "0.999", "0.9999")  # gradient searches: the target is the arg-max; success at these
AT_PASS = ("iteration", "norm", "distance", "spread")  # of the image at its first passage
FRAMES = 60  # of the film, at most
FILMED, FILM_BYTES = 20, 1 << 26  # runs in the film, and bytes of its frames, at most
LOGGED = 100  # lines of metrics after the first ten generations, about

# A line of metrics, in this order; best, median and confidence are over all runs.
COLUMNS = (
    "generation",
    "evaluations",
    "running",
    "converged",
    "best_cost",
    "median_cost",
    "confidence",
    "seconds",
    "evaluations_per_second",
)
Metrics = dict[str, float]


@dataclass
class History:
    """What happened to R runs: image, milestones, frames, metrics. The arrays are updated in place with each generation."""

    images: npt.NDArray[np.uint8]  # [R, H, W, C], the best image of the last generation
    costs: npt.NDArray[np.float32]  # [R]
    scores: npt.NDArray[np.float32]  # [R, K]
    evaluations: npt.NDArray[np.int64]  # [R]
    changed: npt.NDArray[np.int64]  # [R], candidates that differed from those they were made of
    reached: npt.NDArray[np.int64]  # [R, 4], evaluations until each of MILESTONES, −1 while not reached
    passes: npt.NDArray[np.float64]  # [R, len(PASSES), len(AT_PASS)], −1 while not passed; [R, 0, …]: the search has none
    genomes: Floats  # [R, D], that of the image; D = 0: the search varies pixels
    ended: npt.NDArray[np.bool_]  # [R], by the criterion `stop`; the others go on, up to the last generation
    populations: npt.NDArray[np.uint8]  # [R, S, H, W, C], the last selection of those that are over; S = 0: not returned
    frames: npt.NDArray[np.uint8]  # [F, filmed(R), H, W, C]
    frame_generations: npt.NDArray[np.int64]  # [F]
    history: npt.NDArray[np.float64]  # [lines, COLUMNS]

    @staticmethod
    def start(runs: int, state: State, whole: bool = False) -> "History":
        """Before generation 0, `state`; `whole`: the runs return all of their last selection."""
        shape, classes = state.images.shape[2:], state.scores.shape[2]
        return History(
            images=np.zeros((runs, *shape), dtype=np.uint8),
            costs=np.zeros(runs, dtype=np.float32),
            scores=np.zeros((runs, classes), dtype=np.float32),
            evaluations=np.zeros(runs, dtype=np.int64),
            changed=np.zeros(runs, dtype=np.int64),
            reached=np.full((runs, len(MILESTONES)), -1, dtype=np.int64),
            passes=np.full((runs, len(PASSES) if "passes" in state.aux else 0, len(AT_PASS)), -1.0),
            genomes=np.zeros((runs, state.aux[GENOME].shape[1] if GENOME in state.aux else 0), dtype=np.float32),
            ended=np.zeros(runs, dtype=np.bool_),
            populations=np.zeros((runs, state.images.shape[1] if whole else 0, *shape), dtype=np.uint8),
            frames=np.zeros((0, filmed(runs, shape), *shape), dtype=np.uint8),
            frame_generations=np.zeros(0, dtype=np.int64),
            history=np.zeros((0, len(COLUMNS))),
        )

    @property
    def done(self) -> bool:
        """Whether every run has met the criterion `stop`."""
        return bool(self.ended.all())

    def observe(self, state: State, rank: int, evaluations: int, digit: int | Ints) -> None:
        """The image of this rank in each run's selection becomes the run's image, after so many evaluations.

        Milestones are of the best image's confidence in the class `digit`, of all runs or of each; or kernels.tables.ANY.
        """
        runs = state.runs
        if len(runs) == len(self.images):  # a third of the time, of large images
            np.copyto(self.images, state.images[:, rank])
        else:
            self.images[runs] = state.images[:, rank]
        self.costs[runs] = state.costs[:, rank]
        self.scores[runs], self.evaluations[runs] = state.scores[:, rank], evaluations
        confident = confidence(state.scores[:, 0], digit)[:, None] >= np.array(MILESTONES, dtype=np.float32)
        self.reached[runs] = np.where((self.reached[runs] < 0) & confident, evaluations, self.reached[runs])
        if "passes" in state.aux:
            self.passes[runs] = state.aux["passes"]
        if GENOME in state.aux:
            self.genomes[runs] = state.aux[GENOME]

    def end(self, state: State, ends: npt.NDArray[np.bool_]) -> None:
        """Marks the runs that met the criterion `stop` with this state, ends [R]."""
        self.ended[state.runs[ends]] = True
        self.keep(state.select_runs(ends))

    def keep(self, state: State) -> None:
        """Keeps the last selection of the runs of a state, where the search returns it."""
        if self.populations.shape[1]:
            self.populations[state.runs] = state.images

    def drop(self, generation: int) -> None:
        """Removes the last frame and the last line of metrics if they are of this generation."""
        if len(self.frame_generations) and self.frame_generations[-1] == generation:
            self.frames, self.frame_generations = self.frames[:-1], self.frame_generations[:-1]
        if len(self.history) and self.history[-1, 0] == generation:
            self.history = self.history[:-1]

    def film(self, generation: int) -> None:
        """Adds a frame: the runs' images at this generation."""
        self.frames = np.concatenate([self.frames, self.images[None, : self.frames.shape[1]]])
        self.frame_generations = np.append(self.frame_generations, generation)

    def add_row(self, row: Metrics) -> None:
        """Adds a line of metrics."""
        self.history = np.concatenate([self.history, [[row[name] for name in COLUMNS]]])

    def rows(self) -> list[Metrics]:
        """The lines of metrics so far."""
        return [as_row(line) for line in self.history]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as named arrays for a checkpoint."""
        return {f"track_{field.name}": getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def restore(saved: Mapping[str, npt.NDArray[Any]]) -> "History":
        """The history in a checkpoint, also of a version without genomes."""
        found = {"track_genomes": np.zeros((len(saved["track_images"]), 0), dtype=np.float32), **saved}
        return History(**{field.name: found[f"track_{field.name}"].copy() for field in fields(History)})


def as_row(line: npt.NDArray[np.float64]) -> Metrics:
    """A line of metrics with its names; counts are whole numbers."""
    return {name: value if value % 1 else int(value) for name, value in zip(COLUMNS, line.tolist(), strict=True)}


def filmed(runs: int, shape: tuple[int, ...]) -> int:
    """How many runs are in the film of images [H, W, C]: of large images fewer."""
    return max(1, min(runs, FILMED, FILM_BYTES // (FRAMES * prod(shape))))


def is_logged(generation: int, last: int) -> bool:
    """Whether a generation gets a line of metrics: the first ten, then about every hundredth part, and the last."""
    return generation <= 10 or generation == last or generation % max(1, last // LOGGED) == 0


def is_filmed(generation: int, last: int, each: int | None = None) -> bool:
    """Whether a generation is a frame of the film: evenly spaced in the logarithm, since most happens early.

    With rounds of `each` generations: the end of each round.
    """
    return generation % each == 0 if each else generation in film_marks(last)


@lru_cache(maxsize=1)
def film_marks(last: int) -> frozenset[int]:
    """The generations that are frames."""
    return frozenset((np.rint(np.geomspace(1, last + 1, FRAMES)).astype(int) - 1).tolist())
