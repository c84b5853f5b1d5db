"""How every picture looks: palette, sizes of type, axes, tiles; and the only place that turns a picture into a file."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from PIL import Image

from fooling.kernels.tables import Doubles
from fooling.plots import whole_percent

INK, GREY, PALE, PAPER = "#333333", "#999999", "#dddddd", "#ffffff"

# Okabe & Ito 2008: distinguishable with any colour vision.
BLUE, RED, GREEN, PINK, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK)
DIVERGING = "RdBu_r"  # blue: below the middle or against, white: neither, red: above or for

HEADLINE, TITLE, LABEL, SMALL, TINY = 11, 10, 9, 8, 7  # sizes of type, points
DPI = 110
FRAME_MILLISECONDS, LAST_MILLISECONDS = 120, 2500


# --- files --------------------------------------------------------------------------------------------------------------
def new_figure(width: float, height: float) -> Figure:
    """An empty chart, its size in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def centred(figure: FigureBase, share: float) -> Any:
    """The middle of a figure, this share of its width: so that few tiles have the same size as many."""
    if share >= 1:
        return figure
    parts: Any = figure.subfigures(1, 3, width_ratios=((1 - share) / 2, share, (1 - share) / 2))
    return parts[1]


def rasterize(figure: Figure) -> Image.Image:
    """A chart as an RGB picture."""
    canvas: Any = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")  # class names in other scripts become boxes
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def to_png(picture: Figure | Image.Image) -> bytes:
    """A chart or a sheet as the bytes of a PNG."""
    return encode(rasterize(picture) if isinstance(picture, Figure) else picture, format="PNG")


def to_webp(frames: Sequence[Image.Image], **quality: Any) -> bytes:
    """An animated WebP that repeats; the last frame is held. `quality`: options of Pillow's encoder."""
    frames = same_size(frames)
    durations = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
    animation = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    return encode(frames[0], format="WEBP", **animation, **quality)


def same_size(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Frames as large as the largest, black added above and to the right: a title that grows may take another line."""
    width, height = (max(sides) for sides in zip(*(frame.size for frame in frames), strict=True))
    equal = []
    for frame in frames:
        whole = frame if frame.size == (width, height) else Image.new(frame.mode, (width, height))
        if whole is not frame:
            whole.paste(frame, (0, height - frame.height))
        equal.append(whole)
    return equal


def encode(picture: Image.Image, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


# --- images -------------------------------------------------------------------------------------------------------------
def without_channel(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An image [H, W, C] as matplotlib and Pillow take it: [H, W] if it is grey, [H, W, 3] of bytes in colour."""
    return image[:, :, 0] if image.shape[2] == 1 else image.astype(np.uint8)


def show_image(axes: Axes, image: npt.NDArray[Any], colours: str = "gray") -> AxesImage:
    """An image [H, W, C] of grey levels or colours 0 … 255, each pixel a square, without ticks."""
    axes.set(xticks=[], yticks=[])
    return axes.imshow(without_channel(image), cmap=colours, vmin=0, vmax=255, interpolation="nearest")


def tile(axes: Axes, image: npt.NDArray[Any], above: str = "", below: str = "", size: float = SMALL) -> None:
    """An image [H, W, C] with a line above and one below it."""
    show_image(axes, image)
    axes.spines[:].set_color(PALE)
    axes.set_title(above, fontsize=size, color=INK, pad=3, parse_math=False)
    axes.set_xlabel(below, fontsize=size, color=INK, labelpad=3, parse_math=False)


# --- text and axes ------------------------------------------------------------------------------------------------------
def headline(figure: FigureBase, text: str, size: float = HEADLINE) -> None:
    """The line above a chart or a part of one."""
    figure.suptitle(text, fontsize=size, color=INK, parse_math=False)


def label_axes(axes: Axes, title: str, across: str, up: str) -> None:
    """Title, names of the axes, a pale grid."""
    axes.set_title(title, fontsize=TITLE, color=INK, parse_math=False)
    axes.set_xlabel(across, fontsize=LABEL, color=INK)
    axes.set_ylabel(up, fontsize=LABEL, color=INK)
    axes.tick_params(which="both", labelsize=SMALL)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)


def percent_axis(axes: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """A vertical axis of shares, with room for lines at its ends."""
    axes.set_ylim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.yaxis.set_major_formatter(lambda y, _: whole_percent(y))


def log_axis(axes: Axes) -> None:
    """A horizontal logarithmic axis of plain numbers: 1,000 rather than 10³."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,g}")


def legend(axes: Axes, place: str = "best", **options: Any) -> None:
    """The legend, in a corner of the chart, `below` it in two columns, or to its `right`."""
    outside: dict[str, dict[str, Any]] = {
        "right": {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0},
        "below": {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15), "ncols": 2},
    }
    axes.legend(fontsize=SMALL, frameon=False, labelcolor=INK, **outside.get(place, {"loc": place}), **options)


# --- curves -------------------------------------------------------------------------------------------------------------
def band(axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    """An interval around a curve."""
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def curve(axes: Axes, x: Sequence[float], y: Sequence[float] | Doubles, colour: str, label: str, look: str = "o-") -> None:
    """A line with a mark at each value."""
    axes.plot(x, y, look, color=colour, markersize=3.5, linewidth=1.4, label=label)


def accuracy_curve(axes: Axes, x: Sequence[float], rows: Sequence[Mapping[str, Any]], colour: str, label: str) -> None:
    """Accuracies, their 95 % intervals (Wilson) as a band."""
    accuracies = [row["accuracy"] for row in rows]
    band(axes, x, [accuracy["low"] for accuracy in accuracies], [accuracy["high"] for accuracy in accuracies], colour)
    curve(axes, x, [accuracy["share"] for accuracy in accuracies], colour, label)


def confidence_curve(axes: Axes, x: Sequence[float], rows: Sequence[Mapping[str, Any]], colour: str, label: str) -> None:
    """Median confidences, the quartiles of the images as a band."""
    quartiles = np.array([row["quartiles"] for row in rows])
    band(axes, x, quartiles[:, 0].tolist(), quartiles[:, 2].tolist(), colour)
    curve(axes, x, quartiles[:, 1], colour, label, look="s--")
