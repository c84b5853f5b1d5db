"""What the page of an audit advises to do next, by what was measured."""

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

from fooling.plots import words
from fooling.report.content import Figure
from fooling.report.gate import number
from fooling.settings.gate import NOTHING

Found = Mapping[str, Any]
OF_NOTHING = {f"{kind.figure}99": kind.name for kind in NOTHING.values()}
TRAINED = "simple_statistics"  # the one detector that has seen evolved images


def next_steps(found: Found, figures: Sequence[Figure]) -> list[str]:
    """What to do next, by what was found."""
    values = {one.name: one.value for one in figures}
    steps = []
    if any(one["passed"] is False for one in found.get("checks") or ()):
        steps.append(
            "A check of the evaluation failed: mend this first (a larger budget, other gradients); do not cite the figures."
        )
    sure = [(value, name) for name in OF_NOTHING if (value := values.get(name)) is not None and value > 0.01]
    if sure:
        value, name = max(sure)
        steps.append(f"A threshold of 99 % lets images of nothing pass: {number(value, 'share')} of {OF_NOTHING[name]}.")
    facts = found["facts"]
    scaled, unscaled = facts.get("ece_scaled"), facts.get("ece_unscaled")
    if None not in (scaled, unscaled) and scaled < unscaled:
        errors = f"{number(scaled, 'share')}, without it {number(unscaled, 'share')}"
        steps.append(f"Divide the logits by the fitted temperature: the calibration error on real images is then {errors}.")
    steps += best_detector([one for one in figures if one.name.startswith("auroc_") and one.value is not None])
    return [*steps, "Audit again after the next training with the same command, and compare the two records."]


def best_detector(figures: Sequence[Figure]) -> list[str]:
    """Which detector that has not seen evolved images helps; below .5 they look more certain than real ones."""
    areas = [(one.value or 0.0, one.name.removeprefix("auroc_")) for one in figures]
    areas = [(area, name) for area, name in areas if not name.startswith(TRAINED)]
    if not areas:
        return []
    area, name = max(areas)
    if area <= 0.5:
        return ["No detector by scores helps: to all of them evolved images look more certain than real ones (AUROC below .5)."]
    return [f"The best detector by scores is {words(name)} (AUROC {floor(1000 * area + 1e-9) / 1000:.3f})."]
