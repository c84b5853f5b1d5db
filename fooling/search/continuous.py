"""What searches share whose pixels are real numbers: where they start, and what is noted of their rounded images.

A generation is one step of each run. Its image, rounded to grey levels, is what is scored, recorded and given back; a run
begins with one evaluation and takes one more with every step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier
from fooling.classifiers.tiling import MAX_TILES, TiledClassifier, tile_count
from fooling.data.images import letterbox, rescale_around
from fooling.errors import UserError
from fooling.kernels.reference import operators, penalties
from fooling.kernels.tables import Bytes, Floats, Ints
from fooling.search.objective import Objective
from fooling.search.state import AT_PASS, PASSES, State
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings
from fooling.settings.searches import DreamSettings, GradientSettings

Runs = npt.NDArray[np.uint32]
FIRST, SHIFT = 0, 1  # what random numbers are for


@dataclass(frozen=True)
class Initialization:
    """Where runs begin: with levels drawn from tables, or at an image with normal noise."""

    shape: tuple[int, int, int]  # H, W, C
    tables: npt.NDArray[np.uint64]  # [T, C, 256], cumulative shares of the grey levels, of all runs or of each target …
    image: Floats | None  # … or this one, [H, W, C], grey levels
    noise: float  # its standard deviation, grey levels
    seed: int


class ContinuousSearch:
    """The first images of a search, and what is known of each later one; `step` is the search's own."""

    notes: tuple[str, ...] = ()

    def __init__(self, objective: Objective, start: Initialization) -> None:
        self.objective, self.start = objective, start

    def init(self, runs: Runs) -> State:
        """The first images, scored."""
        pixels = first_pixels(self.start, runs, self.objective.which(runs))
        nothing = np.full((len(runs), len(PASSES), len(AT_PASS)), -1.0)
        carried = {"pixels": pixels, "start": pixels, "passes": nothing, "still": np.zeros(len(runs), dtype=np.int64)}
        return self.looked(0, runs, pixels, carried, None)

    def looked(
        self, generation: int, runs: Runs, pixels: Floats, carried: Mapping[str, npt.NDArray[Any]], before: Bytes | None
    ) -> State:
        """The state of pixels [R, H, W, C], 0…255: rounded, scored, and what is noted of them.

        `before` [R, H, W, C] are the images of the generation before, None in the first.
        """
        images = np.rint(pixels).astype(np.uint8)
        costs, scores = self.objective.cost(images, self.objective.which(runs))
        changed = np.ones(len(runs), dtype=np.bool_) if before is None else (images != before).any(axis=(1, 2, 3))
        found = {
            **carried,
            "passes": first_passages(carried["passes"], generation, pixels, carried["start"], scores, self.objective.digit),
            "still": np.where(changed, 0, carried["still"] + 1),
        }
        return State(
            generation, runs, images[:, None], costs[:, None], scores[:, None], changed.astype(np.int64), carried=found
        )


def first_pixels(start: Initialization, runs: Runs, which: Ints) -> Floats:
    """The first pixels of runs [R] with the targets `which` [R], float32 [R, H, W, C]; no run's depend on the others."""
    if start.image is None:
        tables = start.tables[which if len(start.tables) > 1 else np.zeros_like(which)]
        return np.asarray(operators.start(tables, start.seed, runs, 1, start.shape)[:, 0], dtype=np.float32)
    noise = [generator(start.seed, int(run), 0, FIRST).standard_normal(start.shape) for run in runs]
    return np.clip(start.image + start.noise * np.array(noise), 0, 255).astype(np.float32)


def generator(seed: int, run: int, generation: int, purpose: int) -> np.random.Generator:
    """Random numbers at an address, whatever was drawn before."""
    return np.random.Generator(np.random.Philox(key=[seed, run], counter=[0, 0, generation, purpose]))


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


@dataclass(frozen=True)
class Picture:
    """What a gradient search starts from."""

    pixels: Any  # uint8 [H, W, C]
    note: str  # what was done to it


def fit_to_picture(
    settings: RunSettings, classifier: Classifier, judges: Mapping[str, Classifier]
) -> tuple[Classifier, Mapping[str, Classifier], Picture | None]:
    """Classifier and judges as they see the pictures of a search, and the picture that it starts from, if it is given one.

    A dream may be larger than what they take: then they look at it through windows.
    """

    search = settings.search
    height, width, channels = (int(side) for side in classifier.input_shape)
    image = search.image if isinstance(search, GradientSettings) else None
    picture, shape = None, (height, width, channels)
    if isinstance(search, DreamSettings) and image:
        pixels, note = rescale_around(user_path(image), shape, search.size)
        picture, shape = Picture(pixels, note), pixels.shape
    elif isinstance(search, DreamSettings) and search.size:
        factor = max(1.0, search.size / max(height, width))
        shape = round(height * factor), round(width * factor), channels
    elif image:
        picture = Picture(*letterbox(user_path(image), shape))
    if shape == (height, width, channels):
        return classifier, judges, picture
    number = tile_count(shape, (height, width, channels))
    if number > MAX_TILES:
        size = f"{shape[0]}×{shape[1]} pixels take {number:,} windows of {height}×{width}, at most {MAX_TILES:,} are allowed"
        raise UserError(f"search=dream: {size}; search.size=400 scales the longer side to 400")
    return TiledClassifier(classifier, shape), {name: TiledClassifier(judge, shape) for name, judge in judges.items()}, picture
