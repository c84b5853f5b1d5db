"""Pictures of the archive of search=map_elites: all classes in one mosaic, the ancestors of the best, confidences over time."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.labels import class_name
from fooling.data.npz import read_arrays
from fooling.kernels.tables import Bytes
from fooling.plots import percent, shorten
from fooling.plots.sheets import CAPTION, DIM, GAP, Sheet, fitted_tile
from fooling.plots.style import BLUE, SKY, label_axes, legend, log_axis, new_figure, percent_axis, to_png
from fooling.records.files import write_atomically
from fooling.records.ownership import GENOMES
from fooling.records.record import read_image, read_run
from fooling.search.archive import ARCHIVE
from fooling.search.genomes import make_genome

FILES = ("mosaic.png", "family.png", "curves.png")
TILE, FAMILY_TILE = 72, 96  # pixels of an image's longer side
LETTERS = 13  # of a class name below a tile of the mosaic
BEST = 10  # classes whose ancestors are shown
Archive = Mapping[str, npt.NDArray[Any]]


def draw_archive(folder: Path) -> None:
    """All pictures of a finished archive."""
    run, archive = read_run(folder), read_arrays(folder / ARCHIVE)
    entries = run["images"]
    tiles = [fitted_tile(read_image(folder / entry["file"]), TILE) for entry in entries]
    write_atomically(folder / "mosaic.png", mosaic(tiles, entries))
    write_atomically(folder / "family.png", family(folder, entries, archive))
    write_atomically(folder / "curves.png", curves(archive, run))


def mosaic(tiles: Sequence[Bytes], entries: Sequence[Mapping[str, Any]]) -> bytes:
    """The image of every class above its name; names are bright where the image is read as the class."""
    height, width, channels = np.max([tile.shape for tile in tiles], axis=0)
    across, down = max(width, TILE) + GAP, height + CAPTION
    columns = max(1, min(len(tiles), round(math.sqrt(1.5 * len(tiles) * down / across))))
    sheet = Sheet(GAP + columns * across, GAP + -(-len(tiles) // columns) * down, channels)
    for i, (tile, entry) in enumerate(zip(tiles, entries, strict=True)):
        x, y = GAP + i % columns * across, GAP + i // columns * down
        sheet.paste(tile, x, y, 1)
        name = shorten(class_name(entry["digit"], entry["label"]), LETTERS)
        tone = {} if entry["predicted"] == entry["digit"] else {"tone": DIM}
        sheet.write(x + width / 2, y + height + 1, name, anchor="ma", size=10, **tone)
    return to_png(sheet.picture)


def family(folder: Path, entries: Sequence[Mapping[str, Any]], archive: Archive) -> bytes:
    """A row for each of the best classes: its ancestors among the elites of other classes, the oldest first, then its image."""
    best = sorted(range(len(entries)), key=lambda i: -entries[i]["confidence"])[:BEST]
    about = read_arrays(folder / GENOMES)
    height, width, channels = (int(side) for side in about["shape"])
    genome = make_genome(str(about["genome"]), (height, width, channels), int(about["detail"]))
    labels = archive["labels"].tolist()
    rows: list[list[tuple[Bytes, str]]] = []
    for cell in best:
        path, ancestors = archive["path"][cell], archive["ancestors"][cell]
        known = np.flatnonzero(path >= 0) if len(ancestors) else np.zeros(0, dtype=np.int64)  # long genomes have none
        drawn = genome.decode(ancestors[known]) if len(known) else ()
        row = [(image, labels[k]) for image, k in zip(drawn, path[known].tolist(), strict=True)]
        entry = entries[cell]
        rows.append([*row, (read_image(folder / entry["file"]), f"{entry['label']}\n{percent(entry['confidence'])}")])
    return to_png(chains(rows, channels))


def chains(rows: Sequence[Sequence[tuple[Bytes, str]]], channels: int) -> Any:
    """Rows of images with names below, the oldest on the left."""
    tiles = [[(fitted_tile(image, FAMILY_TILE), name) for image, name in row] for row in rows]
    height = max(tile.shape[0] for row in tiles for tile, _ in row)
    width = max(FAMILY_TILE, *(tile.shape[1] for row in tiles for tile, _ in row))
    columns, across, down = max(map(len, tiles)), width + 4 * GAP, height + 2 * CAPTION + GAP
    sheet = Sheet(GAP + columns * across, GAP + len(tiles) * down, channels)
    for j, row in enumerate(tiles):
        for i, (tile, name) in enumerate(row):
            x, y = GAP + (columns - len(row) + i) * across, GAP + j * down
            sheet.paste(tile, x + (width - tile.shape[1]) // 2, y, 1)
            lines = "\n".join(shorten(line, width // 6) for line in name.split("\n"))
            sheet.write(x + width / 2, y + height + 2, lines, anchor="ma")
            if i + 1 < len(row):
                sheet.write(x + width + 2 * GAP, y + height / 2, ">", anchor="mm", size=14)
    return sheet.picture


def curves(archive: Archive, run: Mapping[str, Any]) -> bytes:
    """Median and quartiles of the confidences of all classes over the evaluations."""
    last = [entry["confidence"] for entry in run["images"]]
    confidence = np.column_stack([archive["confidence"], last])
    evaluations = [*archive["evaluations"].tolist(), run["evaluations"]]
    figure = new_figure(7.0, 4.0)
    axes = figure.add_subplot()
    log_axis(axes)
    lower, middle, upper = np.quantile(confidence, [0.25, 0.5, 0.75], axis=0)
    axes.fill_between(evaluations, lower, upper, color=SKY, alpha=0.35, linewidth=0, label="between the quartiles")
    axes.plot(evaluations, middle, color=BLUE, label="median")
    axes.plot(
        evaluations, (confidence >= run["threshold"]).mean(axis=0), "--", color=BLUE, label=f"classes ≥ {run['threshold']:g}"
    )
    percent_axis(axes)
    title = f"{run['classifier']}, {run['label']}: {run['evaluations']:,} evaluations, {run['goal_switches']:,} goal switches"
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    label_axes(axes, title, "evaluations, all classes together", "confidence, share of the classes")
    legend(axes, "upper left")
    return to_png(figure)
