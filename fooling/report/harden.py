"""The page of `fooling harden`: what training against fooling images changed, round by round."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted
from fooling.plots import whole_percent, words
from fooling.report.charts import Series, curves
from fooling.report.content import Cell, Chart, Content, Figure, Source, Table, decimal, interval, share_of, sure, whole
from fooling.report.figures import q_interval
from fooling.settings.gate import NOTHING
from fooling.statistics.intervals import proportion_with_ci

Found = Mapping[str, Any]
LIMITS = (
    "An attack that fails here does not prove that none succeeds: another search, another start or more evaluations may.",
    "Around noise such a network is flat, for scores and for gradients: the attacks gradient_mean and hybrid start elsewhere.",
    "One training: another seed may give other networks. Five seeds are the least for a claim (benchmarks/harden.py).",
    "Images of the same runs and classes depend on one another, which the intervals leave out: they are too narrow.",
    "Images of the attack mismatched resemble one class and aim at the next.",
    "Those of other priors resemble their target: where a person would read them as it, to believe them is right.",
)


def harden(source: Source) -> Content:
    """The page of all rounds."""
    found = source.found
    rounds: Sequence[Found] = found["rounds"]
    first, last = rounds[0], rounds[-1]
    figures = [*q_figures(last), share_of("accuracy", last["accuracy"], "clean accuracy, last round")]
    figures += [
        share_of(f"believed_{row['name']}", row["believed"], f"{row['name']}: images believed, last round")
        for row in last["attacks"]
    ]
    seeds = found["seeds"]
    tables = [rounds_table(rounds), attacks_table(rounds), noise_table(rounds), detectors_table(rounds)]
    return Content(
        title=f"{found['model']['name']}: hardened by method {found['method']['name']}",
        verdict=found["verdict"],
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            ("harden.png", "Images believed, evaluations and clean error over the rounds", "Round by round"),
            ("samples.png", "Images of each attack and class in each round with their confidence", "Images of the rounds"),
        ),
        charts=[attack_chart(found)],
        tables=[table for table in tables if table.rows],
        limits=[*LIMITS, *dict.fromkeys(f"Left out: {one['part']} ({one['why']})." for one in last["left_out"])],
        steps=[
            f"Audit round-0 and round-{last['round']}.safetensors with `fooling audit`, then compare both: `fooling compare`.",
            "Train on what still wins: evolve=[none,…].",
        ],
        facts={
            "method": f"{found['method']['name']} ({found['method']['source']})",
            "data": str(found["data"]),
            "rounds": counted(last["round"], "round"),
            "trained on": outliers(found),
            "seeds of training": f"{seeds['training'][0]} … {seeds['training'][-1]}",
            "seed of measuring": str(seeds["measured"]),
            "round 0": str(first["fingerprint"])[:16],
            "last round": str(last["fingerprint"])[:16],
        },
    )


def outliers(found: Found) -> str:
    """What the network was trained on besides real images."""
    settings = found["settings"]
    noise = [] if settings["outliers"] == "evolved" else ["noise"]
    evolved = [] if settings["outliers"] == "noise" else [f"evolved images ({', '.join(settings['evolve'])})"]
    return " and ".join([*noise, *evolved])


def q_figures(last: Found) -> list[Figure]:
    """How many classes are not reached within the budget, and Q, each with its interval."""
    q, classes = last["q"], last["q"]["classes"]
    beyond = proportion_with_ci(sum(row["median9999"] is None for row in classes), len(classes))
    text = f"classes whose median attack does not reach .9999 within {q['budget']:,} evaluations, last round"
    above = q["budget"] if q["q9999"] is None else None
    of_q = "evaluations to a confidence of .9999, median over classes, last round"
    return [
        share_of("not_within", beyond, text),
        Figure("q9999", q["q9999"], *q_interval(q, "9999"), "evaluations", of_q, above),
    ]


def attack_chart(found: Found) -> Chart:
    """Images believed over the rounds."""
    rounds = found["rounds"]
    series = []
    for last in rounds[-1]["attacks"]:
        points = [(one["round"], row["believed"]) for one in rounds for row in one["attacks"] if row["name"] == last["name"]]
        x, shares = [number for number, _ in points], [share for _, share in points]
        y, low, high = ([share[key] for share in shares] for key in ("share", "low", "high"))
        series.append(Series(f"{last['name']}{' (trained on)' if last['trained'] else ''}", x, y, low, high))
    alt = "; ".join(
        f"{one.label}: {whole_percent(one.y[0])} before, {whole_percent(one.y[-1])} in the last round" for one in series
    )
    title = f"Evolved images that are believed at {found['believed_at']:g} or more"
    return curves(title, series, "round", "share of the images", f"{alt}.")


# --- tables -------------------------------------------------------------------------------------------------------------
def rounds_table(rounds: Sequence[Found]) -> Table:
    """Accuracy and Q of each round."""
    rows: list[list[Cell]] = []
    for one in rounds:
        q, classes = one["q"], one["q"]["classes"]
        beyond = sum(row["median9999"] is None for row in classes)
        rows.append(
            [
                str(one["round"]),
                interval(one["accuracy"]),
                whole(q["q99"], "not reached"),
                whole(q["q9999"], "not reached"),
                f"{beyond} of {len(classes)}",
                sure(one["accepted_at"]),
                ", ".join(f"{number:,} {name}" for name, number in one["outliers"].items()) or "–",
            ]
        )
    columns = ["round", "clean accuracy", "Q to 99 %", "Q to 99.99 %", "classes not within", "95 % of real images reach"]
    note = f"Q: median over classes of the median evaluations, at most {rounds[0]['q']['budget']:,}."
    return Table("Rounds", [*columns, "outliers"], rows, note)


def attacks_table(rounds: Sequence[Found]) -> Table:
    """The attacks before and after."""
    before = {row["name"]: row for row in rounds[0]["attacks"]}
    rows: list[list[Cell]] = [
        [
            row["name"],
            "yes" if row["trained"] else "no",
            interval(before[row["name"]]["believed"]) if row["name"] in before else "–",
            interval(row["believed"]),
            interval(row["sure"]),
            interval(row["accepted"]),
            sure(row["confidence"]),
        ]
        for row in rounds[-1]["attacks"]
    ]
    columns = ["attack", "trained on", "believed in round 0", "believed in the last", "of these at 99.99 %"]
    note = (
        "accepted: at the confidence that 95 % of the real test images reach, which does not depend on the scale of the scores."
    )
    return Table("Attacks, with seeds not trained on", [*columns, "accepted", "median confidence"], rows, note)


def noise_table(rounds: Sequence[Found]) -> Table:
    """Images without any of the classes before and after."""
    rows: list[list[Cell]] = [
        [NOTHING[row["name"]].name, "yes" if row["trained"] else "no", interval(old["believed"]), interval(row["believed"])]
        for old, row in zip(rounds[0]["noise"], rounds[-1]["noise"], strict=True)
    ]
    return Table("Images without any of the classes that are believed", ["kind", "trained on", "round 0", "last round"], rows)


def detectors_table(rounds: Sequence[Found]) -> Table:
    """AUROC of the detectors before and after."""
    texts = {"none": "no prior", "held_out": "attacks not trained on"}
    of_first = {(row["name"], row["against"]): row for row in rounds[0]["detectors"]["rows"]}
    rows: list[list[Cell]] = []
    for row in rounds[-1]["detectors"]["rows"]:
        old = of_first.get((row["name"], row["against"]))
        name, against = words(row["name"]), texts.get(row["against"], row["against"])
        rows.append(
            [name, against, decimal(old and old["auroc"], 3), decimal(row["auroc"], 3), f"{row['low']:.3f}–{row['high']:.3f}"]
        )
    columns = ["detector", "against", "AUROC, round 0", "AUROC, last round", "95 % interval"]
    return Table("Detectors: evolved images, believed or not, against real ones", columns, rows)
