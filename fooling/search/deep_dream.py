"""search=dream: Deep Dream (Mordvintsev et al. 2015) and activation maximisation (Erhan et al. 2009).

Gradient steps on the image raise a layer, one of its channels or units, or the output of the target class. A round goes through
octaves, from small to the full size: the image is scaled to the octave, raised, and its new detail is added to the next larger
one. The finished image is fed back, slightly enlarged, `again` times.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from fooling.classifiers.layers import LOGITS, layer_shapes
from fooling.data.images import rescale_around
from fooling.errors import UserError
from fooling.kernels.jax import differentiable
from fooling.kernels.tables import Bytes, Floats
from fooling.search import Schedule, StartImage
from fooling.search.ascent_step import AscentObjective, Index
from fooling.search.gradient_ascent import AscentParams, GradientAscent
from fooling.search.objective import Objective
from fooling.search.state import State
from fooling.settings.fields import user_path
from fooling.settings.files import nearest
from fooling.settings.schema import RunSettings
from fooling.settings.searches import unit_in_words
from fooling.statistics import Statistics

AXES = {1: ("unit",), 3: ("row", "column", "channel")}  # of a layer, by their number
Side = tuple[int, int]  # height and width


@dataclass(frozen=True)
class DreamParams(AscentParams):
    """What is raised, and at which scales."""

    RATES: ClassVar = (10.0, 6.0)
    FINER: ClassVar = False

    layer: str | None = None  # None: the output of the target class
    channel: int | None = None
    neuron: tuple[int, ...] | None = None
    octaves: tuple[Side, ...] = ()  # heights and widths, the last is the image's
    round: int = 1  # steps that are shared among the octaves
    zoom: float = 0.0  # share by which an image is enlarged before it is fed back

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The parameters in the settings."""
        search: Any = settings.search
        ascent = super().from_settings(settings, objective, statistics, start_image)
        window = getattr(objective.classifier, "window", objective.classifier.input_shape)
        number = min(search.octaves, search.generations)
        return replace(
            ascent,
            layer=search.layer,
            channel=search.channel,
            neuron=search.neuron,
            octaves=octave_sides(ascent.initialization.shape, window, number, search.octave_scale),
            round=search.generations,
            zoom=search.zoom,
        )


