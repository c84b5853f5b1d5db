"""`fooling plausibility`: how well simple detectors separate the images of finished records from real ones."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fooling.classifiers.base import Classifier
from fooling.classifiers.detection import DetectorResult, most_separating, of_class, plausibility, to_dict
from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import record_folder, say_notes
from fooling.data import ImageSet, load_data
from fooling.errors import UserError
from fooling.plots.evaluation import plausibility_chart
from fooling.records.files import existing, has_keys, is_png, locked, os_errors, refuse_link, write_atomically, write_json
from fooling.records.ownership import CONFIG, SWEEP, declare_files, job_folders, kind_of, read_status
from fooling.records.record import images_in, read_images, read_run, status_of
from fooling.search.inputs import get_classifier, get_statistics
from fooling.search.job import prior_class
from fooling.settings import load, without_secrets
from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.commands import PlausibilitySettings
from fooling.settings.fields import user_path
from fooling.settings.schema import DataSettings, RunSettings, data_options
from fooling.statistics import Statistics

OF_SERVER = ("timeout", "retries", "auth_env")  # no score depends on them
NOT_NAMED = "mnist_mlp"  # the kind in configs/plausibility.yaml: the command line names none
NUMBERS, PICTURE = "plausibility.json", "plausibility.png"
Results = Mapping[str, DetectorResult]


@dataclass(frozen=True)
class SavedRun:
    """A finished record, and what its images were scored by."""

    name: str  # of its folder in a sweep, '' for a single one
    folder: Path
    settings: RunSettings
    run: Mapping[str, Any]
    classifier: Classifier | None  # None: the record names code or a server, and the command line does not
    statistics: Statistics

    @property
    def notes(self) -> list[str]:
        """What is left out, and how to include it."""
        if self.classifier:
            return []
        chosen = self.settings.classifier
        if chosen.name == "ensemble":
            return [f"the scores of the record's classifier are left out, as one of its members {chosen.effect}"]
        path = without_secrets(chosen.path)
        what = f"the scores of the record's classifier are left out, as it {chosen.effect} ({chosen.name}: {path})"
        return [f"{what}; classifier={chosen.name} classifier.path={path} includes them"]


def find_records(folder: Path) -> dict[str, Path]:
    """The record folders by their names: the folder itself, or those of a sweep. What is no finished job is refused."""
    kind = kind_of(folder)
    if kind not in ("job", "sweep"):
        raise UserError(f"{folder}: holds no record of fooling; expected a folder that `fooling run` has written")
    names = sweep_folders(folder) if kind == "sweep" else [""]
    places = {name: folder / name for name in names}
    for place in (folder, *places.values()):
        status = status_of(place) if kind_of(place) else "missing"
        if status != "done":
            raise UserError(f"{place}: holds no finished job ({status}); let it finish first (resume=true)")
    return places


def sweep_folders(parent: Path) -> list[str]:
    """The folders of a sweep's jobs, as its sweep.json names them."""
    about = read_status(parent)
    names = job_folders(about)
    if not names or len(names) < len(about["jobs"]):
        raise UserError(f"{parent / SWEEP}: a damaged file; expected the folders of its jobs, as `fooling run` writes them")
    return names


def read_records(places: Mapping[str, Path], named: AnyClassifierSettings, data: DataSettings) -> list[SavedRun]:
    """The records with their classifiers and statistics, each of which is loaded once.

    `named`, `data`: the classifier and the data on the command line. What a record alone names is neither imported nor
    contacted. A run that used no statistics has those of the data.
    """
    records: list[SavedRun] = []
    loaded: dict[str, Any] = {}
    for name, folder in places.items():
        settings, run = load([str(folder / CONFIG)], RunSettings), read_run(folder)
        if (settings.prior.statistics or "").startswith("object "):
            raise UserError(f"{folder}: was made with a Python object, which no file holds; call fooling.plausibility instead")
        if named.path and named.name not in (settings.classifier.name, NOT_NAMED):
            kind = settings.classifier.name
            raise UserError(f"classifier={named.name}: {folder} is of classifier={kind}; name it again: classifier={kind}")
        if named.path:
            settings = settings.model_copy(update={"classifier": named_again(settings.classifier, named)})
        if run.get("statistics_fingerprint") is None and data.given:
            settings = settings.model_copy(update={"data": data})
        what = repr((settings.classifier, settings.data))
        if settings.classifier.effect and not named.path:
            loaded[what] = None
        elif what not in loaded:
            loaded[what] = get_classifier(settings)
        whose = repr((what, settings.prior.statistics))
        if whose not in loaded:
            loaded[whose] = get_statistics(settings, loaded[what])
        images_in(folder, run)
        records.append(SavedRun(name, folder, settings, run, loaded[what], loaded[whose]))
        refuse_others(records[-1])
    return records


