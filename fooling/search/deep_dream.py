"""search=dream: Deep Dream (Mordvintsev et al. 2015) and activation maximisation (Erhan et al. 2009).

A layer, one of its channels or units, or the output of the wanted class is raised by gradient steps on the picture. A round
goes through octaves: the picture is shrunk, dreamt, enlarged with what the dream put into it, dreamt again, up to its own
size. Then it is fed back, enlarged a little, as often as is asked.
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from fooling.classifiers.layers import LOGITS, layer_shapes
from fooling.errors import UserError
from fooling.kernels.tables import Floats
from fooling.search.gradient_ascent import AscentParams, GradientAscent
from fooling.search.gradient_steps import AscentObjective, Index
from fooling.search.objective import Objective
from fooling.search.state import State

Side = tuple[int, int]


@dataclass(frozen=True)
class DreamParams(AscentParams):
    """What is raised, and at which scales."""

    layer: str | None = None  # None: the output of the wanted class
    channel: int | None = None
    neuron: tuple[int, ...] | None = None
    octaves: tuple[Side, ...] = ()  # heights and widths, the last is the picture's
    round: int = 1  # steps that are shared among the octaves
    zoom: float = 0.0  # share by which a picture is enlarged before it is fed back


class DeepDream(GradientAscent):
    """Runs that raise what a network sees in their pictures."""

    climb: DreamParams

    def __init__(self, objective: Objective, climb: DreamParams, threads: int | None = None, scoring: str = "dense") -> None:
        super().__init__(objective, climb, threads, scoring)
        what = "the output of the class" if self.slope.of_digit else told(climb)
        sides = ", ".join(f"{height}×{width}" for height, width in climb.octaves)
        self.notes += (f"raised is {what}; octaves {sides}",)

    def make_slope(self) -> AscentObjective:
        """What is climbed: a layer, or the output of the wanted class: of its logits, where the network tells them."""
        climb, slope = self.climb, super().make_slope()
        shapes = layer_shapes(self.objective.classifier)
        if climb.layer is None:
            return replace(slope, climb="layer", of_digit=True) if LOGITS in shapes else replace(slope, climb="log")
        return replace(slope, climb="layer", layer=climb.layer, index=part_of(climb, shapes))

    def smallest(self) -> Side:
        """Height and width of the smallest octave."""
        return self.climb.octaves[0]

    def octave(self, generation: int) -> int:
        """The number of the octave that a generation works at."""
        climb = self.climb
        return (generation - 1) % climb.round * len(climb.octaves) // climb.round

    def step(self, state: State) -> State:
        """One step of every run, at the octave whose turn it is."""
        generation = state.generation + 1
        begun, pixels = state.carried.get("begun", state.carried["start"]), state.carried["pixels"]
        sides = self.climb.octaves[self.octave(generation)]
        if (generation - 1) % self.climb.round == 0:
            begun = begun if generation == 1 else enlarged(pixels, self.climb.zoom)
            pixels = resized(begun, sides)
        elif pixels.shape[1:3] != sides:
            pixels = with_detail(begun, pixels, sides)
        pixels, _ = self.moved(pixels, state.runs, generation)
        whole = with_detail(begun, pixels, self.climb.octaves[-1])
        carried = {**state.carried, "begun": begun, "pixels": pixels}
        return self.looked(generation, state.runs, whole, carried, state.images[:, 0])


def with_detail(begun: Floats, pixels: Floats, sides: Side) -> Floats:
    """A round's first pictures at another size, with what was dreamt into them so far: [R, h, w, C] → [R, *sides, C]."""
    if pixels.shape[1:3] == sides:
        return pixels
    height, width = pixels.shape[1:3]
    detail = pixels - resized(begun, (height, width))
    return np.asarray(np.clip(resized(begun, sides) + resized(detail, sides), 0, 255))


def resized(pictures: Floats, sides: Side) -> Floats:
    """Pictures [R, H, W, C] scaled to other sides."""
    from fooling.kernels.jax import differentiable

    return np.asarray(differentiable.resize(pictures, *sides), dtype=np.float32)


def enlarged(pictures: Floats, zoom: float) -> Floats:
    """Pictures [R, H, W, C] enlarged by this share about their middle; what lies outside then is cut off."""
    from fooling.kernels.jax import differentiable

    if not zoom:
        return pictures
    return np.asarray(np.clip(np.asarray(differentiable.zoom(pictures, 1 + zoom)), 0, 255), dtype=np.float32)


def told(climb: DreamParams) -> str:
    """What is raised, in words."""
    if climb.neuron is not None:
        return f"layer {climb.layer}, unit {','.join(map(str, climb.neuron))}"
    return f"layer {climb.layer}" + ("" if climb.channel is None else f", channel {climb.channel}")


def part_of(climb: DreamParams, shapes: dict[str, Any]) -> Index:
    """The part of the layer that is raised. Raises UserError where there is no such layer, channel or unit."""
    layer = climb.layer or ""
    if layer not in shapes:
        near = get_close_matches(layer, shapes, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"search.layer={layer}: {hint}expected one of {', '.join(shapes)}")
    shape = shapes[layer]
    if climb.channel is not None:
        if not climb.channel < shape[-1]:
            raise UserError(f"search.channel={climb.channel}: layer {layer} has channels 0 … {shape[-1] - 1}")
        return (climb.channel,)
    if climb.neuron is None:
        return None
    fits = len(climb.neuron) == len(shape) and all(place < side for place, side in zip(climb.neuron, shape, strict=True))
    if not fits:
        ranges = ", ".join(f"{what} 0 … {side - 1}" for what, side in zip(AXES[len(shape)], shape, strict=True))
        raise UserError(
            f"search.neuron={','.join(map(str, climb.neuron))}: layer {layer} has {ranges}; expected {len(shape)} of them"
        )
    return climb.neuron


AXES = {1: ("unit",), 3: ("row", "column", "channel")}
