"""The main job, `python -m fooling.run digit=2`: settings → data → statistics, classifier → objective → engine → record."""

import sys
from importlib import import_module

if __name__ == "__main__":  # before the imports below: --help and bad settings are answered without them
    sys.exit(import_module("fooling.commands").main(["run", *sys.argv[1:]]))

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from fooling.classifiers.base import Classifier
from fooling.classifiers.checks import report_on
from fooling.classifiers.judges import load_judges
from fooling.errors import UserError
from fooling.plots import draw_pictures
from fooling.records import Record
from fooling.records.resume import open_folder
from fooling.search.job import Job, Pair, counting, describe, digits, evaluate, make_job, make_search
from fooling.search.loaders import (
    compare_with_real,
    draws,
    fit_to_start_image,
    fits,
    get_classifier,
    get_statistics,
    needs_statistics,
    refuse_other_classes,
)
from fooling.search.loop import RESUME_HINT, Interrupted, run_loop
from fooling.search.pareto_front import record_front
from fooling.search.protocol import part_of
from fooling.search.result import Result, summary
from fooling.search.state import Metrics
from fooling.settings import load
from fooling.settings.fields import user_path
from fooling.settings.names import as_words
from fooling.settings.schema import RunSettings
from fooling.statistics import Statistics


def prepare(
    settings: RunSettings,
    classifier: Classifier | None = None,
    statistics: Statistics | None = None,
    mismatched: bool = False,
    judges: Mapping[str, Classifier] | None = None,
    pairs: Sequence[Pair] | None = None,
) -> list[Job]:
    """The jobs that the settings ask for, one a class; refuses what does not fit together.

    `mismatched`: one for each pair of different classes, the prior of one and the target of the other. `pairs`: just these.
    """

    at_hand = cache(lambda: statistics or get_statistics(settings))
    classifier = classifier or get_classifier(settings, at_hand)
    looked, judges = report_on(settings, classifier), load_judges(settings.judges, classifier) if judges is None else judges
    classifier, judges, start = fit_to_start_image(settings, classifier, judges)
    notes = list(looked.notes) + ([start.note] if start.note else [])
    if statistics or needs_statistics(settings) or fits(classifier, at_hand()):
        statistics = at_hand()
        refuse_other_classes(settings, classifier, statistics)
    else:
        notes += ["no statistics of such images: pixels are drawn from all grey levels evenly"] if draws(settings) else []
    looked = replace(looked, notes=tuple(notes))
    jobs = []
    alone = not (settings.sweeps or mismatched or pairs)
    for prior_digit, digit in pairs or prior_target_pairs(settings, classifier.num_classes, mismatched):
        prior = settings.prior.model_copy(update={"digit": prior_digit})
        one = settings.model_copy(update={"digit": digit, "prior": prior})
        job = make_job(one, classifier, statistics, judges, looked, start.pixels)
        jobs.append(replace(job, alone=alone))
    make_search(jobs[0])  # which refuses what it lacks, before anything is written
    return jobs


def prior_target_pairs(settings: RunSettings, classes: int, mismatched: bool) -> list[Pair]:
    """Of each job the prior's class, None where it is the wanted one, and the wanted class."""
    if settings.digit == "any":
        return [(settings.prior.digit, "any")]
    wanted = digits(settings, classes)
    return [(a, b) for a in wanted for b in wanted if a != b] if mismatched else [(settings.prior.digit, b) for b in wanted]


@dataclass(frozen=True)
class Callbacks:
    """Progress as three functions."""

    observe: Callable[[Metrics], None]
    note: Callable[[str], None]
    stop_requested: Callable[[], bool]


