"""What records measured, as figures that can be compared: each with its interval, and which direction is better."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fooling.errors import UserError, first_line, printable
from fooling.records.files import read_json
from fooling.records.ownership import CONFIG, RUN, SWEEP, job_folders, kind_of, read_status
from fooling.records.record import read_run
from fooling.records.resume import FREE, LATER
from fooling.report import DAMAGES
from fooling.settings import is_place
from fooling.settings.fields import user_path
from fooling.settings.files import flat, read_yaml
from fooling.settings.gate import EVALUATIONS, SHARE, Better
from fooling.settings.names import without_former
from fooling.settings.overrides import collect
from fooling.settings.schema import RunSettings
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.survival import FEWEST, survival_curve

DONE = "done"
UNITS = 40  # letters of a unit
MOST_JOBS = 20  # of a sweep whose classes have figures each
Figures = dict[str, dict[str, Any]]
Content = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """A finished record."""

    name: str  # its folder as it was typed
    folder: Path
    kind: str  # the command that made it
    figures: Figures
    settings: Mapping[str, Any]  # by their full names, without those on which no result depends
    protocol: Mapping[str, Any]  # of an audit: how it was measured, whatever the settings chose
    classifier: str
    fingerprint: str
    preprocessing: str  # of an external model, as the examination has it; '' of others
    version: str
    left_out: tuple[Mapping[str, Any], ...] = ()


# --- figures ----------------------------------------------------------------------------------------------------------
def share(proportion: Content, text: str, better: Better = "lower") -> dict[str, Any]:
    """A proportion as a figure."""
    found = {"value": proportion["share"], "low": proportion["low"], "high": proportion["high"]}
    return {**found, "better": better, "unit": SHARE, "text": text}


def q_interval(q: Content, level: str) -> tuple[float | None, float | None]:
    """The 95 % interval of Q to a level, "99" or "9999": None for fewer classes than a median has one for.

    It begins at the budget where it lies above all that was tried; without an upper end, that lies above it.
    """
    if len(q["classes"]) < FEWEST:
        return None, None
    low, high = q[f"interval{level}"]
    return q["budget"] if low is None else low, high


def audit_figures(_folder: Path, content: Content) -> Figures:
    """The figures of audit.json, which has them as they are."""
    return dict(content["figures"])


def checked(name: str, figure: Content) -> dict[str, Any]:
    """A figure whose numbers are numbers. Raises ValueError, and others of DAMAGES, for another."""
    keys = ("value", "low", "high", *(("above",) if "above" in figure else ()))
    found: dict[str, Any] = {key: figure[key] for key in keys}
    wrong = [value for value in found.values() if isinstance(value, bool) or not isinstance(value, int | float | None)]
    if wrong or figure["better"] not in ("higher", "lower"):
        raise ValueError(f"the figure {name}: expected numbers and better=higher or lower, got {figure}")
    for value in found.values():
        float(value or 0)  # an OverflowError for a whole number that is too large
    return {**found, "better": figure["better"], "unit": str(figure["unit"])[:UNITS], "text": printable(figure["text"])}


def ladder_figures(_folder: Path, content: Content) -> Figures:
    """Of each prior and condition: images that converged, and those that held-out classifiers read as the prior's class."""
    found: Figures = {}
    for row in content["rows"]:
        name, words = f"{row['rung']}_{row['arm']}", f"prior={row['rung']}, {content['arms'][row['arm']]}"
        found[f"converged_{name}"] = share(row["converged"], f"images that converged, {words}")
        if row["read"]:
            found[f"read_{name}"] = share(row["read"], f"images that others read as the prior's class, {words}", "higher")
    return found


def matrix_figures(_folder: Path, content: Content) -> Figures:
    """Images, and pairs of classes, that are one class to held-out classifiers and another to the classifier."""
    found = {
        "mismatch": share(content["images_fooled"], "images that are one class to others and another to the classifier"),
        "mismatch_pairs": share(content["pairs_fooled"], "pairs of classes with such an image"),
    }
    also = content["images_transferred"]
    return found if also is None else {**found, "transferred": share(also, "of these, images that fool others of its kind too")}


def transfer_figures(_folder: Path, content: Content) -> Figures:
    """Of each source: images that succeed, and of these the ones that some other classifier believes, too."""
    found: Figures = {}
    for row in content["rows"]:
        name = f"{row['source']} ({row['kind']})"
        found[f"succeeded {name}"] = share(row["succeeded"], f"images against {name} that succeed")
        if row["transferred"]:
            found[f"transferred {name}"] = share(row["transferred"], f"of these, images that others believe, too: {name}")
    return found


def harden_figures(_folder: Path, content: Content) -> Figures:
    """Of the last round: accuracy, attacks without a prior that succeed, and images of each attack that are believed."""
    last = content["rounds"][-1]
    found = {"accuracy": share(last["accuracy"], "accuracy on real images", "higher")}
    found["reached9999"] = share(last["q"]["reached9999"], "attacks that reach a confidence of .9999")
    for row in last["attacks"]:
        found[f"believed_{row['name']}"] = share(row["believed"], f"images of the attack {row['name']} that are believed")
    return found


def run_figures(_folder: Path, content: Content) -> Figures:
    """Images that converged or are read as the target by held-out classifiers; evaluations to each confidence."""
    if content.get("unit"):
        raise UserError("a dream of a layer has no target, hence no figures to compare")
    return image_figures(content["images"])


