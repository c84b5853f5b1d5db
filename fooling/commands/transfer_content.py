"""What `fooling transfer` measures: shares of successful images that each classifier believes, and what ensembles buy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier, fingerprints, member_fingerprints, predict
from fooling.classifiers.entries import Entry
from fooling.commands.progress import ProgressCallback
from fooling.kernels.tables import Bytes, Flags
from fooling.records.collection import SavedJob, succeeded
from fooling.search.job import Job
from fooling.search.result import Result
from fooling.search.state import MILESTONES
from fooling.settings import without_secrets
from fooling.statistics.intervals import proportion_with_ci
from fooling.statistics.survival import survival_curve

LEVELS = {"99": 0.99, "9999": 0.9999}  # names in transfer.json, confidences
USUAL = "ga"  # the search that tables need not name
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Listed:
    """A classifier that scores the images of all sources."""

    name: str
    entry: Entry
    classifier: Classifier


@dataclass(frozen=True)
class Attack:
    """The images of attacks on one classifier under one prior, by one search."""

    source: str  # its name among the listed, or as the record calls it
    fingerprint: str
    kin: frozenset[str]  # that fingerprint and, of an ensemble, its members'
    prior: str
    search: str
    evades: tuple[str, ...]  # the detectors that the search evaded
    images: Bytes  # [N, H, W, C]
    classes: Whole  # [N], the targets
    succeeded: Flags  # [N], by the record's own threshold
    evaluations: Whole  # [N]
    reached: dict[str, Whole]  # [N] each of LEVELS: evaluations to it, −1 where never reached
    folders: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What images are counted together by."""
        return self.fingerprint, self.kind

    @property
    def kind(self) -> str:
        """How the images were made, in tables: the prior, the search where it is not the usual one, detectors it evaded."""
        evading = [f"evading {' + '.join(self.evades)}"] if self.evades else []
        return ", ".join([self.prior, *([self.search] if self.search != USUAL else []), *evading])


def from_result(job: Job, result: Result, source: str, folder: str) -> Attack:
    """The images of a job that has run."""
    reached = {name: result.evaluations_to[:, MILESTONES.index(level)] for name, level in LEVELS.items()}
    attacked = job.objective.classifier
    return Attack(
        source,
        attacked.fingerprint,
        frozenset(fingerprints(attacked)),
        job.settings.prior.name,
        job.settings.search.name,
        tuple(getattr(job.settings.search, "evade", ())),
        result.images,
        result.classes,
        result.converged & (result.predicted == result.classes),
        result.evaluations,
        reached,
        (folder,),
    )


def from_saved(job: SavedJob, listed: Sequence[Listed]) -> Attack:
    """The images of a record. Its classifier has the name of the listed one with the same fingerprint."""
    names = [one.name for one in listed if one.classifier.fingerprint == job.fingerprint]
    entries = job.images

    def column(key: str) -> Whole:
        return np.array([entry[key] for entry in entries], dtype=np.int64)

    def level(number: float) -> Whole:
        at = [(entry.get("evaluations_to") or {}).get(f"{number:g}") for entry in entries]
        return np.array([-1 if one is None else one for one in at], dtype=np.int64)

    reached = {name: level(number) for name, number in LEVELS.items()}
    source = names[0] if names else f"{job.classifier} {job.fingerprint[:8]}"
    return Attack(
        source,
        job.fingerprint,
        frozenset([job.fingerprint, *job.members]),
        job.prior,
        job.search,
        job.evades,
        job.read(entries),
        column("digit"),
        np.array([succeeded(entry) for entry in entries]),
        column("evaluations"),
        reached,
        (job.name,),
    )


def attacks_by(attacks: Sequence[Attack]) -> list[Attack]:
    """Attacks on the same classifier under the same prior by the same search as one, in the order of the first."""
    groups: dict[tuple[str, str], list[Attack]] = {}
    for attack in attacks:
        groups.setdefault(attack.key, []).append(attack)
    return [together(group) for group in groups.values()]


def together(group: Sequence[Attack]) -> Attack:
    """Several attacks as one."""
    first = group[0]
    return Attack(
        first.source,
        first.fingerprint,
        first.kin,
        first.prior,
        first.search,
        first.evades,
        np.concatenate([one.images for one in group]),
        np.concatenate([one.classes for one in group]),
        np.concatenate([one.succeeded for one in group]),
        np.concatenate([one.evaluations for one in group]),
        {name: np.concatenate([one.reached[name] for one in group]) for name in LEVELS},
        tuple(folder for one in group for folder in one.folders),
    )


