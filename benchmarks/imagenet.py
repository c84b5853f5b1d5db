"""The pictures of docs/imagenet.md, from a record of search=map_elites on an ImageNet network.

python benchmarks/imagenet.py record=FOLDER classes=16,75,107 pictures=docs/images

`classes`: indices of the classes in the first picture, which somebody has looked at.
"""

import json
from pathlib import Path

import numpy as np
from hero import EDGE, GAP, GREY, INK, PAPER, percentage
from measure import words
from PIL import Image, ImageDraw, ImageFont

COLUMNS, SIDE = 6, 200  # of the first picture, pixels
WIDTH = 1600  # of the mosaic, pixels


def twelve(folder: Path, images: list[dict], classes: list[int]) -> Image.Image:
    """Images with the names of their classes and their confidences below."""
    found = [next(image for image in images if image["digit"] == k) for k in classes]
    rows, down = -(-len(found) // COLUMNS), SIDE + 58
    picture = Image.new("RGB", (2 * EDGE + COLUMNS * SIDE + (COLUMNS - 1) * GAP, EDGE + rows * down), PAPER)
    draw, large, small = ImageDraw.Draw(picture), ImageFont.load_default(21), ImageFont.load_default(18)
    for i, image in enumerate(found):
        left, top = EDGE + i % COLUMNS * (SIDE + GAP), EDGE + i // COLUMNS * down
        picture.paste(Image.open(folder / image["file"]).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, top))
        draw.text((left + SIDE // 2, top + SIDE + 20), image["label"], INK, large, anchor="ms")
        draw.text((left + SIDE // 2, top + SIDE + 42), percentage(image["confidence"]), GREY, small, anchor="ms")
    return picture


def main() -> None:
    """All pictures, and the figures of the text."""
    chosen = words(record="", classes="", pictures="docs/images")
    folder, pictures = Path(chosen["record"]), Path(chosen["pictures"])
    run = json.loads((folder / "run.json").read_text())
    classes = [int(k) for k in chosen["classes"].split(",") if k]
    if classes:
        twelve(folder, run["images"], classes).quantize(256).save(pictures / "imagenet.png", optimize=True)
    mosaic = Image.open(folder / "mosaic.png")
    height = round(mosaic.height * WIDTH / mosaic.width)
    mosaic.resize((WIDTH, height), Image.Resampling.LANCZOS).save(pictures / "imagenet-mosaic.webp", quality=60)
    for name in ("family", "curves"):
        Image.open(folder / f"{name}.png").quantize(256).save(pictures / f"imagenet-{name}.png", optimize=True)
    confidences = np.array([image["confidence"] for image in run["images"]])
    shares = ", ".join(f"{(confidences >= level).sum()} ≥ {level:g}" for level in (0.5, 0.9, 0.99))
    lower, middle, upper = np.quantile(confidences, (0.25, 0.5, 0.75))
    print(f"{run['evaluations']:,} evaluations: median {middle:.4f} ({lower:.4f}–{upper:.4f}); of {len(confidences)} {shares}")
    print(f"QD-score {run['qd_score']:.1f}, coverage {run['coverage']}, goal switches {run['goal_switches']:,}")
    print("best:", ", ".join(f"{k} {run['images'][k]['label']} {confidences[k]:.3f}" for k in np.argsort(-confidences)[:60]))


if __name__ == "__main__":
    main()
