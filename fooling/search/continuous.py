"""What the gradient searches share: float pixels, where they start, the state of the rounded images.

A generation is one step of each run. Its image, rounded to grey levels, is scored, recorded and returned. A run takes one
evaluation at the start and one for each step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fooling.data.images import letterbox
from fooling.errors import UserError
from fooling.kernels.reference import operators, penalties
from fooling.kernels.tables import LEVELS, Bytes, Floats, Ints, draw_table
from fooling.search import Schedule, StartImage
from fooling.search.numbers import generator
from fooling.search.objective import Objective
from fooling.search.prior import level_distribution
from fooling.search.state import AT_PASS, PASSES, Runs, State
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

FIRST, SHIFT = 0, 1  # what random numbers are for
Shifts = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Initialization:
    """Where runs start: at levels drawn from tables, or at an image with normal noise."""

    shape: tuple[int, int, int]  # H, W, C
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels, of all runs or of each target …
    image: Floats | None  # … or this one, [H, W, C], grey levels
    noise: float  # its standard deviation, grey levels
    seed: int

    @staticmethod
    def from_settings(
        settings: RunSettings, objective: Objective, statistics: Statistics | None, start_image: Bytes | None
    ) -> "Initialization":
        """The start image if there is one, else as `search.start` says."""
        search: Any = settings.search
        height, width, channels = objective.classifier.input_shape
        shape, image = (height, width, channels), None
        if search.start == "levels":
            tables = draw_table(level_distribution(settings, statistics, channels))
        else:
            tables = draw_table(np.full((1, channels, LEVELS), 1 / LEVELS))
        if start_image is not None:
            image = start_image.astype(np.float32)
        elif search.start == "mean":
            image = mean_image(statistics).reshape(shape)
        elif search.start == "grey":
            image = np.full(shape, 128, dtype=np.float32)
        return Initialization(shape, tables, image, search.noise, settings.seed)


@dataclass(frozen=True)
class StepSize:
    """The size of a step, and the decay after it."""

    rate: float  # grey levels, root mean square
    decay: float  # share of the distance from `ground` that is lost
    ground: float  # grey level

    @staticmethod
    def from_settings(search: Any, rate: float) -> "StepSize":
        """The step in the settings of a search; `rate` applies where they leave it open."""
        return StepSize(rate if search.rate is None else search.rate, search.decay, search.ground)


def mean_image(statistics: Statistics | None) -> Floats:
    """The mean image of all classes. Raises UserError where there are no statistics."""
    if statistics is None:
        raise UserError("search.start=mean: no statistics for images of this size; fit them: fooling stats data.path=…")
    return np.asarray((statistics.mean.mean(axis=0) / 256).astype(np.float32))


class ContinuousSearch:
    """The first images of a search, and the state of each later one; a subclass adds `step`."""

    notes: tuple[str, ...] = ()

    def __init__(self, objective: Objective, initialization: Initialization) -> None:
        self.objective, self.initialization = objective, initialization

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """One evaluation for each generation."""
        search: Any = settings.search
        return Schedule(1, 1, search.generations, minimum_budget=2)

    @staticmethod
    def statistics_use(settings: RunSettings) -> Literal["levels", "mean", "none"]:
        """Which statistics the first images are made of."""
        search: Any = settings.search
        uses: dict[str, Literal["levels", "mean"]] = {"levels": "levels", "mean": "mean"}
        return "none" if search.image is not None else uses.get(search.start, "none")

    @staticmethod
    def start_image(settings: RunSettings, shape: tuple[int, int, int]) -> StartImage:
        """The file `search.image`, fitted to the classifier's input shape."""
        search: Any = settings.search
        return StartImage(shape, *letterbox(user_path(search.image), shape)) if search.image else StartImage(shape)

    def init(self, runs: Runs) -> State:
        """The first images, scored."""
        return self.begin(runs, first_pixels(self.initialization, runs, self.objective.which(runs)))

    def begin(self, runs: Runs, pixels: Floats) -> State:
        """The state of the first pixels [R, H, W, C]."""
        passes = np.full((len(runs), len(PASSES), len(AT_PASS)), -1.0)
        aux = {"pixels": pixels, "start": pixels, "passes": passes, "still": np.zeros(len(runs), dtype=np.int64)}
        return self.observe(0, runs, pixels, aux, None)

    def observe(
        self, generation: int, runs: Runs, pixels: Floats, aux: Mapping[str, npt.NDArray[Any]], before: Bytes | None
    ) -> State:
        """The state of pixels [R, H, W, C], 0…255: rounded, scored, with first passages and generations without a change.

        `before` [R, H, W, C] are the images of the previous generation, None in the first.
        """
        images = np.rint(pixels).astype(np.uint8)
        costs, scores = self.objective.cost(images, self.objective.which(runs))
        changed = np.ones(len(runs), dtype=np.bool_) if before is None else (images != before).any(axis=(1, 2, 3))
        passes = first_passages(aux["passes"], generation, pixels, aux["start"], scores, self.objective.digit)
        still = np.where(changed, 0, aux["still"] + 1)
        aux = {**aux, "passes": passes, "still": still}
        return State(generation, runs, images[:, None], costs[:, None], scores[:, None], changed.astype(np.int64), aux=aux)


def first_pixels(start: Initialization, runs: Runs, which: Ints) -> Floats:
    """The first pixels of runs [R] with the targets `which` [R], float32 [R, H, W, C]; no run depends on the others."""
    if start.image is None:
        tables = start.tables[which if len(start.tables) > 1 else np.zeros_like(which)]
        return np.asarray(operators.start(tables, start.seed, runs, 1, start.shape)[:, 0], dtype=np.float32)
    noise = [generator(start.seed, int(run), 0, FIRST).standard_normal(start.shape) for run in runs]
    return np.clip(start.image + start.noise * np.array(noise), 0, 255).astype(np.float32)


def first_passages(
    before: npt.NDArray[np.float64], generation: int, pixels: Floats, start: Floats, scores: Floats, digit: int
) -> npt.NDArray[np.float64]:
    """What was noted when each of PASSES was passed first, [R, passes, AT_PASS], with those passed now.

    Iteration; L2 norm, L2 distance from the start and standard deviation of pixels scaled to [0, 1], as Nguyen et al. (2015)
    log them. Pixels and start [R, H, W, C], scores [R, K].
    """
    largest = scores.argmax(axis=1) == penalties.target_classes(scores, digit)
    sure = penalties.confidence(scores, digit)
    levels = np.array([0.0, *map(float, PASSES[1:])], dtype=np.float32)
    now = largest[:, None] & (sure[:, None] >= levels)
    flat, apart = (array.reshape(len(array), -1).astype(np.float64) / 255 for array in (pixels, pixels - start))
    norms, distances = np.linalg.norm(flat, axis=1), np.linalg.norm(apart, axis=1)
    values = np.stack([np.full(len(flat), float(generation)), norms, distances, flat.std(axis=1)], axis=1)
    return np.where((now & (before[:, :, 0] < 0))[:, :, None], values[:, None], before)
