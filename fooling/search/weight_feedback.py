"""search=feedback: Shallow Dream. The winning neuron of a perceptron adds its weights to the image at each step.

Pixels move by `rate` grey levels (root mean square) along w(winner) − losers·Σ w(others), where the winner is the neuron of the
target class, or with digit=any that of the largest output. Then they decay and are clipped to 0…255, until the image settles.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, name_of, predict_batch
from fooling.errors import UserError
from fooling.kernels.reference import penalties
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints
from fooling.records.record import Record
from fooling.search.continuous import ContinuousSearch, Initialization, StepSize
from fooling.search.objective import Objective
from fooling.search.state import FEEDBACK, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

RATE = 2.0  # default step size: grey levels, root mean square


@dataclass(frozen=True)
class FeedbackParams:
    """Where runs start, and how they step."""

    initialization: Initialization
    step_size: StepSize
    losers: float  # share of the other neurons' weights that is subtracted

    @staticmethod
    def from_settings(
        settings: RunSettings, objective: Objective, statistics: Statistics | None = None, start_image: Bytes | None = None
    ) -> "FeedbackParams":
        """The parameters in the settings."""
        search: Any = settings.search
        initialization = Initialization.from_settings(settings, objective, statistics, start_image)
        return FeedbackParams(initialization, StepSize.from_settings(search, RATE), search.losers)


class WeightFeedback(ContinuousSearch):
    """Runs whose winner is fed back into the image."""

    files = (FEEDBACK,)
    check_classifier = staticmethod(lambda classifier, _settings: weights(classifier))

    def __init__(self, objective: Objective, params: FeedbackParams) -> None:
        super().__init__(objective, params.initialization)
        self.params = params
        shape = params.initialization.shape
        self.directions = directions(weights(objective.classifier), params.losers).reshape(-1, *shape)

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters in the settings."""
        return cls(objective, FeedbackParams.from_settings(settings, objective, statistics, start_image))

    def step(self, state: State) -> State:
        """One step of every run."""
        pixels, size = state.aux["pixels"], self.params.step_size
        winners = penalties.target_classes(state.scores[:, 0], self.objective.digit)
        pixels = pixels + np.float32(size.rate) * self.directions[winners]
        pixels = np.clip(pixels + np.float32(size.decay) * (np.float32(size.ground) - pixels), 0, 255)
        return self.observe(state.generation + 1, state.runs, pixels, {**state.aux, "pixels": pixels}, state.images[:, 0])

    @staticmethod
    def measure(images: Bytes, classes: Ints, classifier: Classifier, generations: Ints) -> dict[str, npt.NDArray[Any]]:
        """The correlation of each image with the weights of its class."""
        del generations
        return {"weight_correlation": weight_correlation(images, classes, classifier)}

    def save_extras(self, record: Record, classifier: Classifier) -> None:
        """Writes feedback.npz: frames of run 0 with their scores, and the weights."""
        saved = record.load_checkpoint() or {}
        frames = saved["track_frames"][:, 0]
        arrays = {
            "frames": frames,
            "generations": saved["track_frame_generations"],
            "scores": predict_batch(classifier, frames),
            "weights": weights(classifier).reshape(-1, *self.params.initialization.shape),
        }
        record.save_arrays(FEEDBACK, arrays)


def weights(classifier: Any) -> Doubles:
    """The weights of a classifier of a single layer, [K, P]. Raises UserError for any other."""
    if getattr(classifier, "later_layers", None) != ():
        what = name_of(classifier)
        raise UserError(
            f"search=feedback feeds the weights of a single layer back, and the classifier ({what}) is none; it takes "
            "classifier=digits_perceptron, perceptron or softmax; search=ascent climbs through any layers"
        )
    return np.asarray(classifier.weights1.T, dtype=np.float64)


def directions(weights: Doubles, losers: float) -> Floats:
    """What each neuron adds as the winner in a step of one grey level: weights [K, P] → float32 [K, P], mean square 1."""
    found = (1 + losers) * weights - losers * weights.sum(axis=0)
    size = np.sqrt((found**2).mean(axis=1, keepdims=True))
    return np.asarray(found / np.where(size > 0, size, 1), dtype=np.float32)


def weight_correlation(images: Bytes, classes: Ints, classifier: Any) -> Doubles:
    """Pearson's correlation of each image with its class's weights, [N, H, W, C], [N] → [N]; 0 for an even image."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    own = weights(classifier)[classes]
    flat, own = (array - array.mean(axis=1, keepdims=True) for array in (flat, own))
    size = np.sqrt((flat**2).sum(axis=1) * (own**2).sum(axis=1))
    return np.asarray((flat * own).sum(axis=1) / np.where(size > 0, size, 1))