class DeepDream(GradientAscent):
    """Runs that raise the activations of a network."""

    params: DreamParams

    def __init__(self, objective: Objective, params: DreamParams, threads: int | None = None) -> None:
        super().__init__(objective, params, threads)
        what = "the output of the class" if self.ascent.of_digit else unit_in_words(params)
        sides = ", ".join(f"{height}×{width}" for height, width in params.octaves)
        self.notes += (f"maximises {what}; octaves {sides}",)

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters in the settings."""
        params = DreamParams.from_settings(settings, objective, statistics, start_image)
        return cls(objective, params, settings.engine.threads)

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """One evaluation for each step; with `again`, rounds of steps."""
        search: Any = settings.search
        rounds, steps = 1 + search.again, search.generations
        return Schedule(1, 1, steps * rounds, minimum_budget=2, round=steps if rounds > 1 else None)

    @staticmethod
    def start_image(settings: RunSettings, shape: tuple[int, int, int]) -> StartImage:
        """The file `search.image` at its own size or `search.size`; without a file, an empty canvas of that size."""
        search: Any = settings.search
        height, width, channels = shape
        if search.image:
            pixels, note = rescale_around(user_path(search.image), shape, search.size)
            return StartImage(pixels.shape, pixels, note)
        factor = max(1.0, search.size / max(height, width)) if search.size else 1.0
        return StartImage((round(height * factor), round(width * factor), channels))

    def make_ascent_objective(self) -> AscentObjective:
        """What a step ascends: a layer, or the output of the target class, as a logit where the network has them."""
        params, ascent = self.params, super().make_ascent_objective()
        shapes = layer_shapes(self.objective.classifier)
        if params.layer is None:
            return replace(ascent, climb="layer", of_digit=True) if LOGITS in shapes else replace(ascent, climb="log")
        return replace(ascent, climb="layer", layer=params.layer, index=layer_index(params, shapes))

    @staticmethod
    def fixed_limits(settings: RunSettings) -> dict[str, str]:
        """The steps of a round are shared among its octaves."""
        del settings
        return {"search.generations": "search=dream shares the steps of a round among its octaves"}

    def smallest(self) -> Side:
        """Height and width of the smallest octave."""
        return self.params.octaves[0]

    def octave(self, generation: int) -> int:
        """The number of the octave that a generation works at."""
        params = self.params
        return (generation - 1) % params.round * len(params.octaves) // params.round

    def step(self, state: State) -> State:
        """One step of every run, at the octave of the generation."""
        generation = state.generation + 1
        begun, pixels = state.aux.get("begun", state.aux["start"]), state.aux["pixels"]
        sides = self.params.octaves[self.octave(generation)]
        if (generation - 1) % self.params.round == 0:
            begun = begun if generation == 1 else enlarged(pixels, self.params.zoom)
            pixels = resized(begun, sides)
        elif pixels.shape[1:3] != sides:
            pixels = with_detail(begun, pixels, sides)
        pixels, _, _ = self.take_step(pixels, state.runs, generation, {})
        whole = with_detail(begun, pixels, self.params.octaves[-1])
        aux = {**state.aux, "begun": begun, "pixels": pixels}
        return self.observe(generation, state.runs, whole, aux, state.images[:, 0])


def octave_sides(shape: tuple[int, ...], window: tuple[int, ...], number: int, scale: float) -> tuple[Side, ...]:
    """Heights and widths of at most so many octaves, from small to the image's own; none is smaller than the window."""
    height, width = shape[:2]
    sides = [(round(height / scale**k), round(width / scale**k)) for k in range(number)]
    fitting = [side for side in sides if side[0] >= window[0] and side[1] >= window[1]]
    return tuple(dict.fromkeys(reversed(fitting)))


def with_detail(begun: Floats, pixels: Floats, sides: Side) -> Floats:
    """A round's first images at another size, with the detail added since: [R, h, w, C] → [R, *sides, C]."""
    if pixels.shape[1:3] == sides:
        return pixels
    height, width = pixels.shape[1:3]
    detail = pixels - resized(begun, (height, width))
    return np.asarray(np.clip(resized(begun, sides) + resized(detail, sides), 0, 255))


def resized(images: Floats, sides: Side) -> Floats:
    """Images [R, H, W, C] scaled to other sides."""
    return np.asarray(differentiable.resize(images, *sides), dtype=np.float32)


def enlarged(images: Floats, zoom: float) -> Floats:
    """Images [R, H, W, C] enlarged by this share about their centre, and cropped to their size."""
    if not zoom:
        return images
    return np.asarray(np.clip(np.asarray(differentiable.zoom(images, 1 + zoom)), 0, 255), dtype=np.float32)


def layer_index(params: DreamParams, shapes: dict[str, Any]) -> Index:
    """The part of the layer that is raised. Raises UserError where there is no such layer, channel or unit."""
    layer = params.layer or ""
    if layer not in shapes:
        near = nearest(layer, shapes)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"search.layer={layer}: {hint}expected one of {', '.join(shapes)}")
    shape = shapes[layer]
    if params.channel is not None:
        if not params.channel < shape[-1]:
            raise UserError(f"search.channel={params.channel}: layer {layer} has channels 0 … {shape[-1] - 1}")
        return (params.channel,)
    if params.neuron is None:
        return None
    fits = len(params.neuron) == len(shape) and all(place < side for place, side in zip(params.neuron, shape, strict=True))
    if not fits:
        ranges = ", ".join(f"{what} 0 … {side - 1}" for what, side in zip(AXES[len(shape)], shape, strict=True))
        raise UserError(
            f"search.neuron={','.join(map(str, params.neuron))}: layer {layer} has {ranges}; expected {len(shape)} of them"
        )
    return params.neuron
