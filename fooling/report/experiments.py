"""Pages of experiments on one classifier: damage, eigen, border, scramble, classify."""

from collections.abc import Mapping, Sequence
from typing import Any

from fooling.errors import counted
from fooling.plots import whole_percent
from fooling.report.charts import Interval, Series, curves, intervals
from fooling.report.content import (
    Cell,
    Content,
    Figure,
    Number,
    Picture,
    Source,
    Table,
    interval,
    share_of,
    sure,
    whole,
)
from fooling.statistics.intervals import proportion_with_ci

Row = Mapping[str, Any]
THESE_DATA = "Of these data alone: other images may be moved, scaled or noisy in other ways."
SHOWN = 24  # pictures of classify, at most


def accuracies(label: str, x: Sequence[float], rows: Sequence[Row]) -> Series:
    """Accuracies with their intervals."""
    found = [row["accuracy"] for row in rows]
    return Series(label, x, [one["share"] for one in found], [one["low"] for one in found], [one["high"] for one in found])


def ends(series: Sequence[Series]) -> str:
    """The first and last values of curves in words."""
    return "; ".join(f"{one.label}: from {whole_percent(one.y[0])} to {whole_percent(one.y[-1])}" for one in series) + "."


# --- border -------------------------------------------------------------------------------------------------------------
def border(source: Source) -> Content:
    """Shifted and scaled images."""
    found = source.found
    distances, misread = found["distances"], found["first_misread"]
    half = misread["quantiles"].get("0.5")
    ways = {way: {row["distance"]: row for row in rows} for way, rows in found["ways"].items() if rows}
    rows: list[Sequence[Cell]] = [
        [
            Number(f"{distance:g}", distance),
            *(interval(of_way[distance]["accuracy"] if distance in of_way else None) for of_way in ways.values()),
        ]
        for distance in distances
    ]
    series = [accuracies(way, list(of_way), list(of_way.values())) for way, of_way in ways.items()]
    still = next(place["accuracy"] for place in found["places"] if place["down"] == place["right"] == 0)
    figures = [
        Figure("half_misread", half, unit="pixels", text="shift at which half of the images that it was sure of are misread"),
        share_of("accuracy", still, "accuracy of images that are not moved"),
        *(
            share_of(f"misread_by_{distance}", one, f"misread within {distance} pixels")
            for distance, one in misread["by_distance"].items()
        ),
    ]
    moved = f"moved by {half:g} pixels" if half is not None else "moved as far as was tried"
    share = "half" if half is not None else "fewer than half"
    return Content(
        title=f"{source.classifier}: images moved and scaled",
        verdict=f"When {moved}, {share} of the images that {source.classifier} was sure of are misread.",
        number=figures[0],
        figures=figures,
        pictures=source.pictures(
            ("border.png", "Accuracy over shifts and scales, and moved examples", "Moved and scaled images")
        ),
        charts=[curves("Accuracy of moved images", series, "shift, pixels", "accuracy (bands: 95 %)", ends(series))],
        tables=[Table("Accuracy by shift", ["pixels", *ways], rows)],
        limits=[
            THESE_DATA,
            "At large shifts ink leaves the image: a part of the loss is lost ink, see ink_kept in border.json.",
        ],
        steps=["Train with shifted images (fooling train … shift=2) and measure again."],
    )


