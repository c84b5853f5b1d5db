"""A job is all that one class's search consists of; made from the settings, checked, before anything is written."""

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from fooling.clashes import GRADIENT
from fooling.errors import UserError
from fooling.settings import RunSettings
from fooling.sources import before_picture, draws, fits, get_classifier, get_statistics, needs_statistics, refuse_other_classes
from fooling.ways import WAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fooling.classifiers.base import Classifier
    from fooling.classifiers.counted import Counted
    from fooling.engines.loop import Plan
    from fooling.engines.state import Engine
    from fooling.first_look import FirstLook
    from fooling.objective import Objective
    from fooling.statistics import Statistics


Pair = tuple[int | None, int | Literal["any"]]  # the prior's class and the wanted one


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class, or any
    objective: "Objective"
    statistics: "Statistics | None"  # None: pixels are drawn evenly
    plan: "Plan"
    judges: "Mapping[str, Classifier]"  # by name; they take no part in the search
    looked: "FirstLook"  # what is known of the classifier besides
    picture: Any = None  # uint8 [H, W, C] that gradient searches start from
    alone: bool = False  # no job of a sweep, a matrix or a ladder
    rung: str = ""  # of a ladder
    arm: str = ""
    row: str = ""  # of a gallery

    @property
    def digit(self) -> int | Literal["any"]:
        """The wanted class; any: whichever an image gets to."""
        from fooling.kernels.arrays import ANY

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


def prepare(
    settings: RunSettings,
    classifier: "Classifier | None" = None,
    statistics: "Statistics | None" = None,
    mismatched: bool = False,
    judges: "Mapping[str, Classifier] | None" = None,
    pairs: "Sequence[Pair] | None" = None,
) -> list[Job]:
    """The jobs that the settings ask for, one a class; refuses what does not fit together.

    `mismatched`: one for each pair of different classes, the prior of one and the target of the other. `pairs`: just these.
    """
    from fooling.first_look import first_look
    from fooling.judges import load_judges
    from fooling.objective import make_objective

    at_hand = cache(lambda: statistics or get_statistics(settings))
    classifier = classifier or get_classifier(settings, at_hand)
    looked, judges = first_look(settings, classifier), load_judges(settings.judges, classifier) if judges is None else judges
    classifier, judges, picture = before_picture(settings, classifier, judges)
    notes = list(looked.notes) + ([picture.note] if picture else [])
    if statistics or needs_statistics(settings) or fits(classifier, at_hand()):
        statistics = at_hand()
        refuse_other_classes(settings, classifier, statistics)
    else:
        notes += ["no statistics of such images: pixels are drawn from all grey levels evenly"] if draws(settings) else []
    looked = replace(looked, notes=tuple(notes))
    prior, weights = settings.prior, settings.prior.weights.model_dump()
    if settings.control:
        weights["target"] = 0.0
    jobs = []
    alone = not (settings.sweeps or mismatched or pairs)
    for prior_digit, digit in pairs or wanted_pairs(settings, classifier.num_classes, mismatched):
        objective = make_objective(
            classifier,
            statistics,
            digit=digit,
            weights=weights,
            prior_digit=prior_digit,
            lags=prior.lags,
            bins=prior.bins,
            hinge=prior.hinge,
            exemplar=prior.exemplar,
            lag_weights=prior.lag_weights,
            target_free=prior.target_free,
            quirk_lag1=prior.quirk_lag1,
            quirk_axes=prior.quirk_axes,
            seed=settings.seed,
        )
        own = prior.model_copy(update={"digit": prior_digit})
        one = settings.model_copy(update={"digit": digit, "prior": own})
        pixels = picture.pixels if picture else None
        jobs.append(Job(one, objective, statistics, make_plan(one, objective.digit), judges, looked, pixels, alone))
    make_engine(jobs[0])  # which refuses what it lacks, before anything is written
    return jobs


def wanted_pairs(settings: RunSettings, classes: int, mismatched: bool) -> list[Pair]:
    """Of each job the prior's class, None where it is the wanted one, and the wanted class."""
    if settings.digit == "any":
        return [(settings.prior.digit, "any")]
    wanted = digits(settings, classes)
    return [(a, b) for a in wanted for b in wanted if a != b] if mismatched else [(settings.prior.digit, b) for b in wanted]


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


def make_plan(settings: RunSettings, digit: int) -> "Plan":
    """When runs end. A control never stops before the end; a budget is never exceeded."""
    from fooling.engines.loop import Plan

    search, budget = settings.search, settings.budget
    first, each = {"anneal": (1, search.proposals), **dict.fromkeys(GRADIENT, (1, 1))}.get(
        search.name, (search.population, search.population)
    )
    rounds = 1 + (search.again if search.name == "dream" else 0)
    last = search.generations * rounds
    return Plan(
        runs=settings.runs,
        first=first,
        population=each,
        last=last if budget is None else min(last, (budget - first) // each),
        stop="end" if settings.control else settings.stop,
        threshold=settings.threshold,
        tol=settings.tol,
        returns=search.returns,
        digit=digit,
        whole=search.name == "pareto",
        round=search.generations if rounds > 1 else None,
    )


def make_engine(job: Job) -> "Engine":
    """The engine that the settings name, with the objective and the way of breeding."""
    from importlib import import_module

    from fooling.engines import ENGINES

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


def counting(job: Job) -> "tuple[Job, Counted]":
    """The job with a classifier that counts what it is shown from now on, and that classifier."""
    from fooling.classifiers.counted import Counted

    counted: Any = Counted(job.objective.classifier)
    return replace(job, objective=replace(job.objective, classifier=counted)), counted


def against_real(job: Job, images: Any) -> tuple[dict[str, Any], str]:
    """What run.json says of the images' plausibility where data are given, or a note why it cannot.

    Against the test images of the class that the prior is of; at most 1000 on either side: no time to speak of.
    """
    data = job.settings.data
    if data.path is None and data.kind == "auto":
        return {}, ""
    from fooling.data import load_data
    from fooling.detectors import MOST, in_brief, of_class, plausibility

    classifier = job.objective.classifier
    try:
        wanted = job.prior_digit
        real = of_class(load_data(data.path, data.kind, "test"), wanted)
        rows = plausibility(images[:MOST], real[:MOST], job.fitted, wanted, classifier)
    except UserError as error:  # of the data: the job is done
        return {"plausibility": None}, f"no plausibility in run.json: {error}"
    return {"plausibility": in_brief(rows)}, ""


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
    from fooling.result import versions

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
