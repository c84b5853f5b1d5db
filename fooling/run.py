"""`python -m fooling.run digit=2`: settings → data → statistics, classifier → objective → search → record → plots."""

import sys
import warnings
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
from typing import Any, Literal, overload

from fooling.classifiers import words_for
from fooling.classifiers.base import Classifier, with_printable_labels
from fooling.classifiers.checks import ClassifierReport, report_on
from fooling.classifiers.detection import MIN_IMAGES
from fooling.classifiers.judges import load_judges, notes_on, separate_objects
from fooling.classifiers.labels import refuse_two_meanings, with_indices
from fooling.classifiers.queries import accounted, keep_answers, spread
from fooling.data.arrays import data_words
from fooling.errors import Doubt, FoolingWarning, Interrupted, UserError
from fooling.plots import draw_contact_sheet, draw_pictures, record_files
from fooling.records.files import refuse_link
from fooling.records.ownership import CHECKPOINT, strings
from fooling.records.record import Record, recording, versions
from fooling.records.resume import Extension, check_same, doubts, extension_notes, identity, refuse_unless_free, was_approximate
from fooling.report.notebook_progress import following
from fooling.search import Search, load_search, part_of
from fooling.search.evasion import open_evasion
from fooling.search.inputs import (
    check_given,
    draws,
    fit_to_start_image,
    fits,
    get_classifier,
    get_statistics,
    needs_statistics,
    refuse_for_python,
    refuse_other_classes,
    separate,
    statistics_for,
    statistics_notes,
    suited,
    with_objects,
)
from fooling.search.job import (
    Job,
    Pair,
    check_memory,
    checkpoint_of,
    class_pairs,
    counting,
    describe,
    evaluate,
    make_job,
    make_search,
)
from fooling.search.loop import RESUME_HINT, SILENT, Progress, Stage, closing_notes, stages
from fooling.search.notes import duration_notes, number_notes
from fooling.search.pareto_front import record_front
from fooling.search.prior import eigen_notes
from fooling.search.real_images import compare_with_real
from fooling.search.result import Result, unfinished_result
from fooling.search.state import Metrics
from fooling.search.summary import so_far, summary
from fooling.search.surrogate import check_surrogate
from fooling.settings import dump, load
from fooling.settings.fields import absolute_path, paths_as_typed, user_path
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics

Watch = Callable[[Metrics], None]
UNFINISHED_IMAGES = 1000  # written while a job runs, at most: an interruption does not wait for more


def prepare(
    settings: RunSettings,
    classifier: Any = None,
    statistics: Statistics | None = None,
    judges: Mapping[str, Classifier] | None = None,
    pairs: Sequence[Pair] | None = None,
    objects: Mapping[str, Any] | None = None,
    words: Sequence[str] | None = None,
    report: ClassifierReport | None = None,
) -> list[Job]:
    """The jobs of the settings, one for each target class. Raises UserError for what does not fit together.

    `classifier`, `statistics` and `judges` replace those that the settings name. `pairs`: the class of the prior, None for the
    target itself, and the target class of each job. `objects` are judges that are objects, by their titles. `words` are those
    that the user gave: where they choose no search, it suits the classifier. `report`: of one that is not checked here.
    """
    given = statistics
    classifier = attacked = get_classifier(settings, statistics, classifier)
    get_fitted = cache(lambda: given.of_classes(attacked.labels) if given else get_statistics(settings, attacked))
    refuse_two_meanings(settings.digit, getattr(classifier, "labels", ()), words or ())
    settings = with_indices(settings, classifier)
    settings, suits = (settings, "") if words is None else suited(settings, classifier, words)
    report = report or report_on(settings, classifier)
    classifier = with_printable_labels(classifier)
    part_of(load_search(settings.search.name, settings.engine.name), "check_classifier")(classifier, settings)
    judges = load_judges(settings.judges, classifier, objects) if judges is None else judges
    notes = [*report.notes, *notes_on(settings.judges, judges, classifier)]
    classifier, judges, start = fit_to_start_image(settings, classifier, judges)
    notes += [note for note in (start.note, suits) if note]
    if statistics or needs_statistics(settings) or fits(classifier, get_fitted()):
        statistics = get_fitted()
        notes += statistics_notes(settings, statistics, classifier, given=given is not None)
        refuse_other_classes(settings, classifier, statistics)
    elif draws(settings):
        notes.append("no statistics for images of this size: pixels are drawn uniformly from all grey levels")
    evasion = open_evasion(settings, classifier)
    pairs = pairs or class_pairs(settings, classifier.labels, statistics)
    check_surrogate(settings, classifier, judges, [digit for _, digit in pairs])
    notes += number_notes(settings, pairs, classifier.labels)
    report = replace(report, notes=tuple(notes))
    jobs = []
    for prior_digit, digit in pairs:
        prior = settings.prior.model_copy(update={"digit": prior_digit})
        one = settings.model_copy(update={"digit": settings.digit if digit == "all" else digit, "prior": prior})
        of_class = digit if prior_digit is None else prior_digit
        fitted = statistics_for(settings, statistics, of_class)
        notes += [note for note in eigen_notes(one, fitted, of_class) if note not in notes]
        report = replace(report, notes=tuple(notes))
        jobs.append(make_job(one, classifier, fitted, judges, report, start.pixels, evasion))
    check_memory(jobs[0])
    make_search(jobs[0])  # refuses what the search lacks, before anything is written
    return jobs


