"""The pictures of a record and of a sweep: means, contact sheet, animation, and success.png.

success.png shows the share of runs that have reached a confidence, over the evaluations. It is drawn from run.json alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.classifiers.labels import class_name, target_name
from fooling.errors import counted
from fooling.plots import archive, percent, searches, shorten
from fooling.plots.archive import draw_archive
from fooling.plots.searches import draw_feedback, draw_front
from fooling.plots.sheets import GAP, MAX_SIDE, animation, contact_sheet, fitting_number, mean
from fooling.plots.style import INK, LABEL, PALE, SMALL, label_axes, legend, log_axis, new_figure, percent_axis, to_png
from fooling.records.files import png, write_atomically
from fooling.records.record import load_checkpoint, read_image, read_images, read_run
from fooling.search.archive import ARCHIVE
from fooling.search.pareto_front import FRONT
from fooling.search.state import FEEDBACK
from fooling.search.summary import AFTER_GENERATION

Run = Mapping[str, Any]  # run.json
COLOURS = ("#e8a33d", "#d55e00", "#a0306f", "#2b1a6b")  # of the milestones: the higher the confidence, the darker
DASHES = ("-", "--", ":")  # of classes: ten colours, then the same in another style
LETTERS, NAME = 60, 18  # of a target in a title, of a class in a caption or a legend, at most
MARGIN = 1.06  # to the left and right of the curves, as a factor
STOPPING = {
    "end": "Each run continues to its last generation.",
    "threshold": "A run stops when the target has the highest score and a confidence ≥ {threshold:g}.",
    "tol": "A run stops when its cost is below {tol:g}.",
    "settled": "A run stops when its image no longer changes.",
}


@dataclass(frozen=True)
class Curve:
    """How many of a job's runs have reached a confidence, over the evaluations of a run."""

    name: str
    first_passages: Sequence[int]  # evaluations at which a run first reached it, ascending; only runs that did
    runs: int
    evaluations: int  # of the longest run
    line: Mapping[str, Any]  # colour, width and style

    @property
    def label(self) -> str:
        """Its entry in the legend."""
        return f"{self.name}: {len(self.first_passages)} of {self.runs}"

    def steps(self, first: int) -> tuple[list[int], list[float]]:
        """Evaluations from `first` to the end of the longest run, and the share of all runs that had reached it by then."""
        early, total = sum(n <= first for n in self.first_passages), len(self.first_passages)
        x = [first, *self.first_passages[early:], max(first, self.evaluations)]
        return x, [count / self.runs for count in (*range(early, total + 1), total)]

    def draw(self, axes: Axes, first: int) -> None:
        """Draws it, with a × at its end if some runs never reached the confidence."""
        x, y = self.steps(first)
        axes.step(x, y, where="post", label=self.label, clip_on=False, **self.line)
        if len(self.first_passages) < self.runs:
            axes.plot(x[-1], y[-1], "x", color=self.line["color"], markersize=6, clip_on=False)


# --- a record, a sweep --------------------------------------------------------------------------------------------------
def draw_success(folder: Path) -> None:
    """success.png of a record: a curve for each milestone of the confidence."""
    run = read_run(folder)
    levels = milestones(run)
    curves = [make_curve(run, level, f"≥ {level}", milestone_line(run, level, i)) for i, level in enumerate(levels)]
    title = f"{shorten(target_of(run), LETTERS)}, {settings_in_brief(run)}: {counted(run['runs'], 'run')}"
    write_atomically(folder / "success.png", chart([run], curves, title, "confidence: runs"))


def draw_sweep_success(parent: Path, names: Sequence[str]) -> None:
    """success.png of a sweep: a curve for each of the records `names` in `parent`, at the milestone nearest the threshold."""
    runs = [read_run(parent / name) for name in names]
    level, threshold = nearest_milestone(runs[0]), runs[0]["threshold"]
    curves = [make_curve(run, level, shorten(name_of(run), NAME), class_line(i)) for i, run in enumerate(runs)]
    reason = "" if float(level) == threshold else f" (the milestone nearest to the threshold {threshold:g})"
    title = f"confidence ≥ {level}{reason}, {settings_in_brief(runs[0])}"
    write_atomically(parent / "success.png", chart(runs, curves, title, "target: runs"))


