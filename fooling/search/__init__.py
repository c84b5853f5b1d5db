"""Searches: how candidate images are generated, scored and kept; one file for each algorithm."""

# engine → search → (module, class)
ENGINES = {
    "reference": {
        "ga": ("fooling.search.genetic", "ReferenceEngine"),
        "anneal": ("fooling.search.annealing", "ReferenceAnneal"),
        "pareto": ("fooling.search.nsga2", "ReferencePareto"),
        "feedback": ("fooling.search.weight_feedback", "WeightFeedback"),
    },
    "numba": {
        "ga": ("fooling.search.genetic.numba", "NumbaEngine"),
        "anneal": ("fooling.search.annealing", "NumbaAnneal"),
        "pareto": ("fooling.search.nsga2", "NumbaPareto"),
    },
    "jax": {
        "ga": ("fooling.search.genetic.jax", "JaxEngine"),
        "ascent": ("fooling.search.gradient_ascent", "GradientAscent"),
        "dream": ("fooling.search.deep_dream", "DeepDream"),
    },
    "deap": {
        "ga": ("fooling.search.genetic.deap", "DeapEngine"),
    },
}