def run_job(job: Job, record: Record | None = None, progress: Progress = SILENT, *, success: bool = True) -> Result:
    """Evolves one job. With a record, writes it and scores the images as they are read back from their files.

    `success=False`: without success.png, which a sweep draws over all its jobs.
    """
    changed = doubts(record.folder, record.before, versions()) if record else []
    kept = [*changed, *(extension_notes(record.before) if record else [])]
    classifier = job.objective.classifier
    if record:
        state = {"status": "running", "notes": kept, "files": strings(record.before.get("files"))}
        state |= accounted(classifier, record.before)
        approximate = changed or was_approximate(record.before)
        record.update(**describe(job) | state | record.format | ({"reproducible": "approximate"} if approximate else {}))
    search = make_search(job)
    notes = [*job.report.notes, *search.notes, *kept]
    for note in [*notes, *([] if record and record.before else duration_notes(job, search))]:
        progress.note(note)
    if record:
        if record.before and not (record.folder / CHECKPOINT).exists():
            progress.note("no checkpoint to resume: starting at generation 0")
        own = job.images if job.criteria.joint else []  # their names are known before run.json lists the images
        own = [*own, *keep_answers(classifier, record.folder)]
        record.update(notes=notes, files=[*part_of(search, "files"), *record_files(), *own])
    try:
        for stage in stages(search, job.criteria, record, progress):
            if record and stage.stopped_by is None:
                save_unfinished(job, stage, record)
    except Interrupted as error:
        error.result = replace(unfinished_result(stage, job.criteria, job.labels, job.unit), notes=tuple(notes))
        raise
    if record is None:
        notes += closing_notes(job.criteria, stage)
        return replace(evaluate(job, stage.history, stage.history.images), notes=tuple(notes))
    record.about |= {"reproducible": "approximate"} if stage.stopped_by == "seconds" else {}
    record.about["stopped_by"] = stage.stopped_by
    result = save_result(job, search, stage, record, progress)
    draw_pictures(record.folder, success=success)
    return replace(result, notes=tuple(record.about["notes"]))


def save_unfinished(job: Job, stage: Stage, record: Record) -> None:
    """Writes the images so far and their contact sheet, of many runs the first; the search goes on, or was interrupted."""
    record.withdraw()
    files = record.save_images(stage.history.images[:UNFINISHED_IMAGES], job.images[:UNFINISHED_IMAGES])
    record.about |= accounted(job.objective.classifier, record.about)
    record.show(**so_far(stage, job.criteria, files, job.labels, job.unit))
    draw_contact_sheet(record.folder)


def save_result(job: Job, search: Search, stage: Stage, record: Record, progress: Progress) -> Result:
    """Writes the images and what they are worth. Their evaluations are counted apart from those of the search."""
    record.withdraw()
    files, (job, counted) = record.save_images(stage.history.images, job.images), counting(job)
    try:
        part_of(search, "save_extras")(record, counted)
        result = evaluate(job, stage.history, record.read_images(files), str(record.folder))
    except UserError as error:  # of an external classifier
        record.show(**so_far(stage, job.criteria, files, job.labels, job.unit))
        raise UserError(f"{error}{RESUME_HINT}") from error
    plausibility, note = compare_with_real(job, result.images)
    if note:
        record.about["notes"].append(note)
        if len(files) >= MIN_IMAGES:  # small runs have none as a rule
            progress.note(note)
    if result.front:
        result = replace(result, front=record_front(record, result.front, job.objective))
    found = {**plausibility, **spread(counted, result.images, result.classes), **accounted(counted, record.about)}
    record.update(**found, valuation_evaluations=counted.evaluations, **summary(result, files))
    return result


def record_job(job: Job, folder: Path, progress: Progress = SILENT, *, success: bool = True) -> Result:
    """Runs one job in a record folder: a new one, or one that its settings resume or overwrite."""
    settings, config, extension = job.settings, dump(job.settings), check_folder(job, folder)
    with recording(folder, config, overwrite=settings.overwrite, extension=extension) as record:
        record.identity = identity(config, job.fingerprints, job.fixed_limits)
        return run_job(job, record, progress, success=success)