def named_again(recorded: Any, named: Any) -> Any:
    """The classifier of a record, with what the command line names: the path, and of a server how it is called.

    No record decides which environment variable is sent: it may be somebody else's, who chose a variable of ours.
    """
    of_server = OF_SERVER if named.name == recorded.name else ()
    again = {"auth_env": None} if hasattr(recorded, "auth_env") else {}
    return recorded.model_copy(update={**again, **named.model_dump(include={"path", *of_server})})


def refuse_others(record: SavedRun) -> None:
    """Refuses weights or statistics that have changed since; statistics of data are fitted anew, and may be rounded anew."""
    fitted = record.settings.data.given or record.run.get("statistics_fingerprint") is None  # None: the run used none
    found = {"classifier": record.classifier.fingerprint} if record.classifier else {}
    if not fitted:
        found["statistics"] = record.statistics.fingerprint
    for name, fingerprint in found.items():
        if record.run.get(f"{name}_fingerprint") != fingerprint:
            raise UserError(f"{record.folder}: was made with another {name} than lies under that name now; restore its file")


def work(settings: PlausibilitySettings) -> None:
    """Compares the images of a record, or of each job of a sweep, with real ones."""
    folder = record_folder(settings.folder, "fooling plausibility runs/NAME data.path=PATH")
    places = find_records(folder)
    out = user_path(settings.out) if settings.out else folder
    refuse_existing([out / name for name in places], out, settings.overwrite)
    records = read_records(places, settings.classifier, settings.data)
    data = real_images(settings, records[0])
    found = {record.name: compare_record(record, data) for record in records}
    write(out, {record.name: compared(record, found[record.name], data, settings.split) for record in records})
    if not settings.quiet:
        for note in dict.fromkeys(note for record in records for note in record.notes):
            print(note)
        show(found, out)


def refuse_existing(places: Sequence[Path], out: Path, overwrite: bool) -> None:
    """Refuses to replace what is there already, and links to other folders, before the work begins."""
    for place in places:
        if place != out:
            refuse_link(place)
    there = [place / name for place in dict.fromkeys([out, *places]) for name in (NUMBERS, PICTURE) if (place / name).exists()]
    if there and not overwrite:
        ours = [is_png(path) if path.suffix == ".png" else is_comparison(path) for path in there]
        raise UserError(f"{there[ours.index(min(ours))]}: {existing(all(ours), 'folder with out=')}")


def is_comparison(path: Path) -> bool:
    """Whether a file is one that the command writes: of a record or of a sweep."""
    return has_keys(path, ("most_telling", "statistics")) or has_keys(path, ("jobs",))


def real_images(settings: PlausibilitySettings, record: SavedRun) -> ImageSet:
    """The real images: of the data that are named, else of those that the record's statistics were fitted to."""
    given = settings.data if settings.data.given else record.settings.data
    if given.resize is None:  # as the images were resized that the record is compared with
        rule = record.statistics.resize or record.settings.data.resize
        given = given.model_copy(update={"resize": rule or None})
    options = data_options(record.settings.model_copy(update={"data": given}))
    if not given.given:
        raise UserError("data.path is not set: expected the data set of the real images (fooling data get mnist mnist)")
    shape = tuple(int(side) for side in record.statistics.shape)
    labels = record.classifier.labels if record.classifier else record.statistics.labels.tolist()
    data = load_data(given.path, given.kind, settings.split, **options, shape=shape, labels=labels)
    say_notes(settings.quiet, data)
    return data


