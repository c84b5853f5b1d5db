"""A job: everything one record folder is computed from, loaded and checked before anything is written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fooling.classifiers.base import Classifier, CountingClassifier, images_a_score, member_fingerprints
from fooling.classifiers.checks import FLAT, ClassifierReport
from fooling.classifiers.labels import class_indices, classes_in_words, target_name
from fooling.classifiers.queries import VOTED, meaning_of_scores
from fooling.data.matching import without_none
from fooling.errors import UserError, printable
from fooling.kernels.tables import ANY, Bytes
from fooling.records.ownership import class_image_names, image_names
from fooling.records.record import versions
from fooling.records.resume import identity
from fooling.search import Search, load_search, part_of
from fooling.search.checkpoint import read_checkpoint
from fooling.search.evasion import Evasion
from fooling.search.genetic.memory import check_host_memory
from fooling.search.objective import Objective, objective_from_settings
from fooling.search.result import Result, make_result, target_of
from fooling.search.state import History, State
from fooling.search.stopping import StoppingCriteria
from fooling.search.surrogate import open_surrogate
from fooling.settings import without_secrets
from fooling.settings.schema import DataSettings, RunSettings
from fooling.statistics import Statistics

Pair = tuple[int | None, int | Literal["any", "all"]]  # the prior's class and the target class


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class or any, or of a joint job all or several
    objective: Objective
    statistics: Statistics | None  # None: pixels are drawn uniformly from all grey levels
    criteria: StoppingCriteria
    judges: Mapping[str, Classifier]  # held-out classifiers by name
    report: ClassifierReport  # of the checks of the classifier
    start_image: Bytes | None = None  # [H, W, C], of gradient searches
    read: RunSettings | None = None  # by which the data are read, where those of the record only name them

    @property
    def digit(self) -> int | Literal["any", "all"]:
        """The target class; any: whichever an image reaches; all: each run has its own."""
        return target_of(self.criteria)

    @property
    def unit(self) -> str:
        """What a dream maximises instead of a class, '' for all other jobs."""
        return str(getattr(self.settings.search, "unit", ""))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in printable letters."""
        return tuple(map(printable, self.objective.classifier.labels))

    def naming(self, data: DataSettings) -> "Job":
        """The job whose record names its data as `data` do: those in memory are no file."""
        return replace(self, settings=self.settings.model_copy(update={"data": data}), read=self.settings)

    @property
    def images(self) -> list[str]:
        """The names of its images, relative to its folder: numbers, or of a joint job the names of their classes."""
        classes = self.criteria.classes
        return class_image_names(classes, self.labels) if classes else image_names(self.criteria.runs)

    @property
    def target(self) -> str:
        """The target in a line of text: digit 2, target espresso (digit=967), digit any, layer conv1."""
        if self.criteria.joint:
            return classes_in_words(len(self.criteria.classes))
        if isinstance(self.digit, str) or self.unit:
            return self.unit or "digit any"
        return target_name(self.digit, self.label or "")

    @property
    def label(self) -> str | None:
        """The name of the target class, None where there is none; of a joint job how many there are."""
        if self.criteria.joint:
            return self.target
        is_class = isinstance(self.digit, int) and not self.unit
        return printable(self.objective.classifier.labels[self.criteria.digit]) if is_class else None

    @property
    def fitted(self) -> Statistics:
        """The statistics. Raises UserError where there are none."""
        if self.statistics is None:
            raise UserError("no statistics for images of this size; fit them on its data: fooling stats data.path=…")
        return self.statistics

    @property
    def prior_digit(self) -> int:
        """The class of the term targets. Raises UserError where there is none."""
        return prior_class(self.settings)

    @property
    def has_prior(self) -> bool:
        """Whether there are term targets: not without statistics, nor for digit=any without prior.digit."""
        return bool(self.objective.arguments)

    @property
    def fixed_limits(self) -> dict[str, str]:
        """The limits that cannot be raised on resuming, each with the reason."""
        search = load_search(self.settings.search.name, self.settings.engine.name)
        return dict(part_of(search, "fixed_limits")(self.settings))

    @property
    def fingerprints(self) -> dict[str, Any]:
        """Of what the result depends on besides the settings, under their names in run.json."""
        image, surrogate = self.start_image, open_surrogate(self.settings, self.objective.classifier)
        return {
            "classifier_fingerprint": self.objective.classifier.fingerprint,
            "statistics_fingerprint": self.statistics.fingerprint if self.statistics else None,
            "judge_fingerprints": {name: judge.fingerprint for name, judge in self.judges.items()},
            **({"detector_fingerprints": self.objective.evasion.fingerprints} if self.objective.evasion else {}),
            **({} if surrogate is None else {"surrogate_fingerprint": surrogate.fingerprint}),
            **labelling(self),
            **({} if image is None else {"picture_fingerprint": sha256(image.tobytes()).hexdigest()}),
        }


