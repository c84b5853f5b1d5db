"""The images that succeeded in finished records, by genome and prior: what `fooling detect` compares with real images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.commands.plausibility import NOT_NAMED, named_again
from fooling.errors import UserError
from fooling.kernels.tables import Bytes, Ints
from fooling.records.collection import SavedJob, succeeded
from fooling.records.ownership import CONFIG
from fooling.search.inputs import get_classifier
from fooling.settings import load, without_secrets
from fooling.settings.classifiers import AnyClassifierSettings, EnsembleSettings
from fooling.settings.names import models, tags
from fooling.settings.schema import RunSettings
from fooling.settings.searches import GradientSettings

GRADIENT = "gradient"
GRADIENTS = {
    name
    for one in models(RunSettings.model_fields["search"].annotation)
    if issubclass(one, GradientSettings)
    for name in tags(one)
}


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


def classifier_of(jobs: Sequence[SavedJob], named: AnyClassifierSettings) -> tuple[Classifier, AnyClassifierSettings]:
    """The one classifier of all jobs, and its settings. What a record alone names is neither imported nor contacted.

    Raises UserError for jobs of several classifiers, and for weights that have changed since.
    """
    first = jobs[0]
    settings = load([str(first.folder / CONFIG)], RunSettings)
    chosen = settings.classifier
    members = named.members if isinstance(named, EnsembleSettings) else ()
    if (named.path or members) and named.name not in (chosen.name, NOT_NAMED):
        raise UserError(f"classifier={named.name}: {first.folder} is of classifier={chosen.name}; name that one again")
    for job in jobs:
        if job.run.get("classifier_fingerprint") != first.run.get("classifier_fingerprint"):
            both = f"{first.folder} is of {first.classifier}, {job.folder} of {job.classifier}"
            raise UserError(f"folders: expected images of one classifier, got two ({both}); give the records of one at a time")
    if named.path:
        chosen = named_again(chosen, named)
    elif members:
        chosen = chosen.model_copy(update={"members": members})
    elif chosen.effect:
        path = "classifier.members=[…]" if chosen.name == "ensemble" else f"classifier.path={without_secrets(chosen.path)}"
        again = f"classifier={chosen.name} {path}"
        raise UserError(f"{first.folder}: its classifier {chosen.effect}, which needs your word; give {again} again")
    classifier = get_classifier(settings.model_copy(update={"classifier": chosen}))
    if classifier.fingerprint != first.run.get("classifier_fingerprint"):
        raise UserError(f"{first.folder}: was made with another classifier than lies under that name now; restore its file")
    return classifier, chosen


def groups_of(jobs: Sequence[SavedJob], most: int, seed: int) -> list[EvolvedGroup]:
    """The images that succeeded, of each kind at most so many, drawn by the seed. Kinds in the order of their first job."""
    kinds: dict[tuple[str, str, tuple[str, ...]], list[SavedJob]] = {}
    for job in jobs:
        kinds.setdefault((genome_of(job), job.prior, job.evades), []).append(job)
    return [group(kind, found, most, np.random.default_rng([seed, i])) for i, (kind, found) in enumerate(kinds.items())]


def group(
    kind: tuple[str, str, tuple[str, ...]], jobs: Sequence[SavedJob], most: int, random: np.random.Generator
) -> EvolvedGroup:
    """The images of jobs of one kind."""
    entries = [(job, entry) for job in jobs for entry in job.images]
    good = [(job, entry) for job, entry in entries if succeeded(entry)]
    places = np.sort(random.choice(len(good), min(len(good), most), replace=False))
    chosen = [good[i] for i in places]
    images = [job.read([entry]) for job, entry in chosen]
    shape = (0, 1, 1, 1) if not images else (0, *images[0].shape[1:])
    evaluations = np.array([entry["evaluations"] for _, entry in chosen], dtype=np.int64)
    records = tuple(dict.fromkeys(str(job.folder) for job in jobs))
    return EvolvedGroup(*kind, np.concatenate([np.empty(shape, np.uint8), *images]), evaluations, len(entries), records)


def targets_of(jobs: Sequence[SavedJob]) -> list[int] | None:
    """The target classes of all jobs, sorted; None, for all classes, where a job has no target (digit=any)."""
    if any(job.settings.get("digit") == "any" for job in jobs):
        return None
    return sorted({entry["digit"] for job in jobs for entry in job.images})


def genome_of(job: SavedJob) -> str:
    """What a job's search varied, GRADIENT for one that climbs it."""
    return GRADIENT if job.search in GRADIENTS else job.genome
