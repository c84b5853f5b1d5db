"""A job is all that one class's search consists of; made from the settings, checked, before anything is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from fooling.errors import UserError
from fooling.kernels.tables import ANY
from fooling.search import ENGINES
from fooling.search.state import Engine
from fooling.search.ways import WAYS
from fooling.settings.fields import user_path
from fooling.settings.schema import RunSettings
from fooling.settings.searches import AnnealSettings, DreamSettings, GaSettings, GradientSettings, ParetoSettings

if TYPE_CHECKING:
    from fooling.classifiers.base import Classifier, CountingClassifier
    from fooling.classifiers.checks import ClassifierReport
    from fooling.search.objective import Objective
    from fooling.search.stopping import StoppingCriteria
    from fooling.statistics import Statistics

Pair = tuple[int | None, int | Literal["any"]]  # the prior's class and the wanted one


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class, or any
    objective: "Objective"
    statistics: "Statistics | None"  # None: pixels are drawn evenly
    plan: "StoppingCriteria"
    judges: "Mapping[str, Classifier]"  # by name; they take no part in the search
    looked: "ClassifierReport"  # what is known of the classifier besides
    picture: Any = None  # uint8 [H, W, C] that gradient searches start from
    alone: bool = False  # no job of a sweep, a matrix or a ladder
    rung: str = ""  # of a ladder
    arm: str = ""
    row: str = ""  # of a gallery

    @property
    def digit(self) -> int | Literal["any"]:
        """The wanted class; any: whichever an image gets to."""

        return "any" if self.plan.digit == ANY else self.plan.digit

    @property
    def fitted(self) -> "Statistics":
        """The statistics. Raises UserError where there are none."""
        if self.statistics is None:
            raise UserError(
                "there are no statistics of such images; fit them on the classifier's data: fooling stats data.path=…"
            )
        return self.statistics

    @property
    def prior_digit(self) -> int:
        """The class whose statistics are wanted. Raises UserError where none is."""
        return prior_class(self.settings)

    @property
    def has_prior(self) -> bool:
        """Whether a class's statistics are wanted: but for digit=any without prior.digit, or without any, they are."""
        return bool(self.objective.arguments)

    @property
    def name(self) -> str:
        """What its folder in a sweep is called."""
        prior = self.settings.prior.digit
        own = f"digit={self.digit}" if prior is None else f"prior={prior},digit={self.digit}"
        row = f"rung={self.rung},arm={self.arm}" if self.rung else self.row
        return f"{row},{own}" if row else own

    @property
    def fingerprints(self) -> dict[str, Any]:
        """Of what the result depends on besides the settings, under their names in run.json."""
        return {
            "classifier_fingerprint": self.objective.classifier.fingerprint,
            "statistics_fingerprint": self.statistics.fingerprint if self.statistics else None,
            "judge_fingerprints": {name: judge.fingerprint for name, judge in self.judges.items()},
            **({} if self.picture is None else {"picture_fingerprint": sha256(self.picture.tobytes()).hexdigest()}),
        }


def prior_class(settings: RunSettings) -> int:
    """The class whose statistics are wanted, where `digit` is one class."""
    digit = settings.digit if settings.prior.digit is None else settings.prior.digit
    if not isinstance(digit, int):
        raise UserError(f"digit={digit}: expected one class whose statistics are wanted, or prior.digit=…")
    return digit


def digits(settings: RunSettings, classes: int) -> list[int]:
    """The wanted classes: one, several, or all."""
    if settings.digit == "any":
        raise UserError("digit=any: expected named classes, for example digit=0,1,2 or digit=all")
    if settings.digit == "all":
        return list(range(classes))
    return [settings.digit] if isinstance(settings.digit, int) else list(settings.digit)


