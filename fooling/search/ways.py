"""How a job's candidates are bred, or its chains walk: the settings in the terms of an engine."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fooling.kernels.mutation_tables import NO_PERTURBATIONS, gaussian_perturbations, polynomial_perturbations
from fooling.kernels.reference.operators import OperatorRates
from fooling.kernels.tables import LEVELS, RATE_ONE, draw_table, exact_counts, levels_within_bins, rate_threshold

if TYPE_CHECKING:
    from fooling.search.annealing import AnnealingParams
    from fooling.search.continuous import Initialization
    from fooling.search.deep_dream import DreamParams
    from fooling.search.genetic import GeneticParams
    from fooling.search.gradient_ascent import AscentParams
    from fooling.search.gradient_steps import StepSize
    from fooling.search.job import Job
    from fooling.search.weight_feedback import FeedbackParams


def search_of(job: "Job") -> Any:
    """The settings of the job's search; each function below is for a search that has what it reads."""
    return job.settings.search


def level_distribution(job: "Job") -> Any:
    """How often pixels are drawn from each grey level, [T, C, 256]: as often as in the class, or in each of its exemplars.

    Without a class, as often as in the mean of all classes; without statistics, all as often.
    """

    prior, statistics = job.settings.prior, job.statistics
    bins = search_of(job).draw == "bins"
    if statistics is None:
        return np.full((1, job.objective.classifier.input_shape[2], LEVELS), 1 / LEVELS)
    if not job.has_prior:
        every = range(len(statistics.count))
        classes = [levels_within_bins(statistics.bins(k, prior.bins)) if bins else statistics.levels[k] for k in every]
        return np.mean(classes, axis=0)[None]
    wanted = job.prior_digit
    if bins:
        return levels_within_bins(job.objective.arguments["histogram"][1].targets)
    return statistics.exemplar_levels[wanted].astype(float) if prior.exemplar else statistics.levels[None, wanted]


def make_annealing_params(job: "Job") -> "AnnealingParams":
    """How chains walk."""
    from fooling.search.annealing import AnnealingParams

    search, shape, levels = search_of(job), job.objective.classifier.input_shape, level_distribution(job)
    return AnnealingParams(
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


def make_genetic_params(job: "Job") -> "GeneticParams":
    """How children are made and kept."""
    from fooling.search.genetic import GeneticParams

    search, shape = search_of(job), job.objective.classifier.input_shape
    return GeneticParams(
        shape=(shape[0], shape[1], shape[2]),
        population=search.population,
        selected=getattr(search, "selected", search.population),  # pareto keeps as many as it breeds
        tables=draw_table(level_distribution(job)),
        mixing=search.crossover != "none",
        mutate_factor=search.mutate_factor,
        min_rate=search.min_rate,
        swap=threshold_of(search.swaps, shape[0] * shape[1]),
        elitism=getattr(search, "elitism", True),
        seed=job.settings.seed,
        rates=make_operator_rates(job),
    )


# Where nobody says how far a step goes: root mean square, grey levels; from noise, and from a picture.
RATES = {"ascent": (20.0, 20.0), "dream": (10.0, 6.0), "feedback": (2.0, 2.0)}
BLUR_SD = 0.5  # pixels, from noise; a picture would fade


def make_ascent_params(job: "Job") -> "AscentParams":
    """How gradients are climbed."""
    from fooling.search.gradient_ascent import AscentParams

    search = search_of(job)
    blur = search.blur_sd if search.blur_sd is not None else BLUR_SD if job.picture is None else 0.0
    window = getattr(job.objective.classifier, "window", None)
    jitter = search.jitter if search.jitter is not None else max(window[:2]) // 2 if window else 0
    return AscentParams(
        make_initialization(job), make_step_size(job), search.climb, blur, search.blur_every, search.total_variation, jitter
    )


def make_dream_params(job: "Job") -> "DreamParams":
    """What is dreamt, and at which scales."""

    from fooling.search.deep_dream import DreamParams

    search, climb = search_of(job), make_ascent_params(job)
    window = getattr(job.objective.classifier, "window", job.objective.classifier.input_shape)
    octaves = octave_sides(climb.start.shape, window, min(search.octaves, search.generations), search.octave_scale)
    return DreamParams(
        **{field.name: getattr(climb, field.name) for field in fields(climb)},
        layer=search.layer,
        channel=search.channel,
        neuron=search.neuron,
        octaves=octaves,
        round=search.generations,
        zoom=search.zoom,
    )


def octave_sides(picture: Any, window: Any, number: int, scale: float) -> tuple[tuple[int, int], ...]:
    """Heights and widths of at most so many octaves, from small to the picture's own; none is smaller than the window."""
    height, width, _ = picture
    sides = [(round(height / scale**k), round(width / scale**k)) for k in range(number)]
    fitting = [one for one in sides if one[0] >= window[0] and one[1] >= window[1]]
    return tuple(dict.fromkeys(reversed(fitting)))


def make_feedback_params(job: "Job") -> "FeedbackParams":
    """How a perceptron's weights are fed back."""
    from fooling.search.weight_feedback import FeedbackParams

    return FeedbackParams(make_initialization(job), make_step_size(job), search_of(job).losers)


def make_step_size(job: "Job") -> "StepSize":
    """How far a step goes."""
    from fooling.search.gradient_steps import StepSize

    search = search_of(job)
    usual = RATES[search.name][0 if job.picture is None else 1]
    return StepSize(usual if search.rate is None else search.rate, search.decay, search.ground)


def make_initialization(job: "Job") -> "Initialization":
    """Where runs of real numbers begin."""

    from fooling.search.continuous import Initialization

    search, sides = search_of(job), job.objective.classifier.input_shape
    shape, image = (sides[0], sides[1], sides[2]), None
    even = np.full((1, shape[2], LEVELS), 1 / LEVELS)
    tables = draw_table(level_distribution(job) if search.start == "levels" else even)
    if job.picture is not None:
        image = job.picture.astype(np.float32)
    elif search.start == "mean":
        image = (job.fitted.mean.mean(axis=0) / 256).astype(np.float32).reshape(shape)
    elif search.start == "grey":
        image = np.full(shape, 128, dtype=np.float32)
    return Initialization(shape, tables, image, search.noise, job.settings.seed)


# How each search is told what the settings say.
WAYS = {
    "ga": make_genetic_params,
    "pareto": make_genetic_params,
    "anneal": make_annealing_params,
    "ascent": make_ascent_params,
    "dream": make_dream_params,
    "feedback": make_feedback_params,
}


def make_operator_rates(job: "Job") -> OperatorRates:
    """How often the further operators act, with the moves of those that do."""

    search, shape = search_of(job), job.objective.classifier.input_shape
    places, pixels = shape[0] * shape[1], shape[0] * shape[1] * shape[2]
    share = {"uniform": search.rectangles, "rectangle": 1.0, "none": 0.0}[search.crossover]
    return OperatorRates(
        rectangle=round(share * RATE_ONE),
        gaussian=threshold_of(search.gaussians, pixels),
        polynomial=threshold_of(search.polynomials, pixels),
        blur=threshold_of(search.blurs, places),
        gaussian_table=gaussian_perturbations(search.gaussian_sd) if search.gaussians else NO_PERTURBATIONS,
        polynomial_table=polynomial_perturbations(search.polynomial_eta) if search.polynomials else NO_PERTURBATIONS,
    )


def threshold_of(mean: float, places: int) -> int:
    """The rate of what happens `mean` times in so many places, at most at every second: an integer in units of 2⁻²⁴."""

    return rate_threshold(min(mean / places, 0.5))
