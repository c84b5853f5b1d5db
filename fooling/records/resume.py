"""Which folder a job writes to, and whether what lies there is the same job."""

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fooling.errors import UserError
from fooling.records.files import check_writable, fresh_folder
from fooling.records.ownership import CHECKPOINT, CONFIG, EXTENDED, kind_of, read_status, refuse_strange_names, strings
from fooling.records.record import is_proven, read_run, status_of
from fooling.settings import is_place, without_secrets
from fooling.settings.fields import user_path
from fooling.settings.files import flat, format_value, read_yaml
from fooling.settings.names import without_former
from fooling.settings.overrides import collect
from fooling.settings.schema import RunSettings

OTHER_VERSIONS = "resumed with other versions"
UNPROVEN = "resumed from a checkpoint without proof"
NONE_FIXED: Mapping[str, str] = {}
RUNS = Path("runs")  # where folders go that nobody named

# Settings that may differ on resuming: no result depends on them.
OF_SERVERS = ("classifier.timeout", "classifier.retries", "classifier.batch_size", "classifier.auth_env")
OF_ACCOUNTS = ("classifier.rate", "classifier.price", "classifier.cache")
FREE = ("engine.threads", "engine.scoring", "quiet", "classifier.labels", *OF_SERVERS, *OF_ACCOUNTS)
LIMITS = (
    "search.generations",
    "budget",
    "seconds",
    "minutes",
)  # may be raised on resuming, where a search does not depend on them
LATER: Mapping[str, Any] = {  # settings without which jobs were begun, with what they were
    "classifier.resize": "crop",
    "data.resize": None,
    "search.evade": [],
    "search.evade_weight": 0.3,
    "search.evade_layer": None,
    "classifier.votes": None,
    "classifier.vote_noise": 0.9,
    "classifier.samples": 1,
}
MISSING = "missing"  # a setting that one of two commands does not have
Extension = tuple[str, ...]  # the limits that are raised, each with its values: "budget 1000 → 2000"


