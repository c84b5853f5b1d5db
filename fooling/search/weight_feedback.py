"""search=feedback: Shallow Dream. The winning neuron of a perceptron adds its weights to the image, again and again.

A step: pixels move by `rate` grey levels (root mean square) along w(winner) − losers·Σ w(others), where the winner is the
wanted class's neuron, or with digit=any the one of the largest output; then decay; then they are cut off at black and white.
Until the image settles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, predict_batch
from fooling.errors import UserError
from fooling.kernels.reference import penalties
from fooling.kernels.tables import Bytes, Doubles, Floats, Ints
from fooling.records import FEEDBACK, Record
from fooling.search.continuous import ContinuousSearch, Initialization
from fooling.search.gradient_steps import StepSize
from fooling.search.objective import Objective
from fooling.search.state import State


@dataclass(frozen=True)
class FeedbackParams:
    """Where runs begin, and how they step."""

    start: Initialization
    pace: StepSize
    losers: float  # share of the other neurons' weights that is subtracted


class WeightFeedback(ContinuousSearch):
    """Runs whose winner is fed back into the image."""

    def __init__(
        self, objective: Objective, feeding: FeedbackParams, threads: int | None = None, scoring: str = "dense"
    ) -> None:
        del threads, scoring
        super().__init__(objective, feeding.start)
        self.feeding = feeding
        self.directions = directions(weights(objective.classifier), feeding.losers).reshape(-1, *feeding.start.shape)

    def step(self, state: State) -> State:
        """One step of every run."""
        pixels, pace = state.carried["pixels"], self.feeding.pace
        winners = penalties.target_classes(state.scores[:, 0], self.objective.digit)
        pixels = pixels + np.float32(pace.rate) * self.directions[winners]
        pixels = np.clip(pixels + np.float32(pace.decay) * (np.float32(pace.ground) - pixels), 0, 255)
        return self.looked(state.generation + 1, state.runs, pixels, {**state.carried, "pixels": pixels}, state.images[:, 0])

    def leave(self, record: Record, classifier: Classifier) -> None:
        """Writes feedback.npz: what the pictures show of run 0, step by step."""
        saved = record.load_checkpoint() or {}
        frames = saved["track_frames"][:, 0]
        arrays = {
            "frames": frames,
            "generations": saved["track_frame_generations"],
            "scores": predict_batch(classifier, frames),
            "weights": weights(classifier).reshape(-1, *self.feeding.start.shape),
        }
        record.save_arrays(FEEDBACK, arrays)


def weights(classifier: Any) -> Doubles:
    """The weights of a classifier of a single layer, [K, P]. Raises UserError for any other."""
    if getattr(classifier, "rest", None) != ():
        what = type(classifier).__name__
        raise UserError(
            f"search=feedback feeds the weights of a single layer back, and the classifier ({what}) is none; it takes "
            "classifier=digits_perceptron, perceptron or softmax; search=ascent climbs through any layers"
        )
    return np.asarray(classifier.weights1.T, dtype=np.float64)


def directions(weights: Doubles, losers: float) -> Floats:
    """What each neuron as the winner adds in a step of one grey level: weights [K, P] → float32 [K, P], mean square 1."""
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


Array = npt.NDArray[Any]


def measure(search: str, images: Array, classes: Array, classifier: object, evaluations: Array) -> dict[str, Array]:
    """Numbers of images [R, H, W, C] of wanted classes [R] that took so many evaluations [R]: {name: [R]}."""
    if search in ("ascent", "dream"):
        return {"gradients": evaluations - 1}  # one for each image after the first
    if search == "feedback":
        return {"weight_correlation": weight_correlation(images, classes, classifier)}
    return {}


def totals(own: Mapping[str, Array]) -> dict[str, float | int]:
    """Of all images together: the sum of counts, the median of others."""
    return {name: sum_or_median(values) for name, values in own.items()}


def sum_or_median(values: Array) -> float | int:
    """The sum of whole numbers, the median of others."""
    return int(values.sum()) if values.dtype.kind in "iu" else float(np.median(values))
