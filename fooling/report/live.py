"""What a running job has reached, and its best images so far: read from its record, which is left as it is."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from fooling.data.images import opened
from fooling.errors import UserError, duration, first_line, printable
from fooling.plots import percent
from fooling.plots.style import encode, without_channel
from fooling.records.ownership import CHECKPOINT, CONFIG, METRICS, is_own_folder, job_folders, job_in_words, read_status
from fooling.records.record import load_checkpoint
from fooling.report import DAMAGES, HTML, is_ours
from fooling.report.listing import changed_at
from fooling.report.page import RUNS, mosaic
from fooling.settings.files import parse_json, read_yaml

TAIL = 1 << 14  # bytes of metrics.jsonl that hold its last line
STALE = 180.0  # seconds without a written file, from which on it is doubtful that a job still runs
LARGEST = 200_000_000  # bytes of a checkpoint that is read for a picture
SHEET, THUMBNAIL = "contact_sheet.png", 320  # pixels of a side, twice those on the screen
ZOOM = 560  # pixels of a side of a live picture, about, where the images are small


class Live(NamedTuple):
    """A running record at a moment."""

    status: str
    line: str  # in words
    picture: str  # what changes when there are newer images; '' = there are none yet
    folder: Path  # of the job that runs
    page: bool = False  # whether it is done, with its report.html

    @property
    def state(self) -> dict[str, str | bool]:
        """What is sent to a page."""
        return {"status": self.status, "line": self.line, "picture": self.picture, "page": self.page}


def has_own_page(folder: Path, about: Mapping[str, Any] | None = None) -> bool:
    """Whether a record is finished and has a page that we have drawn; `about`: its status, if it is known."""
    page, found = folder / HTML, read_status(folder) if about is None else about
    return found.get("status") == "done" and not page.is_symlink() and is_ours(page)


def live(folder: Path) -> Live:
    """How far a record is. It may be written at the same time: what cannot be read is left out."""
    try:
        about = read_status(folder)
        status = str(about.get("status", "running"))
        jobs, page = job_folders(about), has_own_page(folder, about)
        if not jobs:
            return Live(status, job_line(folder, about), version_of(folder), folder, page)
        states = [(name, read_status(folder / name).get("status", "")) for name in jobs if is_own_folder(folder / name)]
        done = sum(state == "done" for _, state in states)
        current = next((name for name, state in states if state == "running"), "")
        line = f"{done:,} of {len(jobs):,} jobs are done"
        if not current:
            return Live(status, line, "", folder, page)
        job = folder / current
        return Live(status, f"{line}; {job_in_words(current)}: {job_line(job, read_status(job))}", version_of(job), job)
    except (UserError, OSError) as error:
        return Live("damaged", first_line(error), "", folder)
    except DAMAGES as error:
        return Live("damaged", f"a damaged record ({type(error).__name__}: {first_line(error)})", "", folder)


# --- progress ---------------------------------------------------------------------------------------------------------
def last_metrics(folder: Path) -> dict[str, Any]:
    """The last whole line of metrics.jsonl; {} where there is none."""
    path = folder / METRICS
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read(TAIL).split(b"\n")[:-1]  # what follows the last line's end is half written
    for line in reversed(lines):
        try:
            row = parse_json(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            return row
    return {}


def job_line(folder: Path, about: Mapping[str, Any]) -> str:
    """The progress of a job in words."""
    row, runs = last_metrics(folder), about.get("runs")
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    parts = [] if numbers else ["no generation yet"]
    if "generation" in numbers:
        parts.append(f"generation {numbers['generation']:,}")
    if "evaluations" in numbers:
        parts.append(f"{numbers['evaluations']:,} evaluations")
    if "confidence" in numbers and not about.get("unit"):
        parts.append(f"median confidence {percent(numbers['confidence'])}")
    if "converged" in numbers and isinstance(runs, int):
        parts.append(f"{numbers['converged']:,} of {runs:,} converged")
    if about.get("status") == "running":
        parts += [f"{numbers['evaluations_per_second']:,.0f}/s"] if "evaluations_per_second" in numbers else []
        silent = time.time() - changed_at(folder)
        if silent > STALE:
            return ", ".join([*parts, f"nothing written for {duration(silent)}: it may have been ended"])
        left = seconds_left(folder, about, numbers)
        parts += [f"at most {duration(left)} left"] if left is not None else []
    return ", ".join(parts)


def seconds_left(folder: Path, about: Mapping[str, Any], row: Mapping[str, float]) -> float | None:
    """How long a job takes at most, by the pace so far; None where no limit is known. It ends earlier if its runs converge."""
    seconds, generation = row.get("seconds"), row.get("generation")
    if not seconds or not generation:
        return None
    settings = read_yaml(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    search = settings.get("search")
    limits: list[Any] = [search.get("generations") if isinstance(search, dict) else None]
    budget, each = about.get("budget"), about.get("evaluations_a_generation")
    if isinstance(budget, int) and isinstance(each, int) and each > 0:
        limits.append(budget / each)
    ends = [seconds / generation * limit for limit in limits if isinstance(limit, int | float)]
    ends += [allowed] if isinstance(allowed := settings.get("seconds"), int | float) else []
    return max(0.0, min(ends) - seconds) if ends else None


# --- pictures ---------------------------------------------------------------------------------------------------------
def version_of(folder: Path) -> str:
    """What changes when a job has newer images: the time of its checkpoint or contact sheet; '' = there are none."""
    times = [path.stat().st_mtime_ns for name in (CHECKPOINT, SHEET) if (path := folder / name).is_file()]
    return str(max(times)) if times else ""


def live_picture(folder: Path) -> bytes:
    """A PNG of the best images of a job so far: of its checkpoint, or its contact sheet if newer. Raises UserError."""
    sheet, checkpoint = folder / SHEET, folder / CHECKPOINT
    times = {path: path.stat().st_mtime_ns for path in (sheet, checkpoint) if path.is_file() and not path.is_symlink()}
    if checkpoint in times and times[checkpoint] >= times.get(sheet, 0) and checkpoint.stat().st_size <= LARGEST:
        arrays = load_checkpoint(folder) or {}
        images = arrays.get("track_images")
        if images is not None and images.ndim == 4 and len(images) and images.dtype == "uint8" and images.shape[3] in (1, 3):
            return whole_times(Image.fromarray(without_channel(mosaic(images[:RUNS]))), ZOOM)
    if sheet in times:
        return thumbnail(sheet, 1600)
    raise UserError(f"{printable(folder)}: has no images yet; they follow within a minute")


def whole_times(picture: Image.Image, side: int) -> bytes:
    """A picture as PNG, its pixels a whole number of times as large where that fits into a side."""
    times = max(1, side // max(picture.size))
    large = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    return encode(large, format="PNG")


def thumbnail(path: Path, side: int = THUMBNAIL) -> bytes:
    """A PNG of at most so many pixels a side, of a picture of a record. Raises UserError for a damaged one."""
    with opened(path, ("PNG",)) as image:
        picture = image.convert("RGB") if image.mode not in ("L", "RGB") else image.copy()
    picture.thumbnail((side, side))
    return whole_times(picture, side // 2)
