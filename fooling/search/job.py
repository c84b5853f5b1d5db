"""A job: everything one record folder is computed from, loaded and checked before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from typing import Any, Literal

from fooling.classifiers import open_classifier, open_given
from fooling.classifiers.accuracy import check_class_order
from fooling.classifiers.base import Classifier, CountingClassifier
from fooling.classifiers.checks import ClassifierReport
from fooling.classifiers.detection import MAX_IMAGES, of_class, plausibility, summary
from fooling.classifiers.labels import class_indices, target_name
from fooling.classifiers.layers import MAX_TILES, TiledClassifier, tile_count
from fooling.data import load_data, seen_by, stream_data
from fooling.errors import UserError, printable
from fooling.kernels.numba.compile import cores
from fooling.kernels.tables import ANY, Bytes
from fooling.records.record import versions
from fooling.search import Search, StartImage, load_search, part_of
from fooling.search.genetic.memory import check_host_memory
from fooling.search.objective import Objective, objective_from_settings
from fooling.search.result import Result, make_result
from fooling.search.state import History
from fooling.search.stopping import StoppingCriteria
from fooling.settings import without_secrets
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings
from fooling.statistics import BUNDLED, Statistics, fit_present

Pair = tuple[int | None, int | Literal["any"]]  # the prior's class and the target class


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class, or any
    objective: Objective
    statistics: Statistics | None  # None: pixels are drawn uniformly from all grey levels
    criteria: StoppingCriteria
    judges: Mapping[str, Classifier]  # held-out classifiers by name
    report: ClassifierReport  # of the checks of the classifier
    start_image: Bytes | None = None  # [H, W, C], of gradient searches

    @property
    def digit(self) -> int | Literal["any"]:
        """The target class; any: whichever an image reaches."""
        return "any" if self.criteria.digit == ANY else self.criteria.digit

    @property
    def unit(self) -> str:
        """What a dream maximises instead of a class, '' for all other jobs."""
        return str(getattr(self.settings.search, "unit", ""))

    @property
    def target(self) -> str:
        """The target in a line of text: digit 2, target espresso (digit=967), digit any, layer conv1."""
        if self.unit or self.digit == "any":
            return self.unit or "digit any"
        return target_name(self.digit, self.label or "")

    @property
    def label(self) -> str | None:
        """The name of the target class; None where there is none."""
        return None if self.unit or self.digit == "any" else printable(self.objective.classifier.labels[self.digit])

    @property
    def fitted(self) -> Statistics:
        """The statistics. Raises UserError where there are none."""
        if self.statistics is None:
            raise UserError(
                "no statistics for images of this size; fit them on the classifier's data: fooling stats data.path=…"
            )
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
        settings = self.settings
        fixed: dict[str, str] = part_of(load_search(settings.search.name, settings.engine.name), "fixed_limits")(settings)
        return fixed

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
    criteria = replace(StoppingCriteria.from_settings(settings, objective.digit), flat=flat_score(report, objective.digit))
    return Job(settings, objective, statistics, criteria, judges, report, start_image)


def flat_score(report: ClassifierReport, digit: int) -> tuple[float, float] | None:
    """The target's score and its noise where all images of the checks get the same, else None."""
    checks = report.examination
    if digit == ANY:
        return (max(checks.constant.values()), checks.deviation) if len(checks.constant) == checks.classes else None
    return (checks.constant[digit], checks.deviation) if digit in checks.constant else None


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
        selected = 1 if search.name == "anneal" else getattr(search, "selected", children)
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
        **job.fingerprints,
        **({"classifier_fingerprint_partial": True} if is_partial(job.objective.classifier) else {}),
        "examination": dict(job.report.about),
        "versions": versions(),
    }


def is_partial(classifier: Classifier) -> bool:
    """Whether a classifier's fingerprint covers only a part of it, such as weights without code."""
    return bool(getattr(classifier, "partial_fingerprint", False))


