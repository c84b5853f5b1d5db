"""What the page of an audit says of parts that were left out, and what it advises to do next, by what was measured."""

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Any

from fooling.plots import words
from fooling.report.content import Figure
from fooling.report.gate import number
from fooling.report.verdict import WITHOUT
from fooling.settings.gate import NOTHING

Found = Mapping[str, Any]
OF_NOTHING = {f"{kind.figure}99": kind.name for kind in NOTHING.values()}
TRAINED = "simple_statistics"  # the one detector that has seen evolved images
SIDE, CLASSES = 64, 20  # of a large model: images above it, or more classes
OFTEN = 0.01  # share of images without any of the classes from which on a threshold is no help
ALL_PRIORS, NO_GRADIENTS, BY_SCORES = " against prior=", "has no gradients", "need scores alone"
PARTS = {
    "q": "attacks without a prior",
    "gradients": "attacks by gradients",
    "priors": "attacks with priors",
    "priors: classes": "attacks with priors, of some classes",
    "mismatch": "images that are one class to others and another to the model",
    "detectors": "detectors of evolved images",
    "facts: calibration": "calibration",
    **{f"nothing: {key}": kind.name for key, kind in NOTHING.items()},
}


# --- left out -----------------------------------------------------------------------------------------------------------
def left_out(found: Found) -> list[str]:
    """A line for everything that was not measured: what and why, then what could be done. Equal reasons share one."""
    parts: dict[str, list[str]] = {}
    for one in found.get("left_out") or ():
        names = parts.setdefault(reason(str(one["why"])), [])
        name = part_name(str(one["part"]))
        names += [] if name in names else [name]
    return [f"Left out: {'; '.join(names)}. {why}" for why, names in parts.items()]


def part_name(part: str) -> str:
    """A part of the audit in words; of a detector without the priors, which share its reason."""
    kind, _, rest = part.partition(ALL_PRIORS)[0].partition(": ")
    if part in PARTS or not rest:
        return PARTS.get(part, part)
    if kind == "detectors":
        return "all detectors" if rest == "all" else f"the detector by {words(rest)}"
    return f"{PARTS.get(kind, kind)}: {rest}"


def reason(why: str) -> str:
    """Why a part was left out, then what could be done, as sentences; what is of the program alone is dropped."""
    parts = [part for part in why.split("; ") if BY_SCORES not in part]
    if parts and NO_GRADIENTS in parts[0]:  # of an earlier record
        hint = parts[0].partition(f"{NO_GRADIENTS}: ")[2]
        parts = ["the model offers no gradients", *([hint] if hint and not hint.startswith("expected") else [])]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)


# --- next ---------------------------------------------------------------------------------------------------------------
def next_steps(found: Found, figures: Sequence[Figure]) -> list[str]:
    """What to do next, by what was found."""
    values = {one.name: one.value for one in figures}
    steps = []
    if any(one["passed"] is False for one in found.get("checks") or ()):
        steps.append(
            "A check of the evaluation failed: mend this first (a larger budget, other gradients); do not cite the figures."
        )
    sure = [(value, name) for name in OF_NOTHING if (value := values.get(name)) is not None and value > OFTEN]
    if sure:
        value, name = max(sure)
        share = f"{number(value, 'share')} of {OF_NOTHING[name]}"
        steps.append(f"Do not rely on a threshold of 99 % alone: {WITHOUT} pass it ({share}).")
    facts = found["facts"]
    scaled, unscaled = facts.get("ece_scaled"), facts.get("ece_unscaled")
    if None not in (scaled, unscaled) and scaled < unscaled:
        errors = f"{number(scaled, 'share')}, without it {number(unscaled, 'share')}"
        steps.append(f"Divide the logits by the fitted temperature: the calibration error on real images is then {errors}.")
    steps += best_detector([one for one in figures if one.name.startswith("auroc_") and one.value is not None])
    steps += measure_more(found)
    again = "When the model has changed, audit it again with the same command, and compare: fooling compare BEFORE AFTER."
    return [*steps, again]


def best_detector(figures: Sequence[Figure]) -> list[str]:
    """Which detector helps; below .5 evolved images look more certain than real ones."""
    areas = [(one.value or 0.0, one.name.removeprefix("auroc_")) for one in figures]
    scores = [(area, name) for area, name in areas if not name.startswith(TRAINED)]
    trained = [area for area, name in areas if name == TRAINED]
    said = []
    if scores:
        area, name = max(scores)
        certain = f"to all of them evolved images look more certain than real ones (AUROC at most {above(area)}; .5 is chance)"
        best = f"The best detector by scores is {words(name)} (AUROC {below(area)})."
        said.append(f"Detectors by scores fail: {certain}." if area <= 0.5 else best)
    if trained and trained[0] > 0.5:
        honest = "but they have seen evolved images, and an attack that knows them can avoid them"
        said.append(f"Simple statistics of the image separate evolved from real ones (AUROC {below(trained[0])}), {honest}.")
        said.append(
            "So check inputs by such statistics, too, and test the check by attacks that it has not seen: fooling detect."
        )
    return [" ".join(said)] if said else []


def above(area: float) -> str:
    """An AUROC, never rounded down."""
    return f"{ceil(1000 * area - 1e-9) / 1000:.3f}"


def below(area: float) -> str:
    """An AUROC, never rounded up to 1."""
    return f"{floor(1000 * area + 1e-9) / 1000:.3f}"


def measure_more(found: Found) -> list[str]:
    """What would add the parts that are missing: data, a larger budget, more classes, gradients."""
    protocol, facts, q = found["protocol"], found["facts"], found.get("q")
    lacks = {str(one["part"]): reason(str(one["why"])) for one in found.get("left_out") or ()}
    steps = []
    if not facts.get("accuracy"):
        more = "accuracy, calibration and detectors"
        more += "" if is_large(found) else ", attacks with priors of your images"
        steps.append(f"Give labelled images of what the model is for, data.path=FOLDER: they add {more}.")
    if q and q["q9999"] is None:
        budget, minutes = 4 * protocol["budget"], 4 * protocol["minutes"]
        longer = "would let each attack go on four times as long and may give Q a value, comparable at that budget alone"
        steps.append(f"Q lies above the budget; give budget={budget} minutes={minutes:g}, which {longer}.")
    attacked, of = len(protocol["attacked"]), protocol["of"]
    if 0 < attacked < of:
        more = f"sample={min(of, 5 * attacked)}"
        steps.append(f"Attack more than {attacked} of the {of:,} classes, which narrows the intervals: {more}.")
    if "gradients" in lacks:
        hint = (
            lacks["gradients"].partition(". ")[2] or "Audit the PyTorch or Keras model, if there is one, not an exported file."
        )
        steps.append(f"Let attacks use gradients, with which they often need fewer images. {hint}")
    return steps


def is_large(found: Found) -> bool:
    """Whether the model takes large images or has many classes: its defaults are those of large models."""
    return bool(max(found["model"]["input_shape"][:2]) > SIDE or found["protocol"]["of"] > CLASSES)
