"""What the rounds of `fooling harden` show: which round stalls, what still wins, and the table on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.plots import words
from fooling.statistics.intervals import difference_of_proportions, proportion_with_ci

BELIEVED = 0.9  # an image is believed if its class is the arg-max at this confidence
WINS = 0.05  # an attack still wins if more of its images are believed, beyond chance
Round = Mapping[str, Any]  # round-N.json


def pooled(rows: Sequence[Mapping[str, Any]], key: str = "believed") -> dict[str, Any] | None:
    """The images of several attacks together; None without any."""
    whole = sum(row[key]["of"] for row in rows)
    return proportion_with_ci(sum(row[key]["part"] for row in rows), whole) if whole else None


def held_out(found: Round) -> list[Mapping[str, Any]]:
    """The attacks that no round was trained on."""
    return [row for row in found["attacks"] if not row["trained"]]


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """What harden.json says of all rounds together."""
    stalled = stalls(rounds)
    last = rounds[-1]
    return {
        "stalls": stalled,
        "wins": [row["name"] for row in last["attacks"] if row["believed"]["low"] > WINS],
        "verdict": verdict(rounds, stalled),
    }


def stalls(rounds: Sequence[Round]) -> int | None:
    """The first round after which fewer images of held-out attacks are believed no more beyond chance; None: none does.

    A round of which the round before already left nothing does not stall.
    """
    shares = [pooled(held_out(one) or one["attacks"]) for one in rounds]
    for number in range(1, len(shares)):
        before, after = shares[number - 1], shares[number]
        if before is None or after is None or before["low"] <= WINS / 10:
            continue
        _, high = difference_of_proportions(before, after)
        if high >= 0:
            return number
    return None


def unreached(found: Round) -> tuple[int, int]:
    """Classes whose median attack does not reach .9999 within the budget, and all attacked classes."""
    classes = found["q"]["classes"]
    return sum(row["median9999"] is None for row in classes), len(classes)


def verdict(rounds: Sequence[Round], stalled: int | None) -> str:
    """The rounds in sentences."""
    first, last = rounds[0], rounds[-1]
    beyond, number = unreached(last)
    q = f"{first['q']['q9999']:,.0f}" if first["q"]["q9999"] is not None else f"above {first['q']['budget']:,}"
    lost = 100 * (first["accuracy"]["share"] - last["accuracy"]["share"])
    text = f"From round 0 to {len(rounds) - 1}, Q to .9999 goes from {q} to {q_text(last)} evaluations"
    text += f" ({beyond} of {number} classes not within {last['q']['budget']:,}); clean error"
    text += f" {'rises' if lost > 0 else 'falls'} by {abs(lost):.2f} points"
    before, after = (pooled(held_out(one)) for one in (first, last))
    if before and after:
        text += f"; of images from attacks not trained on, {percent(before)} were believed and {percent(after)} are"
    wins = [row["name"] for row in last["attacks"] if row["believed"]["low"] > WINS]
    none_wins = f"No attack is shown to win more than {100 * WINS:.0f} % ({sizes(last)} each)"
    text += f". {'Still wins: ' + ', '.join(wins) if wins else none_wins}."
    if not stalled:
        return text
    which = "of images from attacks that it was not trained on, " if held_out(last) else ""
    return f"{text} Round {stalled} stalls: {which}it believes not clearly fewer than round {stalled - 1}."


def sizes(found: Round) -> str:
    """How many images there are of each attack."""
    number = sorted({row["believed"]["of"] for row in found["attacks"]})
    return f"{number[0]} images" if len(number) == 1 else f"{number[0]} to {number[-1]} images"


def q_text(found: Round) -> str:
    """Q of a round."""
    q = found["q"]
    return f"above {q['budget']:,}" if q["q9999"] is None else f"{q['q9999']:,.0f}"


def percent(proportion: Mapping[str, Any]) -> str:
    """A share with its interval."""
    return f"{100 * proportion['share']:.0f} % ({100 * proportion['low']:.0f}–{100 * proportion['high']:.0f})"


def table(rounds: Sequence[Round]) -> tuple[list[str], list[list[str]]]:
    """A line a round; of attacks the share of images that are believed."""
    names = [row["name"] for row in rounds[-1]["attacks"]]
    trained = {row["name"] for row in rounds[-1]["attacks"] if row["trained"]}
    columns = ["round", "accuracy", "Q .9999", "not within", *(f"{name}{'*' * (name in trained)}" for name in names)]
    detectors = [row["name"] for row in rounds[-1]["detectors"]["rows"] if row["against"] == "held_out"]
    columns += [f"AUROC {words(name)}" for name in detectors]
    rows = []
    for one in rounds:
        beyond, number = unreached(one)
        cells = [f"{one['round']}", f"{100 * one['accuracy']['share']:.2f} %", q_text(one), f"{beyond}/{number}"]
        by_name = {row["name"]: row for row in one["attacks"]}
        cells += [f"{100 * by_name[name]['believed']['share']:.0f} %" if name in by_name else "–" for name in names]
        areas = {row["name"]: row["auroc"] for row in one["detectors"]["rows"] if row["against"] == "held_out"}
        rows.append([*cells, *(f"{areas[name]:.3f}" if name in areas else "–" for name in detectors)])
    return columns, rows
