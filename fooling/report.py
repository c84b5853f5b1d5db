"""Pictures of a finished record: mean, contact sheet, film. Reads record folders only."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fooling.dominance import nondominated
from fooling.record import FRONT, load_checkpoint, png, read_image, read_json, read_run, write_atomically

Bytes = npt.NDArray[np.uint8]

TILE = 84  # side of an enlarged image, in screen pixels, about
GAP = 6
CAPTION = 16
SHEET = 100  # images on a contact sheet, at most
STOPS = 8  # images that are shown along a front, at most
LARGEST = 8192  # pixels a side of a sheet; WebP's limit is 16383
FRAME_MILLISECONDS, LAST_MILLISECONDS = 120, 2500


def draw_pictures(folder: Path) -> None:
    """Draws mean.png, mean_converged.png, contact_sheet.png, evolution.webp and front.png from what the record holds."""
    run = read_run(folder)
    entries, any_class = run["images"], run["digit"] == "any"
    images = np.stack([read_image(folder / entry["file"]) for entry in entries])
    converged = np.array([entry["converged"] for entry in entries])
    write_atomically(folder / "mean.png", png(mean(images)))
    if converged.any():
        write_atomically(folder / "mean_converged.png", png(mean(images[converged])))
    shown = that_fit(min(len(images), SHEET), images.shape[1:])
    captions = [(f"{entry['digit']}: " if any_class else "") + percent(entry["confidence"]) for entry in entries[:shown]]
    note = f"the first {shown} of {len(images)}" if shown < len(images) else ""
    sheet = contact_sheet(images[:shown], captions, note)
    write_atomically(folder / "contact_sheet.png", encode(sheet, format="PNG"))
    checkpoint = load_checkpoint(folder)
    if checkpoint is not None:
        draw_film(folder / "evolution.webp", checkpoint["track_frames"], checkpoint["track_frame_generations"])
    if (folder / FRONT).exists():
        draw_front(folder)


def mean(images: Bytes) -> Bytes:
    """The mean image, rounded: [N, H, W, C] → [H, W, C]."""
    return np.asarray(np.rint(images.mean(axis=0, dtype=np.float64)), dtype=np.uint8)


def percent(confidence: float) -> str:
    """A confidence in per cent, cut off, never rounded up to 100."""
    return "> 99.99 %" if confidence > 0.9999 else f"{math.floor(confidence * 1e4) / 100:.2f} %"


def contact_sheet(images: Bytes, captions: Sequence[str], note: str = "", columns: int | None = None) -> Image.Image:
    """Enlarged images in a grid, a caption below each and a note below all: images [N, H, W, C]."""
    height, width = images.shape[1:3]
    scale = max(1, round(TILE / max(height, width)))
    columns = columns or even_columns(len(images))
    rows = -(-len(images) // columns)
    cell = (max(width * scale, TILE) + GAP, height * scale + GAP + (CAPTION if any(captions) else 0))
    size = (columns * cell[0] + GAP, rows * cell[1] + GAP + (CAPTION if note else 0))
    sheet = Image.new("L" if images.shape[3] == 1 else "RGB", size, 40 if images.shape[3] == 1 else (40, 40, 40))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    ink: Any = 210 if images.shape[3] == 1 else (210, 210, 210)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = GAP + i % columns * cell[0], GAP + i // columns * cell[1]
        tile = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        sheet.paste(tile.resize((width * scale, height * scale), Image.Resampling.NEAREST), (x, y))
        pen.text((x + width * scale / 2, y + height * scale + 2), caption, fill=ink, font=font, anchor="ma")
    if note:
        pen.text((GAP, size[1] - CAPTION), note, fill=ink, font=font)
    return sheet


def that_fit(number: int, shape: tuple[int, ...]) -> int:
    """How many of so many images [H, W, C] fit on a sheet of LARGEST × LARGEST pixels, at least one."""
    while number > 1:
        columns = even_columns(number)
        if max(columns * (shape[1] + GAP), -(-number // columns) * (shape[0] + GAP + CAPTION)) <= LARGEST:
            break
        number -= 1
    return number


def even_columns(number: int) -> int:
    """Columns of a grid that is wider than high and has few empty places: 20 → 5, 100 → 10."""
    return min(range(math.ceil(math.sqrt(number)), math.ceil(math.sqrt(2 * number)) + 1), key=lambda n: -number % n)


def draw_film(path: Path, frames: Bytes, generations: npt.NDArray[np.int64]) -> None:
    """An animated WebP of the runs' images [F, R, H, W, C] through the generations, lossless."""
    shown = that_fit(frames.shape[1], frames.shape[2:])
    pictures = [
        contact_sheet(frame[:shown], [""] * shown, f"generation {generation}")
        for frame, generation in zip(frames, generations.tolist(), strict=True)
    ]
    durations = [FRAME_MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    film = encode(
        pictures[0], format="WEBP", save_all=True, append_images=pictures[1:], duration=durations, loop=0, lossless=True
    )
    write_atomically(path, film)


def draw_sweep(parent: Path, names: Sequence[str], columns: int = 10) -> None:
    """A contact sheet over all jobs of a sweep: a row each with its first images."""
    shown: list[Bytes] = []
    captions: list[str] = []
    first = read_image(parent / names[0] / read_run(parent / names[0])["images"][0]["file"])
    shortest = min(columns, *(len(read_run(parent / name)["images"]) for name in names))
    shortest = max(1, min(shortest, LARGEST // (first.shape[1] + GAP)))
    for name in names:
        for entry in read_run(parent / name)["images"][:shortest]:
            shown.append(read_image(parent / name / entry["file"]))
            captions.append(f"{entry['digit']}: {percent(entry['confidence'])}")
    sheet = contact_sheet(np.stack(shown), captions, columns=shortest)
    write_atomically(parent / "contact_sheet.png", encode(sheet, format="PNG"))


def draw_matrix(folder: Path) -> None:
    """matrix.png from matrix.json: a row a prior, a column a wanted class, the best image of each pair and how many fool."""
    found = read_json(folder / "matrix.json")
    pairs = {(entry["prior"], entry["digit"]): entry for entry in found["pairs"]}
    classes = sorted({b for _, b in pairs})
    shown: list[Bytes | None] = []
    captions = []
    for cell in ((a, b) for a in classes for b in classes):
        entry = pairs.get(cell)
        captions.append(f"{entry['fooled']} of {entry['images']}" if entry else found["labels"][cell[0]])
        shown.append(read_image(folder / entry["folder"] / "images" / f"{entry['shown']:04d}.png") if entry else None)
    blank = np.full_like(next(image for image in shown if image is not None), 40)
    note = "rows: what the prior is of and the judges read; columns: what the classifier is sure of; how many images fool"
    images = np.stack([blank if image is None else image for image in shown])
    sheet = contact_sheet(images, captions, note, columns=len(classes))
    write_atomically(folder / "matrix.png", encode(sheet, format="PNG"))


def draw_front(folder: Path) -> None:
    """front.png from front.csv: target term against distance from the prior, the fronts of the runs and that of all of them."""
    from matplotlib.figure import Figure

    with (folder / FRONT).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points = np.array([(float(row["target"]), float(row["prior"])) for row in rows])
    runs, pooled = np.array([int(row["run"]) for row in rows]), nondominated(points)
    shown = pooled[evenly(points[pooled], STOPS)]
    figure = Figure(figsize=(8, 6), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, len(shown), height_ratios=(4, 1))
    axes = figure.add_subplot(grid[0, :])
    for run in range(runs.max() + 1):
        axes.plot(*points[runs == run].T, color="0.7", linewidth=0.8, label="" if run else "front of each run")
    axes.plot(*points[pooled].T, color="black", linewidth=2, label="front of all runs")
    axes.plot(*points[shown].T, "o", color="tab:red")
    scale(axes.set_xscale, points[:, 0])
    scale(axes.set_yscale, points[:, 1])
    axes.set(xlabel="target term (left: the classifier is surer)", ylabel="distance from the prior (down: nearer)")
    axes.legend(frameon=False)
    about = read_run(folder)
    axes.set_title(
        f"digit {about['digit']}, prior {about['prior']}: {len(rows)} images of {runs.max() + 1} fronts, "
        f"median hypervolume {about['hypervolume_median']:.4f}",
        fontsize=10,
    )
    for place, number in enumerate(shown):
        image, row = read_image(folder / rows[number]["file"]), rows[number]
        axes.annotate(f"{place + 1}", points[number], (5, 5), textcoords="offset points", color="tab:red")
        tile = figure.add_subplot(grid[1, place])
        tile.imshow(image[:, :, 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        tile.set_axis_off()
        tile.set_title(f"{place + 1}\n{percent(float(row['confidence']))}\nprior {float(row['prior']):.3g}", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(folder / "front.png", buffer.getvalue())


def evenly(front: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.int64]:
    """At most `number` of a front [N, 2], its ends among them, about equally far from each other in both, by their ranks."""
    place = np.log(np.maximum(front, 1e-12))
    steps = np.hypot(*(np.diff(place, axis=0) / np.maximum(np.ptp(place, axis=0), 1e-12)).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return np.unique(np.abs(length - np.linspace(0, length[-1], number)[:, None]).argmin(axis=1))


def scale(set_scale: Callable[..., None], values: npt.NDArray[np.float64]) -> None:
    """A logarithmic axis; linear below the least value above 0 where one is 0."""
    above = values[values > 0]
    if len(above) == len(values):
        set_scale("log")
    elif len(above):
        set_scale("symlog", linthresh=float(above.min()))


def encode(picture: Image.Image, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()