def name_of(about: Run) -> str:
    """The target of a record or an image: the name of its class, or any; records of earlier versions have indices alone."""
    label = about.get("label")
    return str(about["digit"]) if label is None else class_name(about["digit"], label)


def target_of(run: Run) -> str:
    """The target of a record in words, or what a dream maximises instead of a class."""
    label = run.get("label")
    return str(run.get("unit") or (f"digit {run['digit']}" if label is None else target_name(run["digit"], label)))


def settings_in_brief(run: Run) -> str:
    """The settings that the curves of a picture have in common."""
    return f"prior {run['prior']}{', control' if run['control'] else ''}, search={run['search']}"


# --- curves -------------------------------------------------------------------------------------------------------------
def milestones(run: Run) -> list[str]:
    """The confidences of which a record holds the first passages, spelled as there."""
    return list(run["images"][0]["evaluations_to"])


def nearest_milestone(run: Run) -> str:
    """The milestone nearest to the job's threshold."""
    return min(milestones(run), key=lambda level: abs(float(level) - run["threshold"]))


def make_curve(run: Run, level: str, name: str, line: Mapping[str, Any]) -> Curve:
    """The curve of a record for one of its milestones."""
    images = run["images"]
    passages = sorted(entry["evaluations_to"][level] for entry in images if entry["evaluations_to"][level] is not None)
    return Curve(name, passages, len(images), max(entry["evaluations"] for entry in images), line)


def milestone_line(run: Run, level: str, number: int) -> dict[str, Any]:
    """The line of a milestone: thick at the threshold, dotted where runs stop below it."""
    is_above = run["stop"] == "threshold" and float(level) > run["threshold"]
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linewidth": 2.4 if level == nearest_milestone(run) else 1.4,
        "linestyle": ":" if is_above else "-",
    }


