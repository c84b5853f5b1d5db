"""Engines by name, and which searches each has. A new engine is one file in this folder and one row here."""

# engine → search → (module, class)
ENGINES = {
    "reference": {
        "ga": ("fooling.engines.reference", "ReferenceEngine"),
        "anneal": ("fooling.engines.anneal", "ReferenceAnneal"),
        "pareto": ("fooling.searches.pareto", "ReferencePareto"),
        "feedback": ("fooling.searches.feedback", "Feedback"),
    },
    "numba": {
        "ga": ("fooling.engines.numba_", "NumbaEngine"),
        "anneal": ("fooling.engines.anneal", "NumbaAnneal"),
        "pareto": ("fooling.searches.pareto", "NumbaPareto"),
    },
    "jax": {
        "ga": ("fooling.engines.jax_", "JaxEngine"),
        "ascent": ("fooling.searches.ascent", "Ascent"),
        "dream": ("fooling.searches.dream", "Dream"),
    },
    "deap": {
        "ga": ("fooling.engines.deap_", "DeapEngine"),
    },
}
