"""`fooling render`: the images of a record at another size, where they come from genomes that are independent of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fooling.classifiers.labels import class_name
from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import record_folder
from fooling.data.npz import read_arrays
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Doubles, Floats
from fooling.plots import percent, shorten
from fooling.records.files import locked, os_errors, png, write_atomically
from fooling.records.ownership import GENOMES as FILE
from fooling.records.ownership import declare_files
from fooling.records.record import images_in, read_image, read_run
from fooling.search.genomes import GENOMES, Genome, make_genome
from fooling.settings.commands import RenderSettings
from fooling.settings.fields import user_path
from fooling.settings.files import check_size

FOLDER = "rendered"
LETTERS = 40  # of a class name, at most
LARGEST, MOST_DETAIL = 4096, 256  # pixels of a side; see search.detail


@dataclass(frozen=True)
class SavedGenomes:
    """What genomes.npz holds."""

    genome: Genome
    shape: tuple[int, int, int]  # (H, W, C) of the record's images
    numbers: Floats  # [R, D]

    def render(self, i: int, image: Bytes, height: int, width: int) -> Bytes:
        """An image [H, W, C] at a size: its genome, and enlarged what patches have changed since then."""
        numbers = self.numbers[i : i + 1]
        drawn: Bytes = self.genome.render(numbers, height, width)[0]
        change = image.astype(np.int16) - self.genome.decode(numbers)[0]
        if not change.any():
            return drawn
        return np.asarray(np.clip(drawn + enlarged(change, height, width), 0, 255).astype(np.uint8))


def work(settings: RenderSettings) -> None:
    """Writes each image at the size, and says what the classifier answered to it at its own size."""
    folder = record_folder(settings.folder, "fooling render runs/NAME size=1024")
    saved, images = read_genomes(folder), finished_images(folder)
    if len(images) != len(saved.numbers):
        raise UserError(f"{folder / FILE}: holds {len(saved.numbers)} genomes, the record has {len(images)} images")
    height, width = scaled(saved.shape, settings.size)
    check_size(f"size={settings.size}: an image {height}×{width}", "picture", 4 * height * width * saved.shape[2])
    out = user_path(settings.out) if settings.out else folder
    files = [f"{FOLDER}/{Path(image['file']).name}" for image in images]
    there = [out / file for file in files if (out / file).exists()]
    if there and not settings.overwrite:
        raise UserError(f"{there[0]}: exists already; overwrite=true replaces it, or give another folder with out=")
    with os_errors(out):
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
    with locked(out):
        for i, file in enumerate(files):
            image = read_image(folder / str(images[i]["file"]))
            write_atomically(out / file, png(saved.render(i, image, height, width)))
        if out == folder:
            declare_files(folder, files)
    if not settings.quiet:
        print_table(*table(images, files))
        own = "×".join(map(str, saved.shape[:2]))
        print(f"confidence and predicted: the classifier's answer to the image at its own size, {own}")
        print(f"→ {out / FOLDER}: {len(files)} images of {height}×{width} pixels")


def finished_images(folder: Path) -> list[dict[str, Any]]:
    """The images of a finished record, as run.json describes them. Raises UserError for any other."""
    run = read_run(folder)
    if run.get("status") != "done":
        raise UserError(f"{folder}: holds no finished job ({run.get('status')}); let it finish first (resume=true)")
    images_in(folder, run)  # refuses a damaged file
    return list(run["images"])


def read_genomes(folder: Path) -> SavedGenomes:
    """The genomes of a record. Raises UserError where it has none, and for a damaged file."""
    path = folder / FILE
    if not path.exists():
        raise UserError(f"{folder}: has no {FILE}; expected a record of search=es or map_elites, whose images have any size")
    found = read_arrays(path)
    name, shape, numbers = str(found.get("genome")), np.asarray(found.get("shape")), np.asarray(found.get("genomes"))
    detail = np.asarray(found.get("detail"))
    is_shape = shape.shape == (3,) and shape.dtype.kind == "i" and shape.min() >= 1 and shape.max() <= LARGEST
    is_detail = detail.shape == () and detail.dtype.kind == "i" and 1 <= detail <= MOST_DETAIL
    if name in GENOMES and is_shape and is_detail and shape[2] in (1, 3) and numbers.dtype == np.float32:
        sides = (int(shape[0]), int(shape[1]), int(shape[2]))
        genome = make_genome(name, sides, int(detail))
        if numbers.ndim == 2 and numbers.shape[1] == genome.size and np.isfinite(numbers).all():
            return SavedGenomes(genome, sides, numbers)
    raise UserError(f"{path}: a damaged file; expected genomes as `fooling run` writes them")


def enlarged(change: Any, height: int, width: int) -> Doubles:
    """Changes int16 [H, W, C] at another size, rounded."""
    planes = [Image.fromarray(change[..., c].astype(np.float32)) for c in range(change.shape[2])]
    resized = [np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC)) for plane in planes]
    return np.rint(np.stack(resized, axis=2).astype(np.float64))


def scaled(shape: tuple[int, int, int], size: int) -> tuple[int, int]:
    """Height and width whose longer side is `size`."""
    factor = size / max(shape[:2])
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def table(images: list[dict[str, Any]], files: list[str]) -> tuple[list[str], list[list[str]]]:
    """A line an image."""
    rows = []
    for image, file in zip(images, files, strict=True):
        name = class_name(image["digit"], image.get("label") or str(image["digit"]))
        read = class_name(image["predicted"], image.get("predicted_label") or str(image["predicted"]))
        rows.append([file, shorten(name, LETTERS), percent(image["confidence"]), shorten(read, LETTERS)])
    return ["image", "target", "confidence", "predicted"], rows


COMMAND = Tool(work)
