"""Gates: whether the figures of an audit keep the rules of fail_under=."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fooling.errors import printable
from fooling.settings.detectors import AUDITED
from fooling.settings.gate import AUROC, EVALUATIONS, RATE, SHARE, Figure, Rule, known_figures

Status = Literal["passed", "failed", "unknown"]
MOST_DIGITS = 8  # of a percentage behind the point
ENDINGS = {"ece": "calibration"}  # of parts such as "facts: calibration", where it is not the ending of the figure's name
WORDS = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


class Verdict(NamedTuple):
    """What became of a rule. One that is unknown does not hold either: the gate stays closed."""

    name: str  # the rule as it was typed, or the figure that was compared
    status: Status
    line: str  # what was expected and what was measured


def verdicts(
    rules: Sequence[Rule],
    figures: Mapping[str, Mapping[str, Any]],
    left_out: Sequence[Mapping[str, Any]] = (),
    protocol: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """The verdict on each rule; `figures`, `left_out` and `protocol` are those of audit.json."""
    return [verdict(rule, figures.get(rule.name), left_out, protocol or {}) for rule in rules]


def verdict(
    rule: Rule, figure: Mapping[str, Any] | None, left_out: Sequence[Mapping[str, Any]], protocol: Mapping[str, Any]
) -> Verdict:
    """The verdict on a rule. It counts the value, not its interval."""
    known = known_figures()[rule.name]
    expected = f"{known.text}: expected {WORDS[rule.sign]} {number(rule.limit, known.unit)}"
    if figure is None:
        return Verdict(rule.typed, "unknown", f"{expected}, not measured: {reason(rule.name, known, left_out)}")
    value, above = figure.get("value"), figure.get("above")
    if value is None and above is None:
        return Verdict(rule.typed, "unknown", f"{expected}, not measured: {reason(rule.name, known, left_out)}")
    partly = next((str(entry.get("why")) for entry in left_out if entry.get("part") == known.part), "")
    note = f"; measured in part: {printable(partly)}" if partly else ""
    if value is None:
        is_enough = 2 * len(protocol.get("attacked", ())) >= len(protocol.get("classes", ()))
        return censored(rule, float(above or 0), expected, note, is_enough=is_enough)
    found = f"got {number(value, known.unit)}{interval(figure)}{note}"
    return Verdict(rule.typed, "passed" if holds(rule, float(value)) else "failed", f"{expected}, {found}")


def censored(rule: Rule, above: float, expected: str, note: str, *, is_enough: bool) -> Verdict:
    """The verdict on a median that lies above the budget, as less than half of the attacks were done by then.

    It is unknown where fewer than half of the classes were attacked: the others may be easier.
    """
    found = f"got more than the budget of {above:,.0f}{note}"
    if not is_enough:
        return Verdict(rule.typed, "unknown", f"{expected}, {found}: unknown, as fewer than half of the classes were attacked")
    if above < rule.limit:
        needed = f"budget={rule.limit:.0f} or more decides"
        return Verdict(rule.typed, "unknown", f"{expected}, {found}: unknown; {needed}")
    return Verdict(rule.typed, "passed" if rule.sign in (">", ">=") else "failed", f"{expected}, {found}")


def holds(rule: Rule, value: float) -> bool:
    """Whether a value keeps a rule."""
    kept = {"<": value < rule.limit, "<=": value <= rule.limit, ">": value > rule.limit, ">=": value >= rule.limit}
    return kept[rule.sign]


def reason(name: str, known: Figure, left_out: Sequence[Mapping[str, Any]]) -> str:
    """Why a figure is missing, as the audit says."""
    reasons = {str(entry.get("part")): str(entry.get("why")) for entry in left_out}
    own = next((why for part, why in reasons.items() if part.startswith(f"{known.part}: ") and is_of(name, part)), "")
    own = own or reasons.get(known.part, "")
    if own:
        return f"the audit left out {known.part}: {printable(own)}"
    return f"the audit has no {name}" + (f", which needs {known.needs}" if known.needs else "")


def is_of(name: str, part: str) -> bool:
    """Whether a figure is of a part such as "facts: calibration" or "detectors: all against prior=none"."""
    what, _, rung = part.partition(": ")[2].partition(" against prior=")
    ending, of = ENDINGS.get(name, name.partition("_")[2]), what.replace(" ", "_")
    if not rung:
        return ending == of
    detectors = AUDITED if of == "all" else (of,)
    return ending in [one if rung == "none" else f"{one}_{rung}" for one in detectors]


def number(value: float | None, unit: str) -> str:
    """A figure in its unit: 12.3 %, 5,000, 0.913."""
    if value is None:
        return "–"
    if unit == SHARE:
        texts = [f"{100 * value:.{digits}f}" for digits in range(1, MOST_DIGITS)]
        text = next((text for text in texts if float(text) not in (0, 100)), texts[0])  # 99.99 % is not 100 %
        if float(text) in (0, 100) and value not in (0, 1):
            text = f"{100 * value:.3g}" if value < 0.5 else repr(100 * value)  # 1e-10, 99.999999999
        return f"{text.removesuffix('.0')} %"
    if unit == AUROC:
        return f"{value:.3f}"
    return f"{value:,.0f}" if unit in (EVALUATIONS, RATE) and value >= 10 else f"{value:.4g}"


def interval(figure: Mapping[str, Any]) -> str:
    """The interval of a figure in brackets, "" if it has none."""
    low, high, unit = figure.get("low"), figure.get("high"), str(figure.get("unit"))
    if low is None:
        return ""
    if high is None:
        return f" (95 %: {number(low, unit)} or more)" if unit == EVALUATIONS and low > 0 else ""
    return f" (95 %: {number(low, unit)}–{number(high, unit)})"


def failures(found: Sequence[Verdict], setting: str) -> list[str]:
    """A line for each verdict that closes the gate, naming the rule."""
    return [f"{setting}: {one.name}: {one.line}" for one in found if one.status != "passed"]
