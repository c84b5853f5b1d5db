"""What an audit attacks, and how: classes, attacks on each, images of an attack; the same on every machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fooling.classifiers.base import Classifier
from fooling.classifiers.judges import load_judges
from fooling.classifiers.labels import refuse_two_meanings
from fooling.commands.jobs import GridEntry, classes_of
from fooling.commands.ladder import RUNGS
from fooling.errors import UserError
from fooling.run import prepare, with_objects
from fooling.search.genomes import MANY_CLASSES
from fooling.search.inputs import fits, is_large
from fooling.settings import load
from fooling.settings.audit import AuditSettings
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics

SMALL, LARGE = (10, 40_200), (1, 2_500)  # attacks on each class, and images of each at most
SURE = 0.9999  # an attack ends at this confidence
Q, GRADIENTS, PRIORS, MISMATCH = (
    "q",
    "gradients",
    "priors",
    "mismatch",
)  # values of the axis `part`: they begin the names of the jobs' folders
ARMS = {"with": False, "control": True}  # the conditions of a prior, and whether the classifier's weight is 0


@dataclass(frozen=True)
class Protocol:
    """What is attacked, and for how long."""

    classes: tuple[int, ...]  # in the order of the attacks, which is random: what the time allows is a random sample
    number: int  # K, all classes
    runs: int  # attacks on each class
    budget: int  # images of each, at most
    is_large: bool  # above 64×64 or 20 classes
    search: str
    genome: str

    @property
    def most(self) -> int:
        """Images that the attacks without a prior take at most."""
        return len(self.classes) * self.runs * self.budget

    def about(self, settings: AuditSettings) -> dict[str, Any]:
        """The protocol in audit.json: Q is only comparable where it is the same."""
        return {
            "classes": sorted(self.classes),
            "of": self.number,
            "runs": self.runs,
            "budget": self.budget,
            "threshold": SURE,
            "search": self.search,
            "genome": self.genome,
            "seed": settings.seed,
            "minutes": settings.minutes,
        }


def protocol_of(settings: AuditSettings, classifier: Classifier) -> Protocol:
    """The protocol for a classifier, before search and genome are known. Raises UserError for classes that do not exist."""
    refuse_two_meanings(settings.digit, classifier.labels)
    known, large = classes_of(settings.digit, classifier.labels), is_large(classifier)
    runs, budget = LARGE if large else SMALL
    random = np.random.default_rng(settings.seed)
    drawn = random.permutation(known)[: settings.sample or (MANY_CLASSES if settings.digit == "all" else len(known))]
    return Protocol(
        classes=tuple(int(k) for k in drawn),
        number=classifier.num_classes,
        runs=settings.runs or runs,
        budget=settings.budget or budget,
        is_large=large,
        search="",
        genome="",
    )


@dataclass(frozen=True)
class Attacks:
    """The jobs of an audit in the order in which they run, and which parts are left out, each with the reason."""

    protocol: Protocol
    entries: tuple[GridEntry, ...]
    judges: Mapping[str, Classifier]
    left_out: Mapping[str, str]  # by part

    def of_part(self, part: str) -> list[GridEntry]:
        """The jobs of a part."""
        return [entry for entry in self.entries if entry.axes["part"] == part]


def attacks(settings: AuditSettings, classifier: Classifier, statistics: Statistics | None) -> Attacks:
    """Prepares every job. `statistics`: those of the data; None: the bundled ones, where they fit."""
    protocol = protocol_of(settings, classifier)
    words = [f"runs={protocol.runs}", f"budget={protocol.budget}", f"threshold={SURE}", "stop=threshold", "prior=none"]
    found = entries_of(settings, classifier, statistics, words, {"part": Q}, [(None, k) for k in protocol.classes])
    search: Any = found[0].job.settings.search
    genome = getattr(search, "genome", "pixels")
    if genome == "auto":
        genome = "mixed" if classifier.num_classes > MANY_CLASSES else "dct"
    protocol = replace(protocol, search=search.name, genome=genome)
    judges = load_judges(settings.judges, classifier)
    left_out, classes = {}, sorted(protocol.classes)
    try:
        words = ["search=ascent", "runs=1"]
        found += entries_of(settings, classifier, statistics, words, {"part": GRADIENTS}, [(None, k) for k in classes])
    except UserError as error:  # it has none, or they are zero
        left_out[GRADIENTS] = str(error).partition(":")[0]
    fitting = statistics or (Statistics.load(BUNDLED) if fits(classifier, Statistics.load(BUNDLED)) else None)
    if fitting is None:
        why = "no statistics of the training images; give data.path=PATH"
        left_out |= {PRIORS: why, MISMATCH: why}
    elif protocol.is_large and settings.rungs == ("all",):
        left_out |= {PRIORS: "a large model; rungs=none,variogram,… adds them"}
    else:
        rungs = [name for name in RUNGS if name in settings.rungs or settings.rungs == ("all",)]
        for rung in rungs:
            for arm, control in ARMS.items():
                axes, words = {"part": PRIORS, "rung": rung, "arm": arm}, [f"prior={rung}", f"runs={settings.copies}"]
                words += [f"budget={protocol.budget}", f"control={str(control).lower()}"]
                found += entries_of(settings, classifier, statistics, words, axes, [(None, k) for k in classes], judges)
    reason = unmatched(settings, protocol, judges)
    if MISMATCH not in left_out and reason:
        left_out[MISMATCH] = reason
    if MISMATCH not in left_out:
        pairs = [(a, b) for a in classes for b in classes if a != b]
        found += entries_of(
            settings, classifier, statistics, ["preset=mismatched", "runs=1"], {"part": MISMATCH}, pairs, judges
        )
    return Attacks(protocol, tuple(found), judges, left_out)


def unmatched(settings: AuditSettings, protocol: Protocol, judges: Mapping[str, Classifier]) -> str:
    """Why pairs of classes are not attacked, '' if they are."""
    if not settings.mismatch:
        return "mismatch=false"
    if not judges:
        return "no held-out classifiers of these images; give judges=[…]"
    if len(protocol.classes) < 2:
        return "one class has no pairs"
    return "a large model" if protocol.is_large else ""


def entries_of(
    settings: AuditSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    words: Sequence[str],
    axes: Mapping[str, str],
    pairs: Sequence[tuple[int | None, int]],
    judges: Mapping[str, Classifier] | None = None,
) -> list[GridEntry]:
    """The jobs of `fooling run` with these words, one for each pair of prior and target class."""
    shared = {"classifier": settings.classifier, **{name: getattr(settings, name) for name in ("resume", "overwrite", "quiet")}}
    words = [*words, f"seed={settings.seed}"]
    run = load(words, RunSettings, "run").model_copy(update={**shared, "judges": ()})
    digits = tuple(dict.fromkeys(digit for _, digit in pairs))
    run = with_objects(run.model_copy(update={"digit": digits}), None, statistics)
    jobs = prepare(run, classifier, statistics, judges=judges or {}, pairs=pairs, words=words)
    return [GridEntry(job, axes) for job in jobs]
