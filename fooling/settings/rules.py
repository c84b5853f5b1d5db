"""Settings that do not go together: what speaks against a search, or against a wanted class, as sentences."""

from typing import Any

from fooling.settings.fields import FOREIGN
from fooling.settings.overrides import choices, defaults

ONLY = {"weights": "torch", "output_name": "onnx", "timeout": "http", "retries": "http"}  # settings of one kind of classifier
GRADIENT = ("ascent", "dream", "feedback")  # searches that keep pixels as real numbers
CLIMBING = ("ascent", "dream")
OF_SEARCHES = {  # settings that only these have
    "climb": ("ascent",),
    **dict.fromkeys(("start", "image", "noise", "rate", "decay", "ground"), GRADIENT),
    **dict.fromkeys(("blur_sd", "blur_every", "total_variation", "jitter"), CLIMBING),
    **dict.fromkeys(("size", "layer", "channel", "neuron", "octaves", "octave_scale", "again", "zoom"), ("dream",)),
    "losers": ("feedback",),
}


def classifier_errors(chosen: Any) -> list[str]:
    """What speaks against the settings of a classifier: built-in networks know how their images are to be shown."""
    usual = type(chosen)(**{**defaults("run")["classifier"], "name": chosen.name, "path": chosen.path})
    given = [name for name in type(chosen).model_fields if getattr(chosen, name) != getattr(usual, name)]
    if chosen.name not in FOREIGN:
        whose = f"foreign classifiers ({', '.join(FOREIGN)})"
        return [f"classifier.{name} is of {whose}; {chosen.name} knows how its images are shown" for name in given[:1]]
    problems = [] if chosen.path else [f"classifier={chosen.name} needs classifier.path={FOREIGN[chosen.name]}"]
    kinds = {name: ONLY[name] for name in given if ONLY.get(name, chosen.name) != chosen.name}
    return problems + [f"classifier.{name} is of classifier={kind}, got {chosen.name}" for name, kind in kinds.items()]


def search_errors(settings: Any) -> list[str]:
    """What speaks against the settings of the chosen search."""
    search, budget = settings.search, settings.budget
    usual, problems = defaults("run")["search"], []
    if search.name == "pareto":
        problems += pareto_errors(settings)
    elif search.name == "ga" and search.selected > search.population:
        problems.append(f"search.selected must be at most search.population ({search.population}), got {search.selected}")
    least, what = {"anneal": (search.proposals + 1, "1 + search.proposals"), **dict.fromkeys(GRADIENT, (2, "2"))}.get(
        search.name, (search.population, "search.population")
    )
    if budget is not None and budget < least:
        problems.append(f"budget must be at least {what} ({least}), got {budget}")
    if search.name not in ("ga", "pareto") and search.returns == "worst":
        problems.append(f"search.returns=worst is of search=ga; search={search.name} needs search.returns=best")
    for name, searches in OF_SEARCHES.items():
        if search.name not in searches and getattr(search, name) != usual[name]:
            problems.append(f"search.{name} is of search={' and '.join(searches)}, got search={search.name}")
    if settings.stop == "settled" and search.name not in GRADIENT:
        problems.append(f"stop=settled is of search={', '.join(GRADIENT)}, got search={search.name}")
    if search.name == "dream":
        problems += dream_errors(settings)
    if search.name == "feedback" and settings.control:
        problems.append("control=true leaves the classifier out, and search=feedback adds its weights: nothing is left")
    return problems


def dream_errors(settings: Any) -> list[str]:
    """What speaks against what is to be raised."""
    search = settings.search
    problems = []
    if search.channel is not None and search.neuron is not None:
        problems.append(
            "search.channel and search.neuron exclude each other: a channel is raised everywhere, a neuron is one unit"
        )
    if search.layer is None and (search.channel is not None or search.neuron is not None):
        problems.append("search.channel and search.neuron need search.layer=…; fooling examine layers=true lists the layers")
    if search.layer is None and settings.control:
        problems.append("control=true leaves the classifier out, and search=dream raises one of its outputs: nothing is left")
    return problems


def pareto_errors(settings: Any) -> list[str]:
    """What speaks against a front of target against prior."""
    search, prior = settings.search, settings.prior
    problems = []
    if search.population < 4:
        problems.append(f"search=pareto needs search.population=4 or more, got {search.population}")
    if not has_penalties(settings):
        near = ", ".join(name for name in choices("prior") if name != "none")
        problems.append(
            f"search=pareto weighs the classifier against a prior, and prior={prior.name} has no term "
            f"besides the target; take one of prior={near}"
        )
    if not asks_classifier(settings):
        problems.append(f"search=pareto weighs the classifier against a prior; {without(settings)} leaves the classifier out")
    if search.returns == "worst":
        problems.append("search.returns=worst is of search=ga; search=pareto needs search.returns=best")
    return problems


def any_errors(settings: Any) -> list[str]:
    """What speaks against digit=any."""
    prior = settings.prior
    problems = []
    if not asks_classifier(settings):
        problems.append(
            f"digit=any is the class that the classifier is surest of; {without(settings)} leaves the classifier out: "
            "name a class, for example digit=2"
        )
    needs = f"prior={prior.name}" if has_penalties(settings) else "prior.exemplar=true" if prior.exemplar else ""
    if settings.preset == "mismatched":
        problems.append("digit=any with preset=mismatched finds the prior's own class; name another one, for example digit=4")
    elif needs and prior.digit is None:
        problems.append(f"digit=any with {needs} needs prior.digit=…, the class of the statistics; prior=none needs none")
    return problems


def has_penalties(settings: Any) -> bool:
    """Whether the cost has terms besides the target."""
    weights = settings.prior.weights.model_dump()
    return any(weight for name, weight in weights.items() if name != "target")


def asks_classifier(settings: Any) -> bool:
    """Whether the classifier has a say."""
    return not settings.control and settings.prior.weights.target > 0


def without(settings: Any) -> str:
    """The setting that leaves the classifier out."""
    return "control=true" if settings.control else "prior.weights.target=0"
