"""How a job's candidates are bred, or its chains walk: the settings in the terms of an engine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fooling.engines.anneal import Annealing
    from fooling.engines.state import Breeding
    from fooling.job import Job
    from fooling.kernels.reference import Rates


def wanted_levels(job: "Job") -> Any:
    """How often pixels are drawn from each grey level, [T, C, 256]: as often as in the class, or in each of its exemplars.

    Without a class, as often as in the mean of all classes; without statistics, all as often.
    """
    import numpy as np

    from fooling.kernels.tables import LEVELS, levels_within_bins

    prior, statistics = job.settings.prior, job.statistics
    bins = job.settings.search.draw == "bins"
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


def make_annealing(job: "Job") -> "Annealing":
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


def make_breeding(job: "Job") -> "Breeding":
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


def make_rates(job: "Job") -> "Rates":
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
