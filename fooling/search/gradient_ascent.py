"""search=ascent: gradient ascent on the pixels (Simonyan et al. 2014), with blur, decay, total variation and shifts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import probes
from fooling.errors import UserError
from fooling.kernels.tables import Floats
from fooling.search.continuous import SHIFT, ContinuousSearch, Initialization, generator
from fooling.search.gradient_steps import AscentObjective, IdentityKey, StepSize, take_step
from fooling.search.objective import Objective
from fooling.search.state import State
from fooling.settings.fields import CRASHES

Shifts = npt.NDArray[np.int32]
Runs = npt.NDArray[np.uint32]
SCORES_ALONE = "search=ga, search=anneal and search=pareto need scores alone"


@dataclass(frozen=True)
class AscentParams:
    """Where runs begin, how they step, and what they climb."""

    start: Initialization
    pace: StepSize
    climb: str  # log or target: of the scores
    blur_sd: float  # pixels; 0: no blur
    blur_every: int  # steps
    total_variation: float  # its weight
    jitter: int  # a step sees the image shifted by up to so many pixels


class GradientAscent(ContinuousSearch):
    """Runs that climb the slope of the classifier's scores and of the prior's terms."""

    def __init__(self, objective: Objective, climb: AscentParams, threads: int | None = None, scoring: str = "dense") -> None:
        import jax

        del scoring
        super().__init__(objective, climb.start)
        self.climb = climb
        if not callable(getattr(objective.classifier, "jax_fn", None)):
            what = type(objective.classifier).__name__
            raise UserError(
                f"the classifier ({what}) has no gradients, which take jax_fn, a function of JAX from images to scores; "
                f"{SCORES_ALONE}"
            )
        self.slope = self.make_slope()
        self.examine()
        self.notes: tuple[str, ...] = (f"gradients are computed on {jax.devices()[0].device_kind}",)
        if threads is not None:
            self.notes += ("engine.threads is of engine=numba; gradients take the threads that JAX takes",)

    def make_slope(self) -> AscentObjective:
        """What is climbed."""
        objective, climb = self.objective, self.climb
        return AscentObjective(
            IdentityKey(objective.classifier),
            IdentityKey(objective) if objective.penalties else None,
            objective.weights["target"],
            objective.free,
            climb.climb,
            total_variation=climb.total_variation,
            blur_sd=climb.blur_sd,
        )

    def examine(self) -> None:
        """Refuses a function that cannot be differentiated, and one that is level wherever it is asked."""
        pixels = probes((*self.smallest(), self.start.shape[2])).astype(np.float32)
        try:
            _, peaks = self.moved(pixels, np.arange(len(pixels), dtype=np.uint32), 1)
        except CRASHES as error:
            if isinstance(error, UserError):
                raise
            said = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
            raise UserError(
                f"the classifier's jax_fn cannot be differentiated ({said}); gradients take a function of float32 images "
                f"[N, H, W, C] of grey levels 0…255. {SCORES_ALONE}"
            ) from error
        if self.slope.weight > 0 and not peaks.any():
            raise UserError(
                "the slope of what is to be climbed is 0 at noise, black and white: does the classifier's jax_fn round, or "
                f"turn grey levels into whole numbers? {SCORES_ALONE}"
            )

    def smallest(self) -> tuple[int, int]:
        """Height and width of the smallest pictures that steps are taken of."""
        height, width, _ = self.start.shape
        return height, width

    def step(self, state: State) -> State:
        """One step of every run."""
        generation = state.generation + 1
        pixels, _ = self.moved(state.carried["pixels"], state.runs, generation)
        return self.looked(generation, state.runs, pixels, {**state.carried, "pixels": pixels}, state.images[:, 0])

    def moved(self, pixels: Floats, runs: Runs, generation: int) -> tuple[Floats, Floats]:
        """Pixels [R, H, W, C] after a step, and their largest slopes [R]."""
        climb = self.climb
        blur = climb.blur_sd > 0 and generation % climb.blur_every == 0
        shifts, which = self.shifts(runs, generation), self.objective.which(runs)
        after, peaks = take_step(self.slope, climb.pace, pixels, which, self.objective.digit, shifts, blur)
        if not (np.isfinite(after).all() and np.isfinite(peaks).all()):
            raise UserError(f"generation {generation}: the classifier's gradient is not finite (NaN or infinite)")
        return after, peaks

    def shifts(self, runs: Runs, generation: int) -> Shifts:
        """By how many pixels each run's image is seen shifted, down and to the right: [R, 2]."""
        most, seed = self.climb.jitter, self.start.seed
        if not most:
            return np.zeros((len(runs), 2), dtype=np.int32)
        drawn: Any = [generator(seed, int(run), generation, SHIFT).integers(-most, most + 1, 2) for run in runs]
        return np.array(drawn, dtype=np.int32)
