"""What an audit says before it attacks: the classifier, how well it does, and how sure it is of images without any class."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fooling.classifiers.accuracy import accuracies
from fooling.classifiers.base import Classifier, predict_logits
from fooling.classifiers.calibration import calibration
from fooling.classifiers.certainty import certainty_of_nothing
from fooling.classifiers.checks import accuracy_notes, check_classifier, speeds
from fooling.classifiers.labels import class_name
from fooling.commands.console import print_line, show_table
from fooling.commands.jobs import subsample
from fooling.commands.progress import working
from fooling.data import ImageSet
from fooling.data.nothing import KINDS, images_of_nothing
from fooling.records.files import read_json, write_json
from fooling.report.gate import number
from fooling.report.nothing import notes_apart
from fooling.report.verdict import WITHOUT
from fooling.settings import gate
from fooling.settings.audit import AuditSettings
from fooling.settings.gate import RATE, SHARE
from fooling.statistics.intervals import proportion_with_ci

FACTS, NOTHING = "facts.json", "nothing.json"  # parts of an audit that are done: resume reads them
SPEED_SECONDS = 4.0  # batches of larger sizes than those that take so long together are not measured
NOTHINGS, FEWEST = 500, 20  # images of each kind without any of the classes, at most and at least …
SECONDS = 10.0  # … of a slow classifier as many as take so long in all
NOT_CALIBRATED = "calibration left out: "  # begins a note of `calibration`
NAMES = {key: kind.name for key, kind in gate.NOTHING.items()}
Part = dict[str, Any]


def facts_part(folder: Path, settings: AuditSettings, classifier: Classifier, real: ImageSet | None) -> Part:
    """The facts of an audit: from its folder if they are there."""
    with working("speed, accuracy, calibration", settings.quiet):
        return part(folder / FACTS, lambda: facts(settings, classifier, real))


def nothing_part(folder: Path, settings: AuditSettings, classifier: Classifier, real: ImageSet | None, facts: Part) -> Part:
    """What the classifier says of images without any of the classes: from the audit's folder if it is there."""
    number = int(np.clip(SECONDS * facts["images_per_second"] / len(KINDS), FEWEST, NOTHINGS))
    with working(WITHOUT, settings.quiet):
        return part(folder / NOTHING, lambda: nothing(classifier, real, number, settings.seed))


def part(path: Path, compute: Callable[[], Part]) -> Part:
    """A part of a record: read from its file, which is computed and written if there is none."""
    if not path.exists():
        write_json(path, compute())
    found = read_json(path)
    found.pop("done", None)  # a mark of earlier records
    return found


def facts(settings: AuditSettings, classifier: Classifier, real: ImageSet | None) -> Part:
    """Checks, speed, accuracy and calibration; `real` are labelled test images."""
    checked = check_classifier(classifier)
    rates = measure_rates(classifier)
    found: Part = {
        "images_per_second": float(f"{max(rates.values()):.3g}"),
        "output": checked.output,
        "sums_to_one": checked.sums_to_one,
        "exact": checked.exact,
        "accuracy": None,
        "readings": [],
        "notes": [str(note) for note in (*getattr(classifier, "notes", ()), *checked.notes)],
    }
    if real is None:
        return found
    classes = sorted({int(k) for k in np.unique(real.labels)})
    images = subsample(real, classes, settings.images, settings.seed)
    rows = accuracies(classifier, images, len(images.labels))
    own, scores = rows[0], np.asarray(rows[0].scores)  # of the first row, as stated, there are scores
    found["accuracy"] = proportion_with_ci(int(own.is_correct.sum()), len(own.labels))
    found["readings"] = [{"way": row.preprocessing, "settings": row.settings, "share": row.share} for row in rows]
    found["notes"] += [*images.notes, *accuracy_notes(rows, checked.output)]
    if len(classes) < 2:
        found["notes"].append(f"{NOT_CALIBRATED}the labelled images are all of one class; accuracy is of this class alone")
        return found
    calibrated = calibration(scores, own.labels, predict_logits(classifier, images.images), settings.seed)
    found["notes"] += calibrated.notes
    return found | calibrated.to_dict()


def measure_rates(classifier: Classifier) -> dict[int, float]:
    """Images per second by the size of a batch, until a few seconds are over."""
    rates: dict[int, float] = {}
    spent = 0.0
    for size, rate in speeds(classifier):
        rates[size] = rate
        spent += max(0.5, size / rate)
        if spent > SPEED_SECONDS:
            break
    return rates


def nothing(classifier: Classifier, real: ImageSet | None, number: int, seed: int) -> Part:
    """Of each kind of images without any of the classes, how many the classifier is sure about, and what it takes them for."""
    shown = images_of_nothing(classifier.input_shape, classifier.labels, None if real is None else real.images, number, seed)
    rows, reasons = certainty_of_nothing(classifier, shown)
    return {"rows": rows, "left_out": reasons}


# --- on the terminal --------------------------------------------------------------------------------------------------
def show_facts(facts: Mapping[str, Any], show: Callable[[str], None]) -> None:
    """The facts, in lines."""
    show(f"speed        {number(facts['images_per_second'], RATE)} images/s")
    if facts["accuracy"]:
        accuracy = facts["accuracy"]
        show(f"accuracy     {interval(accuracy)} of {accuracy['of']:,} labelled images, with the stated preprocessing")
        others = [row for row in facts["readings"][1:] if row["share"] > accuracy["share"]]
        for row in others:
            show(f"             {number(row['share'], SHARE)} with {row['settings'] or row['way']}")
    if facts.get("ece"):
        show(f"calibration  error {interval(facts['ece'])}")
        if facts["temperature"]:
            scaled = f"{number(facts['ece_scaled'], SHARE)} at temperature {facts['temperature']:.2f}"
            unscaled = number(facts["ece_unscaled"], SHARE)
            show(f"             {scaled}, {unscaled} without, on images that it was not fitted to")
    for note in facts["notes"]:
        show(note)


def show_nothing(nothing: Mapping[str, Any], console: Console, labels: Sequence[str]) -> None:
    """The images without any of the classes, a row each."""
    rows = []
    for row in nothing["rows"]:
        answers = [f"{class_name(a['class'], labels[a['class']])} {number(a['share'], SHARE)}" for a in row["answers"]]
        shares = [number(row[level]["share"], SHARE) for level in ("at_90", "at_99")]
        rows.append([NAMES[row["kind"]], f"{row['images']:,}", *shares, ", ".join(answers)])
    show_table(console, [WITHOUT, "number", "at 90 %", "at 99 %", "read as"], rows, left=1)
    notes, shared = notes_apart(nothing["rows"])
    lines = [f"{NAMES[row['kind']]}: {note}" for row, note in zip(nothing["rows"], notes, strict=True) if note]
    for line in [*lines, *(f"all of them: {note}" for note in shared), *nothing["left_out"]]:
        print_line(console, line)


def interval(found: Mapping[str, Any]) -> str:
    """A proportion, or an error of calibration, with its interval."""
    value, low, high = (number(found[key], SHARE) for key in ("share" if "share" in found else "value", "low", "high"))
    return f"{value} ({low} to {high})"
