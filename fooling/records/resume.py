"""Which folder a job writes to, and whether what lies there is the same job."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fooling.errors import UserError
from fooling.records import CHECKPOINT, CONFIG, Record, open_record, read_run, status_of
from fooling.records.files import fresh_folder
from fooling.settings import dump
from fooling.settings.fields import user_path
from fooling.settings.files import read_yaml
from fooling.settings.former import without_former
from fooling.settings.schema import RunSettings
from fooling.settings.tree import flat

RUNS = Path("runs")  # where folders go that nobody named

# Settings that may differ on resuming: no result depends on them.
OF_SERVERS = ("classifier.timeout", "classifier.retries", "classifier.batch_size")
FREE = ("engine.threads", "engine.scoring", "quiet", *OF_SERVERS)


def choose_folder(settings: RunSettings, sweep: bool, config: str, name: str = "") -> tuple[Path, bool]:
    """The folder of a job (of a sweep: the parent of its jobs' folders), and whether there is something to resume.

    Without `out`, resuming looks for the newest folder under runs/ that holds the same job, by its `config` (the text of
    config.yaml). `name`: how a fresh one is called.
    """
    if settings.out is not None:
        folder = user_path(settings.out)
        return folder, settings.resume and (folder / CONFIG).exists()
    if settings.resume:
        same = [folder for folder in newest_first() if holds(folder, config)]
        if same:
            return min(same, key=lambda folder: finished(folder)), True
    name = name or f"{'sweep' if sweep else f'digit={settings.digit}'}-{settings.prior.name}"
    return fresh_folder(RUNS, f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"), False


def newest_first() -> list[Path]:
    """The record folders under runs/, the newest first."""
    folders = [path.parent for path in RUNS.glob(f"*/{CONFIG}")] if RUNS.is_dir() else []
    return sorted(folders, key=lambda folder: (folder / CONFIG).stat().st_mtime, reverse=True)


def holds(folder: Path, config: str) -> bool:
    """Whether the folder's job is the same; one that cannot be read is not."""
    try:
        return not differences(folder, config)
    except UserError:
        return False


def finished(folder: Path) -> bool:
    """Whether the record is complete."""
    return status_of(folder) == "done"


def open_folder(folder: Path, settings: RunSettings, fingerprints: Mapping[str, Any]) -> Record:
    """Opens a job's record; refuses to resume another job, or one begun with other weights or statistics."""
    config = dump(settings)
    if settings.resume:
        check_same(folder, config, fingerprints)
    return open_record(folder, config, resume=settings.resume, overwrite=settings.overwrite)


def check_same(folder: Path, config: str, fingerprints: Mapping[str, Any]) -> None:
    """Refuses to resume another job than the one that lies in the folder, or on other weights or statistics.

    `config` is the text of the job's config.yaml.
    """
    begun = read_run(folder)
    if not (folder / CONFIG).exists():
        if begun or (folder / CHECKPOINT).exists():
            raise UserError(f"out={folder}: {CONFIG} is missing, so which job was begun is unknown; overwrite=true starts anew")
        return
    other = differences(folder, config)
    if other:
        key, (there, here) = next(iter(other.items()))
        raise UserError(
            f"out={folder}: holds a job with other settings ({key} is {there} there, {here} here); "
            "resume=true needs the same command"
        )
    for name, fingerprint in fingerprints.items():
        if begun.get(name, fingerprint) != fingerprint:
            what = name.removesuffix("s").removesuffix("_fingerprint")
            raise UserError(f"out={folder}: was begun with another {what} under the same name; overwrite=true starts anew")


def differences(folder: Path, config: str) -> dict[str, tuple[Any, Any]]:
    """Settings in which the folder's job differs: {name: (there, here)}."""
    there = dict(flat(without_former(read_yaml(folder / CONFIG), RunSettings)))
    here = dict(flat(read_yaml(config)))
    names = sorted((there.keys() | here.keys()) - set(FREE))
    return {name: (there.get(name), here.get(name)) for name in names if there.get(name) != here.get(name)}