def get_statistics(settings: RunSettings, classifier: Classifier | None) -> Statistics:
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST.

    Pictures are scaled to the classifier's size. Statistics of some of its classes have their numbers.
    """
    data, path = settings.data, settings.prior.statistics
    if not data.given:
        found = Statistics.load(user_path(path) if path else BUNDLED)
        return found.of_classes(classifier.labels) if classifier else found
    stream = stream_data(data.path, data.kind, **data.options, **(seen_by(classifier) if classifier else {}))
    return fit_present(stream, bins=settings.prior.bins, lags=settings.prior.lags)


def get_classifier(settings: RunSettings, statistics: Statistics | None = None, given: Any = None) -> Classifier:
    """The classifier of the settings, or a given object. Where it declares no shape, the data do, or else statistics."""

    def hint() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        data, path = settings.data, settings.prior.statistics
        if data.given and statistics is None:
            stream = stream_data(data.path, data.kind, **data.options)
            return stream.shape, stream.classes
        return shape_and_labels(statistics or Statistics.load(user_path(path) if path else BUNDLED))

    threads = settings.engine.threads or cores()
    if given is not None:
        return open_given(given, settings.classifier, hint, threads)
    return open_classifier(settings.classifier, hint, threads)


def shape_and_labels(statistics: Statistics) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """(H, W, C) and class names of the images that statistics are of."""
    height, width, channels = (int(side) for side in statistics.shape)
    return (height, width, channels), tuple(str(label) for label in statistics.labels)


def fit_to_start_image(
    settings: RunSettings, classifier: Classifier, judges: Mapping[str, Classifier]
) -> tuple[Classifier, Mapping[str, Classifier], StartImage]:
    """Classifier and judges for the images of the search, and what it starts from.

    Images larger than the classifier's input are seen through windows.
    """
    search, (height, width, channels) = settings.search.name, (int(side) for side in classifier.input_shape)
    input_shape = (height, width, channels)
    start = part_of(load_search(search, settings.engine.name), "start_image")(settings, input_shape)
    if start.shape == input_shape:
        return classifier, judges, start
    number = tile_count(start.shape, input_shape)
    if number > MAX_TILES:
        size = f"{start.shape[0]}×{start.shape[1]} pixels take {number:,} windows of {height}×{width}"
        raise UserError(
            f"search={search}: {size}, at most {MAX_TILES:,} are allowed; search.size=400 scales the longer side to 400"
        )
    tiled = {name: TiledClassifier(judge, start.shape) for name, judge in judges.items()}
    return TiledClassifier(classifier, start.shape), tiled, start


def statistics_use(settings: RunSettings) -> Literal["levels", "mean", "none"]:
    """Which statistics the first images of the search are made of."""
    use: Literal["levels", "mean", "none"]
    use = part_of(load_search(settings.search.name, settings.engine.name), "statistics_use")(settings)
    return use


def needs_statistics(settings: RunSettings) -> bool:
    """Whether the settings name statistics or data, or need them for a term, an exemplar, a class or the first images."""
    prior, data, search = settings.prior, settings.data, settings.search
    named = prior.statistics or data.given
    terms = any(weight for name, weight in prior.weights.model_dump().items() if name != "target")
    drawn = search.draw == "bins" or statistics_use(settings) == "mean"
    return bool(named or terms or prior.exemplar or prior.digit is not None or drawn)


def draws(settings: RunSettings) -> bool:
    """Whether the first images are drawn from a class's grey levels, where there are statistics of it."""
    return statistics_use(settings) == "levels"


def fits(classifier: Classifier, statistics: Statistics) -> bool:
    """Whether statistics are of images of the classifier's size, and of as many classes."""
    same = tuple(classifier.input_shape) == tuple(int(side) for side in statistics.shape)
    return same and (bool(statistics.numbers) or classifier.num_classes == len(statistics.count))


def refuse_other_classes(settings: RunSettings, classifier: Classifier, statistics: Statistics) -> None:
    """Refuses a prior of other classes than the classifier's: class 2 of 26 letters is not the digit 2."""
    weights = settings.prior.weights.model_dump()
    needed = any(weight for name, weight in weights.items() if name != "target")
    if statistics.numbers:
        return
    if needed and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")
    if settings.prior.digit is None:
        check_class_order([str(name) for name in classifier.labels], [str(name) for name in statistics.labels], "statistics")


def compare_with_real(job: Job, images: Bytes) -> tuple[dict[str, Any], str]:
    """The key `plausibility` of run.json where data are given, or a note why there is none.

    Against the test images of the class of the term targets; at most MAX_IMAGES on either side, which takes little time.
    """
    data = job.settings.data
    if not data.given:
        return {}, ""
    classifier = job.objective.classifier
    try:
        digit = job.prior_digit
        shape, labels = tuple(int(side) for side in job.fitted.shape), job.objective.classifier.labels
        real = of_class(load_data(data.path, data.kind, "test", **data.options, shape=shape, labels=labels), digit)
        rows = plausibility(images[:MAX_IMAGES], real[:MAX_IMAGES], job.fitted, digit, classifier)
    except UserError as error:  # of the data: the job is done
        return {"plausibility": None}, f"run.json has no plausibility: {str(error).removeprefix('plausibility: ')}"
    return {"plausibility": summary(rows)}, ""