def check_folder(job: Job, folder: Path) -> Extension:
    """Refuses what a job cannot write to or go on from, before anything is changed. → the limits that it raises there."""
    settings, config = job.settings, dump(job.settings)
    refuse_unless_free(folder, "job", "", resume=settings.resume, overwrite=settings.overwrite)
    if not settings.resume:
        return ()
    extension = check_same(folder, config, job.fingerprints, job.fixed_limits)
    return extension if checkpoint_of(job, folder, config) else ()


@overload
def evolve(*given: Any, digit: Sequence[int] | Literal["all"], watch: Watch | None = None, **settings: Any) -> list[Result]: ...
@overload
def evolve(
    *given: Any, target: Sequence[int] | Literal["all"], watch: Watch | None = None, **settings: Any
) -> list[Result]: ...
@overload
def evolve(*given: Any, digit: int | Literal["any"], watch: Watch | None = None, **settings: Any) -> Result: ...
@overload
def evolve(*, watch: Watch | None = None, **settings: Any) -> Result: ...
@overload
def evolve(*given: Any, watch: Watch | None = None, **settings: Any) -> Result | list[Result]: ...
def evolve(
    *given: Any,
    classifier: Any = None,
    data: Any = None,
    statistics: Statistics | str | Path | None = None,
    judges: Any = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Result | list[Result]:
    """Evolves images that a classifier is certain about: `evolve(digit=2, runs=20)` → Result; a sweep → a list of them.

    `evolve(model, data, prior="variogram")` gives a classifier and its data first; words of the command
    (`"prior.weights.variogram=2"`) may follow. `settings` are those of the command, by their names or unique short names
    (`population=200`), groups as dictionaries. `classifier` is a name, a file, a dictionary of its group, or an object: a
    `fooling.Classifier`, a model of torch, Keras, ONNX or scikit-learn, or a function of images. `judges` are
    held-out ones: a list, or a dictionary by the names in tables. `data`, labelled real images, are a path, a dictionary of the
    group, a `fooling.ImageSet`, or a pair (images, labels) of arrays. `statistics` is a file or a `fooling.Statistics`. `watch`
    receives the metrics of each generation. A record is written only where `out` is given. In a notebook a line shows the
    progress, and an interrupted call returns what it has. What the command prints is in `Result.notes`; what casts doubt on the
    figures is a `FoolingWarning`, too, but with quiet=True. Raises UserError, a ValueError, for bad input.
    """
    words, classifier, data = separate(given, classifier, data)
    check_given(statistics, watch)
    entries, objects = separate_objects([] if judges is None else judges)
    named = {**settings, **({} if judges is None else {"judges": entries})}
    reader, of_data = data_words(data)
    words += [*(word for name, value in named.items() for word in as_words(name, value)), *words_for(classifier), *of_data]
    words += [f"prior.statistics={statistics}"] if isinstance(statistics, str | Path) else []
    loaded = load(words, RunSettings, "run")
    refuse_for_python(loaded)
    attacked = None if isinstance(classifier, str | Path | dict) else classifier
    fitted = statistics if isinstance(statistics, Statistics) else None
    out = None if loaded.out is None else absolute_path(loaded.out)  # before code of the classifier may change the folder
    found = prepare(with_objects(loaded, attacked, fitted, reader), attacked, fitted, objects=objects, words=words)
    jobs = found if reader is None else [job.naming(loaded.data) for job in found]
    names = [f"digit={job.digit}" if loaded.sweeps else "" for job in jobs]
    with paths_as_typed(loaded.out, out), following(watch, quiet=loaded.quiet) as progress:
        for job, name in zip(jobs, names, strict=True):
            if out and name:
                refuse_link(out / name)
                check_folder(job, out / name)
        results = evolve_all(jobs, names, out, progress)
    doubted = [note for result in results for note in result.notes if isinstance(note, Doubt) and not loaded.quiet]
    for note in dict.fromkeys(doubted):
        warnings.warn(note, FoolingWarning, stacklevel=2)
    return results if loaded.sweeps else results[0]


def evolve_all(jobs: Sequence[Job], names: Sequence[str], out: Path | None, progress: Progress) -> list[Result]:
    """Every target class, recorded in out/name where `out`, absolute, is given.

    Of an interrupted call those until then, the last one as far as it came.
    """
    results: list[Result] = []
    for job, name in zip(jobs, names, strict=True):
        folder = str(user_path(job.settings.out) / name) if job.settings.out is not None else None
        try:
            result = record_job(job, out / name, progress, success=not name) if out else run_job(job, None, progress)
        except Interrupted as error:
            note = Doubt(f"interrupted after generation {error.result.generations:,}: these are the images so far")
            return [*results, replace(error.result, folder=folder, notes=(*error.result.notes, note))]
        results.append(replace(result, folder=folder))
    return results