def choose_folder(
    out: str | None, resume: bool, config: str, name: str, fixed: Mapping[str, str] = NONE_FIXED
) -> tuple[Path, bool]:
    """The record folder of a command, and whether there is something to resume.

    Without `out`, resuming looks for the newest folder under runs/ with the same settings, by the text of config.yaml, or with
    lower limits; otherwise the folder is a fresh one, called `name` and the time. `fixed`: see `check_same`.
    """
    if out is not None:
        folder = user_path(out)
        return folder, resume and (folder / CONFIG).exists()
    if resume:
        same = [folder for folder in newest_first() if holds(folder, config, fixed)]
        if same:
            return min(same, key=lambda folder: (bool(differences(folder, config)), finished(folder))), True
    return fresh_folder(RUNS, f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"), False


KINDS = {"job": "a single job", "sweep": "a sweep", "experiment": "the record of an experiment"}


def refuse_unless_free(folder: Path, kind: str, command: str, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder of other files or of another kind of record, and a record that is neither resumed nor overwritten.

    `kind` is what `command` would make it. A sweep may replace that of another command, an experiment may not.
    """
    present = kind_of(folder)
    if not present:
        check_writable(folder)
        return
    if present == "foreign":
        raise UserError(f"out={folder}: holds files that are no record of fooling; give an empty or a new folder")
    if present != kind:
        raise UserError(f"out={folder}: holds {KINDS[present]}; give another folder for {KINDS[kind]}")
    about = read_status(folder)
    if resume or overwrite:
        refuse_strange_names(folder, about)
    creator = about.get("command", command)
    if creator != command and (resume or kind == "experiment"):
        raise UserError(f"out={folder}: was created by `{creator}`; resume with that command or give another folder")
    if not resume and not overwrite:
        status = status_of(folder)
        advice = "" if status == "done" else "resume=true continues it, "
        job = "job" if kind != "experiment" else f"record of {command}"
        state = f"a finished {job}" if status == "done" else f"an unfinished {job} ({status})"
        raise UserError(f"out={folder}: holds {state}; {advice}overwrite=true replaces it, or give another folder")


def newest_first() -> list[Path]:
    """The record folders under runs/, the newest first."""
    folders = [path.parent for path in RUNS.glob(f"*/{CONFIG}")] if RUNS.is_dir() else []
    return sorted(folders, key=lambda folder: (folder / CONFIG).stat().st_mtime, reverse=True)


def holds(folder: Path, config: str, fixed: Mapping[str, str] = NONE_FIXED) -> bool:
    """Whether the folder's job is the same, or one with lower limits; one that cannot be read is not."""
    try:
        other = differences(folder, config)
        return all(is_raised(name, *values) and name not in fixed for name, values in other.items())
    except UserError:
        return False


def finished(folder: Path) -> bool:
    """Whether the record is complete."""
    return status_of(folder) == "done"


def check_same(folder: Path, config: str, fingerprints: Mapping[str, Any], fixed: Mapping[str, str] = NONE_FIXED) -> Extension:
    """Refuses to resume another job than the one that lies in the folder, or on other weights or statistics.

    `config` is the text of the job's config.yaml. → the LIMITS that it raises; not those in `fixed`, on which the images up to
    there depend, each with the reason.
    """
    begun = read_run(folder)
    if not (folder / CONFIG).exists():
        if begun or (folder / CHECKPOINT).exists():
            raise UserError(f"out={folder}: {CONFIG} is missing, so which job was begun is unknown; overwrite=true starts anew")
        return ()
    other = differences(folder, config)
    for key, (there, here) in sorted(other.items(), key=lambda item: item[0] in LIMITS):
        if key in LIMITS and is_raised(key, there, here) and key not in fixed:
            continue
        advice = "resume=true needs the same command"
        if key in LIMITS:
            advice = f"resume=true cannot raise it: {fixed[key]}" if key in fixed else "resume=true may raise it, not lower it"
        values = f"{key} is {format_value(there)} there, {format_value(here)} here"
        raise UserError(f"out={folder}: holds a job with other settings ({values}); {advice}")
    is_done = begun.get("status") == "done"
    if other and is_done and not (folder / CHECKPOINT).exists():
        raise UserError(f"out={folder}: is a finished record without a checkpoint to go on from; overwrite=true starts anew")
    if other and is_done and "stopped_by" not in begun:
        earlier = "is a finished record of an earlier version, whose checkpoint has no population to go on from"
        raise UserError(f"out={folder}: {earlier}; overwrite=true starts anew")
    check_fingerprints(folder, begun, fingerprints)
    return tuple(f"{name} {format_value(there)} → {format_value(here)}" for name, (there, here) in other.items())


def check_fingerprints(folder: Path, begun: Mapping[str, Any], fingerprints: Mapping[str, Any]) -> None:
    """Refuses to resume on other weights, statistics or judges than those of the record's status file."""
    for name, fingerprint in fingerprints.items():
        if begun.get(name, fingerprint) != fingerprint:
            what = name.removesuffix("s").removesuffix("_fingerprint")
            raise UserError(f"out={folder}: was begun with another {what} under the same name; overwrite=true starts anew")


def is_raised(name: str, there: Any, here: Any) -> bool:
    """Whether a setting is a limit that is higher here; null is none, of budget and seconds."""
    if name not in LIMITS or not isinstance(there, int | float):
        return False
    return here > there if isinstance(here, int | float) else here is None and name != "search.generations"


def identity(config: str, fingerprints: Mapping[str, Any], fixed: Mapping[str, str] = NONE_FIXED) -> str:
    """What a job's checkpoints carry: SHA-256 of the settings on which its images depend and of its fingerprints.

    `config` is the text of config.yaml. LIMITS only count where they are `fixed`: else a longer job continues a shorter one.
    """
    left_out = {*FREE, *LIMITS} - fixed.keys()
    settings = {name: value for name, value in flat(read_yaml(config)) if name not in left_out}
    settings = {name: value for name, value in settings.items() if (name, value) not in LATER.items()}
    return hashlib.sha256(json.dumps([settings, dict(fingerprints)], sort_keys=True, default=str).encode()).hexdigest()


def doubts(folder: Path, begun: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """A line for each reason why the images of a record that goes on may differ, given its run.json and the versions of now."""
    return [*version_notes(begun, now), *proof_notes(folder, begun)]


def version_notes(begun: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """A line for each time that a record was resumed with other versions, given its run.json and the versions of now."""
    there, notes = begun.get("versions"), begun.get("notes")
    before = [note for note in strings(notes) if note.startswith(OTHER_VERSIONS)]
    there = there if isinstance(there, dict) else {}
    changed = [f"{name} {there[name]} → {number}" for name, number in now.items() if there.get(name, number) != number]
    now_too = f"{OTHER_VERSIONS} ({', '.join(changed)}): images may differ from an uninterrupted run"
    return list(dict.fromkeys([*before, *([now_too] if changed else [])]))


def proof_notes(folder: Path, begun: Mapping[str, Any]) -> list[str]:
    """A line where a record was resumed from a checkpoint that does not prove of which job it is."""
    before = [note for note in strings(begun.get("notes")) if note.startswith(UNPROVEN)]
    now = [] if not begun or is_proven(folder) else [f"{UNPROVEN}: it is of an earlier version and does not name its job"]
    return list(dict.fromkeys([*before, *now]))


def was_approximate(begun: Mapping[str, Any]) -> bool:
    """Whether images of a record may not repeat, given its run.json. Those that only the clock ended do, once it goes on."""
    seen = begun.get("examination")
    differs = isinstance(seen, dict) and seen.get("exact") is False
    return begun.get("reproducible") == "approximate" and (begun.get("stopped_by") != "seconds" or differs)


def extension_notes(begun: Mapping[str, Any]) -> list[str]:
    """A line for each time that limits of the record were raised, given its run.json."""
    return [note for note in strings(begun.get("notes")) if note.startswith(EXTENDED)]


def differences(folder: Path, config: str) -> dict[str, tuple[Any, Any]]:
    """Settings in which the folder's job differs: {name: (there, here)}."""
    there = dict(flat(without_secrets(without_former(read_yaml(folder / CONFIG), RunSettings))))
    here = dict(flat(read_yaml(config)))
    if here.keys() - there.keys():  # settings that came after the record was begun: it has their defaults
        with contextlib.suppress(UserError):
            there = dict(flat(collect([str(folder / CONFIG)], RunSettings, "run"))) | there
            there = {name: value for name, value in there.items() if name in here or not is_place(name)}
    names = sorted((there.keys() | here.keys()) - set(FREE))
    return {name: (there.get(name, MISSING), here.get(name, MISSING)) for name in names if there.get(name) != here.get(name)}
