"""Two records side by side: which figures differ beyond their intervals, and whether they were measured alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from fooling.errors import counted, printable
from fooling.records.resume import MISSING
from fooling.report.figures import Measured
from fooling.report.gate import Verdict, interval, number, reason
from fooling.settings.files import flat, format_value
from fooling.settings.gate import AUROC, EVALUATIONS, SHARE, known_figures
from fooling.statistics.intervals import difference_interval

Outcome = Literal["worse", "missing", "other protocol", "not clear", "no interval", "better", "same", "new"]
ORDER: tuple[Outcome, ...] = ("worse", "missing", "other protocol", "not clear", "no interval", "better", "new", "same")
JUDGED = ("worse", "better", "not clear")  # outcomes of figures that changed and have an interval
MODEL = "classifier."  # how settings begin that say what is measured, not how
NO_PROTOCOL = ("minutes", "fail_under", "junit")  # settings that change no figure
RESOLVED = ("digit", "sample", "runs", "budget", "seed")  # of an audit: its protocol says what they came to
PROTOCOL = "protocol."
LETTERS, MOST = 60, 8  # of a setting; settings in a line
WHAT_TO_DO = "measure it as in the baseline, or compare only others with figures=…"
Figure = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A figure of two records. `change`, `low` and `high`: the difference and its 95 % interval, of shares and areas only."""

    name: str
    here: Figure | None  # in the reference
    there: Figure | None  # in the other record
    outcome: Outcome
    change: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def figure(self) -> Figure:
        """The figure of either record: text, unit, which direction is better."""
        found = self.here or self.there
        return found or {}

    @property
    def rank(self) -> tuple[int, float]:
        """By what differences are sorted, the worst first; sizes are relative to the larger value, but of shares and areas."""
        one, other = (value_of(figure) for figure in (self.here, self.there))
        if one is None or other is None:
            return ORDER.index(self.outcome), 0.0
        most = 1.0 if self.figure["unit"] in (SHARE, AUROC) else max(abs(one), abs(other)) or 1.0
        return ORDER.index(self.outcome), -abs(other - one) / most


@dataclass(frozen=True)
class Comparison:
    """A record beside the reference."""

    here: Measured
    there: Measured
    protocol: Mapping[str, tuple[Any, Any]]  # what differs in how they were measured: (reference, other)
    settings: Mapping[str, tuple[Any, Any]]  # all settings that differ
    differences: Sequence[Difference]  # the worst first

    @property
    def is_fair(self) -> bool:
        """Whether both were measured alike."""
        return not self.protocol


def compare(here: Measured, there: Measured, names: Sequence[str] = ()) -> Comparison:
    """The figures of a record beside those of the reference `here`; `names`: only these."""
    settings = changes(here.settings, there.settings)
    protocol = protocol_changes(here, there, settings)
    known = [name for name in dict.fromkeys([*here.figures, *there.figures]) if not names or name in names]
    found = [difference(name, here.figures.get(name), there.figures.get(name), fair=not protocol) for name in known]
    return Comparison(here, there, protocol, settings, sorted(found, key=lambda one: one.rank))


