"""feedback.png and feedback.webp: image, weights and outputs of a perceptron, step by step. Reads record folders only."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from fooling.data.npz import read_arrays
from fooling.plots.sheets import FRAME_MILLISECONDS, LAST_MILLISECONDS, encode, percent
from fooling.records import FEEDBACK, FEEDBACK_FILM, FEEDBACK_PICTURE, read_run
from fooling.records.files import write_atomically

Array = npt.NDArray[Any]
STEPS = 7  # in feedback.png
FRAMES = 30  # in feedback.webp, at most
SHOWN = 10  # neurons, at most
INK, PALE, WINNER = "#333333", "#b8c4d0", "#d55e00"
WEIGHTS = "RdBu_r"  # blue: speaks against it, white: nothing, red: speaks for it


def draw_feedback(folder: Path) -> None:
    """Both pictures, of run 0."""
    found, run = read_arrays(folder / FEEDBACK), read_run(folder)
    write_atomically(folder / FEEDBACK_PICTURE, draw_steps(found, run))
    write_atomically(folder / FEEDBACK_FILM, draw_film(found, run))


def neurons(found: dict[str, Array], digit: int) -> list[int]:
    """The neurons that are shown: all, or of very many the first and the wanted one."""
    number = len(found["weights"])
    return list(range(number)) if number <= SHOWN else sorted({*range(SHOWN - 1), digit})


def draw_steps(found: dict[str, Array], run: dict[str, Any]) -> bytes:
    """The weights of every neuron, then a column a step: its image, below it the outputs."""

    last, digit = len(found["frames"]) - 1, run["images"][0]["digit"]
    chosen = np.unique(np.rint(np.linspace(0, last, STEPS)).astype(int))
    figure = Figure(figsize=(1.35 * max(STEPS, 1) + 0.4, 5.2), dpi=110, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 2.7))
    top, below = parts
    draw_weights(top, found, digit)
    top.suptitle("weights of the neurons: red speaks for the digit, blue against it", fontsize=9, color=INK)
    axes = below.subplots(2, len(chosen), height_ratios=(1.2, 1), squeeze=False)
    for place, frame in enumerate(chosen):
        show_image(axes[0, place], found["frames"][frame])
        axes[0, place].set_title(f"step {found['generations'][frame]}", fontsize=9, color=INK)
        draw_outputs(axes[1, place], found["scores"][frame], digit)
        axes[1, place].tick_params(labelleft=place == 0)
    correlation = run["images"][0]["weight_correlation"]
    said = f"image and outputs; at the end the image is like the weights of {digit}: correlation {correlation:.2f}"
    below.suptitle(said, fontsize=9, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_film(found: dict[str, Array], run: dict[str, Any]) -> bytes:
    """An animated WebP: the image, the weights of every neuron, the outputs."""

    digit = run["images"][0]["digit"]
    figure = Figure(figsize=(7.2, 2.7), dpi=100, layout="constrained")
    parts: Any = figure.subfigures(1, 3, width_ratios=(1.05, 1.6, 1))
    left, middle, right = parts
    draw_weights(middle, found, digit, columns=4)
    middle.suptitle("weights", fontsize=9, color=INK)
    image, bars = left.subplots(), right.subplots()
    shown, heights = show_image(image, found["frames"][0]), draw_outputs(bars, found["scores"][0], digit)
    heads = [part.suptitle(" ", fontsize=9, color=INK) for part in (left, right)]
    canvas: Any = FigureCanvasAgg(figure)
    pictures = []
    for frame in np.unique(np.rint(np.linspace(0, len(found["frames"]) - 1, FRAMES)).astype(int)):
        scores = found["scores"][frame]
        shown.set_data(as_shown(found["frames"][frame]))
        for bar, score in zip(heights, scores, strict=True):
            bar.set_height(float(score))
        heads[0].set_text(f"image, step {found['generations'][frame]}")
        heads[1].set_text(f"output {digit}: {percent(float(scores[digit]))}")
        canvas.draw()
        figure.set_layout_engine("none")  # as it is in the first frame: laying out takes nearly all of the time
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    durations = [FRAME_MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    more = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
    return encode(pictures[0], format="WEBP", quality=80, **more)


def draw_weights(figure: Any, found: dict[str, Array], digit: int, columns: int = SHOWN) -> None:
    """The weights of the neurons, the wanted one's framed."""
    shown = neurons(found, digit)
    lines = -(-len(shown) // columns)
    for axes, number in zip(figure.subplots(lines, columns, squeeze=False).flat, shown, strict=False):
        weights = found["weights"][number]
        most = float(np.abs(found["weights"]).max()) or 1.0
        axes.imshow(weights.mean(axis=2), cmap=WEIGHTS, vmin=-most, vmax=most, interpolation="nearest")
        axes.set_xlabel(f"{number}", fontsize=8, color=WINNER if number == digit else INK, labelpad=1)
        for spine in axes.spines.values():
            spine.set_color(WINNER if number == digit else PALE)
            spine.set_linewidth(2 if number == digit else 0.5)
    for axes in figure.axes:
        axes.set(xticks=[], yticks=[])
    for axes in figure.axes[len(shown) :]:
        axes.set_axis_off()


def show_image(axes: Axes, image: Array) -> AxesImage:
    """An image as it is."""
    axes.set(xticks=[], yticks=[])
    return axes.imshow(as_shown(image), cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def as_shown(image: Array) -> Array:
    """An image [H, W, C] as matplotlib takes it."""
    return image[:, :, 0] if image.shape[2] == 1 else image


def draw_outputs(axes: Axes, scores: Array, digit: int) -> BarContainer:
    """A bar a class."""
    bars = axes.bar(range(len(scores)), scores, color=[WINNER if number == digit else PALE for number in range(len(scores))])
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(scores)) if len(scores) <= SHOWN else [digit])
    axes.tick_params(labelsize=6, colors=INK, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return bars