# --- scramble -----------------------------------------------------------------------------------------------------------
def scramble(source: Source) -> Content:
    """Replaced backgrounds."""
    found = source.found
    noises, by_noise = found["noises"], found["curves"]
    last = {name: rows[-1] for name, rows in by_noise.items()}
    worst = min(last, key=lambda name: last[name]["accuracy"]["share"])
    first = next(iter(by_noise.values()))[0]
    figures = [share_of("accuracy", first["accuracy"], "accuracy of images as they are")]
    for name, row in last.items():
        figures.append(
            share_of(f"accuracy_{name}", row["accuracy"], f"accuracy, {row['share']:g} % of the background: {noises[name]}")
        )
        text = f"median largest score there: {noises[name]}"
        figures.append(Figure(f"largest_score_{name}", row["largest_score"], unit="share", text=text))
    series = [accuracies(name, [row["share"] for row in rows], rows) for name, rows in by_noise.items()]
    rows: list[Sequence[Cell]] = [
        [
            name,
            Number(f"{row['share']:g} %", row["share"]),
            interval(row["accuracy"]),
            sure(row["quartiles"][1]),
            sure(row["largest_score"]),
            f"{row['most_read']} ({whole_percent(row['most_read_share']['share'])})",
        ]
        for name, of_noise in by_noise.items()
        for row in of_noise
    ]
    columns = ["noise", "replaced", "accuracy", "confidence in the class", "largest score", "most frequent answer"]
    low, there = last[worst]["accuracy"]["share"], last[worst]["share"]
    return Content(
        title=f"{source.classifier}: noisy backgrounds",
        verdict=f"With {there:g} % of the background replaced ({noises[worst]}), {source.classifier} is right about "
        f"{whole_percent(low)} of the images instead of {whole_percent(first['accuracy']['share'])}.",
        number=next(figure for figure in figures if figure.name == f"accuracy_{worst}"),
        figures=figures,
        pictures=source.pictures(
            ("scramble.png", "Accuracy and confidence as the background is replaced, with examples", "Noise")
        ),
        charts=[
            curves(
                "Accuracy with noisy backgrounds",
                series,
                "background pixels replaced, %",
                "accuracy (bands: 95 %)",
                ends(series),
            )
        ],
        tables=[Table("Noise by noise (confidences: medians)", columns, rows)],
        limits=[THESE_DATA, "The foreground stays untouched: noise on it is another question."],
        steps=["Look at the largest score: where it stays high while accuracy falls, a threshold does not help."],
    )


# --- damage -------------------------------------------------------------------------------------------------------------
def damage(source: Source) -> Content:
    """Networks with damaged neurons."""
    found = source.found
    groups = [name for name in ("real", "evolved") if name in found["whole"]]
    doses = [{"dosage": 0, "neurons": 0, **found["whole"]}, *found["doses"]]
    columns = ["damaged", "neurons", *(f"{name}: {what}" for name in groups for what in ("accuracy", "confidence"))]
    rows: list[Sequence[Cell]] = []
    for dose in doses:
        cells = [sure(dose[name][what]["median"]) for name in groups for what in ("accuracy", "confidence")]
        area = dose.get("detector", {}).get("auroc")
        cells += [Number("–" if area is None else f"{area:.2f}", area)] if found["data"] else []
        rows.append([Number(f"{dose['dosage']:.3g} %", dose["dosage"]), whole(dose["neurons"]), *cells])
    series = []
    for name in groups:
        spread = [dose[name]["accuracy"] for dose in doses]
        quartiles = [one["quartiles"] for one in spread]
        middle = [one["median"] for one in spread]
        series.append(
            Series(name, [dose["dosage"] for dose in doses], middle, [q[0] for q in quartiles], [q[1] for q in quartiles])
        )
    last = doses[-1]
    before, after = (
        [f"{whole_percent(of[name]['accuracy']['median'])} of {name} images" for name in groups]
        for of in (found["whole"], last)
    )
    figures = [
        Figure(f"accuracy_{name}_{dose['dosage']:g}", dose[name]["accuracy"]["median"], text=text)
        for dose in doses
        for name in groups
        for text in [f"median accuracy on {name} images, {dose['dosage']:g} % of the neurons damaged"]
    ]
    return Content(
        title=f"{source.classifier}: damaged neurons",
        verdict=f"With {last['dosage']:g} % of its neurons damaged ({found['substance']}), {source.classifier} is right about "
        f"{' and '.join(after)}; when whole, about {' and '.join(before)}.",
        number=next(figure for figure in figures if figure.name == f"accuracy_{groups[0]}_{last['dosage']:g}"),
        figures=figures,
        pictures=source.pictures(("damage.png", "Accuracy over the dose, and what evolves against damaged networks", "Damage")),
        charts=[
            curves("Accuracy of damaged networks", series, "damaged neurons, %", "accuracy (bands: quartiles)", ends(series))
        ],
        tables=[Table("Doses (medians)", [*columns, *(["AUROC of the fall"] if found["data"] else [])], rows)],
        limits=[
            f"Medians over {counted(found['repeats'], 'damaged network')}: which neurons are damaged is chance.",
            "Evolved images are made against the whole network: an attacker could evolve them against damaged ones.",
            *([] if found["data"] else ["Without data.path, accuracy on real images was left out."]),
        ],
        steps=["damaged-N.safetensors are classifiers and may be attacked or used as judges."],
    )


