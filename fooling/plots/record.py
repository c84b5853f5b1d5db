"""The pictures of a record and of a sweep."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooling.kernels.tables import Bytes
from fooling.plots.pareto import draw_front
from fooling.plots.sheets import GAP, LARGEST, SHEET, contact_sheet, draw_film, encode, mean, percent, that_fit
from fooling.records import FRONT, load_checkpoint, read_image, read_run
from fooling.records.files import png, write_atomically


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
