"""search=ascent: gradient ascent on the pixels (Simonyan et al. 2014, "Deep Inside Convolutional Networks").

With blur, decay (Yosinski et al. 2015), total variation (Mahendran & Vedaldi 2015) and jitter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, name_of, probes
from fooling.classifiers.gradients import check_own_gradient, has_gradients
from fooling.errors import UserError, first_line
from fooling.kernels.tables import Bytes, Floats
from fooling.search import Schedule, Search
from fooling.search.ascent_step import AscentObjective, IdentityKey, device_kind, take_step
from fooling.search.continuous import (
    SHIFT,
    ContinuousSearch,
    Initialization,
    Shifts,
    StepSize,
)
from fooling.search.evolution_strategy import NumbaStrategy, chosen
from fooling.search.inputs import LARGE_SIDE
from fooling.search.numbers import generator
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.search.surrogate import open_surrogate
from fooling.settings import load
from fooling.settings.fields import CRASHES
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

SCORES_ALONE = "search=ga, search=anneal and search=pareto need scores alone"
BLACK_BOX_POPULATION = 20  # images of a generation of search=es before the first step
MOMENTS = "moments"  # beside a state's images: those of Adam, float32 [R, 2, H, W, C]
BLUR_SD = 0.5  # pixels, from noise; an image would fade
# Of large images, unless from an image file, and without blur: EfficientNet-Lite0 reaches 1.0000 in 40 steps; with those of
# small ones .58 … .999
LARGE_RATE = 4.0
# Of mnist_cnn's classes half reach .9999 within 14 steps, within 23 at 4 and 75 at 1; with the blur within 26
ADAM_RATE = 8.0


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
    adam: bool = False  # the optimizer
    black_box: int = 0  # generations of search=es before the first step

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
        adam = getattr(search, "optimizer", "steps") == "adam"
        blurs = start_image is None and not finer and not adam
        blur = search.blur_sd if search.blur_sd is not None else BLUR_SD if blurs else 0.0
        window = getattr(objective.classifier, "window", None)
        jitter = search.jitter if search.jitter is not None else max(window[:2]) // 2 if window else 0
        return cls(
            initialization=Initialization.from_settings(settings, objective, statistics, start_image),
            step_size=StepSize.from_settings(search, rate_of(finer, adam, cls.RATES[0 if start_image is None else 1])),
            climb=search.climb,
            blur_sd=blur,
            blur_every=search.blur_every,
            total_variation=search.total_variation,
            jitter=jitter,
            adam=adam,
            black_box=black_box_generations(settings),
        )


class GradientAscent(ContinuousSearch):
    """Runs that ascend the classifier's scores and descend the prior's terms."""

    check_classifier = staticmethod(
        lambda classifier, settings: check_differentiable(open_surrogate(settings, classifier) or classifier)
    )

    def __init__(
        self,
        objective: Objective,
        params: AscentParams,
        threads: int | None = None,
        surrogate: Classifier | None = None,
        strategy: Search | None = None,
    ) -> None:
        self.surrogate, self.strategy = surrogate, strategy
        check_differentiable(self.climbed(objective))
        super().__init__(objective, params.initialization)
        self.params = params
        self.ascent = self.make_ascent_objective()
        self.check_gradient()
        self.notes: tuple[str, ...] = (f"gradients are computed on {device_kind()}",)
        if surrogate is not None:
            self.notes += ("gradients are those of the surrogate; each image but the first is shown to it once, too",)
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
        strategy = strategy_of(settings, objective) if params.black_box else None
        return cls(objective, params, settings.engine.threads, open_surrogate(settings, objective.classifier), strategy)

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """One evaluation for each generation; those by scores alone come first."""
        search: Any = settings.search
        first = 1 + BLACK_BOX_POPULATION * black_box_generations(settings)
        return Schedule(first, 1, search.generations, minimum_budget=first + 1)

    def climbed(self, objective: Objective) -> Classifier:
        """The classifier whose gradients are followed."""
        return objective.classifier if self.surrogate is None else self.surrogate

    @staticmethod
    def measure(images: Bytes, classes: Any, classifier: Classifier, generations: Any) -> dict[str, npt.NDArray[Any]]:
        """The number of gradients: one for each generation."""
        del images, classes, classifier
        return {"gradients": generations}

    def init(self, runs: Runs) -> State:
        """The first images, scored: those of the initialization, or the best of the search by scores alone."""
        if self.strategy is None:
            return super().init(runs)
        state = self.strategy.init(runs)
        for _ in range(1, self.params.black_box):
            state = self.strategy.step(state)
        return self.begin(runs, state.images[:, 0].astype(np.float32))

    def make_ascent_objective(self) -> AscentObjective:
        """What a step ascends."""
        objective, params = self.objective, self.params
        return AscentObjective(
            IdentityKey(self.climbed(objective)),
            IdentityKey(objective) if objective.penalties else None,
            objective.weights["target"],
            objective.free,
            params.climb,
            total_variation=params.total_variation,
            blur_sd=params.blur_sd,
            adam=params.adam,
        )

    def check_gradient(self) -> None:
        """Refuses a function that cannot be differentiated, and one whose gradient is zero at every probe."""
        pixels = probes((*self.smallest(), self.initialization.shape[2])).astype(np.float32)
        check_own_gradient(self.climbed(self.objective), pixels[:1])
        try:
            _, peaks, _ = self.take_step(pixels, np.arange(len(pixels), dtype=np.uint32), 1, {})
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
        pixels, _, moments = self.take_step(state.aux["pixels"], state.runs, generation, state.aux)
        aux = {**state.aux, **moments, "pixels": pixels}
        before = np.rint(state.aux["pixels"]).astype(np.uint8)  # with a surrogate the best image stays in the state
        after = self.observe(generation, state.runs, pixels, aux, before)
        return after if self.surrogate is None else best_so_far(after, state)

    def take_step(
        self, pixels: Floats, runs: Runs, generation: int, aux: Mapping[str, npt.NDArray[Any]]
    ) -> tuple[Floats, Floats, dict[str, Floats]]:
        """Pixels [R, H, W, C] after a step, their largest absolute gradients [R], and Adam's moments, of those in `aux`."""
        params = self.params
        blur = params.blur_sd > 0 and generation % params.blur_every == 0
        shifts, which = self.shifts(runs, generation), self.objective.which(runs)
        given = self.ascent, params.step_size, pixels, which, self.objective.digit, shifts, blur
        moments: dict[str, Floats] = {}
        if params.adam:
            before = aux.get(MOMENTS, np.zeros((len(pixels), 2, *pixels.shape[1:]), dtype=np.float32))
            after, peaks, moments[MOMENTS] = take_step(*given, before, generation)
        else:
            after, peaks = take_step(*given)
        if not (np.isfinite(after).all() and np.isfinite(peaks).all()):
            raise UserError(f"generation {generation}: the classifier's gradient is not finite (NaN or infinite)")
        return after, peaks, moments

    def shifts(self, runs: Runs, generation: int) -> Shifts:
        """By how many pixels each run's image is seen shifted, down and to the right: [R, 2]."""
        jitter, seed = self.params.jitter, self.initialization.seed
        if not jitter:
            return np.zeros((len(runs), 2), dtype=np.int32)
        drawn: Any = [generator(seed, int(run), generation, SHIFT).integers(-jitter, jitter + 1, 2) for run in runs]
        return np.array(drawn, dtype=np.int32)


