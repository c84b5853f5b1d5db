"""A job is all that one class's search consists of; made from the settings, checked, before anything is written."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fooling.errors import UserError
from fooling.paths import user_path
from fooling.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fooling.classifiers.base import Classifier, Examination
    from fooling.engines.anneal import Annealing
    from fooling.engines.loop import Plan
    from fooling.engines.state import Breeding, Engine
    from fooling.kernels.reference import Rates
    from fooling.objective import Objective
    from fooling.statistics import Statistics


@dataclass(frozen=True)
class Job:
    """What is searched for, against what, and for how long."""

    settings: RunSettings  # its digit is one class
    objective: "Objective"
    statistics: "Statistics"
    examination: "Examination"
    plan: "Plan"
    judges: "Mapping[str, Classifier]"  # by name; they take no part in the search
    looked: "Mapping[str, Any]"  # what run.json says of the examination
    notes: tuple[str, ...] = ()  # what a user must know of the classifier
    rung: str = ""  # of a ladder
    arm: str = ""

    @property
    def digit(self) -> int:
        """The wanted class."""
        return self.plan.digit

    @property
    def prior_digit(self) -> int:
        """The class whose statistics are wanted."""
        return prior_class(self.settings)

    @property
    def name(self) -> str:
        """What its folder in a sweep is called."""
        prior = self.settings.prior.digit
        own = f"digit={self.digit}" if prior is None else f"prior={prior},digit={self.digit}"
        return f"rung={self.rung},arm={self.arm},{own}" if self.rung else own

    @property
    def fingerprints(self) -> dict[str, Any]:
        """Of what the result depends on besides the settings, under their names in run.json."""
        return {
            "classifier_fingerprint": self.objective.classifier.fingerprint,
            "statistics_fingerprint": self.statistics.fingerprint,
            "judge_fingerprints": {name: judge.fingerprint for name, judge in self.judges.items()},
        }


def prepare(
    settings: RunSettings,
    classifier: "Classifier | None" = None,
    statistics: "Statistics | None" = None,
    mismatched: bool = False,
    judges: "Mapping[str, Classifier] | None" = None,
    pairs: "Sequence[tuple[int | None, int]] | None" = None,
) -> list[Job]:
    """The jobs that the settings ask for, one a class; refuses what does not fit together.

    `mismatched`: one for each pair of different classes, the prior of one and the target of the other. `pairs`: just these.
    """
    from fooling.first_look import first_look
    from fooling.judges import load_judges
    from fooling.objective import make_objective

    at_hand = cache(lambda: statistics or get_statistics(settings))
    classifier = classifier or get_classifier(settings, at_hand)
    examination, looked, notes = first_look(settings, classifier)
    statistics = at_hand()
    refuse_other_classes(settings, classifier, statistics)
    judges = load_judges(settings.judges, classifier) if judges is None else judges
    prior, weights = settings.prior, settings.prior.weights.model_dump()
    if settings.control:
        weights["target"] = 0.0
    jobs = []
    wanted = digits(settings, classifier.num_classes)
    if pairs is None:
        pairs = [(a, b) for a in wanted for b in wanted if a != b] if mismatched else [(prior.digit, b) for b in wanted]
    for prior_digit, digit in pairs:
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
        jobs.append(Job(one, objective, statistics, examination, make_plan(one, digit), judges, looked, notes))
    make_engine(jobs[0])  # which refuses what it lacks, before anything is written
    return jobs


def get_classifier(settings: RunSettings, at_hand: "Callable[[], Statistics]") -> "Classifier":
    """The classifier that the settings choose; statistics tell the size of its images where it does not say itself."""
    from fooling.classifiers import open_classifier
    from fooling.engines.numba_ import cores

    def like() -> tuple[tuple[int, int, int], tuple[str, ...]]:
        height, width, channels = (int(side) for side in at_hand().shape)
        return (height, width, channels), tuple(str(label) for label in at_hand().labels)

    return open_classifier(settings.classifier, like, settings.engine.threads or cores())


def refuse_other_classes(settings: RunSettings, classifier: "Classifier", statistics: "Statistics") -> None:
    """Refuses a prior whose classes cannot be the classifier's: class 2 of 26 is no 2."""
    weights = settings.prior.weights.model_dump()
    needed = any(weight for name, weight in weights.items() if name != "target")
    if needed and settings.prior.digit is None and classifier.num_classes != len(statistics.count):
        have = f"the classifier has {classifier.num_classes} classes, the statistics have {len(statistics.count)}"
        advice = "give data.path or prior.statistics of its data, prior.digit=… of the statistics, or prior=none"
        raise UserError(f"prior={settings.prior.name}: {have}; {advice}")


def get_statistics(settings: RunSettings) -> "Statistics":
    """Fitted to data where data are given, else read from a file, by default the bundled one of MNIST."""
    from fooling.statistics import BUNDLED, Statistics

    data, path = settings.data, settings.prior.statistics
    if data.path or data.kind != "auto":
        from fooling.data import stream_data
        from fooling.fit import fit

        return fit(stream_data(data.path, data.kind), settings.prior.bins, settings.prior.lags)
    return Statistics.load(user_path(path) if path else BUNDLED)


def prior_class(settings: RunSettings) -> int:
    """The class whose statistics are wanted, where `digit` is one class."""
    digit = settings.digit if settings.prior.digit is None else settings.prior.digit
    if not isinstance(digit, int):
        raise UserError(f"digit={digit}: expected one class")
    return digit


