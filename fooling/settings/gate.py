"""The figures of an audit by their names, and rules on them: fail_under="q9999=5000,mismatch<0.1,ece<0.05"."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator

from fooling.settings.choices import choices
from fooling.settings.detectors import AUDITED
from fooling.settings.fields import Text
from fooling.settings.files import nearest

Better = Literal["higher", "lower"]
EVALUATIONS, SHARE, AUROC, RATE = "evaluations", "share", "auroc", "images/s"  # units; shares and areas are in [0, 1]
RULE = re.compile(r"([A-Za-z]\w*)\s*(<=|>=|<|>|=)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%?)", re.ASCII)


class Figure(NamedTuple):
    """A number that an audit measures; `better` is from the classifier's point of view."""

    text: str
    unit: str
    better: Better
    part: str  # of the audit; where that is left out, the figure is missing
    needs: str = ""  # without which the part lacks it


DATA, JUDGES = "labelled images, data.path=PATH", "held-out classifiers, judges=[…]"


class Kind(NamedTuple):
    """A kind of images of nothing: the beginning of its figures' names, its name, what its images are, what it needs."""

    figure: str
    name: str
    what: str
    needs: str = ""


NOTHING = {  # by the keys of audit.json
    "blank": Kind("blank", "blank images", "one grey level or colour each"),
    "even_noise": Kind("noise", "noise images", "each pixel by itself, all grey levels alike"),
    "shuffled": Kind("shuffled", "shuffled images", "real ones, their pixels in random order", DATA),
    "phase_scrambled": Kind("scrambled", "scrambled images", "real ones with random Fourier phases", DATA),
    "foreign": Kind("foreign", "foreign images", "real ones of other things"),
}
IMAGES = "real images (data.path=PATH) and, of some detectors, logits or scores that sum to 1"
FIGURES = {
    "q99": Figure("evaluations to a confidence of .99, median", EVALUATIONS, "higher", "q"),
    "q9999": Figure("evaluations to a confidence of .9999, median", EVALUATIONS, "higher", "q"),
    "reached99": Figure("attacks that reach a confidence of .99", SHARE, "lower", "q"),
    "reached9999": Figure("attacks that reach a confidence of .9999", SHARE, "lower", "q"),
    "accuracy": Figure("accuracy on real images", SHARE, "higher", "facts", DATA),
    "ece": Figure("expected calibration error on real images", SHARE, "lower", "facts", DATA),
    "images_per_second": Figure("throughput", RATE, "higher", "facts"),
    **{
        f"{kind.figure}{level}": Figure(
            f"{kind.name} at a confidence of {least} or more", SHARE, "lower", "nothing", kind.needs
        )
        for kind in NOTHING.values()
        for level, least in (("90", ".9"), ("99", ".99"))
    },
    "mismatch": Figure("pairs with an image that is one class to others and another to the model", SHARE, "lower", "mismatch"),
}
# Names with an ending, such as auroc_entropy; {} in the text is the ending.
SERIES = {
    "success": Figure("images of prior={} that succeed", SHARE, "lower", "priors"),
    "read": Figure("images of prior={} that held-out classifiers read as their class", SHARE, "higher", "priors", JUDGES),
    "auroc": Figure("AUROC of {}: evolved against real images", AUROC, "higher", "detectors", IMAGES),
    "fpr95": Figure("FPR of {} at 95 % TPR, evolved against real images", SHARE, "lower", "detectors", IMAGES),
}


class Rule(NamedTuple):
    """A condition on a figure."""

    typed: str  # as the user wrote it
    name: str
    sign: Literal["<", "<=", ">", ">="]
    limit: float


def endings(series: str) -> dict[str, str]:
    """What may follow the name of a series and an underscore, each in words."""
    priors = choices("prior")
    if series == "success":
        return {prior: prior for prior in priors}
    if series == "read":
        return {prior: prior for prior in priors} | {f"{prior}_control": f"{prior} (control)" for prior in priors}
    plain = {name: name.replace("_", " ") for name in AUDITED}
    return plain | {f"{name}_{prior}": f"{text}, prior={prior}" for name, text in plain.items() for prior in priors}


def known_figures() -> dict[str, Figure]:
    """Every figure by its name."""
    made = {
        f"{series}_{end}": figure._replace(text=figure.text.format(text))
        for series, figure in SERIES.items()
        for end, text in endings(series).items()
    }
    return FIGURES | made


def listing() -> str:
    """The known names in a line."""
    several = {"success": "success_PRIOR", "read": "read_PRIOR[_control]"}
    detectors = f"DETECTOR[_PRIOR] (DETECTOR: {', '.join(AUDITED)})"
    return ", ".join([*FIGURES, *several.values(), f"auroc_{detectors}", "fpr95_DETECTOR[_PRIOR]"])


def parse_rules(text: str) -> list[Rule]:
    """The rules in a text, separated by commas. Raises ValueError that says what was expected."""
    parts = [part.strip() for part in text.split(",")]
    rules = [parse_rule(part) for part in parts if part]
    if not rules:
        raise ValueError("rules such as q9999=5000,mismatch<0.1")
    return list(dict.fromkeys(rules))


def parse_rule(text: str) -> Rule:
    """One rule. A = means at least or at most, whichever is better for the figure."""
    match = RULE.fullmatch(text)
    if not match:
        raise ValueError(f"rules such as q9999=5000,mismatch<0.1,ece<5%; {text!r} is none")
    name, sign, number, percent = match.groups()
    figures = known_figures()
    if name not in figures:
        near = nearest(name, figures)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"rules on {listing()}; {name} is none of them{hint}")
    figure, limit = figures[name], float(number) / (100 if percent else 1)
    is_share = figure.unit in (SHARE, AUROC)
    if percent and not is_share:
        raise ValueError(f"a number of {figure.unit} in {text!r}, no percentage")
    if (is_share and not 0 <= limit <= 1) or limit < 0 or limit == float("inf"):
        raise ValueError(f"a number from 0 to 1 or a percentage in {text!r}" if is_share else f"a number from 0 on in {text!r}")
    if sign == "=":
        sign = ">=" if figure.better == "higher" else "<="
    return Rule(text, name, sign, limit)  # type: ignore[arg-type]


def check_rules(text: str | None) -> str | None:
    """The text of rules that can be read."""
    if text is not None:
        parse_rules(text)
    return text


def rules_to_text(value: Any) -> Any:
    """A list of rules, as a YAML file may hold them, is one text."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return ",".join(value) if is_list and all(isinstance(part, str) for part in value) else value


Rules = Annotated[Text | None, BeforeValidator(rules_to_text), AfterValidator(check_rules)]
