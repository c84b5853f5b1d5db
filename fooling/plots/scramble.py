"""The picture of `fooling scramble`: an example, accuracy and confidence over the share of the background that is replaced."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fooling.kernels.tables import Bytes
from fooling.plots.style import COLOURS, INK, accuracy_curve, as_png, confidence_curve, new_figure, per_cent, tidy, tile


class Example(NamedTuple):
    """An image with a share of its background replaced, and what it is read as."""

    share: float  # per cent
    image: Bytes  # [H, W, C]
    said: str


ACROSS = "background pixels replaced, per cent"


def chart(result: Mapping[str, Any], examples: "Mapping[str, Sequence[Example]]") -> bytes:
    """A PNG: a row of examples for each noise, and two charts."""
    heights = (1.55 * len(examples) + 0.3, 3.8)
    figure = new_figure(10, sum(heights) + 0.4)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    columns = max(len(found) for found in examples.values())
    tiles: Any = above.subplots(len(examples), columns, squeeze=False)
    for axes, (name, found) in zip(tiles, examples.items(), strict=True):
        for place, example in zip(axes, found, strict=True):
            tile(place, example.image, f"{example.share:g} %" if name == next(iter(examples)) else "", example.said)
        axes[0].set_ylabel(name, fontsize=9, color=INK)
    above.suptitle("an image and what it is read as; columns: share of the background that is replaced", fontsize=9, color=INK)
    sides: Any = below.subplots(1, 2)
    for (name, rows), colour in zip(result["curves"].items(), COLOURS, strict=False):
        shares = [row["share"] for row in rows]
        accuracy_curve(sides[0], shares, rows, colour, f"{name}: {result['noises'][name]}")
        confidence_curve(sides[1], shares, rows, colour, name)
    tidy(sides[0], "right (bands: 95 %)", ACROSS, "share of the images")
    tidy(sides[1], "confidence in the right class, median (bands: middle half)", ACROSS, "confidence")
    for axes in sides:
        per_cent(axes)
    sides[0].legend(fontsize=8, frameon=False)
    who = f"{result['classifier']['name']} on {result['images']:,} test images of {result['data']}"
    rule = f"background: grey level ≤ {result['background']}"
    figure.suptitle(f"{who}; {rule}", fontsize=11, color=INK)
    return as_png(figure)
