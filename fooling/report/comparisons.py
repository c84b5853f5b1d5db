"""Pages of commands that compare jobs: ladder, matrix, gallery, mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import UserError
from fooling.plots import whole_percent
from fooling.report.charts import Interval, Series, curves, intervals
from fooling.report.content import (
    Cell,
    Chart,
    Content,
    Figure,
    Source,
    Table,
    decimal,
    interval,
    name_in,
    named,
    share_of,
    sure,
    whole,
)
from fooling.statistics.intervals import proportion_with_ci

JUDGED = "Held-out classifiers are trained on the same data: that they agree does not mean that a person would."
ONE_SEED = "One seed, and the classes listed here: other classes may differ."


def pooled(parts: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Proportions together; None where there is none."""
    found = [part for part in parts if part]
    total = sum(part["of"] for part in found)
    return proportion_with_ci(sum(part["part"] for part in found), total) if total else None


def in_percent(proportion: Mapping[str, Any] | None) -> str:
    """A proportion in a sentence."""
    return "an unknown share" if proportion is None else f"{100 * proportion['share']:.3g} %"


# --- ladder -------------------------------------------------------------------------------------------------------------
def ladder(source: Source) -> Content:
    """Priors with and without the classifier."""
    rows, arms = source.found["rows"], source.found["arms"]
    if not rows:
        raise UserError(f"{source.folder}: ladder.json has no rows; expected a finished ladder")
    of_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in arms}
    converged = {arm: pooled([row["converged"] for row in of_arm[arm]]) for arm in arms}
    read = {arm: pooled([row["read"] for row in of_arm[arm]]) for arm in arms}
    texts = {"with": "the attack’s images", "control": "the controls", "mismatched": "those with the prior of another class"}
    said = [f"{in_percent(one)} of {texts.get(arm, arm)}" for arm, one in converged.items() if one]
    agreed = [f"{in_percent(one)} of {texts.get(arm, arm)}" for arm, one in read.items() if one]
    verdict = f"{source.classifier} is sure of {', '.join(said)}"
    verdict += f"; held-out classifiers read {', '.join(agreed)} as the prior’s class." if agreed else "."
    figures = [
        share_of(f"converged_{arm}", one, f"images that converged, {arms[arm]}") for arm, one in converged.items() if one
    ]
    figures += [
        share_of(f"read_{row['rung']}_{row['arm']}", row["read"], f"read as the class, prior {row['rung']}, {arms[row['arm']]}")
        for row in rows
        if row["read"]
    ]
    terms = list(rows[0]["percentiles"])
    columns = ["prior", "arm", "converged", "confidence", "read as the class", "evaluations", "distance"]
    table: list[Sequence[Cell]] = [
        [
            row["rung"],
            row["arm"],
            interval(row["converged"]),
            sure(row["confidence"]),
            interval(row["read"]),
            whole(row["evaluations"]),
            decimal(row["distance"]),
            *(decimal(row["percentiles"][term], 0) for term in terms),
        ]
        for row in rows
    ]
    note = "distance: between two images of a class; percentile: among real images, 100 is farther than all of them."
    return Content(
        title=f"{source.classifier}: priors compared",
        verdict=verdict,
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            (
                "ladder.png",
                "An image of each prior and condition with its confidence and who reads it",
                "An image of each prior",
            ),
            ("means.png", "The mean images of each prior and condition beside the mean of real images", "Means of the images"),
        ),
        charts=reading_chart(rows, list(arms)),
        tables=[Table("Priors", [*columns, *(f"{term} percentile" for term in terms)], table, note)],
        limits=[
            "A control has the same prior without the classifier: only what differs from it comes from the classifier.",
            JUDGED,
            ONE_SEED,
            "Percentiles compare with the statistics of the training images, term by term; they do not measure realism.",
        ],
        steps=["Read a prior's row against its control.", "More images narrow the intervals: runs=100."],
    )


def reading_chart(rows: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> list[Chart]:
    """How many images held-out classifiers read as the class."""
    shown = [
        Interval(
            f"{row['rung']}, {row['arm']}",
            row["read"]["share"],
            row["read"]["low"],
            row["read"]["high"],
            arms.index(row["arm"]),
        )
        for row in rows
        if row["read"]
    ]
    alt = "; ".join(f"{row.label}: {whole_percent(row.value)}" for row in shown)
    title = "Read as the prior's class by held-out classifiers"
    return [intervals(title, shown, "share of the images (bars: 95 %)", f"{alt}.")] if shown else []


# --- matrix -------------------------------------------------------------------------------------------------------------
def matrix(source: Source) -> Content:
    """Pairs of a prior's class and a target class."""
    found, labels = source.found, source.found["labels"]
    images, pairs, transferred = found["images_fooled"], found["pairs_fooled"], found["images_transferred"]
    judges = ", ".join(map(str, found["judges"])) or "held-out classifiers"
    control = "Controls: " if found["control"] else ""
    figures = [
        share_of("mismatch", images, "images read as one class by held-out classifiers, and as another by the classifier"),
        share_of("mismatch_pairs", pairs, "pairs of classes with such an image"),
    ]
    if transferred:
        figures.append(share_of("transferred", transferred, f"of these, images that also fool {', '.join(found['transfer'])}"))
    rows: list[Sequence[Cell]] = [
        [
            name_in(labels, pair["prior"]),
            name_in(labels, pair["digit"]),
            interval(proportion_with_ci(pair["fooled"], pair["images"])),
            whole(pair["transferred"]),
        ]
        for pair in found["pairs"]
    ]
    return Content(
        title=f"{source.classifier}: read as one class, believed to be another",
        verdict=f"{control}{images['part']} of {images['of']} images are read as one class by {judges} while "
        f"{source.classifier} is sure of another; {pairs['part']} of {pairs['of']} pairs of classes have such an image.",
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            (
                "matrix.png",
                "The best image of each pair: rows are the prior's class, columns the target",
                "The best image of each pair",
            )
        ),
        tables=[Table("Pairs of classes", ["prior of", "sure of", "images that fool", "of these transferred"], rows)],
        limits=[JUDGED, ONE_SEED, "“Sure” means a confidence of at least " + f"{found['sure']:g} and the largest score."],
        steps=[
            "Compare with control=true: how often does the prior alone do it?",
            "Open the folder of a pair for all of its images.",
        ],
    )


