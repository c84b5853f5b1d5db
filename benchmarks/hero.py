"""One digit under six priors, in one row, with its confidence below each tile: the first picture of the README.

python benchmarks/hero.py digit=3 runs=10 picture=docs/images/hero.png
"""

import math
from pathlib import Path

import numpy as np
from measure import words
from PIL import Image, ImageDraw, ImageFont

import fooling

PRIORS = ("none", "histogram", "variogram", "exemplar", "regional", "eigen")
PIXEL = 7  # screen pixels a pixel
GAP, EDGE, ABOVE, BELOW = 22, 16, 44, 46
PAPER, INK, GREY, FRAME = (255, 255, 255), (31, 35, 40), (89, 99, 110), (208, 215, 222)


def evolve_typical(digit: int, prior: str, runs: int) -> tuple[np.ndarray, float]:
    """The image of median confidence among the runs of a prior, and that confidence."""
    result = fooling.evolve(digit=digit, prior=prior, runs=runs)
    middle = np.argsort(result.confidences, kind="stable")[runs // 2]
    return result.images[middle], float(result.confidences[middle])


def percentage(confidence: float) -> str:
    """A confidence in per cent, cut off, never rounded up."""
    return f"{math.floor(1e5 * confidence) / 1000:.3f} %" if confidence < 0.99999 else "> 99.999 %"


def draw_row(tiles: list[tuple[str, np.ndarray, float]]) -> Image.Image:
    """Tiles side by side on a light ground: the prior above, the confidence below, crisp pixels between."""
    height, width = (side * PIXEL for side in tiles[0][1].shape[:2])
    picture = Image.new("RGB", (2 * EDGE + len(tiles) * width + (len(tiles) - 1) * GAP, ABOVE + height + BELOW), PAPER)
    draw, large, small = ImageDraw.Draw(picture), ImageFont.load_default(26), ImageFont.load_default(24)
    for i, (name, image, confidence) in enumerate(tiles):
        left = EDGE + i * (width + GAP)
        tile = Image.fromarray(image[:, :, 0]).resize((width, height), Image.Resampling.NEAREST)
        picture.paste(tile.convert("RGB"), (left, ABOVE))
        draw.rectangle((left - 1, ABOVE - 1, left + width, ABOVE + height), outline=FRAME)
        middle = left + width // 2
        draw.text((middle, ABOVE - 12), name, INK, large, anchor="ms")
        draw.text((middle, ABOVE + height + 32), percentage(confidence), GREY, small, anchor="ms")
    return picture


if __name__ == "__main__":
    chosen = words(digit=3, runs=10, picture="docs/images/hero.png")
    tiles = [(prior, *evolve_typical(chosen["digit"], prior, chosen["runs"])) for prior in PRIORS]
    picture = draw_row(tiles).quantize(64, dither=Image.Dither.NONE)
    picture.save(Path(chosen["picture"]), optimize=True)
    print(", ".join(f"{name} {confidence:.6f}" for name, _, confidence in tiles))
