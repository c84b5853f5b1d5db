"""Searches: how candidate images are generated, scored and selected; one file for each algorithm, one row in SEARCHES."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, Self

import numpy.typing as npt

from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.search.objective import Objective
from fooling.search.state import Runs, State
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics


@dataclass(frozen=True)
class Schedule:
    """How many evaluations a search takes and what it returns, as its settings say."""

    first: int  # evaluations of a run in generation 0 …
    population: int  # … and in each later one
    last: int  # the last generation, if there is no budget
    minimum_budget: int  # evaluations of a run
    returns: Literal["best", "worst"] = "best"  # of the last selection, for a run that reaches its end
    whole: bool = False  # whether a run returns all of its last selection
    round: int | None = None  # generations of a round, at whose ends frames are filmed; None: there are no rounds
    joint: bool = False  # whether there is a run for each target class, and every image counts for all of them


@dataclass(frozen=True)
class StartImage:
    """What a search starts from, and the size of its images."""

    shape: tuple[int, int, int]  # H, W, C
    pixels: Bytes | None = None  # [H, W, C]; None: the search draws its first images
    note: str = ""  # how the file was fitted to the shape


class Search(Protocol):
    """One search on one engine. The loop counts, stops and records; the search computes the generations.

    A search may also have the parts of DEFAULTS.
    """

    notes: tuple[str, ...]  # sentences for the user on how it computes

    @classmethod
    def from_settings(
        cls,
        settings: RunSettings,
        objective: Objective,
        statistics: Statistics | None = None,
        start_image: Bytes | None = None,
    ) -> Self:
        """The search with the parameters in the settings. Raises UserError where it cannot attack the classifier."""

    @staticmethod
    def schedule(settings: RunSettings) -> Schedule:
        """Its evaluations and generations."""

    def init(self, runs: Runs) -> State:
        """Generation 0: the first candidates of each run, scored and selected."""

    def step(self, state: State) -> State:
        """The next generation of the runs of a state."""


def draws_levels(settings: RunSettings) -> Literal["levels", "mean", "none"]:
    """Pixels are drawn from grey levels."""
    del settings
    return "levels"


def no_start_image(settings: RunSettings, shape: tuple[int, int, int]) -> StartImage:
    """The search draws its first images, of the classifier's input shape."""
    del settings
    return StartImage(shape)


def no_measures(*args: object) -> dict[str, npt.NDArray[Any]]:
    """Nothing besides what the result holds of every search."""
    del args
    return {}


def no_extras(*args: object) -> None:
    """Writes nothing."""
    del args


def takes_any(classifier: Any, settings: RunSettings) -> None:
    """The search takes any classifier."""
    del classifier, settings


def fixes_nothing(settings: RunSettings) -> dict[str, str]:
    """A longer job begins as a shorter one."""
    del settings
    return {}


# What a search may have besides the parts of `Search`, and what applies where it has none. The first five are of the class.
DEFAULTS: Mapping[str, Any] = {
    "statistics_use": draws_levels,  # (settings) → what of the statistics its first images are made of
    "start_image": no_start_image,  # (settings, the classifier's input shape) → StartImage
    "fixed_limits": fixes_nothing,  # (settings) → {search.generations or budget: why the images up to there depend on it}
    "check_classifier": takes_any,  # (classifier, settings): raises UserError for one that the search cannot take
    "measure": no_measures,  # (images, target classes, classifier, generations [R]) → {name: [R]}, for run.json
    "save_extras": no_extras,  # (record, classifier): writes `files` once the runs have ended
    "shown_together": 0,  # whole images of each run that one call shows to the classifier; 0: it sees none, or as jax likes
    "files": (),  # names of the files that it adds to the record
}


def part_of(search: "Search | type[Search]", name: str) -> Any:
    """A part of DEFAULTS: the search's own or the default."""
    return getattr(search, name, DEFAULTS[name])


SEARCHES = {  # search → engine → module:class, imported when a job needs it
    "ga": {
        "reference": "fooling.search.genetic:ReferenceEngine",
        "numba": "fooling.search.genetic.numba:NumbaEngine",
        "jax": "fooling.search.genetic.jax:JaxEngine",
        "deap": "fooling.search.genetic.deap:DeapEngine",
    },
    "anneal": {
        "reference": "fooling.search.annealing:ReferenceAnneal",
        "numba": "fooling.search.annealing:NumbaAnneal",
    },
    "pareto": {
        "reference": "fooling.search.nsga2:ReferencePareto",
        "numba": "fooling.search.nsga2:NumbaPareto",
    },
    "es": {
        "reference": "fooling.search.evolution_strategy:ReferenceStrategy",
        "numba": "fooling.search.evolution_strategy:NumbaStrategy",
    },
    "map_elites": {
        "reference": "fooling.search.map_elites:ReferenceElites",
        "numba": "fooling.search.map_elites:NumbaElites",
    },
    "ascent": {"jax": "fooling.search.gradient_ascent:GradientAscent"},
    "dream": {"jax": "fooling.search.deep_dream:DeepDream"},
    "feedback": {"reference": "fooling.search.weight_feedback:WeightFeedback"},
}


def load_search(name: str, engine: str) -> type[Search]:
    """The class that computes a search on an engine. Raises UserError where the engine lacks the search."""
    if name not in SEARCHES:
        raise UserError(f"search={name}: expected one of {', '.join(SEARCHES)}")
    engines = SEARCHES[name]
    if engine not in engines:
        available = ", ".join(search for search, row in SEARCHES.items() if engine in row) or "none"
        needs = f"it has {available}; search={name} needs one of engine={', '.join(engines)}"
        raise UserError(f"engine={engine} has no search={name}: {needs}")
    module, _, cls = engines[engine].partition(":")
    search: type[Search] = getattr(import_module(module), cls)
    return search