def sweep_figures(folder: Path, content: Content) -> Figures:
    """The same over all jobs, and for each job, if there are few, the evaluations to the last confidence."""
    runs = {name: read_run(folder / name) for name in job_folders(dict(content))}
    found = image_figures([image for run in runs.values() for image in run["images"]])
    if 1 < len(runs) <= MOST_JOBS:
        for name, run in runs.items():
            level = list(run["images"][0]["evaluations_to"])[-1]
            found[f"evaluations_to_{level} {name}"] = evaluations(run["images"], level, f"{name}: ")
    return found


def image_figures(images: list[Content]) -> Figures:
    """The figures of images in run.json."""
    number = len(images)
    found = {
        "converged": share(proportion_with_ci(sum(image["converged"] for image in images), number), "images that converged")
    }
    for name in images[0].get("judges") or {}:
        read = sum(image["judges"][name]["predicted"] == image["digit"] for image in images)
        found[f"read_by_{name}"] = share(proportion_with_ci(read, number), f"images that {name} reads as the target", "higher")
    for level in images[0]["evaluations_to"]:
        found[f"evaluations_to_{level}"] = evaluations(images, level)
    return found


def evaluations(images: Sequence[Content], level: str, of: str = "") -> dict[str, Any]:
    """The median of the evaluations until the confidence is first so high."""
    reached = [image["evaluations_to"][level] for image in images]
    ends = [image["evaluations"] if at is None else at for image, at in zip(images, reached, strict=True)]
    found = survival_curve(ends, [at is not None for at in reached]).median.within(max(map(float, ends)))
    return {**found, "better": "higher", "unit": EVALUATIONS, "text": f"{of}evaluations to a confidence of {level}, median"}


KINDS: dict[str, tuple[str, Callable[[Path, Content], Figures]]] = {  # by the file that holds what was found
    "audit.json": ("fooling audit", audit_figures),
    "ladder.json": ("fooling ladder", ladder_figures),
    "matrix.json": ("fooling matrix", matrix_figures),
    "transfer.json": ("fooling transfer", transfer_figures),
    "harden.json": ("fooling harden", harden_figures),
    SWEEP: ("fooling run", sweep_figures),
    RUN: ("fooling run", run_figures),
}


# --- records ----------------------------------------------------------------------------------------------------------
def read_measured(name: str) -> Measured:
    """A record and its figures. Raises UserError for a folder that holds none, an unfinished and a damaged record."""
    folder = user_path(name)
    about = finished(name, folder)
    file = next((file for file in KINDS if (folder / file).exists()), "")
    if not file:
        made_by = str(about.get("command", "another command"))
        known = ", ".join(dict.fromkeys(kind for kind, _ in KINDS.values()))
        raise UserError(f"{name}: a record of {made_by} has no figures to compare; expected one of {known}")
    kind, figures = KINDS[file]
    content = read_json(folder / file)
    try:
        found = {name: checked(name, figure) for name, figure in figures(folder, content).items()}
        if not found:
            raise UserError("has no figures to compare; make the record anew")
        return describe(name, folder, kind, content, about, found)
    except UserError as error:
        raise UserError(f"{name}: {error}" if name not in str(error) else str(error)) from error
    except DAMAGES as error:
        what = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{folder / file}: a damaged file, or one of another version ({what}); make the record anew") from error


def finished(name: str, folder: Path) -> dict[str, Any]:
    """The status file of a finished record."""
    if not folder.is_dir():
        raise UserError(f"{name}: no such folder; expected one that a command has written, such as runs/NAME")
    if kind_of(folder) in ("", "foreign"):
        raise UserError(f"{name}: holds no record of fooling; expected a folder that a command has written")
    about = read_status(folder)
    if about.get("status") != DONE:
        status = about.get("status", "running")
        raise UserError(f"{name}: holds an unfinished record ({status}); let it finish first (resume=true)")
    return about


def describe(name: str, folder: Path, kind: str, content: Content, about: Content, figures: Figures) -> Measured:
    """A record with what was measured, and how."""
    settings = settings_of(folder, kind)
    first = about if "classifier_fingerprint" in about else first_job(folder, about)
    model = content.get("model") or {}
    return Measured(
        name,
        folder,
        kind,
        figures,
        {key: value for key, value in settings.items() if key not in FREE and LATER.get(key, key) != value},
        dict(content.get("protocol") or {}),
        printable(model.get("name") or first.get("classifier") or settings.get("classifier.name") or "?"),
        printable(model.get("fingerprint") or first.get("classifier_fingerprint") or ""),
        preprocessing_of(first if "examination" in first else first_job(folder, about)),
        printable(about.get("versions", first.get("versions", {})).get("fooling", "?")),
        tuple(entry for entry in content.get("left_out") or () if isinstance(entry, dict)),
    )


def preprocessing_of(run: Content) -> str:
    """The preprocessing that a job has examined, '' where it says nothing."""
    about = run.get("examination")
    return printable(about.get("shown") or "") if isinstance(about, dict) else ""


def settings_of(folder: Path, kind: str) -> dict[str, Any]:
    """The settings of a record; of `fooling run` with today's defaults of those that came after it."""
    own = dict(flat(without_former(read_yaml(folder / CONFIG), RunSettings)))
    if kind != "fooling run":
        return own
    with suppress(UserError):  # by a setting that is no longer there
        later = flat(collect([str(folder / CONFIG)], RunSettings, "run"))
        own = {name: value for name, value in later if not is_place(name)} | own
    return own


def first_job(folder: Path, about: Content) -> Content:
    """run.json of the first job of a record, {} if it has none."""
    names = job_folders(dict(about))
    return read_run(folder / names[0]) if names else {}