# --- settings ---------------------------------------------------------------------------------------------------------
def changes(here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs, in the order of the reference; what one of both lacks is `missing`."""
    names = dict.fromkeys([*here, *there])
    pairs = {name: (here.get(name, MISSING), there.get(name, MISSING)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def protocol_changes(here: Measured, there: Measured, settings: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs in how records were measured: everything but the classifier and the time that was allowed."""
    audited = bool(here.protocol and there.protocol)
    ignored = (*NO_PROTOCOL, *(RESOLVED if audited else ()))
    found = {name: pair for name, pair in settings.items() if not name.startswith(MODEL) and name not in ignored}
    if here.kind != there.kind:
        found = {"command": (here.kind, there.kind), **found}
    inside = changes(*(how_measured(one.protocol) for one in (here, there))) if audited else {}
    return found | {f"{PROTOCOL}{name}": pair for name, pair in inside.items()}


def how_measured(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol of an audit without the time; the order of the classes that were attacked is none of it."""
    found = {name: value for name, value in flat(dict(protocol)) if name != "minutes"}
    return {name: sorted(value) if name == "attacked" else value for name, value in found.items()}


def in_words(found: Mapping[str, tuple[Any, Any]]) -> str:
    """What differs, in a line: budget 2500 → 5000."""
    parts = [f"{printable(name)} {shown(a)} → {shown(b)}" for name, (a, b) in found.items()]
    more = [f"{len(parts) - MOST} more"] if len(parts) > MOST else []
    return ", ".join([*parts[:MOST], *more])


def unlike(found: Comparison) -> str:
    """Why two records cannot be compared, and what to do."""
    differ = f"they were measured differently ({in_words(found.protocol)})"
    return f"{differ}; measure {found.there.name} again with the settings of {found.here.name}, or take a new baseline"


def shown(value: Any) -> str:
    """A setting's value, as one would type it."""
    return printable(format_value(value), LETTERS)


# --- differences ------------------------------------------------------------------------------------------------------
def value_of(figure: Figure | None) -> float | None:
    """The value of a figure; of a median above the budget, the budget."""
    if figure is None:
        return None
    value = figure["value"] if figure["value"] is not None else figure.get("above")
    return None if value is None else float(value)


def difference(name: str, here: Figure | None, there: Figure | None, *, fair: bool) -> Difference:
    """A figure of two records. Only of records that were measured alike one can be worse than the other."""
    if value_of(there) is None:
        return Difference(name, here, there, "missing" if value_of(here) is not None else "same")
    if here is None or there is None or value_of(here) is None:
        return Difference(name, here, there, "new")
    if here["unit"] != there["unit"] or here["better"] != there["better"]:
        return Difference(name, here, there, "other protocol")
    change, low, high = between(here, there)
    keys = ("value", "low", "high", "above")
    if not fair:
        outcome: Outcome = "other protocol"
    elif all(here.get(key) == there.get(key) for key in keys):
        outcome = "same"
    else:
        outcome = judged(here, there, low, high)
    return Difference(name, here, there, outcome, change, low, high)


def between(here: Figure, there: Figure) -> tuple[float | None, float | None, float | None]:
    """The difference of two shares or areas with its interval; None of other units, and without intervals.

    Of proportions it is Newcombe's (1998, method 10) from their Wilson intervals.
    """
    if here["unit"] not in (SHARE, AUROC) or here["value"] is None or there["value"] is None:
        return None, None, None
    change = float(there["value"]) - float(here["value"])
    sides = [[figure[key] for key in ("value", "low", "high")] for figure in (here, there)]
    if None in sides[0] or None in sides[1]:
        return change, None, None
    return change, *difference_interval(*sides)


def judged(here: Figure, there: Figure, low: float | None, high: float | None) -> Outcome:
    """Worse or better beyond chance: the interval of the difference excludes 0; of medians, both intervals lie apart."""
    if low is not None and high is not None:
        lower, higher = high < 0, low > 0
    elif here["unit"] in (SHARE, AUROC):
        return "no interval"
    else:
        one, other = bounds(here), bounds(there)
        if one is None or other is None:
            return "no interval"
        lower, higher = other[1] < one[0], other[0] > one[1]
    if not (lower or higher):
        return "not clear"
    return "better" if higher == (here["better"] == "higher") else "worse"


def bounds(figure: Figure) -> tuple[float, float] | None:
    """The interval of a median, without an end where it goes beyond the budget; None if it has none."""
    if figure["low"] is None and figure["value"] is None and figure.get("above") is not None:
        return float(figure["above"]), inf
    if figure["low"] is None or (figure["high"] is None and figure["unit"] != EVALUATIONS):
        return None
    return float(figure["low"]), inf if figure["high"] is None else float(figure["high"])


# --- in words ---------------------------------------------------------------------------------------------------------
def measured(figure: Figure | None, *, brief: bool = False) -> str:
    """A figure in words: 12.3 % (95 %: 9 %–16 %), > 40,200; `brief`: without its interval."""
    value = value_of(figure)
    if figure is None or value is None:
        return "–"
    text = number(value, figure["unit"])
    text = text if figure["value"] is not None else f"> {text}"
    return text if brief else text + interval(figure)


def change_text(one: Difference) -> str:
    """A difference as a cell: points of per cent, a factor of evaluations."""
    if one.outcome in ("missing", "new", "same"):
        return ""
    unit, here, there = one.figure["unit"], one.here or {}, one.there or {}
    if one.change is not None:
        scale, digits, end = (100, 1, " points") if unit == SHARE else (1, 3, "")
        text = f"{scale * one.change:+.{digits}f}"
        if one.low is not None and one.high is not None:
            text += f" ({scale * one.low:+.{digits}f} … {scale * one.high:+.{digits}f})"
        return text + end
    if here.get("value") and there.get("value") is not None:
        return f"×{there['value'] / here['value']:.2f}"
    return ""


def by_chance(outcomes: Sequence[str]) -> str:
    """How many figures differ by chance: only those with intervals can."""
    judged = sum(outcome in JUDGED for outcome in outcomes)
    if not judged:
        return "No figure could be called worse or better: none changed, has an interval and was measured alike in both."
    text = "Worse and better are for the classifier, beyond 95 % intervals (of shares, that of their difference)"
    return f"{text}: by chance about one in 20 differs so, of {counted(judged, 'figure')} that changed and have an interval."


def verdicts(found: Comparison) -> list[Verdict]:
    """Whether a record keeps up with the reference: a verdict on each figure; on all at once where they cannot be compared."""
    if not found.is_fair:
        return [
            Verdict(f"{found.there.name}: protocol", "unknown", f"cannot be compared with {found.here.name}: {unlike(found)}")
        ]
    return [verdict(found, one) for one in found.differences if one.outcome != "new"]


def verdict(found: Comparison, one: Difference) -> Verdict:
    """The verdict on a figure: worse fails, missing is unknown."""
    name = f"{found.there.name}: {one.name}"
    text = f"{one.figure['text']}: {measured(one.there)}, {measured(one.here)} in {found.here.name}"
    if one.outcome == "worse":
        change = change_text(one)
        return Verdict(name, "failed", f"worse: {text}{change and f', {change}'}")
    if one.outcome in ("missing", "other protocol"):
        known = known_figures().get(one.name)
        why = reason(one.name, known, found.there.left_out) if known else "this record does not have it"
        return Verdict(
            name,
            "unknown",
            f"missing: {text}; {why}; {WHAT_TO_DO}" if one.outcome == "missing" else f"another unit: {text}; {WHAT_TO_DO}",
        )
    return Verdict(name, "passed", f"{one.outcome}: {text}")


def same_classifier(here: Measured, there: Measured) -> bool:
    """Whether two records are of the same weights with the same preprocessing."""
    return here.fingerprint == there.fingerprint and here.preprocessing == there.preprocessing


def to_dict(found: Comparison) -> dict[str, Any]:
    """A comparison as compare.json has it; pairs are (reference, other)."""
    return {
        "folder": found.there.name,
        "comparable": found.is_fair,
        "same_classifier": same_classifier(found.here, found.there),
        "protocol": {name: [shown(value) for value in pair] for name, pair in found.protocol.items()},
        "settings": {name: [shown(value) for value in pair] for name, pair in found.settings.items()},
        "differences": [
            {"figure": one.name, "outcome": one.outcome, "change": one.change, "low": one.low, "high": one.high}
            for one in found.differences
        ],
    }