# --- gallery ------------------------------------------------------------------------------------------------------------
def gallery(source: Source) -> Content:
    """All classes, with and without blur."""
    found, labels, cells = source.found, source.found["labels"], source.found["cells"]
    together = pooled([cell["converged"] for cell in cells])
    if together is None:
        raise UserError(f"{source.folder}: gallery.json has no images; expected a finished gallery")
    slowest = max((cell for cell in cells if cell["steps"] is not None), key=lambda cell: cell["steps"], default=None)
    tail = (
        f"; {named(slowest['digit'], labels[slowest['digit']])} took longest ({slowest['steps']:,.0f} steps)" if slowest else ""
    )
    rows: list[Sequence[Cell]] = [
        [
            cell["row"],
            name_in(labels, cell["digit"]),
            interval(cell["converged"]),
            sure(cell["confidence"]),
            *(interval(cell["judges"][name]) for name in found["judges"]),
            whole(cell["steps"], "never"),
        ]
        for cell in cells
    ]
    figures = [share_of("converged", together, "images that met the threshold, over all classes and blurs")]
    return Content(
        title=f"{source.classifier}: a gallery of its classes",
        verdict=f"{together['part']} of {together['of']} images that search={found['search']} made are read as their class by "
        f"{source.classifier} with the confidence that was set{tail}.",
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            (
                "gallery.png",
                "The image of each class, a row for each blur; blue speaks against ink, red for it",
                "An image of each class",
            )
        ),
        tables=[Table("Classes", ["blur", "class", "converged", "confidence", *found["judges"], "steps to .99"], rows)],
        limits=["The images show where evidence for a class lies, not what the classifier uses on real images.", ONE_SEED],
        steps=["Compare the blurs: what stays is broad evidence, what goes is fine detail."],
    )


# --- mean ---------------------------------------------------------------------------------------------------------------
def mean(source: Source) -> Content:
    """Means of evolved images beside means of real ones."""
    found, numbers = source.found, source.found["numbers"]
    middle: dict[str, list[float]] = {}
    for prior in found["priors"]:
        classes = [one["correlation"] for one in prior["classes"]]
        middle[prior["prior"]] = [sum(values) / len(values) for values in zip(*classes, strict=True)]
    if not middle:
        raise UserError(f"{source.folder}: mean.json has no priors; expected a finished command")
    figures = [
        Figure(
            f"correlation_{name}",
            values[-1],
            unit="correlation",
            text=f"with the mean real image, mean of {numbers[-1]}, prior {name}",
        )
        for name, values in middle.items()
    ]
    rows: list[Sequence[Cell]] = [
        [prior["prior"], str(label), sure(one["confidence"]), whole(one["converged"]), decimal(one["correlation"][-1], 3)]
        for prior in found["priors"]
        for label, one in zip(found["labels"], prior["classes"], strict=True)
    ]
    series = [Series(f"prior {name}", numbers, values) for name, values in middle.items()]
    if found["real"]:
        real = [sum(values) / len(values) for values in zip(*found["real"], strict=True)]
        series.append(Series("real images", numbers, real))
    alt = "; ".join(f"{one.label}: {one.y[-1]:.2f} of {numbers[-1]} images" for one in series)
    chart = curves(
        "Correlation with the mean of real images",
        series,
        "images in the mean",
        "correlation",
        f"{alt}.",
        log=True,
        shares=False,
    )
    name, values = next(iter(middle.items()))
    return Content(
        title=f"{source.classifier}: means of evolved images",
        verdict=f"The mean of {numbers[-1]} images evolved with prior={name} correlates {values[-1]:.2f} with the mean of real "
        f"images of the class (mean over {len(found['labels'])} classes).",
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            ("mean.png", "Means of 1, 2, 5 … evolved images of each class, beside means of real ones", "Means")
        ),
        charts=[chart],
        tables=[Table("Classes", ["prior", "class", "confidence", "converged", f"correlation, {numbers[-1]} images"], rows)],
        limits=[
            "A correlation of means says what images have in common, not what a single one shows.",
            "A prior puts some of the likeness there itself: compare with the other priors.",
        ],
        steps=["Look at means.png of fooling ladder for the same with controls."],
    )