def make_plan(settings: RunSettings, digit: int) -> "StoppingCriteria":
    """When runs end. A control never stops before the end; a budget is never exceeded."""
    from fooling.search.stopping import StoppingCriteria

    search, budget = settings.search, settings.budget
    if isinstance(search, GaSettings | ParetoSettings):
        first, each = search.population, search.population
    else:
        first, each = 1, search.proposals if isinstance(search, AnnealSettings) else 1
    rounds = 1 + (search.again if isinstance(search, DreamSettings) else 0)
    last = search.generations * rounds
    return StoppingCriteria(
        runs=settings.runs,
        first=first,
        population=each,
        last=last if budget is None else min(last, (budget - first) // each),
        stop="end" if settings.control else settings.stop,
        threshold=settings.threshold,
        tol=settings.tol,
        returns=search.returns if isinstance(search, GaSettings) else "best",
        digit=digit,
        whole=search.name == "pareto",
        round=search.generations if rounds > 1 else None,
    )


def make_engine(job: Job) -> Engine:
    """The engine that the settings name, with the objective and the way of breeding."""

    search, chosen = job.settings.search, job.settings.engine
    searches = ENGINES[chosen.name]
    if search.name not in searches:
        others = ", ".join(name for name, known in ENGINES.items() if search.name in known)
        has = f"it has {', '.join(searches)}; search={search.name} needs one of engine={others}"
        raise UserError(f"engine={chosen.name} has no search={search.name}: {has}")
    module, name = searches[search.name]
    way = WAYS[search.name](job)
    own = {"toolbox": chosen.toolbox} if chosen.toolbox else {}
    engine: Engine = getattr(import_module(module), name)(job.objective, way, chosen.threads, chosen.scoring, **own)
    return engine


def counting(job: Job) -> "tuple[Job, CountingClassifier]":
    """The job with a classifier that counts what it is shown from now on, and that classifier."""
    from fooling.classifiers.base import CountingClassifier

    counted: Any = CountingClassifier(job.objective.classifier)
    return replace(job, objective=replace(job.objective, classifier=counted)), counted


def compare_with_real(job: Job, images: Any) -> tuple[dict[str, Any], str]:
    """What run.json says of the images' plausibility where data are given, or a note why it cannot.

    Against the test images of the class that the prior is of; at most 1000 on either side: no time to speak of.
    """
    data = job.settings.data
    if not data.given:
        return {}, ""
    from fooling.classifiers.detection import MAX_IMAGES, of_class, plausibility, summary
    from fooling.data import load_data

    classifier = job.objective.classifier
    try:
        wanted = job.prior_digit
        real = of_class(load_data(data.path, data.kind, "test"), wanted)
        rows = plausibility(images[:MAX_IMAGES], real[:MAX_IMAGES], job.fitted, wanted, classifier)
    except UserError as error:  # of the data: the job is done
        return {"plausibility": None}, f"no plausibility in run.json: {error}"
    return {"plausibility": summary(rows)}, ""


def is_exact(job: Job) -> bool:
    """Whether an image's scores depend on nothing but the image.

    The examination says so of a classifier as it is called; inside engine=jax only the built-in networks
    whose first layer is on the lattice are sure to be so, and of operators that are not ours it is not known.
    """
    engine = job.settings.engine
    known = engine.name != "jax" or hasattr(job.objective.classifier, "linear_head")
    return job.looked.examination.exact and known and engine.toolbox is None


def describe(job: Job) -> dict[str, Any]:
    """What run.json says of a job besides its results."""
    from fooling.records import versions

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
        "runs": job.plan.runs,
        "budget": settings.budget,
        "evaluations_a_generation": job.plan.population,
        "stop": job.plan.stop,
        "threshold": job.plan.threshold,
        "tol": job.plan.tol,
        "examination_evaluations": job.looked.evaluations,
        "reproducible": "exact" if is_exact(job) else "approximate",
        **job.fingerprints,
        "examination": dict(job.looked.about),
        "versions": versions(),
    }


def get_classifier(settings: RunSettings, at_hand: "Callable[[], Statistics]") -> "Classifier":
    """The classifier that the settings choose; statistics tell the size of its images where it does not say itself."""
    from fooling.classifiers import open_classifier
    from fooling.search.genetic.numba import cores

    def like() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        height, width, channels = (int(side) for side in at_hand().shape)
        return (height, width, channels), tuple(str(label) for label in at_hand().labels)

    return open_classifier(settings.classifier, like, settings.engine.threads or cores())


def needs_statistics(settings: RunSettings) -> bool:
    """Whether statistics were given, or are asked for: by a term, an exemplar or a class of their own."""
    prior, data = settings.prior, settings.data
    given = prior.statistics or data.given
    weights = prior.weights.model_dump()
    terms = any(weight for name, weight in weights.items() if name != "target")
    search = settings.search
    mean = isinstance(search, GradientSettings) and search.start == "mean" and search.image is None
    return bool(given or terms or prior.exemplar or prior.digit is not None or search.draw == "bins" or mean)


def draws(settings: RunSettings) -> bool:
    """Whether pixels are drawn from a class's grey levels, where there are statistics of it."""
    search = settings.search
    return not isinstance(search, GradientSettings) or (search.image is None and search.start == "levels")


def fits(classifier: "Classifier", statistics: "Statistics") -> bool:
    """Whether statistics are of such images, and of as many classes."""
    same = tuple(classifier.input_shape) == tuple(int(side) for side in statistics.shape)
    return same and classifier.num_classes == len(statistics.count)


def refuse_other_classes(settings: RunSettings, classifier: "Classifier", statistics: "Statistics") -> None:
    """Refuses a prior whose classes cannot be the classifier's: class 2 of 26 is no 2."""
    weights = settings.prior.weights.model_dump()
    needed = any(weight for name, weight in weights.items() if name != "target")
    if needed and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")
    if settings.prior.digit is None:
        from fooling.classifiers.accuracy import check_class_order

        check_class_order([str(one) for one in classifier.labels], [str(one) for one in statistics.labels], "statistics")


def get_statistics(settings: RunSettings) -> "Statistics":
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST."""
    from fooling.statistics import BUNDLED, Statistics

    data, path = settings.data, settings.prior.statistics
    if data.given:
        from fooling.data import stream_data

        return Statistics.fit(stream_data(data.path, data.kind), settings.prior.bins, settings.prior.lags)
    return Statistics.load(user_path(path) if path else BUNDLED)
