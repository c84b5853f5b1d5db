"""`fooling examine`: what a classifier is like, before a search is spent on it."""

import json
from dataclasses import asdict
from typing import Any

from fooling.classifiers.accuracy import Accuracy, accuracies, preprocessing_note
from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import accuracy_notes, check_classifier, speeds
from fooling.classifiers.layers import describe_layer, layer_shapes
from fooling.commands.console import print_table
from fooling.commands.experiment import Tool
from fooling.commands.jobs import open_for
from fooling.data import load_data, seen_by
from fooling.records.files import new_file
from fooling.settings.commands import ExamineSettings
from fooling.settings.fields import user_path

MAX_IMAGES = 10_000  # labelled images whose accuracy is measured


def examine(settings: ExamineSettings) -> None:
    """Checks a classifier, measures its speed and, on labelled images, its accuracy."""
    given = settings.data
    classifier = open_for(settings.classifier, given)
    data = load_data(given.path, given.kind, "test", **given.options, **seen_by(classifier)) if given.given else None
    found = check_classifier(classifier)
    rows = accuracies(classifier, data, MAX_IMAGES) if data else []
    rates = speeds(classifier)
    said = [*(data.notes if data else ()), *getattr(classifier, "notes", ()), *found.notes]
    about = {
        **describe(classifier),
        **asdict(found),
        "notes": said,
        "images_per_second": {str(size): round(r) for size, r in rates.items()},
    }
    if data:
        about["accuracy_of"] = len(rows[0].labels)
        about["accuracy"] = [{"way": row.preprocessing, "settings": row.settings, "share": row.share} for row in rows]
        about["note"] = preprocessing_note(rows)
        about["notes"] = [*about["notes"], *(note for note in accuracy_notes(rows, found.output) if note != about["note"])]
    if settings.layers:
        about["layers"] = {name: list(shape) for name, shape in layer_shapes(classifier).items()}
    if settings.out:
        with new_file(user_path(settings.out), settings.overwrite) as part:
            part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not settings.quiet:
        show(settings, about, rows)


def describe(classifier: Classifier) -> dict[str, Any]:
    """What a classifier says of itself."""
    shape = [int(side) for side in classifier.input_shape]
    return {"input_shape": shape, "labels": list(classifier.labels), "fingerprint": classifier.fingerprint}


def show(settings: ExamineSettings, about: dict[str, Any], rows: list[Accuracy]) -> None:
    """What was found, in lines and tables."""
    chosen = settings.classifier
    height, width, channels = about["input_shape"]
    labels = ", ".join(about["labels"][:12]) + (", …" if len(about["labels"]) > 12 else "")
    sums = "sum to 1" if about["sums_to_one"] else "need not sum to 1"
    batch = "the same in any batch" if about["exact"] else f"change by up to {about['deviation']:.1e} with the batch"
    print(f"classifier   {chosen.name}{f' {chosen.path}' if chosen.path else ''}, {about['fingerprint'][:12]}…")
    print(f"images       {height}×{width}, {'grey' if channels == 1 else 'colour'}")
    print(f"classes      {about['classes']}: {labels}")
    if about["shown"]:
        print(f"input        {about['shown']}")
    print(f"output       {GIVES[about['output']]}; scores {sums}")
    print(f"scores       finite, repeatable, {batch}")
    print()
    print_table(["images a call", "images/s"], [[f"{int(size):,}", f"{r:,}"] for size, r in about["images_per_second"].items()])
    if rows:
        print()
        found = [[row.preprocessing, row.settings, f"{100 * row.share:.2f} %"] for row in rows]
        print_table(["preprocessing", "settings", f"accuracy on {len(rows[0].labels):,} images"], found, left=2)
    if settings.layers:
        show_layers(about["layers"])
    for note in [*about["notes"], *([about["note"]] if about.get("note") else [])]:
        print(note)
    if about["output"] == "label":
        print("searches need class scores, not only labels")


def show_layers(layers: dict[str, list[int]]) -> None:
    """The layers, one a line."""
    print()
    if not layers:
        print("no layers: search=dream needs jax_fn, a JAX function from images to scores")
        return
    rows = [[name, " × ".join(map(str, shape)), describe_layer(name)] for name, shape in layers.items()]
    print_table(["layer", "size", "what it is"], rows, left=3)


GIVES = {
    "probability": "probabilities",
    "logit": "logits, of which a softmax makes scores",
    "softmax": "logits, of which a softmax makes scores",
    "sigmoid": "logits, of which a sigmoid each makes scores",
    "label": "labels only",
}

COMMAND = Tool(examine)
