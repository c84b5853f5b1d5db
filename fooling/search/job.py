"""A job: everything one record folder is computed from, checked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from fooling.classifiers.base import Classifier, CountingClassifier
from fooling.classifiers.checks import ClassifierReport
from fooling.errors import UserError
from fooling.kernels.tables import ANY, Bytes
from fooling.records import versions
from fooling.search import load_search
from fooling.search.objective import Objective, objective_from_settings
from fooling.search.protocol import Search
from fooling.search.result import Result, make_result
from fooling.search.state import History
from fooling.search.stopping import StoppingCriteria
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

Pair = tuple[int | None, int | Literal["any"]]  # the prior's class and the target class


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class, or any
    objective: Objective
    statistics: Statistics | None  # None: pixels are drawn from all grey levels equally
    criteria: StoppingCriteria
    judges: Mapping[str, Classifier]  # held-out classifiers by name
    report: ClassifierReport  # of the checks of the classifier
    start_image: Bytes | None = None  # [H, W, C], of gradient searches

    @property
    def digit(self) -> int | Literal["any"]:
        """The target class; any: whichever an image reaches."""
        return "any" if self.criteria.digit == ANY else self.criteria.digit

    @property
    def fitted(self) -> Statistics:
        """The statistics. Raises UserError where there are none."""
        if self.statistics is None:
            raise UserError("no statistics of such images; fit them on the classifier's data: fooling stats data.path=…")
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
    def fingerprints(self) -> dict[str, Any]:
        """Of what the result depends on besides the settings, under their names in run.json."""
        image = self.start_image
        return {
            "classifier_fingerprint": self.objective.classifier.fingerprint,
            "statistics_fingerprint": self.statistics.fingerprint if self.statistics else None,
            "judge_fingerprints": {name: judge.fingerprint for name, judge in self.judges.items()},
            **({} if image is None else {"picture_fingerprint": sha256(image.tobytes()).hexdigest()}),
        }


def make_job(
    settings: RunSettings,
    classifier: Classifier,
    statistics: Statistics | None,
    judges: Mapping[str, Classifier],
    report: ClassifierReport,
    start_image: Bytes | None = None,
) -> Job:
    """The job of settings whose digit is one class, or any. Raises UserError for a class that does not exist."""
    objective = objective_from_settings(settings, classifier, statistics)
    criteria = StoppingCriteria.from_settings(settings, objective.digit)
    return Job(settings, objective, statistics, criteria, judges, report, start_image)


def make_search(job: Job) -> Search:
    """The search of a job. Raises UserError where the engine lacks it, or it cannot attack the classifier."""
    settings = job.settings
    search = load_search(settings.search.name, settings.engine.name)
    return search.from_settings(settings, job.objective, job.statistics, job.start_image)


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
    )


def counting(job: Job) -> tuple[Job, CountingClassifier]:
    """The job with a classifier that counts the images that it scores from now on, and that classifier."""
    counted: Any = CountingClassifier(job.objective.classifier)
    return replace(job, objective=replace(job.objective, classifier=counted)), counted


def prior_class(settings: RunSettings) -> int:
    """The class of the term targets, where `digit` is one class."""
    digit = settings.digit if settings.prior.digit is None else settings.prior.digit
    if not isinstance(digit, int):
        raise UserError(f"digit={digit}: expected one class whose statistics the prior takes, or prior.digit=…")
    return digit


def digits(settings: RunSettings, classes: int) -> list[int]:
    """The target classes: one, several, or all."""
    if settings.digit == "any":
        raise UserError("digit=any: expected named classes, for example digit=0,1,2 or digit=all")
    if settings.digit == "all":
        return list(range(classes))
    return [settings.digit] if isinstance(settings.digit, int) else list(settings.digit)


def is_exact(job: Job) -> bool:
    """Whether an image's scores depend on the image alone.

    The checks find out for a classifier as it is called; inside engine=jax only the built-in networks with a quantised first
    layer are known to be exact, and of a toolbox's operators it is not known.
    """
    engine = job.settings.engine
    known = engine.name != "jax" or hasattr(job.objective.classifier, "linear_head")
    return job.report.examination.exact and known and engine.toolbox is None


def describe(job: Job) -> dict[str, Any]:
    """The keys of run.json besides the results."""
    settings = job.settings
    return {
        "status": "",
        "digit": job.digit,
        "seed": settings.seed,
        "control": settings.control,
        "classifier": settings.classifier.name,
        "classifier_path": settings.classifier.path,
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
        **job.fingerprints,
        "examination": dict(job.report.about),
        "versions": versions(),
    }