def class_of_data(record: SavedRun) -> int:
    """The class of the real images. Raises UserError where only the classifier, which is left out, knows which it is."""
    k, labels = prior_class(record.settings), [str(label) for label in record.statistics.labels]
    target = record.run.get("label") if record.settings.prior.digit is None else None
    if record.classifier is None and not (k < len(labels) and labels[k] in (str(k), target)):
        raise UserError(
            f"{record.folder}: only its classifier says which class of the data its class {k} is; name it again: "
            f"classifier={record.settings.classifier.name} classifier.path=…"
        )
    return k


def compare_record(record: SavedRun, data: ImageSet) -> Results:
    """The images of a record against the real ones of the class that its prior is of."""
    real_class = class_of_data(record)
    evolved = read_images(record.folder, images_in(record.folder, record.run))
    try:
        return plausibility(evolved, of_class(data, real_class), record.statistics, real_class, record.classifier)
    except UserError as error:
        raise UserError(f"{record.folder}: {error}") from error


def compared(record: SavedRun, rows: Results, data: ImageSet, split: str) -> dict[str, Any]:
    """What plausibility.json says of a record."""
    real_class = class_of_data(record)
    return {
        "digit": record.run["digit"],
        "label": record.run.get("label"),
        "real_class": real_class,
        "data": data.source,
        "split": split,
        "evolved_images": len(record.run["images"]),
        "real_images": len(of_class(data, real_class)),
        "most_telling": most_separating(rows),
        "notes": record.notes,
        "statistics": to_dict(rows),
    }


def write(out: Path, contents: Mapping[str, Mapping[str, Any]]) -> None:
    """plausibility.json and its picture into the folder of each record, and of a sweep into the parent."""
    found: dict[Path, Mapping[str, Any]] = {out / name: content for name, content in contents.items()}
    pictures = {folder: plausibility_chart([content]) for folder, content in found.items()}
    if "" not in contents:  # the parent's comes last: where it stands, everything does
        found[out], pictures[out] = {"jobs": contents}, plausibility_chart(list(contents.values()))
    with ExitStack() as stack:
        for folder in found:
            with os_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
        for folder, picture in pictures.items():
            write_atomically(folder / PICTURE, picture)
        for folder, content in found.items():
            write_json(folder / NUMBERS, content)
            declare_files(folder, (NUMBERS, PICTURE))


def show(found: Mapping[str, Results], out: Path) -> None:
    """The table on the terminal, and the conclusion."""
    if "" in found:
        print_table(*job_table(found[""]))
    else:
        print_table(*sweep_table(found))
    print("AUROC: 0.5 cannot tell evolved from real images, 0 and 1 always can; with its 95 % interval")
    for name, rows in found.items():
        best = most_separating(rows)
        also = f"all together {rows['together'].auroc:.2f}"
        print(f"{name + ': ' if name else ''}{best} separates evolved from real images best: {aurocs(rows[best])}; {also}")
    print(f"→ {out}: plausibility.json, plausibility.png")


def aurocs(row: DetectorResult) -> str:
    """The AUROC of a feature and that of its distance."""
    return f"AUROC {row.auroc:.2f} of x, {row.auroc_distance:.2f} of the distance from the real median"


def job_table(rows: Results) -> tuple[list[str], list[list[str]]]:
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


def sweep_table(found: Mapping[str, Results]) -> tuple[list[str], list[list[str]]]:
    """A line a statistic: the median over the jobs, lowest and highest."""
    lines = []
    for name, row in next(iter(found.values())).items():
        cells = [name]
        for key in ("auroc", "auroc_distance", "fpr95"):
            values = [getattr(rows[name], key) for rows in found.values() if name in rows]
            known = getattr(row, key) is not None
            cells += [f"{median(values):.2f}", f"{min(values):.2f}–{max(values):.2f}"] if known else ["", ""]
        lines.append(cells)
    return ["x, medians over the jobs", "AUROC of x", "", "of distance", "", "FPR at 95 % TPR", ""], lines


COMMAND = Tool(work)
