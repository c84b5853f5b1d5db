"""`python -m fooling.run digit=2`: settings → data → statistics, classifier → objective → search → record → plots."""

import sys
from importlib import import_module

# As a script this file is the command `fooling run`. Help and bad settings are answered before the imports below, which
# take a second; the command then imports this file again, under its own name.
if __name__ == "__main__":
    sys.argv.insert(1, "run")
    sys.exit(import_module("fooling.__main__").main())

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import report_on
from fooling.classifiers.judges import load_judges
from fooling.errors import UserError
from fooling.plots import draw_pictures, record_files
from fooling.records.record import Record, recording, versions
from fooling.records.resume import check_same, identity, refuse_unless_free, version_notes
from fooling.search import Search, part_of
from fooling.search.job import (
    Job,
    Pair,
    compare_with_real,
    counting,
    describe,
    digits,
    draws,
    evaluate,
    fit_to_start_image,
    fits,
    get_classifier,
    get_statistics,
    make_job,
    make_search,
    needs_statistics,
    refuse_other_classes,
)
from fooling.search.loop import RESUME_HINT, SILENT, Progress, Silent, run_loop
from fooling.search.pareto_front import record_front
from fooling.search.result import Result, summary
from fooling.search.state import History, Metrics
from fooling.settings import dump, load
from fooling.settings.fields import user_path
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

Watch = Callable[[Metrics], None]


def prepare(
    settings: RunSettings,
    classifier: Classifier | None = None,
    statistics: Statistics | None = None,
    judges: Mapping[str, Classifier] | None = None,
    pairs: Sequence[Pair] | None = None,
) -> list[Job]:
    """The jobs of the settings, one for each target class. Raises UserError for what does not fit together.

    `classifier`, `statistics` and `judges` replace those that the settings name. `pairs`: the class of the prior, None for the
    target itself, and the target class of each job.
    """
    classifier = attacked = classifier or get_classifier(settings, statistics)
    given = statistics
    get_fitted = cache(lambda: given.of_classes(attacked.labels) if given else get_statistics(settings, attacked))
    report = report_on(settings, classifier)
    judges = load_judges(settings.judges, classifier) if judges is None else judges
    classifier, judges, start = fit_to_start_image(settings, classifier, judges)
    notes = [*report.notes, *([start.note] if start.note else [])]
    if statistics or needs_statistics(settings) or fits(classifier, get_fitted()):
        statistics = get_fitted()
        if settings.digit == "all" and statistics.numbers:
            notes.append(f"digit=all: the {len(statistics.numbers)} classes that have statistics")
        refuse_other_classes(settings, classifier, statistics)
    elif draws(settings):
        notes.append("no statistics for images of this size: pixels are drawn uniformly from all grey levels")
    report = replace(report, notes=tuple(notes))
    jobs = []
    for prior_digit, digit in pairs or class_pairs(settings, classifier.num_classes, statistics):
        prior = settings.prior.model_copy(update={"digit": prior_digit})
        one = settings.model_copy(update={"digit": digit, "prior": prior})
        jobs.append(make_job(one, classifier, statistics, judges, report, start.pixels))
    make_search(jobs[0])  # refuses what the search lacks, before anything is written
    return jobs


def class_pairs(settings: RunSettings, classes: int, statistics: Statistics | None) -> list[Pair]:
    """Of each job the class of the prior, None for the target itself, and the target class."""
    if settings.digit == "any":
        return [(settings.prior.digit, "any")]
    return [(settings.prior.digit, target) for target in digits(settings, classes, statistics)]


def run_job(job: Job, record: Record | None = None, progress: Progress = SILENT, *, success: bool = True) -> Result:
    """Evolves one job. With a record, writes it and scores the images as they are read back from their files.

    `success=False`: without success.png, which a sweep draws over all its jobs.
    """
    if record:
        record.update(**describe(job) | {"status": "running"} | record.format)
    search = make_search(job)
    changed = version_notes(record.before, versions()) if record else []
    notes = [*job.report.notes, *search.notes, *changed]
    for note in notes:
        progress.note(note)
    if record:
        record.update(notes=notes, files=[*part_of(search, "files")])
        record.about |= {"reproducible": "approximate"} if changed else {}
    history = run_loop(search, job.criteria, record, progress)
    if record is None:
        return evaluate(job, history, history.images)
    result = save_result(job, search, history, record, progress)
    draw_pictures(record.folder, success=success)
    return result