# --- transfer.json ------------------------------------------------------------------------------------------------------
def content(listed: Sequence[Listed], attacks: Sequence[Attack], threshold: float, watch: ProgressCallback) -> dict[str, Any]:
    """All of transfer.json besides the notes."""
    rows = []
    for number, attack in enumerate(attacks):
        watch("showing the images to every classifier", number, len(attacks))
        rows.append(row_of(attack, listed, threshold))
    return {
        "classifiers": [describe(one) for one in listed],
        "labels": list(map(str, listed[0].classifier.labels)),
        "threshold": threshold,
        "transferred": pooled([row["transferred"] for row in rows]),
        "rows": rows,
        "ensembles": [found for one in listed if (found := bought(one, listed, rows))],
    }


def describe(one: Listed) -> dict[str, Any]:
    """A classifier in transfer.json."""
    settings = one.entry if isinstance(one.entry, dict) else {"path": one.entry}
    return {
        "name": one.name,
        "path": without_secrets(settings.get("path")),
        "fingerprint": one.classifier.fingerprint,
        "members": member_fingerprints(one.classifier),
        "combine": getattr(one.classifier, "combine", None),
    }


def row_of(attack: Attack, listed: Sequence[Listed], threshold: float) -> dict[str, Any]:
    """The images of one source: how many succeeded, and how many of these each classifier believes and reads as their class.

    `transferred` are those that at least one classifier believes that was not attacked; None where none looks at any.
    """
    images, classes = attack.images[attack.succeeded], attack.classes[attack.succeeded]
    found = [cell(attack, one, images, classes, threshold) for one in listed]
    others = [flags for about, flags in found if not about["related"]]
    anyone = np.any(others, axis=0) if others and len(images) else None
    return {
        "source": attack.source,
        "fingerprint": attack.fingerprint,
        "kin": sorted(attack.kin),
        "prior": attack.prior,
        "search": attack.search,
        "evade": list(attack.evades),
        "kind": attack.kind,
        "folders": list(attack.folders),
        "images": len(attack.images),
        "succeeded": proportion_with_ci(int(attack.succeeded.sum()), len(attack.images)),
        "evaluations": {name: median(attack, name) for name in LEVELS},
        "transferred": None if anyone is None else proportion_with_ci(int(anyone.sum()), len(anyone)),
        "cells": [about for about, _ in found],
    }


def cell(attack: Attack, one: Listed, images: Bytes, classes: Whole, threshold: float) -> tuple[dict[str, Any], Flags]:
    """What one classifier says of the successful images of a source, and which [N] it believes; of none nothing is known."""
    itself = one.classifier.fingerprint == attack.fingerprint
    about = {"classifier": one.name, "itself": itself, "related": bool(attack.kin & fingerprints(one.classifier))}
    if not len(images):
        return {**about, "believed": None, "read": None}, np.empty(0, np.bool_)
    scores = predict(one.classifier, images)
    read = scores.argmax(axis=1) == classes
    believed = read & (scores[np.arange(len(scores)), classes] >= threshold)
    counts = {
        name: proportion_with_ci(int(flags.sum()), len(flags)) for name, flags in (("believed", believed), ("read", read))
    }
    return {**about, **counts}, believed


def median(attack: Attack, level: str) -> dict[str, Any]:
    """The median evaluations to a confidence, censored where it was not reached, and the share that reached it."""
    reached = attack.reached[level] >= 0
    times = np.where(reached, attack.reached[level], attack.evaluations)
    found = survival_curve(times, reached).median.within(float(times.max()))
    return {**found, "reached": proportion_with_ci(int(reached.sum()), len(reached))}


def pooled(parts: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Proportions together; None where there is none."""
    known = [part for part in parts if part]
    total = sum(part["of"] for part in known)
    return proportion_with_ci(sum(part["part"] for part in known), total) if total else None


def bought(one: Listed, listed: Sequence[Listed], rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What an ensemble buys: what it believes beside its members, how long an attack on it takes; None for others."""
    inside = set(member_fingerprints(one.classifier).values())
    if not inside:
        return None
    members = [other.name for other in listed if other.classifier.fingerprint in inside]
    outside = [row for row in rows if not fingerprints(one.classifier) & set(row["kin"])]
    within = [row for row in rows if row["fingerprint"] in inside]
    kinds = [row["kind"] for row in rows if row["fingerprint"] == one.classifier.fingerprint]
    attacked = [row for row in rows if row["kind"] in kinds[:1] and row["fingerprint"] in {*inside, one.classifier.fingerprint}]
    return {
        "name": one.name,
        "combine": getattr(one.classifier, "combine", None),
        "members": members,
        "believed": {name: believed_by(name, outside) for name in (one.name, *members)},
        "believed_of_members": believed_by(one.name, within),
        "evaluations": {row["source"]: row["evaluations"] for row in attacked} if kinds else {},
    }


def believed_by(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The share of the images of several sources that a classifier believes, of others than its own."""
    return pooled([cell["believed"] for row in rows for cell in row["cells"] if cell["classifier"] == name])