def rate_of(finer: bool, adam: bool, usual: float) -> float:
    """The default step size of large images, of Adam, or else the usual one."""
    if finer:
        return LARGE_RATE
    return ADAM_RATE if adam else usual


def black_box_generations(settings: RunSettings) -> int:
    """Generations of search=es before the first step."""
    search: Any = settings.search
    return -(-getattr(search, "black_box", 0) // BLACK_BOX_POPULATION)


def strategy_of(settings: RunSettings, objective: Objective) -> Search:
    """The search by scores alone that comes first, with its defaults."""
    words = ["search=es", f"search.population={BLACK_BOX_POPULATION}", "prior=none"]
    chosen = settings.model_copy(update={"search": load(words, RunSettings, "run").search})
    return NumbaStrategy.from_settings(chosen, objective)


def best_so_far(state: State, before: State) -> State:
    """A state whose images are the best until now: what a surrogate believes need not be what the attacked one does."""
    worse = state.costs[:, 0] > before.costs[:, 0]
    kept = {name: chosen(worse, getattr(before, name), getattr(state, name)) for name in ("images", "costs", "scores")}
    return replace(state, **kept)


def check_differentiable(classifier: Classifier) -> None:
    """Refuses a classifier without gradients."""
    if not has_gradients(classifier):
        usual = "expected jax_fn, a JAX function from images to scores, or gradient"
        why = getattr(classifier, "without_gradients", "") or usual
        raise UserError(f"the classifier ({name_of(classifier)}) has no gradients: {why}; {SCORES_ALONE}")