def labelling(job: Job) -> dict[str, str]:
    """The fingerprint of the class names, where answers are names and these decide which score is whose; none of others."""
    settings, classifier = job.settings.classifier, job.objective.classifier
    if getattr(settings, "output", "") != "top" and getattr(classifier, "output", "") not in VOTED:
        return {}
    return {"labelling_fingerprint": sha256(json.dumps(list(classifier.labels)).encode()).hexdigest()}


def checkpoint_of(job: Job, folder: Path, config: str) -> tuple[History, State] | None:
    """History and state of a job's record, None if it has no checkpoint. Raises UserError for a damaged or another job's.

    `config` is the text of the job's config.yaml.
    """
    classifier, image = job.objective.classifier, job.start_image
    shape = tuple(classifier.input_shape if image is None else image.shape)
    owner = identity(config, job.fingerprints, job.fixed_limits)
    return read_checkpoint(folder, owner, job.criteria, shape, classifier.num_classes)


def make_job(
    settings: RunSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    judges: Mapping[str, Classifier],
    report: ClassifierReport,
    start_image: Bytes | None = None,
    evasion: Evasion | None = None,
) -> Job:
    """The job of settings whose digit is one class, any, or of a joint job several.

    Raises UserError for a class that does not exist.
    """
    classes = tuple(digits(settings, classifier.labels, statistics)) if settings.search.joint else ()
    objective = replace(objective_from_settings(settings, classifier, statistics, classes), evasion=evasion)
    criteria = StoppingCriteria.from_settings(settings, objective.digit, classes, images_a_score(classifier))
    criteria = replace(criteria, flat=flat_score(report, objective), evasion=evasion)
    return Job(settings, objective, statistics, criteria, judges, report, start_image)


def flat_score(report: ClassifierReport, objective: Objective) -> tuple[Any, Any] | None:
    """The target's score and its noise where all images of the checks get the same, else None; for any class, the largest.

    Of a joint job an array of each, [R]; not a number where scores differ.
    """
    checks = report.examination
    if objective.classes:
        scores = np.array([checks.constant.get(k, np.nan) for k in objective.classes], dtype=np.float32)
        return scores, np.fmax(checks.deviation, FLAT * scores)
    score = max(checks.constant.values(), default=None) if objective.digit == ANY else checks.constant.get(objective.digit)
    return None if score is None else (score, max(checks.deviation, FLAT * score))


def make_search(job: Job) -> Search:
    """The search of a job. Raises UserError where the engine lacks it, or it cannot attack the classifier."""
    settings = job.settings
    search = load_search(settings.search.name, settings.engine.name)
    return search.from_settings(settings, job.objective, job.statistics, job.start_image)


