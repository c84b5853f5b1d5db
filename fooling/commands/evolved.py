"""The images that succeeded in finished records, by genome and prior: what `fooling detect` compares with real images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.commands.jobs import record_folder
from fooling.commands.plausibility import NOT_NAMED, named_again
from fooling.errors import UserError, counted
from fooling.kernels.tables import Bytes, Ints
from fooling.records.collection import entries_of, genome_in, succeeded
from fooling.records.ownership import CONFIG, job_folders, kind_of, read_status
from fooling.records.record import read_images, read_run, status_of
from fooling.search.inputs import get_classifier
from fooling.settings import load, without_secrets
from fooling.settings.classifiers import AnyClassifierSettings, EnsembleSettings
from fooling.settings.rules import uses_classifier
from fooling.settings.schema import RunSettings
from fooling.settings.searches import GradientSettings

GRADIENT, GENOME_OF_PIXELS = "gradient", "pixels"


@dataclass(frozen=True)
class SavedJob:
    """A finished job of a record."""

    folder: Path
    settings: RunSettings
    run: Mapping[str, Any]

    @property
    def evades(self) -> tuple[str, ...]:
        """The detectors that its search evaded."""
        return tuple(getattr(self.settings.search, "evade", ()))


@dataclass(frozen=True)
class EvolvedGroup:
    """Images of one kind that succeeded, of one or several records."""

    genome: str  # pixels, dct, cppn, …; gradient: of a search that climbs it
    prior: str
    evades: tuple[str, ...]  # the detectors that the search evaded, () for none
    images: Bytes  # [N, H, W, C]
    evaluations: Ints  # [N], that each took
    made: int  # images, those that did not succeed too
    records: tuple[str, ...]

    @property
    def name(self) -> str:
        """It in tables: pixels, eigen, evading energy."""
        return ", evading ".join([self.plain, *([" + ".join(self.evades)] if self.evades else [])])

    @property
    def plain(self) -> str:
        """The same without what it evaded."""
        return f"{self.genome}, {self.prior}"


def find_jobs(names: Sequence[str], example: str) -> tuple[list[SavedJob], list[str]]:
    """The finished jobs of records that attacked a classifier, and a note for each kind of job that is left out.

    Raises UserError for a folder that is no record, one that is named twice, and where no job is left.
    """
    jobs: list[SavedJob] = []
    unfinished, controls = 0, 0
    for place in job_places(names, example):
        if not place.is_dir() or kind_of(place) != "job" or status_of(place) != "done":
            unfinished += 1
            continue
        job = SavedJob(place, load([str(place / CONFIG)], RunSettings), read_run(place))
        if not uses_classifier(job.settings) or getattr(job.settings.search, "unit", None):
            controls += 1
            continue
        jobs.append(job)
    found = {"unfinished": unfinished, "without the classifier (a control, or a dream of a layer)": controls}
    notes = [f"left out: {counted(number, 'job')} {what}" for what, number in found.items() if number]
    if not jobs:
        what = "; ".join(notes) or "there are none"
        raise UserError(
            f"folders: expected records with finished jobs against a classifier, got none ({what}); as in {example}"
        )
    return jobs, notes


def job_places(names: Sequence[str], example: str) -> Iterator[Path]:
    """The folders of the jobs of records. Raises UserError for a folder that is no record, and one that is named twice."""
    if not names:
        raise UserError(f"folders: expected record folders, as in {example}; got none")
    known: dict[Path, str] = {}
    for name in names:
        folder = record_folder(name, example)
        kind = kind_of(folder)
        inside = job_folders(read_status(folder)) if kind in ("sweep", "experiment") else []
        if kind != "job" and not inside:
            raise UserError(f"{folder}: holds no images of a search; expected a record of run, a sweep, an audit or a ladder")
        for place in [folder / job for job in inside] or [folder]:
            if place.resolve() in known:
                both = f"{place} twice (in {known[place.resolve()]} and {name})"
                raise UserError(f"folders: expected different records, got {both}; name each job once")
            known[place.resolve()] = name
            yield place


def classifier_of(jobs: Sequence[SavedJob], named: AnyClassifierSettings) -> tuple[Classifier, AnyClassifierSettings]:
    """The one classifier of all jobs, and its settings. What a record alone names is neither imported nor contacted.

    Raises UserError for jobs of several classifiers, and for weights that have changed since.
    """
    first = jobs[0]
    chosen = first.settings.classifier
    members = named.members if isinstance(named, EnsembleSettings) else ()
    if (named.path or members) and named.name not in (chosen.name, NOT_NAMED):
        raise UserError(f"classifier={named.name}: {first.folder} is of classifier={chosen.name}; name that one again")
    for job in jobs:
        if job.run.get("classifier_fingerprint") != first.run.get("classifier_fingerprint"):
            both = f"{first.folder} is of {chosen.name}, {job.folder} of {job.settings.classifier.name}"
            raise UserError(f"folders: expected images of one classifier, got two ({both}); give the records of one at a time")
    if named.path:
        chosen = named_again(chosen, named)
    elif members:
        chosen = chosen.model_copy(update={"members": members})
    elif chosen.effect:
        path = "classifier.members=[…]" if chosen.name == "ensemble" else f"classifier.path={without_secrets(chosen.path)}"
        again = f"classifier={chosen.name} {path}"
        raise UserError(f"{first.folder}: its classifier {chosen.effect}, which needs your word; give {again} again")
    classifier = get_classifier(first.settings.model_copy(update={"classifier": chosen}))
    if classifier.fingerprint != first.run.get("classifier_fingerprint"):
        raise UserError(f"{first.folder}: was made with another classifier than lies under that name now; restore its file")
    return classifier, chosen


def groups_of(jobs: Sequence[SavedJob], most: int, seed: int) -> list[EvolvedGroup]:
    """The images that succeeded, of each kind at most so many, drawn by the seed. Kinds in the order of their first job."""
    kinds: dict[tuple[str, str, tuple[str, ...]], list[SavedJob]] = {}
    for job in jobs:
        kinds.setdefault((genome_of(job), prior_of(job.settings), job.evades), []).append(job)
    return [group(kind, found, most, np.random.default_rng([seed, i])) for i, (kind, found) in enumerate(kinds.items())]


def group(
    kind: tuple[str, str, tuple[str, ...]], jobs: Sequence[SavedJob], most: int, random: np.random.Generator
) -> EvolvedGroup:
    """The images of jobs of one kind."""
    entries = [(job.folder, entry) for job in jobs for entry in entries_of(job.folder, job.run)]
    good = [(folder, entry) for folder, entry in entries if succeeded(entry)]
    places = np.sort(random.choice(len(good), min(len(good), most), replace=False))
    chosen = [good[i] for i in places]
    images = [read_images(folder, [entry["file"]]) for folder, entry in chosen]
    shape = (0, 1, 1, 1) if not images else (0, *images[0].shape[1:])
    evaluations = np.array([entry["evaluations"] for _, entry in chosen], dtype=np.int64)
    records = tuple(dict.fromkeys(str(job.folder) for job in jobs))
    return EvolvedGroup(*kind, np.concatenate([np.empty(shape, np.uint8), *images]), evaluations, len(entries), records)


def targets_of(jobs: Sequence[SavedJob]) -> list[int] | None:
    """The target classes of all jobs, sorted; None, for all classes, where a job has no target (digit=any)."""
    if any(job.settings.digit == "any" for job in jobs):
        return None
    return sorted({entry["digit"] for job in jobs for entry in entries_of(job.folder, job.run)})


def genome_of(job: SavedJob) -> str:
    """What a job's search varied: the genome in genomes.npz, and without that file the one in its settings."""
    search: Any = job.settings.search
    if isinstance(search, GradientSettings):
        return GRADIENT
    if not hasattr(search, "genome"):
        return GENOME_OF_PIXELS
    return genome_in(job.folder) or str(search.genome)


def prior_of(settings: RunSettings) -> str:
    """The prior in tables; `of another class` where it is not that of the target."""
    other = settings.prior.digit is not None and settings.prior.digit != settings.digit
    return f"{settings.prior.name}{' of another class' if other else ''}"
