"""The tables of an audit's page: checks, evaluations, facts, priors, mismatches, detectors; each with what its words mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.plots import words
from fooling.report.content import Cell, Number, Table, decimal, interval, name_in, sure, whole
from fooling.report.nothing import nothing_table
from fooling.report.verdict import is_single

Found = Mapping[str, Any]
SCALED = {"temperature": "fitted temperature", "ece_unscaled": "calibration error of the images that it was not fitted to"}
SCALED |= {"ece_scaled": "the same at that temperature"}
CHECKS = {"more_budget": "more budget is never worse", "gradients": "gradients are not beaten by scores alone"}
CHECKS |= {"noise": "noise does not succeed where the search fails"}
LESS, MORE = "95 % interval; less is better", "95 % interval; more is better"
ARMS = {"with": "with the model", "control": "without it (control)"}
TERMS = {
    "histogram": "how often each grey level occurs",
    "variogram": "how much pixels at a distance from each other differ",
    "regional": "brightness and variogram of each of 4×4 regions",
    "exemplar": "histogram and variogram of one training image",
    "eigen": "the mean and the principal components of the class",
}
PRIOR = "A prior is a rule that keeps an image like the training images of its class while an attack makes the model sure of it"
CONTROL = "The control is the same search without the model: what the prior alone draws."
PERCENTILE = (
    "Percentile: of 100 real images of the class, so many are nearer to what is typical of it than the evolved one (medians). "
    "50 is as a real image, 100 is farther than all of them, so less is more alike."
)
REST = "the rest are not read so by at least one of them"
ENOUGH = 10  # images, for a sentence on most of them
READ = 0.5  # share of images that others read as their class, from which on most are
FPR = (
    "FPR at 95 % TPR (FPR95): the share of the evolved images that pass a threshold which 95 % of the real ones pass. "
    "AUROC: how often an evolved image looks less real than a real one; .5 is chance."
)
ALIKE = 5e-4  # difference of AUROCs that the table shows as equal
OTHERS = "held-out classifiers"


def tables(found: Found, labels: Sequence[str], evaluations: Mapping[str, int]) -> list[Table]:
    """Every part of the audit that has rows."""
    q = found.get("q") or {}
    parts = [checks_table(found), q_table(q, labels, evaluations), nothing_table(found, labels), readings_table(found)]
    parts += [priors_table(found), mismatch_table(found, labels), detectors_table(found)]
    return [table for table in parts if table.rows]


def checks_table(found: Found) -> Table:
    """Sanity of the evaluation itself."""
    answers = {True: "passed", False: "FAILED", None: "not made"}
    rows = [
        [CHECKS.get(one["name"], words(one["name"])), answers.get(one["passed"], "–"), one["text"]]
        for one in found.get("checks") or ()
    ]
    return Table("Checks of the evaluation itself", ["check", "result", "what was seen"], rows)


def q_table(q: Found, labels: Sequence[str], evaluations: Mapping[str, int]) -> Table:
    """Evaluations for each class: medians, or of one attack on each class what became of it."""
    title, rows = "Evaluations for each class", list[list[Cell]]()
    single = bool(q) and is_single(q)
    for row in q.get("classes", ()):
        name = str(row.get("name") or name_in(labels, row["digit"]))
        medians = [whole(row["median99"], "not reached"), whole(row["median9999"], "not reached")]
        last = [whole(evaluations.get(str(row.get("folder")))), sure(row["confidence"])]
        rows.append([name, *medians, *(last if single else [interval(row["reached9999"])])])
    if single:
        columns = [
            *(f"images to {level} (more is better)" for level in ("99 %", "99.99 %")),
            "images shown in all",
            "confidence at the end",
        ]
        return Table(title, ["class", *columns], rows, lead=["One attack on each class."])
    columns = [f"median images to {level} (more is better)" for level in ("99 %", "99.99 %")]
    return Table(title, ["class", *columns, f"attacks that reached 99.99 % ({LESS})"], rows)


def readings_table(found: Found) -> Table:
    """Accuracy, calibration and speed."""
    facts, rows = found["facts"], list[list[Cell]]()
    accuracy = facts.get("accuracy")
    if accuracy:
        rows.append([f"accuracy on {accuracy['of']:,} real images, with the stated preprocessing ({MORE})", interval(accuracy)])
    for one in facts.get("readings") or ():
        share, settings = one["share"], one["settings"]
        texts = (
            " ".join(f"{key}={value}" for key, value in settings.items()) if isinstance(settings, Mapping) else str(settings)
        )
        if accuracy and not texts and share == accuracy["share"]:
            continue  # as stated
        cell = interval(share) if isinstance(share, Mapping) else sure(share)
        rows.append([f"accuracy on the same images, read {one['way']}" + (f" ({texts})" if texts else ""), cell])
    ece = found["figures"].get("ece", {}).get("value")
    if ece is not None:
        rows.append(["expected calibration error (less is better)", decimal(ece, 4)])
    for key, text in SCALED.items():
        if facts.get(key) is not None:
            rows.append([text, decimal(facts[key], 4)])
    if facts.get("images_per_second") is not None:
        rows.append(["images per second", whole(facts["images_per_second"])])
    return Table("Facts", ["measure", "value"], rows, ". ".join(map(str, facts.get("notes") or ())))


# --- priors -------------------------------------------------------------------------------------------------------------
def priors_table(found: Found) -> Table:
    """Each prior with its control."""
    given = found.get("priors") or {}
    rows: list[list[Cell]] = []
    all_rows: Sequence[Found] = given.get("rows", ())
    terms = list(dict.fromkeys(term for row in all_rows for term in row["percentiles"] or {}))
    for row in all_rows:
        percentiles = [decimal((row["percentiles"] or {}).get(term), 0) for term in terms]
        arm = ARMS.get(row["arm"], str(row["arm"]))
        rows.append([row["rung"], arm, whole(row["images"]), sure(row["confidence"]), interval(row["read"]), *percentiles])
    read = f"read as its class by {judged(given)} (95 % interval)"
    columns = ["prior", "search", "images", "median confidence", read, *(f"{term}, percentile" for term in terms)]
    rungs = dict.fromkeys(row["rung"] for row in all_rows)
    what = "; ".join(f"{rung}: {TERMS[rung]}" for rung in dict.fromkeys([*rungs, *terms]) if rung in TERMS)
    define = [f"{PRIOR}{f' ({what})' if what else ''}. {CONTROL}"]
    lead = [*define, *held_out(given), *(line for rung in rungs if (line := prior_found(all_rows, rung)))]
    return Table("Priors and their controls", columns, rows, PERCENTILE if terms else "", lead)


def judged(found: Found) -> str:
    """The held-out classifiers that read images, by their names."""
    names = [str(name) for name in found.get("judges") or ()]
    return f"all of {', '.join(names)}" if len(names) > 1 else names[0] if names else OTHERS


def held_out(found: Found) -> list[str]:
    """Who the others are that read images."""
    names = ", ".join(map(str, found.get("judges") or ()))
    return [f"Others are the held-out classifiers, which took no part in the search: {names}."] if names else []


def prior_found(rows: Sequence[Found], rung: str) -> str:
    """What a prior and its control say together, in a sentence; '' where nobody read the images."""
    arms = {row["arm"]: row for row in rows if row["rung"] == rung}
    if not all((arms.get(arm) or {}).get("read") for arm in ARMS):
        return ""
    own, control = (arms[arm]["read"] for arm in ARMS)
    succeeded = arms["with"].get("converged")
    begin = (
        f"With the prior {rung} the attack succeeds on {of(succeeded)} images. " if succeeded else f"With the prior {rung}: "
    )
    if control["low"] >= READ:
        without = f"Without the model {of(control)} are read as the class by all others, with it {of(own)}"
        return f"{begin}{without}: the prior alone draws the class, so these are images of it rather than fooling images."
    if own["low"] > control["high"] and own["share"] >= READ:
        end = "the model adds what makes them readable"
    elif own["low"] > control["high"] or (own["share"] < READ and own["of"] >= ENOUGH):
        end = REST
    else:
        end = "too few images to say whether they show the class"
    return f"{begin}All others read {of(own)} as the class, of the control {of(control)}: {end}."


def of(share: Found) -> str:
    """A proportion as 3 of 10."""
    return f"{share['part']:,} of {share['of']:,}"


# --- mismatches ---------------------------------------------------------------------------------------------------------
def mismatch_table(found: Found, labels: Sequence[str]) -> Table:
    """Pairs of classes with an image that is the one to others and the other to the model."""
    given = found.get("mismatch") or {}
    title = "One class to others, another to the model"
    if not given:
        return Table(title, [], [])
    names, also = ", ".join(map(str, given.get("judges") or ())) or OTHERS, [str(name) for name in given.get("transfer") or ()]
    levels = [f" (≥ {100 * given[key]:g} %)" if given.get(key) is not None else "" for key in ("sure", "threshold")]
    pairs: Sequence[Found] = given.get("shown") or ()
    first = f"In {of(given['pairs'])} pairs of classes an image was found that the held-out classifiers {names} all read"
    lead = [f"{first} as the first class{levels[0]} while the model is sure of the second{levels[1]}. Fewer is better."]
    rows: list[list[Cell]] = [["pairs with such an image (95 % interval; less is better)", interval(given["pairs"])]]
    if also and pairs:
        fooled, passed_on = (sum(pair.get(key, 0) for pair in pairs) for key in ("fooled", "transferred"))
        rows.append(
            [
                f"of these images, read as the second class also by {', '.join(also)}, of the model’s kind",
                f"{passed_on} of {fooled}",
            ]
        )
    if pairs:
        text = ", ".join(f"{name_in(labels, pair['prior'])} → {name_in(labels, pair['digit'])}" for pair in pairs)
        rows.append(["which: class to the others → class to the model", text])
    return Table(title, ["measure", "value"], rows, lead=lead)


# --- detectors ----------------------------------------------------------------------------------------------------------
def detectors_table(found: Found) -> Table:
    """AUROC, and evolved images that pass."""
    rows: list[list[Cell]] = []
    given: Sequence[Found] = (found.get("detectors") or {}).get("rows", ())
    for row in given:
        low, high = row["fpr95_low"], row["fpr95_high"]
        text = "–" if row["fpr95"] is None else f"{100 * row['fpr95']:.1f} %"
        text += "" if low is None or high is None else f" ({100 * low:.1f} %–{100 * high:.1f} %)"
        area = "–" if row["auroc"] is None else f"{row['auroc']:.3f}"
        area += "" if row["low"] is None or row["high"] is None else f" ({row['low']:.3f}–{row['high']:.3f})"
        numbers = [whole(row.get("evolved")), whole(row.get("real"))]
        rows.append([words(row["name"]), row["against"], *numbers, Number(area, row["auroc"]), Number(text, row["fpr95"])])
    columns = ["detector", "prior of the evolved images", "evolved", "real", f"AUROC ({MORE})", f"FPR at 95 % TPR ({LESS})"]
    trained = "Simple statistics are fitted to other evolved and real images (cross-validated), the others to nothing."
    has_trained = any(row["name"] == "simple_statistics" for row in given)
    return Table("Detectors", columns, rows, " ".join([FPR, *([trained] if has_trained else []), *alike(given)]))


def alike(rows: Sequence[Found]) -> list[str]:
    """Why detectors by scores have equal AUROCs, where they do."""
    for against in dict.fromkeys(row["against"] for row in rows):
        known = [
            row for row in rows if row["against"] == against and row["auroc"] is not None and row["name"] != "simple_statistics"
        ]
        near = [row for row in known if any(other is not row and abs(other["auroc"] - row["auroc"]) < ALIKE for other in known)]
        if near:
            names = ", ".join(words(row["name"]) for row in near)
            return [f"Equal AUROCs of {names} are no error: these put the images in the same order, or very nearly."]
    return []
