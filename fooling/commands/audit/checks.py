"""Three checks of an audit by itself: whether its attacks are worth believing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fooling.commands.audit.attacks import LEVELS
from fooling.plots import whole_percent
from fooling.search.result import Result
from fooling.search.state import MILESTONES
from fooling.statistics.intervals import difference_of_proportions, proportion_with_ci

Content = Mapping[str, Any]  # of audit.json, so far
SURE = 0.99  # confidence of success
END = MILESTONES[LEVELS["9999"]]  # confidence at which an attack ends
SLACK = 1e-3  # by which scores of an image may differ in another batch
FEWEST = 5  # attacks in either half, to compare them
CLASSES = 10  # with one attack each, to compare halves of them


def checks(content: Content, results: Sequence[Result], gradient_results: Sequence[Result]) -> list[dict[str, Any]]:
    """Whether the attacks are worth believing (Carlini et al. 2019, "On evaluating adversarial robustness", section 4)."""
    budget = content["protocol"]["budget"]
    return [
        more_budget(results, budget, int(content["protocol"].get("seed", 0))),
        gradients(content["q"], gradient_results),
        noise(content),
    ]


def check(name: str, passed: bool | None, text: str) -> dict[str, Any]:
    """A check; `passed` is None where it could not be made."""
    return {"name": name, "passed": passed, "text": text}


def more_budget(results: Sequence[Result], budget: int, seed: int) -> dict[str, Any]:
    """More budget is never worse, and what attacks found is in the saved images.

    Independent attacks are compared: some count at half of the budget, the others at all of it (`halves`). The first may not
    succeed more often, beyond the 95 % interval of the difference.
    """
    name = "more_budget"
    if not results:
        return check(name, None, "no attack without a prior ran")
    lost, saved = lost_images(results)
    text = f"{saved - lost} of {saved} saved images of attacks that reached 99.99 % have that confidence"
    text = text if saved else "no attack reached 99.99 %, so that no saved image was compared"
    early, late, how = halves(results, budget, seed)
    if min(len(early), len(late)) < FEWEST:
        least = f"expected {FEWEST} or more of either, or one attack on each of {CLASSES} classes"
        why = f"too few attacks to compare budgets: {len(early)} and {len(late)}, {least}"
        return check(name, False if lost else None, f"{text}; {why}")
    if not any(within(result, budget).any() for result in results):
        return check(name, False if lost else None, f"{text}; no attack reached 99 %, so that no budgets are left to compare")
    half, whole = proportion(early), proportion(late)
    low, _ = difference_of_proportions(whole, half)
    text += f"; {counts(half)} attacks reached 99 % with half of the budget, {counts(whole)} other attacks with all of it{how}"
    return check(name, not lost and low <= 0, text)


def halves(results: Sequence[Result], budget: int, seed: int) -> tuple[Any, Any, str]:
    """Which attacks succeed at half of the budget, which others at all of it, and how they were divided.

    Of each class every second attack counts at half of the budget; of one attack a class, half of the
    classes, drawn by the seed.
    """
    number = len(results)
    if number >= CLASSES and all(len(result.evaluations_to) == 1 for result in results):
        drawn = set(np.random.default_rng(seed).permutation(number)[: number // 2].tolist())
        early = np.concatenate([within(result, budget / 2) for i, result in enumerate(results) if i in drawn])
        late = np.concatenate([within(result, budget) for i, result in enumerate(results) if i not in drawn])
        return early, late, f" (compared across classes: {len(drawn)} of {number}, drawn by the seed, had half of it)"
    early = np.concatenate([within(result, budget / 2)[::2] for result in results])
    return early, np.concatenate([within(result, budget)[1::2] for result in results]), ""


def within(result: Result, budget: float) -> Any:
    """Which attacks reach a confidence of .99 within so many evaluations, [R]."""
    reached_at = result.evaluations_to[:, LEVELS["99"]]
    return (reached_at >= 0) & (reached_at <= budget)


def lost_images(results: Sequence[Result]) -> tuple[int, int]:
    """Of the attacks that ended at a confidence of .9999, how many saved images lack it, and how many attacks these are.

    Others go on by their cost, and may lose a confidence again that they reached.
    """
    lost = ended = 0
    for result in results:
        reached = result.evaluations_to[:, LEVELS["9999"]] >= 0
        lost += int((result.confidence[reached] < END - SLACK).sum())
        ended += int(reached.sum())
    return lost, ended


def gradients(q: Content | None, results: Sequence[Result]) -> dict[str, Any]:
    """Gradients are not beaten by scores alone; where they are, they are masked or the attacks by them too weak.

    On the classes that both attacked. It fails only where the difference lies beyond its 95 % interval.
    """
    name = "gradients"
    if q is None or not results:
        return check(name, None, f"no attack {'without a prior' if q is None else 'by gradients'} ran")
    rows = {row["digit"]: row["reached99"] for row in q["classes"]}
    common = [result for result in results if result.digit in rows]
    if not common:
        return check(name, None, "attacks by gradients and by scores alone have no class in common")
    by_gradients = proportion(np.concatenate([result.confidence >= SURE for result in common]))
    known = [rows[digit] for digit in dict.fromkeys(result.digit for result in common)]
    by_scores = proportion_with_ci(*(sum(row[key] for row in known) for key in ("part", "of")))
    if not by_scores["part"]:
        return check(
            name, None, f"no attack by scores alone reached 99 % on these {len(known)} classes: nothing to beat gradients"
        )
    _, high = difference_of_proportions(by_scores, by_gradients)
    text = f"{percent(by_gradients)} of the attacks by gradients reached 99 %, {percent(by_scores)} of those by scores alone"
    return check(name, high >= 0, f"{text}, on the same {len(known)} classes")


def noise(content: Content) -> dict[str, Any]:
    """Noise does not succeed where the attacks fail: for no class that no attack reached is the classifier sure of noise."""
    name, q, nothing = "noise", content["q"], content["nothing"]
    if q is None:
        return check(name, None, "no attack without a prior ran")
    row = next((row for row in nothing["rows"] if row["kind"] == "even_noise"), None)
    if row is None:
        return check(name, None, f"noise was not measured: {'; '.join(nothing.get('left_out') or ()) or 'no images'}")
    if row["at_99"]["part"] and "sure" not in row:
        return check(name, None, "the record does not say for which classes noise reaches 99 %; a new audit does")
    failed = {one["digit"] for one in q["classes"] if one["reached99"]["part"] == 0}
    if not failed:
        return check(name, None, "attacks reached 99 % on every class, so that no class is left to check")
    found = failed & set(row.get("sure", ()))
    missed = f"no attack reached 99 % on {len(failed)} of {len(q['classes'])} classes"
    return check(name, not found, f"{missed}; noise images reached it on {len(found) or 'none'} of those {len(failed)}")


# --- proportions ------------------------------------------------------------------------------------------------------
def proportion(flags: Any) -> dict[str, Any]:
    """The proportion of flags [N] that are set."""
    return proportion_with_ci(int(flags.sum()), len(flags))


def counts(found: Content) -> str:
    """A proportion as 3 of 10."""
    return f"{found['part']} of {found['of']}"


def percent(found: Content) -> str:
    """A proportion as 30 % (3 of 10)."""
    return f"{whole_percent(found['share'])} ({counts(found)})"
