"""The verdict of an audit in a few sentences, made from its numbers: on the terminal, in audit.json and on the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted
from fooling.plots import words
from fooling.report.gate import number
from fooling.settings.gate import NOTHING, SHARE

Content = Mapping[str, Any]  # of audit.json
OFTEN = 0.01  # share of images without any of the classes from which on the verdict names their kind
HARDLY = 0.02  # upper limits of all shares up to which it adds up the kinds
FROM_NOISE = ("ga",)  # searches whose first images are noise, with genome=pixels
SEARCHES = {
    "ga": "a genetic algorithm",
    "es": "an evolution strategy",
    "anneal": "simulated annealing",
    "ascent": "gradient ascent",
}
WITHOUT = "images without any of the classes"
LEVELS = {"9999": "99.99 %", "99": "99 %"}  # by the endings of keys, the highest first


def verdict(content: Content) -> str:
    """What was found, in a few sentences."""
    if content["q"] is None:
        return "No attack ran in the time that was given."
    failed = [words(check["name"]) for check in content.get("checks", ()) if check["passed"] is False]
    doubt = f"Do not cite these figures, as a check of the audit itself failed ({', '.join(failed)}). " if failed else ""
    return f"{doubt}{of_attacks(content['q'], content['protocol'])} {of_nothing(content['nothing']['rows'])}"


def search_words(protocol: Content) -> str:
    """The search of the attacks, in words."""
    return SEARCHES.get(str(protocol["search"]), f"the search {protocol['search']}")


def from_noise(protocol: Content) -> bool:
    """Whether the attacks begin with noise."""
    return protocol["search"] in FROM_NOISE and protocol["genome"] == "pixels"


def is_single(q: Content) -> bool:
    """Whether there was one attack on each class."""
    return bool(q["reached9999"]["of"] == len(q["classes"]))


def of_attacks(q: Content, protocol: Content) -> str:
    """How many attacks succeeded and how soon."""
    start = " from noise" if from_noise(protocol) else ""
    if is_single(q):
        return of_classes(q, f"{search_words(protocol)}{start}")
    how = start or f" by {search_words(protocol)}"
    reached, nearly = (f"{q[key]['part']} of {counted(q[key]['of'], 'attack')}{how}" for key in ("reached9999", "reached99"))
    typical = "for a typical class, half of the attacks needed at most"
    if q["q9999"] is not None:
        return f"{reached} made the classifier 99.99 % sure of a class; {typical} {q['q9999']:,.0f} images."
    if q["q99"] is not None:
        first = f"{nearly} made the classifier 99 % sure of a class; {typical} {q['q99']:,.0f} images"
        return f"{first}. {q['reached9999']['part']} of {q['reached9999']['of']} reached 99.99 %."
    some = f"{nearly} made the classifier 99 % sure of a class within {q['budget']:,} images"
    return f"{some}; for a typical class, fewer than half did."


def of_classes(q: Content, how: str) -> str:
    """The same of one attack on each class: classes are counted."""
    number_of = len(q["classes"])
    level = next((key for key in LEVELS if q[f"q{key}"] is not None), "")
    highest, each = q["reached9999"]["part"], "one attack" if number_of == 1 else "one attack each"
    if not level:
        some = q["reached99"]["part"]
        made = "did not make" if number_of == 1 else "made"
        return f"{tried(some, number_of)}, {how} ({each}) {made} the classifier 99 % sure within {q['budget']:,} images."
    most = q[f"q{level}"]
    medians = [row.get(f"median{level}") for row in q["classes"]]
    within = sum(median is not None and median <= most for median in medians)
    first = f"{tried(within, number_of)}, {how} ({each}) made the classifier {LEVELS[level]} sure within {most:,.0f} images"
    if number_of == 1:
        return f"{first}." if level == "9999" else f"{first}; it did not reach 99.99 %."
    return f"{first}; in {highest} of {number_of} it reached {'that at all' if level == '9999' else '99.99 %'}."


def tried(some: int, number_of: int) -> str:
    """The beginning of a sentence on some of the classes that were attacked."""
    if number_of == 1:
        return "On the one class tried"
    if some == number_of:
        return f"In all {number_of} classes tried"
    share = "half" if 2 * some == number_of else str(some) if some else "none"
    return f"In {share} of the {number_of} classes tried"


def of_nothing(rows: Sequence[Content]) -> str:
    """How often it is sure of images without any of the classes; kinds are added up only where enough images say so."""
    if not rows:
        return f"How sure it is of {WITHOUT} could not be measured."
    worst = max(rows, key=lambda row: float(row["at_99"]["share"]))
    if worst["at_99"]["share"] > OFTEN:
        found, kind, note = worst["at_99"], NOTHING[worst["kind"]], str(worst["note"]).partition("; ")[0]
        share = f"{number(found['share'], SHARE)} of the {kind.name} ({found['part']:,} of {found['of']:,}"
        return f"Without any attack it is 99 % sure of {share}: {note if note and worst['kind'] == 'foreign' else kind.what})."
    least = max(rows, key=lambda row: float(row["at_99"]["high"]))
    found = least["at_99"]
    if found["high"] <= HARDLY:
        kinds = ", ".join(NOTHING[row["kind"]].name.removesuffix(" images") for row in rows)
        part, of = (sum(row["at_99"][key] for row in rows) for key in ("part", "of"))
        return f"Before any attack, {f'{part:,}' if part else 'none'} of {of:,} {WITHOUT} ({kinds}) reached 99 %."
    kind = NOTHING[least["kind"]]
    some = f"{found['part']:,} of {found['of']:,} {kind.name} ({kind.what}) reach 99 %"
    return f"Without an attack, {some}: up to {number(found['high'], SHARE)} may (95 % interval)."