def class_line(number: int) -> dict[str, Any]:
    """The line of a class."""
    return {"color": f"C{number % 10}", "linewidth": 1.4, "linestyle": DASHES[number // 10 % len(DASHES)]}


# --- drawing ------------------------------------------------------------------------------------------------------------
def chart(runs: Sequence[Run], curves: Sequence[Curve], title: str, names: str) -> bytes:
    """A PNG of curves, from the evaluations of one generation to the budget or, without one, the end of the longest run.

    `names`: title of the legend.
    """
    first, budget = min(run["evaluations_a_generation"] for run in runs), runs[0]["budget"]
    last = max(first, budget or max(curve.evaluations for curve in curves))
    figure = new_figure(7.8, 4.4)
    axes = figure.add_subplot()
    log_axis(axes)
    for curve in curves:
        curve.draw(axes, first)
    axes.axhline(1, color=PALE, linewidth=1, zorder=0)
    axes.set_xlim(first / MARGIN, last * MARGIN)
    percent_axis(axes)
    # Within one decade the main ticks alone would be a single number.
    axes.xaxis.set_minor_formatter((lambda x, _: "") if last >= 10 * first else (lambda x, _: f"{x:,g}"))
    end = "budget" if budget else "longest run"
    across = f"evaluations of a run (first generation: {first:,}, {end}: {last:,})"
    label_axes(axes, title, across, "runs that have reached the confidence")
    axes.title.set_fontsize(LABEL)
    legend(axes, "right", title=names, title_fontsize=SMALL, alignment="left")
    figure.supxlabel(footnote(runs[0], curves), fontsize=SMALL, color=INK)
    return to_png(figure)


def footnote(run: Run, curves: Sequence[Curve]) -> str:
    """When runs stop, and what the marks mean."""
    sentences = [STOPPING[run["stop"]].format(threshold=run["threshold"], tol=run["tol"] or 0)]
    if any(curve.line["linestyle"] == ":" for curve in curves) and len(curves) == len(milestones(run)):
        sentences.append("Dotted: above the threshold.")
    if any(len(curve.first_passages) < curve.runs for curve in curves):
        sentences.append("×: the other runs never reached it.")
    return " ".join(sentences)


FILES = ("mean.png", "mean_converged.png", "contact_sheet.png", "evolution.webp", "success.png")
RECORD_FILES = (*FILES, *searches.FILES, *archive.FILES)  # every picture that a record may have
MAX_IMAGES = 100  # on a contact sheet
COLUMNS = 10  # images of each job on a sweep's contact sheet, at most


def draw_pictures(folder: Path, *, success: bool) -> None:
    """Draws what the record allows: means, contact sheet, animation, and the pictures of its search.

    mean_converged.png needs a converged run, evolution.webp a checkpoint, front.png and feedback.* their searches' files.
    """
    entries = read_run(folder)["images"]
    images = read_images(folder, [entry["file"] for entry in entries])
    converged = np.array([entry["converged"] for entry in entries])
    write_atomically(folder / "mean.png", png(mean(images)))
    run = read_run(folder)
    unit = run.get("unit")
    if converged.any() and not unit:
        write_atomically(folder / "mean_converged.png", png(mean(images[converged])))
    draw_contact_sheet(folder)
    checkpoint = load_checkpoint(folder)
    if checkpoint is not None:
        frames, generations = checkpoint["track_frames"], checkpoint["track_frame_generations"].tolist()
        write_atomically(folder / "evolution.webp", animation(frames, generations))
    if (folder / ARCHIVE).exists():
        draw_archive(folder)
    if (folder / FRONT).exists():
        draw_front(folder)
    if (folder / FEEDBACK).exists():
        draw_feedback(folder)
    if success and not unit and not is_archive(run):
        draw_success(folder)


def draw_contact_sheet(folder: Path) -> None:
    """contact_sheet.png of a record: its first images, each with its number, target and confidence."""
    run = read_run(folder)
    entries = run["images"]
    number = fitting_number(min(len(entries), MAX_IMAGES), read_image(folder / entries[0]["file"]).shape)
    images = read_images(folder, [entry["file"] for entry in entries[:number]])
    stems = [[] if is_archive(run) else [Path(entry["file"]).stem] for entry in entries[:number]]
    captions = [", ".join([*stem, *caption_of(run, entry)]) for stem, entry in zip(stems, entries, strict=False)]
    note = f"the first {number} of {run['runs']:,} images" if number < run["runs"] else ""
    write_atomically(folder / "contact_sheet.png", to_png(contact_sheet(images, captions, note, title=title_of(run))))


def title_of(run: Run) -> str:
    """What the images of a record are: classifier, target and the settings in brief; of a job that goes on, how far it is."""
    unfinished = f": unfinished, after generation {run[AFTER_GENERATION]:,}" if AFTER_GENERATION in run else ""
    return f"{run['classifier']}, {run.get('unit') or f'target {name_of(run)}'}, {settings_in_brief(run)}{unfinished}"


def is_archive(run: Run) -> bool:
    """Whether a record has an image for each of several classes."""
    return bool(run["digit"] == "all")


def caption_of(run: Run, entry: Mapping[str, Any]) -> list[str]:
    """The target of an image of a record and its confidence; nothing of a dream without a target."""
    return [] if run.get("unit") else [f"{shorten(name_of(entry), NAME)}: {percent(entry['confidence'])}"]


def draw_sweep(parent: Path, names: Sequence[str]) -> None:
    """contact_sheet.png over all jobs of a sweep, a row with the first images of each, and success.png."""
    runs = [read_run(parent / name) for name in names]
    jobs = [run["images"] for run in runs]
    width = read_image(parent / names[0] / jobs[0][0]["file"]).shape[1]
    columns = max(1, min(COLUMNS, MAX_SIDE // (width + GAP), *map(len, jobs)))
    cells = [(name, run, entry) for name, run in zip(names, runs, strict=True) for entry in run["images"][:columns]]
    images = np.stack([read_image(parent / name / entry["file"]) for name, _, entry in cells])
    captions = ["".join(caption_of(run, entry)) for _, run, entry in cells]
    title = ", ".join([runs[0]["classifier"], *filter(None, [runs[0].get("unit")]), settings_in_brief(runs[0])])
    write_atomically(parent / "contact_sheet.png", to_png(contact_sheet(images, captions, columns=columns, title=title)))
    if not runs[0].get("unit"):
        draw_sweep_success(parent, names)
