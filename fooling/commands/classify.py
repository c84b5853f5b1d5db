"""`fooling classify`: your own drawings and photos, as they are and fitted as MNIST was; low scores are rejected."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fooling.classifiers.base import Classifier, predict_batch, probes
from fooling.commands.experiment import Experiment, Plan, Summary
from fooling.commands.jobs import describe_classifier, open_checked
from fooling.commands.progress import ProgressCallback
from fooling.data.drawings import Drawing, read_drawing, read_photo
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.plots import percent, shorten, whole_percent
from fooling.plots.style import BLUE, GREY, INK, LABEL, PALE, RED, SMALL, TINY, TITLE, headline, new_figure, tile, to_png
from fooling.records.files import png, write_atomically
from fooling.search.result import Result
from fooling.settings.experiments import ClassifySettings
from fooling.settings.fields import user_path

PREPARATIONS = {"plain": "as it is", "fitted": "fitted and centred"}
OF_DRAWINGS = PREPARATIONS | {"plain": "light on dark"}
MAX_DRAWINGS = 20
MAX_BARS = 12  # classes, those of the highest scores
LABEL_LETTERS = 24  # of a class name above a chart, at most
LETTERS = 60  # of a line of text, for each preparation
# From which score on an answer is taken: sigmoids are each on or off by themselves, and of noise all of them are off; a softmax
# must share 1 out among its classes, so the largest is high by construction.
THRESHOLD, THRESHOLD_OF_SUM = 0.5, 0.9


@dataclass(frozen=True)
class FigureData:
    """What the picture shows besides the summary: the images of the drawings, in its order."""

    originals: Sequence[Bytes]  # [h, w, 1] each
    prepared: Mapping[str, Sequence[Bytes]]  # of each preparation [H, W, C] each


def plan(settings: ClassifySettings, _words: Sequence[str]) -> Plan:
    """Opens the classifier and reads the images, so that a bad one is refused before anything is written."""
    if not settings.files:
        raise UserError("fooling classify: expected image files, as in fooling classify two.png photo.jpg")
    classifier = open_checked(settings.classifier, None)
    shape, paths = classifier.input_shape, [user_path(name) for name in settings.files]
    if has_ink(settings, classifier):
        return Plan(inputs=(classifier, [read_drawing(path, shape[:2]) for path in paths]))
    return Plan(inputs=(classifier, [read_photo(path, shape, settings.classifier.resize) for path in paths]))


def has_ink(settings: ClassifySettings, classifier: Classifier) -> bool:
    """Whether the pictures are read as drawings."""
    return classifier.input_shape[2] == 1 if settings.ink is None else settings.ink


def compute(settings: ClassifySettings, plan: Plan, _results: list[Result], watch: ProgressCallback) -> Summary:
    """Classifies each image."""
    classifier, drawings = plan.inputs
    threshold = settings.threshold or usual_threshold(classifier)
    is_drawing = has_ink(settings, classifier)
    ways = ("plain", "fitted") if settings.centre and is_drawing else ("plain",)
    pictures, shown = [], {}
    for number, (name, drawing) in enumerate(zip(settings.files, drawings, strict=True)):
        watch("pictures", number, len(drawings))
        entry: dict[str, Any] = {"file": name, "done": list(drawing.done)}
        for way in ways:
            file = f"shown/{number:04d}-{way}.png"
            shown[file] = png(image_of(drawing, way, classifier))
            entry[way] = {
                "image": file,
                "done": list(drawing.done_plain if way == "plain" else drawing.done_fitted),
                **reading(classifier, image_of(drawing, way, classifier), threshold),
            }
        pictures.append(entry)
    result = {
        "classifier": describe_classifier(classifier, settings.classifier),
        "labels": list(classifier.labels),
        "threshold": threshold,
        "ink": is_drawing,
        "pictures": pictures,
    }
    names = OF_DRAWINGS if is_drawing else PREPARATIONS
    rows = [[entry["file"], *(answer(entry[way]) for way in ways)] for entry in pictures]
    lines = [steps_taken(entry, ways, names) for entry in pictures]
    if any(entry[way]["rejected"] for entry in pictures for way in ways):
        lines.append(f"rejected: no score reaches the threshold of {threshold:g}")
    columns = ["picture", *(names[way] for way in ways)]
    return Summary(result, columns, rows, lines, figure_data(drawings, ways), shown)


def figure_data(drawings: Sequence[Drawing], ways: Sequence[str]) -> FigureData:
    """The images of the picture."""
    prepared = {way: [with_channels(getattr(drawing, way)) for drawing in drawings] for way in ways}
    return FigureData([with_channels(drawing.original) for drawing in drawings], prepared)


def with_channels(image: Bytes) -> Bytes:
    """A grey image [h, w] as [h, w, 1]; [h, w, C] unchanged."""
    return image if image.ndim == 3 else image[:, :, None]


def usual_threshold(classifier: Classifier) -> float:
    """The threshold where none is given."""
    sums = predict_batch(classifier, probes(classifier.input_shape)).sum(axis=1)
    return THRESHOLD_OF_SUM if bool((np.abs(sums - 1) < 1e-3).all()) else THRESHOLD


def image_of(drawing: Drawing, way: str, classifier: Classifier) -> Bytes:
    """The classifier's input [H, W, C]: of a drawing, grey in every channel."""
    image = with_channels(drawing.plain if way == "plain" else drawing.fitted)
    return np.repeat(image, classifier.input_shape[2] // image.shape[2], axis=2)


def reading(classifier: Classifier, image: Bytes, threshold: float) -> dict[str, Any]:
    """The scores of one image [H, W, C]."""
    scores = predict_batch(classifier, image[None])[0]
    best = int(scores.argmax())
    return {
        "read": best,
        "label": classifier.labels[best],
        "score": float(scores[best]),
        "rejected": bool(scores[best] < threshold),
        "scores": [float(score) for score in scores],
    }


# --- the picture --------------------------------------------------------------------------------------------------------
def draw(folder: Path, summary: Summary) -> None:
    """classify.png."""
    write_atomically(folder / "classify.png", chart(summary.content, summary.figure))


def chart(summary: Mapping[str, Any], data: FigureData) -> bytes:
    """A PNG of classify.json: a row for each drawing, its preparations side by side."""
    entries, preparations = summary["pictures"][:MAX_DRAWINGS], list(data.prepared)
    names = OF_DRAWINGS if summary["ink"] else PREPARATIONS
    figure = new_figure(2.2 + 4 * len(preparations), 0.6 + 2.3 * len(entries))
    parts: Any = figure.subfigures(len(entries), 1, squeeze=False)[:, 0]
    for i, (part, entry) in enumerate(zip(parts, entries, strict=True)):
        lines = [textwrap.fill(step, LETTERS * len(preparations)) for step in steps(entry, preparations, names)]
        headline(part, "\n".join(lines), SMALL)
        axes: Any = part.subplots(1, 1 + 2 * len(preparations), width_ratios=(1.3, *((1, 2.2) * len(preparations))))
        tile(axes[0], data.originals[i], shorten(Path(entry["file"]).name, 22))
        for j, preparation in enumerate(preparations):
            tile(axes[1 + 2 * j], data.prepared[preparation][i], names[preparation])
            draw_scores(axes[2 + 2 * j], entry[preparation], summary)
    number = len(summary["pictures"])
    first = f" (the first {MAX_DRAWINGS} of {number:,} drawings)" if number > MAX_DRAWINGS else ""
    dashed = f"dashed: scores below {summary['threshold']:g} are rejected"
    headline(figure, f"{summary['classifier']['name']}: score of each class{first}; {dashed}", TITLE)
    return to_png(figure)


def answer(reading: Mapping[str, Any]) -> str:
    """The class and its score, or that it was rejected."""
    if reading["rejected"]:
        return f"rejected (best: {reading['label']}, {percent(reading['score'])})"
    return f"{reading['label']}, {percent(reading['score'])}"


def steps(entry: Mapping[str, Any], preparations: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """How a drawing was made an image: a line for what all preparations share, then one for each."""
    each = [f"{names[name]}: {', '.join(entry[name]['done'])}" for name in preparations]
    return [f"{Path(entry['file']).name}: {'; '.join(entry['done'])}", *each]


def steps_taken(entry: Mapping[str, Any], preparations: Sequence[str], names: Mapping[str, str]) -> str:
    """The same in one line."""
    return ". ".join(step[:1].upper() + step[1:] if i else step for i, step in enumerate(steps(entry, preparations, names)))


def draw_scores(axes: Axes, reading: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """A bar for each score, the highest in colour: blue if it is accepted, red if it is rejected."""
    scores, labels = np.array(reading["scores"]), summary["labels"]
    classes = np.arange(len(scores)) if len(scores) <= MAX_BARS else np.argsort(-scores, kind="stable")[:MAX_BARS]
    best = RED if reading["rejected"] else BLUE
    axes.bar(range(len(classes)), scores[classes], color=[best if k == reading["read"] else GREY for k in classes], width=0.75)
    axes.axhline(summary["threshold"], color=INK, linewidth=0.8, linestyle="--")
    names = [shorten(labels[k], 12) for k in classes]
    upright = 90 if max(map(len, names)) > 2 else 0
    axes.set_xticks(range(len(classes)), names, fontsize=SMALL, rotation=upright, parse_math=False)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda y, _: whole_percent(y))
    axes.tick_params(axis="y", labelsize=TINY)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.set_title(
        answer({**reading, "label": shorten(reading["label"], LABEL_LETTERS)}),
        fontsize=LABEL,
        color=RED if reading["rejected"] else INK,
        parse_math=False,
    )


COMMAND = Experiment("classify", plan, compute, draw, ("classify.json", "shown/[0-9]*-*.png", "classify.png"))
