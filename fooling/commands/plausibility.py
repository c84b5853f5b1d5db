"""`fooling plausibility`: the images of a record against real ones."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fooling.errors import UserError
from fooling.paths import user_path
from fooling.settings import PlausibilitySettings, load

if TYPE_CHECKING:
    from fooling.data import ImageSet
    from fooling.detectors import Comparison
    from fooling.finished import Finished

SUMMARY = "how well simple detectors tell a record's images from real ones"
USAGE = "fooling plausibility FOLDER data.path=PATH key=value …   (FOLDER: a record, or the parent of a sweep's)"

Rows = Mapping[str, "Comparison"]


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(PlausibilitySettings, "plausibility", USAGE))
        return 0
    folder, words = folder_of(arguments)
    settings = load(words, PlausibilitySettings, "plausibility")
    from fooling.finished import find_records, read_records

    places = find_records(folder)
    out = user_path(settings.out) if settings.out else folder
    refuse_unless_free([out / name for name in places], out, settings.overwrite)
    records = read_records(places)
    data = real_images(settings, records[0])
    found = {record.name: compare_record(record, data) for record in records}
    write(out, {record.name: compared(record, found[record.name], data, settings.split) for record in records})
    if not settings.quiet:
        show(found, out)
    return 0


def folder_of(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder, which is the first word, and the settings after it; a record folder may have a = in its name."""
    first = arguments[0] if arguments else ""
    if not first or ("=" in first and "/" not in first.partition("=")[0] and not Path(first).is_dir()):
        raise UserError(f"expected a record folder as the first word, as in {USAGE.partition('   ')[0]}; got {first!r}")
    folder = user_path(first)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one that `fooling run` has written")
    return folder, list(arguments[1:])


def refuse_unless_free(places: Sequence[Path], out: Path, overwrite: bool) -> None:
    """Refuses to replace what is there already, before the work begins."""
    from fooling.record import PLAUSIBILITY

    there = [place / name for place in dict.fromkeys([out, *places]) for name in PLAUSIBILITY if (place / name).exists()]
    if there and not overwrite:
        raise UserError(f"{there[0]}: exists already; overwrite=true replaces it, or give another folder with out=")


def real_images(settings: PlausibilitySettings, record: "Finished") -> "ImageSet":
    """The real images: of the data that are named, else of those that the record's statistics were fitted to."""
    from fooling.data import load_data

    given = settings.data if settings.data.path or settings.data.kind != "auto" else record.settings.data
    if given.path is None and given.kind == "auto":
        raise UserError("data.path is not set: expected the data set of the real images (fooling data get mnist mnist)")
    return load_data(given.path, given.kind, settings.split)


def compare_record(record: "Finished", data: "ImageSet") -> Rows:
    """The images of a record against the real ones of the class that its prior is of."""
    from fooling.detectors import of_class, plausibility
    from fooling.job import prior_class
    from fooling.record import read_images

    wanted = prior_class(record.settings)
    evolved = read_images(record.folder, [entry["file"] for entry in record.run["images"]])
    try:
        return plausibility(evolved, of_class(data, wanted), record.statistics, wanted, record.classifier)
    except UserError as error:
        raise UserError(f"{record.folder}: {error}") from error


def compared(record: "Finished", rows: Rows, data: "ImageSet", split: str) -> dict[str, Any]:
    """What plausibility.json says of a record."""
    from fooling.detectors import in_full, most_telling, of_class
    from fooling.job import prior_class

    wanted = prior_class(record.settings)
    return {
        "digit": record.run["digit"],
        "real_class": wanted,
        "data": data.source,
        "split": split,
        "evolved_images": len(record.run["images"]),
        "real_images": len(of_class(data, wanted)),
        "most_telling": most_telling(rows),
        "statistics": in_full(rows),
    }


def write(out: Path, contents: Mapping[str, Mapping[str, Any]]) -> None:
    """plausibility.json and its picture into the folder of each record, and of a sweep into the parent."""
    from fooling.plausibility_chart import chart
    from fooling.record import PLAUSIBILITY, locked, told, write_atomically, write_json

    found: dict[Path, Mapping[str, Any]] = {out / name: content for name, content in contents.items()}
    pictures = {folder: chart([content]) for folder, content in found.items()}
    if "" not in contents:  # the parent's comes last: where it stands, everything does
        found[out], pictures[out] = {"jobs": contents}, chart(list(contents.values()))
    with ExitStack() as stack:
        for folder in found:
            with told(folder):
                folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
        for folder, picture in pictures.items():
            write_atomically(folder / PLAUSIBILITY[1], picture)
        for folder, content in found.items():
            write_json(folder / PLAUSIBILITY[0], content)


def show(found: Mapping[str, Rows], out: Path) -> None:
    """The table on the terminal, and the conclusion."""
    from fooling.commands.output import print_table
    from fooling.detectors import most_telling

    if "" in found:
        print_table(*table_of_one(found[""]))
    else:
        print_table(*table_of_many(found))
    print("AUROC: 0.5 cannot tell evolved from real images, 0 and 1 always can; with its 95 % interval")
    for name, rows in found.items():
        best = most_telling(rows)
        also = f"all together {rows['together'].auroc:.2f}"
        print(f"{name + ': ' if name else ''}{best} gives the images away most: {said(rows[best])}; {also}")
    print(f"→ {out}: plausibility.json, plausibility.png")


def said(row: "Comparison") -> str:
    """An AUROC and that of the distance, in words."""
    return f"AUROC {row.auroc:.2f} of x, {row.auroc_distance:.2f} of the distance from the real median"


def table_of_one(rows: Rows) -> tuple[list[str], list[list[str]]]:
    """A line a statistic."""
    columns = ["x", "evolved", "real", "AUROC of x", "", "of distance", "", "FPR at 95 % TPR"]
    return columns, [
        [
            name,
            f"{row.median_evolved:.3f}",
            f"{row.median_real:.3f}",
            *area(row.auroc, row.auroc_interval),
            *area(row.auroc_distance, row.auroc_distance_interval),
            f"{row.fpr95:.0%}",
        ]
        for name, row in rows.items()
    ]


def area(value: float | None, interval: tuple[float, float] | None) -> list[str]:
    """An AUROC and its interval as cells."""
    return ["", ""] if value is None or interval is None else [f"{value:.2f}", f"{interval[0]:.2f}–{interval[1]:.2f}"]


def table_of_many(found: Mapping[str, Rows]) -> tuple[list[str], list[list[str]]]:
    """A line a statistic: the median over the jobs, lowest and highest."""
    lines = []
    for name, row in next(iter(found.values())).items():
        cells = [name]
        for key in ("auroc", "auroc_distance", "fpr95"):
            values = [getattr(rows[name], key) for rows in found.values()]
            known = getattr(row, key) is not None
            cells += [f"{median(values):.2f}", f"{min(values):.2f}–{max(values):.2f}"] if known else ["", ""]
        lines.append(cells)
    return ["x, medians over the jobs", "AUROC of x", "", "of distance", "", "FPR at 95 % TPR", ""], lines
