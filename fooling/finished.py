"""Finished records, read with the classifier and the statistics that their images were scored by."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fooling.classifiers.base import Classifier
from fooling.errors import UserError
from fooling.record import CONFIG, SWEEP, kind_of, read_json, read_run, status_of
from fooling.settings import RunSettings, load
from fooling.sources import get_classifier, get_statistics
from fooling.statistics import Statistics


@dataclass(frozen=True)
class Finished:
    """A finished record, and what its images were scored by."""

    name: str  # of its folder in a sweep, '' for a single one
    folder: Path
    settings: RunSettings
    run: Mapping[str, Any]
    classifier: Classifier
    statistics: Statistics


def find_records(folder: Path) -> dict[str, Path]:
    """The record folders by their names: the folder itself, or those of a sweep. What is no finished job is refused."""
    kind = kind_of(folder)
    if kind not in ("job", "sweep"):
        raise UserError(f"{folder}: holds no record of fooling; expected a folder that `fooling run` has written")
    names = sweep_folders(folder) if kind == "sweep" else [""]
    places = {name: folder / name for name in names}
    for place in (folder, *places.values()):
        status = status_of(place) if kind_of(place) else "missing"
        if status != "done":
            raise UserError(f"{place}: holds no finished job ({status}); let it finish first (resume=true)")
    return places


def sweep_folders(parent: Path) -> list[str]:
    """The folders of a sweep's jobs, as its sweep.json names them."""
    jobs = read_json(parent / SWEEP).get("jobs")
    entries = jobs if isinstance(jobs, list) else []
    names = [job["folder"] for job in entries if isinstance(job, dict) and isinstance(job.get("folder"), str)]
    if not names or len(names) < len(entries):
        raise UserError(f"{parent / SWEEP}: a damaged file; expected the folders of its jobs, as `fooling run` writes them")
    return names


def read_records(places: Mapping[str, Path]) -> list[Finished]:
    """The records with their classifiers and statistics, each of which is loaded once."""
    records: list[Finished] = []
    loaded: dict[str, Any] = {}
    for name, folder in places.items():
        settings, run = load([str(folder / CONFIG)], RunSettings), read_run(folder)
        if settings.classifier.name.startswith("object ") or (settings.prior.statistics or "").startswith("object "):
            raise UserError(f"{folder}: was made with a Python object, which no file holds; call fooling.plausibility instead")
        whose = repr((settings.data, settings.prior.statistics))
        if whose not in loaded:
            loaded[whose] = get_statistics(settings)
        what = repr(settings.classifier)
        if what not in loaded:
            loaded[what] = get_classifier(settings, partial(loaded.__getitem__, whose))
        records.append(Finished(name, folder, settings, run, loaded[what], loaded[whose]))
        refuse_others(records[-1])
    return records


def refuse_others(record: Finished) -> None:
    """Refuses weights or statistics that have changed since; statistics of data are fitted anew, and may be rounded anew."""
    fitted = record.settings.data.path or record.settings.data.kind != "auto"
    found = {"classifier": record.classifier.fingerprint}
    if not fitted:
        found["statistics"] = record.statistics.fingerprint
    for name, fingerprint in found.items():
        if record.run.get(f"{name}_fingerprint") != fingerprint:
            raise UserError(f"{record.folder}: was made with another {name} than lies under that name now; restore its file")