def run_job(
    job: Job,
    record: Record | None = None,
    watch: Callable[[Metrics], None] = lambda row: None,
    interrupted: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda note: None,
) -> Result:
    """Evolves, records and values one job. With a record, the images are valued as read back from their files.

    `tell` hears once of what the engine computes in another way than one would expect.
    """

    about = describe(job)
    try:
        search = make_search(job)
        about["notes"] = [*job.report.notes, *search.notes]
        for note in about["notes"]:
            tell(note)
        if record:
            record.write_run({**about, "status": "running"})
        track = run_loop(search, job.criteria, record, Callbacks(watch, tell, interrupted))
        if not record:
            return evaluate(job, track, track.images)
        files, (valued, counted) = record.save_images(track.images), counting(job)
        try:
            part_of(search, "save_extras")(record, valued.objective.classifier)
            result = evaluate(valued, track, record.read_images(files), str(record.folder))
        except UserError as error:  # of a foreign classifier
            raise UserError(f"{error}{RESUME_HINT}") from error
        found, note = compare_with_real(valued, result.images)
        about.update(found)
        if note:
            about["notes"].append(note)
            tell(note)
        if result.front:
            result = replace(result, front=record_front(record, result.front, valued.objective))
        about["valuation_evaluations"] = counted.evaluations
        record.write_run({**about, "status": "running", **summary(result, files)})
        draw_pictures(record.folder, success=job.alone)
        record.write_run({**about, "status": "done", **summary(result, files)})
        return result
    except (Interrupted, KeyboardInterrupt, SystemExit):
        if record:
            record.write_run({**about, "status": "interrupted"})
        raise
    except Exception as error:
        if record:
            record.try_write_run({**about, "status": "failed", "error": str(error)})
        raise


def evolve(
    *overrides: str,
    classifier: Classifier | str | None = None,
    statistics: Statistics | str | Path | None = None,
    watch: Callable[[Metrics], None] = lambda row: None,
    **settings: Any,
) -> Any:
    """Evolves images that a classifier is sure about: `evolve(digit=2, runs=20)` → Result; a sweep → a list of them.

    `settings` are those of the command under their names or unique short names (`population=200`), nested ones as
    dictionaries or as `overrides` in the command's words (`"prior.weights.variogram=2"`). `classifier` may be any object
    with the face of `fooling.Classifier`, `statistics` what `Statistics.fit` or `Statistics.load` gave. `watch` hears of every
    generation. A record is written only where `out` is given. Raises UserError (a ValueError) for what the command refuses.
    """
    if not isinstance(statistics, Statistics | str | Path | None):
        raise UserError(f"statistics: expected fooling.Statistics or a file's name, got {type(statistics).__name__}")
    words = [*overrides, *(word for name, value in settings.items() for word in as_words(name, value))]
    if isinstance(classifier, str):
        words.append(f"classifier={classifier}")
    if isinstance(statistics, str | Path):
        words.append(f"prior.statistics={statistics}")
    loaded = load(words, RunSettings, "run")
    given = None if isinstance(classifier, str) else classifier
    fitted = statistics if isinstance(statistics, Statistics) else None
    jobs = prepare(named(loaded, given, fitted), given, fitted)
    sweep = loaded.sweeps
    results = [evolve_one(job, f"digit={job.digit}" if sweep else "", watch) for job in jobs]
    return results if sweep else results[0]


def named(settings: RunSettings, classifier: Classifier | None, statistics: Statistics | None) -> RunSettings:
    """The settings with what came as objects named as such, so that no record says that it was the bundled one."""
    changed: dict[str, Any] = {}
    if classifier is not None:
        name = f"object {type(classifier).__name__}"
        changed["classifier"] = settings.classifier.model_copy(update={"name": name, "path": None})
    if statistics is not None:
        changed["prior"] = settings.prior.model_copy(update={"statistics": "object Statistics"})
    return settings.model_copy(update=changed)


def evolve_one(job: Job, name: str, watch: Callable[[Metrics], None]) -> Result:
    """One class: recorded under out/name where `out` is given."""
    settings = job.settings
    if settings.out is None:
        if settings.resume or settings.overwrite:
            raise UserError("resume and overwrite need out=FOLDER")
        return run_job(job, None, watch)
    folder = user_path(settings.out) / name
    record = open_folder(folder, settings, job.fingerprints)
    try:
        return run_job(job, record, watch)
    finally:
        record.close()