def save_result(job: Job, search: Search, history: History, record: Record, progress: Progress) -> Result:
    """Writes the images and what they are worth. Their evaluations are counted apart from those of the search."""
    files, (job, counted) = record.save_images(history.images), counting(job)
    try:
        part_of(search, "save_extras")(record, counted)
        result = evaluate(job, history, record.read_images(files), str(record.folder))
    except UserError as error:  # of an external classifier
        raise UserError(f"{error}{RESUME_HINT}") from error
    plausibility, note = compare_with_real(job, result.images)
    if note:
        record.about["notes"].append(note)
        progress.note(note)
    if result.front:
        result = replace(result, front=record_front(record, result.front, job.objective))
    record.about["files"] += record_files()
    record.update(**plausibility, valuation_evaluations=counted.evaluations, **summary(result, files))
    return result


def record_job(job: Job, folder: Path, progress: Progress = SILENT, *, success: bool = True) -> Result:
    """Runs one job in a record folder: a new one, or one that its settings resume or overwrite."""
    settings, config = job.settings, dump(job.settings)
    refuse_unless_free(folder, "job", "", resume=settings.resume, overwrite=settings.overwrite)
    if settings.resume:
        check_same(folder, config, job.fingerprints)
    with recording(folder, config, overwrite=settings.overwrite) as record:
        record.identity = identity(config, job.fingerprints)
        return run_job(job, record, progress, success=success)


class Watcher(Silent):
    """Progress that passes the metrics of each generation to a function."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def observe(self, metrics: Metrics) -> None:
        """Passes them on."""
        self.watch(metrics)


def evolve(
    *overrides: str,
    classifier: Classifier | str | dict[str, Any] | None = None,
    statistics: Statistics | str | Path | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Any:
    """Evolves images that a classifier is certain about: `evolve(digit=2, runs=20)` → Result; a sweep → a list of them.

    `settings` are those of the command, by their names or unique short names (`population=200`), groups as dictionaries;
    `overrides` are words of the command (`"prior.weights.variogram=2"`). `classifier` is a name, a dictionary of its group
    (`{"name": "onnx", "path": "model.onnx"}`) or an object with the methods of `fooling.Classifier`, `statistics` a file or
    what `Statistics.fit` or `Statistics.load` returned. `watch` receives the metrics of each generation. A record is written
    only where `out` is given. Raises UserError, a ValueError, for bad input.
    """
    if not isinstance(statistics, Statistics | str | Path | None):
        raise UserError(f"statistics: expected fooling.Statistics or a file's name, got {type(statistics).__name__}")
    words = [*overrides, *(word for name, value in settings.items() for word in as_words(name, value))]
    if isinstance(classifier, str | dict):
        words += as_words("classifier", classifier)
    if isinstance(statistics, str | Path):
        words.append(f"prior.statistics={statistics}")
    loaded = load(words, RunSettings, "run")
    attacked = None if isinstance(classifier, str | dict) else classifier
    fitted = statistics if isinstance(statistics, Statistics) else None
    jobs = prepare(with_objects(loaded, attacked, fitted), attacked, fitted)
    progress = Watcher(watch) if watch else SILENT
    results = [evolve_one(job, f"digit={job.digit}" if loaded.sweeps else "", progress) for job in jobs]
    return results if loaded.sweeps else results[0]


def with_objects(settings: RunSettings, classifier: Classifier | None, statistics: Statistics | None) -> RunSettings:
    """Settings that name objects as such, so that no record claims that they are the bundled ones."""
    changed: dict[str, Any] = {}
    if classifier is not None:
        name = f"object {type(classifier).__name__}"
        changed["classifier"] = settings.classifier.model_copy(update={"name": name, "path": None})
    if statistics is not None:
        changed["prior"] = settings.prior.model_copy(update={"statistics": "object Statistics"})
    return settings.model_copy(update=changed)


def evolve_one(job: Job, name: str, progress: Progress) -> Result:
    """One target class: recorded in out/name where `out` is given."""
    settings = job.settings
    if settings.out is not None:
        return record_job(job, user_path(settings.out) / name, progress, success=not name)
    if settings.resume or settings.overwrite:
        raise UserError("resume and overwrite need out=FOLDER")
    return run_job(job, None, progress)