def check_memory(job: Job) -> None:
    """Refuses more runs than fit into the memory; engine=jax and the gradient searches know their own."""
    search: Any = job.settings.search
    if job.settings.engine.name != "jax" and search.name in ("ga", "anneal", "pareto"):
        children = getattr(search, "population", 1)
        # a front of NSGA-II has few statistics: per image a third of the memory was measured
        selected = {"anneal": 1, "pareto": -(-children // 3)}.get(search.name) or search.selected
        classifier = job.objective.classifier
        check_host_memory(job.criteria.runs, selected, children, prod(classifier.input_shape), classifier.num_classes)


def evaluate(job: Job, history: History, images: Bytes, folder: str | None = None) -> Result:
    """The result of a job: its finished images, as read back from the record, scored by the objective and the judges."""
    return make_result(
        history,
        images,
        job.objective,
        job.criteria,
        load_search(job.settings.search.name, job.settings.engine.name),
        judges=job.judges,
        statistics=job.statistics,
        prior_digit=job.prior_digit if job.has_prior else None,
        folder=folder,
        unit=job.unit,
    )


def counting(job: Job) -> tuple[Job, CountingClassifier]:
    """The job with a classifier that counts the images that it scores from now on, and that classifier."""
    counted: Any = CountingClassifier(job.objective.classifier)
    return replace(job, objective=replace(job.objective, classifier=counted)), counted


def prior_class(settings: RunSettings) -> int:
    """The class of the term targets, where `digit` is one class."""
    digit = settings.digit if settings.prior.digit is None else settings.prior.digit
    if settings.search.joint and settings.prior.digit is None:
        name = f"search={settings.search.name}"
        raise UserError(f"{name}: its images are of several classes; only those of a job with prior.digit=… are of one")
    if not isinstance(digit, int):
        raise UserError(f"digit={digit}: expected one class whose statistics the prior takes, or prior.digit=…")
    return digit


def digits(settings: RunSettings, labels: Sequence[str], statistics: Statistics | None = None) -> list[int]:
    """The target classes: one, several, or all, of which there are statistics if these are of some classes."""
    if settings.digit == "any":
        raise UserError("digit=any: expected named classes, for example digit=0,1,2 or digit=all")
    if settings.digit == "all" and statistics and statistics.numbers:
        return list(statistics.numbers)
    return class_indices(settings.digit, labels)


def class_pairs(settings: RunSettings, labels: Sequence[str], statistics: Statistics | None) -> list[Pair]:
    """Of each job the class of the prior, None for the target itself, and the target class."""
    if settings.search.joint:
        return [(settings.prior.digit, "all")]
    if settings.digit == "any":
        if len(without_none(labels)) < len(labels):
            raise UserError("digit=any: expected a class, as the classifier has one for none of them; give digit=all")
        return [(settings.prior.digit, "any")]
    return [(settings.prior.digit, target) for target in digits(settings, labels, statistics)]


def is_exact(job: Job) -> bool:
    """Whether an image's scores depend on the image alone.

    The checks find out for a classifier as it is called; inside engine=jax only built-in networks with a quantised first layer
    are known to be exact, of a toolbox's operators it is not known, and values of detectors are sums in any order.
    """
    engine = job.settings.engine
    known = engine.name != "jax" or hasattr(job.objective.classifier, "linear_head")
    return job.report.examination.exact and known and engine.toolbox is None and job.objective.evasion is None


def describe(job: Job) -> dict[str, Any]:
    """The keys of run.json besides the results."""
    settings = job.settings
    return {
        "status": "",
        "digit": job.digit,
        "label": job.label,
        **({"unit": job.unit} if job.unit else {}),
        "seed": settings.seed,
        "control": settings.control,
        "classifier": settings.classifier.name,
        "classifier_path": without_secrets(settings.classifier.path),
        "prior": settings.prior.name,
        "search": settings.search.name,
        "engine": settings.engine.name,
        "runs": job.criteria.runs,
        "budget": settings.budget,
        "evaluations_a_generation": job.criteria.population,
        "stop": job.criteria.stop,
        "threshold": job.criteria.threshold,
        "tol": job.criteria.tol,
        "examination_evaluations": job.report.evaluations,
        "reproducible": "exact" if is_exact(job) else "approximate",
        **({"evade": job.objective.evasion.about} if job.objective.evasion else {}),
        **job.fingerprints,
        **({"classifier_fingerprint_partial": True} if is_partial(job.objective.classifier) else {}),
        **({"classifier_members": members} if (members := member_fingerprints(job.objective.classifier)) else {}),
        "examination": dict(job.report.about),
        "versions": versions(),
    } | meaning_of_scores(job.objective.classifier)


def is_partial(classifier: Classifier) -> bool:
    """Whether a classifier's fingerprint covers only a part of it, such as weights without code."""
    return bool(getattr(classifier, "partial_fingerprint", False))
