"""Rules between settings of the main job, as sentences; what a single field may hold is in its type."""

from typing import Any

from fooling.settings.choices import choices, defaults
from fooling.settings.searches import (
    AnnealSettings,
    DreamSettings,
    FeedbackSettings,
    GaSettings,
    GeneticSettings,
    GradientSettings,
    ParetoSettings,
)


def run_errors(settings: Any) -> list[str]:
    """What is wrong with the settings of a run; empty if nothing is."""
    problems = search_errors(settings)
    if settings.engine.toolbox and settings.engine.name != "deap":
        problems.append(f"engine.toolbox: expected engine=deap, got engine={settings.engine.name}")
    if settings.stop == "tol" and settings.tol is None:
        problems.append("stop: expected tol=… with stop=tol, got tol=null; for example tol=0.055")
    if settings.resume and settings.overwrite:
        problems.append("resume: expected resume=true or overwrite=true, got both")
    if settings.prior.statistics and settings.data.given:
        problems.append("prior.statistics: expected a file or data to fit statistics to, got both")
    if not any(settings.prior.weights.model_dump().values()):
        problems.append("prior.weights: expected at least one above 0, got all 0")
    problems += evade_errors(settings)
    if settings.search.joint:
        problems += joint_errors(settings)
    elif settings.digit == "any":
        problems += any_errors(settings)
    return problems


def search_errors(settings: Any) -> list[str]:
    """What is wrong with the chosen search."""
    search = settings.search
    problems = [] if is_open(search) else budget_errors(settings)
    if isinstance(search, GaSettings) and search.selected > search.population:
        problems.append(f"search.selected: expected at most search.population ({search.population}), got {search.selected}")
    if settings.stop == "settled" and not isinstance(search, GradientSettings):
        problems.append(f"stop: expected search=ascent, dream or feedback with stop=settled, got search={search.name}")
    if isinstance(search, ParetoSettings):
        problems += pareto_errors(settings)
    if isinstance(search, DreamSettings):
        problems += dream_errors(settings)
    if isinstance(search, FeedbackSettings) and settings.control:
        problems.append("control: expected control=false, got true; it disables the classifier, but search=feedback needs it")
    return problems


def is_open(search: Any) -> bool:
    """Whether the classifier may choose another search, as this one is the usual one with its usual population."""
    return isinstance(search, GaSettings) and search.population == defaults(f"search/{search.name}")["search"]["population"]


def evade_errors(settings: Any) -> list[str]:
    """Detectors are fitted to data, and evaded by engines that score whole images."""
    if not getattr(settings.search, "evade", ()):
        return []
    problems = []
    if not settings.data.given:
        problems.append(
            "search.evade: expected data.path=PATH with it, to whose training images detectors are fitted, got none"
        )
    if settings.engine.name not in ("reference", "numba"):
        problems.append(f"search.evade: expected engine=numba or reference with it, got engine={settings.engine.name}")
    return problems


def budget_errors(settings: Any) -> list[str]:
    """A budget must pay for the first generation, and of chains and gradient searches for one more step."""
    search = settings.search
    if isinstance(search, AnnealSettings):
        least, what = search.proposals + 1, "1 + search.proposals"
    elif isinstance(search, GradientSettings):
        least, what = 2, "2"
    elif isinstance(search, GeneticSettings):
        least, what = search.population, "search.population"
    else:
        return []  # the search's own schedule says, see `StoppingCriteria`, which also checks what is open here
    if settings.budget is None or settings.budget >= least:
        return []
    return [f"budget: expected at least {what} ({least}), got {settings.budget}"]


def dream_errors(settings: Any) -> list[str]:
    """What is wrong with the unit that is maximised."""
    search = settings.search
    problems = []
    if search.channel is not None and search.neuron is not None:
        problems.append("search.channel: expected a channel or search.neuron, got both; a neuron is a single unit")
    if search.layer is None and (search.channel is not None or search.neuron is not None):
        problems.append(
            "search.layer: expected a layer for search.channel or search.neuron, got null; see `fooling examine layers=true`"
        )
    if search.layer is None and settings.control:
        problems.append("control: expected control=false, got true; it disables the classifier, but search=dream needs it")
    return problems


def pareto_errors(settings: Any) -> list[str]:
    """A front needs two objectives: the classifier and a prior."""
    problems = []
    if not has_penalties(settings):
        near = ", ".join(name for name in choices("prior") if name != "none")
        problems.append(
            f"prior: expected a prior with a term besides the target for search=pareto, got prior={settings.prior.name}; "
            f"choose one of prior={near}"
        )
    if not uses_classifier(settings):
        problems.append(f"search: expected a classifier for search=pareto, got {disabled_by(settings)}, which disables it")
    return problems


def any_errors(settings: Any) -> list[str]:
    """digit=any has no class whose statistics could be used, unless prior.digit names it."""
    prior = settings.prior
    problems = []
    if not uses_classifier(settings):
        problems.append(
            f"digit: expected a class, for example digit=2, got any with {disabled_by(settings)}, which disables the classifier"
        )
    needs = f"prior={prior.name}" if has_penalties(settings) else "prior.exemplar=true" if prior.exemplar else ""
    if settings.preset == "mismatched":
        problems.append("digit: expected another class than the prior's with preset=mismatched, got any; for example digit=4")
    elif needs and prior.digit is None:
        problems.append(
            f"prior.digit: expected the class of the statistics for digit=any with {needs}, got null; or prior=none"
        )
    return problems


def joint_errors(settings: Any) -> list[str]:
    """One job for several classes has one archive, and no class whose statistics could be used, unless prior.digit names it."""
    name, prior, problems = f"search={settings.search.name}", settings.prior, []
    if settings.digit != "all" and (not isinstance(settings.digit, tuple) or len(settings.digit) < 2):
        advice = "search=es is for one class, or whichever is reached"
        problems.append(f"digit: expected all or several classes with {name}, got {settings.digit}; {advice}")
    if settings.runs != 1:
        problems.append(f"runs: expected 1 with {name}, got {settings.runs}; it has one archive, for another give seed=…")
    if prior.exemplar:
        problems.append(f"prior.exemplar: expected false with {name}, got true; all cells have the same statistics")
    if has_penalties(settings) and prior.digit is None:
        problems.append(
            f"prior.digit: expected the class of the statistics for {name} with prior={prior.name}, got null; or prior=none"
        )
    return problems


def has_penalties(settings: Any) -> bool:
    """Whether the cost has terms besides the target."""
    weights = settings.prior.weights.model_dump()
    return any(weight for name, weight in weights.items() if name != "target")


def uses_classifier(settings: Any) -> bool:
    """Whether the classifier has a weight."""
    return not settings.control and settings.prior.weights.target > 0


def disabled_by(settings: Any) -> str:
    """The setting that disables the classifier."""
    return "control=true" if settings.control else "prior.weights.target=0"
