"""The finished jobs in the records of any command, and what run.json says of their images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fooling.data.npz import read_arrays
from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes
from fooling.records.ownership import CONFIG, GENOMES, RUN, job_folders, kind_of, read_status
from fooling.records.record import images_in, read_images, read_run, status_of
from fooling.settings.fields import user_path
from fooling.settings.files import Tree, read_yaml

KEYS: dict[str, Callable[[Any], bool]] = {  # what run.json says of each image, and what it must be
    "digit": lambda value: type(value) is int and value >= 0,
    "predicted": lambda value: type(value) is int and value >= 0,
    "evaluations": lambda value: type(value) is int and value >= 0,
    "confidence": lambda value: type(value) in (int, float),
    "converged": lambda value: type(value) is bool,
    "evaluations_to": lambda value: isinstance(value, dict) and all(one is None or type(one) is int for one in value.values()),
}


@dataclass(frozen=True)
class SavedJob:
    """A finished job in its folder."""

    name: str  # the folder as it was typed, and of a record of several jobs the job's
    folder: Path
    run: dict[str, Any]  # its run.json

    @property
    def classifier(self) -> str:
        """What tables call the attacked classifier: its file, or its kind."""
        path = self.run.get("classifier_path")
        return printable(Path(str(path)).name if path else self.run.get("classifier", "?"))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the attacked classifier."""
        return printable(self.run.get("classifier_fingerprint", ""))

    def part(self, group: str) -> Tree:
        """The settings of a group, prior or search."""
        found = self.settings.get(group)
        return found if isinstance(found, dict) else {}

    @property
    def uses_classifier(self) -> bool:
        """Whether the classifier had a weight."""
        weights = self.part("prior").get("weights")
        return not self.run.get("control") and not (isinstance(weights, dict) and weights.get("target") == 0)

    @property
    def prior(self) -> str:
        """The name of the prior; `of another class` where it is not that of the target."""
        other = self.part("prior").get("digit")
        is_other = other is not None and other != self.settings.get("digit")
        return f"{printable(self.run.get('prior', '?'))}{' of another class' if is_other else ''}"

    @property
    def evades(self) -> tuple[str, ...]:
        """The detectors that the search evaded."""
        return tuple(map(printable, self.part("search").get("evade") or ()))

    @property
    def search(self) -> str:
        """The name of the search."""
        return printable(self.run.get("search", "?"))

    @cached_property
    def genome(self) -> str:
        """What the search varied: the genome in genomes.npz, pixels for a search without genomes."""
        return genome_in(self.folder) or printable(self.part("search").get("genome") or "pixels")

    @property
    def members(self) -> list[str]:
        """The fingerprints of an ensemble's members, [] of another classifier. Raises UserError for a damaged run.json."""
        found = self.run.get("classifier_members") or {}
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise self.damaged("the fingerprints of classifier_members", found)
        return list(found.values())

    @property
    def classes(self) -> int:
        """How many classes the attacked classifier has, 0 where run.json does not say. Raises UserError for a damaged one."""
        found = self.run.get("examination") or {}
        number = (found.get("classes") or 0) if isinstance(found, dict) else None
        if type(number) is not int:
            raise self.damaged("a number of classes in examination", found)
        return number

    def damaged(self, expected: str, got: Any) -> UserError:
        """What is wrong with its run.json."""
        return UserError(f"{self.folder / RUN}: a damaged file; expected {expected}, got {printable(repr(got), 40)}")

    @cached_property
    def images(self) -> list[dict[str, Any]]:
        """What run.json says of each image, checked by KEYS. Raises UserError for a damaged one."""
        images_in(self.folder, self.run)  # checks the names
        entries: list[dict[str, Any]] = self.run["images"]
        for entry in entries:
            for key, is_sound in KEYS.items():
                if not is_sound(entry.get(key)):
                    raise self.damaged(f"{key} of each image", entry.get(key))
        return entries

    @cached_property
    def settings(self) -> Tree:
        """The tree in config.yaml."""
        return read_yaml(self.folder / CONFIG)

    def read(self, entries: Sequence[dict[str, Any]]) -> Bytes:
        """Some of its images, uint8 [N, H, W, C], N ≥ 1."""
        return read_images(self.folder, [entry["file"] for entry in entries])