def digits(settings: RunSettings, classes: int) -> list[int]:
    """The wanted classes: one, several, or all."""
    if settings.digit == "all":
        return list(range(classes))
    return [settings.digit] if isinstance(settings.digit, int) else list(settings.digit)


def make_plan(settings: RunSettings, digit: int) -> "Plan":
    """When runs end. A control never stops before the end; a budget is never exceeded."""
    from fooling.engines.loop import Plan

    search, budget = settings.search, settings.budget
    first, each = (1, search.proposals) if search.name == "anneal" else (search.population, search.population)
    return Plan(
        runs=settings.runs,
        first=first,
        population=each,
        last=search.generations if budget is None else min(search.generations, (budget - first) // each),
        stop="end" if settings.control else settings.stop,
        threshold=settings.threshold,
        tol=settings.tol,
        returns=search.returns,
        digit=digit,
        whole=search.name == "pareto",
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
    way = make_annealing(job) if search.name == "anneal" else make_breeding(job)
    own = {"toolbox": chosen.toolbox} if chosen.toolbox else {}
    engine: Engine = getattr(import_module(module), name)(job.objective, way, chosen.threads, chosen.scoring, **own)
    return engine


def wanted_levels(job: Job) -> Any:
    """How often pixels are drawn from each grey level, [T, C, 256]: as often as in the class, or in each of its exemplars."""
    from fooling.kernels.tables import levels_within_bins

    prior, statistics = job.settings.prior, job.statistics
    wanted = job.prior_digit
    if job.settings.search.draw == "bins":
        return levels_within_bins(job.objective.arguments["histogram"][1].targets)
    return statistics.exemplar_levels[wanted].astype(float) if prior.exemplar else statistics.levels[None, wanted]


def make_annealing(job: Job) -> "Annealing":
    """How chains walk."""
    from fooling.engines.anneal import Annealing
    from fooling.kernels.tables import RATE_ONE, draw_table, exact_counts

    search, shape, levels = job.settings.search, job.objective.classifier.input_shape, wanted_levels(job)
    return Annealing(
        shape=(shape[0], shape[1], shape[2]),
        proposals=search.proposals,
        last=job.plan.last,
        tables=draw_table(levels),
        counts=exact_counts(levels, shape[0] * shape[1]),
        swap=round(search.swap_share * RATE_ONE),
        temperature=search.temperature,
        cooling=search.cooling,
        seed=job.settings.seed,
    )


def make_breeding(job: Job) -> "Breeding":
    """How children are made and kept."""
    from fooling.engines.state import Breeding
    from fooling.kernels.tables import draw_table

    search, shape = job.settings.search, job.objective.classifier.input_shape
    return Breeding(
        shape=(shape[0], shape[1], shape[2]),
        population=search.population,
        selected=search.selected,
        tables=draw_table(wanted_levels(job)),
        mixing=search.crossover != "none",
        mutate_factor=search.mutate_factor,
        min_rate=search.min_rate,
        swap=threshold_of(search.swaps, shape[0] * shape[1]),
        elitism=search.elitism,
        seed=job.settings.seed,
        rates=make_rates(job),
    )


def make_rates(job: Job) -> "Rates":
    """How often the further operators act, with the moves of those that do."""
    from fooling.kernels.moves import NO_MOVES, gaussian_moves, polynomial_moves
    from fooling.kernels.reference import Rates
    from fooling.kernels.tables import RATE_ONE

    search, shape = job.settings.search, job.objective.classifier.input_shape
    places, pixels = shape[0] * shape[1], shape[0] * shape[1] * shape[2]
    share = {"uniform": search.rectangles, "rectangle": 1.0, "none": 0.0}[search.crossover]
    return Rates(
        rectangle=round(share * RATE_ONE),
        gaussian=threshold_of(search.gaussians, pixels),
        polynomial=threshold_of(search.polynomials, pixels),
        blur=threshold_of(search.blurs, places),
        gaussian_moves=gaussian_moves(search.gaussian_sd) if search.gaussians else NO_MOVES,
        polynomial_moves=polynomial_moves(search.polynomial_eta) if search.polynomials else NO_MOVES,
    )


def threshold_of(mean: float, places: int) -> int:
    """The rate of what happens `mean` times in so many places, at most at every second: an integer in units of 2⁻²⁴."""
    from fooling.kernels.tables import rate_threshold

    return rate_threshold(min(mean / places, 0.5))


def against_real(job: Job, images: Any) -> tuple[dict[str, Any], str]:
    """What run.json says of the images' plausibility where data are given, or a note why it cannot.

    Against the test images of the class that the prior is of; at most 1000 on either side: no time to speak of.
    """
    data = job.settings.data
    if data.path is None and data.kind == "auto":
        return {}, ""
    from fooling.data import load_data
    from fooling.detectors import MOST, in_brief, of_class, plausibility

    wanted, classifier = job.prior_digit, job.objective.classifier
    try:
        real = of_class(load_data(data.path, data.kind, "test"), wanted)
        rows = plausibility(images[:MOST], real[:MOST], job.statistics, wanted, classifier)
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
    return job.examination.exact and known and engine.toolbox is None


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
        "reproducible": "exact" if is_exact(job) else "approximate",
        **job.fingerprints,
        "examination": dict(job.looked),
        "versions": versions(),
    }
