"""`fooling examine`: what a classifier is like, before a search is spent on it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from fooling.classifiers.accuracy import Accuracy, accuracies, preprocessing_note
from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import SIZES, accuracy_notes, check_classifier, speeds
from fooling.classifiers.layers import describe_layer, layer_shapes
from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import open_for
from fooling.commands.progress import working
from fooling.data import ImageSet, load_data, seen_by
from fooling.records.files import has_keys, new_file
from fooling.settings import without_secrets
from fooling.settings.commands import ExamineSettings
from fooling.settings.fields import user_path
from fooling.settings.schema import data_options

MAX_IMAGES = 10_000  # labelled images whose accuracy is measured …
PATIENCE, SECONDS = 30, 6  # … if that takes no longer than so many seconds; else as many as the second number is enough for
WAYS, OWN_WAYS = 12, 4  # preprocessings that are tried, about: of an external model, and of others
FEWEST = 30  # images
Say = Callable[..., None]  # prints a line


def examine(settings: ExamineSettings) -> None:
    """Checks a classifier, measures its speed and, on labelled images, its accuracy. Prints each result when it is known."""
    say, given = silent if settings.quiet else partial(print, flush=True), settings.data
    with working("reading data and model", settings.quiet):
        classifier = open_for(settings.classifier, given)
        options = data_options(settings) | seen_by(classifier)
        data = load_data(given.path, given.kind, "test", **options) if given.given else None
    about = describe(classifier)
    show_classifier(settings, about, len(classifier.labels), getattr(classifier, "inputs", ""), say)
    with working("scoring test images", settings.quiet):
        found = check_classifier(classifier)
    said = [*(data.notes if data else ()), *getattr(classifier, "notes", ()), *found.notes]
    about |= {**asdict(found), "notes": said}
    show_checks(about, say)
    rates = measure_speeds(classifier, settings.quiet, say)
    about["images_per_second"] = {str(size): round(rate) for size, rate in rates.items()}
    if data:
        rows = measure_accuracies(classifier, data, max(rates.values()), settings.quiet)
        about["accuracy_of"] = len(rows[0].labels)
        about["accuracy"] = [{"way": row.preprocessing, "settings": row.settings, "share": row.share} for row in rows]
        about["note"] = preprocessing_note(rows)
        about["notes"] = [*about["notes"], *(note for note in accuracy_notes(rows, found.output) if note != about["note"])]
        show_accuracies(rows, settings.quiet)
    if settings.layers:
        about["layers"] = {name: list(shape) for name, shape in layer_shapes(classifier).items()}
    if settings.out:
        ours = partial(has_keys, keys=("images_per_second", "output"))
        with new_file(user_path(settings.out), settings.overwrite, ours) as part:
            part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if settings.layers and not settings.quiet:
        show_layers(about["layers"])
    for note in [*about["notes"], *([about["note"]] if about.get("note") else [])]:
        say(note)
    if about["output"] == "label" and getattr(classifier, "votes", 1) == 1:
        say("searches need class scores, not only labels; classifier.votes=25 makes them of votes over noisy copies")


def silent(_line: str = "") -> None:
    """Prints nothing."""


def measure_speeds(classifier: Classifier, quiet: bool, say: Say) -> dict[int, float]:
    """Images per second by the size of a batch, each printed when it is known."""
    rates: dict[int, float] = {}
    say()
    say("images a call    images/s")
    measured = speeds(classifier)
    while True:
        with working(f"speed, {SIZES[len(rates) % len(SIZES)]:,} images a call", quiet):
            size, rate = next(measured, (0, 0.0))
        if not size:
            return rates
        rates[size] = rate
        say(f"{size:>13,}  {round(rate):>10,}")


def measure_accuracies(classifier: Classifier, data: ImageSet, rate: float, quiet: bool) -> list[Accuracy]:
    """Accuracy on labelled images under each preprocessing; of a slow classifier on as many as `SECONDS` are enough for."""
    ways = WAYS if hasattr(classifier, "with_preprocessing") else OWN_WAYS
    number = min(MAX_IMAGES, len(data.labels))
    affordable = number if ways * number <= PATIENCE * rate else max(FEWEST, int(SECONDS * rate / ways))
    with working(f"accuracy on {min(number, affordable):,} images", quiet):
        return accuracies(classifier, data, affordable)


def describe(classifier: Classifier) -> dict[str, Any]:
    """What a classifier says of itself."""
    shape = [int(side) for side in classifier.input_shape]
    return {"input_shape": shape, "labels": list(classifier.labels), "fingerprint": classifier.fingerprint}


def show_classifier(settings: ExamineSettings, about: dict[str, Any], classes: int, shown: object, say: Say) -> None:
    """What a classifier declares, in lines."""
    chosen = settings.classifier
    height, width, channels = about["input_shape"]
    labels = ", ".join(about["labels"][:12]) + (", …" if len(about["labels"]) > 12 else "")
    say(f"classifier   {chosen.name}{f' {without_secrets(chosen.path)}' if chosen.path else ''}, {about['fingerprint'][:12]}…")
    say(f"images       {height}×{width}, {'grey' if channels == 1 else 'colour'}")
    say(f"classes      {classes}: {labels}")
    if shown:
        say(f"input        {shown}")


def show_checks(about: dict[str, Any], say: Say) -> None:
    """What the checks found, in lines."""
    sums = "sum to 1" if about["sums_to_one"] else "need not sum to 1"
    batch = "the same in any batch" if about["exact"] else f"change by up to {about['deviation']:.1e} with the batch"
    say(f"output       {GIVES[about['output']]}; scores {sums}")
    say(f"scores       finite, repeatable, {batch}")


def show_accuracies(rows: list[Accuracy], quiet: bool) -> None:
    """The accuracies, one a line."""
    if quiet:
        return
    print()
    found = [[row.preprocessing, row.settings, f"{100 * row.share:.2f} %"] for row in rows]
    print_table(["preprocessing", "settings", f"accuracy on {len(rows[0].labels):,} images"], found, left=2)


def show_layers(layers: dict[str, list[int]]) -> None:
    """The layers, one a line."""
    print()
    if not layers:
        print("no layers: search=dream needs gradients: jax_fn, a JAX function from images to scores, or gradient")
        return
    rows = [[name, " × ".join(map(str, shape)), describe_layer(name)] for name, shape in layers.items()]
    print_table(["layer", "size", "what it is"], rows, left=3)


GIVES = {
    "probability": "probabilities",
    "logit": "logits, of which a softmax makes scores",
    "softmax": "logits, of which a softmax makes scores",
    "sigmoid": "logits, of which a sigmoid each makes scores",
    "label": "labels only",
    "top": "the best classes only",
}

COMMAND = Tool(examine)
