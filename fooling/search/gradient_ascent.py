"""search=ascent: gradient ascent on the pixels (Simonyan et al. 2014, "Deep Inside Convolutional Networks").

With blur, decay (Yosinski et al. 2015), total variation (Mahendran & Vedaldi 2015) and jitter.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, name_of, probes
from fooling.classifiers.gradients import check_own_gradient, has_gradients
from fooling.errors import UserError, first_line
from fooling.kernels.tables import Bytes, Floats
from fooling.search.continuous import (
    SHIFT,
    AscentObjective,
    ContinuousSearch,
    IdentityKey,
    Initialization,
    Shifts,
    StepSize,
    device_kind,
    take_step,
)
from fooling.search.inputs import LARGE_SIDE
from fooling.search.numbers import generator
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.fields import CRASHES
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

SCORES_ALONE = "search=ga, search=anneal and search=pareto need scores alone"
BLUR_SD = 0.5  # pixels, from noise; an image would fade
# Of large images, unless from an image file, and without blur: EfficientNet-Lite0 reaches 1.0000 in 40 steps; with those of
# small ones .58 … .999
LARGE_RATE = 4.0


@dataclass(frozen=True)
class AscentParams:
    """Where runs start, how they step, and what they ascend."""

    RATES: ClassVar = (20.0, 20.0)  # default step size from noise, and from an image: grey levels, root mean square
    FINER: ClassVar = True  # whether large images, unless from a file, have smaller steps and no blur by default

    initialization: Initialization
    step_size: StepSize
    climb: str  # log or target: of the scores
    blur_sd: float  # pixels; 0: no blur
    blur_every: int  # steps
    total_variation: float  # its weight
    jitter: int  # a step sees the image shifted by up to so many pixels

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The parameters in the settings; null settings depend on the start image and the classifier's window."""
        search: Any = settings.search
        finer = cls.FINER and start_image is None and max(objective.classifier.input_shape[:2]) > LARGE_SIDE
        blur = search.blur_sd if search.blur_sd is not None else BLUR_SD if start_image is None and not finer else 0.0
        window = getattr(objective.classifier, "window", None)
        jitter = search.jitter if search.jitter is not None else max(window[:2]) // 2 if window else 0
        return cls(
            initialization=Initialization.from_settings(settings, objective, statistics, start_image),
            step_size=StepSize.from_settings(search, LARGE_RATE if finer else cls.RATES[0 if start_image is None else 1]),
            climb=search.climb,
            blur_sd=blur,
            blur_every=search.blur_every,
            total_variation=search.total_variation,
            jitter=jitter,
        )


class GradientAscent(ContinuousSearch):
    """Runs that ascend the classifier's scores and descend the prior's terms."""

    check_classifier = staticmethod(lambda classifier: check_differentiable(classifier))

    def __init__(self, objective: Objective, params: AscentParams, threads: int | None = None) -> None:
        check_differentiable(objective.classifier)
        super().__init__(objective, params.initialization)
        self.params = params
        self.ascent = self.make_ascent_objective()
        self.check_gradient()
        self.notes: tuple[str, ...] = (f"gradients are computed on {device_kind()}",)
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
        """The search with the parameters in the settings."""
        params = AscentParams.from_settings(settings, objective, statistics, start_image)
        return cls(objective, params, settings.engine.threads)

    @staticmethod
    def measure(images: Bytes, classes: Any, classifier: Classifier, evaluations: Any) -> dict[str, npt.NDArray[Any]]:
        """The number of gradients: one for each image after the first."""
        del images, classes, classifier
        return {"gradients": evaluations - 1}

    def make_ascent_objective(self) -> AscentObjective:
        """What a step ascends."""
        objective, params = self.objective, self.params
        return AscentObjective(
            IdentityKey(objective.classifier),
            IdentityKey(objective) if objective.penalties else None,
            objective.weights["target"],
            objective.free,
            params.climb,
            total_variation=params.total_variation,
            blur_sd=params.blur_sd,
        )

    def check_gradient(self) -> None:
        """Refuses a function that cannot be differentiated, and one whose gradient is zero at every probe."""
        pixels = probes((*self.smallest(), self.initialization.shape[2])).astype(np.float32)
        check_own_gradient(self.objective.classifier, pixels[:1])
        try:
            _, peaks = self.take_step(pixels, np.arange(len(pixels), dtype=np.uint32), 1)
        except CRASHES as error:
            if isinstance(error, UserError):
                raise
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise UserError(
                f"the classifier's jax_fn cannot be differentiated ({reason}); gradients take a function of float32 images "
                f"[N, H, W, C] of grey levels 0…255. {SCORES_ALONE}"
            ) from error
        if self.ascent.weight > 0 and not peaks.any():
            raise UserError(
                "the gradient is zero for noise, black and white images: does the classifier round or cast its input? "
                f"{SCORES_ALONE}"
            )

    def smallest(self) -> tuple[int, int]:
        """Height and width of the smallest images that steps are taken of."""
        height, width, _ = self.initialization.shape
        return height, width

    def step(self, state: State) -> State:
        """One step of every run."""
        generation = state.generation + 1
        pixels, _ = self.take_step(state.aux["pixels"], state.runs, generation)
        return self.observe(generation, state.runs, pixels, {**state.aux, "pixels": pixels}, state.images[:, 0])

    def take_step(self, pixels: Floats, runs: Runs, generation: int) -> tuple[Floats, Floats]:
        """Pixels [R, H, W, C] after a step, and their largest absolute gradients [R]."""
        params = self.params
        blur = params.blur_sd > 0 and generation % params.blur_every == 0
        shifts, which = self.shifts(runs, generation), self.objective.which(runs)
        after, peaks = take_step(self.ascent, params.step_size, pixels, which, self.objective.digit, shifts, blur)
        if not (np.isfinite(after).all() and np.isfinite(peaks).all()):
            raise UserError(f"generation {generation}: the classifier's gradient is not finite (NaN or infinite)")
        return after, peaks

    def shifts(self, runs: Runs, generation: int) -> Shifts:
        """By how many pixels each run's image is seen shifted, down and to the right: [R, 2]."""
        jitter, seed = self.params.jitter, self.initialization.seed
        if not jitter:
            return np.zeros((len(runs), 2), dtype=np.int32)
        drawn: Any = [generator(seed, int(run), generation, SHIFT).integers(-jitter, jitter + 1, 2) for run in runs]
        return np.array(drawn, dtype=np.int32)


def check_differentiable(classifier: Classifier) -> None:
    """Refuses a classifier without gradients."""
    if not has_gradients(classifier):
        usual = "expected jax_fn, a JAX function from images to scores, or gradient"
        why = getattr(classifier, "without_gradients", "") or usual
        raise UserError(f"the classifier ({name_of(classifier)}) has no gradients: {why}; {SCORES_ALONE}")