# --- eigen --------------------------------------------------------------------------------------------------------------
def eigen(source: Source) -> Content:
    """Principal components, and PCA classifiers."""
    found = source.found
    entries = [*found["pca"], *found["networks"]]
    rows: list[Sequence[Cell]] = [[entry["name"], interval(entry["accuracy"])] for entry in entries]
    figures = [
        share_of(f"accuracy_{entry.get('method', entry['name'])}", entry["accuracy"], f"accuracy of {entry['name']}")
        for entry in entries
    ]
    best = max(found["pca"], key=lambda entry: entry["accuracy"]["share"])
    network = max(found["networks"], key=lambda entry: entry["accuracy"]["share"], default=None)
    than = f"; the best network, {network['name']}, about {100 * network['accuracy']['share']:.1f} %" if network else ""
    named = {f"class {name}": shares for name, shares in found["explained_of_class"].items()} | {
        "whole set": found["explained"]
    }
    series = [Series(name, range(1, len(shares) + 1), shares) for name, shares in named.items()]
    shown = [
        Interval(
            entry["name"],
            entry["accuracy"]["share"],
            entry["accuracy"]["low"],
            entry["accuracy"]["high"],
            int("method" not in entry),
        )
        for entry in entries
    ]
    alt = "; ".join(f"{one.label}: {100 * one.value:.1f} %" for one in shown)
    tests = f"{found['test_images']:,} test images"
    return Content(
        title=f"Principal components of {found['data']}",
        verdict=f"{best['components']} principal components of each class alone are right about "
        f"{100 * best['accuracy']['share']:.1f} % of {tests}{than}.",
        number=next(figure for figure in figures if figure.name == f"accuracy_{best['method']}"),
        figures=figures,
        pictures=source.pictures(
            ("eigen.png", "Means, principal components, reconstructions and accuracies", "Principal components")
        ),
        charts=[
            intervals(f"Accuracy on {tests}", shown, "accuracy (bars: 95 %)", f"{alt}."),
            curves("Explained variance", series, "number of components", "share of the variance", ends(series), log=True),
        ],
        tables=[Table("Classifiers", ["classifier", f"accuracy on {tests}"], rows)],
        limits=[THESE_DATA, *map(str, found["left_out"])],
        steps=["Attack them: classifier=pca classifier.path=" + str(source.folder / "pca_residual.safetensors")],
        facts={"data": str(found["data"]), "training images": f"{found['train_images']:,}"},
    )


# --- classify -----------------------------------------------------------------------------------------------------------
def classify(source: Source) -> Content:
    """Pictures of the user."""
    found = source.found
    entries, kinds = found["pictures"], ("plain", "fitted")
    rows: list[Sequence[Cell]] = []
    pictures: list[Picture] = []
    answers = []
    for entry in entries:
        for kind in kinds:
            one = entry.get(kind)
            if not one:
                continue
            answers.append(one)
            answer = f"{one['label']}{' (below the threshold)' if one['rejected'] else ''}"
            rows.append([str(entry["file"]), kind, answer, sure(one["score"]), ", ".join(map(str, one["done"]))])
            caption = f"{kind}: {one['label']}, {whole_percent(one['score'])}"
            pictures.append(
                Picture(str(one["image"]), f"{entry['file']} as the classifier sees it, {kind}", caption, small=True)
            )
    rejected = sum(bool(one["rejected"]) for one in answers)
    figures = [share_of("rejected", proportion_with_ci(rejected, len(answers)), "readings below the threshold")]
    alike = sum(
        entry["plain"]["read"] == entry["fitted"]["read"] for entry in entries if entry.get("plain") and entry.get("fitted")
    )
    return Content(
        title=f"{source.classifier}: your pictures",
        verdict=f"{source.classifier} gives {alike} of {counted(len(entries), 'picture')} the same answer plain and fitted to "
        f"its training images; {rejected} of {counted(len(answers), 'reading')} stay below {found['threshold']:g}.",
        number=figures[0],
        figures=figures,
        pictures=[
            *source.pictures(
                ("classify.png", "Each picture as the classifier sees it, with its scores", "The pictures and their scores")
            ),
            *[picture for picture in pictures if is_shown(picture.file) and source.has(picture.file)][:SHOWN],
        ],
        tables=[Table("Readings", ["picture", "way", "answer", "score", "what was done to it"], rows)],
        limits=["A score is the classifier's answer to a picture made to fit its input: how it is fitted changes the answer."],
        steps=["Where plain and fitted differ, ink, size or place decide: look at what was done to the picture."],
    )


def is_shown(name: str) -> bool:
    """Whether a name is that of a picture in the folder of shown pictures."""
    folder, _, file = name.partition("/")
    return folder == "shown" and file.endswith(".png") and "/" not in file and not file.startswith(".")
