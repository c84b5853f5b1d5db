"""Pages of one job of `fooling run`: images of one class, or an archive of all classes."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from fooling.errors import UserError, counted
from fooling.plots import percent, shorten, whole_percent
from fooling.plots.record import make_curve, milestones, name_of, nearest_milestone, target_of, title_of
from fooling.records.ownership import METRICS
from fooling.report.charts import Series, curves
from fooling.report.content import (
    LETTERS,
    Cell,
    Chart,
    Content,
    Figure,
    Source,
    Table,
    figure_of,
    interval,
    named,
    share_of,
    sure,
    whole,
)
from fooling.report.figures import evaluations
from fooling.settings.files import parse_json, read_whole
from fooling.statistics.intervals import proportion_with_ci

Run = Mapping[str, Any]  # run.json
POINTS = 200  # of a curve over the generations
ROWS = 200  # of a table, at most
SHEET = ("contact_sheet.png", "The evolved images side by side, each with its target and confidence", "The evolved images")
ONE_SEED = "One seed and one search: another search may need fewer or more evaluations."
BEST = "Each image is the best that its search found: the confidence is that of images selected for it, not of typical inputs."
NO_PERSON = "No person looked at the images: whether they would see the class in them is not measured."
NO_JUDGE = "No held-out classifier looked at the images: whether others would agree is not measured (judges=…)."
NOT_ACCURACY = "It says nothing of the accuracy on real images, nor how often such inputs occur in use."


# --- a job --------------------------------------------------------------------------------------------------------------
def job(source: Source) -> Content:
    """The page of one job."""
    run = source.about
    if not run.get("images"):
        raise UserError(f"{source.folder}: holds no images yet (status: {run.get('status')}); let the job finish first")
    unit, level = run.get("unit"), nearest_milestone(run)
    figures = figures_of(run)
    is_counted = not unit and not run["control"] and evaluations(run["images"], level)["value"] is not None
    number = next(figure for figure in figures if figure.name == (f"evaluations_to_{level}" if is_counted else "converged"))
    charts = [] if unit else [success_chart(run), *over_generations(source)]
    return Content(
        title=f"{run['classifier']}: {shorten(target_of(run), LETTERS)}",
        verdict=verdict(run),
        number=number,
        figures=figures,
        pictures=[
            *source.pictures(SHEET),
            *source.pictures(
                ("front.png", "Images that no other dominates in confidence and prior", "The Pareto front"),
                ("feedback.png", "The image and the weights of its class through the iterations", "Feedback"),
                ("mean.png", "The mean of all evolved images", "Mean of all images"),
            ),
        ],
        charts=charts,
        tables=[table_of_images(run), *table_of_judges(run)],
        limits=limits(run),
        steps=[] if unit else steps(run),
        facts=facts(run, source.settings),
    )


def verdict(run: Run) -> str:
    """What a job found, in one sentence."""
    total, part, classifier = len(run["images"]), run["converged"], run["classifier"]
    if run.get("unit"):
        return f"{counted(total, 'image')} maximise {run['unit']} of {classifier}; there is no target class."
    target = named(run["digit"], run.get("label")) if run["digit"] != "any" else "whichever class was easiest"
    aim = f"a cost below {run['tol']:g}" if run["tol"] is not None else f"{percent_of(run['threshold'])} confidence"
    if run["control"]:
        return f"Control: nothing searched for {target}, and {part} of {total} images reached {aim} by chance."
    if part == 0:
        end = "which is no proof that none exists"
        return f"None of {counted(total, 'image')} reached {aim} in {target} of {classifier} with this search, {end}."
    who = f"All {total} images that the search made" if part == total > 1 else f"{part} of {counted(total, 'image')}"
    who = "The image that the search made" if part == total == 1 else who
    if run["tol"] is not None:
        return f"{who} reached {aim} for {target} of {classifier}."
    return f"{who} {'are' if part > 1 else 'is'} {target} to {classifier}, with at least {aim}."


def percent_of(threshold: float) -> str:
    """A threshold in per cent: 0.9999 → 99.99 %."""
    return f"{100 * threshold:.6g} %"


def figures_of(run: Run) -> list[Figure]:
    """The figures of a job."""
    images, total = run["images"], len(run["images"])
    found = [share_of("converged", proportion_with_ci(run["converged"], total), "images that met the job's threshold")]
    if not run.get("unit"):
        found.append(Figure("confidence", median_of(run, "confidence"), unit="share", text="median confidence in the target"))
        found += [evaluations_to(level, images) for level in milestones(run)]
    for name, share in run.get("judges", {}).items():
        text = f"images that the held-out classifier {name} reads as the target"
        found.append(share_of(f"read_by_{name}", proportion_with_ci(round(share * total), total), text))
    found.append(Figure("evaluations", run["evaluations"], unit="evaluations", text="images that the search scored, in all"))
    found.append(Figure("seconds", run["seconds"], unit="seconds", text="time of the search"))
    return found


def evaluations_to(level: str, images: Sequence[Mapping[str, Any]]) -> Figure:
    """The median evaluations to a confidence, as `fooling compare` has it."""
    reached = sum(image["evaluations_to"][level] is not None for image in images)
    text = f"median evaluations until the confidence is first {percent_of(float(level))} ({reached} of {len(images)} runs did)"
    return figure_of(f"evaluations_to_{level}", evaluations(images, level), text)


def median_of(run: Run, key: str) -> float:
    """The median of a key of the images."""
    return float(median(image[key] for image in run["images"]))


def success_chart(run: Run) -> Chart:
    """The share of the runs that have reached each confidence, over the evaluations."""
    first, series = run["evaluations_a_generation"], []
    for level in milestones(run):
        x, y = make_curve(run, level, level, {}).steps(first)
        series.append(Series(f"≥ {percent_of(float(level))}", x, y, step=True))
    ends = "; ".join(f"{one.label}: {whole_percent(one.y[-1])} of the runs" for one in series)
    up = "runs that have reached it"
    return curves("How soon the confidence is reached", series, "evaluations of a run", up, f"At the end, {ends}.", log=True)


def over_generations(source: Source) -> list[Chart]:
    """The median confidence over the generations, where the record has more than one line of metrics."""
    rows = [row for row in metrics(source) if isinstance(row.get("confidence"), int | float)]
    if len(rows) < 2 or source.about.get("unit"):
        return []
    step = max(1, len(rows) // POINTS)
    kept = [*rows[:-1:step], rows[-1]]
    series = Series("", [row["generation"] + 1 for row in kept], [row["confidence"] for row in kept], step=True)
    alt = f"From {percent(rows[0]['confidence'])} in the first generation to {percent(rows[-1]['confidence'])} in the last."
    return [
        curves("Median confidence of the best images", [series], "generation (the first is 1)", "confidence", alt, log=True)
    ]


def metrics(source: Source) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    if not source.has(METRICS):
        return []
    found = [parse_json(line) for line in read_whole(source.folder / METRICS, "JSON").splitlines() if line.strip()]
    return [row for row in found if isinstance(row, dict)]


def table_of_images(run: Run) -> Table:
    """A row for each image."""
    level, unit = nearest_milestone(run), run.get("unit")
    images = run["images"][:ROWS]
    columns = ["image", *([] if unit else ["target", "confidence"]), "read as", "runner-up", "evaluations"]
    rows: list[list[Cell]] = []
    for image in images:
        row: list[Cell] = [image["file"]]
        row += [] if unit else [name_of(image), sure(image["confidence"])]
        row += [str(image.get(f"{key}_label", image[key])) for key in ("predicted", "runner_up")]
        row += [whole(image["evaluations"])]
        rows.append([*row, *([] if unit else [whole(image["evaluations_to"][level], "never")])])
    note = f"The first {ROWS} of {len(run['images']):,} images; run.json has all." if len(images) < len(run["images"]) else ""
    return Table("Images", [*columns, *([] if unit else [f"evaluations to {level}"])], rows, note)


def table_of_judges(run: Run) -> list[Table]:
    """How held-out classifiers read the images."""
    total = len(run["images"])
    rows: list[Sequence[Any]] = [
        [name, interval(proportion_with_ci(round(share * total), total))] for name, share in run.get("judges", {}).items()
    ]
    return [Table("Held-out classifiers", ["classifier", "reads them as the target"], rows)] if rows else []


def limits(run: Run) -> list[str]:
    """What a job does not show."""
    found = [BEST, ONE_SEED] if not run["control"] else ["A control says what the prior alone makes, not what an attack finds."]
    if not run.get("judges"):
        found.append(NO_JUDGE)
    found += [NO_PERSON, NOT_ACCURACY]
    if len(run["images"]) < 20:
        found.append(f"{counted(len(run['images']), 'run')}: intervals are wide.")
    examined = run.get("examination")
    if isinstance(examined, dict) and examined.get("sums_to_one") is False:
        found.append("The scores of this classifier do not sum to one: several classes may be near 100 % at once.")
    return found


def steps(run: Run) -> list[str]:
    """What to do next."""
    if run["control"]:
        return ["Run the same command without control=true: the difference is what the search for the class adds."]
    if run["converged"] < len(run["images"]):
        again = ["Give the search more: a larger budget=…, or other searches (fooling run --help)."]
    else:
        again = ["Run the same command with control=true: what does the prior make without the classifier?"]
    other = "Ask others: judges=[…] shows the images to held-out classifiers."
    return [*again, *([] if run.get("judges") else [other]), "Compare priors: fooling ladder; other classes: digit=all."]


def facts(run: Run, settings: Mapping[str, Any]) -> dict[str, str]:
    """What was run, by run.json and config.yaml."""
    fingerprint, limit, search = run.get("classifier_fingerprint"), run.get("budget"), settings.get("search")
    planned = search.get("generations") if isinstance(search, dict) else None
    generations = planned if type(planned) is int else run["generations"]
    return {
        "prior": f"{run['prior']}{' (control: the classifier’s weight is 0)' if run['control'] else ''}",
        "search": f"{run['search']}, engine {run['engine']}",
        "runs": f"{run['runs']:,}",
        "budget of a run": f"{limit:,} evaluations" if limit else f"{generations:,} generations",
        "success": f"cost < {run['tol']:g}" if run["tol"] is not None else f"confidence ≥ {run['threshold']:g}",
        "fingerprint of the weights": str(fingerprint)[:16] if fingerprint else "",
    }


# --- an archive ---------------------------------------------------------------------------------------------------------
def archive(source: Source) -> Content:
    """The page of a job that keeps an image for each class."""
    run = source.about
    if not run.get("images"):
        raise UserError(f"{source.folder}: holds no images yet (status: {run.get('status')}); let the job finish first")
    total, threshold = len(run["images"]), percent_of(run["threshold"])
    covered = share_of("coverage", proportion_with_ci(run["coverage"], total), "images that are read as their class")
    reached = share_of(
        "converged", proportion_with_ci(run["converged"], total), f"classes with an image of {threshold} confidence"
    )
    qd = Figure("qd_score", run["qd_score"], unit="sum", text="sum of the confidences over all classes")
    others = [figure for figure in figures_of(run) if figure.name not in ("converged",)]
    return Content(
        title=title_of(run),
        verdict=f"One search found an image of {threshold} confidence for {run['converged']} of {total} classes of "
        f"{run['classifier']}, and one that is read as the class for {run['coverage']}.",
        number=reached,
        figures=[reached, covered, qd, *others],
        pictures=source.pictures(
            ("mosaic.png", "An image for each class with its name and confidence", "An image for each class"),
            ("family.png", "The ancestors of the ten best images, the oldest first", "Ancestors of the ten best images"),
            SHEET,
        ),
        charts=[success_chart(run), *over_generations(source)],
        tables=[table_of_images(run)],
        limits=[
            "One image for each class, from one seed: an interval over classes says nothing of a second search.",
            *limits(run)[:1],
            NO_PERSON,
            NOT_ACCURACY,
        ],
        steps=[
            "Look closer at single classes: fooling run digit=… gives many runs of one class.",
            "Draw the images larger: fooling render.",
        ],
        facts=facts(run, source.settings),
    )