def succeeded(entry: Mapping[str, Any]) -> bool:
    """Whether an image reached its threshold and is read as its target."""
    return bool(entry["converged"]) and entry["predicted"] == entry["digit"]


def genome_in(folder: Path) -> str:
    """The genome that genomes.npz of a record names, '' without that file. Raises UserError for a damaged one."""
    path = folder / GENOMES
    if not path.is_file():
        return ""
    return printable(read_arrays(path).get("genome", "?"))


def saved_jobs(names: Sequence[str], setting: str = "records") -> tuple[list[SavedJob], list[str]]:
    """The jobs in records that aim for a class by the classifier, in order, and a note for each kind that is left out.

    Raises UserError, whose messages name the setting, for a folder that is no record, for an unfinished one, and for a record
    that is given twice.
    """
    jobs: list[SavedJob] = []
    skipped: dict[str, int] = {}
    places: dict[Path, str] = {}
    if not names:
        raise UserError(f"{setting}: expected the folders of records, such as runs/NAME, got none")
    for name in names:
        found, unfinished = jobs_in(name, user_path(name), setting)
        reasons = [(job, reason(job)) for job in found]
        for job, why in reasons:
            if job.folder.resolve() in places:
                both = f"{job.name} twice (as {places[job.folder.resolve()]})"
                raise UserError(f"{setting}: expected different records, got {both}; name each job once")
            places[job.folder.resolve()] = job.name
            if not why:
                jobs.append(job)
        for why in [*(why for _, why in reasons if why), *["unfinished jobs"] * unfinished]:
            skipped[why] = skipped.get(why, 0) + 1
    if not jobs:
        why = f": {', '.join(skipped)}" if skipped else ""
        raise UserError(f"{setting}: expected jobs whose images aim for a class, got none{why}; give a record of `fooling run`")
    return jobs, [f"left out: {why} ({number})" for why, number in skipped.items()]


def jobs_in(name: str, folder: Path, setting: str) -> tuple[list[SavedJob], int]:
    """The finished jobs of a finished record, itself among them, and how many are unfinished."""
    if not folder.is_dir():
        raise UserError(f"{setting}: {name}: no such folder; expected one that a command has written, such as runs/NAME")
    kind = kind_of(folder)
    if kind in ("", "foreign"):
        raise UserError(f"{setting}: {name}: holds no record of fooling; expected a folder that a command has written")
    if status_of(folder) != "done":
        raise UserError(f"{setting}: {name}: is not finished ({status_of(folder)}); let it finish first (resume=true)")
    if kind == "job":
        return [SavedJob(name, folder, read_run(folder))], 0
    inner = job_folders(read_status(folder))
    done = [one for one in inner if is_done(folder / one)]
    if not done:
        raise UserError(
            f"{setting}: {name}: holds no jobs with images; expected a record of fooling run, audit, ladder or matrix"
        )
    return [SavedJob(f"{name}/{one}", folder / one, read_run(folder / one)) for one in done], len(inner) - len(done)


def is_done(folder: Path) -> bool:
    """Whether a folder, no link, holds a finished job."""
    return not folder.is_symlink() and folder.is_dir() and kind_of(folder) == "job" and status_of(folder) == "done"


def reason(job: SavedJob) -> str:
    """Why the images of a job do not count; '' where they do."""
    if not job.uses_classifier:
        return "controls, which no classifier took part in"
    if job.run.get("unit"):
        return "dreams of a layer, which have no class"
    if not job.fingerprint or type(job.run.get("seed")) is not int:
        raise UserError(f"{job.folder / RUN}: a damaged file; expected a seed and the fingerprint of a classifier")
    return ""
