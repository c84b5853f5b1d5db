"""How a job's candidates are bred, or its chains walk: the settings in the terms of an engine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fooling.engines.anneal import Annealing
    from fooling.engines.state import Breeding
    from fooling.job import Job
    from fooling.kernels.reference import Rates
    from fooling.searches.ascent import Climb
    from fooling.searches.dream import Dreaming
    from fooling.searches.feedback import Feeding
    from fooling.searches.floating import Start
    from fooling.searches.steps import Pace


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


# Where nobody says how far a step goes: root mean square, grey levels; from noise, and from a picture.
RATES = {"ascent": (20.0, 20.0), "dream": (10.0, 6.0), "feedback": (2.0, 2.0)}
BLUR_SD = 0.5  # pixels, from noise; a picture would fade


def make_climb(job: "Job") -> "Climb":
    """How gradients are climbed."""
    from fooling.searches.ascent import Climb

    search = job.settings.search
    blur = search.blur_sd if search.blur_sd is not None else BLUR_SD if job.picture is None else 0.0
    window = getattr(job.objective.classifier, "window", None)
    jitter = search.jitter if search.jitter is not None else max(window[:2]) // 2 if window else 0
    return Climb(make_start(job), make_pace(job), search.climb, blur, search.blur_every, search.total_variation, jitter)


def make_dreaming(job: "Job") -> "Dreaming":
    """What is dreamt, and at which scales."""
    from dataclasses import fields

    from fooling.searches.dream import Dreaming

    search, climb = job.settings.search, make_climb(job)
    window = getattr(job.objective.classifier, "window", job.objective.classifier.input_shape)
    octaves = octave_sides(climb.start.shape, window, min(search.octaves, search.generations), search.octave_scale)
    return Dreaming(
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


def make_feeding(job: "Job") -> "Feeding":
    """How a perceptron's weights are fed back."""
    from fooling.searches.feedback import Feeding

    return Feeding(make_start(job), make_pace(job), job.settings.search.losers)


def make_pace(job: "Job") -> "Pace":
    """How far a step goes."""
    from fooling.searches.steps import Pace

    search = job.settings.search
    usual = RATES[search.name][0 if job.picture is None else 1]
    return Pace(usual if search.rate is None else search.rate, search.decay, search.ground)


def make_start(job: "Job") -> "Start":
    """Where runs of real numbers begin."""
    import numpy as np

    from fooling.kernels.tables import LEVELS, draw_table
    from fooling.searches.floating import Start

    search, sides = job.settings.search, job.objective.classifier.input_shape
    shape, image = (sides[0], sides[1], sides[2]), None
    even = np.full((1, shape[2], LEVELS), 1 / LEVELS)
    tables = draw_table(wanted_levels(job) if search.start == "levels" else even)
    if job.picture is not None:
        image = job.picture.astype(np.float32)
    elif search.start == "mean":
        image = (job.fitted.mean.mean(axis=0) / 256).astype(np.float32).reshape(shape)
    elif search.start == "grey":
        image = np.full(shape, 128, dtype=np.float32)
    return Start(shape, tables, image, search.noise, job.settings.seed)


# How each search is told what the settings say.
WAYS = {
    "ga": make_breeding,
    "pareto": make_breeding,
    "anneal": make_annealing,
    "ascent": make_climb,
    "dream": make_dreaming,
    "feedback": make_feeding,
}


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
