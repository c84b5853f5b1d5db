"""Searches: how candidate images are generated, scored and selected; one file for each algorithm, one row in SEARCHES."""

from importlib import import_module

from fooling.errors import UserError
from fooling.search.protocol import Search

SEARCHES = {  # search → engine → module:class, imported when a job needs it
    "ga": {
        "reference": "fooling.search.genetic.reference:ReferenceEngine",
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
