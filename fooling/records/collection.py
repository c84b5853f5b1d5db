"""The finished jobs in the records of any command, and what run.json says of their images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes
from fooling.records.ownership import CONFIG, RUN, job_folders, kind_of, read_status
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

    @property
    def prior(self) -> str:
        """The name of the prior."""
        return printable(self.run.get("prior", "?"))

    @cached_property
    def images(self) -> list[dict[str, Any]]:
        """What run.json says of each image. Raises UserError for a damaged one."""
        images_in(self.folder, self.run)  # checks the names
        entries: list[dict[str, Any]] = self.run["images"]
        for entry in entries:
            for key, is_sound in KEYS.items():
                if not is_sound(entry.get(key)):
                    got = printable(repr(entry.get(key)), 40)
                    raise UserError(f"{self.folder / RUN}: a damaged file; expected {key} of each image, got {got}")
        return entries

    @cached_property
    def settings(self) -> Tree:
        """The tree in config.yaml."""
        return read_yaml(self.folder / CONFIG)

    def read(self, entries: Sequence[dict[str, Any]]) -> Bytes:
        """Some of its images, uint8 [N, H, W, C], N ≥ 1."""
        return read_images(self.folder, [entry["file"] for entry in entries])


def saved_jobs(names: Sequence[str]) -> tuple[list[SavedJob], list[str]]:
    """The jobs in records that aim for a class by the classifier, in order, and a note for each kind that is left out.

    Raises UserError for a folder that is no record, for an unfinished one, and for a record that is given twice.
    """
    jobs: list[SavedJob] = []
    skipped: dict[str, int] = {}
    places: dict[Path, str] = {}
    for name in names:
        folder = user_path(name)
        if folder.resolve() in places:
            raise UserError(f"records: expected different records, got {name} twice (as {places[folder.resolve()]})")
        places[folder.resolve()] = name
        found = jobs_in(name, folder)
        for job in found:
            why = reason(job)
            if why:
                skipped[why] = skipped.get(why, 0) + 1
            else:
                jobs.append(job)
    if not jobs:
        why = f": {', '.join(skipped)}" if skipped else ""
        raise UserError(f"records: expected jobs whose images aim for a class, got none{why}; give a record of `fooling run`")
    return jobs, [f"left out: {why} ({number})" for why, number in skipped.items()]


def jobs_in(name: str, folder: Path) -> list[SavedJob]:
    """The finished jobs of a record, itself among them."""
    if not folder.is_dir():
        raise UserError(f"records: {name}: no such folder; expected one that a command has written, such as runs/NAME")
    kind = kind_of(folder)
    if kind in ("", "foreign"):
        raise UserError(f"records: {name}: holds no record of fooling; expected a folder that a command has written")
    if status_of(folder) != "done":
        raise UserError(f"records: {name}: is not finished ({status_of(folder)}); let it finish first (resume=true)")
    if kind == "job":
        return [SavedJob(name, folder, read_run(folder))]
    inner = [one for one in job_folders(read_status(folder)) if not (folder / one).is_symlink() and (folder / one).is_dir()]
    done = [one for one in inner if kind_of(folder / one) == "job" and status_of(folder / one) == "done"]
    if not done:
        raise UserError(
            f"records: {name}: holds no jobs with images; expected a record of fooling run, audit, ladder or matrix"
        )
    return [SavedJob(f"{name}/{one}", folder / one, read_run(folder / one)) for one in done]


def reason(job: SavedJob) -> str:
    """Why the images of a job do not count; '' where they do."""
    if job.run.get("control"):
        return "controls, which no classifier took part in"
    if job.run.get("unit"):
        return "dreams of a layer, which have no class"
    if not job.fingerprint or type(job.run.get("seed")) is not int:
        raise UserError(f"{job.folder / RUN}: a damaged file; expected a seed and the fingerprint of a classifier")
    return ""
