"""The pictures of a record, and those over all records of a sweep."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooling.plots import percent, searches
from fooling.plots import success as milestones
from fooling.plots.searches import draw_feedback, draw_front
from fooling.plots.sheets import GAP, MAX_SIDE, animation, contact_sheet, fitting_number, mean
from fooling.plots.style import to_png
from fooling.plots.success import draw_success, draw_sweep_success
from fooling.records.files import png, write_atomically
from fooling.records.record import load_checkpoint, read_image, read_images, read_run
from fooling.search.pareto_front import FRONT
from fooling.search.state import FEEDBACK

FILES = ("mean.png", "mean_converged.png", "contact_sheet.png", "evolution.webp")
RECORD_FILES = (*FILES, *searches.FILES, *milestones.FILES)  # every picture that a record may have
MAX_IMAGES = 100  # on a contact sheet
COLUMNS = 10  # images of each job on a sweep's contact sheet, at most


def draw_pictures(folder: Path, *, success: bool) -> None:
    """Draws what the record allows: means, contact sheet, animation, and the pictures of its search.

    mean_converged.png needs a converged run, evolution.webp a checkpoint, front.png and feedback.* their searches' files.
    """
    entries = read_run(folder)["images"]
    images = read_images(folder, [entry["file"] for entry in entries])
    converged = np.array([entry["converged"] for entry in entries])
    write_atomically(folder / "mean.png", png(mean(images)))
    if converged.any():
        write_atomically(folder / "mean_converged.png", png(mean(images[converged])))
    draw_contact_sheet(folder)
    checkpoint = load_checkpoint(folder)
    if checkpoint is not None:
        frames, generations = checkpoint["track_frames"], checkpoint["track_frame_generations"].tolist()
        write_atomically(folder / "evolution.webp", animation(frames, generations))
    if (folder / FRONT).exists():
        draw_front(folder)
    if (folder / FEEDBACK).exists():
        draw_feedback(folder)
    if success:
        draw_success(folder)


def draw_contact_sheet(folder: Path) -> None:
    """contact_sheet.png of a record: its first images with their confidences."""
    run = read_run(folder)
    entries, any_class = run["images"], run["digit"] == "any"
    number = fitting_number(min(len(entries), MAX_IMAGES), read_image(folder / entries[0]["file"]).shape)
    images = read_images(folder, [entry["file"] for entry in entries[:number]])
    captions = [(f"{entry['digit']}: " if any_class else "") + percent(entry["confidence"]) for entry in entries[:number]]
    note = f"the first {number} of {len(entries):,} images" if number < len(entries) else ""
    write_atomically(folder / "contact_sheet.png", to_png(contact_sheet(images, captions, note)))


def draw_sweep(parent: Path, names: Sequence[str]) -> None:
    """contact_sheet.png over all jobs of a sweep, a row with the first images of each, and success.png."""
    jobs = [read_run(parent / name)["images"] for name in names]
    width = read_image(parent / names[0] / jobs[0][0]["file"]).shape[1]
    columns = max(1, min(COLUMNS, MAX_SIDE // (width + GAP), *map(len, jobs)))
    cells = [(parent / name, entry) for name, entries in zip(names, jobs, strict=True) for entry in entries[:columns]]
    images = np.stack([read_image(folder / entry["file"]) for folder, entry in cells])
    captions = [f"{entry['digit']}: {percent(entry['confidence'])}" for _, entry in cells]
    write_atomically(parent / "contact_sheet.png", to_png(contact_sheet(images, captions, columns=columns)))
    draw_sweep_success(parent, names)
