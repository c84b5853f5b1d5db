"""The main job as a function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fooling.classifiers.base import Classifier
from fooling.engines.track import Row
from fooling.errors import UserError
from fooling.folders import open_folder
from fooling.job import Job, prepare
from fooling.paths import user_path
from fooling.result import Result
from fooling.run import run_job
from fooling.settings import RunSettings, load
from fooling.statistics import Statistics


def evolve(
    *overrides: str,
    classifier: Classifier | str | None = None,
    statistics: Statistics | str | Path | None = None,
    watch: Callable[[Row], None] = lambda row: None,
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


def evolve_one(job: Job, name: str, watch: Callable[[Row], None]) -> Result:
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


def as_words(name: str, value: Any) -> list[str]:
    """A setting as words of the command: {"weights": {"target": 1}} → weights.target=1."""
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in as_words(f"{name}.{key}", inner)]
    if isinstance(value, list | tuple | range):
        return [f"{name}=[{','.join(map(str, value))}]"]
    return [f"{name}={'null' if value is None else str(value).lower() if isinstance(value, bool) else value}"]
